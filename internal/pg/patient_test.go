package pg

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"testing"

	"golang.org/x/sync/errgroup"
)

// connected is both ends of a connection.
func connected(t *testing.T) (here, there net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	var accept errgroup.Group
	accept.Go(func() (err error) {
		there, err = l.Accept()
		return err
	})
	here, err = net.Dial("tcp", l.Addr().String())
	if err := errors.Join(err, accept.Wait()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = here.Close(), there.Close() })
	return here, there
}

// A few bytes after a flood are taken although fewer than it waits for, and the
// other side may wait for the answer to them.
func TestPatientTakesTheLastBytes(t *testing.T) {
	here, there := connected(t)
	flood, last := bytes.Repeat([]byte("x"), 3*patientAfter+17), []byte("and that is all")
	var server errgroup.Group
	server.Go(func() error {
		for range 2 {
			if _, err := there.Write(append(bytes.Clone(flood), last...)); err != nil {
				return err
			}
			if _, err := io.ReadFull(there, make([]byte, 1)); err != nil {
				return err
			}
		}
		return nil
	})
	for range 2 {
		p, waited := patiently(t.Context(), here, here), false
		got := make([]byte, 0, len(flood)+len(last))
		for len(got) < cap(got) {
			n, err := p.Read(got[len(got):cap(got)])
			if err != nil {
				t.Fatal(err)
			}
			got, waited = got[:len(got)+n], waited || p.waits
		}
		if !waited || !bytes.HasSuffix(got, last) {
			t.Errorf("it waited: %v; the end is %q", waited, got[len(flood):])
		}
		if err := p.close(); err != nil {
			t.Fatal(err)
		}
		if _, err := here.Write([]byte("k")); err != nil {
			t.Fatal(err)
		}
	}
	if err := server.Wait(); err != nil {
		t.Fatal(err)
	}
}

// A flood that never pauses is left as well.
func TestPatientEndsWithItsContext(t *testing.T) {
	here, there := connected(t)
	broken := errors.New("broken")
	ctx, cancel := context.WithCancelCause(t.Context())
	var server errgroup.Group
	server.Go(func() error {
		for {
			if _, err := there.Write(make([]byte, patientAfter)); err != nil {
				return nil // the reader has hung up
			}
		}
	})
	p := patiently(ctx, here, here)
	for buf := make([]byte, patientAfter); !p.waits; {
		if _, err := p.Read(buf); err != nil {
			t.Fatal(err)
		}
	}
	cancel(broken)
	if _, err := io.Copy(io.Discard, p); !errors.Is(err, broken) {
		t.Errorf("it ended with %v", err)
	}
	if err := here.Close(); err != nil {
		t.Fatal(err)
	}
	if err := server.Wait(); err != nil {
		t.Fatal(err)
	}
}
