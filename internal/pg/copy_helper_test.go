package pg

import (
	"bytes"
	"context"
	_ "embed"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/servers"
	"github.com/evac-io/evac/internal/testenv"
)

// everything makes every kind of object and every odd value.
//
//go:embed testdata/everything.sql
var everything string

// trip is a copy between two databases, with what a caller keeps for it.
type trip struct {
	CopyOptions
	notes *noted
	saved CopyState
}

// newTrip makes a source that holds what sql makes, and an empty target, on
// servers of their own: roles belong to a server.
func newTrip(t testing.TB, from, to testenv.Which, sql string) *trip {
	t.Helper()
	source, target := quietServer(t, from), quietServer(t, to)
	return newTripOn(t, testenv.Database(t, source), testenv.Database(t, target), sql)
}

func newTripOn(t testing.TB, from, to secret.DSN, sql string) *trip {
	t.Helper()
	load(t, from, sql)
	tr := &trip{notes: &noted{}}
	tr.CopyOptions = CopyOptions{
		From: from, To: to, Jobs: 2, PgDump: testenv.PgDump(t), Token: "token", ChunkBytes: 256 << 10, Progress: tr.notes,
		Save: func(_ context.Context, s CopyState) error { tr.saved = s; return nil },
	}
	return tr
}

// quietServer is a server whose transaction counter only the test moves.
func quietServer(t testing.TB, which testenv.Which) *servers.Postgres {
	return testenv.OwnPostgres(t, which, func(o *servers.Options) { o.Settings["autovacuum"] = "off" })
}

func (tr *trip) copy(t testing.TB) CopyResult {
	t.Helper()
	tr.State = tr.saved
	result, err := Copy(t.Context(), tr.CopyOptions)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func (tr *trip) undo(t testing.TB) {
	t.Helper()
	tr.State = tr.saved
	if err := UndoCopy(t.Context(), tr.CopyOptions); err != nil {
		t.Fatal(err)
	}
}

// same fails unless both databases have one fingerprint.
func (tr *trip) same(t testing.TB) {
	t.Helper()
	if diff := cmp.Diff(fingerprint(t, tr.From), fingerprint(t, tr.To)); diff != "" {
		t.Fatalf("source (-) and target (+):\n%s", diff)
	}
}

// fingerprint is what a database is, read by psql.
func fingerprint(t testing.TB, dsn secret.DSN) []string {
	t.Helper()
	return strings.Split(psql(t, dsn, "--file=testdata/fingerprint.sql"), "\n")
}

// outside is what an empty database and its server are.
func outside(t testing.TB, dsn secret.DSN) []string {
	t.Helper()
	return append(dumped(t, dsn), fingerprint(t, dsn)...)
}

// dumped is what pg_dump and pg_dumpall say.
func dumped(t testing.TB, dsn secret.DSN) []string {
	t.Helper()
	dir := filepath.Dir(testenv.PgDump(t))
	var lines []string
	for _, args := range [][]string{
		{filepath.Join(dir, "pg_dump"), "--create", "--dbname=" + dsn.Reveal()},
		{filepath.Join(dir, "pg_dumpall"), "--globals-only", "--dbname=" + dsn.Reveal()},
	} {
		out := output(t, args[0], args[1:]...)
		for line := range strings.Lines(out) {
			if !strings.HasPrefix(line, `\`) { // \restrict has a random word
				lines = append(lines, line)
			}
		}
	}
	return lines
}

func psql(t testing.TB, dsn secret.DSN, args ...string) string {
	t.Helper()
	args = append([]string{"--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname=" + dsn.Reveal()}, args...)
	return output(t, filepath.Join(filepath.Dir(testenv.PgDump(t)), "psql"), args...)
}

// load runs a script, each statement by itself.
func load(t testing.TB, dsn secret.DSN, sql string) {
	t.Helper()
	script := filepath.Join(t.TempDir(), "load.sql")
	if err := os.WriteFile(script, []byte(sql), 0o600); err != nil {
		t.Fatal(err)
	}
	psql(t, dsn, "--file="+script)
}

func output(t testing.TB, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", program, err, said.String())
	}
	return out.String()
}

// noted keeps what a copy tells of its progress.
type noted struct {
	mu          sync.Mutex
	total, done int64
	over        bool
	notes       []string
}

func (n *noted) Total(_ string, total int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.total, n.done = total, 0
}

func (n *noted) Add(done int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.done += done
	n.over = n.over || n.done > n.total
}

func (n *noted) Note(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.notes = append(n.notes, text)
}

// noting tells whether a note with that text was given.
func (n *noted) noting(text string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Contains(strings.Join(n.notes, "\n"), text)
}
