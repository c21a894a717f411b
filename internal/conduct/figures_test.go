//go:build bench

package conduct

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/evac-io/evac/internal/journal"
)

const rounds = 5

// TestFigures measures what the conductor itself costs, with steps that do
// nothing: `make bench-conduct`. The sync counts come from strace.
func TestFigures(t *testing.T) {
	independent := make([]spec, 10_000)
	for i := range independent {
		independent[i] = spec{stage: "one", name: fmt.Sprintf("n%05d", i)}
	}
	var run, resume []float64
	for range rounds {
		r, again := measure(t, independent, 64)
		run, resume = append(run, r.Seconds()), append(resume, again.Seconds())
	}
	figure("conduct_10000_independent", median(run), "s", "<", 5)
	figure("conduct_10000_resume", median(resume), "s", "<", 1)

	var chained []float64
	for range rounds {
		r, _ := measure(t, chain(1000), 8)
		chained = append(chained, r.Seconds())
	}
	figure("conduct_chain_1000", median(chained), "s", "<", 10)
}

// TestChain is run under strace to count syncs: EVAC_BENCH_CHAIN steps one
// after the other.
func TestChain(t *testing.T) {
	var n int
	if _, err := fmt.Sscan(os.Getenv("EVAC_BENCH_CHAIN"), &n); err != nil {
		t.Fatalf("EVAC_BENCH_CHAIN: %v", err)
	}
	measure(t, chain(n), 8)
}

func chain(n int) []spec {
	specs := make([]spec, n)
	for i := range specs {
		specs[i] = spec{stage: "one", name: fmt.Sprintf("n%05d", i)}
		if i > 0 {
			specs[i].after = []string{"act." + specs[i-1].name}
		}
	}
	return specs
}

// measure runs a program of quiet steps from check to end, then the same cut
// short before its last step and resumed.
func measure(t *testing.T, specs []spec, parallel int) (run, resume time.Duration) {
	b := newBench(t, specs...)
	b.w.quiet = true
	began := time.Now()
	j, id, err := b.start(func(o *Options) { o.Parallel = parallel })
	if err != nil {
		t.Fatal(err)
	}
	run = time.Since(began)
	want(t, "result", b.state(j, id).Result, journal.ResultDone)

	last := append(slices.Clone(specs), spec{stage: "two", name: "last"})
	b = newBench(t, last...)
	b.w.quiet = true
	b.w.fail["run last"] = errInjected
	j, id, err = b.start(func(o *Options) { o.Parallel = parallel })
	if err == nil {
		t.Fatal("the last step did not fail")
	}
	began = time.Now()
	if err := b.resume(j, id); err != nil {
		t.Fatal(err)
	}
	return run, time.Since(began)
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

func figure(name string, value float64, unit, op string, goal float64) {
	verdict := "ok"
	if op == "<" && value >= goal || op == ">" && value <= goal {
		verdict = "short"
	}
	fmt.Printf("bench %s %.3f %s goal %s %g %s\n", name, value, unit, op, goal, verdict)
}
