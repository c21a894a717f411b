package pg

import (
	"strings"
	"testing"

	"github.com/evac-io/evac/internal/testenv"
)

// Once somebody has written to the new place, undo must not drop it.
func TestUndoRefusesWhatOthersWrote(t *testing.T) {
	t.Parallel()
	tr := newTrip(t, testenv.Older, testenv.Newer, "create table t (a int primary key); insert into t values (1); create sequence s")
	for _, sql := range []string{"insert into t values (2)", "update t set a = 3 where a = 1", "delete from t where a = 1", "select nextval('s')"} {
		tr.copy(t)
		load(t, tr.To, sql)
		tr.State = tr.saved
		err := UndoCopy(t.Context(), tr.CopyOptions)
		if err == nil || !strings.Contains(err.Error(), "was written to after the copy") {
			t.Fatalf("%s: undo says %v", sql, err)
		}
		load(t, tr.To, "drop table t; drop sequence s") // the person's own decision
		tr.saved = CopyState{}
	}
	tr.copy(t)
	load(t, tr.To, "analyze; create temporary table mine (a int); insert into mine values (1)")
	tr.undo(t)
}
