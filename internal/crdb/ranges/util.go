package ranges

import (
	"encoding/binary"

	"github.com/evac-io/evac/internal/crdb/engine"
)

// closed closes a walk and says what ended it too early.
func closed(it engine.Iter) error {
	if err := it.Err(); err != nil {
		_ = it.Close()
		return err
	}
	return it.Close()
}

func be64(b []byte) uint64 { return binary.BigEndian.Uint64(b) }
