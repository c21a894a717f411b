package pg

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/secret"
)

// lagging copies changes of the source's tables to the target, a while later,
// as replication does.
func lagging(ctx context.Context, t *testing.T, source, target secret.DSN) {
	t.Helper()
	from, to := dial(t, source), dial(t, target)
	done := make(chan struct{})
	t.Cleanup(func() { <-done })
	go func() {
		defer close(done)
		for n := 1; ctx.Err() == nil; n++ {
			change := `with n as (select $1::int as n) update live set v = n.n from n where id % 50 = n.n % 50 or id = 1`
			if _, err := from.Exec(ctx, change, n); err != nil {
				return
			}
			select {
			case <-time.After(5 * time.Millisecond): // the lag
			case <-ctx.Done():
			}
			if _, err := to.Exec(context.WithoutCancel(ctx), change, n); err != nil {
				t.Error(err)
				return
			}
		}
	}()
}

// Rows that are on their way are no differences; rows that stay behind are.
func TestVerifyLive(t *testing.T) {
	source, target := twoSides(t, `
		create table live (id int primary key, v int); insert into live select i, 0 from generate_series(1, 2000) i;
		create table still (id int primary key, v text); insert into still select i, 'v' from generate_series(1, 100) i;
		create table bare (v text); insert into bare select 'x' from generate_series(1, 5)`)
	once(t, target, "update still set v = 'w' where id = 7; delete from still where id = 8; insert into still values (900, 'n'); insert into bare values ('x'); create index more on still (v)")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	lagging(ctx, t, source, target)
	var told atomic.Int64
	got, err := Verify(t.Context(), source, target, VerifyOptions{
		Jobs: 2, MaxDifferences: 100, Memory: enough, Rechecks: 8, Wait: 10 * time.Millisecond,
		Total: func(int64) {}, Read: func(int64) {}, Found: func(Difference) { told.Add(1) },
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"different public.still 7", "extra index public.more", "extra public.bare", "extra public.still 900", "missing public.still 8"}
	if diff := cmp.Diff(want, said(got.Differences)); diff != "" {
		t.Error(diff)
	}
	if got.Data.Missing != 1 || got.Data.Extra != 2 || got.Data.Different != 1 || got.Data.Rows != 2105 || told.Load() != 5 {
		t.Errorf("counted %+v, told of %d", got.Data, told.Load())
	}
}

// A row counts until it is seen to have come as far as the source once was.
func TestSuspects(t *testing.T) {
	p := &pair{keys: 1}
	type look struct {
		source, target string // "" is none
		counts         bool
	}
	for name, looks := range map[string][]look{
		"stays behind":     {{"1\ta", "1\tz", true}, {"1\ta", "1\tz", true}, {"1\tb", "1\tz", true}},
		"follows":          {{"1\ta", "1\tz", true}, {"1\tb", "1\ta", false}},
		"follows later":    {{"1\ta", "1\tz", true}, {"1\tb", "1\tz", true}, {"1\tc", "1\ta", false}},
		"is deleted later": {{"1\ta", "", true}, {"", "1\ta", false}},
		"is missing":       {{"1\ta", "", true}, {"1\ta", "", true}},
		"is extra":         {{"", "1\tz", true}, {"", "1\tz", true}},
	} {
		s := newSuspects(1000)
		for i, l := range looks {
			if i > 0 {
				s = s.again()
			}
			row := func(text string) []byte {
				if text == "" {
					return nil
				}
				return []byte(text)
			}
			if got := s.counts(p, row(l.source), row(l.target)); got != l.counts {
				t.Errorf("%s, look %d: counts %v", name, i+1, got)
			}
		}
	}
	s := newSuspects(ofSuspect + 1)
	for _, row := range []string{"1\ta", "2\ta", "3\ta"} {
		s.counts(p, []byte(row), nil)
	}
	if next := s.again(); !next.counts(p, []byte("4\ta"), nil) || next.over || next.again().counts(p, []byte("5\ta"), nil) {
		t.Error("once there were too many suspects, few are too many")
	}
	s = newSuspects(0)
	if !s.counts(p, []byte("1\ta"), nil) || !s.over || !s.again().counts(p, []byte("2\tb"), nil) {
		t.Error("suspects that are too many to keep do not count")
	}
}
