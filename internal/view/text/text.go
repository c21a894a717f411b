// Package text puts numbers, times and texts into the form in which people
// read them: the same in the terminal, on paper and on a page.
package text

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/charmbracelet/x/ansi"
	"github.com/dustin/go-humanize"

	"github.com/evac-io/evac/internal/step"
)

// Duration is d with the two units that matter: "0.3s", "42s", "3m 20s",
// "1h 04m", "2d 03h". Nothing is rounded up to a longer wait than it was,
// save that a positive d never reads as zero.
func Duration(d time.Duration) string {
	switch {
	case d <= 0:
		return "0s"
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", max(d, 100*time.Millisecond).Truncate(100*time.Millisecond).Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm %02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh %02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd %02dh", int(d.Hours())/24, int(d.Hours())%24)
}

// Millis is Duration of a number of milliseconds.
func Millis(ms int64) string { return Duration(time.Duration(ms) * time.Millisecond) }

// Offset is the time since a run began, "+1:02:03".
func Offset(d time.Duration) string {
	sign := "+"
	if d < 0 {
		sign, d = "-", -d
	}
	s := int64(d / time.Second)
	return fmt.Sprintf("%s%d:%02d:%02d", sign, s/3600, s/60%60, s%60)
}

// Count is a whole number with its thousands apart: "1,234,567".
func Count(n int64) string { return humanize.Comma(n) }

// Plural is a count with its noun: "1 step", "2 steps".
func Plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return Count(int64(n)) + " " + noun + "s"
}

// Amount is an amount of work: bytes in powers of 1,000 ("1.2 GB"), seconds as
// a duration, all else counted ("1,000,000 rows").
func Amount(unit string, n int64) string {
	switch unit {
	case "bytes":
		return humanize.Bytes(uint64(max(n, 0)))
	case "seconds":
		return Duration(time.Duration(n) * time.Second)
	case "":
		return Count(n)
	}
	return Count(n) + " " + unit
}

// Work is an amount of work, "" for none.
func Work(w step.Work) string {
	if w.Total == 0 {
		return ""
	}
	return Amount(w.Unit, w.Total)
}

// Rate is an amount in a second: "12 MB/s", "45,100 rows/s".
func Rate(unit string, perSecond float64) string {
	if unit != "bytes" && perSecond < 10 {
		return strings.TrimSpace(fmt.Sprintf("%.1f %s", perSecond, unit)) + "/s"
	}
	return Amount(unit, int64(perSecond)) + "/s"
}

// WorkRate is the rate of work done in a number of milliseconds, "" where
// there is nothing to divide.
func WorkRate(w step.Work, ms int64) string {
	if w.Total == 0 || ms <= 0 || w.Unit == "seconds" {
		return ""
	}
	return Rate(w.Unit, float64(w.Total)*1000/float64(ms))
}

// Hash is the beginning of a hash, enough to tell it by eye.
func Hash(h string) string { return h[:min(len(h), 12)] }

// Printable makes text of others safe for a terminal: its sequences and control
// characters (line ends too) become spaces.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return ' '
		}
		return r
	}, ansi.Strip(s))
}

// Clean is Printable with each run of white space as one space.
func Clean(s string) string { return strings.Join(strings.Fields(Printable(s)), " ") }

// Width is the number of terminal columns that s takes; Korean letters take
// two, colours none.
func Width(s string) int { return ansi.StringWidth(s) }

// Cut shortens s to a number of columns, with "…" where something is gone.
func Cut(s string, columns int) string { return ansi.Truncate(s, max(columns, 0), "…") }

// Pad fills s with spaces on the right up to a number of columns.
func Pad(s string, columns int) string { return s + strings.Repeat(" ", max(columns-Width(s), 0)) }

// PadLeft fills s with spaces on the left up to a number of columns.
func PadLeft(s string, columns int) string {
	return strings.Repeat(" ", max(columns-Width(s), 0)) + s
}

// Wrap breaks s at spaces alone (never within a path or a name) into lines of
// at most a number of columns, and a word that is longer than a line anywhere.
func Wrap(s string, columns int) []string {
	columns = max(columns, 1)
	var lines []string
	line := ""
	for i, word := range strings.Split(s, " ") {
		switch {
		case i == 0:
			line = word
		case Width(line)+1+Width(word) <= columns:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
		if Width(line) > columns {
			parts := strings.Split(ansi.Hardwrap(line, columns, true), "\n")
			lines, line = append(lines, parts[:len(parts)-1]...), parts[len(parts)-1]
		}
	}
	return append(lines, line)
}
