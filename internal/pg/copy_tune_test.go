package pg

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/evac-io/evac/internal/testenv"
)

// tuningBook keeps what a copy says of the settings that it changes.
type tuningBook struct {
	t       testing.TB
	trip    *trip
	changed []ServerChange
	all     []string
}

func (a *tuningBook) tuning() Tuning {
	return Tuning{
		Wanted: true, Changed: slices.Clone(a.changed),
		Change: func(_ context.Context, c ServerChange) error {
			if got := strings.TrimSpace(psql(a.t, a.trip.To, "-Atc", "select setting from pg_file_settings where sourcefile like '%auto.conf' and name = "+Literal(c.Setting))); got != c.Old {
				a.t.Errorf("%s was changed to %q before it was noted", c.Setting, got)
			}
			a.changed, a.all = append(a.changed, c), append(a.all, c.Setting)
			return nil
		},
		Restored: func(_ context.Context, name string) error {
			a.changed = slices.DeleteFunc(a.changed, func(c ServerChange) bool { return c.Setting == name })
			return nil
		},
	}
}

const tunedNow = "select string_agg(name || '=' || setting, ' ' order by name) from pg_file_settings where sourcefile like '%auto.conf'"

// TestCopyTunes changes the target's server for the time of a copy and puts it
// back: at the end, after a failure, and after a call that ended without either.
func TestCopyTunes(t *testing.T) {
	t.Parallel()
	target := quietServer(t, testenv.Newer)
	tr := newTripOn(t, testenv.Database(t, testenv.Postgres(t, testenv.Older)), testenv.Database(t, target), "create table t (a int primary key); insert into t select generate_series(1, 1000)")
	once(t, tr.To, "alter system set checkpoint_timeout = '17min'")
	before := psql(t, tr.To, "-Atc", tunedNow)
	books := &tuningBook{t: t, trip: tr}

	tr.Tuning = books.tuning()
	cut := errors.New("cut off")
	save := tr.Save
	tr.Save = func(context.Context, CopyState) error { return cut }
	if _, err := Copy(t.Context(), tr.CopyOptions); !errors.Is(err, cut) {
		t.Fatal(err)
	}
	if now := psql(t, tr.To, "-Atc", tunedNow); now != before || len(books.changed) > 0 || len(books.all) != 3 {
		t.Fatalf("after a failure the settings are %q, were %q; changed %v, noted %v", now, before, books.changed, books.all)
	}

	// As a kill leaves it: noted and changed, nothing put back.
	for _, c := range []ServerChange{{Setting: "autovacuum", New: "off"}, {Setting: "checkpoint_timeout", Old: "17min", New: "1h"}} {
		books.changed = append(books.changed, c)
		once(t, tr.To, "alter system set "+c.Setting+" = "+Literal(c.New))
	}
	tr.Tuning, tr.Save = books.tuning(), save
	tr.copy(t)
	if now := psql(t, tr.To, "-Atc", tunedNow); now != before || len(books.changed) > 0 {
		t.Fatalf("after the copy the settings are %q, were %q; changed %v", now, before, books.changed)
	}

	books.changed = []ServerChange{{Setting: "autovacuum", New: "off"}}
	once(t, tr.To, "alter system set autovacuum = off")
	tr.Tuning = books.tuning()
	tr.undo(t)
	if now := psql(t, tr.To, "-Atc", tunedNow); now != before || len(books.changed) > 0 {
		t.Fatalf("after the undo the settings are %q, were %q; changed %v", now, before, books.changed)
	}
}
