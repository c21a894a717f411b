package pg

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
)

// A connection that breaks in the middle of something says only "unexpected
// EOF". Which of the two servers it was, and that the work can be gone on with,
// is added here, for every statement alike.

// loss names the server of a connection that breaks.
type loss struct {
	side Side
	dsn  secret.DSN
}

// lossy is a connection that tells of its loss, once somebody is logged in.
type lossy struct {
	net.Conn
	loss
	up atomic.Bool
}

// tell makes the connections of a configuration tell. It comes after alive,
// which says how to dial.
func (l loss) tell(config *pgconn.Config) {
	dial, refused := config.DialFunc, config.OnPgError
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &lossy{Conn: conn, loss: l}, nil
	}
	config.OnPgError = func(conn *pgconn.PgConn, err *pgconn.PgError) bool {
		goesOn := refused(conn, err)
		if of := lossOf(conn); !goesOn && of != nil && of.up.Load() {
			err.Message = fmt.Sprintf("%s %s has ended the session: %s", l.side, l.dsn, err.Message)
		}
		return goesOn
	}
}

// loggedIn lets a connection tell from now on; before that its connect does.
func loggedIn(conn *pgconn.PgConn) {
	if of := lossOf(conn); of != nil {
		of.up.Store(true)
	}
}

func lossOf(conn *pgconn.PgConn) *lossy {
	wire := conn.Conn()
	if ciphered, is := wire.(*tls.Conn); is {
		wire = ciphered.NetConn()
	}
	of, _ := wire.(*lossy)
	return of
}

// Read implements net.Conn.
func (c *lossy) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	return n, c.named(err)
}

// Write implements net.Conn.
func (c *lossy) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	return n, c.named(err)
}

// named names a loss; an end that evac itself has made is none.
func (c *lossy) named(err error) error {
	if err == nil || !c.up.Load() || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed) {
		return err
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fault.Wrap(fault.Failed, fmt.Sprintf("the connection to %s %s is lost", c.side, c.dsn), err, lostHint(c.dsn))
}

// lostHint is what to do once a server can be reached again.
func lostHint(dsn secret.DSN) string {
	options, _ := programOptions(dsn, false)
	return fmt.Sprintf("see that the server runs and can be reached: pg_isready %s; then the same command again, or evac resume, goes on", options)
}
