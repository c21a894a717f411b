package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/evac-io/evac/internal/view"
)

// wrapHelp fills the help of all commands to the width of the terminal.
func (a *app) wrapHelp(root *cobra.Command) {
	usual := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		o := view.Options{}
		if out, err, ok := a.files(); ok {
			o = view.Detect(out, err, os.Getenv)
		}
		columns := o.Columns()
		cmd.Long = view.Prose(cmd.Long, columns)
		cmd.SetUsageTemplate(strings.ReplaceAll(cmd.UsageTemplate(), ".FlagUsages", fmt.Sprintf(".FlagUsagesWrapped %d", columns)))
		usual(cmd, args)
	})
}

// versionCommand says of which version this program is; --version does too.
func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Which version of evac this is", GroupID: groupLook, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.result.Sentence, a.result.Data = cmd.Root().Name()+" version "+version, map[string]string{"version": version}
			return nil
		},
	}
}
