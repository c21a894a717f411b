package pg

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/testenv"
)

func TestUnwrittenSince(t *testing.T) {
	// A cluster of its own: other tests write to the shared ones.
	for _, which := range []testenv.Which{testenv.Older, testenv.Newer} {
		t.Run(string(which), func(t *testing.T) {
			t.Parallel()
			srv := testenv.OwnPostgres(t, which, nil)
			db, other := testenv.Database(t, srv), testenv.Database(t, srv)
			conn := dial(t, db)
			once(t, db, "create table t (a int); create sequence s; insert into t values (1); select nextval('s')")
			once(t, other, "create table t (a int)")

			holds := func(name string, want bool, act func()) {
				t.Helper()
				mark, err := TakeMark(t.Context(), conn)
				if err != nil {
					t.Fatal(err)
				}
				act()
				got, reason, err := UnwrittenSince(t.Context(), conn, mark)
				if err != nil || got != want {
					t.Errorf("%s: unwritten = %v (%s), %v; want %v", name, got, reason, err, want)
				}
			}
			holds("nothing", true, func() {})
			holds("reading", true, func() { once(t, db, "select count(*) from t") })
			holds("insert", false, func() { once(t, db, "insert into t values (2)") })
			holds("truncate", false, func() { once(t, db, "truncate t") })
			holds("nextval", false, func() { once(t, db, "select nextval('s')") })
			holds("create", false, func() { once(t, db, "create table u (a int)") })
			holds("large object", false, func() { once(t, db, "select lo_from_bytea(0, 'abc')") })
			holds("another database, analyze, a number drawn", true, func() {
				once(t, other, "insert into t values (1)")
				once(t, db, "analyze t; select txid_current()")
			})

			writer := dial(t, db)
			execSQL(t, writer, "begin; insert into t values (3)")
			once(t, other, "insert into t values (4)") // moves the horizon past the writer
			holds("a writer under way at the mark", false, func() {
				execSQL(t, writer, "commit")
				_ = writer.Close(t.Context())
			})
		})
	}
}

func TestTakeMarkRefusesATransaction(t *testing.T) {
	conn := dial(t, testenv.Database(t, testenv.Postgres(t, testenv.Older)))
	execSQL(t, conn, "begin")
	if _, err := TakeMark(t.Context(), conn); err == nil {
		t.Fatal("took a mark inside a transaction")
	}
}

func dial(t testing.TB, dsn secret.DSN) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	return conn
}

func execSQL(t testing.TB, conn *pgx.Conn, sql string) {
	t.Helper()
	if err := run(t.Context(), conn, sql); err != nil {
		t.Fatal(err)
	}
}

// once runs SQL in a session of its own, whose end reports its counters.
func once(t testing.TB, dsn secret.DSN, sql string) {
	t.Helper()
	if err := tryOnce(context.WithoutCancel(t.Context()), dsn, sql); err != nil { // cleanups too
		t.Fatal(err)
	}
}

func tryOnce(ctx context.Context, dsn secret.DSN, sql string) error {
	conn, err := pgx.Connect(ctx, dsn.Reveal())
	if err != nil {
		return err
	}
	if err := run(ctx, conn, sql); err != nil {
		return errors.Join(fmt.Errorf("%.80s…: %w", sql, err), conn.Close(ctx))
	}
	return conn.Close(ctx)
}
