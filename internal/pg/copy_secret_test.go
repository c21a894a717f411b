package pg

import (
	"os"
	"strings"
	"testing"

	"github.com/evac-io/evac/internal/servers"
	"github.com/evac-io/evac/internal/testenv"
)

// A server that logs everything does not log what only its catalogs may know.
func TestCopyKeepsSecretsOutOfTheServersLog(t *testing.T) {
	talking := func(o *servers.Options) {
		o.Settings["log_statement"], o.Settings["log_min_duration_statement"] = "all", "0"
	}
	srv := testenv.OwnPostgres(t, testenv.Newer, talking)
	tr := newTripOn(t, testenv.OwnPostgres(t, testenv.Older, nil).DSN("postgres", ""), srv.DSN("postgres", ""), `
		create role hushed login password 'role-hidden';
		alter role hushed set app.key = 'setting-hidden';
		alter database postgres set app.key = 'setting-hidden';
		create foreign data wrapper w; create server s foreign data wrapper w options (token 'server-hidden');
		create user mapping for hushed server s options (user 'u', password 'mapping-hidden');
		create subscription sub connection 'host=nowhere password=subscription-hidden' publication p with (connect = false)`)
	hash := one(t, tr.From, "select rolpassword from pg_authid where rolname = 'hushed'")
	tr.copy(t)
	text, err := os.ReadFile(srv.LogFile())
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "-hidden") || strings.Contains(line, hash) {
			t.Errorf("the log says: %s", line)
		}
	}
	if got := one(t, tr.To, "select count(*)::text from pg_user_mapping, pg_subscription where umoptions::text like '%mapping-hidden%'"); got != "1" {
		t.Errorf("%s mappings and subscriptions on the target, want 1", got)
	}
}

// Who is no superuser cannot keep secrets out of the target's log: the check
// says so, and the lines that it names do.
func TestCheckWarnsOfSecretsInTheTargetsLog(t *testing.T) {
	srv := quietServer(t, testenv.Newer)
	to, admin := managed(t, srv, true)
	from := testenv.Database(t, testenv.Postgres(t, testenv.Older))
	tr := newTripOn(t, from, to, "do $$begin execute format('alter database %I set app.key = %L', current_database(), 'setting-hidden'); end$$")
	warned := func() (lines string) {
		seen, err := CheckCopy(t.Context(), tr.CopyOptions)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range seen.Warnings {
			if _, rest, ok := strings.Cut(w, "some may hold secrets"); ok {
				if !strings.Contains(w, "writes statements that fail into its log") || !strings.Contains(rest, "settings of applications") {
					t.Errorf("warning %q", w)
				}
				_, lines, _ = strings.Cut(rest, "as a superuser: ")
			}
		}
		return lines
	}
	lines := warned()
	if lines == "" {
		t.Fatal("nobody is warned")
	}
	once(t, admin, lines)
	if again := warned(); again != "" {
		t.Errorf("after these lines it is still said: %s", again)
	}
}
