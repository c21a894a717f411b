package view

import (
	"fmt"
	"strings"
	"time"

	"github.com/evac-io/evac/internal/forecast"
	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/step"
	"github.com/evac-io/evac/internal/view/text"
)

// Type is of Page.
func (c CheckPage) Type() string { return "check" }

// Write is of Page: made to be read aloud, from the announcement to the end.
func (c CheckPage) Write(p *Paper) {
	if c.Mode == journal.Alone {
		c.writeAlone(p)
		return
	}
	c.writeHead(p)
	for i, stage := range c.Stages {
		p.heading("Stage %d of %d: %s", i+1, len(c.Stages), stage.Name)
		p.field(0, "Takes", courseWords(stage.Course))
		for j, n := range stage.Nodes {
			p.blank()
			p.hang(fmt.Sprintf("%d.%d ", i+1, j+1), p.paint(bold, n.ID))
			n.write(p)
		}
	}
	c.writeTimes(p)
	c.writeNoReturn(p)
	c.writeProblems(p)
	p.blank()
}

// writeAlone writes the only step: a run of one step has no stages, and was
// never drilled.
func (c CheckPage) writeAlone(p *Paper) {
	for _, stage := range c.Stages {
		for _, n := range stage.Nodes {
			p.hang("", p.paint(bold, n.ID))
			n.Estimate = nil
			n.write(p)
		}
	}
	p.blank()
}

// Sentence is the check's result.
func (c CheckPage) Sentence() string {
	if n := len(c.Problems); n > 0 {
		return fmt.Sprintf("refused: %s in %q", text.Plural(n, "problem"), c.Runbook)
	}
	steps, gates := 0, 0
	for _, stage := range c.Stages {
		for _, n := range stage.Nodes {
			if n.Class == journal.ClassStep {
				steps++
			} else {
				gates++
			}
		}
	}
	return fmt.Sprintf("ready: %s in %s, %s for people; expected time: %s", text.Plural(steps, "step"),
		text.Plural(len(c.Stages), "stage"), text.Plural(gates, "stop"), courseWords(c.Whole))
}

func (c CheckPage) writeHead(p *Paper) {
	title := c.Title
	if title == "" {
		title = c.Runbook
	}
	p.wrap("", "", p.paint(bold, text.Clean(title)))
	mode := "live"
	if c.Mode == journal.Drill {
		mode = fmt.Sprintf("drill %q", c.Drill)
	}
	p.field(0, "Runbook", fmt.Sprintf("%s, %s, to be run by %s", c.Runbook, mode, c.Runner))
	p.field(0, "File", fmt.Sprintf("%s (hash %s)", c.File, text.Hash(c.Hash)))
	if w := c.Window; w != nil {
		p.field(0, "Window", fmt.Sprintf("%s, from the beginning of stage %s to the end of stage %s", text.Millis(w.LengthMS), w.Opens, w.Closes))
	}
	people := make([]string, 0, len(c.People))
	for _, name := range sortedKeys(c.People) {
		people = append(people, fmt.Sprintf("%s (%s)", name, c.People[name]))
	}
	p.field(0, "People", strings.Join(people, ", "))
	var inputs []string
	for _, name := range sortedKeys(c.Variables) {
		if value := inputWords(c.Variables[name]); value != "" {
			inputs = append(inputs, name+" = "+value)
		}
	}
	for _, name := range c.Secrets {
		inputs = append(inputs, name+" (secret)")
	}
	p.field(0, "Inputs", text.Clean(strings.Join(inputs, ", ")))
}

// inputWords writes a variable's value; "" if there is nothing in it to read.
func inputWords(value any) string {
	switch v := value.(type) {
	case map[string]any:
		pairs := make([]string, 0, len(v))
		for _, key := range sortedKeys(v) {
			pairs = append(pairs, key+" = "+inputWords(v[key]))
		}
		if len(pairs) == 0 {
			return ""
		}
		return "{ " + strings.Join(pairs, ", ") + " }"
	case []any:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = inputWords(item)
		}
		if len(items) == 0 {
			return ""
		}
		return "[ " + strings.Join(items, ", ") + " ]"
	}
	return fmt.Sprint(value)
}

// courseWords says how long a course takes by drills.
func courseWords(c forecast.Course) string {
	unknown := text.Plural(len(c.Unknown), "unrehearsed step")
	switch {
	case c.TotalMS == 0 && len(c.Unknown) == 0:
		return "no time of its own"
	case c.TotalMS == 0:
		return "unknown (" + unknown + ")"
	case len(c.Unknown) > 0:
		return text.Millis(c.TotalMS) + " plus " + unknown
	}
	return text.Millis(c.TotalMS)
}

const nodeIndent = 4

func (n CheckNode) write(p *Paper) {
	switch n.Class {
	case journal.ClassGate:
		n.writeGate(p)
	case journal.ClassChecklist:
		for _, item := range n.Items {
			line := fmt.Sprintf("%s, by %s", item.Name, item.Owner)
			p.field(nodeIndent, "Item", line+because(text.Clean(item.Text)))
		}
	default:
		n.writeStep(p)
	}
	p.field(nodeIndent, "After", fewOf(n.After, 4))
	for _, problem := range n.Problems {
		problem.Node = "" // stands above
		problem.write(p, strings.Repeat(" ", nodeIndent))
	}
}

func (n CheckNode) writeStep(p *Paper) {
	p.field(nodeIndent, "Why", text.Clean(n.Why))
	p.field(nodeIndent, "On", n.On)
	n.writePlan(p)
	p.field(nodeIndent, "Effect", n.effectWords())
	if n.Estimate != nil {
		p.field(nodeIndent, "Takes", estimateWords(*n.Estimate, n.Plan))
	}
}

// mostActions is how many actions of a step are read aloud.
const mostActions = 20

func (n CheckNode) writePlan(p *Paper) {
	if n.Plan == nil {
		if len(n.PlanAfter) > 0 {
			known := knownAfter(n.PlanAfter)
			if n.What != "" {
				known = text.Clean(n.What) + ", the details " + known
			}
			p.field(nodeIndent, "Does", known)
		}
		return
	}
	p.field(nodeIndent, "Does", text.Clean(n.Plan.Summary))
	actions := n.Plan.Actions
	if len(actions) == 1 && saysAll(n.Plan.Summary, actions[0].Text) {
		actions = nil
	}
	for i, action := range actions {
		if i == mostActions {
			p.field(nodeIndent, "", fmt.Sprintf("… and %d more (all with --json)", len(actions)-i))
			break
		}
		p.hang(strings.Repeat(" ", nodeIndent+labels+1)+"- ", text.Clean(action.Text))
	}
	writeFacts(p, n.Plan.Facts)
	for _, warning := range n.Plan.Warnings {
		p.field(nodeIndent, "Warning", p.mark(MarkWatch)+" "+text.Clean(warning))
	}
}

// factsInLine is how many facts stand together; more have a line each.
const factsInLine = 3

func writeFacts(p *Paper, facts []step.Fact) {
	lines := make([]string, len(facts))
	for i, fact := range facts {
		lines[i] = fact.Name + ": " + fact.Value
	}
	if len(lines) <= factsInLine {
		lines = []string{strings.Join(lines, "; ")}
	}
	label := "Sees"
	for _, line := range lines {
		p.field(nodeIndent, label, text.Clean(line))
		label = ""
	}
}

// knownAfter says what a plan waits for: outputs of steps, values of variables.
func knownAfter(ids []string) string {
	var steps, variables []string
	for _, id := range ids {
		if strings.HasPrefix(id, "var.") {
			variables = append(variables, id)
		} else {
			steps = append(steps, "step."+id)
		}
	}
	var words []string
	if len(steps) > 0 {
		words = append(words, "known after "+strings.Join(steps, ", "))
	}
	if len(variables) > 0 {
		words = append(words, "known with "+strings.Join(variables, ", "))
	}
	return strings.Join(words, ", ")
}

// saysAll tells whether a summary holds all of a plan's only action: the same
// words, or their beginning and nothing cut off.
func saysAll(summary, action string) bool { return text.Clean(summary) == text.Clean(action) }

func (n CheckNode) effectWords() string {
	words := effectWords(n.Effect)
	if n.Effect == step.Lasting && n.Confirmed {
		words += " (confirmed ahead)"
	}
	if !n.Repeatable {
		words += "; runs once at most"
	}
	return words
}

// effectWords say an effect to who must decide.
func effectWords(e step.Effect) string {
	switch e {
	case step.Reads:
		return "reads only"
	case step.Undoable:
		return "can be undone"
	case step.Lasting:
		return "lasting: asks before it runs, and undo stops at it"
	case step.Passing:
		return "cannot be undone: undo passes it and says so"
	}
	return "known with the details"
}

func estimateWords(e forecast.Estimate, plan *step.Plan) string {
	switch e.Basis {
	case forecast.Rehearsed:
		scaled := ""
		if e.Scaled && plan != nil {
			scaled = ", scaled to " + text.Work(plan.Work)
		}
		if e.Drills == 1 {
			return fmt.Sprintf("%s (one drill%s)", text.Millis(e.ExpectMS), scaled)
		}
		return fmt.Sprintf("%s (median of %d drills%s)", text.Millis(e.ExpectMS), e.Drills, scaled)
	case forecast.Changed:
		return fmt.Sprintf("unknown: changed since its last drill (%s on %s)", text.Millis(e.LastMS), e.LastAt.Format(time.DateOnly))
	}
	return "never rehearsed"
}

func (n CheckNode) writeGate(p *Paper) {
	g := n.Gate
	if g == nil {
		return
	}
	if g.Ask != "" {
		p.field(nodeIndent, "Asks", fmt.Sprintf("%q", text.Clean(g.Ask)))
	}
	if g.Approvals > 0 {
		p.field(nodeIndent, "Needs", fmt.Sprintf("%s of %s", text.Plural(g.Approvals, "approval"), strings.Join(n.Approvers, ", ")))
	}
	if at, err := time.Parse(time.RFC3339, g.At); err == nil {
		p.field(nodeIndent, "Opens", "not before "+at.In(p.zone).Format("2006-01-02 15:04:05"))
	}
	if g.TimeoutMS > 0 {
		p.field(nodeIndent, "Else", fmt.Sprintf("after %s it %s", text.Millis(g.TimeoutMS), onTimeout(g.OnTimeout)))
	}
}

// fewOf names the first of many.
func fewOf(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

func (c CheckPage) writeTimes(p *Paper) {
	p.heading("How long")
	for _, stage := range c.Stages {
		p.hang("  "+text.Pad(stage.Name, 16)+" ", courseWords(stage.Course))
	}
	path := c.Whole.Path
	if w := c.Window; w != nil {
		p.hang("  "+p.mark(w.Verdict.mark())+" ", w.words())
		path = w.Course.Path
	}
	if len(path) > 1 {
		p.hang("  ", "longest chain: "+strings.Join(path, ", then "))
	}
	if len(c.Whole.Unknown) > 0 {
		p.hang("  ", "not rehearsed as they stand: "+fewOf(c.Whole.Unknown, 12))
	}
}

// words hold the window against what drills expect.
func (w CheckWindow) words() string {
	words := fmt.Sprintf("window of %s (%s to %s): %s", text.Millis(w.LengthMS), w.Opens, w.Closes, courseWords(w.Course))
	spare := w.LengthMS - w.Course.TotalMS
	switch {
	case w.Verdict == Late:
		words += fmt.Sprintf(", TOO SHORT by %s", text.Millis(-spare))
	case w.Course.TotalMS > 0:
		words += fmt.Sprintf(", %s to spare", text.Millis(spare))
	}
	return words + "; waiting for people not counted"
}

func (c CheckPage) writeNoReturn(p *Paper) {
	p.heading("Point of no return")
	if c.NoReturn == "" {
		p.hang("  ", "none: every step can be undone, or is passed by and named")
		return
	}
	p.hang("  ", c.NoReturn+": it asks before it runs; once it has run, undo stops there")
}

func (c CheckPage) writeProblems(p *Paper) {
	if len(c.Problems) == 0 {
		return
	}
	p.heading("What refuses (%d)", len(c.Problems))
	for _, problem := range c.Problems {
		problem.write(p, "  ")
	}
}

func (x Problem) write(p *Paper, indent string) {
	where := ""
	if x.Node != "" {
		where = x.Node + ": "
	}
	lines := strings.Split(safeLines(x.Error), "\n")
	p.hang(indent+p.mark(MarkBad)+" ", where+lines[0])
	for _, line := range lines[1:] { // a diagnostic's source line and caret
		p.lines = append(p.lines, indent+"  "+line)
	}
	for _, hint := range x.Hints {
		p.hang(indent+"  hint: ", text.Clean(hint))
	}
}
