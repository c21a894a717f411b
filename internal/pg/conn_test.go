package pg

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/servers"
	"github.com/evac-io/evac/internal/testenv"
)

// No error of a failed connect holds the password, and each says what to do.
func TestConnectRefused(t *testing.T) {
	t.Parallel()
	const password = "s3cret'p@ss word"
	srv := testenv.OwnPostgres(t, testenv.Newer, func(o *servers.Options) { o.Password, o.Templates = secret.New(password), "" })
	good := srv.DSN("postgres", "").Reveal()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name string
		ctx  context.Context
		dsn  string
		kind fault.Kind
		says string
	}{
		{"password", t.Context(), strings.Replace(good, "s3cret", "other", 1), fault.Denied, `password authentication failed for user "postgres"`},
		{"database", t.Context(), strings.Replace(good, "/postgres?", "/nowhere?", 1), fault.Failed, `database "nowhere" does not exist`},
		{"tls", t.Context(), strings.Replace(good, "sslmode=disable", "sslmode=require", 1), fault.Failed, "server refused TLS"},
		{"port", t.Context(), "postgres://u:" + "s3cret%27p%40ss%20word@127.0.0.1:1/d", fault.Failed, "connection refused"},
		{"host", t.Context(), "host=nowhere.invalid user=u dbname=d password='s3cret\\'p@ss word'", fault.Failed, `no address for host "nowhere.invalid"`},
		{"unreadable", t.Context(), "postgres://u:s3cret'p@ss word@h:port/d", fault.Invalid, "cannot be read"},
		{"interrupted", ended, good, fault.Interrupted, "context canceled"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Connect(c.ctx, secret.NewDSN(c.dsn), ConnOptions{Application: "test", Side: Source})
			if err == nil {
				t.Fatal("it connected")
			}
			if fault.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) || !strings.HasPrefix(err.Error(), "connect to source ") {
				t.Errorf("error of kind %v: %v; want %v: %s", fault.KindOf(err), err, c.kind, c.says)
			}
			if len(fault.Hints(err)) == 0 && c.kind != fault.Interrupted {
				t.Errorf("no hint: %v", err)
			}
			for ; err != nil; err = errors.Unwrap(err) {
				if strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "ss word") {
					t.Fatalf("the password shows: %v", err)
				}
			}
		})
	}
}

// A session's settings are the pinned ones, whatever the role's and the
// server's are, and a setting that the server does not know is no failure.
func TestConnectPins(t *testing.T) {
	t.Parallel()
	db := testenv.Database(t, testenv.Postgres(t, testenv.Older))
	once(t, db, `do $$ begin
		execute format('alter database %I set datestyle = ''SQL, DMY''', current_database());
		execute format('alter database %I set statement_timeout = ''200ms''', current_database());
		execute format('alter database %I set search_path = public', current_database());
	end $$`)
	conn, err := Connect(t.Context(), db, ConnOptions{Application: "evac test", Side: Target, Settings: map[string]string{"work_mem": "7MB", "no_such_setting": "x"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	var got string
	err = conn.QueryRow(t.Context(), `select concat_ws('|', date '2025-02-01', current_setting('statement_timeout'), current_setting('search_path'),
		current_setting('work_mem'), current_setting('application_name'), current_setting('client_encoding'), current_setting('lc_monetary'))`).Scan(&got)
	if want := "2025-02-01|0||7MB|evac test|UTF8|C"; got != want || err != nil {
		t.Errorf("settings are %q, %v; want %q", got, err, want)
	}
}

func TestOneDatabase(t *testing.T) {
	t.Parallel()
	srv := testenv.Postgres(t, testenv.Older)
	db, other := testenv.Database(t, srv), testenv.Database(t, srv)
	elsewhere := testenv.Database(t, testenv.Postgres(t, testenv.Newer))
	first := dial(t, db)
	for _, c := range []struct {
		name string
		dsn  secret.DSN
		want bool
	}{{"same", db, true}, {"other database", other, false}, {"other server", elsewhere, false}} {
		if same, err := oneDatabase(t.Context(), first, dial(t, c.dsn)); same != c.want || err != nil {
			t.Errorf("%s: %v, %v", c.name, same, err)
		}
	}
}

func TestQuote(t *testing.T) {
	if got, want := Quote(`a"b`, "c.d"), `"a""b"."c.d"`; got != want {
		t.Errorf("name is %s, want %s", got, want)
	}
	if got, want := Literal(`it's \`), `'it''s \'`; got != want {
		t.Errorf("text is %s, want %s", got, want)
	}
}
