package pg

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
)

// closedLimit is how long a server may go on listening after its fencing command
// has ended.
const closedLimit = 15 * time.Second

func (p *promotion) fenceCommand(ctx context.Context) (f fenced, err error) {
	if p.primary != nil {
		if err := p.primary.QueryRow(ctx, "select pg_current_wal_lsn()::text").Scan(&f.seen); err != nil {
			return f, fmt.Errorf("read the position of the old primary: %w", err)
		}
	}
	if err := shell(ctx, p.Command); err != nil {
		return f, fault.Wrap(fault.Failed, "run the fence command", err, "")
	}
	f.how = "the fence command ended well"
	if p.From.Empty() {
		return f, nil
	}
	f.how += " and the old primary's port is closed"
	return f, awaitPortsClosed(ctx, p.From)
}

// awaitPortsClosed returns when no address of the connection string takes a
// connection any more.
func awaitPortsClosed(ctx context.Context, dsn secret.DSN) error {
	config, err := pgconn.ParseConfig(dsn.Reveal())
	if err != nil {
		return fault.New(fault.Invalid, "the connection string of the old primary cannot be read", "")
	}
	addresses := map[[2]string]bool{}
	for _, f := range append([]*pgconn.FallbackConfig{{Host: config.Host, Port: config.Port}}, config.Fallbacks...) {
		network, address := pgconn.NetworkAddress(f.Host, f.Port)
		addresses[[2]string{network, address}] = true
	}
	ctx, cancel := context.WithTimeout(ctx, closedLimit)
	defer cancel()
	for at := range addresses {
		if err := awaitClosed(ctx, at[0], at[1]); err != nil {
			return fault.Wrap(fault.Failed, "prove the old primary fenced", err, "the fence command must end the server, or cut it off, before it ends itself")
		}
	}
	return nil
}

func awaitClosed(ctx context.Context, network, address string) error {
	for {
		conn, err := (&net.Dialer{Timeout: closedLimit / 3}).DialContext(ctx, network, address)
		if err != nil {
			if ctx.Err() == nil {
				return nil
			}
			return fmt.Errorf("whether %s still takes connections could not be told in %s", address, closedLimit)
		}
		if err := conn.Close(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s still takes connections after %s", address, closedLimit)
		case <-time.After(sessionsPause):
		}
	}
}
