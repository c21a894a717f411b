package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/evac-io/evac/internal/conduct"
	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/forecast"
	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/step"
	"github.com/evac-io/evac/internal/view"
)

// familyCommands makes one command a kind: evac postgres copy, evac step wait.
func (a *app) familyCommands() []*cobra.Command {
	families := map[string]*cobra.Command{}
	var list []*cobra.Command
	for _, name := range a.kinds.Families() {
		families[name] = &cobra.Command{Use: name, GroupID: groupStep}
		list = append(list, families[name])
	}
	for _, name := range a.kinds.Names() {
		kind, schema, _ := a.kinds.Kind(name)
		families[kind.Family()].AddCommand(a.kindCommand(kind, schema))
	}
	if page := families["page"]; page != nil {
		page.AddCommand(a.pageServeCommand())
	}
	if dead := families["cockroach"]; dead != nil {
		dead.AddCommand(a.lookupCommand())
	}
	for name, family := range families {
		family.Short = verbs(family) + ": one step of " + name + " by itself"
	}
	return list
}

// verbs lists a family's commands.
func verbs(family *cobra.Command) string {
	var list []string
	for _, cmd := range family.Commands() {
		list = append(list, cmd.Name())
	}
	return strings.Join(list, ", ")
}

// kindFlags are the flags that every kind's own command has.
type kindFlags struct {
	check, verify, undo bool
	confirm             bool
	fields              map[string]func() (any, bool)
}

func (a *app) kindCommand(kind step.Kind, schema step.Schema) *cobra.Command {
	f := kindFlags{fields: map[string]func() (any, bool){}}
	cmd := &cobra.Command{
		Use: kind.Verb(), Short: kind.Summary, Long: strings.TrimSpace(kind.Doc), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.alone(cmd.Context(), kind, schema, f) },
	}
	flags := cmd.Flags()
	for _, field := range schema.Fields {
		if field.Args {
			f.fields[field.Name] = addArgs(cmd, field)
			continue
		}
		f.fields[field.Name] = addField(cmd, field)
	}
	flags.BoolVar(&f.check, "check", false, "only check: say what would be done")
	flags.BoolVar(&f.verify, "verify", false, "only prove again what was done")
	if _, ok := kind.New().(step.Undoer); ok {
		flags.BoolVar(&f.undo, "undo", false, "take back what was done")
	}
	if kind.Effect == step.Lasting || kind.Name == "shell" {
		flags.BoolVar(&f.confirm, "confirm", false, "confirm what cannot be undone")
	}
	return cmd
}

// twoVerbs tells whether more than one of the verbs was asked for.
func (f kindFlags) twoVerbs() bool {
	return f.check && f.verify || f.check && f.undo || f.verify && f.undo
}

// addArgs makes a field the arguments of the command.
func addArgs(cmd *cobra.Command, field step.Field) func() (any, bool) {
	cmd.Use += " " + field.Word()
	fewest, most := 0, math.MaxInt
	if field.Required {
		fewest = 1
	}
	if field.Type != step.TypeList {
		most = 1
	}
	cmd.Args = cobra.RangeArgs(fewest, most)
	return func() (any, bool) {
		args := cmd.Flags().Args()
		if field.Type == step.TypeList || len(args) == 0 {
			return anyList(args), len(args) > 0
		}
		return args[0], true
	}
}

// addField makes a flag of a field and gives the way to read it.
func addField(cmd *cobra.Command, field step.Field) func() (any, bool) {
	name := field.Flag()
	flags := cmd.Flags()
	given := func() bool { return flags.Changed(name) }
	usage := field.Doc
	if field.Secret {
		usage += " (env:NAME, @FILE, or the text itself)"
	}
	if field.Required {
		usage += " (required)"
	}
	switch field.Type {
	case step.TypeBool:
		v := flags.Bool(name, field.Default == "true", usage)
		return func() (any, bool) { return *v, given() }
	case step.TypeList:
		v := flags.StringArray(name, nil, usage)
		return func() (any, bool) { return anyList(*v), given() }
	case step.TypeMap, step.TypeSecretMap:
		v := flags.StringArray(name, nil, usage+", KEY=VALUE, may be repeated")
		return func() (any, bool) { return anyMap(*v), given() }
	default:
		v := flags.String(name, field.Default, usage)
		return func() (any, bool) { return *v, given() }
	}
}

func anyList(texts []string) []any {
	list := make([]any, len(texts))
	for i, t := range texts {
		list[i] = t
	}
	return list
}

func anyMap(pairs []string) map[string]any {
	m := map[string]any{}
	for _, p := range pairs {
		key, value, _ := strings.Cut(p, "=")
		m[key] = value
	}
	return m
}

// step builds the kind's struct from the flags.
func (f kindFlags) step(kind step.Kind, schema step.Schema) (step.Step, *secret.Redactor, error) {
	values := step.Values{}
	for name, read := range f.fields {
		if v, given := read(); given {
			values[name] = v
		}
	}
	s := kind.New()
	var errs []error
	for _, wrong := range schema.Decode(values, s) {
		flag := wrong.Field
		if field, ok := schema.Field(wrong.Field); ok && field.Args {
			flag = field.Word()
		} else if ok {
			flag = "--" + field.Flag()
		}
		errs = append(errs, fault.Wrap(fault.Invalid, flag, wrong.Err, ""))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, nil, fault.Wrap(fault.Invalid, "", err, "evac kinds "+kind.Name)
	}
	known := &secret.Redactor{}
	schema.Redact(s, known)
	return s, known, nil
}

// alone runs one step by itself: a run of one step, found again by its kind
// and fields, so that the same command again goes on where it stopped.
func (a *app) alone(ctx context.Context, kind step.Kind, schema step.Schema, f kindFlags) error {
	if f.twoVerbs() {
		return fault.New(fault.Invalid, "--check, --verify and --undo exclude each other", "evac kinds "+kind.Name)
	}
	s, secrets, err := f.step(kind, schema)
	if err != nil {
		return err
	}
	a.warnPasswords(schema, f)
	dir, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("find working directory: %w", err)
	}
	program, err := conduct.Alone(a.kinds, kind, schema, s, dir, secrets)
	if err != nil {
		return err
	}
	if f.check {
		return a.checkAlone(ctx, program)
	}
	return a.withJournal(ctx, func(j *journal.Journal) error {
		run, err := j.NewestOf(ctx, program.Body.Runbook, false)
		if err != nil && !errors.Is(err, journal.ErrNoRun) {
			return err
		}
		switch {
		case f.undo:
			return a.undoAlone(ctx, j, program, run)
		case f.verify:
			return a.verifyAlone(ctx, j, program, run)
		}
		return a.runAlone(ctx, j, program, run, f)
	})
}

// warnPasswords tells that a password on the command line was seen by others.
func (a *app) warnPasswords(schema step.Schema, f kindFlags) {
	for _, field := range schema.Fields {
		text, given := f.fields[field.Name]()
		s, ok := text.(string)
		if !field.Secret || !given || !ok || strings.HasPrefix(s, "env:") || strings.HasPrefix(s, "@") {
			continue
		}
		if field.Type == step.TypeSecret || secret.NewDSN(s).Password() != "" {
			fmt.Fprintf(a.err, "evac: warning: --%s holds a secret on the command line, where ps shows it; env:NAME or @FILE keeps it hidden\n", field.Flag())
		}
	}
}

func (a *app) runAlone(ctx context.Context, j *journal.Journal, program *conduct.Program, run string, f kindFlags) error {
	s := a.newShow(program.Secrets)
	o := s.options(ctx, j)
	o.Parallel = 1
	if f.confirm {
		o.Confirmed = []string{program.Nodes[0].ID}
	}
	if run != "" {
		st, err := j.Load(ctx, run)
		if err != nil {
			return err
		}
		if !st.Finished() && len(st.Nodes) > 0 {
			if err := a.confirmSteps(ctx, j, run, o.Confirmed); err != nil {
				return err
			}
			if err := s.resumed(ctx, j, run); err != nil {
				return err
			}
			return s.closeAlone(ctx, j, run, conduct.Resume(ctx, o, program, run, true))
		}
		if stands(ctx, program, st) {
			s.result = s.aloneResult(st, st.Nodes[0], st.Nodes[0].Output, nil)
			s.result.Sentence = fmt.Sprintf("%s: done already, and verified again; run %s, head %s", program.Nodes[0].ID, run, st.Head)
			return nil
		}
	}
	checked, err := conduct.Check(ctx, program, 1)
	if err != nil {
		return err
	}
	if err := checked[0].Err; err != nil {
		return err
	}
	run, err = conduct.Start(ctx, o, program, checked)
	return s.closeAlone(ctx, j, run, err)
}

// stands tells whether a step that leaves something behind has been done and
// still holds: the same command again then has nothing to do.
func stands(ctx context.Context, program *conduct.Program, st *journal.State) bool {
	return st.Result == journal.ResultDone && st.Nodes[0].Effect == step.Undoable && conduct.VerifyAlone(ctx, program, st) == nil
}

// checkAlone shows what the step would do.
func (a *app) checkAlone(ctx context.Context, program *conduct.Program) error {
	checked, err := conduct.Check(ctx, program, 1)
	if err != nil {
		return err
	}
	program.Body.Runner = a.actor()
	refusal := checked[0].Err
	page := view.Checked(program.Record(checked), forecast.Read(nil), view.ProblemsOf(checked[0].Node.ID, refusal))
	a.view.Show(page)
	a.result = checkResult(page)
	if refusal != nil {
		return saidError{refusal} // the page shows it
	}
	return nil
}

func (a *app) undoAlone(ctx context.Context, j *journal.Journal, program *conduct.Program, run string) error {
	if run == "" {
		return fault.New(fault.Invalid, "nothing to undo: this step with these fields was never run from here", "evac runs")
	}
	if _, err := j.Request(ctx, run, journal.NewEvent(journal.AskUndo, a.actor(), "", 0, journal.UndoBody{})); err != nil {
		return err
	}
	s := a.newShow(program.Secrets)
	if err := s.resumed(ctx, j, run); err != nil {
		return err
	}
	return s.closeAlone(ctx, j, run, conduct.Resume(ctx, s.options(ctx, j), program, run, false))
}

// verifyAlone proves again what the newest run of this step did; without one,
// what a check would plan now.
func (a *app) verifyAlone(ctx context.Context, j *journal.Journal, program *conduct.Program, run string) error {
	var st *journal.State
	if run != "" {
		var err error
		if st, err = j.Load(ctx, run); err != nil {
			return err
		}
	}
	if err := conduct.VerifyAlone(ctx, program, st); err != nil {
		return err
	}
	return a.say(program.Nodes[0].ID+": verified", map[string]any{"run": run})
}
