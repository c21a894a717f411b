package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/evac-io/evac/examples"
	"github.com/evac-io/evac/internal/fault"
)

func (a *app) initCommand() *cobra.Command {
	return &cobra.Command{
		Use: "init [FILE]", GroupID: groupRun, Args: cobra.MaximumNArgs(1),
		Short: "Write a starter runbook (runbook.hcl)",
		RunE: func(_ *cobra.Command, args []string) error {
			file := "runbook.hcl"
			if len(args) == 1 {
				file = args[0]
			}
			f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
			if errors.Is(err, os.ErrExist) {
				return fault.New(fault.Invalid, fmt.Sprintf("%q is there already", file), "evac init OTHER.hcl")
			}
			if err != nil {
				return fmt.Errorf("write runbook: %w", err)
			}
			_, err = f.Write([]byte(examples.Starter))
			if err := errors.Join(err, f.Close()); err != nil {
				return fmt.Errorf("write runbook: %w", err)
			}
			return a.say(fmt.Sprintf("wrote %s; next: evac check %s", file, file), nil)
		},
	}
}
