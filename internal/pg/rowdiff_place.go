package pg

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// locator divides the rows of a relation into places by one of its columns, by
// which a server can find them again: where sums disagree at a few places only,
// the rest need not be sent again. An integer or UUID that a key begins with is
// cut into ranges, which its index finds; of another integer it takes the lowest
// bits, for which the server still reads the whole table. The column is the
// first of a row. A nil locator has one place.
type locator struct {
	column string // quoted
	uuid   bool
	// least is the smallest value (see ordinal), each place 1<<shift wide.
	least uint64
	shift int
	n     int
	// bits tells that the places are the lowest bits.
	bits bool
}

// placesAtMost is how many places there are, as an exponent of 2.
const placesAtMost = bucketsOfLarge - spreadOfPlace

// rangesOf cuts a key by its smallest and largest value.
func rangesOf(column string, uuid bool, least, most uint64) *locator {
	k := &locator{column: Quote(column), uuid: uuid, least: least}
	k.shift = max(0, bits.Len64(most-least)-placesAtMost)
	k.n = int((most-least)>>k.shift) + 1
	return k
}

// lowBits takes the lowest bits of an integer.
func lowBits(column string) *locator {
	return &locator{column: Quote(column), n: 1 << placesAtMost, bits: true}
}

// count is how many places there are.
func (k *locator) count() int {
	if k == nil {
		return 1
	}
	return k.n
}

// place says where a row lies.
func (k *locator) place(row []byte) int {
	if k == nil {
		return 0
	}
	v := k.ordinal(row)
	if k.bits {
		return int(v) & (k.n - 1)
	}
	if v <= k.least {
		return 0
	}
	return int(min((v-k.least)>>k.shift, uint64(k.n-1)))
}

// ordinal is the value that a row begins with as a number of the same order: an
// integer moved up by 2^63, of a UUID the first half.
func (k *locator) ordinal(row []byte) uint64 {
	if k.uuid {
		return uuidOrdinal(row)
	}
	var v uint64
	minus := len(row) > 0 && row[0] == '-'
	if minus {
		row = row[1:]
	}
	for _, c := range row {
		if c-'0' > 9 {
			break
		}
		v = v*10 + uint64(c-'0')
	}
	if minus {
		v = -v
	}
	return v ^ 1<<63
}

func uuidOrdinal(row []byte) (v uint64) {
	const half = len("00000000-0000-0000")
	for _, c := range row[:min(half, len(row))] {
		switch {
		case c-'0' <= 9:
			v = v<<4 | uint64(c-'0')
		case c-'a' <= 5:
			v = v<<4 | uint64(c-'a'+10)
		}
	}
	return v
}

// literal writes the smallest value of a place as an SQL constant.
func (k *locator) literal(place int) string {
	v := k.least + uint64(place)<<k.shift
	if !k.uuid {
		return "'" + strconv.FormatInt(int64(v^1<<63), 10) + "'::bigint"
	}
	h := hex.EncodeToString([]byte{byte(v >> 56), byte(v >> 48), byte(v >> 40), byte(v >> 32), byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
	return "'" + h + strings.Repeat("0", 16) + "'::uuid"
}

// runsAtMost bounds how many ranges of keys one query asks for.
const runsAtMost = 64

// condition covers the places that are marked; ok is false where they are too
// many to be worth it.
func (k *locator) condition(marked []bool) (sql string, ok bool) {
	if k == nil {
		return "", false
	}
	places := 0
	for _, m := range marked {
		if m {
			places++
		}
	}
	if places > k.n/4 {
		return "", false
	}
	if k.bits {
		return k.bitsCondition(marked), true
	}
	runs := k.runs(marked)
	return strings.Join(runs, " or "), len(runs) <= runsAtMost
}

// runs are the conditions of places that lie side by side.
func (k *locator) runs(marked []bool) (runs []string) {
	for from := 0; from < k.n; from++ {
		if !marked[from] {
			continue
		}
		to := from
		for to+1 < k.n && marked[to+1] {
			to++
		}
		var bounds []string
		if from > 0 {
			bounds = append(bounds, k.column+" >= "+k.literal(from))
		}
		if to < k.n-1 {
			bounds = append(bounds, k.column+" < "+k.literal(to+1))
		}
		runs = append(runs, "("+strings.Join(bounds, " and ")+")")
		from = to
	}
	return runs
}

// bitsCondition asks for lowest bits; null counts as 0.
func (k *locator) bitsCondition(marked []bool) string {
	var wanted []string
	for place, m := range marked {
		if m {
			wanted = append(wanted, strconv.Itoa(place))
		}
	}
	sql := fmt.Sprintf("(%s & %d) in (%s)", k.column, k.n-1, strings.Join(wanted, ", "))
	if marked[0] {
		sql += " or " + k.column + " is null"
	}
	return sql
}

// marked are the places of the buckets that disagree.
func (h *hasher) marked(at []bool) []bool {
	places := make([]bool, h.places.count())
	for i, disagrees := range at {
		places[i>>h.spread] = places[i>>h.spread] || disagrees
	}
	return places
}

// keyEnds reads where the key of a relation begins and ends on one side, as
// ordinals; ok is false where there is no row.
func (r *relation) keyEnds(ctx context.Context, conn *pgx.Conn) (least, most uint64, ok bool, err error) {
	k := &locator{uuid: slices.Contains(r.uuids, r.key[0])}
	var ends [2]string
	for i, order := range []string{"asc", "desc"} {
		key := Quote(r.key[0])
		sql := "select " + key + "::text as " + Quote(r.key[0]+" as text") + " from " + r.parts[0].from + " order by " + key + " " + order + " limit 1"
		switch err := conn.QueryRow(ctx, sql).Scan(&ends[i]); {
		case errors.Is(err, pgx.ErrNoRows):
			return 0, 0, false, nil
		case err != nil:
			return 0, 0, false, fmt.Errorf("read the ends of key %s of %s: %w", key, r.name, err)
		}
	}
	return k.ordinal([]byte(ends[0])), k.ordinal([]byte(ends[1])), true, nil
}
