package salvage

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/evac-io/evac/internal/crdb/rows"
)

// Report is all that a salvage found, and whether it is all there is.
type Report struct {
	Complete  bool       `json:"complete"`         // every row is there, and proved
	Problems  []string   `json:"problems"`         // what is missing or doubtful, one sentence each
	Wanted    []string   `json:"wanted,omitempty"` // what would settle them
	Notes     []string   `json:"notes"`            // what decides nothing
	AsOf      string     `json:"as_of,omitempty"`
	OneWay    []string   `json:"one_way,omitempty"` // indexes of which only that each entry has its row is proved: they are partial
	Rows      int64      `json:"rows"`
	Bytes     int64      `json:"bytes"` // of all parts
	Tables    []*Table   `json:"tables"`
	Dropped   []Gone     `json:"dropped,omitempty"` // what is left of tables that are no more
	Raw       []Raw      `json:"raw,omitempty"`     // tables of which only keys and values are known
	Sequences []Sequence `json:"sequences"`
	Map       []Stretch  `json:"map"` // of the key space, all that was read being known
	Survey
}

// Table is what came of one table.
type Table struct {
	Name     string   `json:"name"`
	Dir      string   `json:"dir"`
	ID       uint32   `json:"id"`
	State    string   `json:"state"`
	Given    string   `json:"given,omitempty"` // its descriptor is lost: what describes it
	Rows     int64    `json:"rows"`
	Bytes    int64    `json:"bytes"`
	Parts    []Part   `json:"parts"`
	Lost     []uint32 `json:"lost,omitempty"`     // tables without a descriptor whose rows are interleaved into these
	LeftOut  []string `json:"left_out,omitempty"` // columns that are stored nowhere
	Withheld int64    `json:"withheld"`           // rows that are not proved: they stand in the doubtful- files

	Checksums  Checksums    `json:"checksums"`
	Indexes    []Index      `json:"indexes"`
	Compared   int64        `json:"compared"` // entries that other replicas have the same
	Differs    int64        `json:"differs"`
	Unlike     []Difference `json:"unlike,omitempty"`
	Rests      []Rest       `json:"rests"`
	DoubtCount int64        `json:"doubt_count"`
	Doubts     []string     `json:"doubts,omitempty"` // the first of them
}

// Part is one file of rows.
type Part struct {
	Name string `json:"name"`
	Rows int64  `json:"rows"`
	File
}

// Checksums are those of all key-value pairs of a table and of its index entries.
type Checksums struct {
	Pairs    int64  `json:"pairs"`    // of the rows and the entries
	Verified int64  `json:"verified"` // their checksum is right
	Without  int64  `json:"without"`  // the database wrote none
	Bad      int64  `json:"bad"`
	Sum      string `json:"sum"` // of numbers made of the CRC-32 and the length of each pair, hexadecimal
}

// Index is the headcount of an index.
type Index struct {
	ID         uint32   `json:"id"`
	Name       string   `json:"name"`
	Check      string   `json:"check"` // "both ways", "one way" or "not"
	Why        string   `json:"why,omitempty"`
	Rows       int64    `json:"rows"`    // how many entries the rows ask for
	Entries    int64    `json:"entries"` // how many there are
	Equal      bool     `json:"equal"`
	Mismatched int64    `json:"mismatched,omitempty"`
	Mismatches []string `json:"mismatches,omitempty"` // the first of them
}

// Sequence is the last value that a sequence gave out.
type Sequence struct {
	Name  string `json:"name"`
	Value *int64 `json:"value"` // nil: it never gave out any
}

// Damage is bytes of a store that could not be read.
type Damage struct {
	Store  string `json:"store"`
	File   string `json:"file"`
	Offset int64  `json:"offset"` // -1: all of it
	Size   int64  `json:"size"`   // -1: not known
	Span   Span   `json:"span"`
	Keys   string `json:"keys,omitempty"` // the span for people
	Why    string `json:"why"`
}

func (d Damage) compare(o Damage) int {
	return cmp.Or(cmp.Compare(d.Store, o.Store), cmp.Compare(d.File, o.File), cmp.Compare(d.Offset, o.Offset),
		cmp.Compare(d.Size, o.Size), cmp.Compare(d.Span.String(), o.Span.String()), cmp.Compare(d.Why, o.Why))
}

// newReport begins a report.
func (c *Cluster) newReport(p *Plan) *Report {
	rep := &Report{Problems: []string{}, Notes: slices.Concat([]string{}, p.Left, c.notes), Tables: []*Table{}, Sequences: []Sequence{}}
	if !c.asOf.IsZero() {
		rep.AsOf = c.asOf.String()
	}
	return rep
}

// take takes over what the rows package counted.
func (t *Table) take(r rows.Result) {
	t.Rows, t.Withheld, t.DoubtCount = r.Rows, r.Withheld, r.DoubtCount
	t.Checksums = Checksums{Pairs: r.Pairs, Verified: r.Verified, Without: r.Unverified, Bad: r.Bad, Sum: fmt.Sprintf("%016x", r.Sum)}
	for _, d := range r.Doubts {
		t.Doubts = append(t.Doubts, d.String())
	}
}

// rest adds what more keys rest on, joining neighbours.
func (t *Table) rest(list []Rest) {
	for _, r := range list {
		if n := len(t.Rests) - 1; n >= 0 {
			last := &t.Rests[n]
			if last.Range == r.Range && last.Store == r.Store && last.Doubt == r.Doubt && string(last.Span.To) == string(r.Span.From) {
				last.Span.To, last.Keys = r.Span.To, ""
				continue
			}
		}
		t.Rests = append(t.Rests, r)
	}
}

func (r *Report) problem(format string, args ...any) {
	r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
}

// settle settles the verdict.
func (r *Report) settle() {
	for _, t := range r.Tables {
		r.Rows += t.Rows
		r.Bytes += t.Bytes
		r.judge(t)
	}
	for _, h := range r.Holes {
		r.problem("no store has the keys %s%s", cmp.Or(h.Keys, h.Span.String()), h.whose())
	}
	r.Complete = len(r.Problems) == 0
}

// judge says what is wrong with one table.
func (r *Report) judge(t *Table) {
	if t.State != "public" {
		r.problem("table %q is %s: its rows may be half of an import or restore", t.Name, t.State)
	}
	if t.Given != "" {
		r.problem("table %q: its descriptor is lost in every store; what its columns are is taken from %q", t.Name, t.Given)
	}
	for _, id := range t.Lost {
		r.problem("table %d: its descriptor is lost in every store, and no --schema describes it; its rows lie among those of table %q", id, t.Name)
	}
	if t.Withheld > 0 {
		why := "are not proved"
		if len(t.Parts) > 0 && path.Ext(t.Parts[0].Name) == "."+Parquet {
			why += ", or have values that Parquet's types cannot hold"
		}
		r.problem("table %q: %d rows %s; they stand in its doubtful- files", t.Name, t.Withheld, why)
	}
	if n := t.DoubtCount - t.Withheld; n > 0 {
		r.problem("table %q: %d doubts, see doubts", t.Name, n)
	}
	for _, ix := range t.Indexes {
		switch {
		case ix.Check == string(rows.No):
			r.problem("table %q: index %q was not held against the rows: %s", t.Name, ix.Name, ix.Why)
		case ix.Check == string(rows.OneWay) && ix.Equal:
			r.OneWay = append(r.OneWay, fmt.Sprintf("%s@%s", t.Name, ix.Name))
		case !ix.Equal:
			r.problem("table %q: index %q has %d entries, the rows ask for %d, %d mismatches", t.Name, ix.Name, ix.Entries, ix.Rows, ix.Mismatched)
		}
	}
	if t.Differs > 0 {
		r.problem("table %q: %d entries are not the same in all replicas", t.Name, t.Differs)
	}
	for _, s := range t.Rests {
		if s.Doubt != "" {
			r.problem("table %q: keys %s, range %d: %s", t.Name, cmp.Or(s.Keys, s.Span.String()), s.Range, s.Doubt)
		}
	}
}

// oneWay says of which indexes less is proved.
func (r *Report) oneWay() string {
	if len(r.OneWay) == 0 {
		return ""
	}
	more := ""
	if n := len(r.OneWay) - maxOneWay; n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("; of partial indexes, only that each entry has its row: %s%s", strings.Join(r.OneWay[:min(len(r.OneWay), maxOneWay)], ", "), more)
}

// maxOneWay is how many indexes the verdict names.
const maxOneWay = 5

// maxSaid is how many problems the verdict names: the page has them all.
const maxSaid = 3

// Summary is the verdict in a few words.
func (r *Report) Summary() string {
	if r.Complete {
		return fmt.Sprintf("complete: %d rows of %d tables, %d bytes, proved%s", r.Rows, len(r.Tables), r.Bytes, r.oneWay())
	}
	list := gathered(r.Problems)
	var said []string
	for _, p := range list[:min(len(list), maxSaid)] {
		said = append(said, p.String())
	}
	if n := len(list) - maxSaid; n > 0 {
		said = append(said, fmt.Sprintf("and %d more", n))
	}
	return fmt.Sprintf("not complete: %d rows of %d tables, %d bytes; %s", r.Rows, len(r.Tables), r.Bytes, strings.Join(said, "; "))
}
