package demo_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/evac-io/evac/internal/demo"
	"github.com/evac-io/evac/internal/demo/world"
	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/kinds/postgres"
	"github.com/evac-io/evac/internal/servers/standin"
)

// selfWord makes this test program what `evac demo` is: PROGRAM selfWord world
// DIR, PROGRAM selfWord gateway CONFIG.
const selfWord = "as-demo"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == postgres.HoldArgument { // of the drill's copy
		os.Exit(postgres.Hold())
	}
	if len(os.Args) != 4 || os.Args[1] != selfWord {
		os.Exit(m.Run())
	}
	run := map[string]func() error{
		"world":   func() error { return demo.World(context.Background(), os.Args[3], os.Stderr) },
		"gateway": func() error { return standin.Serve(context.Background(), os.Args[3], os.Stderr) },
	}[os.Args[2]]
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func options(t *testing.T, conduct func(context.Context, demo.Scene) error) demo.Options {
	t.Helper()
	tmp, err := os.MkdirTemp("", "evac-test-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(tmp, 0o711); err != nil { // servers of another account live below
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(tmp) })
	dir := filepath.Join(t.TempDir(), "it's here")
	t.Setenv("TMPDIR", tmp)
	return demo.Options{
		Dir: dir, Self: []string{os.Args[0], selfWord}, Small: true, Gateway: "standin",
		Progress: t.Output(), Conduct: conduct,
	}
}

// gone fails the test if a process or data of a world is left. Servers name
// their data directory, which is below the temporary one, in their arguments.
func gone(t *testing.T, dir string) {
	t.Helper()
	if world.Alive(dir) {
		t.Error("the world lives")
	}
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.Now().Add(5 * time.Second) // an ending process is seen a moment longer
	for left := running(t); len(left) > 0; left = running(t) {
		if time.Now().After(deadline) {
			t.Fatalf("processes are left: %q", left)
		}
		<-ticker.C
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("data is left: %v, %v", left, err)
	}
}

// left lists what is in a directory.
func left(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

// running lists the processes that have to do with the temporary directory.
func running(t *testing.T) (found []string) {
	t.Helper()
	processes, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range processes {
		text, err := os.ReadFile(path)
		if err == nil && bytes.Contains(text, []byte(os.TempDir())) {
			found = append(found, string(text))
		}
	}
	return found
}

// undone makes a run that ends at once with everything as it was.
func undone(ctx context.Context, s demo.Scene) error {
	j, err := journal.Open(ctx, s.Home, journal.Options{})
	if err != nil {
		return err
	}
	run, err := j.NewRun(ctx, "moving-day", journal.Live)
	if err != nil {
		return err
	}
	lease, err := j.Take(ctx, run, s.Runner)
	if err != nil {
		return err
	}
	_, err = lease.Append(ctx,
		journal.NewEvent(journal.RunCreated, s.Runner, "", 0, journal.RunBody{Runbook: "moving-day", Mode: journal.Live, Runner: s.Runner}),
		journal.NewEvent(journal.RunDone, s.Runner, "", 0, journal.EndBody{Result: "undone"}))
	return errors.Join(err, lease.Release(), j.Close())
}

func TestMoveEndsWithAResultAndNothingLeft(t *testing.T) {
	var scene demo.Scene
	o := options(t, func(ctx context.Context, s demo.Scene) error { scene = s; return undone(ctx, s) })
	o.Report = func(_ context.Context, s demo.Scene, _ demo.Result) error {
		return os.WriteFile(s.Report, []byte("# Report\n"), 0o600)
	}
	r, err := demo.Move(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Result != "undone" || r.OrdersOn != "source" || !r.Orders.Kept() || r.Orders.Acknowledged == 0 {
		t.Errorf("result %q, orders on the %q, orders %+v; want undone, and all orders on the source", r.Result, r.OrdersOn, r.Orders)
	}
	if !strings.Contains(scene.Secrets["old_db"].Reveal(), "postgres://postgres:") || scene.Variables["public"] != scene.Info.PublicURL {
		t.Errorf("the scene lacks variables: %v", scene.Variables)
	}
	gone(t, o.Dir)
	if got := left(t, o.Dir); got != "journal moving-day.hcl report.md result.json" {
		t.Errorf("left on disk: %s", got)
	}
	if _, err := demo.Move(t.Context(), o); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a second demo in the same directory: %v, want it refused", err)
	}
}

func TestHeldMoveGoesOnElsewhere(t *testing.T) {
	var scene demo.Scene
	var said bytes.Buffer
	o := options(t, func(_ context.Context, s demo.Scene) error {
		scene = s
		return fault.New(fault.Held, "the run holds", "")
	})
	o.Progress = &said
	if _, err := demo.Move(t.Context(), o); fault.KindOf(err) != fault.Held {
		t.Fatalf("error %v, want that the run holds", err)
	}
	if !world.Alive(o.Dir) || !strings.Contains(said.String(), " resume --wait ") {
		t.Errorf("alive %v; said %q", world.Alive(o.Dir), said.String())
	}
	if err := undone(t.Context(), scene); err != nil { // as another process would
		t.Error(err)
	}
	if r, err := demo.Await(t.Context(), demo.Options{Dir: o.Dir}); err != nil || r.Result != "undone" {
		t.Errorf("result %q, error %v; want undone", r.Result, err)
	}
	if err := demo.End(t.Context(), o.Dir); err != nil {
		t.Error(err)
	}
	gone(t, o.Dir)
}

func TestWorldThatCannotBeSaysWhy(t *testing.T) {
	o := options(t, func(context.Context, demo.Scene) error {
		t.Error("conducted in a world that is not there")
		return nil
	})
	t.Setenv("TMPDIR", filepath.Join(os.TempDir(), "missing"))
	if _, err := demo.Move(t.Context(), o); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("error %v, want that the temporary directory is missing", err)
	}
	if got := left(t, o.Dir); got != "moving-day.hcl world.log" {
		t.Errorf("left on disk: %s", got)
	}
	o.Gateway = "nginx"
	if _, err := demo.Move(t.Context(), o); fault.KindOf(err) != fault.Invalid {
		t.Errorf("an unknown gateway: %v, want it refused", err)
	}
}

// canceller ends a context when it is told that a server starts.
type canceller struct{ cancel context.CancelFunc }

func (c canceller) Write(text []byte) (int, error) {
	if strings.HasPrefix(string(text), "start PostgreSQL") {
		c.cancel()
	}
	return len(text), nil
}

func TestInterruptedMoveLeavesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	o := options(t, func(context.Context, demo.Scene) error {
		t.Error("conducted in a world that was interrupted")
		return nil
	})
	o.Progress = canceller{cancel}
	if _, err := demo.Move(ctx, o); fault.KindOf(err) != fault.Interrupted {
		t.Errorf("error %v, want interrupted", err)
	}
	gone(t, o.Dir)
}
