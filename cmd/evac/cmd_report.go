package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/evac-io/evac/internal/demo"
	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/report"
)

func (a *app) reportCommand() *cobra.Command {
	var extra, out string
	cmd := &cobra.Command{
		Use: "report [RUN]", GroupID: groupLook, Args: cobra.MaximumNArgs(1),
		Short: "The after-action report, in Markdown",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.look(cmd.Context(), args, func(ctx context.Context, j *journal.Journal, run string) error {
				if extra != "" {
					if _, err := os.Stat(extra); err != nil {
						return fault.Wrap(fault.Invalid, "read traffic", err, "docs/json.md says what the file holds")
					}
				}
				more, err := report.ReadExtra(extra)
				if err != nil {
					return err
				}
				text, err := a.reportText(ctx, j, run, more)
				if err != nil {
					return err
				}
				if out != "" {
					if err := replaceOrCreate(out, text); err != nil {
						return err
					}
					return a.say("wrote "+out, map[string]any{"run": run, "report": out})
				}
				if a.json {
					return a.say("", map[string]any{"run": run, "markdown": text})
				}
				_, err = fmt.Fprint(a.out, text)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "write to this file instead of standard output")
	cmd.Flags().StringVar(&extra, "traffic", "", "a JSON file with what users saw: requests and failures by second (docs/json.md)")
	return cmd
}

// reportText writes the report of a run; the newest one if none is named.
func (a *app) reportText(ctx context.Context, j *journal.Journal, run string, extra report.Extra) (string, error) {
	if run == "" {
		var err error
		if run, err = j.Newest(ctx, false); err != nil {
			return "", err
		}
	}
	if _, err := j.Load(ctx, run); err != nil {
		return "", err // there is no such run, or it was altered
	}
	if _, err := j.Load(ctx, run); err != nil { // no such run, or one that cannot be followed
		return "", err
	}
	events, err := j.Events(ctx, run, 0)
	if err != nil {
		return "", err
	}
	return report.Markdown(events, extra)
}

func replaceOrCreate(file, text string) error {
	err := replaceFile(file, []byte(text))
	if errors.Is(err, os.ErrNotExist) {
		err = os.WriteFile(file, []byte(text), 0o644)
	}
	if err != nil {
		return fmt.Errorf("write report %q: %w", file, err)
	}
	return nil
}

// demoExtra is what the demo's customers saw, for the report.
func demoExtra(r demo.Result) report.Extra {
	extra := report.Extra{
		Orders: &report.Orders{Acknowledged: r.Orders.Acknowledged, Missing: r.Orders.Missing, Twice: r.Orders.Twice, On: r.OrdersOn},
		Outages: []report.Outage{
			{Kind: report.Write, From: r.WriteOutage.From, To: r.WriteOutage.To},
			{Kind: report.Read, From: r.ReadOutage.From, To: r.ReadOutage.To},
		},
	}
	for _, s := range r.Seconds {
		extra.Seconds = append(extra.Seconds,
			report.Second{At: s.At, Kind: report.Write, Requests: s.Writes.Requests, Failed: s.Writes.Failed},
			report.Second{At: s.At, Kind: report.Read, Requests: s.Reads.Requests, Failed: s.Reads.Failed})
	}
	return extra
}
