package store

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"sort"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/sst"
)

// scratch is a directory outside the evidence for what does not fit into
// memory; empty is the system's own for temporary files.
type scratch string

const spillBlock = 64 << 10

// diskRun is a run in a file without a name: it is gone when the process ends,
// however it ends.
type diskRun struct {
	file   *os.File
	blocks []spilled
}

// spilled is one block of a run: the user key that it begins with, and where it
// lies.
type spilled struct {
	user   []byte
	offset int64
	size   int
}

// writeRun writes a sorted run to a file.
func writeRun(s scratch, r memRun) (run, error) {
	f, err := os.CreateTemp(string(s), "evac-wal-*")
	if err != nil {
		return nil, fmt.Errorf("spill the log: %w", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, closeAfter(f, err)
	}
	d := &diskRun{file: f}
	var block []byte
	offset := int64(0)
	for i, e := range r {
		if len(block) == 0 {
			d.blocks = append(d.blocks, spilled{user: bytes.Clone(userOf(e.data[:e.key])), offset: offset})
		}
		block = appendEntry(block, e)
		if len(block) < spillBlock && i+1 < len(r) {
			continue
		}
		if _, err := f.Write(block); err != nil {
			return nil, closeAfter(f, fmt.Errorf("spill the log: %w", err))
		}
		d.blocks[len(d.blocks)-1].size = len(block)
		offset += int64(len(block))
		block = block[:0]
	}
	return d, nil
}

// first is the block that the first entry not before user may lie in.
func (d *diskRun) first(user []byte) int {
	i := sort.Search(len(d.blocks), func(i int) bool { return bytes.Compare(d.blocks[i].user, user) >= 0 })
	return max(i-1, 0)
}

func (d *diskRun) entries(span keys.Span) sst.Source {
	i := &diskIter{run: d, span: span}
	i.SeekGE(span.From)
	return i
}

func (d *diskRun) size(span keys.Span) int64 {
	n := int64(0)
	for _, b := range d.blocks {
		if span.Contains(b.user) {
			n += int64(b.size)
		}
	}
	return n
}

func (d *diskRun) cuts(each int64) []cut {
	var out []cut
	n := int64(0)
	for _, b := range d.blocks {
		if n += int64(b.size); n >= each {
			out = append(out, cut{b.user, n})
			n = 0
		}
	}
	return out
}

func (d *diskRun) close() error { return d.file.Close() }

type diskIter struct {
	run   *diskRun
	span  keys.Span
	from  []byte // entries before it are passed over
	block int
	buf   []byte
	rest  []byte
	entry sst.Entry
	err   error
}

func (i *diskIter) SeekGE(user []byte) {
	if bytes.Compare(user, i.span.From) < 0 {
		user = i.span.From
	}
	i.from = append(i.from[:0], user...)
	i.block, i.rest = i.run.first(user), nil
}

func (i *diskIter) Next() *sst.Entry {
	for i.err == nil && (len(i.rest) > 0 || i.load()) && i.decode() {
		user := userOf(i.entry.Key)
		switch {
		case bytes.Compare(user, i.from) < 0:
		case i.span.To != nil && bytes.Compare(user, i.span.To) >= 0:
			return nil
		default:
			return &i.entry
		}
	}
	return nil
}

func (i *diskIter) load() bool {
	if i.block >= len(i.run.blocks) {
		return false
	}
	b := i.run.blocks[i.block]
	i.block++
	if cap(i.buf) < b.size {
		i.buf = make([]byte, b.size)
	}
	i.buf = i.buf[:b.size]
	if _, err := i.run.file.ReadAt(i.buf, b.offset); err != nil && err != io.EOF {
		i.err = fmt.Errorf("read the spilled log: %w", err)
		return false
	}
	i.rest = i.buf
	return true
}

func (i *diskIter) decode() bool {
	c := cursor{data: i.rest}
	key, value := c.uvarint(), c.uvarint()
	seq, kind := c.uvarint(), c.byte()
	if n := key + value; c.err != nil || key > uint64(len(c.data)) || n > uint64(len(c.data)) {
		i.err = fmt.Errorf("read the spilled log: %w", errBatch)
		return false
	}
	i.entry = sst.Entry{Key: c.data[:key:key], Value: c.data[key : key+value], Seq: seq, Kind: sst.Kind(kind)}
	i.rest = c.data[key+value:]
	return true
}

func (i *diskIter) Err() error              { return i.err }
func (i *diskIter) Damage() []engine.Damage { return nil }
func (i *diskIter) Close() error            { return nil }
