// Command evac moves a running service to a new home, or carries it out of a
// burning one: rehearsed, timed, proved, reversible, with nothing lost.
package main

import (
	"context"
	"io"
	"os"

	pgkinds "github.com/evac-io/evac/internal/kinds/postgres"
	"github.com/evac-io/evac/internal/kinds/shell"
)

// version is stamped by the linker in release builds.
var version = "devel"

// streams are where a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == shell.KeepArgument {
		exit(shell.Keep())
	}
	if len(os.Args) > 1 && os.Args[1] == pgkinds.HoldArgument {
		exit(pgkinds.Hold())
	}
	exit(run(context.Background(), os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}
