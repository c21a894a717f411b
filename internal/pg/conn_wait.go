package pg

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// readyLimit bounds how long a connect waits for a server that is there and
// takes no clients yet, for it starts or recovers from a crash; readyPause lies
// between two attempts.
const (
	readyLimit = 30 * time.Second
	readyPause = 250 * time.Millisecond
)

// cannotConnectNow is what a server says that starts, recovers or stops.
const cannotConnectNow = "57P03"

// connectStarted connects once the server takes clients.
func connectStarted(ctx context.Context, config *pgx.ConnConfig, settings map[string]string) (*pgx.Conn, error) {
	bound := time.After(readyLimit)
	for {
		conn, err := connectAlive(ctx, config, settings)
		if sqlState(err) != cannotConnectNow {
			return conn, err
		}
		select {
		case <-bound:
			return nil, err
		case <-ctx.Done():
			return nil, err
		case <-time.After(readyPause):
		}
	}
}
