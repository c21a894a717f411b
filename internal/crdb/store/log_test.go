package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/sst"
)

// logOf writes records as the engine does, with chunks of a group of types: 1
// plain, 5 with the log's number, 9 with the synced offset as well.
func logOf(group byte, number uint32, records ...[]byte) []byte {
	var out []byte
	header := map[byte]int{1: plainHeader, 5: recycledHeader, 9: syncedHeader}[group]
	for _, record := range records {
		for first := true; first || len(record) > 0; first = false {
			left := logBlock - len(out)%logBlock
			if left < header {
				out = append(out, make([]byte, left)...)
				left = logBlock
			}
			n := min(len(record), left-header)
			place := byte(middleChunk)
			switch last := n == len(record); {
			case first && last:
				place = fullChunk
			case first:
				place = firstChunk
			case last:
				place = lastChunk
			}
			body := []byte{group + place}
			if group >= 5 {
				body = binary.LittleEndian.AppendUint32(body, number)
			}
			if group >= 9 {
				body = binary.LittleEndian.AppendUint64(body, uint64(len(out)))
			}
			body = append(body, record[:n]...)
			out = binary.LittleEndian.AppendUint32(out, logSum(body))
			out = binary.LittleEndian.AppendUint16(out, uint16(n))
			out = append(out, body...)
			record = record[n:]
		}
	}
	return out
}

func readLog(data []byte, number uint64) (records [][]byte, gaps []gap) {
	l := newLogReader(bytes.NewReader(data), int64(len(data)), number)
	for {
		record, _, ok := l.next()
		if !ok {
			return records, l.gaps
		}
		records = append(records, bytes.Clone(record))
	}
}

func someRecords(n int) [][]byte {
	r := rand.New(rand.NewPCG(uint64(n), 2))
	var out [][]byte
	for i := range n {
		size := r.IntN(300)
		if i%7 == 3 {
			size = r.IntN(80_000)
		}
		record := []byte(fmt.Sprintf("record %d:", i))
		for range size {
			record = append(record, byte(r.Uint32()))
		}
		out = append(out, record)
	}
	return out
}

// TestLogs damages logs of each kind at known places.
func TestLogs(t *testing.T) {
	records := someRecords(24)
	small := [][]byte{[]byte("one"), []byte("two"), []byte("three")}
	for _, group := range []byte{1, 5, 9} {
		whole := logOf(group, 7, records...)
		flat := logOf(group, 7, small...)
		size := map[byte]int{1: 7, 5: 11, 9: 19}[group]
		tests := []struct {
			name string
			log  []byte
			want [][]byte
			gaps []gap
		}{
			{"whole", whole, records, nil},
			{"empty", nil, nil, nil},
			{"zeroes behind", append(bytes.Clone(flat), make([]byte, 100_000)...), small, nil},
			{"cut in the last record", flat[:len(flat)-1], small[:2], []gap{{offset: int64(2*size + 6), size: int64(size + 4), tail: true, torn: true, why: tornWrite}}},
			{"cut in the last header", flat[:2*size+6+3], small[:2], []gap{{offset: int64(2*size + 6), size: 3, tail: true, torn: true, why: tornWrite}}},
			{"flip in a record", flip(flat, size+3+size), [][]byte{small[0], small[2]}, []gap{{offset: int64(size + 3), size: int64(size + 3), why: badSum}}},
			{"flip in a length", flip(flat, size+3+5), [][]byte{small[0], small[2]}, []gap{{offset: int64(size + 3), size: int64(size + 3), why: tooLong}}},
			{"flip in the last record", flip(flat, len(flat)-1), small[:2], []gap{{offset: int64(2*size + 6), size: int64(size + 5), tail: true, why: badSum}}},
		}
		if group >= 5 {
			old := logOf(group, 3, someRecords(40)...)
			tests = append(tests, struct {
				name string
				log  []byte
				want [][]byte
				gaps []gap
			}{"an older log behind", append(bytes.Clone(flat), old[len(flat):]...), small, nil})
		}
		for _, test := range tests {
			t.Run(fmt.Sprintf("%d %s", group, test.name), func(t *testing.T) {
				got, gaps := readLog(test.log, 7)
				if !slices.EqualFunc(test.want, got, bytes.Equal) {
					t.Errorf("%d records, want %d", len(got), len(test.want))
				}
				if diff := cmp.Diff(test.gaps, gaps, cmp.AllowUnexported(gap{})); diff != "" {
					t.Errorf("gaps (-want +got): %s", diff)
				}
			})
		}
	}
}

func flip(data []byte, at int) []byte {
	out := bytes.Clone(data)
	out[at] ^= 0x10
	return out
}

// TestLogLosesLittle flips one bit anywhere: at most the record that it hits is
// lost, and a gap covers it.
func TestLogLosesLittle(t *testing.T) {
	records := someRecords(24)
	for _, group := range []byte{1, 5, 9} {
		whole := logOf(group, 7, records...)
		r := rand.New(rand.NewPCG(9, uint64(group)))
		for range 300 {
			at := r.IntN(len(whole))
			got, gaps := readLog(flip(whole, at), 7)
			if bytes.Equal(bytes.Join(got, nil), bytes.Join(records, nil)) {
				continue // padding
			}
			if len(got) != len(records)-1 {
				t.Fatalf("%d: flip at %d: %d records of %d, gaps %+v", group, at, len(got), len(records), gaps)
			}
			if len(gaps) != 1 || int64(at) < gaps[0].offset || int64(at) >= gaps[0].offset+gaps[0].size {
				t.Fatalf("%d: flip at %d: gaps %+v", group, at, gaps)
			}
		}
	}
}

// someBatch is a record with a large value between two small ones, or with as much
// in many small ones.
func someBatch(parts ...int) []byte {
	r := rand.New(rand.NewPCG(5, 5))
	record := make([]byte, batchHeader)
	binary.LittleEndian.PutUint32(record[8:], uint32(len(parts)))
	for i, n := range parts {
		value := make([]byte, n)
		for j := range value {
			value[j] = byte(r.Uint32())
		}
		record = append(record, byte(sst.Set), 3, 'k', byte(i>>8), byte(i), byte(n)|0x80, byte(n>>7)|0x80, byte(n>>14))
		record = append(record, value...)
	}
	return record
}

// TestBridge flips bits of a log with a large batch in it: what is damaged within
// its large value takes nothing else with it, and what is damaged elsewhere, or
// might be the end of one operation and the beginning of the next, does.
func TestBridge(t *testing.T) {
	many := make([]int, 400)
	for i := range many {
		many[i] = 500
	}
	small := []byte("a record")
	for _, group := range []byte{1, 5, 9} {
		header := map[byte]int{1: plainHeader, 5: recycledHeader, 9: syncedHeader}[group]
		for _, c := range []struct {
			name   string
			record []byte
			large  bool
		}{{"one large", someBatch(100, 200_000, 100), true}, {"many small", someBatch(many...), false}} {
			whole := logOf(group, 7, small, c.record, small)
			begin := len(small) + 2*header
			end := len(whole) - len(small) - header
			for at := begin - header; at < end; at += 1777 {
				l := newLogReader(bytes.NewReader(flip(whole, at)), int64(len(whole)), 7)
				l.reach = reach
				var got [][]byte
				var holes []hole
				for {
					record, _, ok := l.next()
					if !ok {
						break
					}
					got, holes = append(got, bytes.Clone(record)), append(holes, l.holes...)
				}
				block := at / logBlock
				if c.large && block > begin/logBlock && block < (end-1)/logBlock {
					to := (block+1)*(logBlock-header) - (begin - header) // of the record, at the block's end
					want := bytes.Clone(c.record)
					clear(want[to-(logBlock-header) : to])
					if len(got) != 3 || !bytes.Equal(got[1], want) || len(l.gaps) > 0 || len(holes) != 1 || holes[0].offset != int64(block*logBlock) || holes[0].to != to {
						t.Fatalf("%d, %s: flip at %d: %d records, gaps %+v, holes %+v", group, c.name, at, len(got), l.gaps, holes)
					}
				} else if len(got) != 2 || len(l.gaps) != 1 || len(holes) > 0 {
					t.Fatalf("%d, %s: flip at %d: %d records, gaps %+v, holes %+v", group, c.name, at, len(got), l.gaps, holes)
				}
			}
		}
	}
}

// TestOthersLog puts another log's contents in a log's place: an older one's are
// what is left in a file that was taken for a new log, a later one's are damage.
func TestOthersLog(t *testing.T) {
	for number, want := range map[uint64]bool{3: true, 7: false, 9: false} {
		got, gaps := readLog(logOf(5, 7, []byte("one"), []byte("two")), number)
		if lost := len(gaps) == 1 && !gaps[0].torn && gaps[0].why == laterLog; lost != want || number != 7 && len(got) > 0 {
			t.Errorf("as log %d: %q, gaps %+v", number, got, gaps)
		}
	}
}

func FuzzLog(f *testing.F) {
	for _, group := range []byte{1, 5, 9} {
		f.Add(logOf(group, 7, []byte("one"), []byte("two")), uint64(7))
	}
	f.Fuzz(func(t *testing.T, data []byte, number uint64) {
		holed := newLogReader(bytes.NewReader(data), int64(len(data)), number)
		holed.reach = reach
		for {
			record, _, ok := holed.next()
			if !ok {
				break
			}
			for _, h := range holed.holes {
				if h.from < batchHeader || h.to > len(record) || h.from >= h.to {
					t.Errorf("hole %+v in %d bytes", h, len(record))
				}
			}
		}
		records, gaps := readLog(data, number)
		n := 0
		for _, record := range records {
			n += len(record)
		}
		if n > len(data) {
			t.Errorf("%d bytes of records out of %d", n, len(data))
		}
		for _, g := range gaps {
			if g.offset < 0 || g.size < 0 {
				t.Errorf("gap %+v", g)
			}
		}
	})
}

func FuzzBatch(f *testing.F) {
	f.Add([]byte("\x05\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x01\x01a\x01b"))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := readBatch(data)
		if err != nil {
			return
		}
		m := newMemTable(0, "")
		for b.next() {
			if b.kind != ingest {
				_ = m.add(b.kind, b.seq, b.key, b.value)
			}
		}
		m.freeze()
		rangeTombstones(m.ranges, keys.Span{})
	})
}

// FuzzEdit feeds the reader of version edits, with the real ones as seeds.
func FuzzEdit(f *testing.F) {
	if os.Getenv("EVAC_FIXTURES") != "" {
		dir := fixture(f, "tiny", 1)
		data, err := os.ReadFile(dir + "/MANIFEST-000018")
		if err != nil {
			f.Fatal(err)
		}
		edits, _ := readLog(data, 0)
		for _, e := range edits {
			f.Add(e)
		}
	}
	f.Add([]byte{200, 1, 0, 202, 1, 0, 1, 1, 'x'})
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := parseEdit(data)
		if err != nil {
			return
		}
		v := newVersion()
		v.apply(e)
		tableRuns(v.sorted())
	})
}

func FuzzRegistry(f *testing.F) {
	f.Add([]byte{10, 12, 10, 1, 'a', 18, 7, 8, 2, 18, 3, 8, 1, 32})
	f.Fuzz(func(t *testing.T, data []byte) {
		files := map[string]setting{}
		if err := applyRegistry(data, files); err != nil {
			return
		}
		c := &cipherFS{files: files, keys: map[string][]byte{}}
		for name := range files {
			if _, err := c.cipher(files[name]); err == nil {
				t.Error("a cipher without keys")
			}
		}
	})
}
