package torture

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/servers"
	"github.com/evac-io/evac/internal/testenv"
)

// filling is a command that fills an empty database from dead stores and is killed.
type filling struct {
	*haul
	server *servers.Postgres
	args   []string // without the database
	target map[string]string
}

// newFilling fills one database without a kill.
func newFilling(t *testing.T, h *haul, args ...string) *filling {
	t.Helper()
	f := &filling{haul: h, server: testenv.Postgres(t, testenv.Newer), args: args}
	to := testenv.Database(t, f.server)
	began := time.Now()
	f.filled(to, "undisturbed")
	f.took = time.Since(began)
	if f.target = f.rows(to); len(f.target) < 25 || strings.Count(f.target["schema"], "CREATE INDEX") < 5 {
		t.Fatalf("the target has %d tables, schema\n%s", len(f.target), f.target["schema"])
	}
	return f
}

// run gives the command.
func (f *filling) run(k kill, to secret.DSN) ended {
	f.t.Helper()
	return f.night.run(k, append(f.args, "--to", to.Reveal())...)
}

// filled gives the command and lets it come to its end.
func (f *filling) filled(to secret.DSN, what string) {
	f.t.Helper()
	if e := f.run(live, to); e.code != 0 {
		f.t.Fatalf("%s: exit %d\n%s%s", what, e.code, e.stdout, e.stderr)
	}
}

// rows is what another reader finds: every row of every table, and the schema.
func (f *filling) rows(to secret.DSN) map[string]string {
	f.t.Helper()
	conn, err := pgx.Connect(f.t.Context(), to.Reveal())
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = conn.Close(f.t.Context()) }()
	names, err := conn.Query(f.t.Context(), "select format('%I.%I', schemaname, relname) from pg_stat_user_tables order by 1")
	if err != nil {
		f.t.Fatal(err)
	}
	list, err := pgx.CollectRows(names, pgx.RowTo[string])
	if err != nil {
		f.t.Fatal(err)
	}
	found := map[string]string{}
	for _, name := range list {
		var text string
		err := conn.QueryRow(f.t.Context(), `select count(*) || ' ' || coalesce(md5(string_agg(md5(x::text), '' order by md5(x::text) collate "C")), '') from `+name+" x").Scan(&text)
		if err != nil {
			f.t.Fatal(err)
		}
		found[name] = text
	}
	dump, err := exec.CommandContext(f.t.Context(), testenv.PgDump(f.t), "--schema-only", "--dbname", to.Reveal()).Output()
	if err != nil {
		f.t.Fatal(err)
	}
	for line := range strings.Lines(string(dump)) {
		if !strings.HasPrefix(line, `\`) { // a key of that dump
			found["schema"] += line
		}
	}
	return found
}

// killed kills the command until so many kills are had, each time into an empty
// database, and gives it again until it is through.
func (f *filling) killed(kills int, next func() kill, before func()) {
	f.t.Helper()
	for f.kills = 0; f.kills < kills; {
		before()
		to := testenv.Database(f.t, f.server)
		for range 4 {
			if e := f.run(next(), to); !e.killed {
				break
			}
		}
		what := fmt.Sprintf("after %d kills", f.kills)
		f.filled(to, what)
		if diff := cmp.Diff(f.target, f.rows(to)); diff != "" {
			f.t.Fatalf("%s: another target:\n%s", what, diff)
		}
	}
}

// TestSalvageToKilled kills a salvage that fills a database: at random instants, at
// writes to the folder and at writes of the journal.
func TestSalvageToKilled(t *testing.T) {
	evac := parallel(t)
	wanted := 2
	if *full {
		wanted = 40
	}
	h := newHaul(t, evac, "tiny")
	h.again()
	f := newFilling(t, h, h.args...)
	random := dice(t)
	f.killed(wanted, func() kill {
		switch random.IntN(5) {
		case 0:
			return kill{write: 1 + random.IntN(330)}
		case 1:
			return at(1+random.IntN(12), [...]string{"before", "after"}[random.IntN(2)])
		default:
			return kill{after: 50*time.Millisecond + time.Duration(random.Int64N(int64(f.took)))}
		}
	}, h.again)
	h.through("the last of them")
	t.Logf("%d kills of salvage --to", f.kills)
}

// TestSalvageLoadKilled kills a load of a salvaged folder.
func TestSalvageLoadKilled(t *testing.T) {
	evac := parallel(t)
	wanted := 2
	if *full {
		wanted = 30
	}
	h := newHaul(t, evac, "tiny")
	f := newFilling(t, h, "cockroach", "load", "out")
	random := dice(t)
	f.killed(wanted, func() kill {
		if random.IntN(4) == 0 {
			return at(1+random.IntN(12), [...]string{"before", "after"}[random.IntN(2)])
		}
		return kill{after: 50*time.Millisecond + time.Duration(random.Int64N(int64(f.took)))}
	}, func() {})
	t.Logf("%d kills of load", f.kills)
}
