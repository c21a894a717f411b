package ranges

import (
	"context"
	"encoding/binary"
	"runtime"
	"testing"

	"github.com/evac-io/evac/internal/crdb/engine"
)

// planned makes the metadata of many ranges: each on some of the stores, a few
// log entries behind, one in ten with an entry that nobody has applied.
func planned(stores, ranges, replicas int) []*Source {
	fakes := make([]*fake, stores)
	for i := range fakes {
		fakes[i] = newFake(uint64(i + 1))
	}
	key := func(i int) string {
		if i == 0 {
			return ""
		}
		return string(binary.BigEndian.AppendUint32([]byte{0xbc, 0x89}, uint32(i)))
	}
	for i := range ranges {
		var members []uint64
		for r := range replicas {
			members = append(members, uint64((i*7+r*(stores/replicas))%stores+1))
		}
		end := key(i + 1)
		if i == ranges-1 {
			end = ""
		}
		d := desc(uint64(i+1), 5, key(i), end, members...)
		for r, store := range members {
			f := fakes[store-1]
			f.replica(d, state{applied: uint64(1000 - r%2)})
			f.log(d.RangeID, 1000, 1, write(key(i)+"x", 1, "row"))
			if i%10 == 0 {
				f.log(d.RangeID, 1001, 1, write(key(i)+"y", 1, "row"))
			}
		}
	}
	out := make([]*Source, stores)
	for i, f := range fakes {
		out[i] = &Source{Name: f.Name, View: engine.NewOverlay(engine.Empty{}, f.changes)}
		f.changes = nil
	}
	return out
}

// BenchmarkSurvey plans 25,000 ranges of seven replicas on 60 stores.
func BenchmarkSurvey(b *testing.B) {
	sources := planned(60, 25_000, 7)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	b.ResetTimer()
	for b.Loop() {
		m, err := Survey(context.Background(), sources, Options{})
		if err != nil {
			b.Fatal(err)
		}
		if len(m.Ranges) != 25_000 || len(m.Holes)+len(m.Overlaps) > 0 {
			b.Fatalf("%d ranges, %d holes, %d overlaps", len(m.Ranges), len(m.Holes), len(m.Overlaps))
		}
		b.StopTimer()
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MiB-held")
		runtime.KeepAlive(m)
		b.StartTimer()
	}
}

func TestSurveyScale(t *testing.T) {
	m, err := Survey(context.Background(), planned(6, 200, 3), Options{})
	if err != nil {
		t.Fatal(err)
	}
	it := m.View().Iter(everything())
	n := 0
	for it.Next() {
		n++
	}
	if err := it.Close(); err != nil || n != 20 || len(m.Ranges) != 200 {
		t.Errorf("%d rows of %d ranges, %v", n, len(m.Ranges), err)
	}
}
