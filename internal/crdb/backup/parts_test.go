package backup

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/crdb/keys"
)

// scattered are parts of three layers at random, those of a layer by where they
// begin; some touch, some overlap, some are cut out of a longer file.
func scattered(r *rand.Rand, n int) (parts []part) {
	key := func(i int) []byte { return fmt.Appendf(nil, "%06d", i) }
	for range 3 {
		l, at := &found{}, len(parts)
		for range n {
			from := r.Intn(4 * n)
			to := from + r.Intn(12)
			f := &File{Span: keys.Span{From: key(from), To: key(to)}}
			s := keys.Span{From: f.Span.From, To: append(key(to), 0)}
			if to-from > 4 && r.Intn(2) == 0 {
				s.To = key(from + 2)
			}
			parts = append(parts, part{layer: l, file: f, span: s, size: 1})
		}
		slices.SortStableFunc(parts[at:], func(a, b part) int { return bytes.Compare(a.span.From, b.span.From) })
	}
	return parts
}

// TestRows holds the rows against what they must be: each part in one, none before
// the one before it ends, no more rows than parts overlap anywhere, and every
// stretch finds the parts that touch it.
func TestRows(t *testing.T) {
	r := rand.New(rand.NewSource(7))
	for range 100 {
		parts := scattered(r, 1+r.Intn(60))
		b := &Backup{parts: parts, rows: inRows(parts)}
		n, rows := 0, map[*found]int{}
		for i, row := range b.rows {
			n += len(row)
			rows[row[0].layer]++
			for k := 1; k < len(row); k++ {
				if bytes.Compare(row[k-1].end(), row[k].span.From) > 0 || row[k].layer != row[0].layer {
					t.Fatalf("row %d: %v behind %v", i, row[k], row[k-1])
				}
			}
		}
		if n != len(parts) {
			t.Fatalf("%d of %d parts", n, len(parts))
		}
		most := map[*found]int{} // parts of a layer that overlap at a key
		for i, p := range parts {
			over := 1
			for _, o := range parts[:i] {
				if o.layer == p.layer && bytes.Compare(o.end(), p.span.From) > 0 {
					over++
				}
			}
			most[p.layer] = max(most[p.layer], over)
		}
		if diff := gocmp.Diff(most, rows); diff != "" {
			t.Errorf("rows of each layer: %s", diff)
		}
		for range 20 {
			from := r.Intn(240)
			span := keys.Span{From: fmt.Appendf(nil, "%06d", from), To: fmt.Appendf(nil, "%06d", from+r.Intn(20))}
			var got, want []string
			for p := range b.in(span) {
				got = append(got, fmt.Sprintf("%p %s", p.file, p.span))
			}
			for _, p := range parts {
				if p.span.Overlaps(span) {
					want = append(want, fmt.Sprintf("%p %s", p.file, p.span))
				}
			}
			slices.Sort(got)
			slices.Sort(want)
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Fatalf("%s: %s", span, diff)
			}
		}
	}
}

// TestWithout takes spans out of others, key by key.
func TestWithout(t *testing.T) {
	r := rand.New(rand.NewSource(3))
	some := func() keys.Span {
		from := byte(r.Intn(30))
		return keys.Span{From: []byte{from}, To: []byte{from + byte(r.Intn(6))}}
	}
	for range 2000 {
		var minus []keys.Span
		for range r.Intn(8) {
			minus = append(minus, some())
		}
		if r.Intn(5) == 0 {
			minus = append(minus, keys.Span{From: []byte{byte(r.Intn(40))}})
		}
		span, out := some(), joined(slices.Clone(minus))
		rest := without(span, out)
		for k := range byte(40) {
			has := func(s keys.Span) bool { return s.Contains([]byte{k}) }
			want := has(span) && !slices.ContainsFunc(minus, has)
			if got := slices.ContainsFunc(rest, has); got != want {
				t.Fatalf("%s without %v is %v: key %d", span, minus, rest, k)
			}
		}
	}
}

// TestHostileManifest opens backups whose manifests name 20,000 files that all
// overlap, or introduce as many spans: what takes time in proportion takes
// seconds, what takes its square takes minutes.
func TestHostileManifest(t *testing.T) {
	const n = 20_000
	key := func(i int) string { return p + fmt.Sprintf("%06d", i) }
	var files [][3]string
	for i := range n {
		files = append(files, [3]string{fmt.Sprintf("data/%d.sst", i), key(i), key(n + i)})
	}
	full := manifest(0, 20, files...)
	later := manifest(20, 30)
	for i := range n {
		later = later.Bytes(15, span(key(2*i), key(2*i+1)))
	}
	begun := time.Now()
	b := open(t, Options{}, fstest.MapFS{"BACKUP": raw(full)})
	if len(b.rows) != n {
		t.Errorf("%d rows", len(b.rows))
	}
	if got := b.FilesIn(keys.Span{From: []byte(key(101)), To: []byte(key(102))}); got != 102 {
		t.Errorf("%d files have key 101", got)
	}
	_, err := Open(t.Context(), []fs.FS{fstest.MapFS{"BACKUP": raw(full)}, fstest.MapFS{"BACKUP": raw(later)}}, Options{})
	if err == nil || !strings.Contains(err.Error(), "overlap") {
		t.Errorf("files that overlap everywhere are cut everywhere: %v", err)
	}
	one := manifest(0, 20, [3]string{"data/1.sst", key(0), key(2 * n)})
	two := open(t, Options{}, fstest.MapFS{"BACKUP": raw(one)}, fstest.MapFS{"BACKUP": raw(later)})
	for i, want := range []int{0, 1, 0, 1} {
		if got := two.FilesIn(keys.Span{From: []byte(key(i)), To: []byte(key(i + 1))}); got != want {
			t.Errorf("%d files have key %d", got, i)
		}
	}
	if took := time.Since(begun); took > time.Minute {
		t.Errorf("it took %s", took)
	}
}
