package main

import (
	"github.com/spf13/cobra"

	"github.com/evac-io/evac/internal/page"
)

func (a *app) pageServeCommand() *cobra.Command {
	var o page.Options
	cmd := &cobra.Command{
		Use: "serve DIR", Args: cobra.ExactArgs(1),
		Short: "Serve the maintenance page by itself: 503 and Retry-After to every request",
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Dir = args[0]
			ctx, stop := a.untilInterrupted(cmd.Context())
			defer stop()
			return page.Serve(ctx, o)
		},
	}
	cmd.Flags().StringVar(&o.Listen, "listen", "127.0.0.1:8503", "address to listen on")
	cmd.Flags().DurationVar(&o.RetryAfter, "retry-after", page.DefaultRetryAfter, "when clients shall come back")
	return cmd
}
