package salvage

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/fault"
)

func opened(t testing.TB, stores ...string) *Cluster {
	t.Helper()
	c, err := Open(t.Context(), stores, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// TestLookupTruth asks for rows of every table by their primary key and by each
// index: what comes is what the database showed.
func TestLookupTruth(t *testing.T) {
	c := opened(t, fixture(t, "tiny")...)
	for name, lines := range truth(t, "tiny") {
		table, err := c.table(name)
		if err != nil {
			t.Error(err)
			continue
		}
		column := map[string]int{}
		for i, col := range lines[0] {
			column[col] = i
		}
		ways := map[string][]uint32{"": table.Primary.Columns}
		for _, ix := range table.Indexes {
			if ix.Kind == 0 {
				ways[ix.Name] = ix.Columns
			}
		}
		for index, ids := range ways {
			for i := 1; i < len(lines); i += max(1, len(lines)/7) {
				q := Query{Table: name, Index: index, Null: "<<NULL>>", Limit: 5000}
				for _, id := range ids {
					if col := table.Column(id); col != nil && !strings.HasPrefix(col.Name, "crdb_internal_") {
						q.Key = append(q.Key, lines[i][column[col.Name]])
					}
				}
				holdAnswer(t, c, q, lines[0], lines[i])
			}
		}
	}
}

// holdAnswer wants one of the rows that are there now to be the given one.
func holdAnswer(t *testing.T, c *Cluster, q Query, header, line []string) {
	t.Helper()
	found, err := c.Lookup(t.Context(), q)
	if err != nil {
		t.Errorf("%+v: %v", q, err)
		return
	}
	want := Values{}
	for i, col := range header {
		if text := quirk.Replace(line[i]); text != "<<NULL>>" {
			want[col] = &text
		} else {
			want[col] = nil
		}
	}
	if !slices.ContainsFunc(found.Rows, func(r FoundRow) bool { return r.Matches && cmp.Equal(r.Now, want) }) || len(found.Doubts) > 0 {
		t.Errorf("%+v: the row is not among %d, doubts %q", q, len(found.Rows), found.Doubts)
	}
}

// told is an answer in few words: of each row its versions.
func told(found *Found) []string {
	var out []string
	for _, r := range found.Rows {
		text := fmt.Sprintf("%s matches=%v:", found.list(r.Key, true), r.Matches)
		for _, v := range r.Versions {
			text += " " + v.State
			for _, col := range slices.Sorted(maps.Keys(v.Values)) {
				if s := v.Values[col]; s != nil {
					text += fmt.Sprintf(" %s=%s", col, *s)
				}
			}
			text += ";"
		}
		out = append(out, text)
	}
	return out
}

// TestLookupHistory tells what rows were before, what a transaction had written
// that never ended, and what one had that was acknowledged a moment before the end.
func TestLookupHistory(t *testing.T) {
	c := opened(t, shared(t, "crash")...)
	for _, x := range []struct {
		q    Query
		want []string
	}{
		{Query{Table: "kingdom.public.late_commit", Key: []string{"2"}}, []string{"id=2 matches=true: committed id=2 v=late-upd; committed id=2 v=base2;"}},
		{Query{Table: "late_commit", Key: []string{"5"}}, []string{"id=5 matches=false: deleted; committed id=5 v=base5;"}},
		{Query{Table: "late_commit", Key: []string{"35"}}, []string{"id=35 matches=true: committed id=35 v=late35;"}},
		{Query{Table: "late_commit", Index: "late_commit_v_idx", Key: []string{"base2"}}, []string{"id=2 matches=false: committed id=2 v=late-upd; committed id=2 v=base2;"}},
		{Query{Table: "late_commit", Index: "late_commit_v_idx", Key: []string{"NULL"}, Null: "NULL"}, []string{"id=-2 matches=true: committed id=-2;"}},
		{Query{Table: "late_commit", Key: []string{"4711"}}, nil},
		{Query{Table: "public.guild_members", Key: []string{"1", "100"}}, []string{
			"gid=1, uid=100 matches=true: uncommitted; committed gid=1 joined=2020-02-06 04:00:00 role=member uid=100;"}},
		{Query{Table: "hashed", Key: []string{"7"}}, []string{"k=7, crdb_internal_k_shard_4=0 matches=true: committed crdb_internal_k_shard_4=0 k=7 v=hv7;"}},
	} {
		found, err := c.Lookup(t.Context(), x.q)
		if err != nil {
			t.Errorf("%+v: %v", x.q, err)
			continue
		}
		if diff := cmp.Diff(x.want, told(found)); diff != "" || len(found.Doubts) > 0 {
			t.Errorf("%+v: doubts %q (-want +got):\n%s", x.q, found.Doubts, diff)
		}
	}
	found, err := c.Lookup(t.Context(), Query{Table: "guild_members", Key: []string{"1"}, Limit: 2})
	if err != nil || len(found.Rows) != 2 || !found.More {
		t.Errorf("with a limit of 2: %d rows, more %v, %v", len(found.Rows), found.More, err)
	}
}

// TestLookupUncommitted finds what a transaction inserted and changed that was
// running when all nodes died, and says that it does not count.
func TestLookupUncommitted(t *testing.T) {
	c := opened(t, shared(t, "crash")...)
	found, err := c.Lookup(t.Context(), Query{Table: "users", Key: []string{uncommittedUser}})
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Rows) != 1 || found.Rows[0].Now != nil || len(found.Rows[0].Versions) != 1 {
		t.Fatalf("the row that was never committed: %v", told(found))
	}
	if v := found.Rows[0].Versions[0]; v.State != StateUncommitted || v.Transaction == "" || *v.Values["name"] != "UNCOMMITTED-1" {
		t.Errorf("the row that was never committed: %+v", v)
	}
}

// uncommittedUser is the UUID of the MD5 sum of "UNCOMMITTED-1".
const uncommittedUser = "dbfb0eaa-b7ca-9ea8-858c-94fdc87857fc"

// TestLookupDamaged finds a row that no table holds any more: it rests on the
// Raft log. With one store of three the answer is in doubt.
func TestLookupDamaged(t *testing.T) {
	stores := shared(t, "divergent")
	found, err := opened(t, stores...).Lookup(t.Context(), Query{Table: "hashed", Key: []string{"7"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Rows) != 1 || *found.Rows[0].Now["v"] != "hv7" || len(found.Rows[0].Rests) != 1 || found.Rows[0].Rests[0].Store != 0 {
		t.Errorf("hashed 7: %v, doubts %q", told(found), found.Doubts)
	}
	found, err = opened(t, stores[2]).Lookup(t.Context(), Query{Table: "hashed", Key: []string{"7"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Rows) != 0 || len(found.Doubts) == 0 {
		t.Errorf("hashed 7 without its store: %v, doubts %q", told(found), found.Doubts)
	}
}

// TestLookupRefuses says what the key is where a question cannot be answered.
func TestLookupRefuses(t *testing.T) {
	c := opened(t, fixture(t, "tiny")...)
	for _, x := range []struct {
		q    Query
		want string
	}{
		{Query{Table: "users", Key: []string{"kim"}}, "(id UUID)"},
		{Query{Table: "users"}, "(id UUID)"},
		{Query{Table: "guild_members", Key: []string{"1", "2", "3"}}, "(gid INT8, uid INT8)"},
		{Query{Table: "users", Index: "nothing", Key: []string{"1"}}, "primary"},
		{Query{Table: "user", Key: []string{"1"}}, "lists the tables"},
		{Query{Table: "hashed", Key: []string{"1", "0"}}, "(k INT8)"},
	} {
		_, err := c.Lookup(t.Context(), x.q)
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(strings.Join(fault.Hints(err), " "), x.want) {
			t.Errorf("%+v: %v, hints %q", x.q, err, fault.Hints(err))
		}
	}
}

// TestLookupBackup asks a backup.
func TestLookupBackup(t *testing.T) {
	folder := filepath.Join(filepath.Dir(folder(t, "crash")), "backups", "restore_old_versions", "exports", "v19.1.4")
	found, err := opened(t, folder).Lookup(t.Context(), Query{Table: "t4", Key: []string{"2"}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"k=2 matches=true: committed k=2 v1=2 v2=2;"}, told(found)); diff != "" || len(found.Doubts) > 0 {
		t.Errorf("doubts %q (-want +got):\n%s", found.Doubts, diff)
	}
}
