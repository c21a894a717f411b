package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/crdb/store"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/testenv"
)

// TestJSON holds docs/json.md against what commands really print: each type,
// field and sample that it shows must have been seen.
func TestJSON(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "json.md"))
	if err != nil {
		t.Fatal(err)
	}
	seen := realObjects(t)
	for _, once := range []func() (demoRun, error){demoOnce, homeOnce, salvageOnce} {
		for _, o := range smallDemo(t, once).objects {
			add(seen, o["type"].(string), o)
		}
	}
	named := namedFields(t, string(text))
	for kind, fields := range named {
		if seen[kind] == nil {
			t.Errorf("docs/json.md has objects of type %q, and no command printed one", kind)
			continue
		}
		for field := range fields {
			if !seen[kind][field] {
				t.Errorf("docs/json.md gives objects of type %q the field %q, and none had it", kind, field)
			}
		}
	}
	for kind := range seen {
		if named[kind] == nil && !strings.Contains(string(text), "`"+kind+"`") {
			t.Errorf("objects of type %q are not in docs/json.md", kind)
		}
	}
}

// paths are the fields of objects; of the elements of a list, each.
type paths map[string]bool

func (p paths) add(prefix string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			p[prefix+name] = true
			p.add(prefix+name+".", value)
		}
	case []any:
		for _, value := range v {
			p.add(prefix, value)
		}
	}
}

func add(all map[string]paths, kind string, o map[string]any) {
	if all[kind] == nil {
		all[kind] = paths{}
	}
	all[kind].add("", o)
}

var (
	objectHeading = regexp.MustCompile("^#+ .*`([a-z.]+)`")
	fieldRow      = regexp.MustCompile("^\\| `([^`]+)`(?:, `([^`]+)`)*")
	inBackquotes  = regexp.MustCompile("`([^`]+)`")
)

// namedFields reads the tables and samples below each heading that names a
// type.
func namedFields(t *testing.T, text string) map[string]paths {
	t.Helper()
	all := map[string]paths{}
	kind, sample := "", false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "#"):
			kind = ""
			if m := objectHeading.FindStringSubmatch(line); m != nil {
				kind = m[1]
				all[kind] = paths{}
			}
		case strings.HasPrefix(line, "```"):
			sample = line == "```json"
		case sample:
			var o map[string]any
			if err := json.Unmarshal([]byte(line), &o); err != nil {
				t.Errorf("docs/json.md: %q is no JSON object: %v", line, err)
				continue
			}
			if name, typed := o["type"].(string); typed {
				add(all, name, o)
			}
		case kind != "" && fieldRow.MatchString(line):
			first, _, _ := strings.Cut(line[1:], "|")
			for _, m := range inBackquotes.FindAllStringSubmatch(first, -1) {
				all[kind][m[1]] = true
			}
		}
	}
	return all
}

// realObjects gives commands in a directory of their own and gathers what they
// print, by type.
func realObjects(t *testing.T) map[string]paths {
	t.Helper()
	r := newReader(t)
	source := testenv.Database(t, testenv.Postgres(t, testenv.Older))
	spare := testenv.Database(t, testenv.Postgres(t, testenv.Newer))
	target := testenv.Database(t, testenv.Postgres(t, testenv.Newer))
	for dsn, thing := range map[secret.DSN]string{source: "chair", spare: "chair", target: "sofa"} {
		statements(t, dsn, "create table shelf (id int primary key, what text); insert into shelf values (1, 'lamp'), (2, '"+thing+"')")
	}
	r.env = append(r.env, "EVAC_VAR_old="+source.Reveal(), "EVAC_VAR_new="+target.Reveal(), "EVAC_VAR_spare="+spare.Reveal())
	for name, text := range map[string]string{"traffic.json": trafficSample(t), "night.hcl": jsonNight, "broken.hcl": "runbook \"x\" { titel = 1 }\n"} {
		if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, _, err := store.Unpack(t.Context(), filepath.Join("..", "..", "internal", "crdb", "testdata", "tiny", "n1.tar.zst"), filepath.Join(r.dir, "stores"))
	if err != nil {
		t.Fatal(err)
	}
	r.env = append(r.env, "STORE="+got[0])
	all := map[string]paths{}
	for line := range strings.Lines(strings.TrimSpace(jsonCommands)) {
		var out bytes.Buffer
		cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
		cmd.Dir, cmd.Env, cmd.Stdout = r.dir, r.env, &out
		var exit *exec.ExitError
		if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		list, err := objects(out.String())
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if len(list) == 0 || list[len(list)-1]["type"] != "result" {
			t.Errorf("%s: the last object is no result", line)
		}
		for _, o := range list {
			add(all, o["type"].(string), o)
		}
	}
	return all
}

// trafficSample is the file for `evac report --traffic` that the document
// shows.
func trafficSample(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "json.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "```json traffic\n")
	sample, _, _ := strings.Cut(rest, "```")
	if !found {
		t.Fatal("docs/json.md shows no file for --traffic")
	}
	return sample
}

func statements(t *testing.T, dsn secret.DSN, text string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	_, err = conn.PgConn().Exec(t.Context(), text).ReadAll()
	if err := errors.Join(err, conn.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
}

// jsonCommands are chosen so that every type and field comes up.
const jsonCommands = `
evac kinds --json
evac kinds postgres_copy --json
evac cockroach survey "$STORE" --backup-at 2026-01-01T00:00:00Z --json
evac cockroach lookup "$STORE" --table guild_members --key 1 --json
evac init --json
evac check broken.hcl --json
evac check night.hcl --json
evac drill night.hcl --pass-gates --json
evac drills night --json
evac check night.hcl --as kim --json
evac run night.hcl --as kim --json
evac status --json
evac run night.hcl --as kim --json
touch allowed; evac retry shell.copy --as kim --json
evac status --json
evac approve go --as park --note equal --json
evac tick look.login --as lee --result failed --evidence broken --json
evac status --json
evac hold --json --as park
evac skip postgres_verify.rows --reason known --as kim --json
evac undo --as kim --json
evac status --json
evac report --json
evac report --out report.md --traffic traffic.json --json
evac runs --json
evac journal verify --json
evac fmt --json night.hcl
evac postgres verify --from env:EVAC_VAR_old --to env:EVAC_VAR_new --json
evac postgres freeze --database env:EVAC_VAR_spare --settle 100ms --json
evac status --json
evac postgres freeze --database env:EVAC_VAR_spare --settle 100ms --undo --json
evac step wait --for 30s >/dev/null 2>&1 & until evac status --json | grep -q '"running"'; do sleep 0.05; done; evac status --json; kill -9 $!; wait
evac step wait --for 1300ms --json
evac step shell --run 'echo there' --json
evac nonsense --json
`

const jsonNight = `runbook "night" {
  title = "A night"
  window {
    length = "1h"
    opens  = stage.close
    closes = stage.open
  }
}
variable "old" {
  secret = true
}
variable "new" {
  secret = true
}
variable "spare" {
  secret = true
}
variable "place" {
  default = "live"
}
people {
  kim  = "lead"
  park = "database"
  lee  = "gateway"
}
stage "close" {
  step "shell" "copy" {
    why   = "first"
    run   = "test -e allowed"
    undo  = "true"
    drill = "true"
  }
  step "shell" "tell" {
    run   = "true"
    after = [step.shell.copy]
    drill = "true"
  }
}
stage "move" {
  checklist "look" {
    item "login" {
      owner = "lee"
    }
  }
  gate "go" {
    ask     = "Open?"
    timeout = "1h"
    after   = []
  }
  step "wait" "long" {
    for = "2s"
  }
}
stage "open" {
  step "postgres_verify" "rows" {
    from = var.old
    to   = var.new
  }
}
drill "practice" {
  variables = { new = var.spare }
}
`
