package runbook

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// NamedFiles are the files that exist and that a command of a shell step names
// by a relative or absolute path, in order, so that the conductor can freeze
// them. A file that a command writes to (after ">") is not among them.
func (b *Bound) NamedFiles() []string {
	var files []string
	for _, n := range b.Nodes {
		files = append(files, b.FilesOf(n, filepath.Dir(b.File))...)
	}
	slices.Sort(files)
	return slices.Compact(files)
}

// FilesOf is NamedFiles of one node, with dir as the runbook's directory.
func (b *Bound) FilesOf(n *Node, dir string) []string {
	if n.Kind != "shell" {
		return nil
	}
	fields, _ := b.Fields(n, noOutputs) // what is wrong with them, Bind has reported
	if text, ok := fields["dir"].(string); ok {
		dir = under(dir, text)
	}
	var files []string
	for _, name := range []string{"run", "check", "verify", "undo"} {
		if command, ok := fields[name].(string); ok {
			files = append(files, existing(dir, command)...)
		}
	}
	slices.Sort(files)
	return slices.Compact(files)
}

// under is path as seen from dir.
func under(dir, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}

// existing are the regular files that the words of a command name.
func existing(dir, command string) []string {
	var files []string
	written := false
	for _, word := range words(command) {
		if word == ">" {
			written = true
			continue
		}
		if !written && strings.ContainsAny(word, "./") {
			path := under(dir, word)
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
				files = append(files, path)
			}
		}
		written = false
	}
	return files
}

// words splits a command where a shell would, roughly: at blanks, quotes and
// signs. ">" is a word of its own.
func words(command string) []string {
	command = strings.ReplaceAll(command, ">>", ">")
	command = strings.ReplaceAll(command, ">", " > ")
	return strings.FieldsFunc(command, func(r rune) bool {
		return strings.ContainsRune(" \t\n\"'`;|&()<=$", r)
	})
}
