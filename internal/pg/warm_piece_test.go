package pg

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWithout(t *testing.T) {
	r := &warmRelation{}
	hot := []warmSegment{{relation: r, from: 2, to: 4}, {relation: r, from: 10, to: 20}}
	for _, test := range []struct {
		from, to int64
		want     []blockRange
	}{
		{0, 30, []blockRange{{0, 2}, {4, 10}, {20, 30}}},
		{2, 4, nil},
		{3, 12, []blockRange{{4, 10}}},
		{4, 10, []blockRange{{4, 10}}},
		{12, 15, nil},
		{20, 21, []blockRange{{20, 21}}},
		{0, 3, []blockRange{{0, 2}}},
	} {
		if diff := cmp.Diff(test.want, without(hot, test.from, test.to), cmp.AllowUnexported(blockRange{})); diff != "" {
			t.Errorf("%d to %d (-want +got):\n%s", test.from, test.to, diff)
		}
	}
}

// Each block is read once, in whatever pieces, the hot ones first.
func TestPiecesReadEachBlockOnce(t *testing.T) {
	big, small := &warmRelation{OID: 1, Name: "big", Blocks: 3*pieceBlocks + 7}, &warmRelation{OID: 2, Name: "small", Blocks: 3}
	index := &warmRelation{OID: 3, Name: "index", Kind: "i", Blocks: 2 * pieceBlocks}
	set := warmSet{
		Relations: []*warmRelation{small, index, big}, blockSize: 8192,
		Segments: []warmSegment{{relation: big, from: pieceBlocks - 3, to: pieceBlocks + 9}, {relation: big, from: 5, to: 6}, {relation: small, from: 0, to: 1}},
	}
	for _, test := range []struct {
		name string
		way  warmWay
		rate int64
		done map[uint32]int64
	}{
		{"blocks", warmWay{prewarm: "f"}, 0, nil},
		{"slowly", warmWay{prewarm: "f"}, 100 << 10, nil},
		{"again", warmWay{prewarm: "f"}, 0, map[uint32]int64{1: pieceBlocks, 2: 3}},
		{"scans", warmWay{}, 0, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			read := map[*warmRelation][]int{}
			for _, r := range set.Relations {
				read[r] = make([]int, r.Blocks)
			}
			var first []string
			for p := range set.pieces(test.way, test.rate, test.done) {
				if p.hot {
					first = append(first, p.relation.Name)
				}
				for _, b := range p.ranges {
					for i := b.from; i < b.to; i++ {
						read[p.relation][i]++
					}
				}
			}
			first = slices.Compact(first)
			if want := []string{"big", "small"}; !slices.Equal(first, want) {
				t.Errorf("hot pieces of %v, want %v", first, want)
			}
			hot := set.segmentsByRelation()
			for r, blocks := range read {
				for i, n := range blocks {
					want := 1
					if int64(i) < test.done[r.OID] && len(without(hot[r], int64(i), int64(i)+1)) > 0 {
						want = 0
					}
					if n != want {
						t.Fatalf("block %d of %s is read %d times, want %d", i, r.Name, n, want)
					}
				}
			}
		})
	}
}
