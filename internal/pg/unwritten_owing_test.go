package pg

import (
	"testing"
	"time"

	"github.com/evac-io/evac/internal/testenv"
)

// Another database's transactions cost no wait. A session that has not reported
// what it wrote does, until it has ended, and is found out then.
func TestUnwrittenSinceAwaitsReports(t *testing.T) {
	for _, which := range []testenv.Which{testenv.Older, testenv.Newer} {
		t.Run(string(which), func(t *testing.T) {
			t.Parallel()
			srv := testenv.OwnPostgres(t, which, nil)
			db, other := testenv.Database(t, srv), testenv.Database(t, srv)
			conn := dial(t, db)
			once(t, db, "create table t (a int)")
			once(t, other, "create table t (a int)")
			idle := dial(t, db)
			execSQL(t, idle, "select 1")
			mark, err := TakeMark(t.Context(), conn)
			if err != nil {
				t.Fatal(err)
			}
			once(t, other, "insert into t values (1)")
			began := time.Now()
			got, reason, err := UnwrittenSince(t.Context(), conn, mark)
			if took := time.Since(began); err != nil || !got || took > statsLag/2 {
				t.Errorf("another database: unwritten = %v (%s), %v after %s", got, reason, err, took)
			}

			writer := dial(t, db)
			execSQL(t, writer, "select 1") // its report is sent; the next is not due yet
			if mark, err = TakeMark(t.Context(), conn); err != nil {
				t.Fatal(err)
			}
			execSQL(t, writer, "insert into t values (1)")
			left := time.AfterFunc(3*statsPause, func() { _ = writer.Close(t.Context()) })
			defer left.Stop()
			got, reason, err = UnwrittenSince(t.Context(), conn, mark)
			if err != nil || got || reason != rowsWritten {
				t.Errorf("a late report: unwritten = %v (%s), %v", got, reason, err)
			}
		})
	}
}
