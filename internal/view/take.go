package view

import (
	"slices"
	"time"

	"github.com/evac-io/evac/internal/forecast"
	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/view/text"
)

// Moment is what a snapshot is taken of.
type Moment struct {
	State *journal.State
	// Progress is by node ID; it may lack any step.
	Progress map[string]journal.ProgressRow
	// Rates are measured amounts per second by node ID. A step that lacks one
	// is taken to have worked evenly since it started.
	Rates map[string]float64
	Now   time.Time
	// Abandoned tells that no conductor holds the run.
	Abandoned bool
}

// Take makes the snapshot of a moment.
func Take(m Moment) Snapshot {
	s := m.State
	shot := Snapshot{
		Run: s.Run, Runbook: s.Body.Runbook, Title: s.Body.Title, Mode: s.Body.Mode, Drill: s.Body.Drill,
		Runner: s.Runner, Version: s.Body.Version, At: m.Now, Created: s.Created, Ended: s.Ended,
		Result: s.Result, Head: s.Head, Seq: s.Seq,
	}
	if shot.Runner == "" {
		shot.Runner = s.Body.Runner
	}
	shot.ElapsedMS = between(s.Created, s.Ended, m.Now)
	stages := map[string]*Stage{}
	for _, st := range s.Stages {
		shot.Stages = append(shot.Stages, stageOf(st, m.Now))
	}
	for i := range shot.Stages {
		stages[shot.Stages[i].Name] = &shot.Stages[i]
		if shot.Stages[i].State == "running" {
			shot.Stage = shot.Stages[i].Name
		}
	}
	for _, n := range s.Nodes {
		m.addNode(&shot, n, stages[n.Stage])
	}
	for _, n := range s.Gone {
		m.addGone(&shot, n)
	}
	for _, ask := range unanswered(s) {
		shot.Asks = append(shot.Asks, Ask{Seq: ask.Seq, Type: ask.Type, By: ask.Actor, At: ask.At, Step: ask.Step})
	}
	for _, p := range s.NotUndone {
		shot.NotUndone = append(shot.NotUndone, Passed(p))
	}
	shot.Standing, shot.Back = standing(m, &shot), m.State.Undo != nil
	shot.Held = holdOf(s, &shot)
	shot.Window = m.windowOf(shot.Running)
	return shot
}

// unanswered are the requests that may still be answered.
func unanswered(s *journal.State) []journal.Event {
	if s.Finished() {
		return nil
	}
	return s.Asks
}

// between is the time from start to end, or to now while it goes on, in ms.
func between(start, end, now time.Time) int64 {
	if start.IsZero() {
		return 0
	}
	if end.IsZero() {
		end = now
	}
	return max(end.Sub(start).Milliseconds(), 0)
}

func stageOf(st *journal.StageState, now time.Time) Stage {
	stage := Stage{Name: st.Name, State: "pending", Started: st.Started, Ended: st.Ended, ElapsedMS: between(st.Started, st.Ended, now)}
	switch {
	case !st.Ended.IsZero():
		stage.State = "done"
	case !st.Started.IsZero():
		stage.State = "running"
	}
	return stage
}

// addGone lists a step that the runbook no longer has, as far as it still
// matters: while it is undone, and for what it has changed.
func (m Moment) addGone(shot *Snapshot, n *journal.NodeState) {
	shot.addChanged(n)
	switch {
	case m.State.Undo == nil:
	case n.Phase == journal.Undoing:
		shot.Running = append(shot.Running, m.nodeOf(n))
	case n.Phase == journal.Failed:
		shot.Failed = append(shot.Failed, m.nodeOf(n))
	}
}

func (s *Snapshot) addChanged(n *journal.NodeState) {
	for _, c := range n.Changed {
		s.Changed = append(s.Changed, Setting{Step: n.ID, Setting: c})
	}
}

// addNode counts a node and lists it where it belongs.
func (m Moment) addNode(shot *Snapshot, n *journal.NodeState, stage *Stage) {
	shot.addChanged(n)
	switch n.Class {
	case journal.ClassGate:
		if n.Phase == journal.Waiting && !m.State.Finished() {
			shot.Gates = append(shot.Gates, m.gateOf(n))
		}
		return
	case journal.ClassChecklist:
		if n.Phase == journal.Waiting && !m.State.Finished() {
			shot.Checklists = append(shot.Checklists, listOf(m.State, n))
		}
		return
	}
	shot.Steps.add(n)
	if stage != nil {
		stage.Steps.add(n)
	}
	switch {
	case atWork(n):
		shot.Running = append(shot.Running, m.nodeOf(n))
	case n.Phase == journal.Failed:
		shot.Failed = append(shot.Failed, m.nodeOf(n))
	}
}

// running are the steps at work, without the cost of a whole snapshot.
func (m Moment) running() []Node {
	var nodes []Node
	for _, n := range m.State.Nodes {
		if n.Class == journal.ClassStep && atWork(n) {
			nodes = append(nodes, m.nodeOf(n))
		}
	}
	return nodes
}

// atWork tells whether a step is at work or between two tries.
func atWork(n *journal.NodeState) bool {
	switch n.Phase {
	case journal.Running, journal.Ran, journal.Undoing, journal.Waiting:
		return true
	}
	return false
}

func (c *Counts) add(n *journal.NodeState) {
	c.Total++
	switch {
	case n.Phase == journal.Done:
		c.Done++
	case n.Phase == journal.Skipped:
		c.Skipped++
	case n.Phase == journal.Failed:
		c.Failed++
	case n.Phase == journal.Undone || n.Phase == journal.PassedBy:
		c.Undone++
	case atWork(n):
		c.Running++
	}
}

func (m Moment) nodeOf(n *journal.NodeState) Node {
	node := Node{
		ID: n.ID, Stage: n.Stage, Kind: n.Kind, Phase: n.Phase, Attempt: n.Attempt, Why: n.Why,
		Started: n.Started, ExpectMS: n.ExpectMS, ElapsedMS: between(n.Started, n.Ended, m.Now),
	}
	if atWork(n) {
		node.ElapsedMS = between(n.Started, time.Time{}, m.Now)
	}
	if n.Plan != nil {
		node.Summary = n.Plan.Summary
	}
	if n.Fail != nil {
		node.Error, node.Hints = n.Fail.Error, n.Fail.Hints
	}
	if n.Phase == journal.Running || n.Phase == journal.Ran {
		m.addProgress(&node)
	}
	return node
}

// addProgress fills in how far a running step is and when it will end: by its
// rate if it has one, else by what drills expect.
func (m Moment) addProgress(node *Node) {
	row, reported := m.Progress[node.ID]
	if reported {
		node.Unit, node.Done, node.Note = row.Unit, row.Done, text.Clean(row.Note)
	}
	if reported && row.Total > 0 {
		node.Total = max(row.Total, row.Done)
		percent := text.Percent(row.Done, node.Total)
		node.Percent = &percent
	}
	node.PerSecond = m.Rates[node.ID]
	if node.PerSecond <= 0 && node.ElapsedMS > 0 {
		node.PerSecond = float64(node.Done) * 1000 / float64(node.ElapsedMS)
	}
	switch {
	case node.Total > node.Done && node.PerSecond > 0:
		node.EtaMS = new(int64(float64(node.Total-node.Done) * 1000 / node.PerSecond))
	case node.ExpectMS > node.ElapsedMS:
		node.EtaMS = new(node.ExpectMS - node.ElapsedMS)
	}
}

func (m Moment) gateOf(n *journal.NodeState) Gate {
	s := m.State
	g := Gate{ID: n.ID, Stage: n.Stage, Until: n.Until, Next: gateCommands(s.Run, n.ID)}
	if n.Gate == nil {
		return g
	}
	g.Ask, g.Needed, g.Then = n.Gate.Ask, n.Gate.Approvals, n.Gate.OnTimeout
	if at, err := time.Parse(time.RFC3339, n.Gate.At); err == nil {
		g.At = at
	}
	approvers := s.Approvers(n, m.Now)
	for _, v := range n.Votes {
		word := Word{By: v.By, At: v.At, Text: v.Body.Note, Demo: v.Body.Demo, Claimed: v.Body.Claimed}
		switch {
		case !v.Yes:
			g.Rejected = append(g.Rejected, word)
		case slices.Contains(approvers, v.By):
			g.Approved = append(g.Approved, word)
		}
	}
	for _, person := range sortedKeys(s.Body.People) {
		if s.MayApprove(n, person) && !slices.Contains(approvers, person) {
			g.May = append(g.May, person)
		}
	}
	return g
}

func listOf(s *journal.State, n *journal.NodeState) Checklist {
	list := Checklist{ID: n.ID, Stage: n.Stage}
	for _, tick := range n.Ticks {
		item := Item{Name: tick.Name, Text: tick.Text, Owner: tick.Owner, Result: tick.Result}
		if len(tick.Log) > 0 {
			last := tick.Log[len(tick.Log)-1]
			item.Last = &Word{By: last.By, At: last.At, Text: last.Evidence, Demo: last.Demo, Claimed: last.Claimed}
		}
		if !tick.Settled() {
			list.Next = append(list.Next, tickCommand(s.Run, n.ID, tick))
		}
		list.Items = append(list.Items, item)
	}
	return list
}

func standing(m Moment, shot *Snapshot) Standing {
	s := m.State
	switch {
	case s.Result == "done":
		return Done
	case s.Result == "undone":
		return Undone
	case s.Finished():
		return Aborted
	case s.Held != nil:
		return Held
	case m.Abandoned || s.Stopped != nil:
		return Abandoned
	case s.Undo != nil:
		return Undoing
	case len(shot.Running) == 0 && len(shot.Gates)+len(shot.Checklists) > 0:
		return Waiting
	}
	return Running
}

// windowOf says how the window stands, nil if none was announced.
func (m Moment) windowOf(running []Node) *Window {
	s := m.State
	if s.Body.Window == nil {
		return nil
	}
	w := &Window{Opens: s.Body.Window.Opens, Closes: s.Body.Window.Closes, LengthMS: s.Body.Window.LengthMS}
	w.LeftMS = w.LengthMS
	if st := s.Stage(w.Opens); st != nil && !st.Started.IsZero() {
		w.Opened = st.Started
		w.Until = st.Started.Add(time.Duration(w.LengthMS) * time.Millisecond)
		w.LeftMS = w.Until.Sub(m.Now).Milliseconds()
	}
	if st := s.Stage(w.Closes); st != nil && !st.Ended.IsZero() && !w.Opened.IsZero() {
		w.Closed = st.Ended
		w.LeftMS = w.Until.Sub(st.Ended).Milliseconds()
		w.Verdict = WasKept
		if w.LeftMS < 0 {
			w.Verdict = WasLate
		}
		return w
	}
	m.foretell(w, running)
	return w
}

// foretell says when the window will close by what drills and rates say.
func (m Moment) foretell(w *Window, running []Node) {
	s := m.State
	eta := map[string]time.Duration{}
	for _, n := range running {
		if n.EtaMS != nil {
			eta[n.ID] = time.Duration(*n.EtaMS) * time.Millisecond
		}
	}
	stages := forecast.Stages(s.Body.Stages, forecast.Left(s, m.Now, eta), s.Body.Parallel)
	rest := forecast.Between(stages, w.Opens, w.Closes)
	w.ExpectMS, w.Unknown = rest.TotalMS, rest.Unknown
	if !w.Opened.IsZero() {
		w.Expected = m.Now.Add(time.Duration(rest.TotalMS) * time.Millisecond)
	}
	w.Verdict = foretold(rest, w.LeftMS)
}
