package salvage

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// spoken is how people call the standings.
var spoken = [...]string{
	Complete: "complete", OnLog: "newest writes only in the Raft log", Damaged: "a replica is damaged, another one stands in",
	InDoubt: "IN DOUBT: it may not be all, or not the newest", Missing: "MISSING: no store has it",
}

func size(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }

// Text is the overview for people, the most important first.
func (o *Overview) Text() []string {
	out := []string{fmt.Sprintf("cluster %s: %d stores, %d ranges, %d tables, %d holes, %d damaged places, %d transactions under way",
		o.Cluster, len(o.Stores), o.Counts.Ranges, o.Counts.Tables, o.Counts.Holes, o.Counts.Damage, o.Counts.Transactions)}
	if len(o.Map) > 0 {
		out = append(out, "the key space: "+spoken[o.Worst()])
	}
	for s := Missing; s > OnLog; s-- {
		out = append(out, o.standing(s)...)
	}
	out = append(out, o.inputs()...)
	if x := o.Output; x != nil {
		out = append(out, fmt.Sprintf("a salvage reads about %s here and writes about %s of CSV, %s rows, in about %s with %d jobs: a sample of %s was read at %s/s a job, other replicas compared",
			size(x.StoredBytes), size(x.Bytes), humanize.Comma(x.Rows), (time.Duration(x.Seconds*10)*time.Second/10).Round(time.Second/10), x.Jobs, size(x.SampleBytes), size(int64(x.SampleRate))))
	}
	for _, t := range o.Tables {
		out = append(out, fmt.Sprintf("table %s: about %s, %s", t.Name, size(t.Bytes), t.State))
	}
	out = append(out, more(len(o.Tables), o.Counts.Tables, "tables")...)
	for _, h := range o.Holes {
		out = append(out, fmt.Sprintf("no store has the keys %s%s", h.Keys, h.whose()))
	}
	out = append(out, more(len(o.Holes), o.Counts.Holes, "holes")...)
	for _, t := range o.Transactions {
		out = append(out, fmt.Sprintf("transaction %s was %s, its record is in range %d", t.ID, t.State, t.Range))
	}
	out = append(out, more(len(o.Transactions), o.Counts.Transactions, "transactions")...)
	for _, d := range o.Damage {
		out = append(out, fmt.Sprintf("damage: %s/%s at byte %d: %s, keys %s", d.Store, d.File, d.Offset, d.Why, d.Keys))
	}
	return append(out, more(len(o.Damage), o.Counts.Damage, "damaged places")...)
}

// maxNamed is how many tables a line names.
const maxNamed = 8

// standing is one line on all keys that stand so, nothing if there are none.
func (o *Overview) standing(s Standing) []string {
	var sum Stretch
	var names []string
	for _, x := range o.Map {
		if x.Standing != s {
			continue
		}
		sum.Ranges, sum.Bytes = sum.Ranges+x.Ranges, sum.Bytes+x.Bytes
		if !slices.Contains(names, x.Keys) {
			names = append(names, x.Keys)
		}
	}
	if len(names) == 0 {
		return nil
	}
	text := fmt.Sprintf("%s: %d %s, about %s, of %s", spoken[s], sum.Ranges, plural(sum.Ranges, "range", "ranges"), size(sum.Bytes), strings.Join(names[:min(len(names), maxNamed)], ", "))
	if n := len(names) - maxNamed; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return []string{text}
}

// inputs are the stores, or the layers of a backup.
func (o *Overview) inputs() (out []string) {
	for _, l := range o.Layers {
		kind := "a full backup"
		if !l.Start.IsZero() {
			kind = "an incremental backup since " + l.Start.Format(time.RFC3339)
		}
		out = append(out, fmt.Sprintf("%s: %s, as of %s: %d files, %s of keys and values, written by %s", l.Dir, kind, l.End.Format(time.RFC3339), l.Files, size(l.Bytes), l.Build))
	}
	for _, s := range o.Stores {
		text := fmt.Sprintf("store %d of node %d: %s, %d tables, %s, format %d", s.Store, s.Node, s.Name, s.Facts.Tables, size(s.Facts.Bytes), s.Facts.FormatVersion)
		if s.Facts.Encrypted {
			text += ", encrypted"
		}
		if n := len(s.Facts.Missing); n > 0 {
			text += fmt.Sprintf(", %d tables are missing or not whole", n)
		}
		if s.Facts.Loose {
			text += ", its MANIFEST does not tell all"
		}
		out = append(out, text)
	}
	return out
}

func more(listed, all int, what string) []string {
	if listed >= all {
		return nil
	}
	return []string{fmt.Sprintf("and %d more %s: --out FILE has all", all-listed, what)}
}

// LossText is what restoring a backup would lose, for people: the worst first.
func LossText(list []Loss, at string) []string {
	if list == nil {
		return nil
	}
	var all, rows int64
	least := ""
	var out []string
	sorted := slices.SortedStableFunc(slices.Values(list), func(a, b Loss) int { return cmp.Compare(b.Lost(), a.Lost()) })
	for _, l := range sorted {
		all, rows = all+l.Lost(), rows+l.Rows
		if l.Lost() == 0 && l.AtLeast == "" {
			continue
		}
		text := fmt.Sprintf("table %s: %d rows written and %d deleted since", l.Table, l.Inserted+l.Updated, l.Deleted)
		if l.AtLeast != "" {
			text, least = text+", at least: "+l.AtLeast, "at least "
		}
		out = append(out, text)
	}
	return append([]string{fmt.Sprintf("restoring a backup of %s would lose %s%s changes to rows, of %s rows that there are", at, least, humanize.Comma(all), humanize.Comma(rows))}, out...)
}
