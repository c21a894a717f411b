package salvage

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestBundleTellsNothing looks for every value of every row, for the keys at which
// ranges, holes and damage begin and end, and for names, in what others may see.
func TestBundleTellsNothing(t *testing.T) {
	for _, name := range []string{"tiny", "crash", "divergent"} {
		stores := fixture(t, name)
		if name == "crash" {
			stores = stores[:1] // with holes, in the middle of tables
		}
		c := opened(t, stores...)
		s, err := c.Survey(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		b, err := c.Bundle(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "bundle.json")
		if err := b.WriteFile(file); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if len(b.Ranges) != len(s.Ranges) || len(b.Ranges) < 60 || len(b.Stores) != len(stores) || len(b.Damage) != len(s.Damage) || len(b.Holes) != len(s.Holes) {
			t.Errorf("%s: the bundle has %d ranges, %d stores, %d places, %d holes", name, len(b.Ranges), len(b.Stores), len(b.Damage), len(b.Holes))
		}
		tells(t, name, text, c, s)
	}
}

// tells reports what of the data a text holds.
func tells(t *testing.T, name string, text []byte, c *Cluster, s *Survey) {
	t.Helper()
	find := func(what, needle string) {
		if len(needle) >= 6 && bytes.Contains(text, []byte(needle)) {
			t.Errorf("%s: the bundle has %s: %q", name, what, needle)
		}
	}
	for table, lines := range truth(t, name) {
		if len(table) > 8 {
			find("a table's name", table)
		}
		for j, column := range lines[0] {
			looked := map[string]bool{}
			for _, line := range lines {
				value := line[j]
				if len(value) < 9 || looked[value] || len(looked) == 40 { // a shorter one may be a word, or a number of anything
					continue
				}
				if n, err := strconv.ParseInt(value, 10, 64); err == nil && n&(n-1) == 0 {
					continue // a power of two is a size in the configuration, too
				}
				looked[value] = true
				what := "a value of " + table + "." + column
				find(what, value)
				find(what+" in base64", base64.StdEncoding.EncodeToString([]byte(value)))
				find(what+" in hex", hex.EncodeToString([]byte(value)))
			}
		}
	}
	var bounds [][]byte
	for _, r := range s.Ranges {
		bounds = append(bounds, r.Span.From, r.Span.To)
	}
	for _, h := range s.Holes {
		bounds = append(bounds, h.Span.From, h.Span.To)
	}
	for _, d := range s.Damage {
		bounds = append(bounds, d.Span.From, d.Span.To)
	}
	n := 0
	for _, key := range bounds {
		if len(key) < 5 {
			continue // a table and an index
		}
		n++
		quoted, err := json.Marshal(string(key))
		if err != nil {
			t.Fatal(err)
		}
		for form, needle := range map[string]string{
			"": string(key), "hex": hex.EncodeToString(key), "HEX": strings.ToUpper(hex.EncodeToString(key)), "its end in hex": hex.EncodeToString(key[2:]),
			"base64": base64.StdEncoding.EncodeToString(key), "base64 without padding": base64.RawURLEncoding.EncodeToString(key),
			"quotes": strings.Trim(strconv.Quote(string(key)), `"`), "JSON": strings.Trim(string(quoted), `"`),
		} {
			find("a key in "+form, needle)
		}
	}
	if n == 0 {
		t.Errorf("%s: no key was looked for", name)
	}
}
