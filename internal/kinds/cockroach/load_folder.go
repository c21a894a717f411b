package cockroach

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/evac-io/evac/internal/crdb/salvage"
	"github.com/evac-io/evac/internal/fault"
)

// report is that of the salvage which wrote a folder; nil if there is none, for the
// folder was made by hand. A salvage that has not ended is refused.
func report(dir string) (*salvage.Report, error) {
	rep, err := salvage.ReadReport(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return rep, err
	}
	if begun, err := salvage.Begun(dir); begun || err != nil {
		return nil, errors.Join(err, fault.New(fault.Failed, fmt.Sprintf("the salvage in %q is not finished", dir), "salvage again: the same command goes on where it stopped"))
	}
	return nil, nil
}

// whole refuses a folder that lacks a file of its report.
func whole(dir string) error {
	rep, err := report(dir)
	if rep == nil || err != nil {
		return err
	}
	for _, t := range rep.Tables {
		for _, p := range t.Parts {
			info, err := os.Stat(filepath.Join(dir, filepath.FromSlash(p.Name)))
			if err == nil && info.Size() != p.Bytes {
				err = fmt.Errorf("it has %d bytes, the report says %d", info.Size(), p.Bytes)
			}
			if err != nil {
				return fault.Wrap(fault.Different, fmt.Sprintf("file %q is not what the salvage has written", p.Name), err, "salvage again: it writes that file anew")
			}
		}
	}
	return nil
}

// complete is the error of a folder whose salvage was not.
func complete(dir string) error {
	rep, err := report(dir)
	if rep == nil || err != nil {
		return err
	}
	return verdict(rep, dir)
}
