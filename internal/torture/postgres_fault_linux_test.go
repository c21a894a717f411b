package torture

import (
	"regexp"
	"strings"
	"syscall"

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
	// empties the target's unlogged tables.
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
			{name: "a source session terminated", strike: func(w *pgWorld, _ *process) bool {
				return w.source.number("select count(pg_terminate_backend(pid)) from ("+evacSession+") a") > 0
			}},
			{name: "kill -9 of a source backend", strike: func(w *pgWorld, _ *process) bool {
				pid := w.source.number("select coalesce(sum(pid), 0) from (" + evacSession + ") a")
				return pid > 0 && syscall.Kill(pid, syscall.SIGKILL) == nil
			}, heal: func(w *pgWorld) { w.source.wake(); w.facts = w.read(w.source.dsn("source")) }},
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
	names := map[bool][]string{false: {verifying}}
	for _, p := range pgPhases() {
		names[p.undo] = append(names[p.undo], p.name)
	}
	return names
}

// phasesIn lists the phases that a log of the target tells of, in its order.
func phasesIn(log string, undo bool) (told []string) {
	phases := pgPhases()
	application := ""
	for line := range strings.Lines(log) {
		if !strings.HasPrefix(line, "\t") { // else a statement of several lines goes on
			application, _, _ = strings.Cut(line, "|")
		}
		what, evac := strings.CutPrefix(application, "evac ")
		if evac && !strings.HasPrefix(what, "copy") {
			told = append(told, what)
		}
		for _, p := range phases {
			if evac && strings.HasPrefix(what, "copy") && p.undo == undo && p.tell.MatchString(line) {
				told = append(told, p.name)
			}
		}
	}
	return told
}
