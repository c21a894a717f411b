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
}

// LoadState is what must outlive a load's ledger.
type LoadState = CopyState

// LoadResult is what a load did.
type LoadResult struct {
	Tables int64
	Rows   int64
	Bytes  int64 // of the files
	// TargetVersion is the server's version, "15.18".
	TargetVersion string
	// LeftOut are the keys, indexes and constraints that the rows break, and
	// Notes what else the target did not take; no row is missing for either.
	LeftOut, Notes []string
}

// What is not in the target for the rows' sake begins so among the warnings.
const brokenMark = "the rows break it: "

func loadResult(r CopyResult) LoadResult {
	out := LoadResult{Tables: r.Tables, Rows: r.Rows, Bytes: r.Bytes, TargetVersion: r.TargetVersion}
	for _, w := range r.Warnings {
		if broken, ok := strings.CutPrefix(w, brokenMark); ok {
			out.LeftOut = append(out.LeftOut, broken)
		} else {
			out.Notes = append(out.Notes, w)
		}
	}
	return out
}

// copyOptions are those by which a copy is finished and undone, which a load is
// in the same way.
func (o LoadOptions) copyOptions() CopyOptions {
	return CopyOptions{To: o.To, Token: o.Token, Progress: o.Progress, State: o.State, Save: o.Save}
}

// loader is one call of Load.
type loader struct {
	LoadOptions
	plan   LoadPlan
	target *target
	kept   []string
	tables map[[2]string]*loadTarget
}

// Load loads a folder. It goes on with what an earlier call with the same token
// left behind; if the folder is another by now it drops that and starts over.
func Load(ctx context.Context, plan LoadPlan, o LoadOptions) (result LoadResult, err error) {
	o.Jobs = max(o.Jobs, 1)
	if o.State.Finished != nil {
		stands, err := finishCopy(ctx, o.copyOptions())
		if err == nil && stands && o.State.Left == nil {
			err = leave(ctx, o.copyOptions(), o.State)
		}
		if stands || err != nil {
			return loadResult(*o.State.Finished), err
		}
	}
	state, err := loadAll(ctx, plan, o)
	if err != nil {
		return result, roomFault(err)
	}
	return loadResult(*state.Finished), leave(ctx, o.copyOptions(), state)
}

// UndoLoad drops what a load made, also one that was cut off halfway. It
// refuses if the target was written to after the load had ended.
func UndoLoad(ctx context.Context, o LoadOptions) error { return UndoCopy(ctx, o.copyOptions()) }

func loadAll(ctx context.Context, plan LoadPlan, o LoadOptions) (state LoadState, err error) {
	l := &loader{LoadOptions: o, plan: plan}
	// What a view's text calls by its name alone was found in public.
	if l.target, err = openTarget(ctx, o.To, o.Token, map[string]string{"search_path": "public"}); err != nil {
		return state, err
	}
	defer func() { err = errors.Join(err, l.target.close(ctx)) }()
	if err := l.begin(ctx); err != nil {
		return state, err
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
		o.Progress.Note(phase.note)
		if err := phase.do(ctx); err != nil {
			return state, err
		}
	}
	if state, err = l.finished(ctx); err != nil {
		return state, err
	}
	return state, l.target.dropLedger(ctx)
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
func (l *loader) finished(ctx context.Context) (state LoadState, err error) {
	conn := l.target.conn
	sums, err := readSums(ctx, conn)
	if err != nil {
		return state, err
	}
	result := CopyResult{Rows: sums.Rows, Bytes: l.plan.Bytes(), Tables: int64(len(l.tables)), TargetVersion: versionName(l.target.version)}
	state = LoadState{Finished: &result, Kept: l.kept, Logged: &sums.Logged}
	if state.Undo, err = texts(ctx, conn, "select sql from evac_ledger.undo order by id desc"); err == nil {
		result.Warnings, err = texts(ctx, conn, "select text from evac_ledger.warning order by id")
	}
	if err != nil {
		return state, wrapLedger("read", err)
	}
	slices.SortStableFunc(result.Warnings, func(a, b string) int { return cmp.Compare(severity(a), severity(b)) })
	result.Warnings = within(result.Warnings, warningBytes)
	// A write whose commit waits for the disk takes with it all that went before.
	if _, err := conn.Exec(ctx, "update evac_ledger.run set undoing = false"); err != nil {
		return state, wrapLedger("write", err)
	}
	if err := l.Save(ctx, state); err != nil {
		return state, fmt.Errorf("save that the load is complete: %w", err)
	}
	return state, nil
}

// severity puts what must not be cut off a long list first.
func severity(warning string) int {
	if strings.HasPrefix(warning, brokenMark) {
		return 0
	}
	return 1
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
