// Package spill keeps sorted entries in a file where they would take too much
// memory.
package spill

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"os"
	"sort"
	"sync"

	"github.com/evac-io/evac/internal/crdb/keys"
)

// errFile is a spilled entry that is cut: somebody else wrote to the file.
var errFile = errors.New("an entry is cut")

// Entry is one entry of a run: an engine key and what belongs to it.
type Entry struct {
	Key, Value []byte
	Seq        uint64
	Kind       byte
}

// File is a file without a name that holds any number of runs: it is gone when it
// is closed or the process ends, however that ends. There is none before the
// first run. It may be used from several goroutines at once.
type File struct {
	dir  string
	mu   sync.Mutex
	file *os.File
	end  int64
}

// NewFile is a file in a directory, which is made if it is not there; empty is the
// system's own for temporary files.
func NewFile(dir string) *File { return &File{dir: dir} }

func (f *File) open() error {
	if f.file != nil {
		return nil
	}
	if f.dir != "" {
		if err := os.MkdirAll(f.dir, 0o755); err != nil {
			return err
		}
	}
	file, err := os.CreateTemp(f.dir, "evac-spill-*")
	if err != nil {
		return err
	}
	if err := os.Remove(file.Name()); err != nil {
		return errors.Join(err, file.Close())
	}
	f.file = file
	return nil
}

// append writes a block behind all others.
func (f *File) append(block []byte) (offset int64, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.open(); err != nil {
		return 0, err
	}
	offset = f.end
	f.end += int64(len(block))
	_, err = f.file.WriteAt(block, offset)
	return offset, err
}

// Close gives the space back. Its runs can no longer be read.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	return err
}

// blockSize is how many bytes of entries are read at once.
const blockSize = 64 << 10

// Run is a sorted, unchanging sequence of entries in a file.
type Run struct {
	file   *os.File
	blocks []block
}

// block is a part of a run: the user key that it begins with, and where it lies.
type block struct {
	user   []byte
	offset int64
	size   int
}

// Write makes a run out of entries in the order of keys.Compare.
func (f *File) Write(entries iter.Seq[Entry]) (*Run, error) {
	r := &Run{}
	var data, first []byte
	flush := func() error {
		if len(data) == 0 {
			return nil
		}
		at, err := f.append(data)
		r.blocks = append(r.blocks, block{user: first, offset: at, size: len(data)})
		data = data[:0]
		return err
	}
	for e := range entries {
		if len(data) == 0 {
			first = bytes.Clone(user(e.Key))
		}
		if data = appendEntry(data, e); len(data) < blockSize {
			continue
		}
		if err := flush(); err != nil {
			return nil, fmt.Errorf("spill: %w", err)
		}
	}
	if err := flush(); err != nil {
		return nil, fmt.Errorf("spill: %w", err)
	}
	if len(r.blocks) > 0 {
		r.file = f.file
	}
	return r, nil
}

// user is the user key of an engine key; of what is none, all of it.
func user(key []byte) []byte {
	u, _, err := keys.Split(key)
	if err != nil {
		return key
	}
	return u
}

// appendEntry writes an entry as a block holds it.
func appendEntry(dst []byte, e Entry) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(e.Key)))
	dst = binary.AppendUvarint(dst, uint64(len(e.Value)))
	dst = append(binary.AppendUvarint(dst, e.Seq), e.Kind)
	return append(append(dst, e.Key...), e.Value...)
}

// Blocks are the user keys with which the run's blocks begin, and how many bytes
// each has.
func (r *Run) Blocks() iter.Seq2[[]byte, int64] {
	return func(yield func([]byte, int64) bool) {
		for _, b := range r.blocks {
			if !yield(b.user, int64(b.size)) {
				return
			}
		}
	}
}

// Size is about how many bytes a span has.
func (r *Run) Size(span keys.Span) (n int64) {
	for user, size := range r.Blocks() {
		if span.Contains(user) {
			n += size
		}
	}
	return n
}

// Iter walks the entries whose user keys lie in a span.
func (r *Run) Iter(span keys.Span) *Iter {
	i := &Iter{run: r, span: span}
	i.SeekGE(span.From)
	return i
}

// Iter is one walk over a run.
type Iter struct {
	run   *Run
	span  keys.Span
	from  []byte // entries before it are passed over
	block int
	buf   []byte
	rest  []byte
	entry Entry
	err   error
}

// SeekGE makes the next Next stop at the first entry whose user key is not before
// another one.
func (i *Iter) SeekGE(user []byte) {
	i.from = append(i.from[:0], i.span.Clamp(user)...)
	blocks := i.run.blocks
	// The first such entry may lie in the block before.
	at := sort.Search(len(blocks), func(n int) bool { return bytes.Compare(blocks[n].user, i.from) >= 0 })
	i.block, i.rest = max(at-1, 0), nil
}

// Next is the next entry, which holds until the next call; nil at the end and
// after an error.
func (i *Iter) Next() *Entry {
	for i.err == nil && (len(i.rest) > 0 || i.load()) {
		if i.err = i.decode(); i.err != nil {
			return nil
		}
		user := user(i.entry.Key)
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

// Err is what ended the walk too early.
func (i *Iter) Err() error { return i.err }

func (i *Iter) load() bool {
	if i.block >= len(i.run.blocks) {
		return false
	}
	b := i.run.blocks[i.block]
	i.block++
	if cap(i.buf) < b.size {
		i.buf = make([]byte, b.size)
	}
	i.buf = i.buf[:b.size]
	if n, err := i.run.file.ReadAt(i.buf, b.offset); n < b.size {
		i.err = fmt.Errorf("read what was spilled: %w", err)
		return false
	}
	i.rest = i.buf
	return true
}

func (i *Iter) decode() error {
	var head [3]uint64 // lengths of key and value, sequence number
	for n := range head {
		v, size := binary.Uvarint(i.rest)
		if size <= 0 {
			return fmt.Errorf("read what was spilled: %w", errFile)
		}
		head[n], i.rest = v, i.rest[size:]
	}
	key, value, left := head[0], head[1], uint64(len(i.rest))
	if left == 0 || key > left-1 || value > left-1-key {
		return fmt.Errorf("read what was spilled: %w", errFile)
	}
	data := i.rest[1:]
	i.entry = Entry{Key: data[:key:key], Value: data[key : key+value : key+value], Seq: head[2], Kind: i.rest[0]}
	i.rest = data[key+value:]
	return nil
}
