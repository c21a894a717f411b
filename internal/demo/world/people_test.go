package world

import (
	"testing"

	"github.com/evac-io/evac/internal/journal"
)

func TestFailuresOfTheSameKind(t *testing.T) {
	said := func(result, evidence string) journal.Tick {
		return journal.Tick{TickBody: journal.TickBody{Item: "rights", Result: result, Evidence: evidence}}
	}
	bad, other, fixed := said(journal.ItemFailed, "two"), said(journal.ItemFailed, "one"), said(journal.ItemFixed, "two")
	for _, c := range []struct {
		name string
		log  []journal.Tick
		want int
	}{
		{"none", nil, 0},
		{"all", []journal.Tick{bad, bad, bad}, 3},
		{"after another", []journal.Tick{bad, other, bad}, 1},
		{"another since", []journal.Tick{bad, bad, other}, 0},
		{"fixed between", []journal.Tick{bad, fixed, bad, bad}, 2},
	} {
		if got := failures(&journal.ItemState{Log: c.log}, "two"); got != c.want {
			t.Errorf("%s: %d failures, want %d", c.name, got, c.want)
		}
	}
}
