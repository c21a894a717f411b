package pg

import (
	"context"
	"strings"
	"testing"
	"time"
)

// A change of the schema that rewrites values leaves no trace in the stream and
// none in the counts.
func TestAlteredValuesAreNotPassedOver(t *testing.T) {
	n := plainNight(t)
	n.startFollowing()
	const shout, open = "alter table orders alter a type text using upper(a)", "set default_transaction_read_only = off; "
	load(t, n.from, shout)
	n.freezeSource()
	_, err := Switch(t.Context(), n.change)
	wantRefused(t, err, "altered", "public.orders", "same change")
	load(t, n.to, open+shout)
	n.switchOver()

	const double = "alter table orders alter a type text using a || a"
	load(t, n.to, double)
	wantRefused(t, UndoSwitch(t.Context(), n.change), "altered", "public.orders", "same change")
	load(t, n.from, open+double)
	n.must("go home", func(ctx context.Context) error { return UndoSwitch(ctx, n.change) })
	if here, there := one(t, n.from, "select a from orders"), one(t, n.to, "select a from orders"); here != "XX" || there != here {
		t.Errorf("orders %q on the source, %q on the target, want XX", here, there)
	}
}

// A worker that stumbles over a new column is not waited for.
func TestSwitchNamesTheChangeThatStopsTheWorker(t *testing.T) {
	n := plainNight(t)
	n.startFollowing()
	load(t, n.from, "alter table orders add b int; insert into orders (a, b) values ('y', 1)")
	n.freezeSource()
	n.change.Drain = 8 * time.Second
	_, err := Switch(t.Context(), n.change)
	wantRefused(t, err, "orders.b", "same change")
}

func TestTypesWithoutEqualityAreFound(t *testing.T) {
	n := plainNight(t)
	load(t, n.from, `create domain dj as json; create type cj as (a int, j xml);
		create table odd (a json[], b dj, c cj, d jsonpath, e pg_snapshot, f point);
		create table even (a varchar(3), b int[], c numeric, d int4range, e inet, f cidr, g "char", h name, i oidvector, j money, k tsvector, l bit(3), m aclitem, n tid, o uuid[], p jsonb)`)
	_, err := PlanFollow(t.Context(), n.follow)
	wantRefused(t, err, "public.odd (a, b, c, d, e, f)")
	if strings.Contains(err.Error(), "public.even") {
		t.Errorf("types with equality are refused: %v", err)
	}
}
