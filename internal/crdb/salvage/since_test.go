package salvage

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/crdb/keys"
)

// TestLossSince counts what a roll-back would lose. Of the crash fixture it is
// known: a transaction was acknowledged at 04:08:21, which wrote one table; the
// one that was open then does not count; all else is older.
func TestLossSince(t *testing.T) {
	c := opened(t, shared(t, "crash")...)
	showed := truth(t, "crash")
	for _, x := range []struct {
		at   string
		want Loss
		rows int64 // of all other tables
	}{
		{"2026-11-21T04:08:00Z", Loss{Table: "kingdom.public.late_commit", Rows: 35, Inserted: 8, Updated: 3, Deleted: 3}, 0},
		{"2026-11-21T04:08:22Z", Loss{Table: "kingdom.public.late_commit", Rows: 35}, 0},
		{"2026-11-21T04:07:00Z", Loss{Table: "kingdom.public.late_commit", Rows: 35, Inserted: 35}, 0},
	} {
		at, err := time.Parse(time.RFC3339, x.at)
		if err != nil {
			t.Fatal(err)
		}
		list, err := c.LossSince(t.Context(), keys.Timestamp{Wall: at.UnixNano()})
		if err != nil {
			t.Fatal(err)
		}
		lost := int64(0)
		for _, l := range list {
			if n := len(showed[strings.TrimPrefix(l.Table, "kingdom.public.")]) - 1; int(l.Rows) != n {
				t.Errorf("table %s has %d rows, want %d", l.Table, l.Rows, n)
			}
			if l.Table != x.want.Table {
				lost += l.Lost()
				continue
			}
			if diff := cmp.Diff(x.want, l); diff != "" {
				t.Errorf("since %s (-want +got):\n%s", x.at, diff)
			}
		}
		if len(list) != 26 || lost != x.rows {
			t.Errorf("since %s: %d tables, %d rows of others", x.at, len(list), lost)
		}
	}
}
