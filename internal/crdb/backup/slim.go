package backup

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/sst"
)

// From 23.1 on the lists of files and descriptors lie in tables beside the
// manifest. Keys of the first: span start and path, both in the ordered encoding
// of bytes; of the second: "desc/" and the id in that of integers, with the
// revision's moment as version. Values are the protos.
const (
	fileList       = "filelist.sst"
	descriptorList = "descriptorslist.sst"
	descPrefix     = "desc/"
)

// loadExternal adds to a manifest what lies beside it.
func (b *Backup) loadExternal(ctx context.Context, l *found) error {
	err := b.eachIn(ctx, l, fileList, func(_, value []byte) error {
		f, err := parseFile(value)
		l.Files = append(l.Files, f)
		return err
	})
	if err != nil {
		return err
	}
	return b.eachIn(ctx, l, descriptorList, func(key, value []byte) error {
		user, version, err := keys.Split(key)
		if err != nil {
			return err
		}
		id, _, ok := keys.TakeUvarint([]byte(strings.TrimPrefix(string(user), descPrefix)))
		if !ok {
			return fmt.Errorf("%q is not the key of a descriptor", key)
		}
		if at, ok := keys.Version(version); ok && l.Revisions {
			l.Changes = append(l.Changes, Descriptor{ID: uint32(id), At: at, Desc: value})
		} else if len(value) > 0 {
			l.Descriptors = append(l.Descriptors, value)
		}
		return nil
	})
}

// eachIn calls each with copies of all entries of a table beside the manifest.
// These tables are the map of the rest, so that damage in them is an error.
func (b *Backup) eachIn(ctx context.Context, l *found, name string, each func(key, value []byte) error) (err error) {
	at := path.Join(l.dir, name)
	f, err := b.open(l.root, at)
	if err != nil {
		return fmt.Errorf("read the backup's %q: %w", at, err)
	}
	defer f.Close()
	t, err := sst.Open(ctx, f, f.size, sst.Options{Store: b.name, Name: at})
	if err != nil {
		return err
	}
	it := sst.Newest(keys.Span{}, nil, t.Iter(keys.Span{}))
	defer func() { err = errors.Join(err, it.Close()) }()
	for it.Next() {
		if err := each(append([]byte(nil), it.Key()...), append([]byte{}, it.Value()...)); err != nil {
			return fmt.Errorf("read the backup's %q: %w", at, err)
		}
	}
	if d := append(t.Damage(), it.Damage()...); len(d) > 0 {
		return fmt.Errorf("read the backup's %q: %s", at, d[0].Why)
	}
	return it.Err()
}
