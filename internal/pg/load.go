package pg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/secret"
)

// A load fills an empty database from a folder of salvaged tables: the tables
// without their keys, the files by COPY from many sessions, then keys, indexes
// and constraints. Its ledger in the target is that of a copy, so that a file
// and its line commit together, and the same call goes on after a kill at any
// instant.

// LoadOptions say where to load, and how.
type LoadOptions struct {
	To secret.DSN
	// Jobs is how many files are loaded at once, and indexes built; at least 1.
	Jobs int
	// Token names this load: a later call with the same goes on with it.
	Token    string
	Progress Progress
	// State is what an earlier call with this token saved last.
	State LoadState
	// Save keeps the state; it returns when it is safe on disk.
	Save func(context.Context, LoadState) error
	// Ready, if given, names the files of the plan as they come to stand: the rows
	// wait for them. It is closed behind the last.
	Ready <-chan string
	// Prove, if given, lets each table be compared with its files as soon as it is
	// full, while others are still loaded. To and Jobs are the load's own.
	Prove *VerifyLoadOptions
}

// LoadState is what must outlive a load's ledger.
type LoadState struct {
	CopyState
	// Proved tells that all rows were compared with the files.
	Proved bool `json:"proved,omitempty"`
}

// LoadResult is what a load did.
type LoadResult struct {
	Tables int64
	Rows   int64
	Bytes  int64 // of the files
	// TargetVersion is the server's version, "15.18".
	TargetVersion string
	// Rejected are files of which the server did not take every row; the rest is
	// loaded, and the rows stand in the folder's rejected/ with the reason.
	Rejected []string
	// LeftOut are the keys, indexes and constraints that the rows break, and
	// Notes what else the target did not take; no row is missing for either.
	LeftOut, Notes []string
	// Proof is the comparison of this call, of the tables that no earlier one had
	// compared. Where rows differ, the load is not finished, and begins there again.
	Proof VerifyLoadResult
}

// What is not in the target for the rows' sake begins so among the warnings.
const brokenMark = "the rows break it: "

func loadResult(r CopyResult) LoadResult {
	out := LoadResult{Tables: r.Tables, Rows: r.Rows, Bytes: r.Bytes, TargetVersion: r.TargetVersion}
	for _, w := range r.Warnings {
		if broken, ok := strings.CutPrefix(w, brokenMark); ok {
			out.LeftOut = append(out.LeftOut, broken)
		} else if rejected, ok := strings.CutPrefix(w, rejectedMark); ok {
			out.Rejected = append(out.Rejected, rejected)
		} else {
			out.Notes = append(out.Notes, w)
		}
	}
	return out
}

// copyOptions are those by which a copy is finished and undone, which a load is
// in the same way.
func (o LoadOptions) copyOptions() CopyOptions {
	return CopyOptions{To: o.To, Token: o.Token, Progress: o.Progress, State: o.State.CopyState, Save: func(ctx context.Context, s CopyState) error {
		return o.Save(ctx, LoadState{CopyState: s, Proved: o.State.Proved && s.Finished != nil})
	}}
}

// loader is one call of Load.
type loader struct {
	LoadOptions
	plan   LoadPlan
	target *target
	kept   []string
	tables map[[2]string]*loadTarget
	proof  *loadVerifier // nil: nothing is compared
}

// Load loads a folder. It goes on with what an earlier call with the same token
// left behind; if the folder is another by now it drops that and starts over.
func Load(ctx context.Context, plan LoadPlan, o LoadOptions) (result LoadResult, err error) {
	o.Jobs = max(o.Jobs, 1)
	if o.State.Finished != nil {
		stands, err := finishCopy(ctx, o.copyOptions())
		if err == nil && stands && o.State.Left == nil {
			err = leave(ctx, o.copyOptions(), o.State.CopyState)
		}
		if stands || err != nil {
			return loadResult(*o.State.Finished), err
		}
		o.State = LoadState{}
	}
	l := &loader{LoadOptions: o, plan: plan}
	if o.Prove != nil {
		l.proof = newLoadVerifier(plan, *o.Prove)
	}
	if err := l.all(ctx); err != nil {
		return result, roomFault(err)
	}
	if l.State.Finished != nil {
		result = loadResult(*l.State.Finished)
		err = leave(ctx, l.copyOptions(), l.State.CopyState)
	}
	if l.proof != nil {
		result.Proof = l.proof.sorted()
	}
	return result, err
}

// LoadProved tells whether a load has compared all rows and nobody has written to
// the target since.
func LoadProved(ctx context.Context, o LoadOptions) (bool, error) {
	if !o.State.Proved || o.State.Left == nil {
		return false, nil
	}
	used, err := usedSinceLeft(ctx, o.copyOptions())
	return used == "", err
}

// UndoLoad drops what a load made, also one that was cut off halfway. It
// refuses if the target was written to after the load had ended.
func UndoLoad(ctx context.Context, o LoadOptions) error { return UndoCopy(ctx, o.copyOptions()) }

// all goes through the phases; State says whether it came to the end.
func (l *loader) all(ctx context.Context) (err error) {
	// What a view's text calls by its name alone was found in public.
	if l.target, err = openTarget(ctx, l.To, l.Token, map[string]string{"search_path": "public"}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.target.close(ctx)) }()
	if err := l.begin(ctx); err != nil {
		return err
	}
	for _, phase := range []struct {
		note string
		do   func(context.Context) error
	}{
		{"making tables", l.makeBefore},
		{"loading rows and building indexes", l.fill},
		{"adding foreign keys", l.addForeign},
		{"making the rest", l.makeRest},
	} {
		l.Progress.Note(phase.note)
		if err := phase.do(ctx); err != nil {
			return err
		}
	}
	if l.proof != nil {
		err := l.proof.sequences(ctx, l.target.conn)
		if err != nil || !l.proof.result.Equal() {
			return err
		}
	}
	if err := l.finished(ctx); err != nil {
		return err
	}
	return l.target.dropLedger(ctx)
}

// begin goes on with an earlier call's ledger or begins one.
func (l *loader) begin(ctx context.Context) error {
	if err := refuseOld(l.target.version); err != nil {
		return err
	}
	head, err := openLedger(ctx, l.target.conn, l.Token)
	if err != nil {
		return err
	}
	print := l.plan.fingerprint()
	if head != nil && !head.Undoing && head.Dump == print {
		l.Progress.Note("going on where the load was cut off")
		l.kept = head.Kept
		return nil
	}
	if head != nil {
		l.Progress.Note("starting over: the folder is not what it was, or the load was being undone")
		if err := l.target.clear(ctx, head.Kept); err != nil {
			return fmt.Errorf("start over: %w", err)
		}
	}
	if l.kept, err = l.target.keptExtensions(ctx); err != nil {
		return err
	}
	if err := l.target.refuseFull(ctx, l.kept); err != nil {
		return err
	}
	public, err := l.target.publicUndo(ctx)
	if err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, l.target.conn, func(tx pgx.Tx) error {
		if err := (ledgerRun{Token: l.Token, Dump: print, Kept: l.kept}).begin(ctx, tx); err != nil {
			return err
		}
		return noteUndo(ctx, tx, public...)
	})
}

// finished saves what was done, while the ledger still stands.
func (l *loader) finished(ctx context.Context) error {
	conn := l.target.conn
	sums, err := readSums(ctx, conn)
	if err != nil {
		return err
	}
	result := CopyResult{Rows: sums.Rows, Bytes: l.plan.Bytes(), Tables: int64(len(l.tables)), TargetVersion: versionName(l.target.version)}
	state := LoadState{CopyState: CopyState{Finished: &result, Kept: l.kept, Logged: &sums.Logged}, Proved: l.proof != nil}
	if state.Undo, err = texts(ctx, conn, "select sql from evac_ledger.undo order by id desc"); err == nil {
		result.Warnings, err = texts(ctx, conn, "select text from evac_ledger.warning order by id")
	}
	if err != nil {
		return wrapLedger("read", err)
	}
	slices.SortStableFunc(result.Warnings, func(a, b string) int { return cmp.Compare(severity(a), severity(b)) })
	result.Warnings = within(result.Warnings, warningBytes)
	// A write whose commit waits for the disk takes with it all that went before.
	if _, err := conn.Exec(ctx, "update evac_ledger.run set undoing = false"); err != nil {
		return wrapLedger("write", err)
	}
	if err := l.Save(ctx, state); err != nil {
		return fmt.Errorf("save that the load is complete: %w", err)
	}
	l.State = state
	return nil
}

// severity puts what must not be cut off a long list first.
func severity(warning string) int {
	switch {
	case strings.HasPrefix(warning, rejectedMark):
		return 0
	case strings.HasPrefix(warning, brokenMark):
		return 1
	}
	return 2
}

// warningBytes is what warnings may take in a journal.
const warningBytes = 6 << 10

// within keeps as much of a list as has room, and says how much more there is.
func within(list []string, room int) []string {
	for i, text := range list {
		if room -= len(text); room < 0 {
			return append(slices.Clone(list[:i]), fmt.Sprintf("and %d more", len(list)-i))
		}
	}
	return list
}
