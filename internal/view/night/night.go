// Package night holds two nights as events, for the tests of views and
// reports: one that ends well after a failed step, and one that turns back.
package night

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/step"
)

// Begin is when both nights begin.
func Begin() time.Time { return time.Date(2025, 3, 9, 1, 0, 0, 0, time.UTC) }

// Run is the run's name in both nights.
const Run = "tokyo-to-seoul-20250309-010000"

// Book writes events one after another, as a journal would.
type Book struct {
	Events []journal.Event
	now    time.Time
}

// NewBook begins at Begin.
func NewBook() *Book { return &Book{now: Begin()} }

// After lets time pass.
func (b *Book) After(d time.Duration) *Book {
	b.now = b.now.Add(d)
	return b
}

// Now is the time of the next event.
func (b *Book) Now() time.Time { return b.now }

// By writes an event of an actor about a node (or a stage, or "").
func (b *Book) By(actor string, t journal.Type, node string, body any) *Book {
	e := journal.NewEvent(t, actor, node, 0, body)
	e.Run, e.Seq, e.At, e.Epoch = Run, int64(len(b.Events)+1), b.now, 1
	if n := len(b.Events); n > 0 {
		e.Prev = b.Events[n-1].Hash
	}
	sum := sha256.Sum256(append([]byte(e.Prev+string(e.Type)+e.Step), e.Body...))
	e.Hash = hex.EncodeToString(sum[:])
	b.Events = append(b.Events, e)
	return b
}

// Do writes an event of the conductor.
func (b *Book) Do(t journal.Type, node string, body any) *Book { return b.By("kim", t, node, body) }

// Begin writes the intent of a step's attempt.
func (b *Book) Begin(node string, attempt int) *Book {
	b.Do(journal.StepIntent, node, journal.IntentBody{})
	b.Events[len(b.Events)-1].Attempt = attempt
	return b
}

// Finish writes the proofs of a step that ran for a time and was verified in
// two seconds.
func (b *Book) Finish(node string, ran time.Duration, work step.Work, output any) *Book {
	body := journal.RanBody{Work: work, ElapsedMS: ran.Milliseconds()}
	if output != nil {
		body.Output = mustJSON(output)
	}
	b.After(ran).Do(journal.StepRan, node, body)
	return b.After(2*time.Second).Do(journal.StepVerified, node, journal.TimeBody{ElapsedMS: 2000})
}

func mustJSON(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // a bug in a test
	}
	return text
}

// State folds what is written so far.
func (b *Book) State() *journal.State {
	s, err := journal.Fold(b.Events)
	if err != nil {
		panic(err) // a bug in a test
	}
	return s
}

// Plan makes a plan of a summary, its work and its actions.
func Plan(summary string, work step.Work, actions ...string) *step.Plan {
	p := &step.Plan{Summary: summary, Work: work}
	for _, a := range actions {
		p.Action(a, "%s", a)
	}
	return p
}

// Body is the runbook of both nights.
func Body() journal.RunBody {
	copyPlan := Plan("copies database shop from tokyo to seoul", step.Work{Unit: "bytes", Total: 2_900_000_000},
		`create the schema of "shop"`, "copy 42 tables with 4 connections", "create 61 indexes")
	copyPlan.Fact("source", "PostgreSQL 16.4, 2.9 GB")
	copyPlan.Fact("target", "PostgreSQL 18.0, empty")
	copyPlan.Warn(`extension "pg_trgm" is 1.6 on the source and 1.7 on the target`)
	steps := func(ids ...string) []string { return ids }
	const minute = 60_000
	return journal.RunBody{
		Runbook: "tokyo-to-seoul", Title: "Tokyo → Seoul (서울 이전)", File: "/srv/ops/moving-day.hcl", Text: "runbook …",
		Hash: "9c1185a5c5e9fc54612808977ee8f548b2258d31", Mode: journal.Live, Runner: "kim", Version: "0.1.0", Parallel: 4,
		Variables: map[string]any{"gateway": "/run/haproxy.sock", "copies": 4}, Secrets: []string{"seoul_db", "tokyo_db"},
		People: map[string]string{"kim": "lead", "park": "database", "lee": "gateway", "박지민": "결제"},
		Window: &journal.WindowBody{LengthMS: 120 * minute, Opens: "close", Closes: "open"},
		Stages: []string{"close", "move", "try", "open"},
		Faults: map[string]string{"postgres_verify.main": "verify"},
		Nodes: []journal.NodeBody{
			{ID: "announce.users", Class: journal.ClassStep, Stage: "close", Kind: "announce", Why: "users were promised a word before the page is up",
				Effect: step.Passing, Repeatable: true, Def: "a1", Plan: Plan("tells #users that maintenance begins", step.Work{}, "post to slack.example")},
			{ID: "page_publish.down", Class: journal.ClassStep, Stage: "close", Kind: "page_publish", After: steps("announce.users"),
				Effect: step.Undoable, Repeatable: true, Def: "b1", ExpectMS: 400, Plan: Plan("publishes the maintenance page", step.Work{}, "write /srv/down")},
			{ID: "postgres_freeze.old", Class: journal.ClassStep, Stage: "close", Kind: "postgres_freeze", After: steps("page_publish.down"),
				Why: "no order may be lost between the copy and the switch", Effect: step.Undoable, Repeatable: true, Def: "c1", ExpectMS: 2500,
				Plan: Plan("stops writes to shop", step.Work{}, "refuse writes", "end 14 sessions")},
			{ID: "postgres_copy.main", Class: journal.ClassStep, Stage: "move", Kind: "postgres_copy", Why: "the heart of the night",
				Effect: step.Undoable, Repeatable: true, Def: "d1", ExpectMS: 10 * minute, Plan: copyPlan},
			{ID: "shell.images", Class: journal.ClassStep, Stage: "move", Kind: "shell", Effect: step.Passing, Repeatable: false, Def: "e1",
				Plan: Plan("runs ./copy-images.sh", step.Work{})},
			{ID: "postgres_verify.main", Class: journal.ClassStep, Stage: "move", Kind: "postgres_verify", After: steps("postgres_copy.main"),
				Effect: step.Reads, Repeatable: true, Def: "f1", ExpectMS: 3 * minute, PlanAfter: steps("postgres_copy.main")},
			{ID: "checklist.before-opening", Class: journal.ClassChecklist, Stage: "try", Items: []journal.ItemBody{
				{Name: "login", Text: "log in as a customer", Owner: "lee"}, {Name: "payout", Text: "정산 화면이 열린다", Owner: "박지민"}}},
			{ID: "gate.go", Class: journal.ClassGate, Stage: "try", After: steps("checklist.before-opening"),
				Gate: &journal.GateRule{Ask: "All green. Switch the domain?", Approvals: 2, TimeoutMS: 30 * minute, OnTimeout: "hold"}},
			{ID: "gateway_weight.seoul", Class: journal.ClassStep, Stage: "open", Kind: "gateway_weight", Effect: step.Undoable, Repeatable: true,
				Def: "g1", ExpectMS: 1500, Plan: Plan("sends all users to seoul", step.Work{}, "weight of seoul becomes 100", "weight of tokyo becomes 0")},
			{ID: "shell.drop-old", Class: journal.ClassStep, Stage: "open", Kind: "shell", After: steps("gateway_weight.seoul"), Effect: step.Lasting,
				Repeatable: true, Def: "h1", Plan: Plan("runs ./drop-old.sh", step.Work{})},
		},
	}
}

func bytes(n int64) step.Work { return step.Work{Unit: "bytes", Total: n} }
func rows(n int64) step.Work  { return step.Work{Unit: "rows", Total: n} }

// Closed is the night until its page is up and writes are frozen.
func Closed() *Book {
	b := NewBook()
	b.Do(journal.RunCreated, "", Body())
	b.Do(journal.RunTaken, "", journal.TakenBody{Runner: "kim", Host: "bastion-1", PID: 4711})
	b.After(time.Second).Do(journal.StageStarted, "close", nil)
	b.Begin("announce.users", 1).Finish("announce.users", 300*time.Millisecond, step.Work{}, nil)
	b.Begin("page_publish.down", 1).Finish("page_publish.down", 400*time.Millisecond, step.Work{}, nil)
	b.Begin("postgres_freeze.old", 1)
	b.Do(journal.StepChanged, "postgres_freeze.old", step.Setting{ID: "read_only", What: `database "shop" refuses writes`, Old: "off", New: "on"})
	b.Finish("postgres_freeze.old", 2600*time.Millisecond, step.Work{}, nil)
	return b.Do(journal.StageDone, "close", nil)
}

// Moving is Closed until the copy and a script run.
func Moving() *Book {
	b := Closed().After(time.Second).Do(journal.StageStarted, "move", nil)
	return b.Begin("postgres_copy.main", 1).Begin("shell.images", 1)
}

// Holding is Moving until the verification fails and the run holds.
func Holding() *Book {
	b := Moving().Finish("postgres_copy.main", 4*time.Minute+10*time.Second, bytes(2_913_400_000), map[string]any{"rows": 1_204_311, "tables": 42})
	b.Do(journal.StepFailed, "shell.images", journal.FailBody{Phase: "run", Error: "run ./copy-images.sh: exit status 7: bucket seoul-media: 503", Exit: 1, RetryInMS: 5000, ElapsedMS: 250_000})
	b.After(5*time.Second).Begin("shell.images", 2)
	verify := Plan("compares 1,204,311 rows of 42 tables", rows(1_204_311))
	b.Do(journal.StepPlanned, "postgres_verify.main", journal.PlanBody{Plan: *verify, Hash: verify.Hash()})
	b.Begin("postgres_verify.main", 1).After(40*time.Second).Do(journal.StepFailed, "postgres_verify.main", journal.FailBody{
		Phase: "verify", Error: `verify table "public.orders": 2 rows differ (fault injected)`, Hints: []string{"evac postgres verify --from env:TOKYO --to env:SEOUL"}, Exit: 3, ElapsedMS: 40_000})
	b.Finish("shell.images", time.Minute, step.Work{}, nil)
	return b.Do(journal.RunHeld, "", journal.HeldBody{Reason: "step postgres_verify.main failed in verify", CauseExit: 3})
}

// Waiting is Holding, retried with success, until the gate has one approval of
// two.
func Waiting() *Book {
	b := Holding().After(3*time.Minute).By("park", journal.AskNote, "", journal.NoteBody{Text: "looked at both rows by hand: equal; the fault is the drill's | see ticket 4711", Claimed: true})
	b.After(30*time.Second).By("park", journal.AskRetry, "postgres_verify.main", journal.NoteBody{Text: "checked by hand", Claimed: true})
	ask := b.Events[len(b.Events)-1].Seq
	b.Do(journal.AskAnswered, "", journal.AnswerBody{Seq: ask, Done: true}).Do(journal.RunGoesOn, "", journal.NoteBody{Text: "retry"})
	b.Do(journal.StepRearmed, "postgres_verify.main", journal.NoteBody{})
	b.Begin("postgres_verify.main", 2)
	b.Finish("postgres_verify.main", 41*time.Second, rows(1_204_311), map[string]any{"rows": 1_204_311, "missing": 0, "extra": 0, "different": 0})
	b.Do(journal.StageDone, "move", nil).Do(journal.StageStarted, "try", nil).Do(journal.ListWaits, "checklist.before-opening", journal.ListBody{})
	b.After(2*time.Minute).By("lee", journal.AskTick, "checklist.before-opening", journal.TickBody{Item: "login", Result: journal.ItemFailed, Evidence: "502 from the gateway", Demo: true})
	b.After(time.Minute).By("lee", journal.AskTick, "checklist.before-opening", journal.TickBody{Item: "login", Result: journal.ItemFixed, Evidence: "health check path", Demo: true})
	b.After(time.Minute).By("lee", journal.AskTick, "checklist.before-opening", journal.TickBody{Item: "login", Result: journal.ItemRetested, Demo: true})
	b.By("박지민", journal.AskTick, "checklist.before-opening", journal.TickBody{Item: "payout", Result: journal.ItemOK, Evidence: "3건 확인", Demo: true})
	b.Do(journal.ListPassed, "checklist.before-opening", nil)
	b.Do(journal.GateWaits, "gate.go", journal.GateBody{Plan: b.State().PlanHash(), Until: b.Now().Add(30 * time.Minute)})
	return b.After(time.Minute).By("park", journal.AskApprove, "gate.go", journal.ApproveBody{Plan: b.State().PlanHash(), Note: "rows are equal", Demo: true})
}

// Done is Waiting to its good end.
func Done() *Book {
	b := Waiting().After(30*time.Second).By("lee", journal.AskApprove, "gate.go", journal.ApproveBody{Plan: Waiting().State().PlanHash(), Claimed: true})
	b.Do(journal.GatePassed, "gate.go", journal.GatePassBody{How: "approved", By: []string{"park", "lee"}})
	b.Do(journal.StageDone, "try", nil).Do(journal.StageStarted, "open", nil)
	b.Begin("gateway_weight.seoul", 1).Finish("gateway_weight.seoul", 1300*time.Millisecond, step.Work{}, nil)
	b.By("kim", journal.AskSkip, "shell.drop-old", journal.NoteBody{Text: "kept for a week"})
	b.Do(journal.AskAnswered, "", journal.AnswerBody{Seq: b.Events[len(b.Events)-1].Seq, Done: true})
	b.Do(journal.StepSkipped, "shell.drop-old", journal.NoteBody{Text: "kept for a week"})
	b.Do(journal.StageDone, "open", nil)
	return b.After(time.Second).Do(journal.RunDone, "", journal.EndBody{Result: "done"})
}

// TurnedBack is Holding, undone to the beginning.
func TurnedBack() *Book {
	b := Holding().After(10*time.Minute).By("park", journal.AskHold, "", journal.NoteBody{Text: "rows differ, do not go on"})
	b.By("lee", journal.AskReject, "gate.go", journal.NoteBody{Text: "not tonight"})
	b.By("kim", journal.AskUndo, "", journal.UndoBody{})
	b.Do(journal.RunGoesOn, "", journal.NoteBody{Text: "undo"}).Do(journal.UndoStarted, "", journal.UndoBody{})
	for _, id := range []string{"postgres_copy.main", "postgres_freeze.old", "page_publish.down"} {
		if id == "postgres_copy.main" {
			b.Do(journal.UndoPassed, "shell.images", journal.NoteBody{Text: "a command without undo"})
		}
		b.Do(journal.UndoIntent, id, nil)
		if id == "postgres_freeze.old" {
			b.Do(journal.StepRestored, id, journal.SettingBody{ID: "read_only"})
		}
		b.After(4*time.Second).Do(journal.StepUndone, id, journal.TimeBody{ElapsedMS: 4000})
	}
	b.Do(journal.UndoPassed, "announce.users", journal.NoteBody{Text: "a message cannot be unsent"})
	return b.Do(journal.UndoDone, "", journal.UndoBody{}).Do(journal.RunDone, "", journal.EndBody{Result: "undone", Reason: "rows differ"})
}
