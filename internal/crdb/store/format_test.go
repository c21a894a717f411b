package store

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/cockroachkvs"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/fault"
)

func newer(version pebble.FormatMajorVersion) *pebble.Options {
	merger := *pebble.DefaultMerger
	merger.Name = "cockroach_merge_operator"
	o := &pebble.Options{
		Comparer: &cockroachkvs.Comparer, Merger: &merger, FormatMajorVersion: version, Logger: silent{},
		KeySchema: cockroachkvs.KeySchema.Name, KeySchemas: sstable.MakeKeySchemas(&cockroachkvs.KeySchema),
		DisableAutomaticCompactions: true, MemTableSize: 256 << 10, FS: vfs.Default,
	}
	o.EnsureDefaults()
	return o
}

func at(user string, wall int64) []byte {
	return keys.Append(nil, []byte(user), keys.Timestamp{Wall: wall})
}

// build makes a store with three overlapping levels, every kind of operation, an
// ingested table, an excised span and a log that was not flushed.
func build(t *testing.T, dir string, version pebble.FormatMajorVersion) *pebble.DB {
	t.Helper()
	o := newer(version)
	db := must(pebble.Open(dir, o))(t)
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for round := range int64(6) {
		for i := range 400 {
			user := fmt.Sprintf("k%03d", (i*7+int(round))%400)
			ok(db.Set(at(user, 1000+round), bytes.Repeat([]byte(user), 1+i%9), nil))
			switch {
			case i%11 == 0:
				ok(db.Delete(at(user, 1000+round-1), nil))
			case i%13 == 0:
				ok(db.Set(at(user, 0), []byte("intent"), nil))
			case i%17 == 0:
				ok(db.SingleDelete(at(user, 0), nil))
			case i%19 == 0:
				ok(db.Merge(at("tsd", 0), []byte(user), nil))
			}
		}
		ok(db.DeleteRange(at(fmt.Sprintf("k%03d", 50*round), 0), at(fmt.Sprintf("k%03d", 50*round+9), 0), nil))
		ok(db.RangeKeySet(at(fmt.Sprintf("k%03d", 60*round), 0), at(fmt.Sprintf("k%03d", 60*round+30), 0), suffix(900+round), nil, nil))
		if round == 3 {
			ok(db.RangeKeyUnset(at("k060", 0), at("k070", 0), suffix(901), nil))
			ok(db.RangeKeyDelete(at("k130", 0), at("k140", 0), nil))
			ok(ingestOne(t, db, o, dir, "k100", "k120"))
		}
		if round == 4 && version >= 18 {
			ok(exciseOne(t, db, o, dir))
		}
		if round < 5 {
			ok(db.Flush())
		}
		if round == 2 {
			ok(db.Compact(context.Background(), at("a", 0), at("z", 0), false))
		}
	}
	return db
}

func suffix(wall int64) []byte { return bytes.TrimPrefix(at("", wall), []byte{0}) }

func writeTable(t *testing.T, o *pebble.Options, name, from, to string) {
	t.Helper()
	f := must(vfs.Default.Create(name, vfs.WriteCategoryUnspecified))(t)
	w := sstable.NewWriter(objstorageprovider.NewFileWritable(f), o.MakeWriterOptions(0, o.FormatMajorVersion.MaxTableFormat()))
	for i := 0; ; i++ {
		user := fmt.Sprintf("%s-%02d", from, i)
		if i > 40 || user >= to {
			break
		}
		if err := w.Set(at(user, 5000), []byte("ingested")); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func ingestOne(t *testing.T, db *pebble.DB, o *pebble.Options, dir, from, to string) error {
	t.Helper()
	name := dir + ".ingest"
	writeTable(t, o, name, from, to)
	return db.Ingest(context.Background(), []string{name})
}

func exciseOne(t *testing.T, db *pebble.DB, o *pebble.Options, dir string) error {
	t.Helper()
	name := dir + ".excise"
	writeTable(t, o, name, "k201", "k210")
	_, err := db.IngestAndExcise(context.Background(), []string{name}, nil, nil, pebble.KeyRange{Start: at("k200", 0), End: at("k230", 0)})
	return err
}

// copyTo copies a store that is open, without its lock.
func copyTo(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// TestFormats reads stores of the formats that came after the fixtures, levels
// that overlap, and tables that only the MANIFEST dates or cuts.
func TestFormats(t *testing.T) {
	t.Parallel()
	for _, version := range []pebble.FormatMajorVersion{13, 16, 18, 19, 21, 24} {
		t.Run(fmt.Sprint(int(version)), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "s")
			db := build(t, dir, version)
			defer db.Close()
			s := open(t, copyTo(t, dir), Options{})
			if s.Facts().FormatVersion != int(version) {
				t.Errorf("format version %d", s.Facts().FormatVersion)
			}
			got, damage := scan(t, s)
			damage = slices.DeleteFunc(damage, func(d engine.Damage) bool { return d.Torn }) // the log is still being written
			want := map[string]string{}
			it := must(db.NewIter(&pebble.IterOptions{KeyTypes: pebble.IterKeyTypePointsOnly}))(t)
			for more := it.First(); more; more = it.Next() {
				want[string(it.Key())] = string(must(it.ValueAndErr())(t))
			}
			if err := it.Close(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" || len(damage) > 0 {
				t.Errorf("(-engine +store): %.900s damage %v", diff, damage)
			}
			if diff := cmp.Diff(tombstones(t, db), pieces(must(s.View().RangeTombstones(keys.Span{}))(t))); diff != "" {
				t.Errorf("range tombstones (-engine +store): %s", diff)
			}
		})
	}
}

// tombstones are the engine's range keys, joined where they go on.
func tombstones(t *testing.T, db *pebble.DB) []string {
	t.Helper()
	it := must(db.NewIter(&pebble.IterOptions{KeyTypes: pebble.IterKeyTypeRangesOnly}))(t)
	defer it.Close()
	var all []engine.RangeTombstone
	for more := it.First(); more; more = it.Next() {
		from, to := it.RangeBounds()
		for _, k := range it.RangeKeys() {
			moment, _ := keys.Version(k.Suffix[:len(k.Suffix)-1])
			span := keys.Span{From: bytes.Clone(userOf(from)), To: bytes.Clone(userOf(to))}
			if i := slices.IndexFunc(all, func(r engine.RangeTombstone) bool { return r.At == moment && bytes.Equal(r.Span.To, span.From) }); i >= 0 {
				all[i].Span.To = span.To
				continue
			}
			all = append(all, engine.RangeTombstone{Span: span, At: moment})
		}
	}
	return pieces(all)
}

func pieces(all []engine.RangeTombstone) []string {
	var out []string
	for _, r := range all {
		out = append(out, fmt.Sprintf("%s %s %s", r.Span.From, r.Span.To, r.At))
	}
	slices.Sort(out)
	return out
}

// TestRefusals names what cannot be read, and why.
func TestRefusals(t *testing.T) {
	t.Parallel()
	tests := map[string]func(dir string) error{
		"no CockroachDB store": func(string) error { return nil },
		"format major version 26 is newer": func(dir string) error {
			return errOf(os.WriteFile(filepath.Join(dir, "000001.sst"), nil, 0o600), os.WriteFile(filepath.Join(dir, "marker.format-version.000013.026"), nil, 0o600))
		},
		`keys are ordered by "leveldb.BytewiseComparator"`: func(dir string) error {
			return errOf(os.WriteFile(filepath.Join(dir, "000001.sst"), nil, 0o600), os.WriteFile(filepath.Join(dir, "OPTIONS-000002"), []byte("[Options]\n  comparer=leveldb.BytewiseComparator\n"), 0o600))
		},
	}
	for want, make := range tests {
		dir := t.TempDir()
		if err := make(dir); err != nil {
			t.Fatal(err)
		}
		_, err := Open(context.Background(), dir, Options{})
		if err == nil || !strings.Contains(err.Error(), want) || len(fault.Hints(err)) == 0 || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%v, hints %v; want %q", err, fault.Hints(err), want)
		}
	}
}

func errOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
