package torture

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/google/go-cmp/cmp"
)

// pgNight moves a database and proves it.
const pgNight = `
runbook "move" {
  title = "A database that is moved while things break"
}

variable "from" { secret = true }
variable "to" { secret = true }

people {
  kim = "lead"
}

stage "move" {
  step "postgres_copy" "main" {
    from    = var.from
    to      = var.to
    pg_dump = %q
  }
  step "postgres_verify" "main" {
    from  = var.from
    to    = var.to
    after = [step.postgres_copy.main]
  }
}
`

// pgMove is one move to an empty database, by a run of a runbook or by the
// kind alone.
type pgMove struct {
	*night
	w        *pgWorld
	database string
	alone    bool
	commit   string   // at which evac kills itself
	undoTo   []string // how far undo goes
	// before is what target and source were before the move.
	before, beforeSource []string
	story                []string
	// emptied tells that a side crashed after the step of the copy: what was
	// unlogged there is lost then, as its owner wanted it.
	emptied bool
}

func (w *pgWorld) copyNight() string { return fmt.Sprintf(pgNight, w.pgDump) }

func (w *pgWorld) begin(runbook string, alone bool) *pgMove {
	w.t.Helper()
	w.moves++
	m := &pgMove{w: w, database: fmt.Sprintf("target_%d", w.moves), alone: alone}
	m.night = nightOf(w.t, w.evac, runbook)
	w.target.admin("create database " + m.database + " template template0")
	m.before = m.whole()
	m.beforeSource = w.around(w.source)
	return m
}

// whole is everything that the target is.
func (m *pgMove) whole() []string {
	m.t.Helper()
	return append(m.w.around(m.w.target), m.w.read(m.w.target.dsn(m.database))...)
}

// end makes room for the next move.
func (m *pgMove) end() {
	m.t.Helper()
	m.w.target.admin("drop database " + m.database + " with (force)")
	if err := os.RemoveAll(filepath.Join(m.dir, "home")); err != nil {
		m.t.Fatal(err)
	}
}

// start starts the command that moves, or goes on, or undoes.
func (m *pgMove) start(undo bool) *process {
	m.t.Helper()
	var args []string
	switch {
	case m.alone:
		args = []string{"postgres", "copy", "--from", "env:EVAC_VAR_from", "--to", "env:EVAC_VAR_to", "--pg-dump", m.w.pgDump}
		if undo {
			args = append(args, "--undo")
		}
	case undo:
		args = append([]string{"undo"}, m.undoTo...)
	case m.begun():
		args = []string{"resume"}
	default:
		args = []string{"run", "night.hcl"}
	}
	cmd := m.command(m.t.Context(), args...)
	cmd.Env = append(cmd.Env, "EVAC_TORTURE_COMMIT="+m.commit, "EVAC_VAR_from="+m.w.source.cuttable("source").Reveal(), "EVAC_VAR_to="+m.w.target.cuttable(m.database).Reveal())
	return m.beginCommand(cmd)
}

// endsIn waits for a command's end; one that does not come shows what it does.
func (m *pgMove) endsIn(p *process, limit time.Duration) ended {
	m.t.Helper()
	select {
	case <-p.done:
	case <-time.After(limit):
		p.send(syscall.SIGQUIT)
		e := p.ends()
		m.t.Fatalf("%s: %s hangs\n%s%s", m.told(), strings.Join(p.Args[1:], " "), e.stdout, e.stderr)
	}
	return p.ends()
}

// told is what was done to this move so far.
func (m *pgMove) told() string {
	how := "runbook"
	if m.alone {
		how = "alone"
	}
	return fmt.Sprintf("move %d (%s): %s", m.w.moves, how, strings.Join(m.story, "; "))
}

// goOn lets the move come to its end, undisturbed.
func (m *pgMove) goOn() {
	m.t.Helper()
	if m.over("done") {
		return
	}
	if e := m.endsIn(m.start(false), 2*patience); e.code != 0 {
		m.t.Fatalf("%s: exit %d\n%s%s", m.told(), e.code, e.stdout, e.stderr)
	}
}

// undone takes the move back, undisturbed.
func (m *pgMove) undone() {
	m.t.Helper()
	if !m.alone && !m.begun() || m.over("undone") {
		return
	}
	if e := m.endsIn(m.start(true), 2*patience); e.code != 0 {
		m.t.Fatalf("%s: undo: exit %d\n%s%s", m.told(), e.code, e.stdout, e.stderr)
	}
}

// over tells whether the run had its last word before it was struck.
func (m *pgMove) over(result string) bool {
	m.t.Helper()
	return !m.alone && m.begun() && m.status().Result == result
}

// count is the headcount by another reader, and looks for what was left
// behind.
func (m *pgMove) count(what string) {
	m.t.Helper()
	got := m.w.read(m.w.target.dsn(m.database))
	if diff := cmp.Diff(m.w.facts, got); diff != "" {
		m.t.Fatalf("%s: %s: source (-) and target (+):\n%s", m.told(), what, diff)
	}
	m.nothingLeft(what)
	left := func(line string) bool { return !strings.HasPrefix(line, "left|") }
	before := slices.DeleteFunc(slices.Clone(m.before), left)
	after := slices.DeleteFunc(m.w.around(m.w.target), left)
	if diff := cmp.Diff(before, after); diff != "" {
		m.t.Fatalf("%s: %s: the target before (-) and after (+) the move:\n%s", m.told(), what, diff)
	}
}

// gone looks whether the target is what it was.
func (m *pgMove) gone(what string) {
	m.t.Helper()
	m.nothingLeft(what)
	if diff := cmp.Diff(m.before, m.whole()); diff != "" {
		m.t.Fatalf("%s: %s: the target before (-) and after (+) the undo:\n%s", m.told(), what, diff)
	}
}

// nothingLeft looks for processes and sessions, and what was left on the
// source. What was just ended may take a moment to go.
func (m *pgMove) nothingLeft(what string) {
	m.t.Helper()
	if m.alone || m.begun() { // else it was struck before there was a run
		m.chain(m.told() + ": " + what)
	}
	m.until(m.told()+": "+what+": no process of evac is left", func() bool { return len(m.processes()) == 0 })
	for _, s := range []*pgServer{m.w.source, m.w.target} {
		var left string
		defer func() {
			if m.t.Failed() {
				m.t.Logf("sessions on the %s: %s", s.name, left)
			}
		}()
		m.until(m.told()+": "+what+": no session is left on the "+s.name, func() bool {
			left = s.sessions()
			return left == ""
		})
	}
	if diff := cmp.Diff(m.beforeSource, m.w.around(m.w.source)); diff != "" {
		m.t.Fatalf("%s: %s: the source before (-) and after (+):\n%s", m.told(), what, diff)
	}
}

// processes are those of this world's evac.
func (m *pgMove) processes() (pids []string) {
	m.t.Helper()
	exes, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		m.t.Fatal(err)
	}
	for _, exe := range exes {
		if path, err := os.Readlink(exe); err == nil && path == m.w.evac {
			pids = append(pids, exe)
		}
	}
	return pids
}

// struck begins the move or its undo, lets the fault strike at the moment, and
// makes the world whole again. It tells whether evac came through.
func (m *pgMove) struck(f pgFault, at moment, undo bool) (through bool) {
	m.t.Helper()
	if undo && !m.alone && !m.begun() {
		return true // it was struck before there was a run: nothing is to be undone
	}
	log := tellerOf(m.w.target, undo)
	p := m.start(undo)
	if !m.await(p, at, log) {
		m.w.tally.missed(f.name, "came too late")
		return m.throughWith(p, "before "+f.name)
	}
	phase := log.last()
	hit := f.strike(m.w, p)
	m.story = append(m.story, fmt.Sprintf("%s at %s in %q", f.name, at, phase))
	e := m.endsIn(p, 2*patience)
	if f.heal != nil {
		f.heal(m.w)
	}
	if hit && (!m.well(e) || !f.mustFail) {
		m.w.tally.add(f.name, phase, !m.well(e))
	} else {
		m.w.tally.missed(f.name, "did no harm")
	}
	m.readable(e)
	m.story = append(m.story, fmt.Sprintf("exit %d", e.code))
	if m.alone && !undo && strings.Contains(e.stderr, "(SQLSTATE 53100)") && !strings.Contains(e.stderr, "evac: hint: free space") {
		m.t.Errorf("%s: nobody is told what to do:\n%s", m.told(), e.stderr)
	}
	m.emptied = m.emptied || f.empties && !undo && (e.code == 0 || m.failedAt("postgres_verify"))
	return m.well(e)
}

// failedAt tells whether a step of this kind has failed.
func (m *pgMove) failedAt(kind string) bool {
	m.t.Helper()
	if m.alone || !m.begun() {
		return false
	}
	for _, failed := range m.status().Failed {
		if strings.Contains(failed.ID, kind) {
			return true
		}
	}
	return false
}

// well tells whether a command came to its end; an undo that is told how far
// to go holds there.
func (m *pgMove) well(e ended) bool {
	return e.code == 0 || e.code == 20 && m.undoTo != nil && strings.Contains(e.stderr, "the run stands before stage")
}

func (m *pgMove) throughWith(p *process, what string) bool {
	m.t.Helper()
	if e := m.endsIn(p, 2*patience); !m.well(e) {
		m.t.Fatalf("%s: %s: exit %d\n%s%s", m.told(), what, e.code, e.stdout, e.stderr)
	}
	return true
}

// moment says when a fault strikes: after a time, or a little after the
// target's log tells of a phase.
type moment struct {
	after time.Duration
	phase string
}

func (a moment) String() string {
	if a.phase != "" {
		return fmt.Sprintf("%s + %s", a.phase, a.after.Round(time.Millisecond))
	}
	return a.after.Round(time.Millisecond).String()
}

// await waits for the moment; it is false if the process has ended before.
func (m *pgMove) await(p *process, at moment, log *teller) bool {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for at.phase != "" && !log.tells(at.phase) {
		select {
		case <-tick.C:
		case <-p.done:
			return false
		case <-ctx.Done():
			return false
		}
	}
	select {
	case <-time.After(at.after):
		return true
	case <-p.done:
		return false
	}
}

// pgTally counts what struck: by fault and phase.
type pgTally map[string]map[string]int

func (c pgTally) add(fault, phase string, broke bool) {
	c.note(fault, phase)
	if broke {
		c.note(fault, "(broke evac)")
	}
}

// missed counts what does not count.
func (c pgTally) missed(fault, why string) { c.note(fault, "("+why+")") }

func (c pgTally) note(fault, what string) {
	if c[fault] == nil {
		c[fault] = map[string]int{}
	}
	c[fault][what]++
}

// of is how often a fault struck.
func (c pgTally) of(fault string) (n int) {
	for phase, times := range c[fault] {
		if !strings.HasPrefix(phase, "(") {
			n += times
		}
	}
	return n
}

// all is how often any fault struck, in how often one of them struck a phase.
func (c pgTally) all() (n int) {
	for fault := range c {
		n += c.of(fault)
	}
	return n
}

func (c pgTally) in(phase string) (n int) {
	for _, phases := range c {
		n += phases[phase]
	}
	return n
}

func (c pgTally) String() string {
	var b bytes.Buffer
	for _, fault := range slices.Sorted(maps.Keys(c)) {
		fmt.Fprintf(&b, "%s: %d times:", fault, c.of(fault))
		for _, phase := range slices.Sorted(maps.Keys(c[fault])) {
			fmt.Fprintf(&b, " %s %d;", phase, c[fault][phase])
		}
		b.WriteByte('\n')
	}
	return b.String()
}
