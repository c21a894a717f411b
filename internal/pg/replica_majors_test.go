package pg

import (
	"strings"
	"testing"

	"github.com/evac-io/evac/internal/testenv"
)

// Before 12 a standby is told by recovery.conf and promoted by pg_ctl, and the
// base backup comes without a manifest.
func TestReplicaOf11(t *testing.T) {
	t.Parallel()
	replicaAndPromote(t, "11")
}

// replicaAndPromote makes a replica of a server of that major and promotes it.
func replicaAndPromote(t *testing.T, which testenv.Which) {
	t.Helper()
	primary := newPrimary(t, which)
	db := primary.DSN("postgres", "")
	once(t, db, "insert into t select generate_series(1, 1000)")
	r := replicating(t, primary)
	made, err := Replica(t.Context(), *r)
	if err != nil {
		t.Fatal(err)
	}
	if manifest := primary.Install.Major >= 13; manifest != (made.Checked > 500) || made.Files < 500 {
		t.Errorf("the backup is %+v", made)
	}
	once(t, db, "insert into t select generate_series(1001, 2000)")
	to := &testenv.Standby{Dir: r.Local.Dir, Bin: r.Local.Bin, User: r.Local.User, DSN: testenv.AtPort(t, db, r.Port)}
	o := promoting(primary, to)
	if _, err := PlanPromote(t.Context(), *o); err != nil {
		t.Fatal(err)
	}
	promoted, err := Promote(t.Context(), *o)
	if err != nil {
		t.Fatal(err)
	}
	if err := VerifyPromote(t.Context(), *o, promoted); err != nil {
		t.Error(err)
	}
	if rows := strings.TrimSpace(psql(t, to.DSN, "--tuples-only", "--command=select count(*) from t")); rows != "2000" || promoted.Timeline != 2 {
		t.Errorf("%s rows, result %+v", rows, promoted)
	}
}
