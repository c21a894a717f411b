package secret

import (
	"os"
	"slices"
	"strings"
)

// VariablePrefix begins the environment variables that set a runbook's
// variables, secret ones among them.
const VariablePrefix = "EVAC_VAR_"

// Environ is this process's environment as a child may have it: without the
// runbook's variables. What a child needs of them it is given by its step.
func Environ() []string {
	return slices.DeleteFunc(os.Environ(), func(line string) bool { return strings.HasPrefix(line, VariablePrefix) })
}
