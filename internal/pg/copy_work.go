package pg

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"
)

// work lets n workers take the items in order; each worker has something of
// its own (its sessions), opened before its first item and closed at the end.
// The first error ends them all.
func work[W, T any](ctx context.Context, n int, items []T, open func(context.Context) (W, error), do func(context.Context, W, T) error, shut func(W) error) error {
	queue := make(chan T)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(queue)
		for _, item := range items {
			select {
			case queue <- item:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return nil
	})
	for range min(n, len(items)) {
		group.Go(func() (err error) {
			w, err := open(ctx)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, shut(w)) }()
			for item := range queue {
				if err := do(ctx, w, item); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}
