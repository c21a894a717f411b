package pg

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/evac-io/evac/internal/fault"
)

// stopChanges make the standby's replay end at the stop point: at its next
// start it replays to there and waits.
func (s StopPoint) changes() []ServerChange {
	// A server that starts reads no names of time zones, nor "Z".
	target, value, inclusive := "recovery_target_time", s.Time.UTC().Format("2006-01-02 15:04:05.999999-07"), "on"
	if s.LSN != "" {
		// A position that was read before the mistake is where the next record
		// begins, which must not be replayed.
		target, value, inclusive = "recovery_target_lsn", s.LSN, "off"
	}
	return []ServerChange{
		{Side: Target, Setting: target, New: value},
		{Side: Target, Setting: "recovery_target_inclusive", New: inclusive},
		{Side: Target, Setting: "recovery_target_action", New: "pause"},
	}
}

// replayTo replays up to the stop point and not beyond. The standby is
// restarted for that, since it reads its target only then; what delays it is
// taken away only when the target is in force.
func (p *promotion) replayTo(ctx context.Context, f fenced) (lsn, complete string, err error) {
	p.Progress.Note("restarting the standby to stop at " + p.StopAt.String())
	for _, c := range p.StopAt.changes() {
		if err := p.alter(ctx, p.standby, c); err != nil {
			return "", "", err
		}
	}
	if err := p.restart(ctx); err != nil {
		return "", "", err
	}
	if err := p.stopInForce(ctx); err != nil {
		return "", "", err
	}
	if err := run(ctx, p.standby, "alter system set recovery_min_apply_delay = 0"); err != nil {
		return "", "", fmt.Errorf("take the standby's delay away: %w", err)
	}
	if err := reload(ctx, p.standby); err != nil {
		return "", "", err
	}
	p.Progress.Note("replaying to " + p.StopAt.String())
	return p.awaitStop(ctx, f)
}

// restart restarts the standby and opens a new session on it. A call that is
// cut off here leaves it down, perhaps: the next one has to know.
func (p *promotion) restart(ctx context.Context) error {
	p.State.Restarting = p.version / 100_00
	if err := p.Save(ctx, p.State); err != nil {
		return err
	}
	err := hangUp(ctx, p.standby)
	p.standby = nil
	if err != nil {
		return err
	}
	return p.restartServer(ctx)
}

func (p *promotion) restartServer(ctx context.Context) (err error) {
	if p.Local.Restart != "" {
		err = shell(ctx, p.Local.Restart)
	} else {
		log := filepath.Join(p.Local.Dir, replicaLog)
		err = p.Local.pgCtl(ctx, p.State.Restarting, "restart", "-m", "fast", "-t", fmt.Sprint(int(promoteLimit.Seconds())), "-l", log)
		err = fault.Wrap(fault.Failed, "", err, "read "+log)
	}
	if err != nil {
		return fault.Wrap(fault.KindOf(err), "restart the standby", err, "")
	}
	ctx, cancel := context.WithTimeout(ctx, promoteLimit)
	defer cancel()
	for {
		if err = p.openStandby(ctx); err == nil || fault.KindOf(err) == fault.Denied {
			return err
		}
		select {
		case <-ctx.Done():
			return fault.Wrap(fault.Failed, "restart the standby", err, "")
		case <-time.After(replayPause):
		}
	}
}

// stopInForce proves that the server has read its target.
func (p *promotion) stopInForce(ctx context.Context) error {
	c := p.StopAt.changes()[0]
	var now string
	if err := p.standby.QueryRow(ctx, "select current_setting($1)", c.Setting).Scan(&now); err != nil {
		return fmt.Errorf("read %s: %w", c, err)
	}
	if now != c.New {
		return fault.New(fault.Failed, fmt.Sprintf("%s is %q after the restart, want %q", c, now, c.New), "its start command must not set it otherwise")
	}
	return nil
}

// awaitStop waits until replay stands at the stop point, or at the end of all
// that the old primary wrote if that comes before it. A restarted standby first
// replays what it has and only then receives more.
func (p *promotion) awaitStop(ctx context.Context, f fenced) (lsn, complete string, err error) {
	var last string
	since := time.Now()
	for {
		s, err := replayed(ctx, p.standby, f.last)
		if err != nil {
			return "", "", err
		}
		if s.replayed != last {
			since, last = time.Now(), s.replayed
		}
		still := time.Since(since)
		switch {
		case s.paused:
			return s.replayed, fmt.Sprintf("replay stopped at %s, with later records in sight", p.StopAt), p.notPast(s)
		case f.last != "" && s.short == 0, f.last == "" && s.late == 0 && still > stopQuiet:
			complete, err = p.complete(ctx, f, s)
			return s.replayed, complete, errors.Join(err, p.notPast(s))
		case still > replayStall:
			return "", "", stalled(s, f.last)
		}
		select {
		case <-ctx.Done():
			return "", "", context.Cause(ctx)
		case <-time.After(replayPause):
		}
	}
}

// stopQuiet is how long replay must stand at the end of what was received
// before nothing more is expected: a restarted receiver waits up to 5 s
// (wal_retrieve_retry_interval) before it connects.
const stopQuiet = 10 * time.Second

// notPast refuses a standby that has already replayed more than wanted.
func (p *promotion) notPast(s replayState) error {
	if p.StopAt.LSN == "" {
		if s.lastCommit.After(p.StopAt.Time) {
			return pastStop(p.StopAt, "a commit at "+s.lastCommit.UTC().Format(time.RFC3339Nano))
		}
		return nil
	}
	if lsnOf(s.replayed) > lsnOf(p.StopAt.LSN) {
		return pastStop(p.StopAt, s.replayed)
	}
	return nil
}

func pastStop(stop StopPoint, replayed string) error {
	return fault.New(fault.Failed, fmt.Sprintf("the standby has already replayed %s, past %s", replayed, stop), "take a standby that is further behind, or a backup")
}

// resetStop takes the stop point out of the settings of the new primary.
func (p *promotion) resetStop(ctx context.Context) error {
	if p.StopAt.Zero() {
		return nil
	}
	for _, c := range p.StopAt.changes() {
		if err := p.putBack(ctx, p.standby, c); err != nil {
			return err
		}
	}
	return nil
}

// lsnOf is a position as a number of bytes; 0 for what is none.
func lsnOf(text string) uint64 {
	var high, low uint64
	if n, err := fmt.Sscanf(text, "%X/%X", &high, &low); n != 2 || err != nil {
		return 0
	}
	return high<<32 | low
}
