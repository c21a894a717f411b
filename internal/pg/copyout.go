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

// copyWindow is how much of a stream of rows is read at once, in bytes; a row
// that is longer is handed over in pieces.
const copyWindow = 256 << 10

// taker is told of the rows of a COPY, without their line ends. A row of at
// most copyWindow bytes comes whole; of a longer one all pieces but the last
// have more set and copyWindow bytes. What it gets is gone when it returns.
type taker interface {
	take(row []byte, more bool) error
}

// copyOut runs COPY … TO STDOUT in text form and hands each row over where it
// lies in the read buffer: the driver's own way gives every row a message, a
// lock and a call through two interfaces, which costs more than adding it up.
// After an error the session is good for nothing but to be closed.
func copyOut(ctx context.Context, conn *pgx.Conn, sql string, rows taker) (err error) {
	wire := conn.PgConn()
	if err := wire.SyncConn(ctx); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = wire.Conn().SetDeadline(time.Unix(1, 0)) })
	defer func() {
		if !stop() { // the deadline stands
			err = errors.Join(context.Cause(ctx), cancelQuery(ctx, wire))
		}
	}()
	query, err := (&pgproto3.Query{String: sql}).Encode(nil)
	if err != nil {
		return err
	}
	if _, err := wire.Conn().Write(query); err != nil {
		return err
	}
	from := patiently(ctx, wire.Conn(), wire.Conn())
	s := copyStream{from: from, rows: rows, buf: make([]byte, copyWindow+headerBytes)}
	return errors.Join(s.read(), from.close())
}

// cancelQuery ends what a session does, for nobody will read it.
func cancelQuery(ctx context.Context, wire *pgconn.PgConn) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), hangUpLimit)
	defer cancel()
	return wire.CancelRequest(ctx)
}

// headerBytes are a message's type and length (PostgreSQL docs, message formats).
const headerBytes = 5

// copyStream is the server's answer to COPY … TO STDOUT. What was read and not
// yet used is buf[at:end].
type copyStream struct {
	from    io.Reader
	rows    taker
	buf     []byte
	at, end int
	refused error
}

// read goes through the answer up to the server's ReadyForQuery.
func (s *copyStream) read() error {
	for {
		if err := s.wholeRows(); err != nil {
			return err
		}
		if err := s.want(headerBytes); err != nil {
			return err
		}
		kind, length := s.buf[s.at], int(binary.BigEndian.Uint32(s.buf[s.at+1:]))-4
		if length < 0 {
			return fmt.Errorf("a message has %d bytes", length)
		}
		s.at += headerBytes
		if kind == 'd' {
			if err := s.row(length); err != nil {
				return err
			}
			continue
		}
		if ready, err := s.other(kind, length); ready || err != nil {
			return err
		}
	}
}

// wholeRows hands over the rows that are in the buffer whole.
func (s *copyStream) wholeRows() error {
	at, b := s.at, s.buf[:s.end]
	for at+headerBytes <= len(b) && b[at] == 'd' {
		next := at + 1 + int(binary.BigEndian.Uint32(b[at+1:]))
		if next > len(b) || next <= at+headerBytes {
			break
		}
		if b[next-1] != '\n' {
			return errNoLineEnd
		}
		if err := s.rows.take(b[at+headerBytes:next-1], false); err != nil {
			return err
		}
		at = next
	}
	s.at = at
	return nil
}

// PostgreSQL sends each row as a message of its own.
var errNoLineEnd = errors.New("a row came without a line end")

// row hands over a row of length bytes that is not in the buffer whole.
func (s *copyStream) row(length int) error {
	for {
		if err := s.want(min(length, len(s.buf))); err != nil {
			return err
		}
		if length <= copyWindow+1 {
			break
		}
		if err := s.rows.take(s.buf[s.at:s.at+copyWindow], true); err != nil {
			return err
		}
		s.at, length = s.at+copyWindow, length-copyWindow
	}
	row := s.buf[s.at : s.at+length]
	s.at += length
	if length == 0 || row[length-1] != '\n' {
		return errNoLineEnd
	}
	return s.rows.take(row[:length-1], false)
}

// other takes in a message that is no row.
func (s *copyStream) other(kind byte, length int) (ready bool, err error) {
	if err := s.want(min(length, len(s.buf))); err != nil {
		return false, err
	}
	if length > len(s.buf) {
		return false, fmt.Errorf("a message %q has %d bytes", kind, length)
	}
	body := s.buf[s.at : s.at+length]
	s.at += length
	switch kind {
	case 'E':
		var message pgproto3.ErrorResponse
		if err := message.Decode(body); err != nil {
			return false, err
		}
		s.refused = pgconn.ErrorResponseToPgError(&message)
	case 'Z':
		return true, s.refused
	case 'H', 'c', 'C', 'N', 'S', 'A': // its beginning and end, and what a server may say at any time
	default:
		return false, fmt.Errorf("a message %q has no place in a copy", kind)
	}
	return false, nil
}

// want reads until n bytes are there.
func (s *copyStream) want(n int) error {
	if s.end-s.at >= n {
		return nil
	}
	s.end = copy(s.buf, s.buf[s.at:s.end])
	s.at = 0
	got, err := io.ReadAtLeast(s.from, s.buf[s.end:], n-s.end)
	s.end += got
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}
