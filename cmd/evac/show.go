package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/evac-io/evac/internal/conduct"
	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/forecast"
	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/view"
)

// openView chooses once how everything is shown.
func (a *app) openView() {
	o := view.Options{Out: a.out, Err: a.err}
	if out, err, ok := a.files(); ok {
		o = view.Detect(out, err, os.Getenv)
	}
	o.JSON, o.Now = a.json, a.now
	a.view = view.New(o)
}

// files are the output streams if they are files, as in a real process.
func (a *app) files() (out, err *os.File, ok bool) {
	out, isOut := a.out.(*os.File)
	err, isErr := a.err.(*os.File)
	return out, err, isOut && isErr
}

// closeView prints the result, and the error once with its hints.
func (a *app) closeView(err error) int {
	if a.view == nil { // an error in the flags
		a.openView()
	}
	a.result.Err = err
	a.view.Close(a.result)
	if !a.json {
		_ = view.Error(a.err, unsaid(err), colorful(a.err)) // a terminal that is gone changes nothing
	}
	return fault.Code(err)
}

// unsaid is what of an error the user has not been shown yet.
func unsaid(err error) error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		var said saidError
		if errors.As(err, &said) {
			return nil
		}
		return err
	}
	var rest []error
	for _, e := range joined.Unwrap() {
		rest = append(rest, unsaid(e))
	}
	return errors.Join(rest...)
}

// say makes a sentence (and, in JSON, the fields) the command's result.
func (a *app) say(sentence string, fields map[string]any) error {
	a.result = view.Result{Sentence: sentence, Data: fields}
	return nil
}

// show shows a conductor's run.
type show struct {
	*app
	secrets *secret.Redactor
}

func (a *app) newShow(secrets *secret.Redactor) *show { return &show{app: a, secrets: secrets} }

// options are the conductor's, with everything it does shown.
func (s *show) options(ctx context.Context, j *journal.Journal) conduct.Options {
	o := conduct.Options{
		Journal: j, Runner: s.actor(), Version: version, Now: s.now, Stop: s.interrupts(ctx),
		OnEvent: s.view.Event, OnProgress: s.view.Progress,
		Log: slog.New(logLines{to: redacting{s}}),
	}
	if s.interactive() {
		s.asking(ctx, j, &o)
	}
	return o
}

// resumed makes the view know what happened before.
func (s *show) resumed(ctx context.Context, j *journal.Journal, run string) error {
	past, err := j.Events(ctx, run, 0)
	if err != nil {
		return err
	}
	return s.view.Begin(past)
}

// close makes the run's end the command's result.
func (s *show) close(run string, err error) error {
	if run != "" {
		s.result = view.RunResult(s.view.Snapshot(), err)
	}
	return err
}

// closeAlone makes the one step's end the command's result: what it found is
// shown, and it exits with its own code instead of that of a held run.
func (s *show) closeAlone(ctx context.Context, j *journal.Journal, run string, err error) error {
	if run == "" {
		return err
	}
	st, wrong := j.Load(ctx, run)
	if wrong != nil {
		return errors.Join(err, wrong)
	}
	n := st.Nodes[0]
	found := n.Output
	var held *conduct.HeldError
	if errors.As(err, &held) && n.Fail != nil {
		found, err = n.Fail.Output, failure(n.Fail)
	}
	s.result = s.aloneResult(st, n, found, err)
	s.showDifferences(found)
	s.showLines(found)
	return err
}

// failure is the error as the step gave it, from the journal.
func failure(b *journal.FailBody) error {
	return fault.New(fault.KindOfCode(b.Exit), b.Error, strings.Join(b.Hints, "; "))
}

// aloneResult is the result of one step: its output's fields beside the run's.
func (s *show) aloneResult(st *journal.State, n *journal.NodeState, found json.RawMessage, err error) view.Result {
	fields := map[string]any{}
	if len(found) > 0 {
		if wrong := json.Unmarshal(found, &fields); wrong != nil {
			fields["output"] = found // no object: as it is
		}
	}
	delete(fields, differencesField) // each has been an object of its own
	delete(fields, linesField)
	for _, own := range []string{"type", "exit", "error", "hints"} {
		delete(fields, own) // the result's: a shell step's exit status is in its step.ran
	}
	fields["run"], fields["head"], fields["result"] = st.Run, st.Head, st.Result
	sentence := fmt.Sprintf("%s: %s; run %s, head %s", n.ID, n.Phase, st.Run, st.Head)
	if kind, _, ok := s.kinds.Kind(n.Kind); ok && n.Phase == journal.Done && kind.Tell(found) != "" {
		sentence = fmt.Sprintf("%s: %s: %s; run %s, head %s", n.ID, n.Phase, kind.Tell(found), st.Run, st.Head)
	}
	if err != nil {
		sentence = ""
	}
	return view.Result{Sentence: sentence, Data: fields, Err: err}
}

// differencesField is where a comparing kind's output lists what differs.
const differencesField = "differences"

// linesField is where a kind's output says in lines what it found.
const linesField = "lines"

// difference is one row or object that is not the same on both sides.
type difference struct {
	Class  string          `json:"class"` // row, or what else differs
	Table  string          `json:"table"`
	Kind   string          `json:"kind"`
	Key    json.RawMessage `json:"key"`
	Source json.RawMessage `json:"source"`
	Target json.RawMessage `json:"target"`
}

// showDifferences shows each difference of a comparison as a result of its own.
func (s *show) showDifferences(found json.RawMessage) {
	var list struct {
		Differences []difference `json:"differences"`
	}
	if json.Unmarshal(found, &list) != nil {
		return // nothing of a comparison
	}
	for _, d := range list.Differences {
		words := fmt.Sprintf("%s %s key %s source %s target %s", d.Table, d.Kind, orNone(d.Key), orNone(d.Source), orNone(d.Target))
		s.view.Record("difference", words, d)
	}
}

// showLines shows what a reading kind has to say to people, line by line.
func (s *show) showLines(found json.RawMessage) {
	var list struct {
		Lines []string `json:"lines"`
	}
	if json.Unmarshal(found, &list) != nil {
		return // its lines are no text
	}
	for _, l := range list.Lines {
		s.view.Record("found", l, map[string]string{"text": l})
	}
}

func orNone(value json.RawMessage) string {
	if len(value) == 0 || string(value) == "null" {
		return "-"
	}
	return string(value)
}

// redacting scrubs log lines on their way to the view.
type redacting struct{ *show }

func (r redacting) Write(line []byte) (int, error) {
	_, err := r.view.Logs().Write(r.secrets.Bytes(line))
	return len(line), err
}

// interrupts delivers Ctrl-C and SIGTERM, one value each. A terminal that is
// closed (SIGHUP) counts as the first Ctrl-C, never as the second: shell and
// kernel may both send it. What was ignored when evac started stays ignored
// (nohup, a script's background job). When nobody reads the output any more
// (SIGPIPE, which a broken connection to a server sends as well) the run goes
// on.
func (s *show) interrupts(ctx context.Context) <-chan struct{} {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, notIgnored(syscall.SIGTERM, syscall.SIGPIPE, os.Interrupt, syscall.SIGHUP)...)
	stop := make(chan struct{}, 2)
	go func() {
		defer signal.Stop(signals)
		stopped, unread := false, false
		for {
			select {
			case sig := <-signals:
				switch {
				case sig == syscall.SIGPIPE && !unread && s.unread():
					unread = true
					fmt.Fprintln(s.view.Logs(), "evac: nobody reads the output any more; the run goes on, evac status shows it")
				case sig == syscall.SIGPIPE || sig == syscall.SIGHUP && stopped:
				default:
					stopped = true
					stop <- struct{}{}
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return stop
}

// untilInterrupted is a context that ends with the first interrupt.
func (a *app) untilInterrupted(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, notIgnored(syscall.SIGTERM, os.Interrupt)...)
}

// notIgnored leaves out signals that whoever started evac has it ignore; the
// first is never left out.
func notIgnored(first os.Signal, more ...os.Signal) []os.Signal {
	return append([]os.Signal{first}, slices.DeleteFunc(more, signal.Ignored)...)
}

// book reads what drills say of a runbook's durations; an empty one without
// a journal.
func (a *app) book(ctx context.Context, runbook string) (*forecast.Book, error) {
	j, err := a.openRead(ctx)
	if err != nil {
		if fault.KindOf(err) == fault.Invalid { // there is none yet
			return forecast.Read(nil), nil
		}
		return nil, err
	}
	history, err := j.Practice(ctx, runbook)
	return forecast.Read(history), errors.Join(err, j.Close())
}

// unread tells whether an output is a pipe or a terminal that is gone.
func (a *app) unread() bool {
	out, err, ok := a.files()
	if !ok {
		return false
	}
	polls := []unix.PollFd{{Fd: int32(out.Fd())}, {Fd: int32(err.Fd())}}
	n, wrong := unix.Poll(polls, 0)
	return wrong == nil && n > 0
}
