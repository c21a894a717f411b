package torture

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/evac-io/evac/internal/servers"
	"github.com/evac-io/evac/internal/testenv"
)

// pgFault is something that happens on such a night.
type pgFault struct {
	name string
	// strike does it, and tells whether there was anything to strike.
	strike func(w *pgWorld, p *process) bool
	// heal makes the world whole again, once evac has ended.
	heal func(w *pgWorld)
	// mustFail is a fault that struck only if evac failed; empties is one that
	// empties the unlogged tables of a side.
	mustFail, empties bool
	// slow is one that is only noticed after seconds.
	slow bool
}

// pgFaults are the faults by what they hit.
func pgFaults() map[string][]pgFault {
	return map[string][]pgFault{
		"evac": {{name: "kill -9 of evac", strike: func(_ *pgWorld, p *process) bool {
			return p.Process.Kill() == nil // it may have ended
		}}},
		"source": {
			{name: "a source session terminated", strike: func(w *pgWorld, p *process) bool {
				return p.hit(func() bool {
					return w.source.number("select count(pg_terminate_backend(pid)) from ("+evacSession+") a") > 0
				})
			}},
			{name: "kill -9 of a source backend", strike: func(w *pgWorld, p *process) bool {
				return p.hit(func() bool {
					pid := w.source.number("select coalesce(sum(pid), 0) from (" + evacSession + ") a")
					return pid > 0 && w.source.killBackend(pid)
				})
			}, heal: func(w *pgWorld) { w.source.wake(); w.facts = w.read(w.source.dsn("source")) }, empties: true},
		},
		"target": {
			{name: "immediate stop of the target", strike: func(w *pgWorld, _ *process) bool {
				w.target.stop(servers.Immediate)
				return true
			}, heal: wakeTarget, empties: true},
			{name: "immediate stop of the target, started at once", strike: func(w *pgWorld, _ *process) bool {
				w.target.stop(servers.Immediate)
				w.target.wake()
				return true
			}, empties: true},
			{name: "kill -9 of the target", strike: func(w *pgWorld, _ *process) bool {
				w.target.kill()
				return true
			}, heal: wakeTarget, empties: true},
		},
		"network": networkFaults(),
	}
}

// hit strikes until something was hit, or the process has ended.
func (p *process) hit(strike func() bool) bool {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !strike() {
		select {
		case <-tick.C:
		case <-p.done:
			return false
		}
	}
	return true
}

// evacSession is any one session of evac.
const evacSession = `select pid from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend' order by random() limit 1`

func wakeTarget(w *pgWorld) { w.target.wake() }

func networkFaults() (faults []pgFault) {
	for _, side := range []struct {
		name string
		of   func(*pgWorld) *testenv.Wire
	}{
		{"source", func(w *pgWorld) *testenv.Wire { return w.source.wire }},
		{"target", func(w *pgWorld) *testenv.Wire { return w.target.wire }},
	} {
		for name, cut := range map[string]func(*testenv.Wire) int{
			"reset":                 (*testenv.Wire).Reset,
			"swallowed":             (*testenv.Wire).Swallow,
			"half open, evac deaf":  func(w *testenv.Wire) int { return w.HalfOpen(testenv.ClientEnd) },
			"half open, it is deaf": func(w *testenv.Wire) int { return w.HalfOpen(testenv.ServerEnd) },
		} {
			faults = append(faults, pgFault{
				name: name + ", " + side.name, slow: name != "reset",
				strike: func(w *pgWorld, _ *process) bool { return cut(side.of(w)) > 0 },
				heal:   func(w *pgWorld) { side.of(w).Heal() },
			})
		}
	}
	return faults
}

// phase is a part of a copy as the target's log tells of it.
type phase struct {
	name string
	undo bool
	tell *regexp.Regexp
}

// pgPhases are the phases that a fault has to strike.
func pgPhases() []phase {
	var phases []phase
	for _, p := range []struct {
		name, tell string
		undo       bool
	}{
		{"tables", `create table "?(bulk|app)`, false},
		{"rows", `copy "?(bulk|app)"?\..* from stdin`, false},
		{"large objects", `lo_from_bytea|lowrite|lo_put|lo_create`, false},
		{"sequences", `setval`, false},
		{"indexes", `create (unique )?index`, false},
		{"keys", `add constraint \S+ (primary key|unique|exclude)`, false},
		{"foreign keys", `foreign key`, false},
		{"views", `refresh materialized view`, false},
		{"statistics", `analyze`, false},
		{"tuning", `alter system|pg_reload_conf`, false},
		{"end", `drop schema "?evac`, false},
		{"undo", `drop (table|index|schema|view|function|type)|lo_unlink`, true},
	} {
		phases = append(phases, phase{p.name, p.undo, regexp.MustCompile(`(?i)` + p.tell)})
	}
	return phases
}

// verifying is a phase that a session's name tells, as those of a following do.
const verifying = "verify"

// copying are the phases of a move, and of its undo.
func copying() map[bool][]string {
	names := map[bool][]string{}
	for _, p := range pgPhases() {
		names[p.undo] = append(names[p.undo], p.name)
	}
	names[false] = append(names[false], verifying)
	return names
}

// teller reads on in the target's log and keeps the phases that it tells of, in
// its order.
type teller struct {
	log         *pgServer
	at          int64
	undo        bool
	phases      []phase
	application string // of the last line
	told        []string
}

// tellerOf reads what the target says from now on.
func tellerOf(target *pgServer, undo bool) *teller {
	target.t.Helper()
	return &teller{log: target, at: target.logSize(), undo: undo, phases: pgPhases()}
}

// tells says whether the log has told of a phase by now.
func (l *teller) tells(phase string) bool {
	l.log.t.Helper()
	text := l.log.said(l.at)
	text = text[:strings.LastIndexByte(text, '\n')+1]
	l.at += int64(len(text))
	for line := range strings.Lines(text) {
		l.line(line)
	}
	return slices.Contains(l.told, phase)
}

// among are those of the phases that were told of.
func (l *teller) among(phases []string) []string {
	l.log.t.Helper()
	return slices.DeleteFunc(slices.Clone(phases), func(name string) bool { return !l.tells(name) })
}

// last is the phase that was told of last.
func (l *teller) last() string {
	l.log.t.Helper()
	l.tells("")
	if len(l.told) == 0 {
		return "beginning"
	}
	return l.told[len(l.told)-1]
}

func (l *teller) line(line string) {
	if !strings.HasPrefix(line, "\t") { // else a statement of several lines goes on
		l.application, _, _ = strings.Cut(line, "|")
	}
	what, evac := strings.CutPrefix(l.application, "evac ")
	if evac && !strings.HasPrefix(what, "copy") {
		l.told = append(l.told, what)
	}
	for _, p := range l.phases {
		if evac && strings.HasPrefix(what, "copy") && p.undo == l.undo && p.tell.MatchString(line) {
			l.told = append(l.told, p.name)
		}
	}
}
