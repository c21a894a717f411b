package salvage

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"github.com/evac-io/evac/internal/fault"
)

// caseTime is how long one salvage of small damaged stores may take.
const caseTime = 2 * time.Minute

// ordeal is a cluster whose stores are damaged again and again.
type ordeal struct {
	name   string
	stores []string
	right  *right
}

// newOrdeal unpacks a fixture. The rows of divergent are those of crash.
func newOrdeal(t testing.TB, name string) *ordeal {
	t.Helper()
	o := &ordeal{name: name, stores: shared(t, name)}
	healthy := o.stores
	if name == "divergent" {
		healthy = shared(t, "crash")
	}
	o.right = newRight(t, healthy, truth(t, name))
	return o
}

// tally is what many cases came to.
type tally struct {
	mu                                      sync.Mutex
	cases, complete, partial, refused, weak int
	excused, strict                         int // complete without what no store can tell; not complete with all rows there
	slowest                                 time.Duration
}

func (y *tally) String() string {
	return fmt.Sprintf("%d cases: %d complete, %d not complete with what is lost named, %d refused; %d lost what nobody can tell (the end of logs that were cut as a crash cuts them); %d not complete with every row there; %d differences named by their table only; the slowest took %v",
		y.cases, y.complete, y.partial, y.refused, y.excused, y.strict, y.weak, y.slowest.Round(time.Millisecond))
}

// count adds a case that was salvaged.
func (y *tally) count(rep *Report, v verdict) {
	y.weak += v.weak
	if rep.Complete {
		y.complete++
		if v.excused > 0 {
			y.excused++
		}
		return
	}
	y.partial++
	if v.differences == 0 {
		y.strict++
	}
}

// suffer damages the stores as the seed says, salvages them and judges it.
func (o *ordeal) suffer(t *testing.T, seed uint64, dir string, y *tally) {
	m := newTorment(t, seed, filepath.Join(dir, "stores"), o.stores)
	report := func(format string, args ...any) {
		t.Errorf("%s, seed %d (%s): %s", o.name, seed, m, fmt.Sprintf(format, args...))
	}
	defer func() {
		if p := recover(); p != nil {
			report("panic: %v\n%s", p, debug.Stack())
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	}()
	hang := time.AfterFunc(2*caseTime, func() { panic(fmt.Sprintf("%s, seed %d (%s): it hangs", o.name, seed, m)) })
	defer hang.Stop()
	ctx, stop := context.WithTimeout(t.Context(), caseTime)
	defer stop()
	begun := time.Now()
	out := filepath.Join(dir, "out")
	rep, err := Run(ctx, m.dirs, out, Options{Jobs: 1 + int(seed%3)}, func(int64) {})
	took := time.Since(begun)
	y.mu.Lock()
	defer y.mu.Unlock()
	y.cases++
	y.slowest = max(y.slowest, took)
	if err != nil {
		if y.refused++; fault.Code(err) != 10 || !m.mayRefuse(err) {
			report("%v", err)
		}
		return
	}
	v := o.right.judge(t, out, m, len(o.stores)-len(m.dirs))
	y.count(rep, v)
	if testing.Verbose() && (v.weak > 0 || v.excused > 0 && rep.Complete || !rep.Complete && v.differences == 0 && len(m.dirs) == len(o.stores) && m.victims == 1) {
		t.Logf("%s, seed %d (%s): %+v %.600q", o.name, seed, m, v, rep.Problems)
	}
	for i, w := range v.wrongs {
		if i == 3 {
			report("and %d more", len(v.wrongs)-i)
			break
		}
		report("%s", w)
	}
}

// endure runs seeds over a fixture, two at a time.
func endure(t *testing.T, name string, seeds []uint64, y *tally) {
	o := newOrdeal(t, name)
	dir := t.TempDir()
	next := make(chan uint64)
	var workers sync.WaitGroup
	for range 2 {
		workers.Go(func() {
			for seed := range next {
				o.suffer(t, seed, filepath.Join(dir, fmt.Sprint(seed)), y)
			}
		})
	}
	for _, seed := range seeds {
		next <- seed
	}
	close(next)
	workers.Wait()
}

// TestDamage is a short form of what `make torture-salvage` does at length.
func TestDamage(t *testing.T) {
	y := &tally{}
	endure(t, "tiny", seeds(1, 56), y)
	endure(t, "divergent", seeds(1, 2), y)
	t.Log(y)
}

func seeds(first, n uint64) (out []uint64) {
	for i := range n {
		out = append(out, first+i)
	}
	return out
}
