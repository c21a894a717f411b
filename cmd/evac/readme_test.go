package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the outputs that the README shows anew")

// TestREADME gives every command of the README's console blocks, one after the
// other in one empty directory: each must give the output that is shown, but
// for times, hashes and names.
func TestREADME(t *testing.T) {
	t.Parallel()
	file := filepath.Join("..", "..", "README.md")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	world := newReader(t)
	shown := consoleBlock.ReplaceAllStringFunc(string(text), func(block string) string {
		var b strings.Builder
		for _, c := range commands(block) {
			got := world.enter(t, c.line)
			if diff := cmp.Diff(blurred(c.output), blurred(got)); diff != "" && !*update {
				t.Errorf("$ %s\ngives another output than README.md shows; run `make docs` (-README +real):\n%s", c.line, diff)
			}
			fmt.Fprintf(&b, "$ %s\n%s", c.line, got)
		}
		return "```console\n" + b.String() + "```\n"
	})
	if *update && !t.Failed() {
		if err := os.WriteFile(file, []byte(shown), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

var consoleBlock = regexp.MustCompile("(?s)```console\n.*?```\n")

// shownCommand is a command in a document and the output shown below it.
type shownCommand struct{ line, output string }

// commands takes a console block apart: each line that begins with "$ " is a
// command.
func commands(block string) []shownCommand {
	block = strings.TrimSuffix(strings.TrimPrefix(block, "```console\n"), "```\n")
	var all []shownCommand
	for line := range strings.Lines(block) {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			all = append(all, shownCommand{line: strings.TrimSpace(command)})
		} else if len(all) > 0 {
			all[len(all)-1].output += line
		}
	}
	return all
}

// reader is somebody who types what a document shows.
type reader struct {
	dir  string
	env  []string
	real *strings.Replacer // what differs from machine to machine → as shown
}

func newReader(t *testing.T) reader {
	t.Helper()
	dir := t.TempDir()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	return reader{
		dir: dir,
		env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TZ=UTC", "LANG=C.UTF-8", "TERM=dumb"},
		real: strings.NewReplacer(dir, "/home/kim/move", "by "+me.Username+" on "+host, "by kim on laptop",
			"by "+me.Username, "by kim", "| "+me.Username+" ", fmt.Sprintf("| %-*s ", len(me.Username), "kim"), "evac "+version, "evac v0.1.0"),
	}
}

// enter gives a command to the shell and returns what comes, in the order of
// the two streams.
func (r reader) enter(t *testing.T, line string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
	cmd.Dir, cmd.Env = r.dir, r.env
	output, err := cmd.CombinedOutput()
	if _, exits := err.(*exec.ExitError); err != nil && !exits {
		t.Fatal(err)
	}
	return r.real.Replace(string(output))
}

// blurred is an output without what differs from time to time: how far a step
// is, clocks, dates, durations, hashes, process numbers, and how lines and
// tables are broken.
func blurred(text string) []string {
	for _, b := range blurs {
		text = b.from.ReplaceAllString(text, b.to)
	}
	return strings.Fields(text)
}

var blurs = []struct {
	from *regexp.Regexp
	to   string
}{
	{regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d  ▸ \S+ +\d+ %.*\n`), ""},
	{regexp.MustCompile(`\b[0-9a-f]{64}\b|\b[0-9a-f]{12}\b`), "HASH"},
	{regexp.MustCompile(`-\d{8}-\d{6}(-\d+)?\b`), "-RUN"},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\d\b`), "DATE"},
	{regexp.MustCompile(`\b\d\d:\d\d(:\d\d)?\b`), "CLOCK"},
	{regexp.MustCompile(`\b(\d+(\.\d+)?(ms|s|m|h) ?)+`), "TIME "},
	{regexp.MustCompile(`process \d+`), "process N"},
	{regexp.MustCompile(`-{3,}:?`), "---"},
	{regexp.MustCompile(`[▁-█]+`), "CURVE"},
}
