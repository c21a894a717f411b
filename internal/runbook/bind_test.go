package runbook

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/secret"
)

// mustParse reads a runbook with nothing wrong in it.
func mustParse(t testing.TB, file, text string) *Runbook {
	t.Helper()
	book, said := Parse(file, []byte(text), testKinds(t))
	if err := said.Err(); err != nil {
		t.Fatal(err)
	}
	return book
}

func mustBind(t testing.TB, text string, in Input) *Bound {
	t.Helper()
	b, said := mustParse(t, "test.hcl", text).Bind(in)
	if err := said.Err(); err != nil {
		t.Fatal(err)
	}
	return b
}

// doneWith gives the outputs of done steps.
func doneWith(done map[string]string) Outputs {
	return func(id string) (json.RawMessage, bool) {
		text, ok := done[id]
		return json.RawMessage(text), ok
	}
}

const several = `
runbook "several" { title = "Several" }

variable "hosts" {
  type    = list(string)
  default = ["a", "b"]
}

variable "big" {
  type    = bool
  default = false
}

people {
  kim  = "lead"
  park = "database"
}

stage "one" {
  step "shell" "first" {
    run = "true"
  }

  step "shell" "each" {
    for_each   = var.hosts
    run        = "echo ${each.key}"
    repeatable = false
    timeout    = "90s"
    after      = [step.shell.first]

    retry {
      attempts = 3
      wait     = "2s"
    }
  }

  step "shell" "pair" {
    for_each = var.hosts
    run      = "echo ${step.shell.each[each.key].stdout}"
  }

  step "shell" "after_one" {
    run   = "true"
    after = [step.shell.each["b"]]
  }

  step "shell" "behind" {
    run   = "true"
    after = [gate.go]
  }

  checklist "list" {
    item "login" {
      owner = "kim"
      text  = "Can log in"
    }
  }

  gate "go" {
    ask = "Go?"
  }

  gate "too" {
    ask       = "Go too?"
    approvals = 2
    timeout   = "1h"
    at        = "2026-03-01T02:00:00+09:00"
  }
}

stage "two" {
  step "shell" "report" {
    run = "echo ${step.shell.each["a"].exit_code}"
    when = step.shell.first.exit_code == 0
  }

  step "shell" "never" {
    when = var.big
    run  = "true"
  }
}
`

func TestNodes(t *testing.T) {
	b := mustBind(t, several, Input{})
	after := map[string][]string{}
	for _, n := range b.Nodes {
		after[n.ID] = n.After
	}
	all := []string{"shell.first", `shell.each["a"]`, `shell.each["b"]`, `shell.pair["a"]`, `shell.pair["b"]`, "shell.after_one", "checklist.list"}
	want := map[string][]string{
		"shell.first":     nil,
		`shell.each["a"]`: {"shell.first"},
		`shell.each["b"]`: {"shell.first"},
		`shell.pair["a"]`: {`shell.each["a"]`},
		`shell.pair["b"]`: {`shell.each["b"]`},
		"shell.after_one": {`shell.each["b"]`},
		"shell.behind":    {"gate.go"},
		"checklist.list":  nil,
		"gate.go":         all,
		"gate.too":        all,
		"shell.report":    {"shell.first", `shell.each["a"]`},
		"shell.never":     nil,
	}
	if d := cmp.Diff(want, after); d != "" {
		t.Errorf("after (-want +got):\n%s", d)
	}
	each := b.Node(`step.shell.each["a"]`)
	if each.Timeout != 90*time.Second || each.Repeatable || each.Retry != (Retry{3, 2 * time.Second, time.Minute}) {
		t.Errorf("settings of %s: %v %v %v", each.ID, each.Timeout, each.Repeatable, each.Retry)
	}
	gate := b.Node("gate.too").Gate
	at := time.Date(2026, 3, 1, 2, 0, 0, 0, time.FixedZone("", 9*3600))
	if !gate.At.Equal(at) || gate.Approvals != 2 || gate.OnTimeout != OnTimeoutHold || gate.Timeout != time.Hour {
		t.Errorf("gate: %+v", gate)
	}
	if d := cmp.Diff([]Item{{"login", "Can log in", "kim"}}, b.Node("checklist.list").Items); d != "" {
		t.Error(d)
	}
}

func TestWhen(t *testing.T) {
	b := mustBind(t, several, Input{})
	run, waits, said := b.When(b.Node("shell.report"), noOutputs)
	if d := cmp.Diff([]Unknown{{"when", "shell.first"}}, waits); run || d != "" || said.HasErrors() {
		t.Errorf("before: %v %v %v", run, d, said.Err())
	}
	for code, want := range map[string]bool{"0": true, "1": false} {
		run, waits, _ := b.When(b.Node("shell.report"), doneWith(map[string]string{"shell.first": `{"exit_code":` + code + `}`}))
		if run != want || waits != nil {
			t.Errorf("exit code %s: run %v, waits %v", code, run, waits)
		}
	}
	if run, _, _ := b.When(b.Node("shell.never"), noOutputs); run {
		t.Error("a step whose when is false runs")
	}
}

func TestStepWaitsForOutputs(t *testing.T) {
	b := mustBind(t, several, Input{})
	n := b.Node(`shell.pair["a"]`)
	s, waits, said := b.Step(n, noOutputs)
	if d := cmp.Diff([]Unknown{{"run", `shell.each["a"]`}}, waits); s != nil || d != "" || said.HasErrors() {
		t.Fatalf("before: %v %v %v", s, d, said.Err())
	}
	shown, _ := b.Fields(n, noOutputs)
	if d := cmp.Diff(map[string]any{"run": `known after step.shell.each["a"]`}, shown); d != "" {
		t.Error(d)
	}
	s, waits, said = b.Step(n, doneWith(map[string]string{`shell.each["a"]`: `{"stdout":"hello"}`}))
	if waits != nil || said.HasErrors() || s.(*fakeShell).Command != "echo hello" {
		t.Errorf("after: %v %v %v", s, waits, said.Err())
	}
	_, _, said = b.Step(n, doneWith(map[string]string{`shell.each["a"]`: `{"stdout":`}))
	if said.Err() == nil {
		t.Error("an output that is no JSON is taken")
	}
}

const hiding = `
runbook "hiding" {}

variable "db" { secret = true }
variable "word" { secret = true }
variable "user" { default = "app" }

locals {
  url = "postgres://${var.user}:${var.word}@db/shop"
}

stage "one" {
  step "postgres_copy" "main" {
    from = var.db
    to   = local.url
  }

  step "shell" "load" {
    run = "psql -f load.sql"
    env = { PGPASSWORD = upper(var.word), PGUSER = var.user }
  }

  step "announce" "a" {
    webhook = "https://hooks/${var.word}"
    text    = "hello"
  }
}
`

func TestSecretsReachOnlyTheirFields(t *testing.T) {
	b := mustBind(t, hiding, Input{Values: map[string]any{"db": secret.New("postgres://me:hunter2@src:5433/shop"), "word": secret.New("swordfish")}})
	step, _, said := b.Step(b.Node("postgres_copy.main"), noOutputs)
	if err := said.Err(); err != nil {
		t.Fatal(err)
	}
	dsn := step.(*fakeCopy)
	if dsn.From.Reveal() != "postgres://me:hunter2@src:5433/shop" || dsn.To.Reveal() != "postgres://app:swordfish@db/shop" {
		t.Errorf("from %q, to %q", dsn.From.Reveal(), dsn.To.Reveal())
	}
	step, _, _ = b.Step(b.Node("shell.load"), noOutputs)
	if env := step.(*fakeShell).Env; env["PGPASSWORD"].Reveal() != "SWORDFISH" || env["PGUSER"].String() != "app" {
		t.Errorf("env %q %q", env["PGPASSWORD"].Reveal(), env["PGUSER"].String())
	}
	step, _, _ = b.Step(b.Node("announce.a"), noOutputs)
	if hook := step.(*fakeAnnounce).Webhook; hook.Reveal() != "https://hooks/swordfish" {
		t.Errorf("webhook %q", hook.Reveal())
	}
	var shown []map[string]any
	for _, n := range b.Nodes {
		fields, _ := b.Fields(n, noOutputs)
		shown = append(shown, fields)
	}
	want := []map[string]any{
		{"from": "me@src:5433/shop", "to": "app@db/shop"},
		{"run": "psql -f load.sql", "env": map[string]any{"PGPASSWORD": "[redacted]", "PGUSER": "app"}},
		{"webhook": "[redacted]", "text": "hello"},
	}
	if d := cmp.Diff(want, shown); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]any{"user": "app"}, b.Values); d != "" || len(b.Secrets) != 2 {
		t.Errorf("values %s, secrets %v", d, b.Secrets)
	}
	var known secret.Redactor
	b.Redact(&known)
	if text := known.Text("hunter2 swordfish"); strings.Contains(text, "hunter2") || strings.Contains(text, "swordfish") {
		t.Errorf("redacted to %q", text)
	}
	if name := b.VariableOf(b.Node("postgres_copy.main"), "from"); name != "db" {
		t.Errorf("from is variable %q", name)
	}
}

func TestDefIsTheTextThatCounts(t *testing.T) {
	def := func(body string) string {
		return mustBind(t, `runbook "r" {}
stage "s" {
  step "shell" "a" {
`+body+`
  }
}`, Input{}).Nodes[0].Def
	}
	one := def("run = \"echo hello\"\nenv = { A = \"b\" }")
	if def("why = \"because\"\n# a comment\nenv   = { A   =   \"b\" } // more\n run = \"echo hello\"") != one {
		t.Error("why, comments, order and layout make another step")
	}
	for _, other := range []string{`run = "echo  hello"`, "run = \"echo hello\"\ndir = \"/\"", "run = \"echo hello\"\nretry {\n attempts = 2\n}"} {
		if def(other+"\n") == one {
			t.Errorf("%q is the same step", other)
		}
	}
}

func TestFind(t *testing.T) {
	b := mustBind(t, several, Input{})
	for text, want := range map[string]string{
		"step.shell.first": "shell.first", "shell.first": "shell.first", "first": "shell.first",
		"step.shell.each": `shell.each["a"] shell.each["b"]`, `shell.each["b"]`: `shell.each["b"]`, "gate.go": "gate.go",
	} {
		found, err := b.Find(text)
		if got := strings.Join(idsOf(found), " "); err != nil || got != want {
			t.Errorf("find %q: %q, %v", text, got, err)
		}
	}
	_, err := b.Find("shell.frist")
	if err == nil || !strings.Contains(hintOf(err), `did you mean "shell.first"?`) {
		t.Errorf("find a name that is not there: %v", err)
	}
}

func TestNamedFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"load.sql", "scripts/deploy.sh", "sub/check.sh", "out.log", "data"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	book := mustParse(t, filepath.Join(dir, "test.hcl"), `
runbook "r" {}
stage "s" {
  step "shell" "a" {
    run   = "psql -f load.sql -v x=missing.sql >out.log && ./scripts/deploy.sh --into data"
    check = "sh '`+filepath.Join(dir, "load.sql")+`'"
  }
  step "shell" "b" {
    dir = "sub"
    run = "cat < check.sh; test -d ../scripts"
  }
}`)
	b, said := book.Bind(Input{})
	if err := said.Err(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, path := range b.NamedFiles() {
		got = append(got, strings.TrimPrefix(path, dir+"/"))
	}
	if d := cmp.Diff([]string{"load.sql", "scripts/deploy.sh", "sub/check.sh"}, got); d != "" {
		t.Error(d)
	}
}

func TestVariablesFromOutside(t *testing.T) {
	book := mustParse(t, "test.hcl", `
runbook "r" {}
variable "list" { type = list(string) }
variable "map" { type = map(string) }
variable "number" { type = number }
variable "bool" { type = bool }
stage "s" {
  step "shell" "a" {
    run = "true"
  }
}`)
	for _, in := range []map[string]any{
		{"list": "a, b", "map": "k=v,l=w", "number": "2.5", "bool": "true"},
		{"list": `["a","b"]`, "map": `{"k":"v","l":"w"}`, "number": 2.5, "bool": true},
		{"list": []any{"a", "b"}, "map": map[string]any{"k": "v", "l": "w"}, "number": json.Number("2.5"), "bool": "true"},
	} {
		b, said := book.Bind(Input{Values: in})
		if err := said.Err(); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{"list": []any{"a", "b"}, "map": map[string]any{"k": "v", "l": "w"}, "number": 2.5, "bool": true}
		if d := cmp.Diff(want, b.Values); d != "" {
			t.Error(d)
		}
	}
}

// TestStepsAtOnce builds steps from many goroutines, as a conductor does.
func TestStepsAtOnce(t *testing.T) {
	b := mustBind(t, several, Input{})
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for _, n := range b.Nodes {
				_, _, _ = b.When(n, noOutputs)
				_, _, _ = b.Step(n, noOutputs)
				_, _ = b.Fields(n, noOutputs)
			}
		})
	}
	group.Wait()
}
