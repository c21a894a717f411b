//go:build torture

package pg

import (
	_ "embed"
	"fmt"
	"testing"
	"time"

	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/testenv"
)

// laterEverything makes the kinds of objects that came after 9.4.
//
//go:embed testdata/later.sql
var laterEverything string

// contribFor is oldContrib if both servers are built with contrib.
func contribFor(t *testing.T, sides ...secret.DSN) string {
	t.Helper()
	for _, side := range sides {
		if psql(t, side, "-Atc", "select 1 from pg_available_extensions where name = 'hstore'") == "" {
			return ""
		}
	}
	return oldContrib
}

// matrix are pairs of neighbouring major versions, long ways, and the same major
// where pg_dump writes what it does not know.
var matrix = [][2]testenv.Which{
	{"9.4", "9.5"}, {"9.5", "9.6"}, {"9.6", "10"}, {"10", "11"}, {"11", "12"}, {"12", "13"}, {"13", "14"}, {"14", "15"}, {"15", "16"}, {"16", "17"}, {"17", "18"},
	{"9.4", "18"}, {"9.6", "18"}, {"10", "18"}, {"12", "18"}, {"14", "18"}, {"9.5", "9.5"}, {"10", "10"}, {"12", "12"},
}

// TestMatrix moves everything that the older server has to the newer one.
func TestMatrix(t *testing.T) {
	for _, pair := range matrix {
		t.Run(fmt.Sprintf("%s to %s", pair[0], pair[1]), func(t *testing.T) {
			from, to := testenv.Database(t, quietServer(t, pair[0])), testenv.Database(t, quietServer(t, pair[1]))
			start := time.Now()
			load(t, from, contribFor(t, from, to)+oldEverything+laterEverything)
			result := moveOld(t, from, to)
			fmt.Printf("matrix PostgreSQL %s to %s: %d rows of %d tables, %d large objects, failed: %t, %.1f s\n",
				result.SourceVersion, result.TargetVersion, result.Rows, result.Tables, result.LargeObjects, t.Failed(), time.Since(start).Seconds())
		})
	}
}
