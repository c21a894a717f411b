package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// ErrNotSideloaded says that no file holds the table of a Raft log entry.
var ErrNotSideloaded = errors.New("the sideloaded table is not there")

const maxSideloaded = 1 << 30 // bytes: far above the largest table that a command adds

// Sideloaded reads the table that the Raft log entry of a range with an index and
// a term added, which the log itself does not hold. Releases since 2.1 keep it
// below auxiliary/sideloading/r<range/10000>XXXX/r<range>, those before in a
// folder named by range and replica.
func (s *Store) Sideloaded(rangeID int64, index, term uint64) ([]byte, error) {
	name := fmt.Sprintf("i%d.t%d", index, term)
	folders := []string{fmt.Sprintf("auxiliary/sideloading/r%dXXXX/r%d", rangeID/10000, rangeID)}
	old, err := s.fs.Folders(fmt.Sprintf("auxiliary/sideloading/%d", rangeID%1000))
	if err != nil {
		return nil, err
	}
	for _, folder := range old {
		if strings.HasPrefix(folder, fmt.Sprintf("%d.", rangeID)) {
			folders = append(folders, fmt.Sprintf("auxiliary/sideloading/%d/%s", rangeID%1000, folder))
		}
	}
	for _, folder := range folders {
		data, err := readFile(s.fs, folder+"/"+name, maxSideloaded)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("read sideloaded table %q of range %d: %w", name, rangeID, err)
		}
		return data, nil
	}
	return nil, fmt.Errorf("range %d, index %d, term %d: %w", rangeID, index, term, ErrNotSideloaded)
}

// ReadFile reads a file of the store, by its name relative to it: a table that
// lies beside the log.
func (s *Store) ReadFile(name string) ([]byte, error) { return readFile(s.fs, name, maxSideloaded) }
