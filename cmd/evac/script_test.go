package main

import (
	"os/user"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs testdata/script: a script a command or promise, each in an
// empty directory of its own.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"), Setup: setUp, Cmds: scriptCommands(),
		RequireUniqueNames: true,
	})
}

// setUp gives scripts an environment in which nothing of this machine shows.
func setUp(env *testscript.Env) error {
	me, err := user.Current()
	if err != nil {
		return err
	}
	for name, value := range map[string]string{"ME": me.Username, "TZ": "UTC", "NO_COLOR": "1", "TERM": "dumb", "LANG": "C.UTF-8"} {
		env.Setenv(name, value)
	}
	env.Values[testKey{}] = env.T()
	return nil
}
