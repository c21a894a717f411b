package pg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
)

// PgDump is a pg_dump program that was found on this machine.
type PgDump struct {
	Path string
	// Major is its major version: it reads servers up to that.
	Major int
	// Text is its own word, "18.4".
	Text string
}

// FindPgDump looks for a pg_dump that reads a source of that major version.
// where is a program, its directory, or "" for the usual places. One of the
// target's own major is taken first, then the newest.
func FindPgDump(ctx context.Context, where string, source, target int) (PgDump, error) {
	source = max(source, oldestDump)
	var best PgDump
	var seen []string
	for _, path := range dumpPlaces(where) {
		d, err := askVersion(ctx, path)
		if err != nil {
			if where != "" {
				return PgDump{}, fault.Wrap(fault.Invalid, fmt.Sprintf("try pg_dump %q", path), err, "name the program or its directory")
			}
			continue
		}
		seen = append(seen, fmt.Sprintf("%s (%s)", d.Path, d.Text))
		if d.Major >= source && (best.Path == "" || best.Major != target && (d.Major == target || d.Major > best.Major)) {
			best = d
		}
	}
	if best.Path != "" {
		return best, nil
	}
	found := "none found"
	if len(seen) > 0 {
		found = "found " + strings.Join(seen, ", ")
	}
	return PgDump{}, fault.New(fault.Failed, fmt.Sprintf("find pg_dump %d or newer for the source: %s", source, found),
		fmt.Sprintf("install the PostgreSQL %d client programs, or name its pg_dump (pg_dump = \"/path/to/pg_dump\")", max(source, target)))
}

// oldestDump is the oldest major version of pg_dump that is taken: older ones
// tell their major versions (9.4, 9.5 …) apart by the second number.
const oldestDump = 10

func dumpPlaces(where string) []string {
	if where != "" {
		if info, err := os.Stat(where); err == nil && info.IsDir() {
			where = filepath.Join(where, "pg_dump")
		}
		return []string{where}
	}
	var places []string
	if path, err := exec.LookPath("pg_dump"); err == nil {
		places = append(places, path)
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin/pg_dump", "/usr/pgsql-*/bin/pg_dump", "/usr/local/pgsql*/bin/pg_dump",
		"/opt/homebrew/opt/postgresql@*/bin/pg_dump", "/usr/local/opt/postgresql@*/bin/pg_dump",
		"/Applications/Postgres.app/Contents/Versions/*/bin/pg_dump",
	} {
		matches, err := filepath.Glob(pattern)
		if err != nil {
			panic("evac: internal error: " + err.Error()) // the patterns are constants
		}
		places = append(places, matches...)
	}
	return places
}

var versionText = regexp.MustCompile(`\b((\d+)(?:\.\d+)*(?:devel|beta\d+|rc\d+)?)\b`)

func askVersion(ctx context.Context, path string) (PgDump, error) {
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return PgDump{}, err
	}
	m := versionText.FindStringSubmatch(string(out))
	if m == nil {
		return PgDump{}, fmt.Errorf("it says %q, not its version", firstLine(string(out)))
	}
	major, err := strconv.Atoi(m[2])
	return PgDump{Path: path, Major: major, Text: m[1]}, err
}

// dump runs pg_dump for the schema of a source of that version as the snapshot
// sees it: the sections before and after the data. The password travels in the
// environment alone, and the script (it can hold those of user mappings) stays
// in memory.
func (d PgDump) dump(ctx context.Context, dsn secret.DSN, version int, snapshot string, more ...string) ([]entry, error) {
	op := "read schema of source with " + d.Path
	kept, err := keptAlive(dsn, version)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	args := append([]string{"--verbose", "--section=pre-data", "--section=post-data", "--snapshot=" + snapshot, "--no-blobs"}, more...)
	script, what, err := d.run(ctx, kept, args)
	if err != nil && strings.Contains(what, "unsupported startup parameter") { // a pooler passes none on
		script, what, err = d.run(ctx, dsn, args)
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		hint := ""
		switch {
		case strings.Contains(what, "closed the connection") || strings.Contains(what, "terminating connection"):
			hint = lostHint(dsn)
		case strings.Contains(what, "out of shared memory"):
			hint = "raise max_locks_per_transaction on the source: pg_dump locks every table at once"
		}
		return nil, fault.Wrap(fault.Failed, op, errors.New(what), hint)
	}
	return splitScript(script)
}

// run gives what pg_dump writes, or what it complains of.
func (d PgDump) run(ctx context.Context, dsn secret.DSN, args []string) (script, what string, err error) {
	cmd := exec.CommandContext(ctx, d.Path, append(slices.Clone(args), "--dbname="+dsn.WithoutPassword())...)
	cmd.Env = append(secret.Environ(), "LC_ALL=C", "PGAPPNAME="+applicationName)
	if pw := dsn.Password(); pw != "" {
		cmd.Env = append(cmd.Env, "PGPASSWORD="+pw)
	}
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return "", complaint(dsn, said.String(), err), err
	}
	return out.String(), "", nil
}

// complaint picks pg_dump's own error lines out of its talk.
func complaint(dsn secret.DSN, said string, err error) string {
	var redact secret.Redactor
	redact.AddDSN(dsn)
	var lines []string
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		if _, what, ok := strings.Cut(line, "error: "); ok {
			lines = append(lines, what)
		} else if _, what, ok := strings.Cut(line, "detail: "); ok {
			lines = append(lines, what)
		}
	}
	if len(lines) == 0 {
		return err.Error()
	}
	return redact.Text(strings.Join(lines, ": "))
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
