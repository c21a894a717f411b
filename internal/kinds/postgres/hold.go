package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/evac-io/evac/internal/pg"
	"github.com/evac-io/evac/internal/secret"
)

// HoldArgument is the hidden argument with which evac starts itself to hold a
// snapshot of a source: the snapshot outlives an evac that is killed.
const HoldArgument = "__hold"

// holderMark stands in a holder's environment. A program that is started as a
// holder and does not call Hold would else start holders of its own.
const holderMark = "EVAC_HOLDER=1"

// holdOrder is what a holder is told, on its standard input: never by argument
// or environment, which others can see. A "true" follows when it is to stay.
type holdOrder struct {
	DSN  string           `json:"dsn"`
	From *pg.HeldSnapshot `json:"from,omitempty"`
}

// holdAnswer is what it says, once.
type holdAnswer struct {
	Held  pg.HeldSnapshot `json:"held"`
	Error string          `json:"error,omitempty"`
}

// Hold is the whole life of a holder, between standard input and output; the
// result is its exit code.
func Hold() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return hold(ctx, os.Stdin, os.Stdout)
}

func hold(ctx context.Context, in io.Reader, out io.WriteCloser) int {
	var o holdOrder
	orders := json.NewDecoder(in)
	if orders.Decode(&o) != nil {
		return 1
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		var keep bool
		if orders.Decode(&keep) != nil || !keep {
			stop() // nobody would ever find this holder
		}
	}()
	said := false
	err := pg.HoldSnapshot(ctx, secret.NewDSN(o.DSN), o.From, func(held pg.HeldSnapshot) error {
		said = true
		return errors.Join(json.NewEncoder(out).Encode(holdAnswer{Held: held}), out.Close())
	})
	if err == nil {
		return 0
	}
	if !said { // later there is nobody who listens
		_ = json.NewEncoder(out).Encode(holdAnswer{Error: err.Error()})
	}
	return 1
}

// startHolder starts a holder in a session of its own and returns what it holds.
func startHolder(ctx context.Context, dsn secret.DSN, from *pg.HeldSnapshot) (held pg.HeldSnapshot, err error) {
	if os.Getenv("EVAC_HOLDER") != "" {
		return held, errors.New("this process was started as a holder and must call Hold")
	}
	path, err := os.Executable()
	if err != nil {
		return held, fmt.Errorf("start holder of the snapshot: %w", err)
	}
	cmd := &exec.Cmd{Path: path, Args: []string{"evac", HoldArgument}, Env: append(secret.Environ(), holderMark), Dir: "/"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	order, orderErr := cmd.StdinPipe()
	said, saidErr := cmd.StdoutPipe()
	if err := errors.Join(orderErr, saidErr); err != nil {
		return held, fmt.Errorf("start holder of the snapshot: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return held, fmt.Errorf("start holder of the snapshot: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	var answer holdAnswer
	err = json.NewEncoder(order).Encode(holdOrder{DSN: dsn.Reveal(), From: from})
	if err == nil {
		err = json.NewDecoder(said).Decode(&answer)
	}
	if answer.Error != "" {
		err = errors.New(answer.Error)
	}
	go func() { _ = cmd.Wait() }() // it ends when its session does, or stays when this process goes
	switch {
	case ctx.Err() != nil:
		return held, errors.Join(context.Cause(ctx), order.Close())
	case err != nil:
		return held, errors.Join(fmt.Errorf("hold a snapshot of the source: %w", err), order.Close())
	}
	answer.Held.Keep = func() error { return errors.Join(json.NewEncoder(order).Encode(true), order.Close()) }
	return answer.Held, nil
}
