package salvage

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	tasks "github.com/evac-io/evac/internal/engine"
	"github.com/evac-io/evac/internal/fault"
)

// Progress hears of work that is done, in stored bytes.
type Progress func(bytes int64)

// Run takes all rows out of the stores into the folder dir and reports on them.
// The same call again goes on where an earlier one stopped. The report is there
// even if it says that something is missing: see Report.Complete.
func Run(ctx context.Context, stores []string, dir string, opt Options, progress Progress) (_ *Report, err error) {
	j, err := Begin(ctx, stores, dir, opt)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	return j.run(ctx, progress)
}

// run does the work in this process, but for what an earlier call did.
func (j *Job) run(ctx context.Context, progress Progress) (_ *Report, err error) {
	plan, err := j.planHash(j.Plan, j.opt.Null)
	if err != nil {
		return nil, err
	}
	s, err := openState(j.dir, plan, j.Tasks)
	if err != nil {
		return nil, noRoom(j.dir, err)
	}
	defer func() { err = errors.Join(err, s.close()) }()
	standing, err := j.begin(plan)
	if err != nil {
		return nil, noRoom(j.dir, err)
	}
	list, err := j.Split()
	if err != nil {
		return nil, err
	}
	results, err := tasks.Local{Workers: j.opt.Jobs, Ledger: s, Standing: func(t tasks.Task) {
		standing(j.Tasks[t.ID])
		progress(t.Cost)
	}}.Run(ctx, list, j.Do)
	if err != nil {
		return nil, err
	}
	return j.Merge(ctx, results)
}

// noRoom says what to do about a full disk.
func noRoom(dir string, err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return fault.Wrap(fault.Failed, "the disk is full", err, fmt.Sprintf("free space on the file system of %s: the same command goes on where it stopped", dir))
	}
	return err
}
