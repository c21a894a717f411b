package view

import (
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/evac-io/evac/internal/step"
	"github.com/evac-io/evac/internal/view/text"
)

// KindsPage is the list of all kinds.
type KindsPage struct {
	Kinds []KindLine `json:"kinds"`
}

// KindLine is a kind in the list.
type KindLine struct {
	Kind    string      `json:"kind"`
	Effect  step.Effect `json:"effect"`
	Summary string      `json:"summary"`
	varies  bool        // a step's fields may change the effect
}

// Kinds makes the list of a registry's kinds, of those that a family's name or
// a pattern ("postgres_*") selects; "*" is all.
func Kinds(r *step.Registry, pattern string) KindsPage {
	var page KindsPage
	for _, name := range r.Names() {
		k, _, _ := r.Kind(name) // it is of Names
		if like, err := path.Match(pattern, name); !like && k.Family() != pattern || err != nil {
			continue
		}
		page.Kinds = append(page.Kinds, KindLine{Kind: name, Effect: k.Effect, Summary: k.Summary, varies: varies(k)})
	}
	return page
}

// Type is of Page.
func (k KindsPage) Type() string { return "kinds" }

// Write is of Page.
func (k KindsPage) Write(p *Paper) {
	t := text.NewTable("KIND", "EFFECT", "WHAT IT DOES")
	for _, kind := range k.Kinds {
		t.Row(kind.Kind, string(kind.Effect), kind.Summary)
	}
	p.table(t)
}

// Markdown is the list as a page of the documentation, beside those of the
// kinds.
func (k KindsPage) Markdown() string {
	var b strings.Builder
	b.WriteString("# Kinds of steps\n\nA step is of one kind. These pages are made from the code: `evac kinds` and `evac kinds KIND` print them too.\n\n")
	t := text.NewTable("Kind", "What it does", "Effect")
	for _, kind := range k.Kinds {
		t.Row(fmt.Sprintf("[`%s`](%s.md)", kind.Kind, kind.Kind), kind.Summary, variedEffect(kind.Effect, kind.varies))
	}
	b.WriteString(t.Markdown())
	return b.String()
}

// KindPage is the reference of one kind.
type KindPage struct {
	Kind    string      `json:"kind"`
	Effect  step.Effect `json:"effect"`
	Summary string      `json:"summary"`
	Doc     string      `json:"doc,omitempty"` // Markdown
	Command string      `json:"command"`
	step.Schema
	Example string `json:"example,omitempty"` // HCL
	varies  bool
}

// KindOf makes the reference of a kind from its struct.
func KindOf(k step.Kind, s step.Schema) KindPage {
	return KindPage{
		Kind: k.Name, Effect: k.Effect, Summary: k.Summary, Doc: strings.TrimSpace(k.Doc), Command: command(k, s),
		Schema: s, Example: strings.TrimSpace(k.Example), varies: varies(k),
	}
}

// command is the kind's own command with the flags that it requires.
func command(k step.Kind, s step.Schema) string {
	words := []string{"evac", k.Family(), k.Verb()}
	optional := ""
	for _, f := range s.Fields {
		if f.Args {
			words = append(words, f.Word())
		} else if f.Required {
			words = append(words, flagOf(f), placeholder(f))
		} else {
			optional = " [FLAGS]"
		}
	}
	verbs := " [--check|--verify]"
	if _, ok := k.New().(step.Undoer); ok {
		verbs = " [--check|--verify|--undo]"
	}
	return strings.Join(words, " ") + optional + verbs + " [--json]"
}

func flagOf(f step.Field) string { return "--" + f.Flag() }

// placeholder stands for a flag's value.
func placeholder(f step.Field) string {
	switch f.Type {
	case step.TypeDSN, step.TypeSecret:
		return "env:NAME"
	case step.TypeList:
		return "STRING"
	case step.TypeMap, step.TypeSecretMap:
		return "KEY=VALUE"
	}
	return strings.ToUpper(string(f.Type))
}

// varies tells whether a step's fields may change the effect of its kind.
func varies(k step.Kind) bool {
	_, yes := k.New().(step.Varying)
	return yes
}

func variedEffect(e step.Effect, varies bool) string {
	words := effectWords(e)
	if varies {
		words += "; a step's fields may change that"
	}
	return words
}

// Type is of Page.
func (k KindPage) Type() string { return "kind" }

// Write is of Page.
func (k KindPage) Write(p *Paper) {
	p.wrap("", "", p.paint(bold, k.Kind)+": "+k.Summary)
	p.blank()
	writeProse(p, k.Doc)
	p.blank()
	p.field(0, "Effect", variedEffect(k.Effect, k.varies))
	p.field(0, "Command", k.Command)
	p.heading("Fields")
	writeFields(p, k.Fields)
	if len(k.Output) > 0 {
		p.heading("Output, as step.%s.NAME.…", k.Kind)
		writeFields(p, k.Output)
	}
	if k.Example != "" {
		p.heading("Example")
		for line := range strings.Lines(k.Example) {
			p.lines = append(p.lines, "  "+strings.TrimRight(line, "\n"))
		}
	}
}

// Prose fills Markdown to a number of columns.
func Prose(markdown string, columns int) string {
	p := newPaper(columns, false, nil)
	writeProse(p, markdown)
	return strings.Join(p.lines, "\n")
}

func writeProse(p *Paper, markdown string) {
	for paragraph := range strings.SplitSeq(markdown, "\n\n") {
		p.blank()
		writeParagraph(p, paragraph)
	}
}

// writeParagraph writes a paragraph of Markdown: prose is filled anew, lists,
// tables and code keep their lines.
func writeParagraph(p *Paper, paragraph string) {
	if !strings.ContainsAny(paragraph[:min(len(paragraph), 1)], "-|` \t") {
		p.wrap("", "", text.Clean(paragraph))
		return
	}
	for line := range strings.Lines(paragraph) {
		p.hang("  ", text.Printable(strings.TrimRight(line, "\n")))
	}
}

func writeFields(p *Paper, fields []step.Field) {
	widest := 0
	for _, f := range fields {
		widest = max(widest, text.Width(f.Name))
	}
	for _, f := range fields {
		notes := strings.Join(append([]string{string(f.Type)}, fieldNotes(f)...), ", ")
		p.hang("  "+p.paint(bold, text.Pad(f.Name, widest))+"  ", fmt.Sprintf("%s (%s)", f.Doc, notes))
	}
}

// fieldNotes are what a field's author must know besides its type.
func fieldNotes(f step.Field) []string {
	var notes []string
	if f.Required {
		notes = append(notes, "required")
	}
	if f.Default != "" {
		notes = append(notes, fmt.Sprintf("default %q", f.Default))
	}
	if len(f.Enum) > 0 {
		notes = append(notes, "one of "+strings.Join(f.Enum, ", "))
	}
	if f.Target {
		notes = append(notes, "target: a drill must map it to a stand-in")
	}
	if f.Secret {
		notes = append(notes, "secret: var.NAME, env:NAME or @FILE")
	}
	return notes
}

// Markdown is the reference as a page of the documentation.
func (k KindPage) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s.\n\n", k.Kind, sentence(k.Summary))
	fmt.Fprintf(&b, "**Effect:** %s.\n\n", variedEffect(k.Effect, k.varies))
	if k.Doc != "" {
		b.WriteString(k.Doc + "\n\n")
	}
	b.WriteString("## Fields\n\n")
	t := text.NewTable("Field", "Type", "Default", "Meaning")
	for _, f := range k.Fields {
		value := "–"
		switch {
		case f.Required:
			value = "required"
		case f.Default != "":
			value = "`" + f.Default + "`"
		}
		t.Row("`"+f.Name+"`", string(f.Type), value, fieldMeaning(f))
	}
	b.WriteString(t.Markdown())
	if len(k.Output) > 0 {
		fmt.Fprintf(&b, "\n## Output\n\nLater steps refer to these as `step.%s.NAME.FIELD`.\n\n", k.Kind)
		t := text.NewTable("Field", "Type", "Meaning")
		for _, f := range k.Output {
			t.Row("`"+f.Name+"`", string(f.Type), f.Doc)
		}
		b.WriteString(t.Markdown())
	}
	if k.Example != "" {
		fmt.Fprintf(&b, "\n## Example\n\n```hcl\n%s\n```\n", k.Example)
	}
	fmt.Fprintf(&b, "\n## Alone\n\n```sh\n%s\n```\n", k.Command)
	return b.String()
}

// sentence begins a summary with a capital letter.
func sentence(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + strings.TrimSuffix(s[min(size, len(s)):], ".")
}

// fieldMeaning is a field's text with the notes that have no column.
func fieldMeaning(f step.Field) string {
	meaning := f.Doc
	f.Required, f.Default = false, ""
	if notes := fieldNotes(f); len(notes) > 0 {
		meaning = strings.TrimSuffix(meaning, ".") + " (" + strings.Join(notes, "; ") + ")"
	}
	return meaning
}
