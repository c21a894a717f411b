package synth

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/evac-io/evac/internal/crdb/keys"
)

// Estate is a large cluster of which only the metadata is there: what a survey and
// a plan read. Its tables' files are holes of the right size.
type Estate struct {
	Template *Template
	Stores   int // at most 64
	Ranges   int
	Replicas int // of each range
	Files    int // in all stores
	Tables   int
	FileSize int64
}

// WriteEstate writes the stores of an estate to dir/n1, dir/n2 …, and gives their
// directories.
func WriteEstate(ctx context.Context, dir string, e Estate) ([]string, error) {
	spec := &Spec{Template: e.Template, Stores: e.Stores, Plain: true, LogShare: -1}
	spec.defaults()
	tables := e.tables()
	bounds := rangesAt(e.cuts(tables))
	system := systemItems(e.Template, tables)
	var dirs []string
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(2)
	for n := range e.Stores {
		name := filepath.Join(dir, fmt.Sprintf("n%d", n+1))
		dirs = append(dirs, name)
		g.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return e.write(name, n, spec, bounds, system)
		})
	}
	return dirs, g.Wait()
}

// tables are copies of the template's.
func (e *Estate) tables() []Table {
	out := make([]Table, e.Tables)
	for i := range out {
		id := uint32(firstTable + i)
		out[i] = Table{ID: id, Name: fmt.Sprintf("table_%d", i), Source: e.Template.Tables[i%len(e.Template.Tables)], Shows: true, Span: keys.PrefixSpan(keys.TablePrefix(0, id))}
	}
	return out
}

// cuts are where ranges begin: as many in each table.
func (e *Estate) cuts(tables []Table) [][]byte {
	var out [][]byte
	each := e.Ranges / len(tables)
	for i := range tables {
		for j := range each {
			out = append(out, e.key(tables[i].ID, j, each))
		}
	}
	return out
}

// key is the beginning of a piece of a table.
func (e *Estate) key(table uint32, piece, of int) []byte {
	if piece == 0 {
		return keys.TablePrefix(0, table)
	}
	return binary.BigEndian.AppendUint64(append(keys.IndexPrefix(0, table, 1), 0x12), ^uint64(0)/uint64(of)*uint64(piece)|1)
}

// members are the stores that have a replica of a range.
func (e *Estate) members(i int) []member {
	var out []member
	for r := range e.Replicas {
		n := uint64((i*7+r*(e.Stores/e.Replicas))%e.Stores + 1)
		out = append(out, member{node: n, replica: uint64(r + 1)})
	}
	return out
}

// write writes one store.
func (e *Estate) write(dir string, number int, spec *Spec, bounds []rangeOf, system []item) error {
	s, err := newStore(dir, number, spec)
	if err != nil {
		return err
	}
	c := &cluster{spec: spec, id: [16]byte{1}, now: keys.Timestamp{Wall: 1_600_000_000_000_000_000}}
	n := uint64(number + 1)
	own := keys.StoreKey(nil, keys.StoreIdent)
	c.inline(own, storeIdent(c.id, n), 1<<number)
	var held []rangeOf
	for i := range bounds {
		members := e.members(i)
		if !slices.ContainsFunc(members, func(m member) bool { return m.node == n }) {
			continue
		}
		held = append(held, bounds[i])
		c.descriptor(&bounds[i], rangeDescriptor(bounds[i].id, bounds[i].start, bounds[i].end, members, 3), c.before(3), 1<<number)
		c.replica(&bounds[i], "", number, nil)
	}
	slices.SortStableFunc(c.items, func(a, b item) int { return keys.Compare(a.key, b.key) })
	for _, it := range system {
		if err := s.at(inBase, it); err != nil {
			return err
		}
	}
	if err := s.local(c.items); err != nil {
		return err
	}
	if err := e.holes(s, held[1:]); err != nil {
		return err
	}
	return s.close()
}

// holes are the files of the tables: several for each range that the store holds.
func (e *Estate) holes(s *store, held []rangeOf) error {
	files := e.Files / e.Stores
	for i := range files {
		r := held[i*len(held)/files]
		from := append(slices.Clone(r.start), 0x12, byte(i>>8), byte(i))
		t := tableMeta{level: 5, number: s.take(), size: uint64(e.FileSize), smallestSeq: 1, largestSeq: 2}
		t.smallest = append(append(from, 0), 1, 2, 0, 0, 0, 0, 0, 0)
		t.largest = append(append(slices.Clone(from), 0xff, 0), 1, 1, 0, 0, 0, 0, 0, 0)
		name := filepath.Join(s.dir, fmt.Sprintf("%06d.sst", t.number))
		if err := os.WriteFile(name, nil, 0o644); err != nil {
			return err
		}
		if err := os.Truncate(name, e.FileSize); err != nil {
			return err
		}
		s.tables = append(s.tables, t)
	}
	return nil
}
