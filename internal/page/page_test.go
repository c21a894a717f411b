package page_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/page"
)

func full(t testing.TB) page.Notice {
	t.Helper()
	until, err := time.Parse(time.RFC3339, "2026-11-22T06:00:00+09:00")
	if err != nil {
		t.Fatal(err)
	}
	return page.Notice{
		Title:   page.Text{En: "Moving <house>"},
		Message: page.Text{Ko: "이사 중입니다.\n곧 돌아옵니다."},
		Until:   until, StatusURL: "https://status.example.com/?a=1&b=2",
	}
}

func TestHTML(t *testing.T) {
	html, err := full(t).HTML()
	if err != nil {
		t.Fatal(err)
	}
	text := string(html)
	for _, want := range []string{
		"서비스 점검 중입니다", "Moving &lt;house&gt;", "곧 돌아옵니다.", "scheduled maintenance",
		`datetime="2026-11-21T21:00:00Z"`, "2026-11-22 06:00 (UTC&#43;09:00)", `href="https://status.example.com/?a=1&amp;b=2"`,
		`lang="ko"`, `lang="en"`, "prefers-color-scheme", "width=device-width",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	for _, bad := range []string{"<house>", " src=", "@import", "url(", "<link"} {
		if strings.Contains(text, bad) {
			t.Errorf("%q is in the page", bad)
		}
	}
	if len(html) >= 20_000 {
		t.Errorf("%d bytes, want less than 20,000", len(html))
	}
}

func TestHTMLWithoutEnd(t *testing.T) {
	html, err := page.Default().HTML()
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<time", "<script", "<a ", "0001"} {
		if strings.Contains(string(html), bad) {
			t.Errorf("%q is in a page that knows no end", bad)
		}
	}
}

func TestHTMLRefuses(t *testing.T) {
	for name, n := range map[string]page.Notice{
		"a script for an address": {StatusURL: "javascript:alert(1)"},
		"a novel":                 {Message: page.Text{En: strings.Repeat("long ", 5000)}},
	} {
		if _, err := n.HTML(); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestJSON(t *testing.T) {
	for _, test := range []struct {
		notice page.Notice
		until  any
	}{{full(t), "2026-11-22T06:00:00+09:00"}, {page.Notice{}, nil}} {
		text, err := test.notice.JSON()
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		if got["maintenance"] != true || !cmp.Equal(got["until"], test.until) {
			t.Errorf("got %s", text)
		}
		if m, ok := got["message"].(map[string]any); !ok || m["ko"] == "" || m["en"] == "" {
			t.Errorf("no message in both languages: %s", text)
		}
	}
}
