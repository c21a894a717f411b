package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evac-io/evac/internal/pg"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/testenv"
)

// said keeps what a copy says of its progress.
type said struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *said) Total(string, int64) {}
func (s *said) Add(int64)           {}
func (s *said) Note(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.WriteString(text + "\n")
}

// TestCopyGoesOnAtItsMoment cuts a copy off, writes to the source, and lets the
// copy go on: the target holds what stood when it began.
func TestCopyGoesOnAtItsMoment(t *testing.T) {
	from, to := testenv.Database(t, testenv.Postgres(t, testenv.Older)), testenv.Database(t, testenv.Postgres(t, testenv.Newer))
	execute(t, from, "create table t (a int primary key); insert into t select generate_series(1, 1000)")
	notes := &said{}
	o := pg.CopyOptions{From: from, To: to, Jobs: 2, PgDump: testenv.PgDump(t), Token: "moment", Progress: notes, Hold: startHolder}
	cut := errors.New("cut off")
	o.Save = func(context.Context, pg.CopyState) error { return cut }
	if _, err := pg.Copy(t.Context(), o); !errors.Is(err, cut) {
		t.Fatal(err)
	}
	const holders = "select count(*) from pg_stat_activity where application_name = 'evac snapshot' and datname = current_database()"
	if n := one(t, from, holders); n != "1" {
		t.Fatalf("%s sessions hold the snapshot", n)
	}
	execute(t, from, "insert into t select generate_series(1001, 2000)")
	o.Save = func(context.Context, pg.CopyState) error { return nil }
	if _, err := pg.Copy(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if n := one(t, to, "select count(*) from public.t"); n != "1000" || !strings.Contains(notes.text.String(), "its snapshot of the source still stands") {
		t.Errorf("the target holds %s rows; notes:\n%s", n, notes.text.String())
	}
	for deadline := time.Now().Add(10 * time.Second); one(t, from, holders) != "0"; {
		if time.Now().After(deadline) {
			t.Fatal("the holder stays after the copy")
		}
	}
}

func TestHolderSaysWhatItCannotHold(t *testing.T) {
	in, out := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- hold(t.Context(), strings.NewReader(`{"dsn": "postgres://u:hidden@127.0.0.1:1/x"} true`), out)
		_ = out.Close()
	}()
	text, err := io.ReadAll(in)
	if err != nil || !strings.Contains(string(text), "connection refused") || strings.Contains(string(text), "hidden") || <-code != 1 {
		t.Errorf("error %v, said %s", err, text)
	}
}

// TestHolderOfNobody: a holder whose starter ends before it has written down
// who holds the snapshot ends too.
func TestHolderOfNobody(t *testing.T) {
	from := testenv.Database(t, testenv.Postgres(t, testenv.Older))
	orders, order := io.Pipe()
	answer, said := io.Pipe()
	code := make(chan int, 1)
	go func() { code <- hold(t.Context(), orders, said) }()
	if err := json.NewEncoder(order).Encode(holdOrder{DSN: from.Reveal()}); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(answer); err != nil || !strings.Contains(string(text), "sight") {
		t.Fatalf("error %v, said %s", err, text)
	}
	if err := order.Close(); err != nil {
		t.Fatal(err)
	}
	<-code // or the test lasts for an hour
}

// one is the text of a query's only value.
func one(t testing.TB, db secret.DSN, query string) (text string) {
	t.Helper()
	conn, err := pg.Connect(t.Context(), db, pg.ConnOptions{Application: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if err := conn.QueryRow(t.Context(), "select ("+query+")::text").Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}
