package pg

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/testenv"
)

// Where the client says that a row lies, the server finds it by the condition of
// that place, and nowhere else.
func TestLocatorsMeanTheSameToTheServer(t *testing.T) {
	conn := dial(t, testenv.Database(t, testenv.Postgres(t, testenv.Older)))
	r := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		name, typ string
		value     func() string
		bits      bool
	}{
		{"dense", "int", func() string { return fmt.Sprint(r.IntN(5000) - 2500) }, false},
		{"few", "smallint", func() string { return fmt.Sprint(r.IntN(3)) }, false},
		{"all of bigint", "bigint", func() string {
			return []string{fmt.Sprint(int64(r.Uint64())), fmt.Sprint(math.MaxInt64), fmt.Sprint(math.MinInt64), "0", "-1"}[r.IntN(5)]
		}, false},
		{"uuid", "uuid", func() string {
			return fmt.Sprintf("%08x-%04x-4000-8000-%012x", r.Uint32(), r.IntN(1<<16), r.IntN(1<<40))
		}, false},
		{"uuid by time", "uuid", func() string { return fmt.Sprintf("0197f3a2-%04x-7000-8000-%012x", r.IntN(50), r.IntN(1<<40)) }, false},
		{"lowest bits", "bigint", func() string { return []string{fmt.Sprint(r.IntN(5000) - 2500), "null"}[r.IntN(10)/9] }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			values := make([]string, 600)
			for i := range values {
				if values[i] = c.value(); values[i] != "null" {
					values[i] = "'" + values[i] + "'"
				}
			}
			execSQL(t, conn, "drop table if exists t; create table t (k "+c.typ+")")
			execSQL(t, conn, "insert into t values ("+strings.Join(values, "), (")+")")
			l := lowBits("k")
			if !c.bits {
				rel := &relation{key: []string{"k"}, parts: []part{{from: "t"}}}
				if c.typ == "uuid" {
					rel.uuids = rel.key
				}
				least, most, ok, err := rel.keyEnds(t.Context(), conn)
				if err != nil || !ok {
					t.Fatal(err)
				}
				l = rangesOf("k", c.typ == "uuid", least, most)
			}
			tryPlaces(t, conn, l, r)
		})
	}
}

func tryPlaces(t *testing.T, conn *pgx.Conn, l *locator, r *rand.Rand) {
	t.Helper()
	if n := l.count(); n < 1 || n > 1<<placesAtMost {
		t.Fatalf("%d places", n)
	}
	asked := 0
	for range 20 {
		marked := make([]bool, l.count())
		for range 1 + r.IntN(4) {
			marked[r.IntN(len(marked))] = true
		}
		marked[0] = marked[0] || r.IntN(3) == 0
		condition, ok := l.condition(marked)
		if !ok {
			continue
		}
		asked++
		rows, err := conn.Query(t.Context(), `select coalesce(k::text, '\N'), coalesce(`+condition+", false) from t")
		if err != nil {
			t.Fatal(err)
		}
		var key string
		var found bool
		if _, err := pgx.ForEachRow(rows, []any{&key, &found}, func() error {
			if place := l.place([]byte(key + "\tmore")); marked[place] != found {
				t.Errorf("%s lies at %d, and the server finds it: %v (%s)", key, place, found, condition)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if asked == 0 && l.count() > 4 {
		t.Error("no condition was tried")
	}
}
