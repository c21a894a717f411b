package pg

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// relay runs a COPY on each side and passes the data from the one to the other
// in whatever pieces it comes: whole buffers, not rows. Its memory is that of
// the two taps, however large a row is.
type relay struct {
	source, target *pgx.Conn
	// passed is told of bytes before they are passed on, and may wait.
	passed func(ctx context.Context, bytes int) error
}

// relayBytes is about how much is passed on at once.
const relayBytes = 64 << 10

// errCopyEnded tells that the target has ended its COPY before the data did.
var errCopyEnded = errors.New("the target's COPY has ended")

// run copies what read gives to where write puts it. An error leaves both
// sessions useless.
func (r relay) run(ctx context.Context, read, write string) (amount, error) {
	stop := context.AfterFunc(ctx, func() {
		long := time.Unix(1, 0) // ends reads and writes that wait
		_ = errors.Join(r.source.PgConn().Conn().SetDeadline(long), r.target.PgConn().Conn().SetDeadline(long))
	})
	sum, err := r.pass(ctx, read, write)
	if !stop() && err != nil {
		return sum, context.Cause(ctx)
	}
	return sum, err
}

func (r relay) pass(ctx context.Context, read, write string) (sum amount, err error) {
	if err := beginCopy[*pgproto3.CopyInResponse](r.target, write); err != nil {
		return sum, fmt.Errorf("write target: %w", err)
	}
	if err := beginCopy[*pgproto3.CopyOutResponse](r.source, read); err != nil {
		return sum, errors.Join(fmt.Errorf("read source: %w", err), r.giveUp())
	}
	verdict := make(chan copyEnd, 1)
	go func() { verdict <- endOfCopy(r.target) }()
	given, readErr := r.patientData(ctx, &sum.bytes, verdict)
	if readErr != nil && !errors.Is(readErr, errCopyEnded) {
		return sum, errors.Join(readErr, r.giveUp())
	}
	if readErr == nil {
		if err := tell(r.target, &pgproto3.CopyDone{}); err != nil {
			return sum, fmt.Errorf("write target: %w", err)
		}
	}
	taken := <-verdict
	switch {
	case taken.err != nil:
		return sum, fmt.Errorf("write target: %w", taken.err)
	case readErr != nil:
		return sum, fmt.Errorf("write target: %w", readErr)
	case given != taken.rows:
		return sum, fmt.Errorf("source gave %d rows, target took %d", given, taken.rows)
	}
	sum.rows = taken.rows
	return sum, nil
}

// giveUp tells the target that no more comes.
func (r relay) giveUp() error {
	return tell(r.target, &pgproto3.CopyFail{Message: "the source's side has ended"})
}

// patientData is data, read in large pieces.
func (r relay) patientData(ctx context.Context, bytes *int64, verdict chan copyEnd) (int64, error) {
	tap := tapOf(r.source)
	from := patiently(ctx, r.source.PgConn().Conn(), tap.from)
	defer func(direct io.Reader) { tap.from = direct }(tap.from)
	tap.from = from
	given, err := r.data(ctx, bytes, verdict)
	return given, errors.Join(err, from.close())
}

// data passes all data on and gives the source's count of rows.
func (r relay) data(ctx context.Context, bytes *int64, verdict chan copyEnd) (int64, error) {
	tap, out := tapOf(r.source), r.target.PgConn().Conn()
	for {
		from, to, err := tap.payload(relayBytes)
		if err != nil {
			return 0, fmt.Errorf("read source: %w", err)
		}
		if from == to {
			rows, ended, err := r.otherMessage()
			if ended || err != nil {
				return rows, err
			}
			continue
		}
		if err := r.passed(ctx, to-from); err != nil {
			return 0, err
		}
		*bytes += int64(to - from)
		message := tap.buf[from-headBytes : to]
		message[0] = copyData
		binary.BigEndian.PutUint32(message[1:], uint32(to-from+headBytes-1))
		if _, err := out.Write(message); err != nil {
			return 0, fmt.Errorf("write target: %w", err)
		}
		select {
		case end := <-verdict: // it refuses the data: no use in sending the rest
			verdict <- end
			return 0, errCopyEnded
		default:
		}
	}
}

// otherMessage takes a message of the source that is no data: the end with its
// count of rows, or something said in between.
func (r relay) otherMessage() (rows int64, ended bool, err error) {
	head, err := tapOf(r.source).head()
	if err == nil && (head.kind == 'N' || head.kind == 'S' || head.kind == 'A') { // notice, parameter, notification
		_, err = r.source.PgConn().Frontend().Receive()
	} else if err == nil {
		end := endOfCopy(r.source)
		rows, ended, err = end.rows, true, end.err
	}
	if err != nil {
		err = fmt.Errorf("read source: %w", err)
	}
	return rows, ended, err
}

// beginCopy starts a COPY; R is the answer that it must get.
func beginCopy[R pgproto3.BackendMessage](conn *pgx.Conn, sql string) error {
	if err := tell(conn, &pgproto3.Query{String: sql}); err != nil {
		return err
	}
	for {
		message, err := conn.PgConn().Frontend().Receive()
		if err != nil {
			return err
		}
		switch m := message.(type) {
		case R:
			return nil
		case *pgproto3.ErrorResponse:
			return pgconn.ErrorResponseToPgError(m)
		case *pgproto3.ReadyForQuery:
			return errors.New("COPY has ended before it began")
		}
	}
}

func tell(conn *pgx.Conn, message pgproto3.FrontendMessage) error {
	frontend := conn.PgConn().Frontend()
	frontend.Send(message)
	return frontend.Flush()
}

// copyEnd is how a COPY has ended.
type copyEnd struct {
	rows int64
	err  error
}

// endOfCopy reads until the server is ready for the next statement.
func endOfCopy(conn *pgx.Conn) (end copyEnd) {
	for {
		message, err := conn.PgConn().Frontend().Receive()
		if err != nil {
			return copyEnd{err: errors.Join(end.err, err)}
		}
		switch m := message.(type) {
		case *pgproto3.ErrorResponse:
			end.err = pgconn.ErrorResponseToPgError(m)
			if m.Severity == "FATAL" {
				return end
			}
		case *pgproto3.CommandComplete:
			end.rows = pgconn.NewCommandTag(string(m.CommandTag)).RowsAffected()
		case *pgproto3.ReadyForQuery:
			return end
		}
	}
}
