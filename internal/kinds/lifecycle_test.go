package kinds_test

import (
	"os"
	"slices"
	"testing"

	"github.com/evac-io/evac/internal/kinds"
	"github.com/evac-io/evac/internal/kinds/postgres"
	"github.com/evac-io/evac/internal/kinds/shell"
	"github.com/evac-io/evac/internal/testenv"
)

// TestMain is also the keeper of the shell steps under test.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == shell.KeepArgument {
		os.Exit(shell.Keep())
	}
	if len(os.Args) > 1 && os.Args[1] == postgres.HoldArgument {
		os.Exit(postgres.Hold())
	}
	os.Exit(testenv.Stopping(m).Run())
}

// TestLifecycle takes every kind through its life; one without a case fails.
func TestLifecycle(t *testing.T) {
	testenv.Cover(t, kinds.All(), slices.Concat(
		shellCases(),
		waitCases(),
		announceCases(),
		probeCases(),
		pageCases(),
		gatewayCases(),
		postgresCases(),
		followCases(),
		cockroachCases(),
	))
}

func TestRegistry(t *testing.T) {
	if _, err := kinds.Registry(); err != nil {
		t.Fatal(err)
	}
}
