package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	pgkinds "github.com/evac-io/evac/internal/kinds/postgres"
	"github.com/evac-io/evac/internal/kinds/shell"
	"github.com/evac-io/evac/internal/testenv"
)

// TestMain makes the test binary evac itself when it is called so: scripts and
// documents run the very commands that they show.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == shell.KeepArgument {
		exit(shell.Keep())
	}
	if len(os.Args) > 1 && os.Args[1] == pgkinds.HoldArgument {
		exit(pgkinds.Hold())
	}
	testscript.Main(testenv.Stopping(m), map[string]func(){"evac": main})
}
