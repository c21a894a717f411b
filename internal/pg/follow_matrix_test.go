//go:build torture

package pg

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/evac-io/evac/internal/testenv"
)

// beforePartitionKeys is the schema for servers that know no generated columns
// and no keys of partitioned tables.
var beforePartitionKeys = strings.NewReplacer(
	",\n\t\ttwice int generated always as (n * 2) stored", "",
	" partition by range (bucket)", "",
	"create table parts_low partition of parts for values from (0) to (10);", "",
	"create table parts_high partition of parts for values from (10) to (20);", "",
)

func TestMatrixFollow(t *testing.T) {
	for _, pair := range [][2]int{{10, 17}, {10, 18}, {11, 12}, {12, 16}, {14, 17}, {15, 15}, {16, 18}, {17, 18}, {18, 18}} {
		t.Run(fmt.Sprint(pair[0], " to ", pair[1]), func(t *testing.T) {
			schema := shopSchema
			if pair[0] < 12 {
				schema = beforePartitionKeys.Replace(schema)
			}
			thereAndBack(t, testenv.Which(fmt.Sprint(pair[0])), testenv.Which(fmt.Sprint(pair[1])), schema)
		})
	}
}

// TestMatrixWithoutAWayHome takes 11 seconds: that is how late a server may
// count what users wrote.
func TestMatrixWithoutAWayHome(t *testing.T) {
	n := plainNight(t)
	n.change.WayHome = false
	n.startFollowing()
	n.freezeSource()
	n.switchOver()
	n.must("go back unused", func(ctx context.Context) error { return UndoSwitch(ctx, n.change) })
	n.must("unfreeze", n.freeze.unfreeze)
	load(t, n.from, "insert into orders (a) values ('y')")
	n.must("catch up", func(ctx context.Context) error { _, err := VerifyFollow(ctx, n.follow); return err })
	n.must("undo follow", func(ctx context.Context) error { return UndoFollow(ctx, n.follow) })
}
