package demo

import (
	"strings"

	"github.com/evac-io/evac/internal/demo/world"
	"github.com/evac-io/evac/internal/secret"
)

// Scene is what a conductor needs to know of the demo.
type Scene struct {
	Dir     string
	Home    string // the journal's directory
	Runbook string // the runbook's path
	Report  string // where the report belongs
	Runner  string // in whose name it is run
	// Variables and Secrets are the runbook's.
	Variables map[string]string
	Secrets   map[string]secret.String
	Info      world.Info
}

// runner is the person who runs the moving day.
const runner = "kim"

func (o Options) scene(info world.Info) (Scene, error) {
	env, err := world.ReadEnv(o.Dir)
	if err != nil {
		return Scene{}, err
	}
	paths := world.Paths{Dir: o.Dir}
	file, _ := o.runbook()
	s := Scene{
		Dir: o.Dir, Home: paths.Home(), Runbook: file, Report: paths.Report(), Runner: runner,
		Variables: info.Variables, Secrets: map[string]secret.String{}, Info: info,
	}
	for name, value := range env {
		variable, ok := strings.CutPrefix(name, world.VariablePrefix)
		if _, open := info.Variables[variable]; ok && !open {
			s.Secrets[variable] = secret.New(value)
		}
	}
	return s, nil
}
