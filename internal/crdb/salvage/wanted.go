package salvage

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/evac-io/evac/internal/crdb/ranges"
)

// maxWanted is how many stores or files a sentence names.
const maxWanted = 5

// wanted says in plain sentences which evidence is missing, and what would settle
// the doubts: stores that were not given, as long as some have replicas of the
// ranges concerned, and else only older copies of what is damaged.
func (c *Cluster) wanted(ctx context.Context, rep *Report) ([]string, error) {
	if c.Map == nil {
		return nil, nil
	}
	doubtful, err := c.doubtful(ctx, rep)
	if err != nil {
		return nil, err
	}
	votes := map[ranges.Member]int{}
	all, hopeless := 0, 0
	count := func(members []ranges.Member) {
		all++
		absent := c.Map.Absent(members)
		for _, m := range absent {
			votes[ranges.Member{Node: m.Node, Store: m.Store}]++
		}
		if len(absent) == 0 {
			hopeless++
		}
	}
	for _, r := range c.Map.Ranges {
		if doubtful[r.RangeID] {
			count(r.Members)
		}
	}
	for _, h := range c.Map.Holes {
		if len(h.Members) > 0 {
			count(h.Members)
		}
	}
	var out []string
	if len(votes) > 0 {
		out = append(out, give(votes, all))
	}
	if hopeless > 0 {
		out = append(out, older(rep, hopeless))
	}
	return out, nil
}

// doubtful are the ranges that something which was read rests on, and is in doubt.
func (c *Cluster) doubtful(ctx context.Context, rep *Report) (map[uint64]bool, error) {
	out := map[uint64]bool{}
	list, err := c.beside(ctx)
	for _, t := range rep.Tables {
		list = append(list, t.Rests...)
	}
	for _, r := range list {
		if r.Doubt != "" {
			out[r.Range] = true
		}
	}
	return out, err
}

// give names the stores that were not given, those first that most of the ranges
// in doubt have a replica on.
func give(votes map[ranges.Member]int, all int) string {
	stores := slices.SortedFunc(maps.Keys(votes), func(a, b ranges.Member) int {
		return cmp.Or(cmp.Compare(votes[b], votes[a]), cmp.Compare(a.Node, b.Node), cmp.Compare(a.Store, b.Store))
	})
	if len(stores) == 1 {
		return fmt.Sprintf("give store %d of node %d as well: it has replicas of %d of the %d ranges in doubt or missing", stores[0].Store, stores[0].Node, votes[stores[0]], all)
	}
	var names []string
	for _, s := range stores[:min(len(stores), maxWanted)] {
		names = append(names, fmt.Sprintf("store %d of node %d (%d)", s.Store, s.Node, votes[s]))
	}
	if n := len(stores) - len(names); n > 0 {
		names = append(names, fmt.Sprintf("%d further stores", n))
	}
	return fmt.Sprintf("give more stores, or one of them: of the %d ranges in doubt or missing there are replicas on %s", all, strings.Join(names, ", "))
}

// older says that nothing but earlier copies of damaged files can tell more.
func older(rep *Report, n int) string {
	var files []string
	for _, d := range rep.Damage {
		if name := d.Store + "/" + d.File; !slices.Contains(files, name) {
			files = append(files, name)
		}
	}
	more := ""
	if n := len(files) - maxWanted; n > 0 {
		files, more = files[:maxWanted], fmt.Sprintf(" and %d more", n)
	}
	text := fmt.Sprintf("of %d %s in doubt every store is here: only a backup, or copies of the damaged files from before the damage, could tell more", n, plural(n, "range", "ranges"))
	if len(files) > 0 {
		text += ": " + strings.Join(files, ", ") + more
	}
	return text
}
