package demo

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/dustin/go-humanize"

	"github.com/evac-io/evac/internal/demo/crowd"
	"github.com/evac-io/evac/internal/demo/world"
)

// Print writes a result for people, the most important last.
func Print(w io.Writer, r Result) error {
	var b strings.Builder
	printFailures(&b, r)
	fmt.Fprintf(&b, "PostgreSQL %s → %s behind %s: the move was %s\n", r.SourceVersion, r.TargetVersion, r.Gateway, r.Result)
	fmt.Fprintf(&b, "write downtime  %.1f s   %s\n", r.WriteDowntimeSeconds, between(r.WriteOutage))
	fmt.Fprintf(&b, "read downtime   %.2f s  (the longest time without a product shown)\n", r.ReadDowntimeSeconds)
	if r.Back != nil {
		fmt.Fprintf(&b, "the way home    %.1f s   %s, %.2f s without a product shown\n", r.Back.WriteDowntimeSeconds, between(r.Back.WriteOutage), r.Back.ReadDowntimeSeconds)
	}
	printProved(&b, r.Proved)
	fmt.Fprintf(&b, "requests        %s, %s failed; %.0f orders a second outside the downtime\n",
		humanize.Comma(r.Requests), humanize.Comma(r.RequestsFailed), r.OrdersPerSecond)
	if r.Result == world.ResultDone || r.Back != nil {
		fmt.Fprintf(&b, "rows            %s\n", rowsLine(r))
		fmt.Fprintf(&b, "checked by SQL  %s rows in %d tables: %s\n", humanize.Comma(r.Check.Rows), r.Check.Tables, sameOr(r.Check.Differ))
		fmt.Fprintf(&b, "catalog         %s\n", catalogLine(r))
	}
	fmt.Fprintf(&b, "report          %s\n", r.Report)
	fmt.Fprintln(&b, ordersLine(r))
	_, err := io.WriteString(w, b.String())
	return err
}

func between(o crowd.Outage) string {
	const clock = "15:04:05.0"
	return fmt.Sprintf("(no order was taken from %s to %s)", o.From.Local().Format(clock), o.To.Local().Format(clock))
}

// printProved says what the run itself proved, and when.
func printProved(b *strings.Builder, list []world.Proof) {
	name := "proved"
	for _, p := range list {
		fmt.Fprintf(b, "%-15s %s  %s: %s\n", name, p.At.Local().Format("15:04:05.0"), p.Step, p.What)
		name = ""
	}
}

func rowsLine(r Result) string {
	if !r.Verified {
		return "not compared by the run: its step was skipped"
	}
	return fmt.Sprintf("%s rows, %d missing, %d extra, %d different", humanize.Comma(r.Rows), r.Missing, r.Extra, r.Different)
}

func catalogLine(r Result) string {
	if r.Catalog.Facts == 0 {
		return "not compared: its item was not ticked by the demo"
	}
	return fmt.Sprintf("%d facts: %s", r.Catalog.Facts, sameOr(r.Catalog.Differ))
}

func sameOr(differ []string) string {
	const most = 5
	if len(differ) == 0 {
		return "the same on both sides"
	}
	text := fmt.Sprintf("%d DIFFER", len(differ))
	for _, d := range differ[:min(len(differ), most)] {
		text += "\n  " + d
	}
	return text
}

func ordersLine(r Result) string {
	all := humanize.Comma(r.Orders.Acknowledged)
	if !r.Orders.Kept() {
		return fmt.Sprintf("of %s acknowledged orders %d are MISSING on the %s and %d stand there TWICE", all, r.Orders.Missing, r.OrdersOn, r.Orders.Twice)
	}
	text := fmt.Sprintf("every one of %s acknowledged orders found on the %s exactly once", all, r.OrdersOn)
	switch too := r.OrdersToo; {
	case too == nil:
		return text
	case too.Kept():
		return text + ", and so on the other side, which follows"
	default:
		return text + fmt.Sprintf("; on the other side, which follows, %d are MISSING and %d stand TWICE", too.Missing, too.Twice)
	}
}

// printFailures is a table of the seconds with failures; equal seconds that
// follow each other are one line.
func printFailures(b *strings.Builder, r Result) {
	spans := spansOf(r.Seconds)
	if len(spans) == 0 {
		fmt.Fprintln(b, "no request failed")
		return
	}
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "from\tseconds\torders failed\tlooks failed\twhy")
	for _, s := range spans {
		fmt.Fprintf(table, "%s\t%d\t%d of %d\t%d of %d\t%s\n", s.first.At.Local().Format("15:04:05"), s.seconds,
			s.first.Writes.Failed, s.first.Writes.Requests, s.first.Reads.Failed, s.first.Reads.Requests, s.why)
	}
	_ = table.Flush() // a strings.Builder takes everything
	fmt.Fprintln(b)
}

// span is seconds in a row that failed for the same reasons, summed up.
type span struct {
	first   crowd.Second
	seconds int
	why     string
}

func spansOf(seconds []crowd.Second) []span {
	var spans []span
	before := -2
	for i, s := range seconds {
		if s.Writes.Failed+s.Reads.Failed == 0 {
			continue
		}
		why := reasons(s)
		if last := len(spans) - 1; before == i-1 && spans[last].why == why {
			spans[last].add(s)
		} else {
			spans = append(spans, span{first: s, seconds: 1, why: why})
		}
		before = i
	}
	return spans
}

func (s *span) add(next crowd.Second) {
	s.seconds++
	for _, c := range []struct {
		to   *crowd.Count
		from crowd.Count
	}{{&s.first.Writes, next.Writes}, {&s.first.Reads, next.Reads}} {
		c.to.Requests += c.from.Requests
		c.to.Failed += c.from.Failed
	}
}

// reasons names the reasons of a second, those of orders first.
func reasons(s crowd.Second) string {
	var all []string
	for class, count := range map[string]crowd.Count{"orders": s.Writes, "looks": s.Reads} {
		for _, reason := range slices.Sorted(maps.Keys(count.Reasons)) {
			all = append(all, class+": "+reason)
		}
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Compare(b, a) })
	return strings.Join(all, ", ")
}

// command is how this program is called again: by its name, if that finds it.
func (o Options) command() string {
	if path, err := exec.LookPath("evac"); err == nil && path == o.Self[0] {
		return "evac"
	}
	return o.Self[0]
}

// heldHelp says what can be done while a run holds.
func (o Options) heldHelp() string {
	return fmt.Sprintf(`
The world goes on: customers order and look all the time. From any terminal:

  . %[2]s
  %[1]s status                    where it stands
  %[1]s resume --wait             try the failed step again and go on
  %[1]s undo                      take everything back
  %[1]s demo result %[3]s   wait for the result and print it
  %[1]s demo end %[3]s      end the world, whatever stands there

`, o.command(), world.Quote(world.Paths{Dir: o.Dir}.Env()), world.Quote(o.Dir))
}

// keptHelp says how to look into what was kept.
func (o Options) keptHelp() string {
	return fmt.Sprintf(`
The databases are still there:

  . %[2]s
  psql "$EVAC_VAR_old_db"
  psql "$EVAC_VAR_new_db"
  %[1]s demo end %[3]s      end them

`, o.command(), world.Quote(world.Paths{Dir: o.Dir}.Env()), world.Quote(o.Dir))
}
