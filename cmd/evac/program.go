package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/evac-io/evac/internal/conduct"
	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/runbook"
	"github.com/evac-io/evac/internal/runbook/syntax"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/step"
	"github.com/evac-io/evac/internal/view/text"
)

// variableFlags are the ways to give a runbook's variables.
type variableFlags struct {
	pairs []string
	files []string
}

func (v *variableFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&v.pairs, "var", nil, "set a variable, NAME=VALUE (secret ones only from $EVAC_VAR_NAME, a file or the prompt)")
	cmd.Flags().StringArrayVar(&v.files, "var-file", nil, "read variables from a JSON file: {\"NAME\": VALUE, …}")
}

// source is a runbook's text and where it came from.
type source struct {
	file string // as shown; absolute in the journal
	text []byte
}

func readSource(file string) (source, error) {
	text, err := readRegular(file)
	if err != nil {
		return source{}, fault.Wrap(fault.Invalid, "read runbook", err, "evac init writes a starter runbook")
	}
	return source{file: file, text: text}, nil
}

// readRegular reads a file. A pipe or a device is refused: it may never end,
// and a resumed run could not read it again.
func readRegular(file string) ([]byte, error) {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("%q is a directory", file)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%q is not a regular file", file)
	case info.Size() > syntax.MaxBytes:
		return nil, fmt.Errorf("%q has %s, more than the %s that a runbook may have", file, humanize.IBytes(uint64(info.Size())), humanize.IBytes(syntax.MaxBytes))
	}
	return os.ReadFile(file)
}

// bind parses a runbook and gives it its variables' values.
func (a *app) bind(src source, v variableFlags, drill string, fixed map[string]any) (*runbook.Bound, error) {
	book, err := a.parse(src)
	if err != nil {
		return nil, err
	}
	values, err := a.values(book, v, fixed)
	if err != nil {
		return nil, err
	}
	if err := a.prompt(book, drill, values); err != nil {
		return nil, err
	}
	bound, diags := book.Bind(runbook.Input{Values: values, Drill: drill, Runner: a.actor()})
	return bound, a.diagnose(src.file, diags)
}

// bindPlan is bind for looking ahead: nobody is asked for what is missing.
func (a *app) bindPlan(src source, v variableFlags, drill string) (*runbook.Bound, error) {
	book, err := a.parse(src)
	if err != nil {
		return nil, err
	}
	values, err := a.values(book, v, nil)
	if err != nil {
		return nil, err
	}
	bound, diags := book.Bind(runbook.Input{Values: values, Drill: drill, Runner: a.actor(), Plan: true})
	return bound, a.diagnose(src.file, diags)
}

func (a *app) parse(src source) (*runbook.Runbook, error) {
	book, diags := runbook.Parse(src.file, src.text, a.kinds)
	return book, a.diagnose(src.file, diags)
}

// diagnose shows everything that is wrong with a runbook at once.
func (a *app) diagnose(file string, diags runbook.Diagnostics) error {
	if !diags.HasErrors() {
		return nil
	}
	short := fault.New(fault.Invalid, text.Plural(len(diags.All()), "mistake")+" in "+filepath.Base(file), "")
	if a.json {
		a.view.Record("diagnostics", "", map[string]any{"file": file, "diagnostics": diags})
		return saidError{short}
	}
	return errors.Join(saidError{short}, diags.Write(a.err, colorful(a.err)))
}

// program makes what the conductor conducts of a bound runbook.
func (a *app) program(bound *runbook.Bound, file string) (*conduct.Program, error) {
	absolute, err := filepath.Abs(file)
	if err != nil {
		return nil, fmt.Errorf("find runbook: %w", err)
	}
	return conduct.FromRunbook(bound, filepath.Dir(absolute), absolute, a.kinds), nil
}

// values gathers the variables: --var over --var-file over what the journal
// kept (fixed) over the environment. Defaults and the prompt come after.
func (a *app) values(book *runbook.Runbook, v variableFlags, fixed map[string]any) (map[string]any, error) {
	values := map[string]any{}
	declared := map[string]*runbook.Variable{}
	for _, variable := range book.Variables {
		declared[variable.Name] = variable
		if text, ok := os.LookupEnv(secret.VariablePrefix + variable.Name); ok {
			values[variable.Name] = text
		}
	}
	maps.Copy(values, fixed)
	if err := valuesFromFiles(v.files, declared, values); err != nil {
		return nil, err
	}
	for _, pair := range v.pairs {
		name, text, ok := strings.Cut(pair, "=")
		switch variable := declared[name]; {
		case !ok:
			return nil, fault.New(fault.Invalid, fmt.Sprintf("--var %q has no value", name), "--var NAME=VALUE")
		case variable == nil:
			return nil, fault.New(fault.Invalid, fmt.Sprintf("--var %s: the runbook has no such variable", name), "")
		case variable.Secret:
			return nil, fault.New(fault.Invalid, fmt.Sprintf("variable %q is secret: a command line is seen by others", name), "export EVAC_VAR_"+name+"=…")
		}
		values[name] = text
	}
	return values, hideSecrets(declared, values)
}

func valuesFromFiles(files []string, declared map[string]*runbook.Variable, values map[string]any) error {
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return fault.Wrap(fault.Invalid, "read variables", err, "")
		}
		var given map[string]any
		if err := json.Unmarshal(text, &given); err != nil {
			return fault.New(fault.Invalid, fmt.Sprintf("read variables from %q: not a JSON object", file), `{"NAME": "VALUE", …}`)
		}
		for name, value := range given {
			if declared[name] == nil {
				return fault.New(fault.Invalid, fmt.Sprintf("variable file %q: the runbook has no variable %q", file, name), "")
			}
			values[name] = value
		}
	}
	return nil
}

// prompt asks the person at the terminal for what nothing else has given.
func (a *app) prompt(book *runbook.Runbook, drill string, values map[string]any) error {
	missing := book.VariablesNeeded(values)
	if drill != "" {
		missing = book.DrillNeeds(drill, values) // not the live secrets
	}
	if len(missing) == 0 || !a.interactive() {
		return nil // Bind names what is missing
	}
	for _, variable := range missing {
		fmt.Fprintf(a.err, "%s: ", variable.Name)
		text, err := a.readAnswer(variable.Secret)
		if err != nil {
			return fmt.Errorf("read variable %q: %w", variable.Name, err)
		}
		values[variable.Name] = text
		if err := hideSecrets(map[string]*runbook.Variable{variable.Name: variable}, values); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) readAnswer(hidden bool) (string, error) {
	if file, ok := a.in.(*os.File); ok && hidden {
		text, err := term.ReadPassword(int(file.Fd()))
		fmt.Fprintln(a.err)
		return string(text), err
	}
	return a.line()
}

// hideSecrets wraps the values of secret variables, resolving env: and @FILE.
func hideSecrets(declared map[string]*runbook.Variable, values map[string]any) error {
	for name, variable := range declared {
		text, given := values[name].(string)
		if !variable.Secret || !given {
			continue
		}
		value, err := step.ReadSecret(text)
		if err != nil {
			return fault.Wrap(fault.Invalid, fmt.Sprintf("variable %q", name), err, "")
		}
		values[name] = value
	}
	return nil
}
