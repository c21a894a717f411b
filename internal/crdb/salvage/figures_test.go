//go:build bench

package salvage

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/sst"
)

// What a living cluster of three nodes gave on two cores that it shared with the
// client, of tables like these.
const (
	selectRate = 14.0    // MB/s of text: SELECT * by psql --csv
	keysRate   = 105_000 // keys/s of `cockroach debug keys` on one store
)

// estate is what a large cluster that had to be read once held, in millions of
// bytes, and by how many replicas.
const (
	estate   = 7_577_000.0
	replicas = 3
)

// showing is what one contender came to in one round.
type showing struct {
	seconds     float64
	bytes, text int64 // of the store, and of CSV
	pairs       int64
}

func (s showing) rate() float64 { return float64(s.bytes) / 1e6 / s.seconds }

// contest is the stores and what is measured on them.
type contest struct {
	stores []string
	out    string
	bytes  int64 // of the tables of the first store
}

// TestSalvageFigures measures a salvage of the stores in EVAC_STORES_DIR beside
// reading their tables, in turns: EVAC_BENCH_ROUNDS rounds, the median counts.
// EVAC_BENCH_ONLY names some of the contenders; EVAC_BENCH_PROFILE is a file for
// a profile of the processor.
func TestSalvageFigures(t *testing.T) {
	c := newContest(t)
	rounds := 5
	if v := os.Getenv("EVAC_BENCH_ROUNDS"); v != "" {
		var err error
		if rounds, err = strconv.Atoi(v); err != nil {
			t.Fatal(err)
		}
	}
	contenders := []string{"read", "pairs", "one", "two", "three"}
	if v := os.Getenv("EVAC_BENCH_ONLY"); v != "" {
		contenders = strings.Fields(v)
	}
	if name := os.Getenv("EVAC_BENCH_PROFILE"); name != "" {
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		if err := pprof.StartCPUProfile(f); err != nil {
			t.Fatal(err)
		}
		defer pprof.StopCPUProfile()
	}
	got := map[string][]showing{}
	for range rounds {
		for _, name := range contenders {
			s := c.run(t, name)
			fmt.Fprintf(os.Stderr, "%-6s %6.2f s, %4.0f MB/s of the store, %4.0f MB/s of CSV\n", name, s.seconds, s.rate(), float64(s.text)/1e6/s.seconds)
			got[name] = append(got[name], s)
		}
	}
	if len(contenders) == 5 {
		figures(got, c.bytes)
	}
}

func newContest(t *testing.T) *contest {
	root := os.Getenv("EVAC_STORES_DIR")
	c := &contest{out: filepath.Join(root, "out")}
	for n := 1; n <= replicas; n++ {
		c.stores = append(c.stores, filepath.Join(root, fmt.Sprintf("n%d", n)))
	}
	for _, name := range c.tables(t) {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		c.bytes += info.Size()
	}
	return c
}

func (c *contest) tables(t *testing.T) []string {
	list, err := filepath.Glob(filepath.Join(c.stores[0], "*.sst"))
	if err != nil || len(list) == 0 {
		t.Fatalf("no tables in %q: %v", c.stores[0], err)
	}
	return list
}

// run measures one contender on as many cores as it has workers.
func (c *contest) run(t *testing.T, name string) showing {
	cores := 1
	if name == "two" {
		cores = 2
	}
	runtime.GC()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
	begun := time.Now()
	s := showing{bytes: c.bytes}
	switch name {
	case "read":
		c.each(t, func(table *sst.Table) {
			if list, err := table.Check(t.Context()); err != nil || len(list) > 0 {
				t.Fatal(list, err)
			}
		})
	case "pairs":
		c.each(t, func(table *sst.Table) { s.pairs += verifyPairs(t, table) })
	case "one", "two":
		s = c.salvage(t, c.stores[:1], cores, s)
	case "three":
		s = c.salvage(t, c.stores, cores, s)
	default:
		t.Fatalf("nobody is called %q", name)
	}
	s.seconds = time.Since(begun).Seconds()
	if err := os.RemoveAll(c.out); err != nil {
		t.Fatal(err)
	}
	return s
}

// each opens the tables of the first store one after the other.
func (c *contest) each(t *testing.T, f func(*sst.Table)) {
	for _, name := range c.tables(t) {
		file, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		info, err := file.Stat()
		if err != nil {
			t.Fatal(err)
		}
		table, err := sst.Open(t.Context(), file, info.Size(), sst.Options{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		f(table)
		_ = file.Close()
	}
}

// verifyPairs reads every key and value of a table and verifies the checksum of
// the value.
func verifyPairs(t *testing.T, table *sst.Table) (n int64) {
	it := table.Iter(keys.Span{})
	var buf []byte
	for e := it.Next(); e != nil; e = it.Next() {
		n++
		user, version, err := keys.Split(e.Key)
		if err != nil || keys.KindOf(version) != keys.MVCC || len(e.Value) < 5 {
			continue
		}
		buf = append(append(buf[:0], user...), e.Value[4:]...)
		if sum := binary.BigEndian.Uint32(e.Value); sum != 0 && max(crc32.ChecksumIEEE(buf), 1) != sum && !bytes.HasPrefix(user, []byte{1}) {
			t.Fatalf("checksum of key %x", user)
		}
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	return n
}

// salvage takes all rows out, with everything that belongs to it.
func (c *contest) salvage(t *testing.T, stores []string, jobs int, s showing) showing {
	rep, err := Run(t.Context(), stores, c.out, Options{Jobs: jobs}, func(int64) {})
	if err != nil {
		t.Fatal(err)
	}
	if len(stores) == replicas && !rep.Complete {
		t.Fatalf("not complete: %v", rep.Problems[:min(3, len(rep.Problems))])
	}
	s.text = rep.Bytes
	for _, table := range rep.Tables {
		s.pairs += table.Checksums.Pairs
	}
	return s
}

// figures prints the medians of rates, and of ratios within a round.
func figures(got map[string][]showing, bytes int64) {
	median := func(f func(round int) float64) float64 {
		var list []float64
		for i := range got["one"] {
			list = append(list, f(i))
		}
		slices.Sort(list)
		return list[len(list)/2]
	}
	of := func(name string) func(int) float64 {
		return func(i int) float64 { return got[name][i].rate() }
	}
	text := func(name string) float64 {
		return median(func(i int) float64 { return float64(got[name][i].text) / 1e6 / got[name][i].seconds })
	}
	percent := func(a, b string, scale float64) float64 {
		return median(func(i int) float64 { return 100 * of(a)(i) / of(b)(i) / scale })
	}
	plain := func(name string, value float64, unit string) { fmt.Printf("bench %s %.2f %s\n", name, value, unit) }
	goal := func(name string, value float64, unit string, least float64) {
		verdict := "ok"
		if value < least {
			verdict = "short"
		}
		fmt.Printf("bench %s %.2f %s goal >= %g %s\n", name, value, unit, least, verdict)
	}
	one, two, three := median(of("one")), median(of("two")), median(of("three"))
	plain("salvage_store_size", float64(bytes)/1e9, "GB")
	plain("salvage_read", median(of("read")), "MB/s")
	plain("salvage_read_pairs", median(of("pairs")), "MB/s")
	goal("salvage", one, "MB/s", 60)
	goal("salvage_csv", text("one"), "MB/s", 150)
	goal("salvage_over_read", percent("one", "read", 1), "%", 12)
	goal("salvage_over_read_pairs", percent("one", "pairs", 1), "%", 25)
	goal("salvage_two_cores", percent("two", "one", 2), "%", 85)
	goal("salvage_three_replicas", three, "MB/s", 45)
	goal("salvage_over_select", text("two")/selectRate, "times", 10)
	goal("salvage_over_debug_keys", median(func(i int) float64 { return float64(got["two"][i].pairs) / got["two"][i].seconds })/keysRate, "times", 10)
	project(one, two/one/2, three)
}

// project says what the measured rates mean for a large estate, if all of it is
// authoritative or a third of it, on machines of 32 cores.
func project(one, linear, three float64) {
	const cores = 32
	// What two cores lose against one each, they lose again at each doubling.
	machine := func(rate float64) float64 { return rate * cores * math.Pow(linear, math.Log2(cores)) }
	for _, p := range []struct {
		name       string
		size, rate float64
		read       float64 // bytes from disk for each byte that is authoritative
	}{{"all_authoritative", estate, machine(one), 1}, {"three_replicas", estate / replicas, machine(three), replicas}} {
		for _, n := range []float64{1, 4, 16} {
			fmt.Printf("bench salvage_projection_%s_%gx%d %.2f h, each machine reading %.2f GB/s\n", p.name, n, cores, p.size/p.rate/3600/n, p.rate*p.read/1e3)
		}
	}
}
