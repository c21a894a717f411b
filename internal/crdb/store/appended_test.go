package store

import (
	"encoding/binary"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/sst"
)

// appending is where in a log the last entry of a range was appended.
type appending struct {
	index uint64
	end   int64 // of the record
}

// appendings reads a whole log for the last entry of each range's Raft log.
func appendings(t *testing.T, name string, number uint64) map[uint64]appending {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	out := map[uint64]appending{}
	for l := newLogReader(f, info.Size(), number); ; {
		record, _, ok := l.next()
		if !ok {
			return out
		}
		b, err := readBatch(record)
		for err == nil && b.next() {
			k, ok := keys.ParseRangeID(userOf(b.key))
			if ok && k.Suffix == keys.RaftLog && b.kind == sst.Set {
				out[k.RangeID] = appending{binary.BigEndian.Uint64(k.Detail), l.good}
			}
		}
	}
}

// TestAppended flips bytes of a log: the ends of just those Raft logs are certain
// that were written to behind the damage.
func TestAppended(t *testing.T) {
	t.Parallel()
	dir := fixture(t, "tiny", 1)
	name := filepath.Join(dir, "000021.log") // the newest
	all := map[uint64]appending{}
	for id, a := range appendings(t, filepath.Join(dir, "000017.log"), 17) { // which is live as well
		all[id] = appending{index: a.index}
	}
	maps.Copy(all, appendings(t, name, 21))
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	ends := func(data []byte) (*Store, map[uint64]uint64) {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		s := open(t, dir, Options{})
		return s, s.Appended()
	}
	if _, got := ends(data); len(got) != len(all) || len(got) < 40 {
		t.Errorf("whole: %d ranges, want %d", len(got), len(all))
	}
	truth, _ := scan(t, open(t, dir, Options{}))
	none, some, single := false, false, false
	for at := 5000; at < len(data); at += len(data) / 12 {
		s, got := ends(flip(data, at))
		lost, hit := int64(0), map[uint64]uint64{} // up to there; single entries
		for _, d := range s.Damage() {
			if k, ok := keys.ParseRangeID(d.Span.From); ok && k.Suffix == keys.RaftLog {
				hit[k.RangeID] = binary.BigEndian.Uint64(k.Detail)
			} else if d.Span.To == nil {
				lost = max(lost, d.Offset+d.Size)
			}
		}
		want := map[uint64]uint64{}
		for id, a := range all {
			if (lost == 0 || a.end > lost) && hit[id] != a.index {
				want[id] = a.index
			}
		}
		entries, damage := scan(t, s)
		lossesNamed(t, truth, entries, damage)
		single = single || len(hit) > 0
		none, some = none || len(want) < len(all), some || lost > 0 && len(want) > 0
		if !maps.Equal(want, got) {
			t.Errorf("flipped at %d, lost up to %d: %v, want %v", at, lost, got, want)
		}
	}
	if !none || !some || !single {
		t.Error("every flip, or none, left all ends certain, or hit no single entry")
	}
	if _, got := ends(flip(data, len(data)-1)); len(got) > 0 {
		t.Errorf("the last record is damaged: %v", got)
	}
	if _, got := ends(data[:len(data)-1]); len(got) < len(all)-1 {
		t.Errorf("cut as by a crash: %d ranges, want %d", len(got), len(all))
	}
}
