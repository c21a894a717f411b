package postgres

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/step"
	"github.com/evac-io/evac/internal/testenv"
)

// A headcount that does not come out even is an error with its own exit code,
// and still gives its output: each difference as scripts are promised it.
func TestVerifyGivesDifferencesAndTheirExitCode(t *testing.T) {
	v := &Verify{
		From: testenv.Database(t, testenv.Postgres(t, testenv.Older)), To: testenv.Database(t, testenv.Postgres(t, testenv.Newer)),
		Jobs: 2, MaxDifferences: 2, Memory: 1 << 20,
	}
	for _, side := range []secret.DSN{v.From, v.To} {
		execute(t, side, `create table t (id int primary key, v text); insert into t select i, 'v' || i from generate_series(1, 9) i; create index slow on t (v)`)
	}
	execute(t, v.To, `update t set v = null where id = 3; delete from t where id = 5; insert into t values (77, 'x'); drop index slow`)
	env := testenv.Env(t)
	plan, err := v.Check(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	out, err := v.Run(t.Context(), env, plan)
	if fault.Code(err) != 3 || !strings.Contains(err.Error(), "1 of 9 rows missing, 1 extra, 1 different; 1 of ") {
		t.Errorf("error %v with exit code %d", err, fault.Code(err))
	}
	text, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Rows, Missing, Extra, Different int
		Differences                     []map[string]any
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	want := []map[string]any{
		{"class": "row", "table": "public.t", "kind": "different", "key": "3", "source": map[string]any{"v": "v3"}, "target": map[string]any{"v": nil}},
		{"class": "row", "table": "public.t", "kind": "missing", "key": "5", "source": map[string]any{"id": "5", "v": "v5"}, "target": nil},
	}
	if diff := cmp.Diff(want, got.Differences); diff != "" || got.Rows != 9 {
		t.Errorf("rows %d, differences %s", got.Rows, diff)
	}
	if err := v.Verify(t.Context(), env, step.Done{Plan: plan, Output: text}); fault.Code(err) != 3 {
		t.Errorf("verify of an uneven headcount: %v", err)
	}
}

func execute(t testing.TB, db secret.DSN, sql string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	conn, err := pgx.Connect(ctx, db.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.PgConn().Exec(ctx, sql).ReadAll(); err != nil {
		t.Error(err)
	}
	if err := conn.Close(ctx); err != nil {
		t.Error(err)
	}
}
