package runbook

import "github.com/hashicorp/hcl/v2/hclsyntax"

// VariableOf names the variable that a field's value is, if the field is that
// variable and nothing more; else "".
func (b *Bound) VariableOf(n *Node, field string) string {
	f := n.inst.def.field(field)
	if f == nil || len(f.expr.refs) != 1 || f.expr.refs[0].root != "var" {
		return ""
	}
	if t, whole := f.expr.Expression.(*hclsyntax.ScopeTraversalExpr); !whole || len(t.Traversal) != 2 {
		return "" // a part of it
	}
	return f.expr.refs[0].name
}
