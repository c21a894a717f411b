package synth

import (
	"encoding/binary"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/evac-io/evac/internal/crdb/wire"
)

// redescribe is the proto Descriptor of a table under another id and name, and
// without what ties it to other tables: foreign keys, views, sequences.
func redescribe(desc []byte, id uint32, name string) []byte {
	var out wire.Message
	for len(desc) > 0 {
		f, rest, err := wire.Next(desc)
		if err != nil {
			return out
		}
		if f.Num == 1 {
			out = out.Bytes(1, retable(f.Data, id, name))
		} else {
			out = append(out, desc[:len(desc)-len(rest)]...)
		}
		desc = rest
	}
	return out
}

// tiesTable and tiesColumn are the fields that name other tables.
func tiesTable(num int) bool  { return num == 25 || num == 26 || num == 36 || num == 37 }
func tiesColumn(num int) bool { return num == 10 || num == 12 }

func retable(table []byte, id uint32, name string) []byte {
	return remake(table, func(out wire.Message, f wire.Field) (wire.Message, bool) {
		switch {
		case f.Num == 1:
			return out.Bytes(1, []byte(name)), true
		case f.Num == 3:
			return out.Int(3, uint64(id)), true
		case tiesTable(f.Num):
			return out, true
		case f.Num == 8 && f.Type == protowire.BytesType:
			column := remake(f.Data, func(out wire.Message, f wire.Field) (wire.Message, bool) { return out, tiesColumn(f.Num) })
			return out.Bytes(8, column), true
		}
		return out, false
	})
}

// remake copies a message field by field, but those that f takes over.
func remake(msg []byte, f func(wire.Message, wire.Field) (wire.Message, bool)) []byte {
	var out wire.Message
	for len(msg) > 0 {
		field, rest, err := wire.Next(msg)
		if err != nil {
			return out
		}
		next, done := f(out, field)
		if out = next; !done {
			out = append(out, msg[:len(msg)-len(rest)]...)
		}
		msg = rest
	}
	return out
}

func zigzag(v int64) []byte { return binary.AppendVarint(nil, v) }
