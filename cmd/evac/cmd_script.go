package main

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/evac-io/evac/internal/runbook"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/step"
	"github.com/evac-io/evac/internal/view/text"
)

// printScript prints each step's own command, for a night without the
// conductor: secrets stand as variables, named at the top.
func (a *app) printScript(bound *runbook.Bound) error {
	var body strings.Builder
	var needed []string
	stage := ""
	for _, n := range inOrder(bound.Nodes) {
		if n.Stage != stage {
			stage = n.Stage
			fmt.Fprintf(&body, "\n# stage %s\n", stage)
		}
		needed = append(needed, a.scriptNode(&body, bound, n)...)
	}
	dir, err := filepath.Abs(filepath.Dir(bound.File))
	if err != nil {
		return fmt.Errorf("find the runbook's directory: %w", err)
	}
	fmt.Fprintf(a.out, "#!/bin/sh\n# Runbook %s, step by step. A command that failed or was cut off goes on where it stopped\n# when it is given again.\nset -eu\ncd %s\n", bound.Name, quoteShell(dir))
	slices.Sort(needed)
	for _, name := range slices.Compact(needed) {
		fmt.Fprintf(a.out, ": \"${%s:?is a secret: set and export it first}\"\n", name)
	}
	_, err = io.WriteString(a.out, body.String())
	return err
}

// inOrder puts each node behind those that it waits for; the order of the text
// means nothing.
func inOrder(nodes []*runbook.Node) []*runbook.Node {
	left := map[string]*runbook.Node{}
	for _, n := range nodes {
		left[n.ID] = n
	}
	var ordered []*runbook.Node
	var visit func(n *runbook.Node)
	visit = func(n *runbook.Node) {
		delete(left, n.ID)
		for _, id := range n.After {
			if before := left[id]; before != nil {
				visit(before)
			}
		}
		ordered = append(ordered, n)
	}
	for _, n := range nodes {
		if left[n.ID] != nil {
			visit(n)
		}
	}
	return ordered
}

// scriptNode prints one node and gives the variables that it needs.
func (a *app) scriptNode(w io.Writer, bound *runbook.Bound, n *runbook.Node) []string {
	switch n.Class {
	case runbook.ClassGate:
		fmt.Fprintf(w, "# gate %s: %s (%s)\n", n.ID, n.Gate.Ask, text.Plural(n.Gate.Approvals, "approval"))
		return nil
	case runbook.ClassChecklist:
		for _, item := range n.Items {
			fmt.Fprintf(w, "# checklist %s: %s %s (%s)\n", n.ID, item.Name, item.Text, item.Owner)
		}
		return nil
	}
	fmt.Fprintf(w, "# %s\n", n.ID)
	runs, waits, diags := bound.When(n, noOutputs)
	s, more, wrong := bound.Step(n, noOutputs)
	diags.Append(wrong)
	switch waits = append(waits, more...); {
	case diags.HasErrors():
		return byHand(w, n.ID, diags.Err().Error())
	case len(waits) > 0:
		var why []string
		for _, u := range waits {
			why = append(why, fmt.Sprintf("%q comes from the output of %s", u.Field, u.After))
		}
		return byHand(w, n.ID, strings.Join(why, ", "))
	case !runs:
		fmt.Fprintln(w, "# left out: when is false")
		return nil
	}
	kind, schema, _ := a.kinds.Kind(n.Kind)
	words := []string{"evac", kind.Family(), kind.Verb()}
	flags, needed := scriptFlags(schema, s, func(field, value string) string { return secretVariable(bound, n, field, value) })
	fmt.Fprintln(w, strings.Join(append(words, flags...), " "))
	return needed
}

// byHand stands for a step that cannot be written out: the script stops there
// until somebody has, for a night that passes over a step is none.
func byHand(w io.Writer, id, why string) []string {
	fmt.Fprintf(w, "# cannot be written: %s\n", strings.ReplaceAll(why, "\n", "\n# "))
	fmt.Fprintf(w, "echo %s >&2\nexit 1\n", quoteShell("write the command of "+id+" here by hand"))
	return nil
}

func noOutputs(string) (json.RawMessage, bool) { return nil, false }

// secretVariable names the environment variable that a secret takes its value
// from: the runbook's own variable if it is just that.
func secretVariable(bound *runbook.Bound, n *runbook.Node, field, value string) string {
	if name := bound.VariableOf(n, field); name != "" {
		return "EVAC_VAR_" + name
	}
	for name, known := range sorted(bound.Secrets) {
		if known.Reveal() == value {
			return "EVAC_VAR_" + name
		}
	}
	clean := strings.NewReplacer(".", "_", "-", "_", "[", "_", "]", "", "\"", "").Replace(n.ID)
	return "EVAC_SECRET_" + strings.ToUpper(clean+"_"+field)
}

// scriptFlags writes a step's fields as flags; secrets as env:NAME, with the
// names given back.
func scriptFlags(schema step.Schema, s step.Step, variable func(field, value string) string) (flags, needed []string) {
	values := schema.Encode(s)
	for _, f := range schema.Fields {
		value, set := values[f.Name]
		if !set || fmt.Sprint(value) == f.Default {
			continue
		}
		name := "--" + f.Flag()
		if f.Args {
			name = ""
		}
		switch v := value.(type) {
		case secret.String:
			from := variable(f.Name, v.Reveal())
			flags, needed = append(flags, name, "env:"+from), append(needed, from)
		case secret.DSN:
			if v.Password() == "" {
				flags = append(flags, name, quoteShell(v.Reveal()))
				continue
			}
			from := variable(f.Name, v.Reveal())
			flags, needed = append(flags, name, "env:"+from), append(needed, from)
		case map[string]secret.String:
			more, names := scriptEnv(name, v, func(key, value string) string { return variable(f.Name+"_"+key, value) })
			flags, needed = append(flags, more...), append(needed, names...)
		default:
			flags = append(flags, scriptPlain(name, v)...)
		}
	}
	return flags, needed
}

func scriptEnv(name string, values map[string]secret.String, variable func(key, value string) string) (flags, needed []string) {
	for key, v := range sorted(values) {
		if v.IsOpen() {
			flags = append(flags, name, quoteShell(key+"="+v.Reveal()))
			continue
		}
		from := variable(key, v.Reveal())
		flags, needed = append(flags, name, quoteShell(key+"=env:"+from)), append(needed, from)
	}
	return flags, needed
}

func scriptPlain(name string, value any) []string {
	var flags []string
	switch v := value.(type) {
	case bool:
		return []string{name}
	case []string:
		for _, item := range v {
			if name != "" {
				flags = append(flags, name)
			}
			flags = append(flags, quoteShell(item))
		}
	case map[string]string:
		for key, item := range sorted(v) {
			flags = append(flags, name, quoteShell(key+"="+item))
		}
	default:
		return []string{name, quoteShell(fmt.Sprint(v))}
	}
	return flags
}

// sorted walks a map in the order of its keys.
func sorted[V any](m map[string]V) func(func(string, V) bool) {
	return func(yield func(string, V) bool) {
		keys := make([]string, 0, len(m))
		for k := range m {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}

// quoteShell quotes a text for sh unless it needs none.
func quoteShell(text string) string {
	plain := text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@%+=,", r)
	})
	if plain {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
