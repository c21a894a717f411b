package postgres

import (
	"fmt"

	"github.com/dustin/go-humanize"
	"github.com/dustin/go-humanize/english"
)

// Tell implements step.Teller.
func (o CopyOutput) Tell() string { return copied(o.Rows, o.Tables, o.LargeObjects, o.Bytes) }

func copied(rows, tables, objects, bytes int64) string {
	text := counted(rows, "row") + " in " + counted(tables, "table")
	if objects > 0 {
		text += " and " + counted(objects, "large object")
	}
	return text + " copied, " + humanize.Bytes(uint64(max(bytes, 0)))
}

// counted is "1 row", "2,300 rows".
func counted(n int64, what string) string {
	return humanize.Comma(n) + " " + english.PluralWord(int(n), what, "")
}

// Tell implements step.Teller.
func (o FollowOutput) Tell() string {
	return fmt.Sprintf("%s; the target follows, %s behind", copied(o.Rows, o.Tables, o.LargeObjects, o.Bytes), humanize.IBytes(uint64(max(o.LagBytes, 0))))
}

// Tell implements step.Teller.
func (o FreezeOutput) Tell() string { return o.Method }

// Tell implements step.Teller.
func (o SwitchOutput) Tell() string {
	text := "the target has all of the source's log, up to " + o.LSN
	if o.WayHome == "" {
		return text + "; there is no way home"
	}
	return text + "; the way home stands"
}

// Tell implements step.Teller.
func (o VerifyOutput) Tell() string {
	return fmt.Sprintf("%s in %s: %s missing, %s extra, %s different; %s: %s not the same",
		counted(o.Rows, "row"), counted(int64(o.Tables), "table"), humanize.Comma(o.Missing), humanize.Comma(o.Extra), humanize.Comma(o.Different),
		counted(o.Objects, "object"), humanize.Comma(o.ObjectsDifferent))
}

// Tell implements step.Teller.
func (o WarmOutput) Tell() string {
	return fmt.Sprintf("%.0f %% of the hot set read, %.0f %% of the whole database", o.PercentHot, o.Percent)
}

// Tell implements step.Teller.
func (o ReplicaOutput) Tell() string {
	return fmt.Sprintf("the replica follows at %s, %s behind", o.Address, humanize.IBytes(uint64(max(o.LagBytes, 0))))
}

// Tell implements step.Teller.
func (o PromoteOutput) Tell() string {
	text := fmt.Sprintf("the primary is on timeline %d now; there was none for %.1f s", o.Timeline, float64(o.BetweenMS)/1000)
	if o.Complete == "" {
		return text + "; nobody knows whether something is missing"
	}
	return text + "; nothing is missing: " + o.Complete
}
