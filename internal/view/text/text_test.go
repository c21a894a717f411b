package text

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/step"
)

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 0: "0s", time.Millisecond: "0.1s", 9990 * time.Millisecond: "9.9s", 59*time.Second + 999*time.Millisecond: "59s",
		3*time.Minute + 5*time.Second: "3m 05s", time.Hour - 1: "59m 59s", 4 * time.Hour: "4h 00m", 26 * time.Hour: "1d 02h", 400 * 24 * time.Hour: "400d 00h",
	} {
		if got := Duration(d); got != want {
			t.Errorf("Duration(%d) is %q, want %q", d, got, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	got := []string{
		Offset(3723 * time.Second), Offset(-5 * time.Second), Count(1234567), Plural(1, "step"), Plural(1200, "step"),
		Amount("bytes", 1_218_000_000), Amount("bytes", -1), Amount("rows", 12000), Amount("seconds", 90), Amount("", 7),
		Rate("bytes", 12_345_678), Rate("rows", 3.25), Rate("rows", 45100.7), Rate("", 2),
		Work(step.Work{}), WorkRate(step.Work{Unit: "rows", Total: 9000}, 3000), WorkRate(step.Work{Unit: "rows", Total: 9000}, 0), Hash("abc"),
	}
	want := []string{
		"+1:02:03", "-0:00:05", "1,234,567", "1 step", "1,200 steps",
		"1.2 GB", "0 B", "12,000 rows", "1m 30s", "7",
		"12 MB/s", "3.2 rows/s", "45,100 rows/s", "2.0/s",
		"", "3,000 rows/s", "", "abc",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPercent(t *testing.T) {
	for _, tt := range []struct {
		done, total int64
		want        int
	}{{5, 0, -1}, {-5, 10, 0}, {999_999, 1_000_000, 99}, {10, 10, 100}, {11, 10, 100}, {1<<62 - 1, 1 << 62, 99}, {1 << 62, 1<<63 - 1, 50}} {
		if got := Percent(tt.done, tt.total); got != tt.want {
			t.Errorf("Percent(%d, %d) is %d, want %d", tt.done, tt.total, got, tt.want)
		}
	}
	for percent, want := range map[int]string{-1: "▱▱▱▱", 0: "▱▱▱▱", 49: "▰▱▱▱", 99: "▰▰▰▱", 100: "▰▰▰▰", 1000: "▰▰▰▰"} {
		if got := Bar(percent, 4); got != want {
			t.Errorf("Bar(%d) is %q, want %q", percent, got, want)
		}
	}
	if got := Spark([]int64{0, 50, 100, -3}); got != "▁▅█▁" {
		t.Errorf("Spark is %q", got)
	}
}

func TestWidth(t *testing.T) {
	got := []string{
		Pad("한글", 6) + "|", PadLeft("한글", 6), Cut("한글과 컴퓨터", 6), Cut("abc", 3), Cut("abcd", 0),
		Clean("a\x1b[2Jb\r\n\tc\x07\u202ed"), strings.Join(Wrap("한글과 컴퓨터 on a /long-path/with-dashes", 13), "|"), strings.Join(Wrap("abcdefgh ij", 3), "|"),
	}
	want := []string{"한글  |", "  한글", "한글…", "abc", "", "ab c d", "한글과 컴퓨터|on a|/long-path/wi|th-dashes", "abc|def|gh|ij"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTable(t *testing.T) {
	table := NewTable("who", ">n", "said")
	table.Row("박지민", "12", "a | b\nc")
	table.Row("kim")
	want := "| who    |   n | said     |\n| ------ | --: | -------- |\n| 박지민 |  12 | a \\| b c |\n| kim    |     |          |\n"
	if diff := cmp.Diff(want, table.Markdown()); diff != "" {
		t.Error(diff)
	}
	plain := []string{"who       n  said", "박지민   12  a | b", "kim"}
	table.Rows[0][2] = "a | b"
	if diff := cmp.Diff(plain, table.Plain()); diff != "" {
		t.Error(diff)
	}
}
