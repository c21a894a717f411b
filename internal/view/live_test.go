package view

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hinshun/vt10x"

	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/step"
	"github.com/evac-io/evac/internal/view/night"
	"github.com/evac-io/evac/internal/view/text"
)

// terminal is an emulated one with a view on it.
type terminal struct {
	vt10x.Terminal
	view *View
	now  time.Time
}

func newTerminal(columns, rows int) *terminal {
	t := &terminal{Terminal: vt10x.New(vt10x.WithSize(columns, rows)), now: night.Begin()}
	t.view = New(Options{Out: t, Err: t, Live: true, ColorOut: true, ColorErr: true, Zone: time.UTC, Now: func() time.Time { return t.now },
		Size: func() (int, int) { return columns, rows }})
	return t
}

// lines are the screen's lines without the blanks at their ends.
func (t *terminal) lines() []string {
	lines := strings.Split(strings.TrimRight(t.String(), " \n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return lines
}

func (t *terminal) picture() string { return strings.Join(t.lines(), "\n") + "\n" }

// play shows events on the terminal and draws after each.
func (t *terminal) play(events []journal.Event) {
	for _, e := range events {
		// under the lock, for the view's own clock reads it too
		t.view.locked(func() { t.now = e.At })
		t.view.Event(e)
		t.draw()
	}
}

func (t *terminal) draw() { t.view.locked(t.view.form.(*live).draw) }

func TestLivePicture(t *testing.T) {
	term := newTerminal(80, 30)
	term.play(night.Moving().Events)
	m := movingMoment()
	term.view.locked(func() { term.now = m.Now })
	term.view.Progress(m.Progress)
	term.draw()
	golden(t, "live-moving.txt", term.picture())
	if term.CursorVisible() {
		t.Error("the cursor is visible beside the table")
	}
	term.view.Close(Result{Sentence: "interrupted"})
	golden(t, "live-closed.txt", term.picture())
	if !term.CursorVisible() {
		t.Error("the cursor did not come back")
	}
}

// After a whole night each line that stays stands there once, in order, the
// table is gone, and the result is the last line.
func TestLiveNight(t *testing.T) {
	for name, b := range map[string]*night.Book{"done": night.Done(), "turnedback": night.TurnedBack()} {
		t.Run(name, func(t *testing.T) {
			term := newTerminal(80, 100)
			term.play(b.Events)
			term.view.Close(RunResult(term.view.Snapshot(), nil))
			golden(t, "live-"+name+".txt", term.picture())
		})
	}
}

func TestLiveHolding(t *testing.T) {
	term := newTerminal(72, 40)
	term.play(night.Holding().Events)
	golden(t, "live-holding.txt", term.picture())
	term.view.Close(Result{})
}

// Logs, records and questions pass above the table without tearing it.
func TestLiveAside(t *testing.T) {
	term := newTerminal(80, 30)
	term.play(night.Moving().Events[:14])
	logs := term.view.Logs()
	fmt.Fprint(logs, "level=INFO msg=\"half a line")
	term.draw()
	fmt.Fprint(logs, "\"\nlevel=WARN msg=\x1b[2Jevil\n")
	term.view.Record("difference", "public.orders: missing", nil)
	err := term.view.Suspend(func() error {
		_, err := fmt.Fprint(term, "retry, skip, undo or abort? retry\r\n")
		term.draw()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	term.draw()
	golden(t, "live-aside.txt", term.picture())
	term.view.Close(Result{})
}

func TestLiveWatch(t *testing.T) {
	term := newTerminal(80, 30)
	term.view.Redraw(Take(movingMoment()))
	term.view.Redraw(Take(moment(night.Waiting(), time.Minute)))
	if picture := term.picture(); strings.Contains(picture, "postgres_copy.main ") || strings.Count(picture, "Tokyo") != 1 {
		t.Errorf("the first page still stands:\n%s", picture)
	}
	term.view.Close(Result{})
	if picture := term.picture(); strings.Count(picture, "Tokyo") != 1 || !term.CursorVisible() {
		t.Errorf("the last page does not stay:\n%s", picture)
	}
}

var percents = regexp.MustCompile(`(\d+)%`)

// No line of any picture passes the width, no picture the height, and no bar
// 100 %, whatever the steps report.
func TestLiveBounds(t *testing.T) {
	shots := map[string]Snapshot{}
	for name, m := range crowded() {
		shots[name] = Take(m)
	}
	for columns := 1; columns < 200; columns += 7 {
		for _, rows := range []int{2, 5, 24, 60} {
			for name, shot := range shots {
				p := newPaper(columns, true, time.UTC)
				var out bytes.Buffer
				s := screen{out: &out}
				s.draw([]string{strings.Repeat("한글 ", 50)}, shot.table(p, rows-1), columns, rows)
				if len(s.frame) > max(rows-1, 1) {
					t.Errorf("%s at %d×%d: %d lines", name, columns, rows, len(s.frame))
				}
				for line := range strings.SplitSeq(out.String(), "\r\n") {
					if w := text.Width(line); w > max(columns, 2) { // a Korean letter takes two
						t.Errorf("%s at %d×%d: line of %d columns: %q", name, columns, rows, w, line)
					}
					checkBar(t, line)
				}
			}
		}
	}
}

func checkBar(t *testing.T, line string) {
	t.Helper()
	for _, found := range percents.FindAllStringSubmatch(line, -1) {
		if n, err := strconv.Atoi(found[1]); err != nil || n > 100 {
			t.Errorf("bar of %s %%: %q", found[1], line)
		}
	}
}

// crowded are the nights, and one with many steps that report more than their
// total.
func crowded() map[string]Moment {
	all := nights()
	b, body := night.NewBook(), night.Body()
	for i := range 50 {
		body.Nodes = append(body.Nodes, journal.NodeBody{ID: fmt.Sprintf(`objects_sync.버킷["%d"]`, i), Class: journal.ClassStep, Stage: "close",
			Kind: "objects_sync", ExpectMS: 1, Plan: night.Plan("syncs", step.Work{})})
	}
	b.Do(journal.RunCreated, "", body)
	m := moment(b, time.Minute)
	m.Progress = map[string]journal.ProgressRow{}
	for i, n := range body.Nodes[10:] {
		b.Begin(n.ID, i)
		m.Progress[n.ID] = journal.ProgressRow{Unit: "objects", Done: int64(i) * 1000, Total: int64(i)*1000 - 1500 + int64(i)*30, Note: "한국어 " + strings.Repeat("x", i)}
	}
	m.State = b.State()
	all["crowded"] = m
	return all
}

// A frame that was drawn in a wider terminal takes more rows in a narrower
// one: all of them are gone over.
func TestScreenNarrowed(t *testing.T) {
	var out bytes.Buffer
	s := screen{out: &out}
	s.draw(nil, []string{strings.Repeat("a", 80), "b"}, 80, 24)
	out.Reset()
	s.draw(nil, []string{"c"}, 30, 24)
	if !strings.Contains(out.String(), "\x1b[4A") {
		t.Errorf("cursor does not go up 4 rows: %q", out.String())
	}
}
