//go:build torture

package pg

import (
	"slices"
	"testing"
	"time"

	"github.com/evac-io/evac/internal/servers"
	"github.com/evac-io/evac/internal/testenv"
)

// TestMatrixWarm warms and freezes on each major version: by pg_prewarm, by
// scans of an ordinary user, block by block, and with who tries named.
func TestMatrixWarm(t *testing.T) {
	for _, which := range []testenv.Which{"9.4", "9.5", "9.6", "10", "11", "12", "13", "14", "15", "16", "17", "18"} {
		t.Run(string(which), func(t *testing.T) {
			srv := testenv.OwnPostgres(t, which, func(o *servers.Options) {
				o.Settings["logging_collector"], o.Settings["log_connections"], o.Settings["log_line_prefix"] = "on", "on", "%m [%p] "
			})
			db := testenv.Database(t, srv)
			name := databaseOf(t, db)
			once(t, db, warmShop)
			once(t, db, `create role app login; grant select on all tables in schema public to app`)
			for _, user := range []string{"", "app"} {
				o := warming(srv.DSN(name, user))
				o.From = db
				if got, err := Warm(t.Context(), o); err != nil || got.HotPercent < 100 || user != "" && got.Way != "scans" {
					t.Errorf("as %q: %+v, %v", user, got, err)
				}
			}
			o := warming(db)
			o.From, o.Physical = db, LayoutPhysical
			if err := tryOnce(t.Context(), db, "create extension pg_buffercache"); err == nil {
				if got, err := Warm(t.Context(), o); err != nil || got.HotPercent < 100 {
					t.Errorf("block by block: %+v, %v", got, err)
				}
			}
			z := &frozen{dsn: db, refuse: []string{"app"}}
			got, err := z.freeze(t.Context(), false)
			if err != nil {
				t.Fatal(err)
			}
			knock(t, srv.DSN(name, "app"), "batch")
			eventually(t, "the try in the log", func() bool {
				tries, err := whoTries(t.Context(), db, got.Proof.Mark.TakenAt.Add(-time.Second))
				return err == nil && slices.ContainsFunc(tries.List, func(x Try) bool { return x.User == "app" && x.Address == "127.0.0.1" })
			})
			if err := z.unfreeze(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
	}
}
