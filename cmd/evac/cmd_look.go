package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/view"
)

func (a *app) statusCommand() *cobra.Command {
	var watch bool
	cmd := &cobra.Command{
		Use: "status [RUN]", GroupID: groupLook, Args: cobra.MaximumNArgs(1),
		Short: "Where a run stands, what waits for whom, what to type next",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.look(cmd.Context(), args, func(ctx context.Context, j *journal.Journal, run string) error {
				if watch {
					return a.watch(ctx, j, run)
				}
				snapshot, err := a.snapshot(ctx, j, run)
				if err != nil {
					return err
				}
				a.view.Show(snapshot)
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&watch, "watch", false, "go on showing until the run ends")
	return cmd
}

func (a *app) snapshot(ctx context.Context, j *journal.Journal, run string) (view.Snapshot, error) {
	st, err := j.Load(ctx, run)
	if err != nil {
		return view.Snapshot{}, err
	}
	progress, err := j.Progress(ctx, run)
	if err != nil {
		return view.Snapshot{}, err
	}
	conductor, err := holder(ctx, j, run)
	if err != nil {
		return view.Snapshot{}, err
	}
	return view.Take(view.Moment{State: st, Progress: progress, Now: a.now(), Abandoned: conductor == nil && !st.Finished()}), nil
}

// watch redraws the status at every event and, for progress, every second.
func (a *app) watch(ctx context.Context, j *journal.Journal, run string) error {
	ctx, stop := a.untilInterrupted(ctx)
	defer stop()
	for {
		snapshot, err := a.snapshot(ctx, j, run)
		if err != nil {
			return err
		}
		a.view.Redraw(snapshot)
		if snapshot.Result != "" {
			return nil
		}
		tick, cancel := context.WithTimeout(ctx, watchEvery)
		err = j.Wait(tick, run, snapshot.Seq)
		cancel()
		if ctx.Err() != nil {
			return nil // looking has no result to lose
		}
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
	}
}

func (a *app) runsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "runs", GroupID: groupLook, Args: cobra.NoArgs, Short: "All runs, newest first",
		RunE: func(cmd *cobra.Command, _ []string) error {
			j, err := a.openRead(cmd.Context())
			if err != nil {
				return err
			}
			runs, err := j.Runs(cmd.Context())
			if err == nil {
				a.view.Show(view.RunsPage{Runs: runs, Now: a.now()})
			}
			return errors.Join(err, j.Close())
		},
	}
}

func (a *app) drillsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "drills [RUNBOOK]", GroupID: groupLook, Args: cobra.MaximumNArgs(1),
		Short: "How each step's duration came down over the drills",
		RunE: func(cmd *cobra.Command, args []string) error {
			j, err := a.openRead(cmd.Context())
			if err != nil {
				return err
			}
			return errors.Join(a.showDrills(cmd.Context(), j, args), j.Close())
		},
	}
}

// showDrills shows the drills of the runbook named (by name or file), else of
// every runbook that was rehearsed.
func (a *app) showDrills(ctx context.Context, j *journal.Journal, args []string) error {
	names, err := a.rehearsed(ctx, j)
	if err != nil {
		return err
	}
	if len(args) == 1 {
		names = []string{args[0]}
		if _, err := os.Stat(args[0]); err == nil {
			src, err := readSource(args[0])
			if err != nil {
				return err
			}
			book, err := a.parse(src)
			if err != nil {
				return err
			}
			names = []string{book.Name}
		}
	}
	if len(names) == 0 {
		return a.say("no drill yet; evac drill RUNBOOK rehearses one", nil)
	}
	for _, name := range names {
		history, err := j.Practice(ctx, name)
		if err != nil {
			return err
		}
		a.view.Show(view.Drills(name, history))
	}
	return nil
}

func (a *app) rehearsed(ctx context.Context, j *journal.Journal) ([]string, error) {
	runs, err := j.Runs(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	seen := map[string]bool{}
	for _, r := range runs {
		if r.Mode == journal.Drill && !seen[r.Runbook] {
			seen[r.Runbook] = true
			names = append(names, r.Runbook)
		}
	}
	return names, nil
}

func (a *app) kindsCommand() *cobra.Command {
	var markdown bool
	cmd := &cobra.Command{
		Use: "kinds [KIND|FAMILY]", GroupID: groupLook, Args: cobra.MaximumNArgs(1), ValidArgs: a.kinds.Names(),
		Short: "What kinds of steps there are, and all of one kind's fields",
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.showPage(view.Kinds(a.kinds, "*"), markdown)
			}
			if kind, schema, ok := a.kinds.Kind(args[0]); ok {
				return a.showPage(view.KindOf(kind, schema), markdown)
			}
			page := view.Kinds(a.kinds, args[0])
			if len(page.Kinds) == 0 {
				return fault.New(fault.Invalid, fmt.Sprintf("no kind %q", args[0]), "evac kinds lists them")
			}
			return a.showPage(page, markdown)
		},
	}
	cmd.Flags().BoolVar(&markdown, "markdown", false, "print the reference page as Markdown")
	return cmd
}

// reference is a page that there is as Markdown too.
type reference interface {
	view.Page
	Markdown() string
}

func (a *app) showPage(page reference, markdown bool) error {
	if markdown {
		_, err := fmt.Fprint(a.out, page.Markdown())
		return err
	}
	a.view.Show(page)
	return nil
}
