package torture

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// The secrets of the night, as awkward as people choose them.
const (
	nightToken = `tok/ä+en="of%the'night`
	nightKey   = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQ\nEFAASCBKcwggSjAgEAAoIBAQ\n-----END PRIVATE KEY-----"
	nightHook  = "T0K3N-of-the-webhook"
	nightPass  = `pass:w@rd/of the db?`
)

// leakForms are the ways in which the secrets could be seen.
func leakForms() map[string]string {
	found := map[string]string{}
	for _, text := range append(strings.Split(nightKey, "\n")[1:3], nightToken, nightHook, nightPass) {
		inJSON, err := json.Marshal(text)
		if err != nil {
			panic(err)
		}
		for name, form := range map[string]string{
			"plain": text, "in a query": url.QueryEscape(text), "in a path": url.PathEscape(text), "in a URL's user": url.UserPassword("", text).String()[1:],
			"in JSON": strings.Trim(string(inJSON), `"`), "in base64": base64.RawStdEncoding.EncodeToString([]byte(text)), "in hex": hex.EncodeToString([]byte(text)),
			"half of it": text[len(text)/2:],
		} {
			found[form] = name
		}
	}
	return found
}

// secretsServer answers as a careless server does: it says again whatever it
// was told.
func secretsServer(t *testing.T, n *night) *httptest.Server {
	t.Helper()
	good := func() bool { _, err := os.Stat(filepath.Join(n.dir, "good")); return err == nil }
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/loop" && !good():
			http.Redirect(w, r, "/loop?token="+url.QueryEscape(r.Header.Get("Authorization")), http.StatusFound)
		case r.URL.Path == "/loop":
			w.WriteHeader(http.StatusNoContent)
		case strings.HasPrefix(r.URL.Path, "/refusing") && !good(), r.URL.Path == "/probe" && !good():
			http.Error(w, "no access for "+r.URL.Path+" with "+r.Header.Get("Authorization"), http.StatusForbidden)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// seen is everything that a night showed to anybody.
type seen struct {
	n   *night
	env []string
	// alone is the environment of kinds that run by themselves.
	aloneEnv []string
	mu       sync.Mutex
	said     map[string]string // by command
}

// run runs a command and keeps what it says.
func (s *seen) run(code int, args ...string) {
	s.n.t.Helper()
	cmd := s.n.command(s.n.t.Context(), args...)
	cmd.Env = append(cmd.Env, s.env...)
	e := s.n.beginCommand(cmd).ends()
	if e.code != code {
		s.n.t.Errorf("evac %s: exit %d, want %d\n%s%s", strings.Join(args, " "), e.code, code, e.stdout, e.stderr)
	}
	s.keep(args, e.stdout+e.stderr)
}

func (s *seen) keep(args []string, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said["evac "+strings.Join(args, " ")] += text
}

// look looks at the run in every way there is.
func (s *seen) look() {
	s.n.t.Helper()
	for _, view := range []string{"status", "status --json", "report", "report --json", "runs", "runs --json", "journal export", "journal verify"} {
		s.run(0, strings.Fields(view)...)
	}
}

// processes reads the arguments of all processes until the test ends, and
// gives how often it has seen evac among them.
func (s *seen) processes() (stop func() int) {
	done, times := make(chan struct{}), make(chan int)
	go func() {
		found := 0
		tick := time.NewTicker(3 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				times <- found
				return
			case <-tick.C:
			}
			all, err := filepath.Glob("/proc/[0-9]*/cmdline")
			if err != nil {
				panic(err)
			}
			for _, file := range all {
				line, err := os.ReadFile(file)
				if err != nil {
					continue // it has ended
				}
				s.keep([]string{"(arguments of processes)"}, "")
				if strings.Contains(string(line), "evac") || strings.Contains(string(line), "TOKEN") {
					found++
					s.leak("the arguments of a process", string(line))
				}
			}
		}
	}()
	return func() int { close(done); return <-times }
}

// leak tells of secrets in a text.
func (s *seen) leak(where, text string) {
	s.n.t.Helper()
	for form, name := range leakForms() {
		if i := strings.Index(text, form); i >= 0 {
			s.n.t.Errorf("%s shows a secret (%s): …%s…", where, name, text[max(0, i-80):min(len(text), i+len(form)+20)])
			return
		}
	}
}

// files looks into every file that is left behind.
func (s *seen) files() {
	s.n.t.Helper()
	files := 0
	err := filepath.WalkDir(s.n.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || filepath.Base(path) == "secrets.json" {
			return err
		}
		files++
		content, err := os.ReadFile(path)
		s.leak(path, string(content))
		if strings.Contains(path, "shell.environment") && strings.Contains(string(content), "EVAC_VAR_") {
			s.n.t.Errorf("%s: a child has the runbook's variables", path)
		}
		return err
	})
	if err != nil || files < 5 {
		s.n.t.Errorf("%d files: %v", files, err)
	}
}

func newSeen(n *night, server string) *seen {
	n.t.Helper()
	temp := filepath.Join(n.dir, "tmp")
	if err := os.Mkdir(temp, 0o700); err != nil {
		n.t.Fatal(err)
	}
	// One secret comes from a file, the others from the environment.
	text, err := json.Marshal(map[string]string{"key": nightKey})
	if err != nil {
		n.t.Fatal(err)
	}
	n.write("secrets.json", string(text))
	return &seen{n: n, said: map[string]string{}, env: []string{
		"TMPDIR=" + temp, "EVAC_VAR_token=" + nightToken, "EVAC_VAR_server=" + server,
		"EVAC_VAR_hook=" + server + "/hook/" + nightHook, "EVAC_VAR_refusing=" + server + "/refusing/" + nightHook,
		"EVAC_VAR_closed=http://127.0.0.1:1/closed/" + nightHook,
	}, aloneEnv: []string{
		"SOURCE=postgres://shop:" + url.QueryEscape(nightPass) + "@127.0.0.1:1/shop", "TARGET=host=127.0.0.1 port=1 user=shop password='" + nightPass + "' dbname=shop",
		"HOOK=http://127.0.0.1:1/" + nightHook, "TOKEN=" + nightToken,
	}}
}

// TestSecrets runs a night with secrets wherever they may stand, with
// failures, in all views, and looks for them everywhere afterwards.
func TestSecrets(t *testing.T) {
	n := nightFrom(t, parallel(t), "secrets.hcl")
	s := newSeen(n, secretsServer(t, n).URL)
	stop := s.processes()
	vars := []string{"--var-file", "secrets.json"}
	with := func(args ...string) []string { return append(args, vars...) }

	s.run(0, with("check", "night.hcl")...)
	s.run(0, with("check", "night.hcl", "--json")...)
	s.run(0, with("check", "night.hcl", "--script")...)
	s.run(20, with("run", "night.hcl")...)
	s.look()
	watch := s.watch("status", "--watch", "--json")
	s.run(20, with("resume", "--json")...)
	s.onTerminal(with("resume")...)
	s.run(20, with("skip", "announce.unheard", "--reason", "no matter")...) // others still fail
	n.write("good", "")
	s.run(0, with("resume")...)
	s.look()
	s.run(20, with("undo")...)
	s.look()
	n.write("back", "")
	s.run(0, with("resume", "--json")...)
	s.look()
	s.keep([]string{"status", "--watch"}, watch())

	s.alone()
	if times := stop(); times < 20 {
		t.Errorf("evac was seen %d times among the processes: the test does not test", times)
	}
	for command, text := range s.said {
		s.leak(command, text)
	}
	s.files()
	n.chain("end")
}

// alone runs kinds by themselves; their servers are not there.
func (s *seen) alone() {
	s.n.t.Helper()
	for _, args := range [][]string{
		{"postgres", "copy", "--from", "env:SOURCE", "--to", "env:TARGET"},
		{"postgres", "verify", "--from", "env:SOURCE", "--to", "env:TARGET", "--json"},
		{"postgres", "freeze", "--database", "env:TARGET", "--check"},
		{"step", "announce", "--url", "env:HOOK", "--text", "hello"},
		{"step", "shell", "--run", `echo "$TOKEN" >&2; exit 5`, "--env", "TOKEN=env:TOKEN"},
		{"step", "shell", "--run", `echo "$TOKEN" >&2; exit 5`, "--env", "TOKEN=env:TOKEN", "--json"},
	} {
		cmd := s.n.command(s.n.t.Context(), args...)
		cmd.Env = append(cmd.Env, s.aloneEnv...)
		e := s.n.beginCommand(cmd).ends()
		if e.code == 0 {
			s.n.t.Errorf("evac %s: exit 0\n%s", strings.Join(args, " "), e.stdout)
		}
		s.n.readable(e)
		s.keep(args, e.stdout+e.stderr)
	}
}

// watch follows the run beside the test; what comes back ends it and gives
// what it has shown.
func (s *seen) watch(args ...string) func() string {
	s.n.t.Helper()
	cmd := s.n.command(s.n.t.Context(), args...)
	cmd.Env = append(cmd.Env, s.env...)
	p := s.n.beginCommand(cmd)
	return func() string {
		_ = p.Process.Kill() // it may have ended with the run
		e := p.ends()
		if e.stdout == "" {
			s.n.t.Error("evac status --watch showed nothing")
		}
		return e.stdout + e.stderr
	}
}

// onTerminal runs a command on a terminal, where it holds and asks, and has it
// stop.
func (s *seen) onTerminal(args ...string) {
	s.n.t.Helper()
	p := s.n.beginOnTerminalWith(s.env, args...)
	p.shows("undo [STAGE], stop, abort")
	p.press("stop\n")
	if e := p.ends(); e.code != 130 && e.code != 20 {
		s.n.t.Errorf("exit %d\n%s", e.code, p.screen)
	}
	s.keep(args, p.screen.String())
}

// TestSecretsKilled: a conductor that dies leaves no secret behind either.
func TestSecretsKilled(t *testing.T) {
	n := nightFrom(t, parallel(t), "secrets.hcl")
	s := newSeen(n, secretsServer(t, n).URL)
	for commit := 3; commit < 40; commit += 9 {
		cmd := exec.CommandContext(t.Context(), n.evac, "run", "night.hcl", "--var-file", "secrets.json")
		if n.begun() {
			cmd.Args = []string{n.evac, "resume", "--var-file", "secrets.json"}
		}
		cmd.Dir = n.dir
		cmd.Env = append(append(os.Environ(), s.env...), "EVAC_HOME="+filepath.Join(n.dir, "home"), fmt.Sprintf("EVAC_TORTURE_COMMIT=%d,after", commit))
		e := n.beginCommand(cmd).ends()
		s.keep(cmd.Args[1:], e.stdout+e.stderr)
	}
	s.look()
	for command, text := range s.said {
		s.leak(command, text)
	}
	s.files()
}
