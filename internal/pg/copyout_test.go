package pg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/testenv"
)

// gathered notes rows, long ones by length and hash, and pieces by their number.
type gathered struct {
	rows   []string
	pieces int
	long   bytes.Buffer
	fail   error
}

var gatheredSeed = maphash.MakeSeed()

func brief(row []byte) string {
	if len(row) < 100 {
		return string(row)
	}
	return fmt.Sprintf("%d bytes %x", len(row), maphash.Bytes(gatheredSeed, row))
}

func (g *gathered) take(row []byte, more bool) error {
	g.long.Write(row)
	if more {
		g.pieces++
		if len(row) != copyWindow {
			return fmt.Errorf("a piece of %d bytes", len(row))
		}
		return nil
	}
	g.rows = append(g.rows, brief(g.long.Bytes()))
	g.long.Reset()
	return g.fail
}

func TestCopyOutGivesRowsOfAnyLength(t *testing.T) {
	conn := dial(t, testenv.Database(t, testenv.Postgres(t, testenv.Newer)))
	lengths := []int{0, 1, 7, copyWindow - 1, copyWindow, copyWindow + 1, copyWindow + 2, 3 * copyWindow, 3*copyWindow + 1, 5_000_000, 3}
	var want []string
	var asked []string
	pieces := 0
	for i, n := range lengths {
		asked = append(asked, fmt.Sprintf("(%d, %d)", i, n))
		want = append(want, brief(bytes.Repeat([]byte("x"), n)))
		pieces += max(n-1, 0) / copyWindow
	}
	got := &gathered{}
	sql := "copy (select repeat('x', n) from (values " + strings.Join(asked, ", ") + ") v(i, n) order by i) to stdout"
	for range 2 { // the session is good for more
		*got = gathered{}
		if err := copyOut(t.Context(), conn, sql, got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got.rows); diff != "" || got.pieces != pieces {
			t.Errorf("%d pieces, want %d: %s", got.pieces, pieces, diff)
		}
	}
	if err := copyOut(t.Context(), conn, "copy (select g / (g - 5000) from generate_series(1, 10000) g) to stdout", &gathered{}); err == nil || !strings.Contains(err.Error(), "division by zero") {
		t.Errorf("error of the server: %v", err)
	}
	var one int
	if err := conn.QueryRow(t.Context(), "select 1").Scan(&one); err != nil {
		t.Errorf("after an error of the server: %v", err)
	}
}

func TestCopyOutEndsWithItsContextAndItsTaker(t *testing.T) {
	db := testenv.Database(t, testenv.Postgres(t, testenv.Newer))
	endless := "copy (select repeat('x', 1000) from generate_series(1, 100000000)) to stdout"
	broken := errors.New("broken")
	if err := copyOut(t.Context(), dial(t, db), endless, &gathered{fail: broken}); !errors.Is(err, broken) {
		t.Errorf("the taker's error came out as %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := &cancelled{after: 5000, cancel: func() { cancel(broken) }}
	if err := copyOut(ctx, dial(t, db), endless, stop); !errors.Is(err, broken) {
		t.Errorf("a cancelled context came out as %v", err)
	}
}

// cancelled calls cancel after some rows.
type cancelled struct {
	after  int
	cancel func()
}

func (c *cancelled) take([]byte, bool) error {
	if c.after--; c.after == 0 {
		c.cancel()
	}
	return nil
}
