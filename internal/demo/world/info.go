package world

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/evac-io/evac/internal/demo/shop"
	"github.com/evac-io/evac/internal/secret"
)

// The gateways that can be asked for.
const (
	HAProxy = "haproxy"
	StandIn = "standin"
)

// Options say what world there shall be. The starting process writes them,
// the world's own process reads them.
type Options struct {
	Size shop.Size `json:"size"`
	// Orders and Reads come so many times a second.
	Orders float64 `json:"orders"`
	Reads  float64 `json:"reads"`
	// StandIn is the command of the built-in stand-in for the gateway; the
	// configuration's path follows it.
	StandIn []string `json:"stand_in"`
	// Gateway is HAProxy or StandIn; empty takes HAProxy if it can be had.
	Gateway string `json:"gateway,omitempty"`
	// Linger is how long customers come before a run can begin, and after it
	// has ended.
	Linger time.Duration `json:"linger"`
	// Lifetime ends a world in which nothing has happened for so long.
	Lifetime time.Duration `json:"lifetime"`
	// Keep leaves the databases running after the result is known, so that
	// they can be looked into.
	Keep bool `json:"keep,omitempty"`
	// Follow tells that the target follows the source, and after the move the
	// source the target: all orders must be on both sides.
	Follow bool `json:"follow,omitempty"`
	// Home tells that the run is undone, once it is done, to where the target
	// follows the source again. The world stays until it is ended then.
	Home bool `json:"home,omitempty"`
	// Catalog is SQL that prints facts of a database, to be the same on both
	// sides; empty takes evac's own.
	Catalog string `json:"catalog,omitempty"`
}

// Side is one of the two databases.
type Side struct {
	Version string `json:"version"`
	Port    int    `json:"port"`
	// DSN is without password.
	DSN string `json:"dsn"`
	PID int    `json:"pid"`
	Bin string `json:"bin"`
}

// Info is what a ready world says of itself; Error is set instead if it could
// not come into being.
type Info struct {
	PID     int       `json:"pid"`
	Ready   time.Time `json:"ready,omitzero"`
	Error   string    `json:"error,omitempty"`
	Kind    string    `json:"kind,omitempty"` // of the error, as in fault
	Hint    string    `json:"hint,omitempty"`
	Source  Side      `json:"source"`
	Target  Side      `json:"target"`
	Gateway string    `json:"gateway"`
	// PublicURL is where customers go, PreviewURL leads to the new place.
	PublicURL  string `json:"public_url"`
	PreviewURL string `json:"preview_url"`
	Rows       int64  `json:"rows"` // about
	// Variables are the runbook's, without the secret ones.
	Variables map[string]string `json:"variables"`
}

// VariablePrefix stands before a runbook's variable in the environment.
const VariablePrefix = "EVAC_VAR_"

// quotedQuote is a quote within the quotes of a shell.
const quotedQuote = `'\''`

// Quote puts a text into quotes for a shell.
func Quote(text string) string { return "'" + strings.ReplaceAll(text, "'", quotedQuote) + "'" }

// ReadEnv reads the variables that a conductor needs, with the secrets, from
// the file that a shell can read too.
func ReadEnv(dir string) (map[string]string, error) {
	text, err := os.ReadFile(Paths{dir}.Env())
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "='")
		if ok {
			all[name] = strings.ReplaceAll(strings.TrimSuffix(value, "'"), quotedQuote, "'")
		}
	}
	return all, nil
}

// env is the text of Paths.Env.
func env(home string, variables map[string]string, secrets map[string]secret.String) []byte {
	all := map[string]string{"EVAC_HOME": home}
	for name, value := range variables {
		all[VariablePrefix+name] = value
	}
	for name, value := range secrets {
		all[VariablePrefix+name] = value.Reveal()
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&b, "export %s=%s\n", name, Quote(all[name]))
	}
	return []byte(b.String())
}
