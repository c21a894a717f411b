package haproxy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/evac-io/evac/internal/fault"
)

// Config is a configuration cut into sections and words (Configuration
// Manual, section 2). Its meaning is asked for by name.
type Config struct {
	Path     string
	Sections []*Section
}

// Section is "backend shop" and the lines up to the next section.
type Section struct {
	Kind, Name string
	Lines      []Line
	// Defaults is the section of defaults that it takes after, if any.
	Defaults *Section
}

// Line is a line's words.
type Line struct {
	File   string
	Number int
	Words  []string
}

// String is "haproxy.cfg:12".
func (l Line) String() string { return fmt.Sprintf("%s:%d", l.File, l.Number) }

// sectionKinds begin a section.
var sectionKinds = []string{
	"global", "defaults", "frontend", "backend", "listen", "peers", "resolvers", "mailers", "userlist", "program",
	"http-errors", "ring", "cache", "fcgi-app", "log-forward", "crt-store", "traces",
}

// ReadConfig reads a configuration file, or all *.cfg of a directory in order.
func ReadConfig(path string) (*Config, error) {
	files := []string{path}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		if files, err = filepath.Glob(filepath.Join(path, "*.cfg")); err != nil {
			return nil, err
		}
	}
	c := &Config{Path: path}
	var defaults *Section // of one file they hold for the next
	for _, file := range files {
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fault.Wrap(fault.Invalid, "read HAProxy's configuration", err, "name the file that HAProxy was started with")
		}
		if err != nil {
			return nil, fmt.Errorf("read HAProxy's configuration: %w", err)
		}
		if defaults, err = c.parse(file, string(text), defaults); err != nil {
			return nil, fault.Wrap(fault.Invalid, "read HAProxy's configuration", err, "haproxy -c -f "+file)
		}
	}
	return c, nil
}

func (c *Config) parse(file, text string, defaults *Section) (*Section, error) {
	var section *Section
	for number, raw := range strings.Split(text, "\n") {
		line := Line{File: file, Number: number + 1}
		var err error
		if line.Words, err = words(raw); err != nil {
			return nil, fmt.Errorf("%s: %w", line, err)
		}
		switch {
		case len(line.Words) == 0 || strings.HasPrefix(line.Words[0], "."):
			// nothing, or a condition of the preprocessor
		case slices.Contains(sectionKinds, line.Words[0]):
			section = &Section{Kind: line.Words[0], Defaults: defaults}
			if len(line.Words) > 1 {
				section.Name = line.Words[1]
			}
			if i := slices.Index(line.Words, "from"); i > 0 && i+1 < len(line.Words) {
				section.Defaults = c.Section("defaults", line.Words[i+1])
			}
			if section.Kind == "defaults" {
				defaults = section
			}
			c.Sections = append(c.Sections, section)
		case section == nil:
			return nil, fmt.Errorf("%s: %q stands before any section", line, line.Words[0])
		default:
			section.Lines = append(section.Lines, line)
		}
	}
	return defaults, nil
}

// words splits a line as HAProxy does: blanks separate, quotes and
// backslashes hold together, # begins a comment.
func words(line string) ([]string, error) {
	var list []string
	var word strings.Builder
	var quote byte
	open := false
	for i := 0; i < len(line); i++ {
		ch := line[i]
		switch {
		case ch == '\\' && quote != '\'' && i+1 < len(line):
			i++
			word.WriteByte(line[i])
			open = true
		case quote != 0 && ch == quote:
			quote = 0
		case quote != 0:
			word.WriteByte(ch)
		case ch == '"' || ch == '\'':
			quote, open = ch, true
		case ch == ' ' || ch == '\t' || ch == '\r' || ch == '#':
			if open {
				list = append(list, word.String())
				word.Reset()
				open = false
			}
			if ch == '#' {
				return list, nil
			}
		default:
			word.WriteByte(ch)
			open = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("a %c is not closed", quote)
	}
	if open {
		list = append(list, word.String())
	}
	return list, nil
}

// Section finds a section, nil if there is none.
func (c *Config) Section(kind, name string) *Section {
	for _, s := range c.Sections {
		if s.Kind == kind && s.Name == name {
			return s
		}
	}
	return nil
}

// Backend finds a backend or listen section, nil if there is none.
func (c *Config) Backend(name string) *Section {
	if s := c.Section("backend", name); s != nil {
		return s
	}
	return c.Section("listen", name)
}

// HasServer tells whether the section has a line for a server of that name.
func (s *Section) HasServer(name string) bool {
	return slices.ContainsFunc(s.Lines, func(l Line) bool { return len(l.Words) > 1 && l.Words[0] == "server" && l.Words[1] == name })
}

// Value is the arguments of a keyword in the section, else in its defaults;
// the last line counts. Nil means that it stands nowhere.
func (s *Section) Value(keyword string) []string {
	for ; s != nil; s = s.Defaults {
		for _, line := range slices.Backward(s.Lines) {
			if line.Words[0] == keyword {
				return line.Words[1:]
			}
		}
	}
	return nil
}

// global is the arguments of a keyword in any of the global sections.
func (c *Config) global(keyword string) []string {
	for _, s := range slices.Backward(c.Sections) {
		if s.Kind == "global" {
			if v := s.Value(keyword); v != nil {
				return v
			}
		}
	}
	return nil
}

// Global is the first argument of a keyword in the global sections, or "".
func (c *Config) Global(keyword string) string { return first(c.global(keyword)) }

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}
