package pg

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// textOf reads a file and gives its header and rows in COPY's text form.
func textOf(path, null string) (header []string, rows string, err error) {
	c, err := openCSV(path, null)
	if err != nil {
		return nil, "", err
	}
	order, err := c.places(c.header)
	if err == nil {
		var text []byte
		text, err = io.ReadAll(textReader(c, order))
		rows = string(text)
	}
	return c.header, rows, errors.Join(err, c.close())
}

func TestCSV(t *testing.T) {
	for name, c := range map[string]struct{ in, null, want, fault string }{
		"plain":           {in: "a,b\n1,2\n", want: "1\t2\n"},
		"null and empty":  {in: "a,b\n,\"\"\n", want: "\\N\t\n"},
		"other null":      {in: "a,b\n,NIL\n\"NIL\",x\n", null: "NIL", want: "\t\\N\nNIL\tx\n"},
		"quotes":          {in: "a,b\n\"x\"\"y\"\"\",\"\"\"\"\n", want: "x\"y\"\t\"\n"},
		"lines":           {in: "a\n\"x\ny\r\n\tz\\\"\n", want: "x\\ny\\r\\n\\tz\\\\\n"},
		"crlf":            {in: "a,b\r\n1,2\r\n", want: "1\t2\n"},
		"one null":        {in: "a\n\n\n", want: "\\N\n\\N\n"},
		"only header":     {in: "a\n", want: ""},
		"quoted name":     {in: "\"a,\"\"b\"\n1\n", want: "1\n"},
		"empty":           {in: "", fault: "no header"},
		"cut":             {in: "a\n1\n2", fault: "unexpected EOF"},
		"cut in quotes":   {in: "a\n\"1\n", fault: "unexpected EOF"},
		"short":           {in: "a,b\n1\n", fault: "1 values"},
		"long":            {in: "a\n1,2\n", fault: "2 values"},
		"behind quotes":   {in: "a\n\"1\"2\n", fault: "behind"},
		"quote in middle": {in: "a\n1\"2\"\n", fault: "not quoted"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "part")
			put(t, path, c.in)
			_, got, err := textOf(path, c.null)
			if c.fault != "" {
				if err == nil || !strings.Contains(err.Error(), c.fault) {
					t.Fatalf("%q, error %v, want %q", got, err, c.fault)
				}
				return
			}
			if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
				t.Error(err, diff)
			}
		})
	}
}

// FuzzCSV writes what was read again, and reads the same.
func FuzzCSV(f *testing.F) {
	f.Add([]byte("a,b\n1,\"x\"\"y\n\"\n,\"\"\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		path := filepath.Join(t.TempDir(), "part")
		if err := os.WriteFile(path, in, 0o600); err != nil {
			t.Fatal(err)
		}
		header, rows, err := textOf(path, "")
		if err != nil {
			return
		}
		var again strings.Builder
		quoted := func(v []byte) string {
			if v == nil {
				return ""
			}
			return `"` + strings.ReplaceAll(string(v), `"`, `""`) + `"`
		}
		var names []string
		for _, name := range header {
			names = append(names, quoted([]byte(name)))
		}
		again.WriteString(strings.Join(names, ",") + "\n")
		for line := range bytes.Lines([]byte(rows)) {
			var values []string
			for _, v := range fields(bytes.TrimSuffix(line, []byte("\n")), len(header)) {
				values = append(values, quoted(v))
			}
			again.WriteString(strings.Join(values, ",") + "\n")
		}
		put(t, path, again.String())
		_, got, err := textOf(path, "")
		if diff := cmp.Diff(rows, got); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
	})
}
