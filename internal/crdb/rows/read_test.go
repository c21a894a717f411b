package rows

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/crdb/catalog"
	"github.com/evac-io/evac/internal/crdb/enc"
)

// put makes a pair of hexadecimal digits, with its checksum.
func put(t testing.TB, key string, tag enc.Tag, data string) pair {
	t.Helper()
	p := pair{key: unhex(t, key), value: append([]byte{0, 0, 0, 0, byte(tag)}, unhex(t, data)...)}
	enc.SetChecksum(p.key, p.value)
	return p
}

func column(id uint32, name string, family enc.Family) catalog.Column {
	return catalog.Column{ID: id, Name: name, Type: enc.Type{Family: family}, Nullable: true}
}

// families is a table whose rows are several pairs: column 5 was dropped, column
// 6 is being added.
func families() *catalog.Table {
	t := &catalog.Table{ID: 60, Tenant: 1, DatabaseID: 50, Name: "families", Columns: []catalog.Column{
		column(1, "id", enc.IntFamily), column(2, "a", enc.StringFamily), column(3, "b", enc.IntFamily), column(4, "c", enc.DecimalFamily)},
		Families: []catalog.Family{{ID: 0, Columns: []uint32{1, 2}}, {ID: 1, Columns: []uint32{3}, Default: 3}, {ID: 2, Columns: []uint32{4, 6}}},
		Primary:  catalog.Index{ID: 1, Name: "primary", Unique: true, Columns: []uint32{1}, Desc: []bool{false}},
	}
	added := column(6, "soon", enc.IntFamily)
	t.Mutations = []catalog.Mutation{{State: catalog.WriteOnly, Direction: catalog.Add, Column: &added, What: "column"}}
	return t
}

// short makes the value of a pair too short to be one.
func short(p pair) pair { p.value = p.value[:3]; return p }

// flipped changes a bit of a value.
func flipped(p pair) pair { p.value[len(p.value)-1] ^= 1; return p }

func TestRead(t *testing.T) {
	const sum = BadChecksum
	for _, c := range []struct {
		name     string
		pairs    []pair
		rows     string
		doubtful string
		why      []Reason
	}{
		{"all families", []pair{put(t, "c489 89 88", enc.TagTuple, "26026869"), put(t, "c489 89 8989", enc.TagInt, "0e"), put(t, "c489 89 8a89", enc.TagTuple, "45 03 348982")},
			"1,hi,7,1.30\n", "", nil},
		{"others are NULL", []pair{put(t, "c489 89 88", enc.TagTuple, ""), put(t, "c489 8a 88", enc.TagTuple, "2600"), put(t, "c489 8b 88", enc.TagBytes, "")},
			"1,,,\n2,\"\",,\n3,,,\n", "", nil},
		{"a family of one column as a tuple", []pair{put(t, "c489 89 88", enc.TagTuple, "26026869"), put(t, "c489 89 8989", enc.TagTuple, "33 0e")},
			"1,hi,7,\n", "", nil},
		{"dropped, unknown and coming columns", []pair{put(t, "c489 89 88", enc.TagTuple, "2601 78 36 01 79"), put(t, "c489 89 8a89", enc.TagTuple, "53 02 13 04 1f 13 80c0ddeec102 a038 8241 "+"")},
			"1,x,,\n", "", nil},
		{"explicit NULL", []pair{put(t, "c489 89 88", enc.TagTuple, "21 1302")}, "1,,1,\n", "", nil},
		{"family 0 is missing", []pair{put(t, "c489 89 8989", enc.TagInt, "0e"), put(t, "c489 8a 88", enc.TagTuple, "")},
			"2,,,\n", "1,,7,\n", []Reason{Incomplete}},
		{"a bad checksum", []pair{put(t, "c489 89 88", enc.TagTuple, "26026869"), flipped(put(t, "c489 89 8989", enc.TagInt, "0e")), put(t, "c489 8a 88", enc.TagTuple, "")},
			"2,,,\n", "1,hi,-8,\n", []Reason{sum}},
		{"no checksum", []pair{{unhex(t, "c4898988"), unhex(t, "00000000 0a 26026869")}}, "1,hi,,\n", "", nil},
		{"a value without header", []pair{short(put(t, "c489 89 88", enc.TagTuple, "")), put(t, "c489 89 8989", enc.TagInt, "0e")}, "", "1,,7,\n", []Reason{Undecodable}},
		{"a type that nobody knows", []pair{put(t, "c489 89 88", enc.TagTuple, "2f 7f")}, "", "1,,,\n", []Reason{Undecodable}},
		{"a value of another type", []pair{put(t, "c489 89 88", enc.TagTuple, "23 0e")}, "", "1,\\x0e,,\n", []Reason{Undecodable}},
		{"a key of nothing", []pair{put(t, "c489 1261 88", enc.TagTuple, ""), put(t, "c489 89 88", enc.TagTuple, "")}, "1,,,\n", "", []Reason{Undecodable}},
		{"a key without family", []pair{put(t, "c489 89", enc.TagTuple, ""), put(t, "c489 89 8988", enc.TagTuple, "")}, "", "", []Reason{Undecodable, Undecodable}},
		{"rows of an interleaved table", []pair{put(t, "c489 89 88", enc.TagTuple, ""), put(t, "c489 89 8989", enc.TagInt, "0e"), put(t, "c489 89 fec589 89 88", enc.TagTuple, ""), put(t, "c489 8a 88", enc.TagTuple, "")},
			"1,,7,\n2,,,\n", "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := New(families(), Options{})
			if err != nil {
				t.Fatal(err)
			}
			var rows, doubtful bytes.Buffer
			res, err := d.Read(context.Background(), &pairs{list: c.pairs}, Output{Rows: NewCSV(&rows, ""), Doubtful: NewDoubtfulCSV(&doubtful, "")})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff("id,a,b,c\n"+c.rows, rows.String()); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff("id,a,b,c\n"+c.doubtful, doubtful.String()); diff != "" {
				t.Errorf("doubtful rows (-want +got):\n%s", diff)
			}
			var why []Reason
			for _, doubt := range res.Doubts {
				why = append(why, doubt.Reason)
			}
			if diff := cmp.Diff(c.why, why); diff != "" || res.DoubtCount != int64(len(why)) {
				t.Errorf("doubts (-want +got):\n%s", diff)
			}
			if res.Rows != int64(strings.Count(c.rows, "\n")) || res.Withheld != int64(strings.Count(c.doubtful, "\n")) {
				t.Errorf("%d rows and %d withheld", res.Rows, res.Withheld)
			}
		})
	}
}

// TestChecksums holds that each is counted as what it is.
func TestChecksums(t *testing.T) {
	d, err := New(families(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	res, err := d.Read(context.Background(), &pairs{list: []pair{put(t, "c489 89 88", enc.TagTuple, ""),
		{unhex(t, "c4898a88"), unhex(t, "00000000 0a")}, flipped(put(t, "c489 8b 88", enc.TagTuple, "26026869"))}}, Output{})
	if err != nil || res.Verified != 1 || res.Unverified != 1 || res.Bad != 1 || res.Rows != 2 || res.Pairs != 3 {
		t.Errorf("got %+v, %v", res, err)
	}
	if hex.EncodeToString(res.First) != "c48989" || hex.EncodeToString(res.Last) != "c4898b" {
		t.Errorf("from %x to %x", res.First, res.Last)
	}
	if len(res.Doubts) != 1 || res.Doubts[0].Span.String() != "[c4898b, c4898c)" {
		t.Errorf("doubts %v", res.Doubts)
	}
}

// TestInterleaved reads a real row of 1.0.7 out of its parent's span, beside the
// parent's own and one of another child.
func TestInterleaved(t *testing.T) {
	parent := &catalog.Table{ID: 53, Tenant: 1, Name: "t3", Columns: []catalog.Column{column(1, "k", enc.IntFamily)},
		Families: []catalog.Family{{Columns: []uint32{1}}}, Primary: catalog.Index{ID: 1, Columns: []uint32{1}, Desc: []bool{false}}}
	child := &catalog.Table{ID: 54, Tenant: 1, Name: "t4", Columns: []catalog.Column{column(1, "k", enc.IntFamily), column(2, "v1", enc.IntFamily), column(3, "v2", enc.IntFamily)},
		Families: []catalog.Family{{Columns: []uint32{1, 2, 3}}},
		Primary:  catalog.Index{ID: 1, Columns: []uint32{1}, Desc: []bool{false}, Ancestors: []catalog.Ancestor{{Table: 53, Index: 1, Shared: 1}}}}
	list := []pair{put(t, "bd898988", enc.TagTuple, ""), put(t, "bd8989febe8988", enc.TagTuple, "2302 1302"), put(t, "bd8989febf8988", enc.TagTuple, ""), put(t, "bd898a88", enc.TagTuple, "")}
	for _, c := range []struct {
		table *catalog.Table
		want  string
	}{{parent, "k\n1\n2\n"}, {child, "k,v1,v2\n1,1,1\n"}} {
		d, err := New(c.table, Options{})
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if _, err := d.Read(context.Background(), &pairs{list: list}, Output{Rows: NewCSV(&out, "")}); err != nil || out.String() != c.want {
			t.Errorf("%s: %q, %v", c.table.Name, out.String(), err)
		}
		if got := d.Span().String(); got != "[bd89, bd8a)" {
			t.Errorf("%s lies in %s", c.table.Name, got)
		}
	}
	d, _ := New(child, Options{})
	if got := d.RowStart(list[1].key); hex.EncodeToString(got) != "bd8989febe89" {
		t.Errorf("the row of a child begins at %x", got)
	}
}

// TestColumns holds which columns are given out.
func TestColumns(t *testing.T) {
	shard := column(2, "shard", enc.IntFamily)
	shard.Hidden, shard.Computed, shard.Virtual = true, "mod(k, 4)", true
	computed := column(3, "twice", enc.IntFamily)
	computed.Computed = "k * 2"
	virtual := column(4, "thrice", enc.IntFamily)
	virtual.Computed, virtual.Virtual = "k * 3", true
	table := &catalog.Table{ID: 60, Name: "t", Columns: []catalog.Column{column(1, "k", enc.IntFamily), shard, computed, virtual},
		Families: []catalog.Family{{Columns: []uint32{1, 3}}}, Primary: catalog.Index{ID: 1, Columns: []uint32{2, 1}, Desc: []bool{false, true}}}
	for _, c := range []struct {
		opt  Options
		want string
		left []string
	}{
		{Options{}, "k,shard,twice\n7,3,14\n", []string{"thrice"}}, // a key has its shard, though it is virtual
		{Options{Loadable: true}, "k\n7\n", []string{"shard", "twice", "thrice"}},
	} {
		d, err := New(table, c.opt)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		_, err = d.Read(context.Background(), &pairs{list: []pair{put(t, "c489 8b 80 fffffffffffffff8 88", enc.TagTuple, "331c")}}, Output{Rows: NewCSV(&out, "")})
		if err != nil || out.String() != c.want {
			t.Errorf("%+v: %q, %v", c.opt, out.String(), err)
		}
		if diff := cmp.Diff(c.left, d.LeftOut()); diff != "" {
			t.Errorf("left out (-want +got):\n%s", diff)
		}
	}
}

// TestComposite holds that a value counts more than the key that it repeats.
func TestComposite(t *testing.T) {
	table := families()
	table.Primary.Columns = []uint32{4}
	d, err := New(table, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	_, err = d.Read(context.Background(), &pairs{list: []pair{put(t, "c489 2a033c00 88", enc.TagTuple, "1302"), put(t, "c489 2a033c00 8a89", enc.TagTuple, "45 03 348982"),
		put(t, "c489 2a033e00 88", enc.TagTuple, "1302")}}, Output{Rows: NewCSV(&out, "")})
	if want := "id,a,b,c\n1,,,1.30\n1,,,1.31\n"; err != nil || out.String() != want {
		t.Errorf("%q, %v", out.String(), err)
	}
}

// TestNotNull holds that a NULL where none may be is named, and given out.
func TestNotNull(t *testing.T) {
	table := families()
	table.Columns[1].Nullable = false
	d, err := New(table, Options{})
	if err != nil {
		t.Fatal(err)
	}
	res, err := d.Read(context.Background(), &pairs{list: []pair{put(t, "c489 89 88", enc.TagTuple, "")}}, Output{})
	if err != nil || res.Rows != 1 || len(res.Doubts) != 1 || res.Doubts[0].Reason != NullBroken || !strings.Contains(res.Doubts[0].Why, `"a"`) {
		t.Errorf("%+v, %v", res, err)
	}
}

// unsettled is a source whose keys all have an open write.
type unsettled struct{ pairs }

func (*unsettled) Doubt() bool { return true }

func TestUnsettled(t *testing.T) {
	d, err := New(families(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	res, err := d.Read(context.Background(), &unsettled{pairs{list: []pair{put(t, "c489 89 88", enc.TagTuple, ""), put(t, "c489 89 8989", enc.TagInt, "0e")}}}, Output{})
	if err != nil || res.Rows != 1 || len(res.Doubts) != 1 || res.Doubts[0].Reason != Unsettled {
		t.Errorf("%+v, %v", res, err)
	}
}

var errDisk = errors.New("disk full")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errDisk }

// TestErrors holds that what is no row's fault ends the walk.
func TestErrors(t *testing.T) {
	d, err := New(families(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	list := []pair{put(t, "c489 89 88", enc.TagTuple, "")}
	if _, err := d.Read(context.Background(), &pairs{list: list}, Output{Rows: NewCSV(full{}, "")}); !errors.Is(err, errDisk) {
		t.Errorf("writing: %v", err)
	}
	if _, err := d.Read(context.Background(), &broken{pairs{list: list}}, Output{}); !errors.Is(err, errDisk) {
		t.Errorf("reading: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for len(list) < 2*heartbeat {
		list = append(list, list[0])
	}
	if _, err := d.Read(ctx, &pairs{list: list}, Output{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// broken is a source that breaks off.
type broken struct{ pairs }

func (*broken) Err() error { return errDisk }

func TestSequence(t *testing.T) {
	for name, want := range map[string]int64{"tiny": 1897, "crash": 3997} {
		c := open(t, name)
		n := 0
		for _, table := range c.catalog.Tables {
			if table.Sequence == nil {
				continue
			}
			n++
			it := c.reader.Iter(SequenceSpan(table))
			value, ok, err := ReadSequence(table, it)
			if value != want || !ok || err != nil {
				t.Errorf("%s: %s is at %d, %v, %v, want %d", name, table.Name, value, ok, err, want)
			}
			if err := it.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if n != 1 {
			t.Errorf("%s has %d sequences", name, n)
		}
	}
}
