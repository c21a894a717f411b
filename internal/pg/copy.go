package pg

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/evac-io/evac/internal/secret"
)

// A copy makes an empty database on the target's server the same as the
// source: all that pg_dump carries, and what stands around a database (roles,
// its comment, owner, privileges and settings). The schema goes through
// pg_dump, the rows through COPY from many sessions that share one snapshot.
// Whatever is done is in a ledger in the target, so that the same call goes on
// after a kill at any instant.

// Progress is told how far a copy is; its methods may be called from any
// goroutine.
type Progress interface {
	Total(unit string, total int64)
	Add(done int64)
	Note(text string)
}

// CopyOptions say what to copy, and how.
type CopyOptions struct {
	From, To secret.DSN
	// Jobs is how many tables are copied at once; at least 1.
	Jobs int
	// PgDump is a pg_dump program or its directory; "" looks in the usual places.
	PgDump string
	// Token names this copy: a later call with the same goes on with it.
	Token string
	// ChunkBytes is about how much of a large table is one transaction; 0 is 1 GiB.
	ChunkBytes int64
	// Select is what to copy of the database, all of it by default.
	Select Selection
	// MaxRate bounds the rows' bytes in a second; 0: no bound.
	MaxRate int64
	// Tuning changes settings of the target's server for the time of the copy.
	Tuning Tuning
	// Snapshot, if set, is the moment to copy; else the copy takes its own.
	Snapshot *HeldSnapshot
	// Hold, if set, lets a process of its own hold the moment, so that a copy
	// that is killed can go on with it although the source is written to.
	Hold     func(context.Context, secret.DSN, *HeldSnapshot) (HeldSnapshot, error)
	Progress Progress
	// roled, if set, is called when the roles stand, and no table yet; own is the
	// copy's one session on the target.
	roled func(ctx context.Context, own uint32) error
	// State is what an earlier call with this token saved last.
	State CopyState
	// Save keeps the state; it returns when it is safe on disk.
	Save func(context.Context, CopyState) error
}

// CopyState is what must outlive a copy's ledger, which is dropped when the
// copy is complete. Its zero value is that of a copy that is not.
type CopyState struct {
	// Finished is what a complete copy did.
	Finished *CopyResult `json:"finished,omitempty"`
	// Kept are the extensions that the target had before, Undo the statements
	// that put back what stood around it, in the order in which they run.
	Kept []string `json:"kept,omitempty"`
	Undo []string `json:"undo,omitempty"`
	// Logged is how many rows of tables that are logged were copied.
	Logged *int64 `json:"logged,omitempty"`
	// Left is the target's moment right after the copy.
	Left *FreezeMark `json:"left,omitempty"`
}

// CopyResult is what a copy did.
type CopyResult struct {
	Rows         int64 `json:"rows"`
	Bytes        int64 `json:"bytes"` // as COPY wrote them
	Tables       int64 `json:"tables"`
	LargeObjects int64 `json:"large_objects"`
	// SourceVersion and TargetVersion are server versions, "15.18".
	SourceVersion string `json:"source_version"`
	TargetVersion string `json:"target_version"`
	// Mark is the source's moment that was copied.
	Mark FreezeMark `json:"mark"`
	// Warnings name what the target did not take.
	Warnings []string `json:"warnings,omitempty"`
}

const defaultChunkBytes = 1 << 30

// copier is one call of Copy.
type copier struct {
	CopyOptions
	source        *snapshot
	target        *target
	sourceVersion int
	dump          PgDump
	kept          []string
	held          *HeldSnapshot // nil: the snapshot ends with this process
	// users are the settings with which the source's users compute.
	users  map[string]string
	filter Filter
	pace   pacer
	// chunksLeft counts the chunks that are not copied yet.
	chunksLeft atomic.Int64
}

// Copy copies a database. It goes on with what an earlier call with the same
// token left behind if the source is proved unwritten since; else it drops
// that and starts over, and notes so.
func Copy(ctx context.Context, o CopyOptions) (result CopyResult, err error) {
	if o.ChunkBytes == 0 {
		o.ChunkBytes = defaultChunkBytes
	}
	o.Jobs = max(o.Jobs, 1)
	if o.State.Finished != nil {
		stands, err := finishCopy(ctx, o)
		filled := false
		if err == nil && stands {
			filled, err = refill(ctx, o)
		}
		if err == nil && stands && (filled || o.State.Left == nil) {
			err = leave(ctx, o, o.State)
		}
		if stands || err != nil {
			return *o.State.Finished, roomFault(err)
		}
	}
	state, err := copyAll(ctx, o)
	if err != nil {
		return result, roomFault(err)
	}
	return *state.Finished, leave(ctx, o, state)
}

// copyAll copies, and ends the sessions that it took.
func copyAll(ctx context.Context, o CopyOptions) (state CopyState, err error) {
	c := &copier{CopyOptions: o, pace: pacer{rate: o.MaxRate}}
	if c.filter, err = o.Select.Filter(); err != nil {
		return state, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, untuneAfter(ctx, c.To, &c.Tuning))
		}
		err = errors.Join(err, c.close(ctx))
	}()
	if err := c.open(ctx); err != nil {
		return state, err
	}
	if err := c.begin(ctx); err != nil {
		return state, err
	}
	if err := c.held.keep(); err != nil {
		return state, err
	}
	if err := c.tune(ctx); err != nil {
		return state, err
	}
	if err := c.fill(ctx); err != nil {
		return state, err
	}
	if err := untune(ctx, c.target.conn, &c.Tuning); err != nil {
		return state, err
	}
	if state, err = c.finished(ctx); err != nil {
		return state, err
	}
	if c.Snapshot == nil { // before the ledger goes, which alone knows of the holder
		if err := letGo(ctx, c.source.conn, c.held); err != nil {
			return state, err
		}
	}
	return state, c.target.dropLedger(ctx)
}

func (c *copier) close(ctx context.Context) error {
	var err error
	if c.target != nil {
		err = c.target.close(ctx)
	}
	if c.source != nil {
		err = errors.Join(err, c.source.release(ctx))
	}
	return err
}

// open takes the target and the snapshot.
func (c *copier) open(ctx context.Context) (err error) {
	settings, err := c.sourceSettings(ctx)
	if err != nil {
		return err
	}
	if c.target, err = openTarget(ctx, c.To, c.Token, settings); err != nil {
		return err
	}
	if err := c.target.computeIn(ctx, c.users[timeZone]); err != nil {
		return err
	}
	if c.held, err = c.moment(ctx); err != nil {
		return err
	}
	if c.source, err = holdSnapshot(ctx, c.From, c.held); err != nil {
		return err
	}
	c.source.tap = true
	if c.sourceVersion, err = Version(ctx, c.source.conn); err != nil {
		return fmt.Errorf("open source: %w", err)
	}
	if err := errors.Join(direction(c.sourceVersion, c.target.version), distinct(ctx, c.source.conn, c.target.conn)); err != nil {
		return err
	}
	c.dump, err = FindPgDump(ctx, c.PgDump, c.sourceVersion/10000, c.target.version/10000)
	return err
}

// sourceSettings are those that the target's sessions take over from the
// source: bytes of a database without an encoding pass as they are.
func (c *copier) sourceSettings(ctx context.Context) (map[string]string, error) {
	conn, err := Connect(ctx, c.From, ConnOptions{Application: applicationName, Side: Source})
	if err != nil {
		return nil, err
	}
	settings := map[string]string{}
	if conn.PgConn().ParameterStatus("server_encoding") == "SQL_ASCII" {
		settings["client_encoding"] = "SQL_ASCII"
	}
	c.users, err = usersSettings(ctx, conn)
	return settings, errors.Join(err, hangUp(ctx, conn))
}

// moment is the held snapshot to copy: one that was given, that of an earlier
// call which still stands, or one that a holder takes now; nil if none is held.
func (c *copier) moment(ctx context.Context) (*HeldSnapshot, error) {
	if c.Snapshot != nil {
		return c.Snapshot, nil
	}
	head, err := openLedger(ctx, c.target.conn, c.Token)
	if err != nil {
		return nil, err
	}
	if head != nil && head.Held != nil && !head.Undoing {
		if still, err := stillHeld(ctx, c.From, *head.Held); still || err != nil {
			return head.Held, err
		}
	}
	if c.Hold == nil {
		return nil, nil
	}
	held, err := c.Hold(ctx, c.From, nil)
	if err != nil {
		return nil, err
	}
	return &held, nil
}

// fill does the copy, phase by phase; each leaves out what the ledger has.
func (c *copier) fill(ctx context.Context) error {
	c.Progress.Note("reading the schema")
	entries, err := c.readSchema(ctx)
	if err != nil {
		return err
	}
	before, after := splitSections(entries)
	f, err := readFacts(ctx, c.source.conn, c.sourceVersion)
	if err != nil {
		return err
	}
	plan := planAfter(f, after)
	for _, phase := range []struct {
		note string
		do   func(context.Context) error
	}{
		{"making roles", c.makeGlobals},
		{"making tables", func(ctx context.Context) error { return c.makeBefore(ctx, before) }},
		{"copying rows and building indexes", func(ctx context.Context) error { return c.copyTables(ctx, f, plan) }},
		{"setting sequences", func(ctx context.Context) error { return copySequences(ctx, c.source, c.target, c.filter) }},
		{"making triggers, rights and the rest", func(ctx context.Context) error { return c.makeRest(ctx, plan) }},
		{"filling materialized views", func(ctx context.Context) error { return c.fillViews(ctx, f, plan) }},
		{"setting the database", c.setDatabase},
	} {
		c.Progress.Note(phase.note)
		if err := phase.do(ctx); err != nil {
			return err
		}
	}
	return nil
}
