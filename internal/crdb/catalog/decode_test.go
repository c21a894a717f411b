package catalog

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/crdb/enc"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/wire"
)

// column makes a ColumnDescriptor.
func column(id uint64, name string, typ wire.Message) wire.Message {
	return wire.Message(nil).Bytes(1, []byte(name)).Int(2, id).Bytes(3, typ).Int(4, 1)
}

// message is a message without fields.
func message() wire.Message { return nil }

// TestTypes decodes types as every release wrote them.
func TestTypes(t *testing.T) {
	integer := func(width, visible uint64) wire.Message { return message().Int(1, 1).Int(2, width).Int(6, visible) }
	for _, test := range []struct {
		name string
		in   wire.Message
		want string
		oid  uint32
	}{
		{"1.0 INT", integer(0, 0), "INT8", enc.OIDInt8},
		{"1.0 INTEGER", integer(0, 1), "INT4", enc.OIDInt4},
		{"1.0 SMALLINT", integer(0, 2), "INT2", enc.OIDInt2},
		{"1.0 BIT(3), an integer then", integer(3, 4), "INT8", enc.OIDInt8},
		{"1.0 FLOAT", message().Int(1, 2), "FLOAT8", enc.OIDFloat8},
		{"1.0 FLOAT(10)", message().Int(1, 2).Int(3, 10), "FLOAT4", enc.OIDFloat4},
		{"2.0 REAL", message().Int(1, 2).Int(6, 5), "FLOAT4", enc.OIDFloat4},
		{"1.0 DECIMAL(10,2)", message().Int(1, 3).Int(2, 2).Int(3, 10), "DECIMAL(10,2)", 0},
		{"1.0 NAME", message().Int(1, 11), "NAME", enc.OIDName},
		{"1.0 STRING", message().Int(1, 7), "STRING", enc.OIDText},
		{"2.1 VARCHAR(4)", message().Int(1, 7).Int(2, 4).Int(6, 7), "VARCHAR(4)", enc.OIDVarChar},
		{"2.1 CHAR", message().Int(1, 7).Int(2, 1).Int(6, 8), "CHAR", enc.OIDBPChar},
		{"2.1 \"char\"", message().Int(1, 7).Int(2, 1).Int(6, 9), `"char"`, enc.OIDChar},
		{"2.1 VARBIT(5)", message().Int(1, 21).Int(2, 5).Int(6, 10), "VARBIT(5)", enc.OIDVarBit},
		{"2.1 BIT(5)", message().Int(1, 21).Int(2, 5), "BIT(5)", enc.OIDBit},
		{"1.1 INT[]", message().Int(1, 15).Int(7, 1), "INT8[]", 0},
		{"1.1 DECIMAL(5,1)[]", message().Int(1, 15).Int(2, 1).Int(3, 5).Int(7, 3), "DECIMAL(5,1)[]", 0},
		{"1.1 STRING[] COLLATE de", message().Int(1, 15).Bytes(5, []byte("de")).Int(7, 10), "STRING[] COLLATE de", 0},
		{"1.1 INT2VECTOR", message().Int(1, 200), "INT2VECTOR", enc.OIDInt2Vector},
		{"1.1 OIDVECTOR", message().Int(1, 201), "OIDVECTOR", enc.OIDOIDVector},
		{"2.0 COLLATE", message().Int(1, 10).Bytes(5, []byte("en-u-ks-level2")), "STRING COLLATE en_u_ks_level2", enc.OIDText},
		{"19.2 TIMESTAMPTZ", message().Int(1, 9).Int(10, 1184), "TIMESTAMPTZ", 1184},
		{"20.1 TIMESTAMPTZ(3)", message().Int(1, 9).Int(3, 3).Int(10, 1184).Int(12, 1), "TIMESTAMPTZ(3)", 1184},
		{"20.1 TIMESTAMP(0)", message().Int(1, 5).Int(10, 1114).Int(12, 1), "TIMESTAMP(0)", 1114},
		{"20.1 INTERVAL DAY TO SECOND(3)", message().Int(1, 6).Int(3, 3).Int(12, 1).Bytes(13, message().Int(1, 6).Int(2, 3)), "INTERVAL DAY TO SECOND(3)", 0},
		{"20.1 INT2[]", message().Int(1, 15).Int(10, 1005).Bytes(11, message().Int(1, 1).Int(2, 16).Int(10, 21)), "INT2[]", 1005},
		{"20.2 GEOMETRY(POINT,4326)", message().Int(1, 22).Bytes(14, message().Int(1, 4326).Int(2, 1)), "GEOMETRY(POINT,4326)", 0},
		{"21.1 GEOMETRY(POINTZM)", message().Int(1, 22).Bytes(14, message().Int(2, 1|3<<29)), "GEOMETRY(POINTZM)", 0},
		{"24.1 VECTOR(3)", message().Int(1, 32).Int(2, 3), "VECTOR(3)", 0},
		{"REGCLASS", message().Int(1, 12).Int(10, 2205), "REGCLASS", 2205},
		{"a family of a later release", message().Int(1, 99), "UNKNOWN /* family 99 */", 0},
	} {
		typ, mod, err := (&decoder{}).typ(test.in, 0)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if got := CockroachType(&typ, mod); got != test.want || typ.OID != test.oid {
			t.Errorf("%s: %s with OID %d, want %s with %d", test.name, got, typ.OID, test.want, test.oid)
		}
	}
	deep := message().Int(1, 1)
	for range maxTypeDepth + 2 {
		deep = message().Int(1, 15).Bytes(11, deep)
	}
	if _, _, err := (&decoder{}).typ(deep, 0); err != errTooDeep {
		t.Errorf("a type too deep: %v", err)
	}
}

// table1 makes the TableDescriptor of a table with the columns a, the key, b and
// c; more appends to it.
func table1(id uint64, name string, more func(wire.Message) wire.Message) Raw {
	integer := message().Int(1, 1).Int(2, 64).Int(10, 20)
	m := message().Bytes(1, []byte(name)).Int(3, id).Int(4, 52).Int(5, 1).Int(12, 5).Int(17, 3)
	for i, column1 := range []string{"a", "b", "c"} {
		m = m.Bytes(8, column(uint64(i+1), column1, integer))
	}
	m = more(m)
	return Raw{ID: uint32(id), Bytes: message().Bytes(1, m)}
}

// key makes an IndexDescriptor on the columns.
func key(id uint64, name string, columns ...uint64) wire.Message {
	m := message().Bytes(1, []byte(name)).Int(2, id).Int(3, 1)
	for _, c := range columns {
		m = m.Int(6, c).Int(8, 0)
	}
	return m
}

func withKey(m wire.Message) wire.Message { return m.Bytes(10, key(1, "primary", 1)) }

// only is the single table of some descriptors.
func only(t *testing.T, descs ...Raw) *Table {
	t.Helper()
	c, doubts := Load(descs, []Name{{ID: 52, Name: "db"}})
	if len(doubts) > 0 {
		t.Error(doubts)
	}
	return c.Table(1, descs[0].ID)
}

func TestLegacyForms(t *testing.T) {
	t.Run("families", func(t *testing.T) {
		table := only(t, table1(60, "t", func(m wire.Message) wire.Message { return withKey(m).Int(17, 1) }))
		want := []Family{{Name: "primary", Columns: []uint32{1}}, {ID: 2, Name: "fam_2_b", Columns: []uint32{2}, Default: 2}, {ID: 3, Name: "fam_3_c", Columns: []uint32{3}, Default: 3}}
		if diff := gocmp.Diff(want, table.Families); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("storing", func(t *testing.T) {
		old := key(2, "ix", 2).Bytes(5, []byte("c")).Int(7, 1).Int(7, 3)
		table := only(t, table1(60, "t", func(m wire.Message) wire.Message { return withKey(m).Bytes(11, old) }))
		ix := table.Index(2)
		if !slices.Equal(ix.Extra, []uint32{1, 3}) || !slices.Equal(ix.OldStoring, []uint32{3}) || table.list(table.stored(ix)) != "c" {
			t.Errorf("%+v", ix)
		}
	})
	t.Run("foreign key", func(t *testing.T) {
		fk := key(2, "ix", 2).Bytes(9, message().Int(1, 61).Int(2, 1).Bytes(3, []byte("fk_b")).Int(6, 4))
		descs := []Raw{
			table1(60, "t", func(m wire.Message) wire.Message { return withKey(m).Bytes(11, fk) }),
			table1(61, "u", withKey),
		}
		want := []ForeignKey{{Name: "fk_b", Columns: []uint32{2}, Table: 61, References: []uint32{1}, OnDelete: 4}}
		if diff := gocmp.Diff(want, only(t, descs...).Foreign); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("interleave without lengths", func(t *testing.T) {
		child := key(1, "primary", 1, 2).Bytes(11, message().Bytes(1, message().Int(1, 61).Int(2, 1)))
		descs := []Raw{
			table1(60, "t", func(m wire.Message) wire.Message { return m.Bytes(10, child) }),
			table1(61, "u", withKey),
		}
		table := only(t, descs...)
		segments := table.Segments(&table.Primary)
		if len(segments) != 2 || fmt.Sprintf("%x %x", segments[0].Prefix, segments[1].Prefix) != "c589 fec489" {
			t.Fatalf("%+v", segments)
		}
		if len(segments[0].Columns) != 1 || len(segments[1].Columns) != 1 {
			t.Errorf("columns %+v", segments)
		}
	})
}

func TestLayout(t *testing.T) {
	c := fixture(t, "crash-v20.2a")
	members, guilds := c.Table(1, 60), c.Table(1, 59)
	if got := c.Children(guilds); len(got) != 1 || got[0] != members {
		t.Errorf("tables among the rows of guilds: %v", got)
	}
	if span := members.Span(&members.Primary); fmt.Sprintf("%x", span.From) != "c389" {
		t.Errorf("rows of guild_members in %s", span)
	}
	orders := c.Table(1, 57)
	for _, ix := range orders.Indexes {
		declared, extra := orders.KeyColumns(&ix)
		if ix.Name == "ix_user" && (len(declared) != 2 || !declared[1].Desc || len(extra) != 1 || extra[0].Name != "order_id") {
			t.Errorf("ix_user: %+v, %+v", declared, extra)
		}
	}
	points := c.Table(1, 62)
	declared, _ := points.KeyColumns(&points.Primary)
	if !declared[0].Composite || !declared[1].Composite {
		t.Errorf("price_points: %+v", declared)
	}
	inventory := c.Table(1, 56)
	if f := inventory.FamilyOf(8); f == nil || f.Name != "f_note" {
		t.Errorf("inventory.note lives in %+v", f)
	}
	if got := c.Table(1, 71).Orphans(); len(got) != 1 || got[0] != 1 {
		t.Errorf("repk had the indexes %v", got)
	}
	if e := c.Table(1, 80).Column(3).Type.Elem.Enum; e == nil || len(e.Members) != 4 {
		t.Errorf("gacha.rs has the members %+v", e)
	}
	other := &Table{ID: 106, Tenant: 2, Primary: Index{ID: 1}}
	if got := fmt.Sprintf("%x", other.Segments(&other.Primary)[0].Prefix); got != "fe8af289" {
		t.Errorf("prefix of a tenant's table: %s", got)
	}
}

// TestBackups loads the manifests of real backups of 1.0 to 20.1.
func TestBackups(t *testing.T) {
	n := 0
	err := filepath.WalkDir(fixtureFile(t, "backups"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "BACKUP" {
			return err
		}
		n++
		c, doubts := Load(backupDescriptors(t, path), nil)
		if len(doubts) > 0 {
			t.Errorf("%s: %v", path, doubts)
		}
		if strings.Contains(path, "old_versions") {
			oldVersions(t, path, c)
		}
		for _, table := range c.Tables {
			if !table.System() && (len(table.Columns) == 0 || table.Primary.ID == 0) {
				t.Errorf("%s: %s: %+v", path, table.Name, table)
			}
		}
		return nil
	})
	if err != nil || n != 21 {
		t.Errorf("%d backups, %v", n, err)
	}
}

// oldVersions checks the four tables which each old version's backup has.
func oldVersions(t *testing.T, path string, c *Catalog) {
	var got []string
	for _, table := range c.Tables {
		if table.Database == "test" {
			got = append(got, table.Name+" "+table.list(table.Primary.Columns)+": "+CockroachType(&table.Columns[0].Type, Modifiers{}))
		}
	}
	want := []string{"t1 k: INT8", "t2 k: INT8", "t3 k: INT8", "t4 k: INT8"}
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q", path, got)
	}
	for _, table := range c.Tables {
		if table.Name == "t4" && len(table.Segments(&table.Primary)) != 2 {
			t.Errorf("%s: t4 is not interleaved", path)
		}
	}
}

// at gives versions of descriptors their moments, 1 and on.
func at(versions ...Raw) []Raw {
	for i := range versions {
		versions[i].At = keys.Timestamp{Wall: int64(i + 1)}
	}
	return versions
}

func TestHistory(t *testing.T) {
	state := func(n uint64) func(wire.Message) wire.Message {
		return func(m wire.Message) wire.Message { return withKey(m).Int(19, n) }
	}
	other := func(id uint64, columns ...uint64) func(wire.Message) wire.Message {
		return func(m wire.Message) wire.Message { return m.Bytes(10, key(id, "primary", columns...)) }
	}
	for _, test := range []struct {
		name  string
		descs []Raw
		want  []string
	}{
		{"alive", at(table1(60, "t", withKey), table1(60, "renamed", withKey)), nil},
		{"dropped", at(table1(60, "t", withKey), table1(60, "t", state(2)), table1(60, "t", state(2))), []string{"t 1 dropped 2"}},
		{"deleted", at(table1(60, "t", withKey), Raw{ID: 60}), []string{"t 1 dropped 2"}},
		{"truncated", at(table1(60, "t", withKey), table1(60, "t", other(3, 1))), []string{"t 1 truncated 2"}},
		{"another key", at(table1(60, "t", withKey), table1(60, "t", other(3, 2))), []string{"t 1 primary key changed 2"}},
		{"truncated by a new table", at(table1(60, "t", withKey), table1(60, "t", state(2)),
			table1(61, "t", func(m wire.Message) wire.Message { return withKey(m).Bytes(30, message().Int(1, 60)) })), []string{"t 1 truncated 2"}},
		{"truncated twice, then dropped", at(table1(60, "t", withKey), table1(60, "t", other(2, 1)), table1(60, "t", other(3, 1)), Raw{ID: 60}),
			[]string{"t 3 dropped 4", "t 2 truncated 3", "t 1 truncated 2"}},
	} {
		gone, doubts := History(test.descs, []Name{{ID: 52, Name: "db"}})
		var got []string
		for _, table := range gone {
			got = append(got, fmt.Sprintf("%s %d %s %d", table.Name, table.Primary.ID, table.Gone.Why, table.Gone.At.Wall))
		}
		slices.Sort(got)
		slices.Sort(test.want)
		if diff := gocmp.Diff(test.want, got); diff != "" || len(doubts) > 0 {
			t.Errorf("%s: %v\n%s", test.name, doubts, diff)
		}
	}
}

func TestDoubts(t *testing.T) {
	bad := []Raw{
		{ID: 60, Bytes: []byte{0xff}},
		{ID: 61, Bytes: message().Bytes(9, nil)},
		table1(62, "t", func(m wire.Message) wire.Message { return m }),
		table1(63, "u", func(m wire.Message) wire.Message { return m.Bytes(10, key(1, "primary", 9)) }),
		table1(64, "good", withKey),
		table1(65, "wide", func(m wire.Message) wire.Message {
			for i := range maxColumns {
				m = m.Bytes(8, column(uint64(i+10), "c", message()))
			}
			return withKey(m)
		}),
		table1(66, "long", func(m wire.Message) wire.Message { return m.Bytes(10, message().Bytes(6, make([]byte, maxParts))) }),
	}
	c, doubts := Load(bad, nil)
	var ids []uint32
	for _, d := range doubts {
		ids = append(ids, d.ID)
	}
	slices.Sort(ids)
	if want := []uint32{60, 61, 62, 63, 65, 66}; !slices.Equal(ids, want) {
		t.Errorf("doubts %v", doubts)
	}
	if good := c.Table(1, 64); good == nil || good.Database != "database_52" {
		t.Errorf("%+v", good)
	}
}

func FuzzLoad(f *testing.F) {
	for _, raw := range []Raw{table1(60, "t", withKey), table1(60, "t", func(m wire.Message) wire.Message {
		return withKey(m).Bytes(11, key(2, "ix", 2).Bytes(9, message().Int(1, 60).Int(2, 1))).Bytes(14, message().Bytes(1, column(4, "d", message().Int(1, 24).Int(10, 100070))))
	})} {
		f.Add(raw.Bytes)
	}
	if descs, _ := descriptors(f, "tiny-v20.2a"); len(descs) > 0 {
		for _, raw := range descs {
			f.Add(raw.Bytes)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		descs := []Raw{{ID: 60, Bytes: b}, table1(61, "u", withKey), {ID: 70, Bytes: b, Tenant: 3}}
		c, _ := Load(descs, nil)
		for _, table := range c.Tables {
			table.eachIndex(func(ix *Index) { table.Segments(ix) })
			table.Orphans()
			c.Children(table)
		}
		Postgres(c, 1, 52)
		Cockroach(c, 1, 52)
		History(at(descs...), nil)
	})
}
