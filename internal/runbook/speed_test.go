package runbook

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/evac-io/evac/internal/secret"
)

// large is a runbook of n steps in ten stages with the references, gates and
// texts that a real one has.
func large(n int) []byte {
	var b strings.Builder
	b.WriteString("runbook \"large\" {\n  window {\n    length = \"4h\"\n    opens  = stage.s0\n    closes = stage.s9\n  }\n}\n\n" +
		"variable \"db\" {\n  secret = true\n}\n\nvariable \"bucket\" {\n  default = \"media\"\n}\n\nlocals {\n  where = \"s3://${var.bucket}\"\n}\n\n" +
		"people {\n  kim  = \"lead\"\n  park = \"database\"\n}\n")
	for s := range 10 {
		fmt.Fprintf(&b, "\nstage \"s%d\" {\n", s)
		for i := range n / 10 {
			largeStep(&b, s, i)
		}
		b.WriteString("  gate \"g" + fmt.Sprint(s) + "\" {\n    ask = \"Go on?\"\n  }\n}\n")
	}
	return []byte(b.String())
}

func largeStep(b *strings.Builder, s, i int) {
	switch {
	case i%3 == 0:
		fmt.Fprintf(b, "  step \"shell\" \"a%d_%d\" {\n    why     = \"step %d\"\n    run     = \"echo %d ${local.where}\"\n    env     = { DB = var.db }\n    timeout = \"5m\"\n  }\n", s, i, i, i)
	case i%3 == 1:
		fmt.Fprintf(b, "  step \"objects_sync\" \"a%d_%d\" {\n    from  = local.where\n    to    = \"s3://target/%d\"\n    after = [step.shell.a%d_%d]\n  }\n", s, i, i, s, i-1)
	default:
		fmt.Fprintf(b, "  step \"shell\" \"a%d_%d\" {\n    run  = \"echo ${step.shell.a%d_%d.stdout}\"\n    when = var.bucket != \"\"\n  }\n", s, i, s, i-2)
	}
}

// checkAll does what `evac check` asks of this package.
func checkAll(tb testing.TB, text []byte) int {
	tb.Helper()
	book, said := Parse("large.hcl", text, testKinds(tb))
	if err := said.Err(); err != nil {
		tb.Fatal(err)
	}
	bound, said := book.Bind(Input{Values: map[string]any{"db": secret.New("postgres://app:pw@db/app")}, Runner: "kim"})
	if err := said.Err(); err != nil {
		tb.Fatal(err)
	}
	for _, n := range bound.Nodes {
		if n.Class != ClassStep {
			continue
		}
		if _, _, said := bound.Step(n, noOutputs); said.HasErrors() {
			tb.Fatal(said.Err())
		}
	}
	return len(bound.Nodes)
}

func BenchmarkCheck10000(b *testing.B) {
	text := large(10_000)
	b.ReportAllocs()
	for b.Loop() {
		checkAll(b, text)
	}
}

// TestCostGrowsEvenly keeps a runbook four times as long from taking much more
// than four times the memory: whatever is quadratic in time here is so in
// allocations too.
func TestCostGrowsEvenly(t *testing.T) {
	cost := func(n int) float64 {
		text := large(n)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		checkAll(t, text)
		runtime.ReadMemStats(&after)
		return float64(after.TotalAlloc-before.TotalAlloc) / 1e6
	}
	cost(100)
	small, big := cost(500), cost(2_000)
	if big > 6*small {
		t.Errorf("500 steps allocate %.1f MB, 2,000 steps %.1f MB: more than evenly", small, big)
	}
}
