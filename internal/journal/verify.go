package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/evac-io/evac/internal/fault"
)

// Report is what Verify found.
type Report struct {
	Run    string `json:"run"`
	Events int64  `json:"events"`
	Head   string `json:"head"` // hash of the newest event
	// HeadSeq is the event whose hash is the head that was asked for, 0 if
	// none was or none is.
	HeadSeq  int64     `json:"head_seq,omitempty"`
	First    time.Time `json:"first,omitzero"` // time of the first event
	Last     time.Time `json:"last,omitzero"`  // of the newest
	Findings []Finding `json:"findings,omitempty"`
}

// Kinds of findings.
const (
	FindAltered = "altered" // its hash does not belong to its content
	FindMoved   = "moved"   // whole, but at another place
	FindMissing = "missing" // not there
	FindCut     = "cut"     // the end is not there
	FindBroken  = "broken"  // does not follow from the one before it
	FindIndex   = "index"   // the list of runs says otherwise
	FindDamaged = "damaged" // the file cannot be read
)

// Finding is one thing that is not as it was written.
type Finding struct {
	Kind string `json:"kind"`
	Seq  int64  `json:"seq,omitempty"` // the event; 0: the run as a whole
	Text string `json:"text"`
}

// Verify recomputes a run's chain from the stored bytes and compares it with
// the list of runs and, if it is not empty, with the head that somebody noted:
// the hash of the newest event at that time. The report comes with the error,
// which is a fault.Different and names the first finding.
func (j *Journal) Verify(ctx context.Context, run, head string) (Report, error) {
	v := verifier{Report: Report{Run: run}, seqOf: map[string]int64{}}
	err := v.read(ctx, j.read)
	if code := sqliteCode(err); code == sqlite3.SQLITE_CORRUPT || code == sqlite3.SQLITE_NOTADB {
		v.find(FindDamaged, 0, "the file is damaged after event %d: %v", v.last.Seq, err)
		err = nil
	}
	if err != nil {
		return v.Report, explain(fmt.Sprintf("verify the journal of run %q", run), j.home, err)
	}
	v.checkHead(strings.ToLower(strings.TrimSpace(head)))
	return v.Report, v.verdict()
}

type verifier struct {
	Report
	seqOf   map[string]int64 // event by hash
	last    row
	outcome tip
	begun   RunBody
	altered []row
}

func (v *verifier) find(kind string, seq int64, format string, args ...any) {
	v.Findings = append(v.Findings, Finding{Kind: kind, Seq: seq, Text: fmt.Sprintf(format, args...)})
}

// read goes through the events and the list of runs as they stood at one
// moment, while others write.
func (v *verifier) read(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	var damage string
	if err := tx.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&damage); err != nil {
		return err
	}
	if damage != "ok" {
		v.find(FindDamaged, 0, "the file is damaged: %s", damage)
	}
	if err := scan(ctx, tx, v.Run, 0, nil, v.next); err != nil {
		return err
	}
	v.placeAltered()
	return v.checkIndex(ctx, tx)
}

// next checks an event against itself and the one before it.
func (v *verifier) next(r row) error {
	if missing := r.Seq - v.last.Seq - 1; missing > 0 {
		v.find(FindMissing, v.last.Seq+1, "%s missing", events(v.last.Seq+1, missing))
	}
	whole := r.sum() == r.Hash
	if !whole {
		v.altered = append(v.altered, r)
	}
	lastAltered := len(v.altered) > 0 && v.altered[len(v.altered)-1].Seq == v.last.Seq
	if whole && r.Seq == v.last.Seq+1 && r.Prev != v.last.Hash && !lastAltered {
		v.find(FindBroken, r.Seq, "event %d does not follow from event %d", r.Seq, v.last.Seq)
	}
	if whole {
		v.takeIn(r)
	}
	v.seqOf[r.Hash] = r.Seq
	v.Events++
	v.Head, v.last = r.Hash, r
	return nil
}

// takeIn remembers what the list of runs must say.
func (v *verifier) takeIn(r row) {
	e, err := r.event()
	if err != nil {
		v.find(FindBroken, r.Seq, "%v", err)
		return
	}
	if v.First.IsZero() {
		v.First = e.At
	}
	if e.At.Before(v.Last) {
		v.find(FindBroken, r.Seq, "event %d is older than the event before it", r.Seq)
	}
	v.Last = e.At
	if e.Type == RunCreated {
		err = readBody(e, &v.begun)
	}
	if err := errors.Join(err, v.outcome.follow(r)); err != nil {
		v.find(FindBroken, r.Seq, "event %d cannot be read: %v", r.Seq, err)
	}
}

// placeAltered tells events that only changed places from altered ones.
func (v *verifier) placeAltered() {
	for _, r := range v.altered {
		if was := v.formerPlace(r); was > 0 {
			v.find(FindMoved, r.Seq, "event %d stood at %d before", r.Seq, was)
			continue
		}
		v.find(FindAltered, r.Seq, "event %d (%s) is altered: its hash does not belong to what it says", r.Seq, r.Type)
	}
}

// nearby is how far around its place the former place of an event is looked
// for.
const nearby = 16

// formerPlace finds the place for which the event's hash is right: behind the
// event that it names as the one before, or nearby. 0 means none.
func (v *verifier) formerPlace(r row) int64 {
	places := []int64{v.seqOf[r.Prev] + 1}
	for d := int64(1); d <= nearby; d++ {
		places = append(places, r.Seq-d, r.Seq+d)
	}
	for _, place := range places {
		moved := r
		if moved.Seq = place; place > 0 && moved.sum() == r.Hash {
			return place
		}
	}
	return 0
}

func (v *verifier) checkIndex(ctx context.Context, tx *sql.Tx) error {
	var seq int64
	var head, ended, result, name, mode string
	err := tx.QueryRowContext(ctx, "SELECT seq, head, ended, result, name, mode FROM runs WHERE run = ?", v.Run).
		Scan(&seq, &head, &ended, &result, &name, &mode)
	switch {
	case errors.Is(err, sql.ErrNoRows) && v.Events == 0:
		return noRun(v.Run)
	case errors.Is(err, sql.ErrNoRows):
		v.find(FindIndex, 0, "the run is missing in the list of runs")
		return nil
	case err != nil:
		return err
	case seq == 0 && v.Events == 0:
		return noRun(v.Run)
	case seq > v.last.Seq:
		v.find(FindCut, v.last.Seq+1, "the end is cut off: %s missing", events(v.last.Seq+1, seq-v.last.Seq))
	case seq != v.last.Seq || head != v.Head:
		v.find(FindIndex, v.last.Seq, "the list of runs says that the chain ends with event %d, %s, but it ends with event %d, %s", seq, head, v.last.Seq, v.Head)
	case ended != v.outcome.ended || result != v.outcome.result:
		v.find(FindIndex, 0, "the list of runs says that the run ended %q at %q, the events say %q at %q", result, ended, v.outcome.result, v.outcome.ended)
	}
	if len(v.altered) == 0 && (name != v.begun.Runbook || Mode(mode) != v.begun.Mode) {
		v.find(FindIndex, 0, "the list of runs says that it is a %s run of %q, the events say a %s run of %q", mode, name, v.begun.Mode, v.begun.Runbook)
	}
	return nil
}

// checkHead looks for the noted head. It may stand inside the chain: the run
// went on after it was noted.
func (v *verifier) checkHead(head string) {
	if head == "" {
		return
	}
	v.HeadSeq = v.seqOf[head]
	if v.HeadSeq == 0 {
		v.find(FindCut, v.last.Seq+1, "no event has the hash %s: the end was cut off or the chain was written anew", head)
	}
}

func (v *verifier) verdict() error {
	if len(v.Findings) == 0 {
		return nil
	}
	text := v.Findings[0].Text
	if more := len(v.Findings) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return fault.New(fault.Different, fmt.Sprintf("journal of run %q: %s", v.Run, text), "keep the file as evidence; do not resume this run before it is understood")
}

// events says "event 5 is" or "events 5 to 7 are".
func events(first, count int64) string {
	if count == 1 {
		return fmt.Sprintf("event %d is", first)
	}
	return fmt.Sprintf("events %d to %d are", first, first+count-1)
}
