package shell_test

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/evac-io/evac/internal/kinds/shell"
)

// TestMain is also the keeper, and the conductor that is killed, of the tests.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == shell.KeepArgument {
		os.Exit(shell.Keep())
	}
	if len(os.Args) > 1 && os.Args[1] == conductArg {
		var c conductor
		if err := json.NewDecoder(os.Stdin).Decode(&c); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		c.conduct()
	}
	os.Exit(m.Run())
}
