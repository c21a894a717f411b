package syntax

import (
	"fmt"
	"strings"
	"testing"
)

// TestHostileText gives the parser what is known to overrun or to stall it.
// Each text must come back, refused or not, long before the test's time is up.
func TestHostileText(t *testing.T) {
	const much = 20_000
	in := func(expr string) string { return "locals {\n  a = " + expr + "\n}\n" }
	heredoc := func(lines int) string { return in("<<E\n" + strings.Repeat("x\n", lines) + "E") }
	tests := map[string]struct {
		text    string
		refused bool
	}{
		"brackets":          {in(strings.Repeat("[", much)), true},
		"braces":            {in(strings.Repeat("{a=", much)), true},
		"parentheses":       {in(strings.Repeat("(", much)), true},
		"closed brackets":   {in(strings.Repeat("[", much) + strings.Repeat("]", much)), true},
		"calls":             {in(strings.Repeat("f(", much)), true},
		"blocks":            {strings.Repeat("a {\n", much), true},
		"templates":         {in(strings.Repeat(`"${`, much)), true},
		"ifs":               {in(`"` + strings.Repeat("%{ if true }", much) + `"`), true},
		"fors":              {in("<<E\n" + strings.Repeat("%{ for a in b }", much) + "\nE"), true},
		"minus":             {in(strings.Repeat("-", much) + "1"), true},
		"not":               {in(strings.Repeat("!", much) + "true"), true},
		"plus":              {in("1" + strings.Repeat("+1", much)), true},
		"plus over lines":   {in("(1" + strings.Repeat("\n+1", much) + ")"), true},
		"conditions":        {in(strings.Repeat("true?1:", much) + "1"), true},
		"nested conditions": {in(strings.Repeat("true?", much)), true},
		"indexes":           {in("a" + strings.Repeat("[b]", much)), true},
		"splats":            {in("a" + strings.Repeat("[*]", much)), true},
		"attribute splats":  {in("a" + strings.Repeat(".*", much)), true},
		"dots":              {in("a" + strings.Repeat(".b", much)), true},
		"colons":            {in(strings.Repeat("a::", much) + "b()"), true},
		"digits":            {in(strings.Repeat("1", much)), true},
		"exponent":          {in("1e999999999"), true},
		"long heredoc":      {heredoc(much), true},
		"short heredoc":     {heredoc(1_000), false},
		"dollars":           {in(`"` + strings.Repeat("$a", much) + `"`), true},
		"open comments":     {strings.Repeat("/*", much), true},
		"open heredocs":     {strings.Repeat("a = <<E\n", much), true},
		"quotes":            {strings.Repeat(`"`, much), true},
		"garbage":           {strings.Repeat("a\n", much), true},
		"attributes":        {manyAttributes(much / 4), false},
		"strings":           {in("[" + strings.Repeat(`"[[[",`, 5_000) + "]"), false},
		"dense":             {in("[" + strings.Repeat("1,", 2_000_000) + "]"), true},
		"long expression":   {in(`"` + strings.Repeat("a", 300<<10) + `"`), true},
		"large":             {strings.Repeat("# comment\n", MaxBytes/10+1), true},
		"large but fine":    {strings.Repeat("# "+strings.Repeat("comment", 14)+"\n", MaxBytes/6400), false},
		"too many lists":    {in(strings.Repeat("[", MaxNesting) + strings.Repeat("]", MaxNesting)), true},
		"lists":             {in(strings.Repeat("[", MaxNesting-1) + strings.Repeat("]", MaxNesting-1)), false},
		"zero byte":         {"a = \"\x00\"", true},
		"crooked UTF-8":     {"a = \"\xff\"", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, list := Parse("test.hcl", []byte(test.text), nil)
			if list.HasErrors() != test.refused {
				t.Errorf("refused: %v; %v", !test.refused, list.Err())
			}
			if len(test.text) < 1<<16 {
				_, _ = Format("test.hcl", []byte(test.text)) // comes back too
			}
		})
	}
}

func manyAttributes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "a%d = %d\n", i, i)
	}
	return b.String()
}

func TestHostileJSON(t *testing.T) {
	const much = 20_000
	for name, text := range map[string]string{
		"arrays":        strings.Repeat("[", much),
		"objects":       strings.Repeat(`{"a":`, much),
		"template":      `{"locals": {"a": "` + strings.Repeat("${[", much) + `"}}`,
		"comments":      `{"locals": {"a": "${` + strings.Repeat("/*", much) + `"}}`,
		"dollars":       `{"locals": {"a": "${1}` + strings.Repeat("$a", much) + `"}}`,
		"number":        `{"locals": {"a": ` + strings.Repeat("1", much) + `}}`,
		"exponent":      `{"locals": {"a": 1e999999999}}`,
		"long text":     `{"locals": {"a": "` + strings.Repeat("a", 300<<10) + `"}}`,
		"array of text": `["a"]`,
		"no object":     `"a"`,
		"two objects":   `{} {}`,
		"cut off":       `{"locals": {"a": "`,
		"label":         `{"stage": 5}`,
		"wrong escape":  `{"locals": {"a": "\u00"}}`,
		"null":          `{"stage": null}`,
	} {
		t.Run(name, func(t *testing.T) {
			grammar := Grammar{"locals": {}, "stage": {Labels: []string{"name"}}}
			if _, list := Parse("test.json", []byte(text), grammar); !list.HasErrors() {
				t.Error("nothing is refused")
			}
		})
	}
}

func TestFormat(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"blanks":   {"a=1\nlonger   =   2\nb {\nc=[1,2]\n}\n", "a      = 1\nlonger = 2\nb {\n  c = [1, 2]\n}\n"},
		"ends":     {"\ufeffa = 1\r\n\r\n\r\n", "a = 1\n"},
		"comments": {"# one\na = 1 // two\n/* three */\n", "# one\na = 1 // two\n/* three */\n"},
		"heredoc":  {"a = <<-E\n  x ${  b  }\n    y\n  E\n", "a = <<-E\n  x ${b}\n    y\n  E\n"},
		"broken":   {"a = \n", "a = \n"},
		"empty":    {"", "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			out, _ := Format("test.hcl", []byte(test.text))
			if string(out) != test.want {
				t.Errorf("%q becomes %q, want %q", test.text, out, test.want)
			}
		})
	}
}
