package sst

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
)

// list is a source of rows in memory.
type list struct {
	rows []row
	at   int
	e    Entry
}

func (l *list) Next() *Entry {
	if l.at == len(l.rows) {
		return nil
	}
	r := l.rows[l.at]
	l.at++
	l.e = Entry{Key: append(l.e.Key[:0], r.Key...), Value: append(l.e.Value[:0], r.Value...), Seq: r.Seq, Kind: r.Kind}
	return &l.e
}

func (l *list) SeekGE(user []byte) {
	l.at, _ = slices.BinarySearchFunc(l.rows, string(user), func(r row, user string) int {
		return cmp.Compare(string(userKey([]byte(r.Key))), user)
	})
}
func (*list) Err() error              { return nil }
func (*list) Damage() []engine.Damage { return nil }
func (*list) Close() error            { return nil }

// newest is what a store would show of rows and deletions, worked out key by key.
func newest(rows []row, dels []RangeDel) []row {
	rows = slices.Clone(rows)
	ordered(rows)
	var shown []row
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && keys.Compare([]byte(rows[n].Key), []byte(rows[0].Key)) == 0 {
			n++
		}
		var value string
		live := false
		for _, r := range rows[:n] {
			hidden := slices.ContainsFunc(dels, func(d RangeDel) bool {
				return d.Seq > r.Seq && keys.Compare(d.From, []byte(r.Key)) <= 0 && keys.Compare([]byte(r.Key), d.To) < 0
			})
			if hidden || r.Kind == Delete || r.Kind == SingleDelete || r.Kind == DeleteSized {
				break
			}
			value, live = r.Value+value, true
			if r.Kind != Merge {
				break
			}
		}
		if live {
			shown = append(shown, row{Key: rows[0].Key, Value: value})
		}
		rows = rows[n:]
	}
	return shown
}

func shown(t *testing.T, m *Merged) []row {
	t.Helper()
	var rows []row
	for m.Next() {
		rows = append(rows, row{Key: string(m.Key()), Value: string(m.Value())})
	}
	if m.Err() != nil {
		t.Fatal(m.Err())
	}
	return rows
}

// history are operations on few keys with ascending numbers.
func history(rng *rand.Rand, n int) ([]row, []RangeDel) {
	var rows []row
	var dels []RangeDel
	user := func() []byte { return fmt.Appendf(nil, "k%02d", rng.IntN(60)) }
	version := func() keys.Timestamp {
		return keys.Timestamp{Wall: int64(rng.IntN(3)), Logical: int32(rng.IntN(2))}
	}
	for seq := range uint64(n) {
		key := keys.Append(nil, user(), version())
		if key[len(key)-1] == 9 && rng.IntN(3) == 0 { // another spelling of the same version
			key = append(append(key[:len(key)-1], 0, 0, 0, 0), 13)
		}
		if rng.IntN(30) == 0 {
			from, to := keys.Append(nil, user(), version()), keys.Append(nil, user(), version())
			if keys.Compare(from, to) < 0 {
				dels = append(dels, RangeDel{from, to, seq})
			}
			continue
		}
		kind := []Kind{Set, Set, Set, Merge, Merge, Delete, SingleDelete, SetWithDelete, DeleteSized}[rng.IntN(9)]
		rows = append(rows, row{Key: string(key), Value: fmt.Sprint("v", seq, " "), Seq: seq, Kind: kind})
	}
	return rows, dels
}

// The merge shows what the rules say, however the entries are spread over tables
// of every format, lists, and levels of several tables.
func TestMerge(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for round := range 60 {
		rows, dels := history(rng, 400)
		want := newest(rows, dels)
		spread := make([][]row, 1+rng.IntN(6))
		for _, r := range rows {
			i := rng.IntN(len(spread))
			if r.Kind == SetWithDelete || r.Kind == DeleteSized {
				i = 0
			}
			spread[i] = append(spread[i], r)
		}
		var sources []Source
		for i, part := range spread {
			ordered(part)
			if i == 0 {
				sources = append(sources, &list{rows: part})
				continue
			}
			sources = append(sources, level(t, part, rng))
		}
		m := Newest(everywhere, dels, sources...)
		same(t, round, shown(t, m), want)
		at := fmt.Appendf(nil, "k%02d", rng.IntN(60))
		m.SeekGE(at)
		same(t, round, shown(t, m), within(want, keys.Span{From: at}))
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// same compares what is shown; of two spellings of one version the newest counts.
func same(t *testing.T, round int, got, want []row) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("round %d: %d entries, want %d", round, len(got), len(want))
	}
	for i := range got {
		if keys.Compare([]byte(got[i].Key), []byte(want[i].Key)) != 0 || got[i].Value != want[i].Value {
			t.Fatalf("round %d: %x %q, want %x %q", round, got[i].Key, got[i].Value, want[i].Key, want[i].Value)
		}
	}
}

// level writes rows into tables that do not overlap in user keys.
func level(t *testing.T, rows []row, rng *rand.Rand) Source {
	t.Helper()
	var parts []Part
	for len(rows) > 0 {
		n := min(len(rows), 1+rng.IntN(60))
		for n < len(rows) && string(userKey([]byte(rows[n].Key))) == string(userKey([]byte(rows[n-1].Key))) {
			n++
		}
		w := written{format: formats[rng.IntN(len(formats))], rows: rows[:n], checksum: checksumCRC32C}
		table := open(t, w.table(t), Options{})
		span := keys.Span{From: userKey([]byte(rows[0].Key)), To: after(userKey([]byte(rows[n-1].Key)))}
		parts = append(parts, Part{Span: span, Open: func() (Source, error) { return table.Iter(everywhere), nil }})
		rows = rows[n:]
	}
	return Concat(parts...)
}

// Range deletions over each other leave the newest of each stretch.
func TestCover(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		var dels []RangeDel
		for range rng.IntN(12) {
			dels = append(dels, RangeDel{engineKey(fmt.Sprintf("%02d", rng.IntN(30))), engineKey(fmt.Sprintf("%02d", rng.IntN(30))), rng.Uint64N(9)})
		}
		c := cover(dels)
		for i := range 30 {
			key := engineKey(fmt.Sprintf("%02d", i))
			for seq := range uint64(10) {
				want := slices.ContainsFunc(dels, func(d RangeDel) bool {
					return d.Seq > seq && keys.Compare(d.From, key) <= 0 && keys.Compare(key, d.To) < 0
				})
				if got := c.hides(&Entry{Key: key, Seq: seq}); got != want {
					t.Fatalf("%v hide %q at %d: %v", dels, key, seq, got)
				}
			}
		}
	}
}
