package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/kinds/cockroach"
	"github.com/evac-io/evac/internal/view"
)

// lookupCommand is beside the kinds of its family, and none of them: what it
// finds goes into no journal.
func (a *app) lookupCommand() *cobra.Command {
	var l cockroach.Lookup
	cmd := &cobra.Command{
		Use: "lookup STORE… --table TABLE --key VALUE…", Args: cobra.MinimumNArgs(1),
		Short: "one user's rows now, with their history, from the raw stores of a dead cluster",
		Long:  strings.TrimSpace(cockroach.LookupDoc),
		RunE: func(cmd *cobra.Command, args []string) error {
			l.Stores = args
			ctx, stop := a.untilInterrupted(cmd.Context())
			defer stop()
			found, err := l.Find(ctx)
			if found == nil {
				return err
			}
			if a.json {
				a.result = view.Result{Data: found}
				return err
			}
			err = errors.Join(found.WriteText(a.out), err)
			if fault.KindOf(err) == fault.Different {
				return saidError{err}
			}
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&l.Table, "table", "", `"database.schema.table", or the end of it where that is the only one (required)`)
	flags.StringArrayVar(&l.Key, "key", nil, "a value of the key, as text; one --key for each column, in their order (required)")
	flags.StringVar(&l.Index, "index", "", "the index whose columns --key is of; the primary key by default")
	flags.StringVar(&l.Null, "null", "", "text that stands for NULL in --key; none by default")
	flags.IntVar(&l.Limit, "limit", 20, "how many rows are shown at most")
	flags.StringVar(&l.AsOf, "as-of", "", "moment to look at, RFC 3339 or as AS OF SYSTEM TIME takes it; the newest by default")
	flags.StringVar(&l.Memory, "memory", "2GiB", "what the stores may take")
	flags.StringArrayVar(&l.StoreKey, "store-key", nil, "key files of encrypted stores, as the nodes were started with")
	flags.StringVar(&l.Work, "work", "", "folder in which archives are unpacked, and stay; by default one that goes at the end")
	return cmd
}
