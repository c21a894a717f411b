package store

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dustin/go-humanize"

	"github.com/evac-io/evac/internal/fault"
)

// origin says what a copy was made of, so that another's is not taken for it.
type origin string

func (o origin) line() string { return "# " + string(o) }

// treeOrigin is that of a directory.
func treeOrigin(dir string, files []evidence) (origin, error) {
	at, err := filepath.Abs(dir)
	bytes := int64(0)
	for _, f := range files {
		bytes += f.size
	}
	return origin(fmt.Sprintf("copy of %q: %d bytes in %d files and folders", at, bytes, len(files))), err
}

// archiveOrigin is that of an archive.
func archiveOrigin(archive string, info os.FileInfo) (origin, error) {
	at, err := filepath.Abs(archive)
	return origin(fmt.Sprintf("unpacked from %q: %d bytes, of %s", at, info.Size(), info.ModTime().UTC().Format(time.RFC3339Nano))), err
}

// sumsName is the file of sums beside a folder.
func sumsName(folder string) string { return folder + ".SHA256SUMS" }

// made says whether a folder was made whole of an origin already. A folder of
// something else is refused.
func made(folder string, o origin) (bool, error) {
	if _, err := os.Stat(folder); errors.Is(err, os.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	head := ""
	if f, err := os.Open(sumsName(folder)); err == nil {
		lines := bufio.NewScanner(f)
		if lines.Scan() {
			head = lines.Text()
		}
		if err := f.Close(); err != nil {
			return false, err
		}
	}
	if head != o.line() {
		return false, fault.New(fault.Invalid, fmt.Sprintf("folder %q is there already, and is no %s", folder, o), "name another folder, or take that one away")
	}
	return true, nil
}

// finish writes the sums beside a folder and gives it its name.
func finish(folder string, o origin, sums Sums) error {
	err := os.WriteFile(sumsName(folder), []byte(o.line()+"\n"+sums.String()), 0o644)
	if err == nil {
		err = os.Rename(folder+".part", folder)
	}
	if err == nil {
		err = os.RemoveAll(sumsName(folder) + ".part")
	}
	if err != nil {
		return err
	}
	parent, err := os.Open(filepath.Dir(folder))
	if err != nil {
		return err
	}
	return errors.Join(parent.Sync(), parent.Close())
}

// room refuses to write so many bytes into a folder that has no room for them.
func room(folder string, need int64) error {
	var disk unix.Statfs_t
	if err := unix.Statfs(folder, &disk); err != nil {
		return fmt.Errorf("ask free space of %q: %w", folder, err)
	}
	free := int64(disk.Bavail) * int64(disk.Bsize) //nolint:gosec,unconvert // the types differ between systems
	if free < need {
		return fault.New(fault.Failed, fmt.Sprintf("%s are needed in %q, %s are free", humanize.IBytes(uint64(need)), folder, humanize.IBytes(uint64(max(free, 0)))),
			"name a folder on a larger disk")
	}
	return nil
}
