package testenv

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/step"
)

func TestPointsAreSpreadEvenly(t *testing.T) {
	for _, test := range []struct {
		n, most int
		want    []string
	}{
		{0, 0, []string{}},
		{1, 0, []string{"before-write-1", "after-write-1"}},
		{2, 4, []string{"before-write-1", "after-write-1", "before-write-2", "after-write-2"}},
		{100, 4, []string{"before-write-1", "after-write-26", "before-write-51", "after-write-76"}},
	} {
		got := []string{}
		for _, p := range points(test.n, test.most) {
			got = append(got, p.String())
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%d writes, at most %d (-want +got):\n%s", test.n, test.most, diff)
		}
	}
}

func TestMemoryCuts(t *testing.T) {
	for _, landed := range []bool{false, true} {
		m := MemoryOf(Env(t))
		ctx := m.Cut(t.Context(), 2, landed)
		if err := m.Save(ctx, 1); err != nil {
			t.Fatal(err)
		}
		if err := m.Save(ctx, 2); !errors.Is(err, ErrCut) || ctx.Err() == nil {
			t.Errorf("landed %v: second write: %v, context %v", landed, err, ctx.Err())
		}
		if err := m.Change(t.Context(), step.Setting{ID: "a"}); !errors.Is(err, ErrCut) || len(m.Changed()) > 0 {
			t.Errorf("landed %v: a write after the cut: %v", landed, err)
		}
		var saved int
		found, err := m.Load(&saved)
		if want := map[bool]int{false: 1, true: 2}[landed]; !found || err != nil || saved != want {
			t.Errorf("landed %v: loaded %d (%v, %v), want %d", landed, saved, found, err, want)
		}
		m.Heal()
		if err := m.Save(t.Context(), 3); err != nil || m.Writes() != 1 {
			t.Errorf("after healing: %v, %d writes", err, m.Writes())
		}
	}
}

func TestMemoryKeepsTheFirstOldValue(t *testing.T) {
	m := MemoryOf(Env(t))
	for _, s := range []step.Setting{{ID: "a", Old: "1", New: "2"}, {ID: "a", Old: "2", New: "3"}} {
		if err := m.Change(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]step.Setting{{ID: "a", Old: "1", New: "3"}}, m.Changed()); diff != "" {
		t.Error(diff)
	}
	if err := m.Restore(t.Context(), "a"); err != nil || len(m.Changed()) != 0 {
		t.Errorf("%v, still changed: %v", err, m.Changed())
	}
}
