package salvage

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// torment is a copy of some stores with damage in it, all of it decided by a seed.
type torment struct {
	t      testing.TB
	random *rand.Rand
	dirs   []string          // of the stores that are given
	from   map[string]string // where each was copied from
	done   []string          // what was done to them
	// cut are the stores whose newest log may have lost its end without a trace:
	// it then looks as a crash leaves it.
	cut     map[string]bool
	victims int
}

// newTorment links the stores that take part below a folder and damages them.
func newTorment(t testing.TB, seed uint64, dir string, stores []string) *torment {
	m := &torment{t: t, random: rand.New(rand.NewPCG(seed, 5)), from: map[string]string{}, cut: map[string]bool{}}
	given := m.subset(stores, []int{70, 20, 10})
	for _, from := range given {
		to := filepath.Join(dir, filepath.Base(from))
		m.link(from, to)
		m.dirs, m.from[to] = append(m.dirs, to), from
	}
	victims := m.subset(m.dirs, []int{25, 35, 40})
	m.victims = len(victims)
	for _, victim := range victims {
		for range 1 + m.random.IntN(1+m.random.IntN(6)) {
			m.hurt(victim)
		}
	}
	return m
}

// subset is all, all but one, or all but two of a list, at such odds; at least one.
func (m *torment) subset(list []string, odds []int) []string {
	out := slices.Clone(list)
	n := m.random.IntN(100)
	for _, odd := range odds {
		if n < odd || len(out) == 1 {
			break
		}
		n -= odd
		i := m.random.IntN(len(out))
		out = slices.Delete(out, i, i+1)
	}
	return out
}

// link makes a copy of a store that shares the files which nothing is done to.
func (m *torment) link(from, to string) {
	err := filepath.WalkDir(from, func(name string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		if e.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		return os.Link(name, filepath.Join(to, rel))
	})
	if err != nil {
		m.t.Fatal(err)
	}
}

// kindOf sorts the files of a store into what they are.
func kindOf(name string) string {
	switch ext := filepath.Ext(name); {
	case ext == ".sst":
		return "table"
	case ext == ".log":
		return "log"
	case strings.HasPrefix(name, "MANIFEST"):
		return "manifest"
	case name == "CURRENT", strings.HasPrefix(name, "OPTIONS"):
		return "small"
	}
	return ""
}

// files are those of a kind in a store, in order.
func (m *torment) files(store, kind string) []string {
	list, err := os.ReadDir(store)
	if err != nil {
		m.t.Fatal(err)
	}
	var out []string
	for _, e := range list {
		if kindOf(e.Name()) == kind {
			out = append(out, filepath.Join(store, e.Name()))
		}
	}
	return out
}

// hurt does one thing to one file of a store.
func (m *torment) hurt(store string) {
	kind := [...]string{"table", "table", "table", "table", "log", "log", "log", "manifest", "manifest", "small"}[m.random.IntN(10)]
	files := m.files(store, kind)
	if len(files) == 0 {
		return
	}
	name := files[m.random.IntN(len(files))]
	if kind == "log" && m.random.IntN(4) > 0 {
		name = files[len(files)-1] // the live one
	}
	data, err := os.ReadFile(name)
	if err != nil {
		m.t.Fatal(err)
	}
	rel, _ := filepath.Rel(filepath.Dir(store), name)
	out, what := m.spoil(data, name)
	m.done = append(m.done, rel+": "+what)
	if err := os.Remove(name); err != nil {
		m.t.Fatal(err)
	}
	if kind == "log" && name == files[len(files)-1] && endLost(data, out) {
		m.cut[filepath.Base(store)] = true
	}
	if out != nil {
		if err := os.WriteFile(name, out, 0o644); err != nil {
			m.t.Fatal(err)
		}
	}
}

// endLost says whether a log may have lost its end so that the rest looks as a
// crash leaves it: it is shorter, or something was done to its last block.
func endLost(before, after []byte) bool {
	const block = 32 << 10
	keep := max(len(before)-block, 0) / block * block
	return len(after) < len(before) || !bytes.Equal(before[keep:], after[keep:len(before)])
}

// spoil is the file's contents after one of many accidents; nil: it is gone.
func (m *torment) spoil(data []byte, name string) ([]byte, string) {
	n := len(data)
	if n == 0 {
		return nil, "removed"
	}
	at := m.random.IntN(n)
	switch m.random.IntN(14) {
	case 0, 1, 2: // bits
		data = bytes.Clone(data)
		bits := 1 + m.random.IntN(8)
		for range bits {
			at = m.random.IntN(n)
			data[at] ^= 1 << m.random.IntN(8)
		}
		return data, fmt.Sprintf("%d bits flipped, the last at %d", bits, at)
	case 3, 4: // a block of zeroes, as a file system leaves it
		data = bytes.Clone(data)
		size := 512 << m.random.IntN(8)
		at -= at % size
		clear(data[at:min(at+size, n)])
		return data, fmt.Sprintf("%d bytes at %d zeroed", size, at)
	case 5: // a block of something else
		data = bytes.Clone(data)
		size := min(1+m.random.IntN(8192), n-at)
		for i := range size {
			data[at+i] = byte(m.random.Uint32())
		}
		return data, fmt.Sprintf("%d bytes at %d overwritten", size, at)
	case 6: // a block that was written to the wrong place
		data = bytes.Clone(data)
		const size = 4096
		from := m.random.IntN(n) / size * size
		at -= at % size
		copy(data[at:], bytes.Clone(data[from:min(from+size, n)]))
		return data, fmt.Sprintf("the block at %d written to %d", from, at)
	case 7, 8:
		return data[:at], fmt.Sprintf("cut at %d of %d", at, n)
	case 9:
		at = max(0, n-1-m.random.IntN(200))
		return data[:at], fmt.Sprintf("cut at %d of %d", at, n)
	case 10:
		return []byte{}, "emptied"
	case 11:
		junk := make([]byte, 1+m.random.IntN(70000))
		if m.random.IntN(2) == 0 {
			for i := range junk {
				junk[i] = byte(m.random.Uint32())
			}
		}
		return append(bytes.Clone(data), junk...), fmt.Sprintf("%d bytes appended", len(junk))
	case 12:
		return m.another(data, name)
	}
	return nil, "removed"
}

// another is the contents of another file of the same kind, of this or another
// store.
func (m *torment) another(data []byte, name string) ([]byte, string) {
	store := m.dirs[m.random.IntN(len(m.dirs))]
	files := m.files(store, kindOf(filepath.Base(name)))
	if len(files) == 0 {
		return nil, "removed"
	}
	other := files[m.random.IntN(len(files))]
	out, err := os.ReadFile(other)
	if err != nil {
		m.t.Fatal(err)
	}
	rel, _ := filepath.Rel(filepath.Dir(store), other)
	if bytes.Equal(out, data) {
		return nil, "removed"
	}
	return out, "has the contents of " + rel
}

// String is what was done.
func (m *torment) String() string {
	var given []string
	for _, d := range m.dirs {
		given = append(given, filepath.Base(d))
	}
	return fmt.Sprintf("of stores %s, %s", strings.Join(given, " "), strings.Join(m.done, "; "))
}

// mayRefuse says whether stores in that state may be refused as a whole: two
// that hold each other's files may look like one store given twice.
func (m *torment) mayRefuse(err error) bool {
	if strings.Contains(err.Error(), "are both store") {
		return strings.Contains(m.String(), "has the contents of")
	}
	return strings.Contains(err.Error(), "no CockroachDB store")
}
