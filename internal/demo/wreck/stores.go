package wreck

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"github.com/dustin/go-humanize"

	"github.com/evac-io/evac/internal/crdb"
	"github.com/evac-io/evac/internal/crdb/store"
)

// tiny is where the archives lie in crdb.Tiny.
const tiny = "testdata/tiny"

// The damage: of the second node's one table file the last part is cut off, and
// what is left is struck in some places.
const (
	spoiledNode = 2
	spoiledFile = "000541.sst"
	keepOf100   = 70
	wounds      = 4
	woundBytes  = 24
)

// make unpacks the stores and spoils one of them.
func (w *wreck) make(ctx context.Context) (string, error) {
	total := int64(0)
	for n := 1; n <= 3; n++ {
		dir, err := w.unpack(ctx, fmt.Sprintf("n%d", n))
		if err != nil {
			return "", err
		}
		w.stores = append(w.stores, dir)
	}
	err := filepath.WalkDir(filepath.Join(w.Dir, "stores"), func(_ string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	if err != nil {
		return "", err
	}
	if err := spoil(filepath.Join(w.stores[spoiledNode-1], spoiledFile)); err != nil {
		return "", err
	}
	return fmt.Sprintf("the disks of three CockroachDB nodes, killed while they wrote, %s; and on node %d's the demo has cut %d %% off "+
		"%s and overwritten it in %d places", humanize.IBytes(uint64(total)), spoiledNode, 100-keepOf100, spoiledFile, wounds), nil
}

// unpack makes a node's store out of its archive and gives the folder.
func (w *wreck) unpack(ctx context.Context, node string) (string, error) {
	text, err := crdb.Tiny.ReadFile(path.Join(tiny, node+".tar.zst"))
	if err != nil {
		return "", err
	}
	stores := filepath.Join(w.Dir, "stores")
	if err := os.MkdirAll(stores, 0o755); err != nil {
		return "", err
	}
	archive := filepath.Join(stores, node+".tar.zst")
	if err := os.WriteFile(archive, text, 0o644); err != nil {
		return "", err
	}
	whole := filepath.Join(stores, node+".unpacked")
	if _, _, err := store.Unpack(ctx, archive, whole); err != nil {
		return "", err
	}
	dir := filepath.Join(stores, node) // which is what the archive holds
	if err := os.Rename(filepath.Join(whole, node), dir); err != nil {
		return "", err
	}
	if err := os.RemoveAll(whole); err != nil {
		return "", err
	}
	return dir, os.Remove(archive)
}

// spoil damages a file.
func spoil(name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	text = text[:len(text)*keepOf100/100]
	for i := 1; i <= wounds; i++ {
		at := len(text) * i / (wounds + 1)
		for j := range text[at : at+woundBytes] {
			text[at+j] ^= 0x5a
		}
	}
	return os.WriteFile(name, text, 0o644)
}
