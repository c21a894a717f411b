package catalog

import (
	"encoding/hex"

	"github.com/evac-io/evac/internal/crdb/enc"
)

// spread gives the members of a new enum the bytes that CockroachDB gives them:
// the one in the middle first, halfway between the bounds, then either side.
func spread(members []enc.Member, low, high []byte) {
	if len(members) == 0 {
		return
	}
	mid := len(members) / 2
	at := halfway(low, high)
	members[mid].Physical = at
	spread(members[:mid], low, at)
	spread(members[mid+1:], at, high)
}

// halfway is a string of bytes between two others; an empty bound is none.
func halfway(low, high []byte) []byte {
	var out []byte
	for i := 0; ; i++ {
		l, h := 0, 256
		if i < len(low) {
			l = int(low[i])
		}
		if i < len(high) {
			h = int(high[i])
		}
		mid := (l + h) / 2
		out = append(out, byte(mid))
		if mid > l {
			return out
		}
		if l != h { // nothing fits between: go on behind low alone
			high = nil
		}
	}
}

// unhex is the bytes of a text of whole pairs of hexadecimal digits.
func unhex(s string) []byte {
	out, err := hex.DecodeString(s)
	if err != nil {
		return nil // the pattern that found s lets nothing else through
	}
	return out
}
