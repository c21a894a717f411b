package pg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// patient reads a stream from a server in large pieces. A server sends 8 kB at
// a time; to be woken for each costs a reader more than what it does with them
// (a third of its CPU for plain rows over the loopback). So while much flows,
// the socket reports itself readable only when patientBytes are there
// (SO_RCVLOWAT). When the flow pauses it goes back to taking what comes.
type patient struct {
	ctx    context.Context
	from   io.Reader // of conn
	conn   net.Conn
	socket syscall.RawConn // nil: conn is no plain socket, and is read as it is
	waits  bool            // the socket waits for patientBytes
	flowed int             // bytes that came without waiting
}

const (
	patientBytes = 128 << 10
	// patientAfter is how many bytes must have come before it waits for more, so
	// that short answers are taken at once.
	patientAfter = 1 << 20
	// patientPause without patientBytes is a pause of the flow.
	patientPause = 5 * time.Millisecond
)

// patiently reads from, which stands on conn. Read deadlines of conn are its own
// until close; ctx ends it.
func patiently(ctx context.Context, conn net.Conn, from io.Reader) *patient {
	p := &patient{ctx: ctx, from: from, conn: conn}
	if plain, ok := conn.(syscall.Conn); ok {
		p.socket, _ = plain.SyscallConn() // one that is closed is found out by reading
	}
	return p
}

// Read implements io.Reader.
func (p *patient) Read(b []byte) (int, error) {
	if !p.waits {
		return p.readNow(b)
	}
	if p.ctx.Err() != nil {
		return 0, context.Cause(p.ctx)
	}
	if err := p.conn.SetReadDeadline(time.Now().Add(patientPause)); err != nil {
		return 0, err
	}
	n, err := p.from.Read(b)
	if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		return n, err
	}
	if err := p.close(); err != nil {
		return 0, err
	}
	return p.readNow(b)
}

// readNow takes what is there, and waits for more from then on if much came.
func (p *patient) readNow(b []byte) (int, error) {
	n, err := p.from.Read(b)
	if p.flowed += n; p.flowed >= patientAfter && p.socket != nil && err == nil {
		p.flowed, p.waits = 0, true
		err = p.lowWater(patientBytes)
	}
	return n, err
}

// close leaves the socket as it was found.
func (p *patient) close() error {
	if !p.waits {
		return nil
	}
	p.waits = false
	if err := errors.Join(p.lowWater(1), p.conn.SetReadDeadline(time.Time{})); err != nil {
		return err
	}
	return context.Cause(p.ctx) // whoever ends it by a deadline came before or comes after
}

// lowWater sets how many bytes make the socket readable.
func (p *patient) lowWater(bytes int) error {
	var refused error
	err := p.socket.Control(func(fd uintptr) {
		refused = os.NewSyscallError("setsockopt", syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, bytes))
	})
	if err = errors.Join(err, refused); err != nil {
		return fmt.Errorf("set how much the socket waits for: %w", err)
	}
	return nil
}
