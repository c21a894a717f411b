package step

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strings"
)

// Effect is what a kind does to the world.
type Effect string

// The effects. Only Lasting asks for confirmation; Passing is lasting too but
// never asks (a message sent, a command without undo) and undo passes it by,
// naming it.
const (
	Reads    Effect = "reads"
	Undoable Effect = "undoable"
	Lasting  Effect = "lasting"
	Passing  Effect = "passing"
)

// Kind describes what a step can be: from it come the HCL schema, the flags of
// its own command, its JSON form and its reference page.
type Kind struct {
	// Name is family_verb or one word.
	Name string
	// Effect is the effect of every step of this kind, unless the step says
	// otherwise by Varying.
	Effect Effect
	// Summary is one line; Doc some paragraphs of Markdown.
	Summary, Doc string
	// New makes an empty step: a pointer to the struct with the tags.
	New func() Step
	// Output is a zero value of the struct that Run returns, or nil.
	Output any
	// Example is an HCL step block that checks.
	Example string
}

// Teller is an output that says in some words, without a full stop, what was
// done or proved: "12 rows in 2 tables copied".
type Teller interface{ Tell() string }

// Tell says what an output of the kind, as the journal has it, tells; "" if it
// tells nothing.
func (k Kind) Tell(output json.RawMessage) string {
	if _, tells := k.Output.(Teller); !tells || len(output) == 0 {
		return ""
	}
	value := reflect.New(reflect.TypeOf(k.Output))
	if json.Unmarshal(output, value.Interface()) != nil {
		return "" // of a run by another version
	}
	return value.Interface().(Teller).Tell()
}

// Family is the part of the name before the first underscore; of a one-word
// kind "step".
func (k Kind) Family() string {
	if family, _, ok := strings.Cut(k.Name, "_"); ok {
		return family
	}
	return "step"
}

// Verb is the name's rest after the family, with dashes.
func (k Kind) Verb() string {
	if _, verb, ok := strings.Cut(k.Name, "_"); ok {
		return strings.ReplaceAll(verb, "_", "-")
	}
	return k.Name
}

// EffectOf is the effect of one step of a kind.
func (k Kind) EffectOf(s Step) Effect {
	if v, ok := s.(Varying); ok {
		return v.Effect()
	}
	return k.Effect
}

// Registry is the list of the kinds that there are.
type Registry struct {
	byName map[string]*entry
}

type entry struct {
	kind   Kind
	schema Schema
}

// NewRegistry describes the kinds; a kind whose struct tags are wrong, that
// says it is undoable and has no Undo, or whose name stands twice is a bug in
// evac and an error.
func NewRegistry(kinds ...Kind) (*Registry, error) {
	r := &Registry{byName: map[string]*entry{}}
	for _, k := range kinds {
		if _, twice := r.byName[k.Name]; twice {
			return nil, fmt.Errorf("kind %q is registered twice", k.Name)
		}
		schema, err := SchemaOf(k)
		if err != nil {
			return nil, fmt.Errorf("kind %q: %w", k.Name, err)
		}
		if _, undoer := k.New().(Undoer); k.Effect == Undoable && !undoer {
			return nil, fmt.Errorf("kind %q says it is undoable but has no Undo", k.Name)
		}
		r.byName[k.Name] = &entry{kind: k, schema: schema}
	}
	return r, nil
}

// Kind finds a kind and its schema by name.
func (r *Registry) Kind(name string) (Kind, Schema, bool) {
	e, ok := r.byName[name]
	if !ok {
		return Kind{}, Schema{}, false
	}
	return e.kind, e.schema, true
}

// Names lists the kinds in order.
func (r *Registry) Names() []string {
	names := make([]string, 0, len(r.byName))
	for name := range r.byName {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Families lists the families in order, "step" among them.
func (r *Registry) Families() []string {
	var families []string
	for _, e := range r.byName {
		families = append(families, e.kind.Family())
	}
	sort.Strings(families)
	return slices.Compact(families)
}
