package view

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/view/night"
)

// play shows a night's events on a view, with progress of the copy every
// second while it runs, and gives what came out.
func play(t *testing.T, o Options, b *night.Book, end func(v *View) Result) (out, err string) {
	t.Helper()
	var outBuf, errBuf bytes.Buffer
	var now time.Time
	o.Out, o.Err, o.Zone, o.Now = &outBuf, &errBuf, time.UTC, func() time.Time { return now }
	v := New(o)
	for i, e := range b.Events {
		now = e.At
		v.Event(e)
		if e.Type != journal.StepIntent || e.Step != "shell.images" || i+1 == len(b.Events) {
			continue
		}
		const total = 2_900_000_000
		next := b.Events[i+1].At
		for done := int64(0); now.Before(next); done += total / 250 {
			now = now.Add(time.Second)
			v.Progress(map[string]journal.ProgressRow{"postgres_copy.main": {At: now, Unit: "bytes", Done: done, Total: total, Note: "public.orders"}})
		}
	}
	v.Close(end(v))
	v.Close(Result{Sentence: "twice"})
	return outBuf.String(), errBuf.String()
}

func runEnd(v *View) Result { return RunResult(v.Snapshot(), nil) }

func heldEnd(v *View) Result {
	return RunResult(v.Snapshot(), fault.New(fault.Held, "step failed", "evac status"))
}

func TestPlain(t *testing.T) {
	for name, b := range map[string]*night.Book{"done": night.Done(), "turnedback": night.TurnedBack()} {
		t.Run(name, func(t *testing.T) {
			out, err := play(t, Options{}, b, runEnd)
			golden(t, "plain-"+name+".txt", err+"--- stdout\n"+out)
		})
	}
}

func TestJSONLines(t *testing.T) {
	out, err := play(t, Options{JSON: true}, night.Holding(), heldEnd)
	if err != "" {
		t.Errorf("stderr holds %q, want nothing", err)
	}
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	var kinds []string
	for _, line := range lines {
		var object struct {
			Type    string `json:"type"`
			Percent *int   `json:"percent"`
		}
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		if !strings.HasPrefix(line, `{"type":"`) || strings.Count(line, `"type":"`+object.Type+`"`) != 1 {
			t.Errorf("line %q has its type not first or twice", line)
		}
		if object.Percent != nil && *object.Percent > 100 {
			t.Errorf("line %q passes 100 %%", line)
		}
		kinds = append(kinds, object.Type)
	}
	var last struct {
		Exit      int      `json:"exit"`
		CauseExit int      `json:"cause_exit"`
		Run       string   `json:"run"`
		Hints     []string `json:"hints"`
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(last); got != "{20 3 "+night.Run+" [evac status]}" || kinds[len(kinds)-1] != "result" {
		t.Errorf("last object is %s of type %s", got, kinds[len(kinds)-1])
	}
	if n := strings.Count(out, `{"type":"progress"`); n < 200 || n > 260 {
		t.Errorf("there are %d progress objects, want one a second for 250 s", n)
	}
	if kinds[0] != "run.created" {
		t.Errorf("first object is of type %q", kinds[0])
	}
}

func TestResume(t *testing.T) {
	var out, errs bytes.Buffer
	v := New(Options{Out: &out, Err: &errs, Zone: time.UTC, Now: func() time.Time { return night.Begin() }})
	events := night.Done().Events
	if err := v.Begin(events[:40]); err != nil {
		t.Fatal(err)
	}
	if errs.Len() > 0 {
		t.Errorf("what happened before is shown: %q", errs.String())
	}
	for _, e := range events[40:] {
		v.Event(e)
	}
	if s := v.Snapshot(); s.Standing != Done {
		t.Errorf("the run stands %q, want %q", s.Standing, Done)
	}
}

func TestRecord(t *testing.T) {
	difference := struct {
		Table string `json:"table"`
		Kind  string `json:"kind"`
	}{"public.orders", "missing"}
	for form, want := range map[string]string{
		"text": "public.orders: missing\n",
		"json": `{"type":"difference","table":"public.orders","kind":"missing"}` + "\n",
	} {
		var out bytes.Buffer
		v := New(Options{Out: &out, Err: &out, JSON: form == "json"})
		v.Record("difference", "public.orders: missing", difference)
		if out.String() != want {
			t.Errorf("%s: %q, want %q", form, out.String(), want)
		}
	}
}

func TestError(t *testing.T) {
	cause := fault.Wrap(fault.Denied, `connect to source "tokyo"`, errors.New("password \x1b[31mwrong\x1b[0m"), "psql tokyo")
	tests := map[string]struct {
		err  error
		want string
	}{
		"plain":  {errors.New("disk full"), "evac: error: disk full\n"},
		"hints":  {fault.Wrap(fault.Failed, "run step", cause, "evac retry x"), "evac: error: run step: connect to source \"tokyo\": password wrong\nevac: hint: evac retry x\nevac: hint: psql tokyo\n"},
		"joined": {fault.Wrap(fault.Invalid, "", errors.Join(errors.New("a"), cause), "evac kinds x"), "evac: error: a\nevac: error: connect to source \"tokyo\": password wrong\nevac: hint: evac kinds x\nevac: hint: psql tokyo\n"},
		"lines":  {errors.New("x.hcl:1:2: what\n  1 | stge\n    | ^"), "evac: error: x.hcl:1:2: what\n  1 | stge\n    | ^\n"},
		"none":   {nil, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := Error(&b, tt.err, false); err != nil || b.String() != tt.want {
				t.Errorf("got %q, %v\nwant %q", b.String(), err, tt.want)
			}
		})
	}
}
