package rows

import (
	"context"
	"io"
	"syscall"
	"testing"

	"github.com/evac-io/evac/internal/crdb/catalog"
)

// pairs is a source in memory.
type pairs struct {
	list []pair
	at   int
}

type pair struct{ key, value []byte }

func (p *pairs) Next() bool    { p.at++; return p.at <= len(p.list) }
func (p *pairs) Key() []byte   { return p.list[p.at-1].key }
func (p *pairs) Value() []byte { return p.list[p.at-1].value }
func (p *pairs) Doubt() bool   { return false }
func (p *pairs) Err() error    { return nil }

// inMemory reads the pairs of a span.
func inMemory(t testing.TB, c *cluster, src Source) []pair {
	t.Helper()
	var out []pair
	var block []byte // they lie behind each other, as in a table's blocks
	for src.Next() {
		n := len(src.Key())
		if cap(block)-len(block) < n+len(src.Value()) {
			block = make([]byte, 0, max(1<<20, n+len(src.Value())))
		}
		from := len(block)
		block = append(append(block, src.Key()...), src.Value()...)
		out = append(out, pair{block[from : from+n : from+n], block[from+n : len(block) : len(block)]})
	}
	if err := src.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func load(t testing.TB, table string) (*catalog.Table, *Decoder, []pair) {
	t.Helper()
	c := open(t, "crash")
	def := c.table(t, table)
	d, err := New(def, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return def, d, inMemory(t, c, c.reader.Iter(d.Span()))
}

// BenchmarkCSV makes CSV of rows in memory, with checksums and the headcount of
// the indexes; the rate is that of the text
// by processor time.
func BenchmarkCSV(b *testing.B) {
	for _, table := range []string{"user_journal", "users", "user_snapshot", "shop_orders", "inventory", "blobs"} {
		_, d, list := load(b, table)
		b.Run(table, func(b *testing.B) {
			b.ReportAllocs()
			before, text := cpu(b), int64(0)
			for b.Loop() {
				sink := NewCSV(io.Discard, "")
				if _, err := d.Read(context.Background(), &pairs{list: list}, Output{Rows: sink}); err != nil {
					b.Fatal(err)
				}
				text += sink.Written()
			}
			b.ReportMetric(float64(text)/1e6/(cpu(b)-before), "MB/cpu-s")
		})
	}
}

// cpu is the processor time that the process has had, in seconds: others may use
// the machine too.
func cpu(b *testing.B) float64 {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	return float64(use.Utime.Nano()+use.Stime.Nano()) / 1e9
}

// BenchmarkEntries counts the entries of an index in memory; the rate is that of
// keys and values by processor time.
func BenchmarkEntries(b *testing.B) {
	def, d, _ := load(b, "user_journal")
	c := open(b, "crash")
	ix := d.Indexes()[0]
	list := inMemory(b, c, c.reader.Iter(def.Span(&def.Indexes[0])))
	before, read := cpu(b), int64(0)
	for b.Loop() {
		res, err := d.ReadEntries(context.Background(), ix.ID, &pairs{list: list})
		if err != nil {
			b.Fatal(err)
		}
		read += res.Bytes
	}
	b.ReportMetric(float64(read)/1e6/(cpu(b)-before), "MB/cpu-s")
}
