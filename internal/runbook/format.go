package runbook

import "github.com/evac-io/evac/internal/runbook/syntax"

// Format lays a runbook out in the canonical form, JSON with two blanks for
// each level. It changes nothing but layout; a text that does not parse stays
// as it is.
func Format(file string, text []byte) ([]byte, Diagnostics) { return syntax.Format(file, text) }
