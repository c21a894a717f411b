package pg

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/secret"
)

// programOptions are the options by which PostgreSQL's own programs reach the
// server of a connection string, for a hint to type.
func programOptions(dsn secret.DSN, user bool) (options, database string) {
	config, err := pgx.ParseConfig(dsn.Reveal())
	if err != nil {
		return "-h HOST -p PORT", "DATABASE"
	}
	options = fmt.Sprintf("-h %s -p %d", shellWord(config.Host), config.Port)
	if user {
		options += " -U " + shellWord(config.User)
	}
	return options, shellWord(config.Database)
}

// createCommand makes an empty database; it is to be typed by a user who may.
func createCommand(dsn secret.DSN) string {
	options, database := programOptions(dsn, true)
	return "createdb " + options + " -T template0 " + database
}

var plainWord = regexp.MustCompile(`^[\pL\pN._/:@-]+$`)

// shellWord quotes what a shell would split or expand.
func shellWord(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
