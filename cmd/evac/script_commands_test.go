package main

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/servers"
	"github.com/evac-io/evac/internal/testenv"
)

// scriptCommands are what scripts can say besides testscript's own commands.
func scriptCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"exits":     exits,
		"last":      last,
		"object":    object,
		"until":     until,
		"get":       get,
		"free-port": freePort,
		"postgres":  postgres,
		"locked":    locked,
		"runid":     runID,
		"edit":      edit,
		"tamper":    tamper,
		"sql":       runSQL,
	}
}

// exits CODE COMMAND… runs a command that must end with that code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	if err != nil || neg {
		ts.Fatalf("usage: exits CODE COMMAND…")
	}
	got := 0
	var exit *exec.ExitError
	switch err := ts.Exec(args[1], args[2:]...); {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// last PATTERN: the last line on stdout matches.
func last(ts *testscript.TestScript, neg bool, args []string) {
	lines := stdoutLines(ts)
	found := len(lines) > 0 && regexp.MustCompile(args[0]).MatchString(lines[len(lines)-1])
	if found == neg {
		ts.Fatalf("last line on stdout of %d: %q", len(lines), lines[max(len(lines)-1, 0):])
	}
}

func stdoutLines(ts *testscript.TestScript) []string {
	text := strings.TrimRight(ts.ReadFile("stdout"), "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// object TYPE FIELD=PATTERN…: stdout is JSON objects, one a line, each with a
// type, and the newest of that type has these fields. A field may be a path
// (held.cause_exit); an empty pattern means that it is not there.
func object(ts *testscript.TestScript, neg bool, args []string) {
	objects, err := objects(ts.ReadFile("stdout"))
	if err != nil {
		ts.Fatalf("%v", err)
	}
	wrong := fmt.Sprintf("no object of type %q", args[0])
	for _, o := range objects {
		if o["type"] == args[0] {
			wrong = unlike(o, args[1:])
		}
	}
	if args[0] == "result" && len(objects) > 0 && objects[len(objects)-1]["type"] != "result" {
		wrong = "the last object is no result"
	}
	if (wrong != "") != neg {
		ts.Fatalf("%s", wrong)
	}
}

func objects(text string) ([]map[string]any, error) {
	var all []map[string]any
	for line := range strings.Lines(text) {
		var o map[string]any
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			return nil, fmt.Errorf("%q is no JSON object: %w", line, err)
		}
		if _, typed := o["type"].(string); !typed {
			return nil, fmt.Errorf("%q has no type", line)
		}
		all = append(all, o)
	}
	return all, nil
}

// unlike says which field is not as wanted, "" if all are.
func unlike(o map[string]any, fields []string) string {
	for _, f := range fields {
		path, pattern, _ := strings.Cut(f, "=")
		value := ""
		if v, ok := at(o, path); ok {
			value = plainText(v)
		}
		if (pattern == "") != (value == "") || !regexp.MustCompile("^(?:"+pattern+")$").MatchString(value) {
			return fmt.Sprintf("%s is %q, want %q", path, value, pattern)
		}
	}
	return ""
}

// at follows a path of names and list positions.
func at(v any, path string) (any, bool) {
	for name := range strings.SplitSeq(path, ".") {
		switch in := v.(type) {
		case map[string]any:
			next, ok := in[name]
			if !ok {
				return nil, false
			}
			v = next
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(in) {
				return nil, false
			}
			v = in[i]
		default:
			return nil, false
		}
	}
	return v, true
}

func plainText(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// patience is how long a script waits for something that must come.
const patience = 20 * time.Second

// until PATTERN COMMAND… gives a command again until its stdout matches.
func until(ts *testscript.TestScript, neg bool, args []string) {
	pattern := regexp.MustCompile(args[0])
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for {
		err := ts.Exec(args[1], args[2:]...)
		if (err == nil && pattern.MatchString(ts.ReadFile("stdout"))) != neg {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			ts.Fatalf("not within %s", patience)
		}
	}
}

// get URL ACCEPT asks until the server is there; the answer, status and
// headers first, becomes stdout.
func get(ts *testscript.TestScript, _ bool, args []string) {
	req, err := http.NewRequest(http.MethodGet, args[0], nil)
	ts.Check(err)
	req.Header.Set("Accept", args[1])
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for {
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			body, err := io.ReadAll(resp.Body)
			ts.Check(errors.Join(err, resp.Body.Close()))
			fmt.Fprintf(ts.Stdout(), "%d\n", resp.StatusCode)
			ts.Check(resp.Header.Write(ts.Stdout()))
			fmt.Fprintf(ts.Stdout(), "%s\n", body)
			return
		}
		select {
		case <-tick.C:
		case <-late:
			ts.Fatalf("%v", err)
		}
	}
}

// free-port NAME sets a variable to a port that nobody listens on.
func freePort(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], strconv.Itoa(testenv.FreePort(testOf(ts))))
}

// testOf is the test behind a script.
func testOf(ts *testscript.TestScript) testing.TB { return ts.Value(testKey{}).(testing.TB) }

// testKey finds the test among a script's values.
type testKey struct{}

// postgres NAME VERSION sets a variable to the connection string of an empty
// database on the older or newer server.
func postgres(ts *testscript.TestScript, _ bool, args []string) {
	t := testOf(ts)
	ts.Setenv(args[0], testenv.Database(t, testenv.Postgres(t, testenv.Which(args[1]))).Reveal())
}

// locked NAME PASSWORD sets a variable to the connection string of a server that
// asks for a password, with that one, which is wrong.
func locked(ts *testscript.TestScript, _ bool, args []string) {
	srv := testenv.OwnPostgres(testOf(ts), testenv.Older, func(o *servers.Options) { o.Password, o.Templates = secret.New("right-one"), "" })
	ts.Setenv(args[0], strings.Replace(srv.DSN("postgres", "").Reveal(), "right-one", args[1], 1))
}

// runid NAME sets a variable to the newest run.
func runID(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(ts.Exec("evac", "runs", "--json"))
	all, err := objects(ts.ReadFile("stdout"))
	ts.Check(err)
	run, ok := at(all[0], "runs.0.run")
	if !ok {
		ts.Fatalf("there is no run")
	}
	ts.Setenv(args[0], run.(string))
}

// edit FILE OLD NEW replaces a text that must be there.
func edit(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%q is not in %s", args[1], args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.ReplaceAll(text, args[1], args[2])), 0o644))
}

// tamper FILE STATEMENT changes a journal behind its back.
func tamper(ts *testscript.TestScript, _ bool, args []string) {
	db, err := sql.Open("sqlite", ts.MkAbs(args[0]))
	ts.Check(err)
	_, err = db.Exec(args[1])
	ts.Check(errors.Join(err, db.Close()))
}

// sql NAME STATEMENTS runs them in the database that the variable names.
func runSQL(ts *testscript.TestScript, _ bool, args []string) {
	ctx := testOf(ts).Context()
	conn, err := pgx.Connect(ctx, ts.Getenv(args[0]))
	ts.Check(err)
	_, err = conn.PgConn().Exec(ctx, args[1]).ReadAll()
	ts.Check(errors.Join(err, conn.Close(ctx)))
}
