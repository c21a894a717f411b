package postgres

import (
	"os"
	"testing"

	"github.com/evac-io/evac/internal/testenv"
)

// TestMain is also the holder of the snapshots under test.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == HoldArgument {
		os.Exit(Hold())
	}
	testenv.Main(m)
}
