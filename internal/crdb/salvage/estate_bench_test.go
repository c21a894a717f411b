//go:build bench

package salvage

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestEstateFigures plans the salvage of a large cluster, whose metadata
// EVAC_ESTATE_DIR has: the survey with its map, and all tasks.
func TestEstateFigures(t *testing.T) {
	dirs, err := filepath.Glob(filepath.Join(os.Getenv("EVAC_ESTATE_DIR"), "n*"))
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no stores in EVAC_ESTATE_DIR: %v", err)
	}
	ctx := context.Background()
	begun := time.Now()
	c, err := Open(ctx, dirs, Options{})
	if err != nil {
		t.Fatal(err)
	}
	opened := time.Since(begun)
	s, err := c.Survey(ctx)
	if err != nil {
		t.Fatal(err)
	}
	o, err := c.Overview(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	surveyed := time.Since(begun)
	var names []string // without them, a plan looks for tables that nobody describes, in files that are holes here
	for _, table := range c.Catalog.Tables {
		if strings.HasPrefix(table.Name, "table_") {
			names = append(names, FullName(table))
		}
	}
	p, err := c.Plan(ctx, names)
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(begun)
	t.Logf("open %.1f s, survey %.1f s, plan %.1f s; %d tasks of %.1f TB in %d tables", opened.Seconds(), (surveyed - opened).Seconds(), (took - surveyed).Seconds(),
		len(p.Tasks), float64(p.Bytes)/1e12, len(p.Tables))
	fmt.Printf("bench plan-stores %d stores goal = 60 %s\n", len(o.Stores), verdictOf(len(o.Stores) == 60))
	fmt.Printf("bench plan-ranges %d ranges goal >= 25000 %s\n", o.Counts.Ranges, verdictOf(o.Counts.Ranges >= 25_000))
	fmt.Printf("bench plan-files %d files goal >= 200000 %s\n", o.Counts.Files, verdictOf(o.Counts.Files >= 200_000))
	fmt.Printf("bench plan-seconds %.1f s goal < 60 %s\n", took.Seconds(), verdictOf(took < time.Minute))
	peak := peakMemory(t)
	fmt.Printf("bench plan-memory %d MiB goal < 2048 %s\n", peak>>20, verdictOf(peak < 2<<30))
	if o.Counts.Holes > 0 || len(o.Map) > maxStretches {
		t.Errorf("%d holes, a map of %d stretches", o.Counts.Holes, len(o.Map))
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

func verdictOf(ok bool) string {
	if ok {
		return "ok"
	}
	return "short"
}

// peakMemory is the most memory that the process had, in bytes, as Linux tells.
func peakMemory(t *testing.T) int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	fields := strings.Fields(rest)
	kilobytes, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kilobytes << 10
}
