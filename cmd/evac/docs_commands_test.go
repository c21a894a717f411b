package main

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/evac-io/evac/internal/kinds"
)

// TestCommands reads every evac command of the documents' sh blocks as evac
// would: the command is there, and takes these flags and arguments.
func TestCommands(t *testing.T) {
	registry, err := kinds.Registry()
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for file, text := range documents(t) {
		for _, block := range shBlock.FindAllStringSubmatch(text, -1) {
			for line := range strings.Lines(strings.ReplaceAll(block[1], "\\\n", " ")) {
				if words, ok := strings.CutPrefix(line, "evac "); ok {
					found++
					a := &app{kinds: registry, now: time.Now}
					if err := a.understands(shellWords(words)); err != nil {
						t.Errorf("%s: %s: %v", file, strings.TrimSpace(line), err)
					}
				}
			}
		}
	}
	if found == 0 {
		t.Error("there is no command in the documents")
	}
}

// understands reads a command line without obeying it.
func (a *app) understands(words []string) error {
	cmd, rest, err := a.rootCommand().Find(words)
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	return cmd.ValidateArgs(cmd.Flags().Args())
}

var (
	shBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")
	// A word; in single quotes it may hold blanks. What stands in brackets is
	// an option that the document only names.
	word     = regexp.MustCompile(`\[[^\]]*\]|(?:'[^']*'|[^\s'])+`)
	shellEnd = regexp.MustCompile(`^(#|>|\||&&|;)`)
)

// shellWords splits a command line up to its comment, pipe or redirection.
func shellWords(line string) []string {
	var words []string
	for _, w := range word.FindAllString(line, -1) {
		if shellEnd.MatchString(w) {
			break
		}
		if !strings.HasPrefix(w, "[") {
			words = append(words, strings.ReplaceAll(w, "'", ""))
		}
	}
	return words
}
