package cockroach

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/evac-io/evac/internal/crdb/salvage"
	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/pg"
	"github.com/evac-io/evac/internal/step"
)

// Effect implements step.Varying: a salvage that fills a database can be undone.
func (s *Salvage) Effect() step.Effect {
	if s.loads() {
		return step.Undoable
	}
	return step.Reads
}

// loads tells whether the rows go into a database too.
func (s *Salvage) loads() bool { return !s.To.Empty() }

// load is the step that brings the folder's rows into the database.
func (s *Salvage) load(env *step.Env) *Load {
	return &Load{Dir: inDir(env, s.Out), To: s.To, Database: s.Database, Null: s.Null, Jobs: jobs(s.Jobs), Memory: 64 << 20, MaxDifferences: 20}
}

// Undo implements step.Undoer: the database is emptied again; the files stay.
func (s *Salvage) Undo(ctx context.Context, env *step.Env, done step.Done) error {
	if !s.loads() {
		return nil
	}
	return s.load(env).Undo(ctx, env, done)
}

// checkTo looks at the database.
func (s *Salvage) checkTo(ctx context.Context, env *step.Env, plan *step.Plan) error {
	switch {
	case !s.loads():
		return nil
	case s.Format != "csv" && s.Format != "" || s.Loadable:
		return fault.New(fault.Invalid, "only whole CSV files go into a database", "leave --format and --loadable away: what the server computes is left out by itself")
	}
	o, err := s.load(env).options(env)
	if err != nil {
		return err
	}
	seen, err := pg.CheckLoad(ctx, o)
	if err != nil {
		return err
	}
	plan.Summary += fmt.Sprintf(" and load them into %s", s.To)
	plan.Work.Total *= 2 // each byte is read, and loaded
	plan.Action("load", "%s holds every row that is proved", s.To)
	plan.Fact("target", "%s, PostgreSQL %s", s.To, seen.TargetVersion)
	return nil
}

// feed hands the files of a salvage to a load as they come to stand.
type feed struct {
	begun chan salvage.Outline // holds one
	ready chan string          // holds all
}

// Begun implements salvage.Follower.
func (f *feed) Begun(o salvage.Outline) error {
	n := 0
	for _, t := range o.Tables {
		n += len(t.Files)
	}
	f.ready = make(chan string, n)
	f.begun <- o
	return nil
}

// Standing implements salvage.Follower.
func (f *feed) Standing(file string) { f.ready <- filepath.FromSlash(file) }

// runTo salvages, and loads and proves what stands already.
func (s *Salvage) runTo(ctx context.Context, env *step.Env, opt salvage.Options) (rep *salvage.Report, loaded *LoadOutput, err error) {
	f := &feed{begun: make(chan salvage.Outline, 1)}
	opt.Follow = f
	dir := inDir(env, s.Out)
	group, both := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		rep, err = salvage.Run(both, paths(env, s.Stores), dir, opt, env.Progress.Add)
		return err
	})
	group.Go(func() (err error) {
		select {
		case o := <-f.begun:
			loaded, err = s.loadFrom(both, env, o, f.ready)
			return err
		case <-both.Done():
			return context.Cause(both)
		}
	})
	return rep, loaded, group.Wait()
}

// loadFrom loads the files of a salvage that goes on.
func (s *Salvage) loadFrom(ctx context.Context, env *step.Env, from salvage.Outline, ready <-chan string) (*LoadOutput, error) {
	l := s.load(env)
	var tables []pg.LoadTable
	total := from.Bytes
	for _, r := range from.Tables {
		t := pg.LoadTable{Database: r.Database, Schema: r.Schema, Name: r.Name, Columns: r.Columns}
		for _, file := range r.Files {
			t.Parts = append(t.Parts, pg.LoadPart{Path: filepath.FromSlash(file.Name), Bytes: file.Bytes})
			total += file.Bytes
		}
		tables = append(tables, t)
	}
	plan, err := pg.PlanLoad(l.Dir, l.Database, l.Null, from.Plan, tables)
	if err != nil {
		return nil, err
	}
	o, err := l.options(env)
	if err != nil {
		return nil, err
	}
	env.Progress.Total("bytes", total)
	o.Progress = ofTwo{env.Progress}
	o.Ready = ready
	o.Prove = &pg.VerifyLoadOptions{Memory: int64(l.Memory), MaxDifferences: l.MaxDifferences, Read: func(int64) {}}
	r, err := pg.Load(ctx, plan, o)
	if err != nil {
		return nil, err
	}
	out := l.output(env, plan, r)
	return &out, l.differ(r.Proof)
}

// ofTwo is the progress of one of two: the total is that of both.
type ofTwo struct{ step.Progress }

// Total does nothing.
func (ofTwo) Total(string, int64) {}

// verifyTo proves that the database has the rows of the files. What Run has proved
// need not be read again while nobody has written there.
func (s *Salvage) verifyTo(ctx context.Context, env *step.Env, loaded *LoadOutput) error {
	l := s.load(env)
	if loaded == nil {
		return fault.New(fault.Different, fmt.Sprintf("the rows are not all in %s", s.To), "the same command goes on where it stopped")
	}
	o, err := l.options(env)
	if err != nil {
		return err
	}
	proved, err := pg.LoadProved(ctx, o)
	if err != nil {
		return err
	}
	if proved {
		return l.lacking(*loaded)
	}
	return l.compare(ctx, env, *loaded)
}

// jobs is how many pieces of work go on at once; 0 is one a core.
func jobs(n int) int {
	if n > 0 {
		return n
	}
	return runtime.GOMAXPROCS(0)
}
