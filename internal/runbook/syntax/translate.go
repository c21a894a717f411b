package syntax

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/evac-io/evac/internal/runbook/diag"
)

// twice is the parser's title of a name that is given twice.
const twice = "Attribute redefined"

// translate says what the HCL parser found, in evac's words where those say
// more: both places of a name that is given twice, and where a text begins
// that is not closed. What comes after such a text is noise.
func (f *File) translate(found hcl.Diagnostics) []*diag.Diagnostic {
	if !found.HasErrors() {
		return nil
	}
	if d := unclosedText(f.tokens()); d != nil {
		return []*diag.Diagnostic{d}
	}
	items := diag.FromHCL(found)
	for i, d := range items {
		if found[i].Summary == "Invalid block definition" {
			d.Hint("an attribute is written NAME = VALUE, a block NAME \"LABEL\" { … }")
		}
		if found[i].Summary != twice {
			continue
		}
		name := string(f.Source.Slice(d.Range))
		if first, ok := innermost(f.Body, d.Range).Attributes[name]; ok {
			*d = *redefined(name, d.Range, first.NameRange)
		}
	}
	return items
}

// unclosedText finds the first text in quotes that goes past its line, or the
// text of several lines whose end mark is missing.
func unclosedText(tokens hclsyntax.Tokens) *diag.Diagnostic {
	var open hclsyntax.Token
	var heredocs []hclsyntax.Token
	for _, tok := range tokens {
		switch tok.Type {
		case hclsyntax.TokenOQuote:
			open = tok
		case hclsyntax.TokenQuotedNewline:
			rng := hcl.RangeBetween(open.Range, hcl.Range{Filename: tok.Range.Filename, Start: tok.Range.Start, End: tok.Range.Start})
			return diag.At(rng, "this text is not closed on its line").
				Hint("close it with \", or write a text of several lines as <<EOT … EOT")
		case hclsyntax.TokenOHeredoc:
			heredocs = append(heredocs, tok)
		case hclsyntax.TokenCHeredoc:
			heredocs = heredocs[:max(len(heredocs)-1, 0)]
		}
	}
	if len(heredocs) == 0 {
		return nil
	}
	mark := strings.TrimSpace(strings.TrimLeft(string(heredocs[0].Bytes), "<-"))
	return diag.At(heredocs[0].Range, "the end of this text is missing: no line says just %s", mark).
		Hint("write %s on a line of its own where the text ends", mark)
}

// innermost is the body that holds a range and has no block that does.
func innermost(body *hclsyntax.Body, rng hcl.Range) *hclsyntax.Body {
	for _, block := range body.Blocks {
		if block.Range().ContainsPos(rng.Start) {
			return innermost(block.Body, rng)
		}
	}
	return body
}
