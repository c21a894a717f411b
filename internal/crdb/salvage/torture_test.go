//go:build torture

package salvage

import (
	"flag"
	"testing"
)

var (
	damagedCases = flag.Uint64("cases", 2200, "how many damaged clusters are salvaged")
	damagedFirst = flag.Uint64("first", 1000, "the seed of the first of them")
	damagedOnly  = flag.String("only", "", "only this fixture")
)

// TestTortureSalvage damages the stores of real clusters in many ways, each
// decided by its seed, and holds what a salvage makes of them against the truth:
// no panic, no hang, no row that is wrong, missing or too many without being
// named, and nothing at all of that if the salvage says that it is complete.
func TestTortureSalvage(t *testing.T) {
	y := &tally{}
	for _, one := range []struct {
		name  string
		share uint64 // of a hundred cases
	}{{"tiny", 80}, {"crash", 13}, {"divergent", 7}} {
		if *damagedOnly != "" && *damagedOnly != one.name {
			continue
		}
		endure(t, one.name, seeds(*damagedFirst, *damagedCases*one.share/100), y)
		t.Log(y)
	}
}
