package pg

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
)

// fenceLibrary is what a fenced primary is told to load for every session. It
// does not exist, so every login ends with `could not access file "fenced by
// evac: …"`, superusers' too; replication is let in. It is a setting of this
// server alone, which no standby inherits, unlike a database's connection
// limit. A superuser comes in by PGOPTIONS="-c session_preload_libraries=".
const (
	fenceSetting = "session_preload_libraries"
	fenceLibrary = "fenced by evac: this server is not the primary any more"
)

// fenceChanges turn every client away, make what still comes in read-only, and
// keep the server's own workers from writing.
func fenceChanges() []ServerChange {
	return []ServerChange{
		{Side: Source, Setting: fenceSetting, New: Quote(fenceLibrary)},
		{Side: Source, Setting: readOnlySetting, New: "on"},
		{Side: Source, Setting: "autovacuum", New: "off"},
	}
}

// openPrimary connects to the old primary, also if it is fenced.
func openPrimary(ctx context.Context, dsn secret.DSN) (*pgx.Conn, error) {
	o := ConnOptions{Application: promoteApplication, Side: Source}
	conn, err := Connect(ctx, dsn, o)
	if err != nil && strings.Contains(err.Error(), fenceLibrary) {
		o.Startup = map[string]string{fenceSetting: ""}
		return Connect(ctx, dsn, o)
	}
	return conn, err
}

// fenced is what a fence has proved.
type fenced struct {
	// how says it in words.
	how string
	// last is the end of what the old primary ever wrote, "" if nobody can tell;
	// open tells that it is not fenced and writes on. seen is how far it was when
	// last asked.
	last, seen string
	open       bool
}

// fence keeps the old primary from taking writes, and proves that it does not.
func (p *promotion) fence(ctx context.Context) (fenced, error) {
	switch p.Fence {
	case FenceConnections:
		p.Progress.Note("fencing the old primary")
		return p.fenceConnections(ctx)
	case FenceCommand:
		p.Progress.Note("fencing the old primary by command")
		return p.fenceCommand(ctx)
	}
	f := fenced{how: "not fenced", open: true}
	if p.primary == nil {
		return f, nil
	}
	var err error
	f.last, err = flushed(ctx, p.primary)
	return f, err
}

func (p *promotion) fenceConnections(ctx context.Context) (f fenced, err error) {
	if p.primary == nil {
		return f, fault.Wrap(fault.Failed, "fence the old primary", p.silent,
			`it cannot be told to turn clients away, and may come back: stop it for good by a command (fence = "command"), or say fence = "none"`)
	}
	for _, c := range fenceChanges() {
		if err := p.alter(ctx, p.primary, c); err != nil {
			return f, fmt.Errorf("fence the old primary: %w", err)
		}
	}
	if err := reload(ctx, p.primary); err != nil {
		return f, fmt.Errorf("fence the old primary: %w", err)
	}
	if err := p.silence(ctx); err != nil {
		return f, err
	}
	if err := refusesLogins(ctx, p.From); err != nil {
		return f, err
	}
	f.how = fmt.Sprintf("the old primary turns every login away, its sessions were ended, and for %s no transaction of any kind began there", p.Settle)
	f.last, err = flushed(ctx, p.primary)
	return f, err
}

// lift takes the fence of connections away again after a failure before the
// promotion, so that the old primary serves on. A call that was interrupted
// leaves it for the next one.
func (p *promotion) lift(ctx context.Context) error {
	if ctx.Err() != nil || p.primary == nil || p.Fence != FenceConnections {
		return nil
	}
	p.Progress.Note("taking the fence away again: the old primary serves on")
	for _, c := range fenceChanges() {
		if err := p.putBack(ctx, p.primary, c); err != nil {
			return fmt.Errorf("take the fence away: %w", err)
		}
	}
	if err := reload(ctx, p.primary); err != nil {
		return fmt.Errorf("take the fence away: %w", err)
	}
	return nil
}
