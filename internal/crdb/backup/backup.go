package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"sync"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/fault"
)

// Options say what of a backup is read. The zero value is its newest state.
type Options struct {
	// Name is what damage calls the backup.
	Name string
	// Subdir is the folder of the full backup within a collection; empty: the
	// newest.
	Subdir string
	// AsOf is the moment to read; zero: the end of the last layer. Between the ends
	// of layers it needs a backup with revision history.
	AsOf keys.Timestamp
}

// Backup is an opened backup at one moment.
type Backup struct {
	name   string
	roots  []fs.FS
	layers []found
	parts  []part   // every stretch of every table, by layer, then by key
	rows   [][]part // those that may have keys, a few rows
	asOf   keys.Timestamp
	notes  []string

	tombstones func() ([]engine.RangeTombstone, error) // of all tables, found once
}

// Layer is a full or incremental backup that takes part.
type Layer struct {
	Dir string // below the folder that was given
	*Manifest
}

// Open reads the manifests of a backup. The folders are those of one backup: a
// full backup or a collection first; then, in any order, incremental backups
// that lie elsewhere and the folders of other localities. Their files must be
// io.ReaderAts.
func Open(ctx context.Context, folders []fs.FS, o Options) (_ *Backup, err error) {
	if len(folders) == 0 {
		return nil, fault.New(fault.Invalid, "read the backup: no folder is given", hintSubdir)
	}
	b := &Backup{name: o.Name, roots: folders}
	var all []found
	for i, root := range folders {
		subdir := ""
		if i == 0 {
			subdir = o.Subdir
		}
		layers, err := discover(root, subdir)
		if err != nil {
			return nil, err
		}
		for _, l := range layers {
			l.root = i
			all = append(all, l)
		}
	}
	if len(all) == 0 {
		if err := refuseWithout(folders[0], "."); err != nil {
			return nil, err
		}
		return nil, fault.New(fault.Invalid, "read the backup: no manifest in the folder", hintSubdir)
	}
	if err := b.choose(all, o.AsOf); err != nil {
		return nil, err
	}
	for i := range b.layers {
		if l := &b.layers[i]; l.External {
			if err := b.loadExternal(ctx, l); err != nil {
				return nil, err
			}
		}
	}
	if b.parts, err = b.plan(); err != nil {
		return nil, err
	}
	b.rows = inRows(b.parts)
	b.tombstones = sync.OnceValues(b.findTombstones)
	return b, nil
}

// choose takes the layers that the moment needs.
func (b *Backup) choose(all []found, asOf keys.Timestamp) error {
	later := func(m *Manifest) bool { return !asOf.IsZero() && m.Start.Compare(asOf) >= 0 }
	used, left, err := chain(all, later)
	if err != nil {
		return err
	}
	for _, l := range left {
		switch {
		case l.Start.IsZero():
			return fault.New(fault.Invalid, fmt.Sprintf("read the backup: %q and %q are both full backups", used[0].dir, l.dir), hintSubdir)
		case !later(l.Manifest) && used[len(used)-1].End.Compare(l.Start) < 0:
			b.notes = append(b.notes, fmt.Sprintf("the incremental backup %q begins at %s, and none that is there ends then: it is left out", l.dir, l.Start))
		}
	}
	last := used[len(used)-1]
	switch {
	case asOf.IsZero():
		asOf = last.End
	case asOf.Compare(last.End) > 0:
		return fault.New(fault.Invalid, fmt.Sprintf("read the backup as of %s: it ends at %s", asOf, last.End), "")
	case asOf != last.End && (!last.Revisions || asOf.Compare(last.RevisionsSince) < 0):
		return fault.New(fault.Invalid, fmt.Sprintf("read the backup as of %s: it has the states of %s only", asOf, ends(used)), "")
	}
	b.layers, b.asOf = used, asOf
	return nil
}

// ends lists the moments at which layers end.
func ends(layers []found) string {
	out := ""
	for i, l := range layers {
		if i > 0 {
			out += ", "
		}
		out += l.End.String()
	}
	return out
}

// Layers are the full backup and the incremental ones that take part, in order.
func (b *Backup) Layers() []Layer {
	out := make([]Layer, len(b.layers))
	for i, l := range b.layers {
		out[i] = Layer{Dir: l.dir, Manifest: l.Manifest}
	}
	return out
}

// AsOf is the moment at which the view is to be read.
func (b *Backup) AsOf() keys.Timestamp { return b.asOf }

// Notes are what was found odd and did not prevent the reading.
func (b *Backup) Notes() []string { return b.notes }

// Spans are the keys that the backup is to cover.
func (b *Backup) Spans() []keys.Span { return b.layers[len(b.layers)-1].Spans }

// Descriptors are those of the chosen moment, by id: of the system tenant. Other
// tenants' are rows of their own system.descriptor in the view.
func (b *Backup) Descriptors() ([]Descriptor, error) {
	newest := map[uint32]Descriptor{}
	since := map[uint32]keys.Timestamp{} // when what newest has was so
	var unknown []Descriptor
	for _, l := range b.layers {
		if l.End.Compare(b.asOf) <= 0 && len(l.Descriptors) > 0 { // all there were
			clear(newest)
			unknown = nil
			for _, desc := range l.Descriptors {
				id, err := descriptorID(desc)
				if err != nil {
					return nil, fmt.Errorf("read a descriptor of the backup: %w", err)
				}
				if id == 0 {
					unknown = append(unknown, Descriptor{Desc: desc})
					continue
				}
				newest[id], since[id] = Descriptor{ID: id, Desc: desc}, l.End
			}
		}
		for _, c := range l.Changes {
			if c.At.Compare(b.asOf) <= 0 && c.At.Compare(since[c.ID]) >= 0 {
				newest[c.ID], since[c.ID] = c, c.At
			}
		}
	}
	out := unknown
	for _, d := range newest {
		if len(d.Desc) > 0 {
			out = append(out, d)
		}
	}
	slices.SortStableFunc(out, func(a, b Descriptor) int { return cmp.Compare(a.ID, b.ID) })
	return out, nil
}

// file is an open file of the backup.
type file struct {
	io.ReaderAt
	io.Closer
	size int64
}

func (b *Backup) open(root int, name string) (*file, error) {
	f, err := b.roots[root].Open(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	r, ok := f.(io.ReaderAt)
	if err == nil && !ok {
		err = fmt.Errorf("open %q: it cannot be read at any place", name)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &file{ReaderAt: r, Closer: f, size: info.Size()}, nil
}

// openData opens a table: beside its manifest, or for a partitioned backup in
// the folder of its locality.
func (b *Backup) openData(l *found, name string) (*file, error) {
	at := path.Join(l.dir, name)
	f, err := b.open(l.root, at)
	for i := 0; errors.Is(err, fs.ErrNotExist) && i < len(b.roots); i++ {
		if other, e := b.open(i, at); e == nil {
			return other, nil
		}
	}
	return f, err
}
