package pg

import (
	"regexp"
	"slices"
	"strings"
)

// First versions of what a newer pg_dump writes whatever the source is.
const (
	firstAccessMethod  = 12_00_00 // default_table_access_method
	firstNamedFunction = 11_00_00 // FUNCTION of event triggers and operators; before: PROCEDURE
	firstProvider      = 10_00_00 // PROVIDER of collations
	firstBareOptions   = 10_00_00 // columns of typed tables; before: WITH OPTIONS
)

// wordedFor words the entries as a target of that version understands them:
// pg_dump writes for its own. Anything else that the target does not know
// stays, and fails by name.
func wordedFor(version int, entries []entry) []entry {
	entries = slices.Clone(entries)
	for i := range entries {
		entries[i].SQL = entries[i].wordedFor(version)
	}
	return entries
}

func (e entry) wordedFor(version int) string {
	sql := e.SQL
	if version < firstAccessMethod {
		sql = strings.TrimPrefix(sql, "SET default_table_access_method = heap;\n")
	}
	switch {
	case e.Type == "EVENT TRIGGER" && version < firstNamedFunction:
		sql = strings.Replace(sql, "\n   EXECUTE FUNCTION ", "\n   EXECUTE PROCEDURE ", 1)
	case e.Type == "OPERATOR" && version < firstNamedFunction:
		sql = strings.Replace(sql, "\n    FUNCTION = ", "\n    PROCEDURE = ", 1)
	case e.Type == "COLLATION" && version < firstProvider:
		sql = strings.Replace(sql, " (provider = libc, ", " (", 1)
	case e.Type == "TABLE" && version < firstBareOptions && typedTable.MatchString(sql):
		sql = bareOptions.ReplaceAllString(sql, "$1 WITH OPTIONS$2")
	}
	return sql
}

var (
	typedTable  = regexp.MustCompile(`(?m)^CREATE (?:UNLOGGED )?TABLE .* OF .* \($`)
	bareOptions = regexp.MustCompile(`(?m)^(    (?:"(?:[^"]|"")*"|[a-z_][a-z_0-9$]*))( DEFAULT | NOT NULL)`)
)
