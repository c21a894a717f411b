package syntax

import (
	"bytes"
	stdjson "encoding/json"
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"

	"github.com/evac-io/evac/internal/runbook/diag"
)

// Format lays a text out: two blanks for each level, equals signs in a column,
// one newline at the end, no byte order mark, no carriage returns. It moves
// nothing but blanks between words. A text that does not parse stays as it is.
func Format(name string, text []byte) ([]byte, diag.List) {
	f, list := read(name, text)
	if list.HasErrors() {
		return text, list
	}
	if f.JSON {
		list.Add(f.parseJSON(nil)...)
	} else {
		list.Add(f.parseHCL()...)
	}
	if list.HasErrors() {
		return text, list
	}
	out, err := layout(f.Source.Text, f.JSON)
	if err != nil {
		list.Add(diag.At(hcl.Range{Filename: name}, "format: %v", err).Hint("the file is unchanged"))
		return text, list
	}
	return out, list
}

func layout(text []byte, json bool) ([]byte, error) {
	if json {
		var b bytes.Buffer
		err := stdjson.Indent(&b, bytes.TrimSpace(text), "", "  ")
		return append(b.Bytes(), '\n'), err
	}
	out := text
	for range 4 { // a second pass settles comments that the first one moved
		next := append(bytes.TrimRight(hclwrite.Format(out), "\n"), '\n')
		if bytes.Equal(next, out) {
			return out, nil
		}
		if !bytes.Equal(Canonical(next), Canonical(text)) {
			return nil, fmt.Errorf("the layout would change what the file says")
		}
		out = next
	}
	return nil, fmt.Errorf("no layout is stable")
}

// Canonical is a text without comments, blank lines and blanks between words:
// two texts that mean the same to the parser, apart from the order of things,
// have the same.
func Canonical(text []byte) []byte {
	tokens, _ := hclsyntax.LexConfig(text, "", hcl.InitialPos)
	out := make([]byte, 0, len(text))
	for _, tok := range tokens {
		word := tok.Bytes
		switch tok.Type {
		case hclsyntax.TokenComment, hclsyntax.TokenEOF:
			if !bytes.HasSuffix(word, []byte("\n")) {
				continue
			}
			word = []byte("\n") // a comment's newline ends the line too
		case hclsyntax.TokenCHeredoc:
			word = bytes.TrimSpace(word)
		}
		if len(word) == 0 {
			continue
		}
		if word[0] == '\n' && (len(out) == 0 || bytes.HasSuffix(out, []byte("\n\x00"))) && tok.Type != hclsyntax.TokenStringLit {
			continue
		}
		out = append(append(out, word...), 0)
	}
	return bytes.TrimSuffix(out, []byte("\n\x00"))
}
