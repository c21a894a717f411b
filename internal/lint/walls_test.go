package lint

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/evac-io/evac/"

// libraries do the work; they know neither steps nor conductors.
var libraries = []string{"internal/pg", "internal/haproxy", "internal/page", "internal/crdb", "internal/objstore"}

// wall says what packages below From must not import, and why.
type wall struct {
	from    string
	except  []string // packages below From to which it does not apply
	never   []string // prefixes below the module
	allowed []string // exceptions to never
	because string
}

var walls = []wall{
	{from: "cmd/", never: libraries, allowed: []string{"internal/page"},
		because: "commands speak to kinds; only the page is served by a command of its own"},
	{from: "internal/kinds/", never: []string{"internal/kinds/", "internal/view", "internal/conduct", "internal/journal", "internal/runbook", "internal/report", "internal/servers", "internal/demo", "cmd/"},
		because: "a kind is arguments → library call → progress; families never meet"},
	{from: "internal/conduct", never: append([]string{"internal/kinds", "internal/view", "internal/report", "internal/servers"}, libraries...),
		because: "the conductor knows no kind and no library"},
	{from: "internal/journal", never: []string{"internal/conduct", "internal/runbook", "internal/view", "internal/kinds"},
		because: "the journal is below everything that writes to it"},
	{from: "internal/runbook", never: append([]string{"internal/conduct", "internal/journal", "internal/view", "internal/kinds"}, libraries...),
		because: "a runbook is text and values, not an execution"},
	{from: "internal/step", never: []string{"internal/conduct", "internal/journal", "internal/runbook", "internal/view", "internal/kinds"},
		because: "the law depends on nobody who obeys it"},
	{from: "internal/engine", never: append([]string{"internal/secret", "internal/report", "cmd/"}, append(aboveLibraries, libraries...)...),
		because: "an engine knows tasks, not what they are about"},
	{from: "internal/pg", never: aboveLibraries, because: "libraries import neither step nor conduct"},
	{from: "internal/haproxy", never: aboveLibraries, because: "libraries import neither step nor conduct"},
	{from: "internal/page", never: aboveLibraries, because: "libraries import neither step nor conduct"},
	{from: "internal/crdb", never: aboveLibraries, because: "libraries import neither step nor conduct"},
	{from: "internal/view", never: append([]string{"internal/conduct", "internal/kinds"}, libraries...),
		because: "views render a state; they do not act"},
}

var aboveLibraries = []string{"internal/step", "internal/conduct", "internal/journal", "internal/runbook", "internal/view", "internal/kinds"}

// homes name the only packages that may import a heavy dependency. Tests and
// the demo's own world are excepted.
var homes = map[string][]string{
	"github.com/jackc/pgx":                       {"internal/pg", "internal/demo"},
	"modernc.org/sqlite":                         {"internal/journal"},
	"github.com/hashicorp/hcl":                   {"internal/runbook"},
	"github.com/zclconf/go-cty":                  {"internal/runbook"},
	"github.com/spf13/cobra":                     {"cmd/evac"},
	"github.com/fergusstrange/embedded-postgres": {"internal/servers"},
	"github.com/cockroachdb/pebble":              {"internal/crdb"},
	"github.com/parquet-go/parquet-go":           {"internal/crdb/rows"},
}

// pack is what `go list` says of a package.
type pack struct {
	ImportPath string
	Imports    []string
}

func TestWalls(t *testing.T) {
	for _, p := range packages(t) {
		path := strings.TrimPrefix(p.ImportPath, module)
		if strings.HasPrefix(path, "internal/demo") || strings.HasPrefix(path, "internal/testenv") {
			continue
		}
		for _, imported := range p.Imports {
			for _, w := range walls {
				if w.breaks(path, strings.TrimPrefix(imported, module)) {
					t.Errorf("%s imports %s: %s", path, imported, w.because)
				}
			}
			for heavy, at := range homes {
				if strings.HasPrefix(imported, heavy) && !below(path, at) {
					t.Errorf("%s imports %s, whose home is %s", path, imported, strings.Join(at, ", "))
				}
			}
		}
	}
}

func (w wall) breaks(path, imported string) bool {
	if !strings.HasPrefix(path, w.from) || below(path, w.except) || below(imported, w.allowed) || !below(imported, w.never) {
		return false
	}
	return !sameFamily(path, imported)
}

// sameFamily tells that one of the packages is inside the other's folder.
func sameFamily(a, b string) bool {
	return a == b || strings.HasPrefix(a, b+"/") || strings.HasPrefix(b, a+"/")
}

func below(path string, roots []string) bool {
	for _, root := range roots {
		if path == strings.TrimSuffix(root, "/") || strings.HasPrefix(path, strings.TrimSuffix(root, "/")+"/") {
			return true
		}
	}
	return false
}

func packages(t *testing.T) []pack {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pack
	decoder := json.NewDecoder(bytes.NewReader(out))
	for {
		var p pack
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// files lists what git tracks, and what it would.
func files(t *testing.T, suffix string) []string {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	var names []string
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		if strings.HasSuffix(lines.Text(), suffix) {
			names = append(names, lines.Text())
		}
	}
	return names
}
