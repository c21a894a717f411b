package journal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// NewEvent makes an event to append. Body is the type's body struct, or nil;
// it must be JSON-able, and it is a bug of the caller if it is not (what a
// kind brings is marshalled before and comes as json.RawMessage).
func NewEvent(t Type, actor, step string, attempt int, body any) Event {
	e := Event{Type: t, Actor: actor, Step: step, Attempt: attempt}
	if body == nil {
		return e
	}
	text, err := json.Marshal(body)
	if err != nil {
		panic(fmt.Sprintf("evac: internal error: body of %s event is not JSON: %v", t, err))
	}
	e.Body = text
	return e
}

// row is an event as it is stored: At as the text that was hashed.
type row struct {
	Event
	at string
}

// sum is the hash of the row's stored bytes; the package comment has the
// formula.
func (r *row) sum() string {
	fields := [...]string{
		r.Prev, r.Run, strconv.FormatInt(r.Seq, 10), r.at, strconv.FormatInt(r.Epoch, 10),
		r.Actor, string(r.Type), r.Step, strconv.Itoa(r.Attempt),
	}
	text := make([]byte, 0, 512+len(r.Body))
	for _, f := range fields {
		text = binary.BigEndian.AppendUint64(text, uint64(len(f)))
		text = append(text, f...)
	}
	text = binary.BigEndian.AppendUint64(text, uint64(len(r.Body)))
	text = append(text, r.Body...)
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// link makes e the event after the one with prev's seq and hash.
func link(e Event, run string, epoch, seq int64, at time.Time, prev string) (row, error) {
	body, err := oneLine(e.Body)
	if err != nil {
		return row{}, fmt.Errorf("body of %s event: %w", e.Type, err)
	}
	e.Run, e.Epoch, e.Seq, e.At, e.Body, e.Prev = run, epoch, seq, at, body, prev
	r := row{Event: e, at: at.Format(time.RFC3339Nano)}
	r.Hash = r.sum()
	return r, nil
}

// oneLine checks that a body is JSON and takes the blanks out, so that a line
// of an export can hold the very bytes that are hashed.
func oneLine(body json.RawMessage) (json.RawMessage, error) {
	if len(body) == 0 {
		return nil, nil
	}
	var text bytes.Buffer
	text.Grow(len(body))
	if err := json.Compact(&text, body); err != nil {
		return nil, fmt.Errorf("is not JSON: %w", err)
	}
	return text.Bytes(), nil
}

// queryer is a database or a transaction.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// scan hands the run's rows after seq to each, in order, of all types or of
// those that are named.
func scan(ctx context.Context, db queryer, run string, after int64, types []Type, each func(row) error) error {
	query := "SELECT seq, at, epoch, actor, type, step, attempt, body, prev, hash FROM events WHERE run = ? AND seq > ?"
	args := []any{run, after}
	for i, t := range types {
		query += [2]string{" AND type IN (?", ", ?"}[min(i, 1)]
		args = append(args, string(t))
	}
	if len(types) > 0 {
		query += ")"
	}
	rows, err := db.QueryContext(ctx, query+" ORDER BY seq", args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // rows.Err tells all
	for rows.Next() {
		r := row{Event: Event{Run: run}}
		err := rows.Scan(&r.Seq, &r.at, &r.Epoch, &r.Actor, (*string)(&r.Type), &r.Step, &r.Attempt, (*[]byte)(&r.Body), &r.Prev, &r.Hash)
		if err != nil {
			return err
		}
		if err := each(r); err != nil {
			return err
		}
	}
	return rows.Err()
}

// event reads the time; an empty body becomes nil.
func (r row) event() (Event, error) {
	at, err := time.Parse(time.RFC3339Nano, r.at)
	if err != nil {
		return r.Event, fmt.Errorf("event %d: read its time: %w", r.Seq, err)
	}
	r.At = at
	if len(r.Body) == 0 {
		r.Body = nil
	}
	return r.Event, nil
}
