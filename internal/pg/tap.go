package pg

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
)

// tap stands between a session's socket and its reader of messages, and never
// hands over more than the message that is being read. So what follows a
// message is still here, and the rows of a COPY can be taken as the bytes they
// are: hundreds of thousands of small messages a second need not be decoded
// one by one. (Messages are a type byte and a length that counts itself;
// PostgreSQL documentation, "Message Formats".)
type tap struct {
	from    io.Reader
	buf     []byte
	at, end int // what was read and not handed over is buf[at:end]
	left    int // bytes of the current message that were not handed over
}

const (
	tapBytes   = 256 << 10
	headBytes  = 5
	tapRoom    = headBytes // stands free before what is read
	copyData   = 'd'
	tapKeptFor = "evac.tap" // its name in the session's custom data
)

// tapped gives a session's settings a tap and returns where it will stand once
// the session is there.
func tapped(config *pgx.ConnConfig) **tap {
	place := new(*tap)
	config.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		*place = &tap{from: r, buf: make([]byte, tapBytes), at: tapRoom, end: tapRoom}
		return pgproto3.NewFrontend(*place, w)
	}
	return place
}

// tapOf is the tap of a session that was opened with ConnOptions.Tap.
func tapOf(conn *pgx.Conn) *tap { return conn.PgConn().CustomData()[tapKeptFor].(*tap) }

// Read hands over bytes of one message.
func (t *tap) Read(p []byte) (int, error) {
	if t.left == 0 {
		head, err := t.head()
		if err != nil {
			return 0, err
		}
		t.left = head.size
	}
	if t.at == t.end {
		if err := t.fill(1); err != nil {
			return 0, err
		}
	}
	n := copy(p, t.buf[t.at:min(t.end, t.at+t.left)])
	t.at, t.left = t.at+n, t.left-n
	return n, nil
}

// messageHead is the type of a message and its size with head.
type messageHead struct {
	kind byte
	size int
}

// head looks at the next message without handing it over.
func (t *tap) head() (messageHead, error) {
	if err := t.fill(headBytes); err != nil {
		return messageHead{}, err
	}
	length := binary.BigEndian.Uint32(t.buf[t.at+1:])
	if length < headBytes-1 {
		return messageHead{}, fmt.Errorf("message %q says that it is %d bytes long", t.buf[t.at], length)
	}
	return messageHead{t.buf[t.at], 1 + int(length)}, nil
}

// fill reads until n bytes are here.
func (t *tap) fill(n int) error {
	for t.end-t.at < n {
		t.shift(tapRoom)
		if err := t.more(); err != nil {
			return err
		}
	}
	return nil
}

// shift moves what was not handed over to a place further in front.
func (t *tap) shift(to int) {
	if t.at > to {
		t.at, t.end = to, to+copy(t.buf[to:], t.buf[t.at:t.end])
	}
}

func (t *tap) more() error {
	n, err := t.from.Read(t.buf[t.end:])
	t.end += n
	if n > 0 {
		return nil
	}
	return err
}

// payload gives the next bytes of COPY's data: about want of them, fewer only
// at its end, nil when the next message is another; that is left for the
// reader of messages. They stand in the tap's buffer with room for a message's
// head before them, and are good until the next call.
func (t *tap) payload(want int) (begin, end int, err error) {
	if t.at == t.end || len(t.buf)-t.at < 2*want {
		t.shift(tapRoom)
	}
	begin, end = t.at, t.at
	for end-begin < want {
		if t.left == 0 && t.end-t.at >= headBytes {
			if t.buf[t.at] != copyData {
				return begin, end, nil
			}
			t.left = int(binary.BigEndian.Uint32(t.buf[t.at+1:])) - (headBytes - 1)
			t.at += headBytes
			if begin == end {
				begin, end = t.at, t.at
			}
		}
		if n := min(t.left, t.end-t.at); n > 0 {
			copy(t.buf[end:], t.buf[t.at:t.at+n])
			end, t.at, t.left = end+n, t.at+n, t.left-n
			continue
		}
		t.shift(end)
		if err := t.more(); err != nil {
			return begin, end, err
		}
	}
	return begin, end, nil
}
