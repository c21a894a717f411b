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

func TestCheckCopyRefuses(t *testing.T) {
	t.Parallel()
	older, newer := testenv.Postgres(t, testenv.Older), testenv.Postgres(t, testenv.Newer)
	fresh := func(srv *servers.Postgres, sql string) secret.DSN {
		db := testenv.Database(t, srv)
		once(t, db, sql)
		return db
	}
	plain := fresh(older, "create table t (a int)")
	full := fresh(newer, `create table "odd ""table" (a int); create schema s; select lo_from_bytea(0, 'x')`)
	once(t, plain, "create role evac_nobody login")
	once(t, full, "create role evac_nobody login")
	latin := encoded(t, newer, "LATIN1")
	begun := fresh(newer, "")
	half := newTripOn(t, plain, begun, "")
	half.Token = "somebody else's"
	half.Save = func(context.Context, CopyState) error { return errors.New("cut off") }
	if _, err := Copy(t.Context(), half.CopyOptions); err == nil {
		t.Fatal("the copy was not cut off")
	}
	secured := fresh(older, "create table r (a int); alter table r enable row level security; grant select on r to evac_nobody; create sequence hidden; create table kept (a int)")

	for _, c := range []struct {
		name     string
		from, to secret.DSN
		dump     string
		kind     fault.Kind
		says     []string
	}{
		{"full target", plain, full, "", fault.Failed, []string{`target is not empty: table "public.odd \"table"`, `schema "s"`, `large objects "1"`}},
		{"older target", fresh(newer, ""), fresh(older, ""), "", fault.Failed, []string{"older than the source's"}},
		{"one database", plain, plain, "", fault.Invalid, []string{"source and target are the same database"}},
		{"no such databases", older.DSN("nowhere", ""), newer.DSN("nowhere", ""), "", fault.Failed, []string{"connect to source postgres@", "connect to target postgres@", `database "nowhere" does not exist`}},
		{"no server", secret.NewDSN("postgres://u:hidden@127.0.0.1:1/x"), fresh(newer, ""), "", fault.Failed, []string{"connect to source u@127.0.0.1:1/x", "connection refused"}},
		{"no pg_dump there", plain, fresh(newer, ""), "/nowhere/pg_dump", fault.Invalid, []string{"/nowhere/pg_dump"}},
		{"rights on the source", as(secured, "evac_nobody"), fresh(newer, ""), "", fault.Denied, []string{"does not let the user read public.hidden, public.kept", "hides rows from the user in public.r"}},
		{"rights on the target", plain, as(fresh(newer, ""), "evac_nobody"), "", fault.Denied, []string{"does not let the user make schemas"}},
		{"encoding", plain, latin, "", fault.Failed, []string{"encoded in UTF8, the target in LATIN1"}},
		{"another's copy", plain, begun, "", fault.Busy, []string{"unfinished copy of another run", "somebody else's"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := CopyOptions{From: c.from, To: c.to, Token: "token", PgDump: c.dump}
			if o.PgDump == "" {
				o.PgDump = testenv.PgDump(t)
			}
			_, err := CheckCopy(t.Context(), o)
			if err == nil {
				t.Fatal("nothing was refused")
			}
			for _, want := range c.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error does not say %q:\n%v", want, err)
				}
			}
			if strings.Contains(err.Error(), "hidden@") || fault.KindOf(err) != c.kind {
				t.Errorf("kind is %v, want %v: %v", fault.KindOf(err), c.kind, err)
			}
		})
	}
}
