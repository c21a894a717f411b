package ranges

import (
	"strings"
	"testing"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/ranges/raftlog"
)

// TestEnds has damage in the own state of some replicas: what was acknowledged is
// there for certain only if the ends of a majority's logs are.
func TestEnds(t *testing.T) {
	for _, c := range []struct {
		name     string
		hurt     int               // so many of three
		appended map[uint64]uint64 // of those
		says     string
	}{
		{"one of three", 1, nil, ""},
		{"two", 2, nil, "whose copies of it are what the damage took"},
		{"two, appended to since", 2, map[uint64]uint64{1: 12}, ""},
		{"all, appended to since", 3, map[uint64]uint64{1: 12}, ""},
		{"another range was appended to since", 2, map[uint64]uint64{2: 12}, "whose copies of it are what the damage took"},
		{"the log now ends elsewhere", 2, map[uint64]uint64{1: 11}, "whose copies of it are what the damage took"},
	} {
		m := survey(t, Auto, three(func(i int, f *fake) {
			f.replica(whole, state{applied: 10})
			f.log(1, 11, 1, write("n", 2, "new"), write("o", 2, "newer"))
			if i <= c.hurt {
				f.Damage = []engine.Damage{{File: "1.log", Span: keys.RangeIDSpan()}}
				f.Appended = c.appended
			}
		})...)
		if got := rows(t, m); got != "n=new o=newer" {
			t.Errorf("%s: %q", c.name, got)
		}
		if said := said(m); c.says == "" && said != "" || !strings.Contains(said, c.says) {
			t.Errorf("%s: says %q, want %q", c.name, said, c.says)
		}
	}
}

// TestCountedEmpty has damage over a range that never had a row: statistics that
// are all zero are no lost ones, and prove it.
func TestCountedEmpty(t *testing.T) {
	for _, c := range []struct {
		name  string
		row   string
		stats raftlog.Stats
		whole bool
	}{
		{"empty", "", raftlog.Stats{}, true},
		{"a row that should not be there", "b", raftlog.Stats{}, false},
		{"estimates", "", raftlog.Stats{Estimates: 1}, false},
	} {
		f := newFake(1)
		f.replica(desc(1, 1, "", "", 1), state{applied: 12, stats: c.stats})
		if c.row != "" {
			f.row(c.row, 1, "v")
		}
		f.Damage = []engine.Damage{{File: "1.sst", Span: keys.Span{From: []byte("a"), To: []byte("z")}}}
		m := survey(t, Auto, f)
		proof, err := m.Prove(t.Context(), m.Ranges[0])
		if err != nil || proof.Whole != c.whole {
			t.Errorf("%s: %+v %v", c.name, proof, err)
		}
	}
}
