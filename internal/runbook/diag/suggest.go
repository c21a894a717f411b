package diag

import (
	"regexp"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
)

// Nearest is the name that was most likely meant, or "".
func Nearest(given string, names []string) string {
	best, least := "", 0
	for _, name := range names {
		if name == given {
			continue
		}
		d := distance(given, name)
		if best == "" || d < least || d == least && name < best {
			best, least = name, d
		}
	}
	if shorter := min(len(given), len(best)); best == "" || least > max(1, shorter/3) || least >= shorter {
		return ""
	}
	return best
}

// distance is the number of edits between two names; case and the choice of
// "-" or "_" hardly count, and a plural or a longer form is near.
func distance(a, b string) int {
	a, b = fold(a), fold(b)
	if a == b {
		return 0
	}
	if anagram(a, b) {
		return 1 // letters in the wrong order
	}
	if shorter, longer := min(len(a), len(b)), max(len(a), len(b)); shorter >= 4 && longer-shorter <= 3 &&
		(strings.HasPrefix(a, b) || strings.HasPrefix(b, a)) {
		return 1
	}
	return levenshtein.Distance(a, b, nil)
}

func anagram(a, b string) bool {
	left, right := []byte(a), []byte(b)
	slices.Sort(left)
	slices.Sort(right)
	return slices.Equal(left, right)
}

func fold(name string) string {
	return strings.ReplaceAll(strings.ToLower(name), "-", "_")
}

// DidYouMean is `did you mean "x"?`, or if nothing is near, the names that
// there are, unless they are too many to read.
func DidYouMean(given string, names []string) string {
	if near := Nearest(given, names); near != "" {
		return `did you mean "` + near + `"?`
	}
	return OneOf(names)
}

// OneOf lists names to choose from, unless there are none or too many.
func OneOf(names []string) string {
	if len(names) == 0 || len(names) > 24 {
		return ""
	}
	sorted := slices.Sorted(slices.Values(names))
	return "known: " + strings.Join(sorted, ", ")
}

var (
	number = regexp.MustCompile(`^[0-9]+(?:\.[0-9]+)?$`)
	amount = regexp.MustCompile(`([0-9]+(?:\.[0-9]+)?)\s*([\p{L}]+)`)
)

// durationUnits map what people write to what is meant.
var durationUnits = map[string]string{
	"d": "d", "day": "d", "days": "d", "일": "d",
	"h": "h", "hr": "h", "hrs": "h", "hour": "h", "hours": "h", "시간": "h",
	"m": "m", "min": "m", "mins": "m", "minute": "m", "minutes": "m", "분": "m",
	"s": "s", "sec": "s", "secs": "s", "second": "s", "seconds": "s", "초": "s",
	"ms": "ms", "msec": "ms", "millisecond": "ms", "milliseconds": "ms",
}

// sizeUnits does the same for sizes.
var sizeUnits = map[string]string{
	"k": "kB", "m": "MB", "g": "GB", "t": "TB", "ki": "KiB", "mi": "MiB", "gi": "GiB", "ti": "TiB",
	"byte": "B", "bytes": "B", "kilobyte": "kB", "kilobytes": "kB", "megabyte": "MB", "megabytes": "MB", "mbytes": "MB",
	"gigabyte": "GB", "gigabytes": "GB", "gbytes": "GB", "terabyte": "TB", "terabytes": "TB", "gigs": "GB",
}

// Duration guesses which duration a text means: "4 hrs" is "4h", "30" is
// "30s"; "" if it cannot.
func Duration(text string) string { return units(text, durationUnits, "s") }

// Size does the same for sizes: "64 megabytes" is "64MB".
func Size(text string) string { return units(text, sizeUnits, "") }

func units(text string, known map[string]string, bare string) string {
	text = strings.TrimSpace(text)
	if number.MatchString(text) && bare != "" {
		return text + bare
	}
	var b strings.Builder
	for _, m := range amount.FindAllStringSubmatch(text, -1) {
		unit, ok := known[strings.ToLower(m[2])]
		if !ok {
			return ""
		}
		b.WriteString(m[1] + unit)
	}
	return b.String()
}
