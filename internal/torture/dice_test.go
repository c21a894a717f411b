package torture

import (
	"flag"
	"math/rand/v2"
	"testing"
	"time"
)

var seed = flag.Uint64("seed", 0, "the dice of an earlier run")

// dice are said, so that a night can be tried again.
func dice(t *testing.T) *rand.Rand {
	t.Helper()
	from := *seed
	if from == 0 {
		from = uint64(time.Now().UnixNano())
	}
	t.Logf("again with -seed %d", from)
	return rand.New(rand.NewPCG(from, from))
}
