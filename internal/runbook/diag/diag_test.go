package diag

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"

	"github.com/evac-io/evac/internal/fault"
)

// find is the range of the first occurrence of part in a one-line text.
func find(t *testing.T, text, part string) hcl.Range {
	t.Helper()
	at := strings.Index(text, part)
	if at < 0 {
		t.Fatalf("%q is not in %q", part, text)
	}
	column := len([]rune(text[:at])) + 1
	return hcl.Range{Filename: "x.hcl",
		Start: hcl.Pos{Line: 1, Column: column, Byte: at},
		End:   hcl.Pos{Line: 1, Column: column + len([]rune(part)), Byte: at + len(part)}}
}

func rendered(t *testing.T, text string, items ...*Diagnostic) string {
	t.Helper()
	list := NewList(NewSource("x.hcl", []byte(text)))
	list.Add(items...)
	var b strings.Builder
	if err := list.Write(&b, false); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestCaretStandsUnderTheRange(t *testing.T) {
	for name, test := range map[string]struct{ text, part, want string }{
		"plain":    {`a = b`, "b", "    1 | a = b\n      |     ^\n"},
		"tab":      {"\ta = b", "b", "    1 |  a = b\n      |      ^\n"},
		"wide":     {`"서울" = b`, "b", "    1 | \"서울\" = b\n      |          ^\n"},
		"is wide":  {`a = "서울"`, `"서울"`, "    1 | a = \"서울\"\n      |     ^^^^^^\n"},
		"controls": {"a = \x1b[31mb", "b", "    1 | a = ·[31mb\n      |          ^\n"},
		"long": {strings.Repeat("a", 200) + "b" + strings.Repeat("c", 200), "b",
			"    1 | …" + strings.Repeat("a", 80) + "b" + strings.Repeat("c", 80) + "…\n      | " + strings.Repeat(" ", 81) + "^\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got := rendered(t, test.text, At(find(t, test.text, test.part), "wrong"))
			_, excerpt, _ := strings.Cut(got, "\n")
			if d := cmp.Diff(test.want, excerpt); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	for _, text := range []string{
		`to = "postgres://app:hunter2@db/shop"`,
		`to = "host=db password=hunter2 user=app"`,
		`run = "PGPASSWORD=hunter2 psql"`,
		`password = "hunter2"`,
		`api_token = "hunter2`,
		`"db_password": "hunter2",`,
		`client_secret= "a hunter2 b"`,
	} {
		got := rendered(t, text, At(find(t, text, "="[:min(1, strings.Count(text, "="))]), "wrong"))
		if strings.Contains(got, "hunter2") || !strings.Contains(got, "[redacted]") {
			t.Errorf("%s is shown as\n%s", text, got)
		}
	}
	text := `x = "hunter2" + y`
	got := rendered(t, text, At(find(t, text, "x"), "one"), At(find(t, text, "y"), "two").Hide(find(t, text, `"hunter2"`)))
	if strings.Contains(got, "hunter2") || !strings.Contains(got, "    1 | x = [redacted] + y\n      |                  ^\n") {
		t.Errorf("shown as\n%s", got)
	}
	for _, open := range []string{`password = "env:PW"`, `token = "${var.token}"`, `to = "postgres://db:5432/shop"`} {
		if got := rendered(t, open, At(find(t, open, "="), "wrong")); strings.Contains(got, "[redacted]") {
			t.Errorf("%s is shown as\n%s", open, got)
		}
	}
}

func TestListIsSortedAndSaidOnce(t *testing.T) {
	text := "a = b"
	got := rendered(t, text, At(find(t, text, "b"), "second"), nil, At(find(t, text, "a"), "first").Hint("do this").Hint(""),
		At(find(t, text, "b"), "second"), At(hcl.Range{Filename: "x.hcl"}, "whole"))
	want := "x.hcl: whole\n\nx.hcl:1:1: first\n    1 | a = b\n      | ^\n  hint: do this\n\nx.hcl:1:5: second\n    1 | a = b\n      |     ^\n"
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestErrIsInvalid(t *testing.T) {
	var none List
	if none.Err() != nil || none.HasErrors() {
		t.Error("an empty list is an error")
	}
	list := NewList(NewSource("x.hcl", []byte("a = b")))
	list.Add(At(find(t, "a = b", "b"), "wrong"))
	if err := list.Err(); fault.KindOf(err) != fault.Invalid || !strings.HasPrefix(err.Error(), "x.hcl:1:5: wrong\n") {
		t.Errorf("error %v", err)
	}
}

func TestJSON(t *testing.T) {
	text := `token = "hunter2"`
	list := NewList(NewSource("x.hcl", []byte(text)))
	list.Add(At(find(t, text, "token"), "wrong").Hint("do this").See("first here", find(t, text, "=")))
	var b strings.Builder
	if err := list.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var got any
	if err := json.Unmarshal([]byte(b.String()), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"type": "diagnostics", "diagnostics": []any{map[string]any{
		"severity": "error", "message": "wrong", "file": "x.hcl", "line": 1.0, "column": 1.0, "end_line": 1.0, "end_column": 6.0,
		"source": `token = "[redacted]"`, "hints": []any{"do this"},
		"also": []any{map[string]any{"text": "first here", "file": "x.hcl", "line": 1.0, "column": 7.0, "end_line": 1.0, "end_column": 8.0}},
	}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestNearest(t *testing.T) {
	names := []string{"title", "window", "timeout", "attempts", "postgres_copy", "after", "a", "kim", "park", "approvals", "verify"}
	for given, want := range map[string]string{
		"titel": "title", "Title": "title", "windows": "window", "time_out": "timeout", "attempt": "attempts", "postgres-copy": "postgres_copy",
		"postgress_copy": "postgres_copy", "aftr": "after", "b": "", "x": "", "prak": "park", "kimm": "kim", "lee": "", "banana": "", "veryfy": "verify",
		"aproval": "approvals",
	} {
		if got := Nearest(given, names); got != want {
			t.Errorf("%q is taken for %q, want %q", given, got, want)
		}
	}
}

func TestUnits(t *testing.T) {
	for given, want := range map[string]string{
		"4hrs": "4h", "4 hours": "4h", "1h 30min": "1h30m", "30": "30s", "1.5 hours": "1.5h", "2시간 30분": "2h30m", "3 days": "3d", "soon": "", "5 bananas": "",
	} {
		if got := Duration(given); got != want {
			t.Errorf("duration %q is taken for %q, want %q", given, got, want)
		}
	}
	for given, want := range map[string]string{"64 megabytes": "64MB", "2G": "2GB", "512Mi": "512MiB", "64": "", "lots": ""} {
		if got := Size(given); got != want {
			t.Errorf("size %q is taken for %q, want %q", given, got, want)
		}
	}
}

func TestColor(t *testing.T) {
	list := NewList(NewSource("x.hcl", []byte("a = b")))
	list.Add(At(find(t, "a = b", "b"), "wrong"))
	var b strings.Builder
	if err := list.Write(&b, true); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), bold+"wrong"+plain) || !strings.Contains(b.String(), red+"^"+plain) {
		t.Errorf("coloured: %q", b.String())
	}
}

func TestManyAreCutShort(t *testing.T) {
	var items []*Diagnostic
	for i := range most + 10 {
		items = append(items, At(hcl.Range{Filename: "x.hcl"}, "wrong %d", i))
	}
	if got := rendered(t, "", items...); !strings.HasSuffix(got, fmt.Sprintf("… and %d more\n", 10)) {
		t.Errorf("ends with %q", got[len(got)-40:])
	}
}
