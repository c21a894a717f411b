package syntax

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/evac-io/evac/internal/runbook/diag"
)

// translate puts what the HCL parser found into evac's words where it can say
// more than the parser: both places of a name that is given twice.
func (f *File) translate(found hcl.Diagnostics) []*diag.Diagnostic {
	items := diag.FromHCL(found)
	for _, d := range items {
		name := string(f.Source.Slice(d.Range))
		if d.Message != "attribute redefined" {
			continue
		}
		if first, ok := innermost(f.Body, d.Range).Attributes[name]; ok {
			*d = *redefined(name, d.Range, first.NameRange)
		}
	}
	return items
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
