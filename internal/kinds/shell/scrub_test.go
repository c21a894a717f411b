package shell

import (
	"bytes"
	"strings"
	"testing"
)

func TestScrubberFindsSecretsInPieces(t *testing.T) {
	tests := []struct {
		name    string
		secrets []string
		text    string
		want    string
	}{
		{"none", nil, "plain text\n", "plain text\n"},
		{"one", []string{"hunter22"}, "pw=hunter22!\n", "pw=[redacted]!\n"},
		{"at both ends", []string{"hunter22"}, "hunter22 and hunter22", "[redacted] and [redacted]"},
		{"adjacent", []string{"abcd"}, "abcdabcd", "[redacted][redacted]"},
		{"one begins another", []string{"abcd", "abcdef"}, "abcdef abcd abcde", "[redacted] [redacted] [redacted]e"},
		{"false start", []string{"aab"}, "aaab aa", "a[redacted] aa"},
		{"over lines", []string{"line1\nline2"}, "x\nline1\nline2\ny", "x\n[redacted]\ny"},
		{"unfinished", []string{"hunter22"}, "hunter2", "hunter2"},
		{"empty secret", []string{""}, "text", "text"},
	}
	for _, test := range tests {
		for size := 1; size <= len(test.text); size++ {
			var got bytes.Buffer
			s := newScrubber(&got, test.secrets)
			for piece := range pieces(test.text, size) {
				if _, err := s.Write([]byte(piece)); err != nil {
					t.Fatal(err)
				}
				for _, secret := range test.secrets {
					if secret != "" && strings.Contains(got.String(), secret) {
						t.Fatalf("%s by %d: %q passed in %q", test.name, size, secret, got.String())
					}
				}
			}
			if err := s.Flush(); err != nil {
				t.Fatal(err)
			}
			if got.String() != test.want {
				t.Errorf("%s by %d: got %q, want %q", test.name, size, got.String(), test.want)
			}
		}
	}
}

func pieces(text string, size int) func(func(string) bool) {
	return func(yield func(string) bool) {
		for from := 0; from < len(text); from += size {
			if !yield(text[from:min(from+size, len(text))]) {
				return
			}
		}
	}
}

func FuzzScrubber(f *testing.F) {
	f.Add("xabcdyabcdz", "abcd", uint8(3))
	f.Add("aaaaaaaab", "aab", uint8(1))
	f.Fuzz(func(t *testing.T, text, secret string, size uint8) {
		if secret == "" || strings.Contains("[redacted]", secret) || strings.Contains(secret, "[redacted]") {
			return
		}
		var whole, split bytes.Buffer
		one := newScrubber(&whole, []string{secret})
		_, _ = one.Write([]byte(text))
		_ = one.Flush()
		many := newScrubber(&split, []string{secret})
		for piece := range pieces(text, max(1, int(size))) {
			_, _ = many.Write([]byte(piece))
		}
		_ = many.Flush()
		if whole.String() != split.String() {
			t.Errorf("in pieces of %d: %q, at once: %q", size, split.String(), whole.String())
		}
		if want := strings.ReplaceAll(text, secret, "[redacted]"); whole.String() != want {
			t.Errorf("got %q, want %q", whole.String(), want)
		}
	})
}

func TestReadable(t *testing.T) {
	for in, want := range map[string]string{
		"one\r\ntwo\r\n":            "one\ntwo",
		"10 %\r50 %\r100 %\n":       "10 %\n50 %\n100 %",
		"\x1b[1;31mred\x1b[0m \a\n": "red",
		"bad \xff byte":             "bad ? byte",
	} {
		if got := readable(in); got != want {
			t.Errorf("readable(%q) = %q, want %q", in, got, want)
		}
	}
}
