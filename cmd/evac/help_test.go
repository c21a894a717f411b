package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/evac-io/evac/internal/kinds"
	"github.com/evac-io/evac/internal/view/text"
)

// The help of every command fits a terminal of 80 columns, but for the lists of
// commands below it.
func TestHelpFits(t *testing.T) {
	registry, err := kinds.Registry()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	a := &app{streams: streams{out: &out, err: &out}, now: time.Now, kinds: registry}
	root, seen := a.rootCommand(), 0
	for _, cmd := range leaves(root) {
		out.Reset()
		if err := cmd.Help(); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if line = strings.TrimSuffix(line, "\n"); text.Width(line) > 80 {
				t.Errorf("%s --help: %d columns: %s", cmd.CommandPath(), text.Width(line), line)
			}
		}
		seen++
	}
	if seen < 40 {
		t.Errorf("only %d commands were found", seen)
	}
}

func leaves(cmd *cobra.Command) []*cobra.Command {
	if !cmd.HasSubCommands() {
		return []*cobra.Command{cmd}
	}
	var list []*cobra.Command
	for _, sub := range cmd.Commands() {
		list = append(list, leaves(sub)...)
	}
	return list
}
