package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/evac-io/evac/internal/journal"
)

func (a *app) journalCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "journal", GroupID: groupLook, Short: "Prove that a journal is whole, or export it"}
	var head string
	verify := &cobra.Command{
		Use: "verify [RUN]", Args: cobra.MaximumNArgs(1),
		Short: "Find any altered, missing, reordered or cut-off event",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.look(cmd.Context(), args, func(ctx context.Context, j *journal.Journal, run string) error {
				result, err := j.Verify(ctx, run, head)
				if err != nil {
					return err
				}
				return a.say(fmt.Sprintf("run %s is whole: %d events, head %s", run, result.Events, result.Head), map[string]any{"run": run, "head": result.Head, "events": result.Events})
			})
		},
	}
	verify.Flags().StringVar(&head, "head", "", "the head hash as it was printed or announced: a cut tail shows too")
	export := &cobra.Command{
		Use: "export [RUN]", Args: cobra.MaximumNArgs(1),
		Short: "Print a run's events, one JSON object a line",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.look(cmd.Context(), args, func(ctx context.Context, j *journal.Journal, run string) error {
				out := bufio.NewWriter(a.out)
				return errors.Join(j.Export(ctx, run, out), out.Flush())
			})
		},
	}
	cmd.AddCommand(verify, export)
	return cmd
}

// look opens the journal for reading and finds the run: the one named, else
// the newest.
func (a *app) look(ctx context.Context, args []string, call func(context.Context, *journal.Journal, string) error) error {
	j, err := a.openRead(ctx)
	if err != nil {
		return err
	}
	run := ""
	if len(args) > 0 {
		run = args[0]
	} else if run, err = j.Newest(ctx, false); err != nil {
		return errors.Join(err, j.Close())
	}
	return errors.Join(call(ctx, j, run), j.Close())
}
