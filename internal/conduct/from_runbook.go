package conduct

import (
	"maps"
	"slices"

	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/runbook"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/step"
)

// FromRunbook makes a program of a bound runbook.
func FromRunbook(b *runbook.Bound, dir, file string, kinds *step.Registry) *Program {
	p := &Program{
		Body: journal.RunBody{
			Runbook: b.Name, Title: b.Title, File: file, Text: string(b.Text), Hash: b.Hash,
			Mode: journal.Live, Drill: b.Drill, Variables: b.Values, Given: b.Given, People: map[string]string{},
		},
		Dir: dir, Nodes: b.Nodes, Kinds: kinds, Secrets: &secret.Redactor{},
		Build: func(n *runbook.Node, out runbook.Outputs) (step.Step, []runbook.Unknown, error) {
			s, waits, diags := b.Step(n, out)
			return s, waits, diags.Err()
		},
		When: func(n *runbook.Node, out runbook.Outputs) (bool, []runbook.Unknown, error) {
			yes, waits, diags := b.When(n, out)
			return yes, waits, diags.Err()
		},
		Files: func(n *runbook.Node) []string { return b.FilesOf(n, dir) },
	}
	if b.Drill != "" {
		p.Body.Mode = journal.Drill
	}
	p.Body.Secrets = slices.Sorted(maps.Keys(b.Secrets))
	b.Redact(p.Secrets)
	for _, person := range b.People {
		p.Body.People[person.Name] = person.Role
	}
	if w := b.Window; w != nil {
		p.Body.Window = &journal.WindowBody{LengthMS: w.Length.Milliseconds(), Opens: w.Opens, Closes: w.Closes}
	}
	for _, s := range b.Stages {
		p.Body.Stages = append(p.Body.Stages, s.Name)
	}
	return p
}
