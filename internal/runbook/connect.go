package runbook

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/evac-io/evac/internal/runbook/diag"
)

// maxEdges bounds the graph.
const maxEdges = 5_000_000

// connect fills in what each node waits for.
func (b *binder) connect() {
	behind := b.behindGates()
	open := b.openGates()
	waits := map[int][]string{} // of the open gates of a stage, shared by them
	edges := 0
	for _, n := range b.Nodes {
		def := n.inst.def
		if def.class == ClassGate && !def.hasWait {
			continue
		}
		n.After = b.waits(n)
		if edges += len(n.After); edges > maxEdges {
			b.list.Add(diag.At(def.rng, "the runbook has more than %d dependencies with for_each expanded", maxEdges))
			return
		}
		if len(open[def.stage]) > 0 && !behind[def] {
			waits[def.stage] = append(waits[def.stage], n.ID)
		}
	}
	for _, n := range b.Nodes {
		if def := n.inst.def; def.class == ClassGate && !def.hasWait {
			n.After = waits[def.stage]
		}
	}
}

// waits lists the IDs of what a node waits for, each once. For a node that a
// drill leaves out stands what that one waits for.
func (b *binder) waits(n *Node) []string {
	var ids []string
	seen := map[string]bool{}
	var add func(n *Node)
	add = func(n *Node) {
		for _, need := range b.needs(n.inst.def) {
			for _, target := range b.needed(n, need) {
				if seen[target.ID] {
					continue
				}
				seen[target.ID] = true
				if b.leftOut[target.inst.def] {
					add(target)
					continue
				}
				ids = append(ids, target.ID)
			}
		}
	}
	add(n)
	return ids
}

// needed are the nodes that one need stands for.
func (b *binder) needed(n *Node, why need) []*Node {
	targets, d := b.referred(n, why.node, why.key, why.rng)
	if why.after { // of other references, checkReach tells
		b.list.Add(d)
	}
	return targets
}

// referred are the nodes that step.KIND.NAME[key] means for a node.
func (b *Bound) referred(n *Node, target *nodeDef, key hclsyntax.Expression, rng hcl.Range) ([]*Node, *diag.Diagnostic) {
	if key == nil {
		return b.instances[target], nil
	}
	ctx := b.scope.ctx.NewChild()
	ctx.Variables = map[string]cty.Value{"each": cty.ObjectVal(n.inst.each)}
	value, found := key.Value(ctx)
	if found.HasErrors() || !value.IsKnown() || value.IsMarked() {
		return b.instances[target], nil // working the whole expression out tells why
	}
	text, err := convert.Convert(value, cty.String)
	if err != nil || text.IsNull() {
		return nil, diag.At(rng, "the key of %s is %s, not a text", target.ref(), describe(value))
	}
	one, d := b.withKey(target, text.AsString(), rng)
	if d != nil {
		return nil, d
	}
	return []*Node{one}, nil
}

func (b *Bound) withKey(target *nodeDef, key string, rng hcl.Range) (*Node, *diag.Diagnostic) {
	if n, ok := b.every[instanceID(target, key)]; ok {
		return n, nil
	}
	var keys []string
	for _, n := range b.instances[target] {
		keys = append(keys, n.inst.key)
	}
	return nil, diag.At(rng, "%s has no %q in its for_each", target.ref(), key).Hint("%s", diag.DidYouMean(key, keys))
}

// instanceID is the ID of one node of a step with for_each.
func instanceID(def *nodeDef, key string) string { return def.id + "[" + quote(key) + "]" }
