package pg

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/testenv"
)

// A crash of the target after the copy was complete, but before its step was
// verified: the same call brings back what the crash has emptied, whoever does
// it, and an undo still knows that nobody has written there.
func TestCopyFillsAgainAfterACrash(t *testing.T) {
	t.Parallel()
	for name, plain := range map[string]bool{"superuser": false, "owner": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := quietServer(t, testenv.Newer)
			to, admin := managed(t, target, plain)
			tr := newTripOn(t, testenv.Database(t, quietServer(t, testenv.Older)), to, unloggedTables)
			for _, left := range []bool{true, false} {
				tr.copy(t)
				if !left {
					tr.saved.Left = nil // cut off before it could say so
				}
				once(t, admin, "checkpoint")
				crash(t, target)
				wantRefused(t, VerifyCopy(t.Context(), tr.From, tr.To, 1, Selection{}), "u", "a crash of the target empties it")
				if notes := strings.Join(headcount(t, tr.From, tr.To, enough).Notes, "\n"); !strings.Contains(notes, "empty on the target alone: public.u") {
					t.Errorf("the headcount does not name the crash: %s", notes)
				}
				tr.copy(t)
				if diff := cmp.Diff(rowsAndKeys(t, tr.From), rowsAndKeys(t, admin)); diff != "" {
					t.Errorf("left %v: source (-) and target (+):\n%s", left, diff)
				}
				if got := psql(t, admin, "-Atc", "select string_agg(tgenabled::text, '' order by tgname) from pg_trigger where not tgisinternal"); got != "AO\n" {
					t.Errorf("left %v: triggers are %q, want always and on", left, got)
				}
			}
			tr.undo(t)
		})
	}
}

// What a crash has emptied comes back only as it was copied, and only to a
// target that nobody else uses.
func TestCopyFillsNothingElseAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		crash      bool
		here, then string // what is done to the source, and to the target
		says       string
	}{
		"source written":    {true, "insert into t values (0)", "select", "the source was written since the copy"},
		"emptied by a user": {false, "select", "truncate u", ""},
		"used":              {true, "select", "insert into t values (0)", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := quietServer(t, testenv.Newer)
			tr := newTripOn(t, testenv.Database(t, quietServer(t, testenv.Older)), testenv.Database(t, target),
				"create unlogged table u (a int); insert into u values (1); create table t (a int); insert into t values (1)")
			tr.copy(t)
			once(t, tr.From, c.here)
			once(t, tr.To, c.then)
			if c.crash {
				once(t, tr.To, "checkpoint")
				crash(t, target)
			}
			tr.State = tr.saved
			_, err := Copy(t.Context(), tr.CopyOptions)
			if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("got %v, want %q", err, c.says)
			}
			if got := psql(t, tr.To, "-Atc", "select count(*) from u"); got != "0\n" {
				t.Errorf("the unlogged table has %s rows again", got)
			}
		})
	}
}

// A crash of the source empties its unlogged tables, also those that are copied
// already: the copy goes on, and the target ends as the source is.
func TestCopyGoesOnAfterACrashOfTheSource(t *testing.T) {
	t.Parallel()
	source := quietServer(t, testenv.Older)
	tr := newTripOn(t, testenv.Database(t, source), testenv.Database(t, quietServer(t, testenv.Newer)), unloggedTables)
	cut, save := errors.New("cut off"), tr.Save
	tr.Save = func(context.Context, CopyState) error { return cut }
	if _, err := Copy(t.Context(), tr.CopyOptions); !errors.Is(err, cut) {
		t.Fatalf("copy ended with %v", err)
	}
	once(t, tr.From, "checkpoint") // the test's server does not wait for its disk
	crash(t, source)
	tr.Save = save
	result := tr.copy(t)
	if warnings := strings.Join(result.Warnings, "\n"); !strings.Contains(warnings, "a crash of the source") || strings.Contains(warnings, "started over") {
		t.Errorf("warnings %q, want the crash named and nothing started over", warnings)
	}
	if diff := cmp.Diff(rowsAndKeys(t, tr.From), rowsAndKeys(t, tr.To)); diff != "" {
		t.Errorf("source (-) and target (+):\n%s", diff)
	}
	if err := VerifyCopy(t.Context(), tr.From, tr.To, 1, Selection{}); err != nil {
		t.Error(err)
	}
	tr.undo(t)
}
