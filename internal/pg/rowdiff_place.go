package pg

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// keyRange cuts the values of a key's first column, an integer or a UUID, into
// places of equal width. Where sums disagree at a few places only, an index
// finds their rows and the rest need not be read again. A nil keyRange has one
// place.
type keyRange struct {
	column string // quoted
	uuid   bool
	// least is the smallest value (see ordinal), each place 1<<shift wide.
	least uint64
	shift int
	n     int
}

// placesOfKey is how many places there are at most, as an exponent of 2.
const placesOfKey = bucketsOfLarge - spreadOfPlace

// places makes the key's range from its smallest and largest value.
func places(column string, uuid bool, least, most uint64) *keyRange {
	k := &keyRange{column: Quote(column), uuid: uuid, least: least}
	k.shift = max(0, bits.Len64(most-least)-placesOfKey)
	k.n = int((most-least)>>k.shift) + 1
	return k
}

func (k *keyRange) count() int {
	if k == nil {
		return 1
	}
	return k.n
}

// place says where a row lies whose first field is the key's first column.
func (k *keyRange) place(row []byte) int {
	if k == nil {
		return 0
	}
	v := k.ordinal(row)
	if v <= k.least {
		return 0
	}
	return int(min((v-k.least)>>k.shift, uint64(k.n-1)))
}

// ordinal is the value that a row begins with as a number of the same order: an
// integer moved up by 2^63, of a UUID the first half.
func (k *keyRange) ordinal(row []byte) uint64 {
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
func (k *keyRange) literal(place int) string {
	v := k.least + uint64(place)<<k.shift
	if !k.uuid {
		return "'" + strconv.FormatInt(int64(v^1<<63), 10) + "'::bigint"
	}
	h := hex.EncodeToString([]byte{byte(v >> 56), byte(v >> 48), byte(v >> 40), byte(v >> 32), byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
	return "'" + h + strings.Repeat("0", 16) + "'::uuid"
}

// runsAtMost bounds how many ranges of keys one query asks for.
const runsAtMost = 64

// condition covers the places that are marked; none says that they are too many
// for an index to be of use.
func (k *keyRange) condition(marked []bool) (sql string, ok bool) {
	if k == nil {
		return "", false
	}
	var runs []string
	places := 0
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
		places += to - from + 1
		from = to
	}
	if len(runs) > runsAtMost || places > k.n/4 {
		return "", false
	}
	return strings.Join(runs, " or "), true
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
	k := &keyRange{uuid: r.placed == placedUUID}
	var ends [2]string
	for i, order := range []string{"asc", "desc"} {
		key := Quote(r.key[0])
		sql := "select " + key + "::text as text from " + r.parts[0].from + " r order by r." + key + " " + order + " limit 1"
		switch err := conn.QueryRow(ctx, sql).Scan(&ends[i]); {
		case errors.Is(err, pgx.ErrNoRows):
			return 0, 0, false, nil
		case err != nil:
			return 0, 0, false, fmt.Errorf("read the ends of key %s of %s: %w", key, r.name, err)
		}
	}
	return k.ordinal([]byte(ends[0])), k.ordinal([]byte(ends[1])), true, nil
}
