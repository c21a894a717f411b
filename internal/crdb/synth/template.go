package synth

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/evac-io/evac/internal/crdb/catalog"
	"github.com/evac-io/evac/internal/crdb/enc"
	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/mvcc"
)

// Template is the rows and descriptors that stores are made of.
type Template struct {
	Tables   []*TemplateTable
	database uint32
	other    []catalog.Raw // databases, schemas, types, and the system's tables
	newest   keys.Timestamp
}

// TemplateTable is one table's rows as they stood.
type TemplateTable struct {
	ID   uint32
	Name string
	Rows int // KVs of the primary index's first family
	desc []byte
	data []byte
	kvs  []kv
	size int64
}

// kv is one committed entry; its key is without the table's prefix.
type kv struct {
	key, value int // lengths, in data one behind the other
	at         int // where in data
	ts         keys.Timestamp
}

// ReadTemplate takes the tables out of a view of real stores in which nothing is
// in flight: those named, or without names all public tables that are neither
// interleaved nor have others interleaved into them.
func ReadTemplate(view engine.View, names ...string) (*Template, error) {
	r := mvcc.NewReader(view, mvcc.NewOutcomes(view, nil), keys.Timestamp{})
	t := &Template{}
	raws, err := descriptors(r)
	if err != nil {
		return nil, err
	}
	cat, _ := catalog.Load(raws, nil)
	byID := map[uint32]*catalog.Table{}
	for _, c := range cat.Tables {
		byID[c.ID] = c
	}
	for _, raw := range raws {
		c := byID[raw.ID]
		switch {
		case c == nil || c.System():
			t.other = append(t.other, raw)
		case !usable(cat, c) || len(names) > 0 && !slices.Contains(names, c.Name):
		default:
			t.database = c.DatabaseID
			if err := t.add(r, raw, c); err != nil {
				return nil, err
			}
		}
	}
	if len(t.Tables) == 0 {
		return nil, fmt.Errorf("read the template: none of its tables is in the store")
	}
	slices.SortFunc(t.Tables, func(a, b *TemplateTable) int { return cmp.Compare(a.ID, b.ID) })
	return t, nil
}

// usable says that the table's keys are its prefix and what the table alone decides.
func usable(cat *catalog.Catalog, t *catalog.Table) bool {
	interleaved := len(t.Primary.Ancestors) > 0 || len(cat.Children(t)) > 0
	for _, ix := range t.Indexes {
		interleaved = interleaved || len(ix.Ancestors) > 0
	}
	return t.HasRows() && t.State == catalog.Public && len(t.Mutations) == 0 && !interleaved
}

// descriptors reads system.descriptor: /Table/3/1/ID/2.
func descriptors(r *mvcc.Reader) ([]catalog.Raw, error) {
	prefix := keys.IndexPrefix(0, 3, 1)
	it := r.Iter(keys.PrefixSpan(prefix))
	var out []catalog.Raw
	for it.Next() {
		id, _, ok := keys.TakeUvarint(it.Key()[len(prefix):])
		if !ok || len(it.Value()) < 5 {
			continue
		}
		out = append(out, catalog.Raw{ID: uint32(id), At: it.Timestamp(), Bytes: bytes.Clone(it.Value()[5:])})
	}
	return out, it.Close()
}

// add reads the entries of a table.
func (t *Template) add(r *mvcc.Reader, raw catalog.Raw, c *catalog.Table) error {
	prefix := keys.TablePrefix(0, c.ID)
	primary := keys.IndexPrefix(0, c.ID, c.Primary.ID)
	table := &TemplateTable{ID: c.ID, Name: c.Name, desc: raw.Bytes}
	it := r.Iter(keys.PrefixSpan(prefix))
	for it.Next() {
		key, value := it.Key(), it.Value()
		ix, _, _ := keys.TakeUvarint(key[len(prefix):])
		if c.Index(uint32(ix)) == nil {
			continue // of an index that was dropped
		}
		if bytes.HasPrefix(key, primary) && key[len(key)-1] == familyZero {
			table.Rows++
		}
		table.kvs = append(table.kvs, kv{key: len(key) - len(prefix), value: len(value), at: len(table.data), ts: it.Timestamp()})
		table.data = append(append(table.data, key[len(prefix):]...), value...)
		if it.Timestamp().Compare(t.newest) > 0 {
			t.newest = it.Timestamp()
		}
	}
	if err := it.Close(); err != nil {
		return fmt.Errorf("read the template's table %q: %w", c.Name, err)
	}
	table.size = int64(len(table.data) + 24*len(table.kvs))
	if len(table.kvs) > 0 {
		t.Tables = append(t.Tables, table)
	}
	return nil
}

// familyZero ends the keys of a row's first family. Other keys may end so too:
// in those of a family it is a length, which is never zero.
const familyZero = 0x88

// builder makes entries of the template those of another table.
type builder struct{ user, value []byte }

// kv is entry i of a table: its own user key, and the value with the checksum
// that belongs to it. Both hold until the next call.
func (b *builder) kv(t *Table, i int) (user, value []byte) {
	e := t.Source.kvs[i]
	data := t.Source.data[e.at:]
	b.user = append(append(b.user[:0], t.Span.From...), data[:e.key]...)
	b.value = append(b.value[:0], data[e.key:e.key+e.value]...)
	if len(b.value) >= 5 && b.value[0]|b.value[1]|b.value[2]|b.value[3] != 0 {
		enc.SetChecksum(b.user, b.value)
	}
	return b.user, b.value
}

// other is another value of the same table under user, with the right checksum:
// one that must not be believed.
func (b *builder) other(t *Table, i int, user []byte) []byte {
	e := t.Source.kvs[(i+1)%len(t.Source.kvs)]
	value := bytes.Clone(t.Source.data[e.at+e.key:][:e.value])
	if len(value) >= 5 {
		enc.SetChecksum(user, value)
	}
	return value
}

// small is the smallest table with at least ten rows.
func (t *Template) small() *TemplateTable {
	var best *TemplateTable
	for _, c := range t.Tables {
		if c.Rows >= 10 && (best == nil || c.size < best.size) {
			best = c
		}
	}
	if best == nil {
		return t.Tables[0]
	}
	return best
}
