package salvage

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/evac-io/evac/internal/crdb/catalog"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/rows"
)

// right is what a salvage of a cluster must come to: its rows with their keys.
type right struct {
	tables    map[string]*rightTable
	sequences []Sequence
	schema    []byte
	members   func(key []byte) int // how many replicas the range of a key has
}

type rightTable struct {
	header string
	lines  []string // with their ends
	keys   [][]byte // of the rows
	at     map[string]int
	text   string // header and lines
}

// capture is a sink that keeps the lines of rows and their keys.
type capture struct {
	*rows.CSV
	text bytes.Buffer
	end  int64
	ends []int64
	keys [][]byte
}

func (c *capture) Row(r *rows.Row) error {
	if err := c.CSV.Row(r); err != nil {
		return err
	}
	c.ends, c.keys = append(c.ends, c.CSV.Written()), append(c.keys, bytes.Clone(r.Key()))
	return nil
}

func (c *capture) Begin(d *rows.Decoder) error {
	err := c.CSV.Begin(d)
	c.end = c.CSV.Written()
	return err
}

// newRight reads healthy stores, after their salvage was held against the truth.
func newRight(t testing.TB, stores []string, want map[string][][]string) *right {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "right")
	rep, err := Run(t.Context(), stores, dir, Options{Null: "<<NULL>>"}, func(int64) {})
	if err != nil {
		t.Fatal(err)
	}
	hold(t, dir, rep, want)
	if !rep.Complete {
		t.Fatalf("healthy stores are not complete: %v", rep.Problems)
	}
	c, err := Open(t.Context(), stores, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	out := &right{tables: map[string]*rightTable{}, sequences: rep.Sequences}
	if out.schema, err = os.ReadFile(filepath.Join(dir, "schema.sql")); err != nil {
		t.Fatal(err)
	}
	for _, table := range c.Catalog.Tables {
		if table.HasRows() && !table.System() && table.State == catalog.Public {
			out.tables[FullName(table)] = readRight(t, c, table)
		}
	}
	spans, counts := []keys.Span{}, []int{}
	for _, r := range c.Map.Ranges {
		for _, s := range r.Spans {
			spans, counts = append(spans, s), append(counts, len(r.Members))
		}
	}
	out.members = func(key []byte) int {
		if i := slices.IndexFunc(spans, func(s keys.Span) bool { return s.Contains(key) }); i >= 0 {
			return counts[i]
		}
		return 0
	}
	return out
}

func readRight(t testing.TB, c *Cluster, table *catalog.Table) *rightTable {
	t.Helper()
	d, err := rows.New(table, rows.Options{})
	if err != nil {
		t.Fatal(err)
	}
	sink := &capture{}
	sink.CSV = rows.NewCSV(&sink.text, "")
	it := c.Reader().Iter(d.Span())
	if _, err = d.Read(t.Context(), it, rows.Output{Rows: sink}); err != nil {
		t.Fatal(err)
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	text := sink.text.String()
	out := &rightTable{header: text[:sink.end], keys: sink.keys, at: map[string]int{}, text: text}
	from := sink.end
	for i, to := range sink.ends {
		out.lines = append(out.lines, text[from:to])
		out.at[text[from:to]] = i
		from = to
	}
	return out
}

// verdict is what judging one salvage came to.
type verdict struct {
	wrongs      []string
	differences int // rows that are not as they should be
	weak        int // of those, named by their table only
	excused     int // of those, lost with the end of a log without a trace
}

// judge holds a salvage of damaged stores against what is right: whatever is not
// right lies in a span that the report names, and nothing is if it says complete.
func (r *right) judge(t testing.TB, dir string, m *torment, absent int) (v verdict) {
	t.Helper()
	rep, err := ReadReport(dir)
	if err != nil {
		return verdict{wrongs: []string{err.Error()}}
	}
	wrong := func(format string, args ...any) { v.wrongs = append(v.wrongs, fmt.Sprintf(format, args...)) }
	excused := func(key []byte) bool {
		lost := len(m.cut) + absent
		return len(m.cut) > 0 && (2*lost > r.members(key) || r.members(key) == 1)
	}
	n := newNamed(rep)
	got := map[string]bool{}
	for _, table := range rep.Tables {
		got[table.Name] = true
		want := r.tables[table.Name]
		if want == nil {
			if rep.Complete || !n.schema {
				wrong("table %s: nobody has it", table.Name)
			}
			continue
		}
		for _, d := range want.diff(readParts(t, dir, table)) {
			v.differences++
			switch {
			case n.spans(table.Name, d.span):
			case excused(d.span.From):
				v.excused++
			case n.tables[table.Name], n.schema:
				v.weak++
			default:
				wrong("complete is %v, and not named: table %s: %s", rep.Complete, table.Name, d)
			}
		}
	}
	for name := range r.tables {
		if !got[name] && (rep.Complete || !n.schema) {
			wrong("table %s is not there", name)
		}
	}
	schema, err := os.ReadFile(filepath.Join(dir, "schema.sql"))
	if err != nil {
		t.Fatal(err)
	}
	if (rep.Complete || !n.schema) && !bytes.Equal(withoutValues(schema), withoutValues(r.schema)) && len(m.cut) == 0 {
		wrong("the schema is another one, complete is %v", rep.Complete)
	}
	for i, s := range rep.Sequences {
		if rep.Complete && len(m.cut) == 0 && (i >= len(r.sequences) || s.Name != r.sequences[i].Name || (s.Value == nil) != (r.sequences[i].Value == nil) || s.Value != nil && *s.Value != *r.sequences[i].Value) {
			wrong("sequence %s has another value", s.Name)
		}
	}
	return v
}

// named is what a report names as missing or doubtful.
type named struct {
	schema bool // the schema may not be whole
	all    []keys.Span
	in     map[string][]keys.Span // by table
	tables map[string]bool        // as a whole
}

var namedSpan = regexp.MustCompile(`\[([0-9a-f]*), ([0-9a-f]+|end)\)`)

func newNamed(rep *Report) *named {
	n := &named{in: map[string][]keys.Span{}, tables: map[string]bool{}}
	for _, p := range rep.Problems {
		n.schema = n.schema || strings.HasPrefix(p, "the schema: ") || strings.HasPrefix(p, "descriptor ")
	}
	for _, h := range rep.Holes {
		n.all = append(n.all, keys.Span(h.Span))
		n.schema = n.schema || keys.Span(h.Span).Overlaps(keys.PrefixSpan(keys.IndexPrefix(1, descriptorTable, 1)))
	}
	for _, t := range rep.Tables {
		for _, s := range t.Rests {
			if s.Doubt != "" {
				n.in[t.Name] = append(n.in[t.Name], keys.Span(s.Span))
			}
		}
		for _, u := range t.Unlike {
			n.in[t.Name] = append(n.in[t.Name], keys.Span(u.Span))
		}
		for _, d := range t.Doubts {
			if f := namedSpan.FindStringSubmatch(d); f != nil {
				var s keys.Span
				s.From, _ = hex.DecodeString(f[1])
				if f[2] != "end" {
					s.To, _ = hex.DecodeString(f[2])
				}
				n.in[t.Name] = append(n.in[t.Name], s)
			}
		}
		for _, ix := range t.Indexes {
			n.tables[t.Name] = n.tables[t.Name] || ix.Check != string(rows.No) && !ix.Equal
		}
		n.tables[t.Name] = n.tables[t.Name] || t.DoubtCount > int64(len(t.Doubts)) || t.State != "public"
	}
	return n
}

func (n *named) spans(table string, s keys.Span) bool {
	over := func(o keys.Span) bool { return o.Overlaps(s) }
	return slices.ContainsFunc(n.all, over) || slices.ContainsFunc(n.in[table], over)
}

// difference is a row that is missing, or one that should not be there.
type difference struct {
	what string
	span keys.Span // where its key lies
	line string
}

func (d difference) String() string {
	return fmt.Sprintf("%s row %.120q, keys %s", d.what, d.line, d.span)
}

// diff compares the lines of a table with the right ones, in order.
func (w *rightTable) diff(header string, lines []string) (out []difference) {
	if header != w.header {
		out = append(out, difference{"header, no", keys.Span{}, header})
	}
	next := 0 // of the right lines
	key := func(i int) []byte {
		if i < 0 || i >= len(w.keys) {
			return nil
		}
		return w.keys[i]
	}
	for _, line := range lines {
		i, found := w.at[line]
		if !found || i < next {
			out = append(out, difference{"extra", keys.Span{From: key(next - 1), To: key(next + 1)}, line})
			continue
		}
		for ; next < i; next++ {
			out = append(out, difference{"missing", keys.Span{From: key(next), To: keys.PrefixEnd(key(next))}, w.lines[next]})
		}
		next++
	}
	for ; next < len(w.lines); next++ {
		out = append(out, difference{"missing", keys.Span{From: key(next), To: keys.PrefixEnd(key(next))}, w.lines[next]})
	}
	return out
}

// readParts is the header of a table's parts, and their lines.
func readParts(t testing.TB, dir string, table *Table) (header string, lines []string) {
	t.Helper()
	for i, p := range table.Parts {
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(p.Name)))
		if err != nil {
			t.Fatal(err)
		}
		got := splitLines(string(data))
		if i == 0 {
			header = got[0]
		} else if got[0] != header {
			t.Fatalf("part %s has another header", p.Name)
		}
		lines = append(lines, got[1:]...)
	}
	return header, lines
}

// splitLines cuts CSV into records; an end of line within quotes ends none.
func splitLines(text string) (out []string) {
	from, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			quoted = !quoted
		case '\n':
			if !quoted {
				out = append(out, text[from:i+1])
				from = i + 1
			}
		}
	}
	return out
}

// withoutValues is a schema without the values of sequences, which are held by
// themselves.
func withoutValues(schema []byte) []byte {
	return setvals.ReplaceAll(schema, nil)
}

var setvals = regexp.MustCompile(`(?m)^SELECT setval.*$`)
