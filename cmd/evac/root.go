package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/kinds"
	"github.com/evac-io/evac/internal/step"
	"github.com/evac-io/evac/internal/view"
)

// app is what every command stands on.
type app struct {
	streams
	kinds *step.Registry
	now   func() time.Time
	view  *view.View
	// result is what the command ends with; closeView prints it.
	result view.Result
	lines  *bufio.Reader
	// global flags
	home string
	as   string
	json bool
}

// run executes one command line and gives its exit code.
func run(ctx context.Context, args []string, s streams) int {
	a := &app{streams: s, now: time.Now}
	var err error
	if a.kinds, err = kinds.Registry(); err == nil {
		root := a.rootCommand()
		root.SetArgs(args)
		a.json = slices.Contains(args, "--json") // also where a wrong flag ends the parsing before it
		err = root.ExecuteContext(ctx)
	}
	return a.closeView(err)
}

// saidError is an error whose text the user has already been shown.
type saidError struct{ error }

func (e saidError) Unwrap() error { return e.error }

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "evac",
		Short: "Move a running service, or carry it out of a burning one: rehearsed, timed, proved, reversible",
		Long: `evac conducts runbooks: every step is checked, run, verified, timed, journalled
and can be undone. Begin with

  evac init && evac check runbook.hcl && evac run runbook.hcl

or watch a whole night on real servers on this machine: evac demo move`,
		Version:       version,
		SilenceErrors: true, SilenceUsage: true,
		PersistentPreRun: func(*cobra.Command, []string) { a.openView() },
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	flags := root.PersistentFlags()
	flags.StringVar(&a.home, "home", "", "directory of the journal (default: $EVAC_HOME, else .evac)")
	flags.StringVar(&a.as, "as", "", "who you are, a name in people (default: the system's user name)")
	flags.BoolVar(&a.json, "json", false, "print JSON, one object a line, the last one the result")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if words := cmd.Flags().Args(); cmd.HasSubCommands() && len(words) > 0 {
			return a.unknown(cmd, words[0])
		}
		return fault.Wrap(fault.Invalid, "", err, cmd.CommandPath()+" --help")
	})
	root.AddGroup(
		&cobra.Group{ID: groupRun, Title: "Runbooks:"},
		&cobra.Group{ID: groupOrder, Title: "Orders to a run:"},
		&cobra.Group{ID: groupLook, Title: "Looking:"},
		&cobra.Group{ID: groupStep, Title: "Kinds of steps, each by itself:"},
	)
	root.AddCommand(
		a.initCommand(), a.fmtCommand(), a.checkCommand(), a.drillCommand(), a.runCommand(), a.resumeCommand(), a.demoCommand(),
		a.undoCommand(), a.holdCommand(), a.releaseCommand(), a.retryCommand(), a.skipCommand(), a.abortCommand(),
		a.approveCommand(), a.rejectCommand(), a.tickCommand(), a.itemCommand(), a.noteCommand(),
		a.statusCommand(), a.reportCommand(), a.runsCommand(), a.drillsCommand(), a.kindsCommand(), a.journalCommand(), a.versionCommand(),
	)
	root.AddCommand(a.familyCommands()...)
	a.refuseUnknown(root)
	a.wrapHelp(root)
	return root
}

// watchEvery is how often a watched status is redrawn for progress alone.
const watchEvery = time.Second

const (
	groupRun   = "run"
	groupOrder = "order"
	groupLook  = "look"
	groupStep  = "step"
)

// nearby is how many letters off a command's name may be to be guessed.
const nearby = 2

// refuseUnknown makes wrong argument counts and unknown subcommands usage
// errors: refusing is never exit 0.
func (a *app) refuseUnknown(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if check(cmd, args) == nil {
				return nil
			}
			return fault.New(fault.Invalid, fmt.Sprintf("%s takes other arguments than these %d", cmd.CommandPath(), len(args)), cmd.UseLine())
		}
	}
	if cmd.RunE == nil && cmd.Run == nil {
		cmd.Args, cmd.SuggestionsMinimumDistance = cobra.ArbitraryArgs, nearby
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return a.unknown(cmd, args[0])
		}
	}
	for _, sub := range cmd.Commands() {
		a.refuseUnknown(sub)
	}
}

// unknown refuses a word that is no command, and guesses which one is meant; a
// kind's name is one as well.
func (a *app) unknown(cmd *cobra.Command, word string) error {
	hint := cmd.CommandPath() + " --help"
	if kind, _, ok := a.kinds.Kind(word); ok {
		hint = "did you mean evac " + kind.Family() + " " + kind.Verb() + "?"
	} else if near := cmd.SuggestionsFor(word); len(near) > 0 {
		hint = "did you mean " + cmd.CommandPath() + " " + strings.Join(near, ", ") + "?"
	}
	return fault.New(fault.Invalid, "unknown command "+cmd.CommandPath()+" "+word, hint)
}

// homeDir is where the journal lives.
func (a *app) homeDir() string {
	if a.home != "" {
		return a.home
	}
	if env := os.Getenv("EVAC_HOME"); env != "" {
		return env
	}
	return ".evac"
}

// actor is who gives the orders of this command.
func (a *app) actor() string {
	if a.as != "" {
		return a.as
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}

// openRead opens the journal for looking, openWrite for acting.
func (a *app) openRead(ctx context.Context) (*journal.Journal, error) {
	return journal.OpenRead(ctx, a.homeDir())
}

func (a *app) openWrite(ctx context.Context) (*journal.Journal, error) {
	return journal.Open(ctx, a.homeDir(), journal.Options{Now: a.now})
}

// terminal tells whether a stream is one.
func terminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// line reads one line from the person at the terminal.
func (a *app) line() (string, error) {
	if a.lines == nil {
		a.lines = bufio.NewReader(a.in)
	}
	text, err := a.lines.ReadString('\n')
	return strings.TrimRight(text, "\r\n"), err
}

func colorful(w io.Writer) bool {
	return terminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// interactive tells whether a person sits at this command.
func (a *app) interactive() bool { return terminal(a.in) && terminal(a.err) && !a.json }
