package text

import "strings"

// Percent is how much of total is done, in whole percent, rounded down. It is
// never above 100, and -1 while the total is not known.
func Percent(done, total int64) int {
	switch {
	case total <= 0:
		return -1
	case done <= 0:
		return 0
	case done >= total:
		return 100
	}
	return min(int(float64(done)/float64(total)*100), 99)
}

// Bar draws a percentage in a number of columns. The signs are of those that
// take one column in every terminal, East Asian ones too.
func Bar(percent, columns int) string {
	percent = min(max(percent, 0), 100)
	full := percent * columns / 100
	return strings.Repeat("▰", full) + strings.Repeat("▱", columns-full)
}

// Spark draws values as a row of small columns, the highest of them full.
func Spark(values []int64) string {
	const steps = "▁▂▃▄▅▆▇█"
	signs := []rune(steps)
	var top int64 = 1
	for _, v := range values {
		top = max(top, v)
	}
	var b strings.Builder
	for _, v := range values {
		b.WriteRune(signs[int(float64(max(v, 0))/float64(top)*float64(len(signs)-1)+0.5)])
	}
	return b.String()
}
