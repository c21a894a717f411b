package runbook

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/evac-io/evac/internal/runbook/diag"
)

// needs lists what a node waits for, by `after` and by references.
func (r *Runbook) needs(n *nodeDef) []need {
	var all []need
	for _, a := range n.after {
		all = append(all, need{a.node, a.key, a.rng, true})
	}
	for _, e := range n.exprs() {
		for _, ref := range e.refs {
			if ref.root == "step" {
				all = append(all, need{r.nodes[ref.name], ref.key, ref.rng, false})
			}
		}
	}
	return all
}

// need is one reason to wait for another node.
type need struct {
	node  *nodeDef
	key   hclsyntax.Expression // of one instance; nil means all
	rng   hcl.Range
	after bool // it stands in after
}

// exprs are the expressions of a node that may refer to outputs.
func (n *nodeDef) exprs() []*expr {
	var all []*expr
	if e := n.attrs["when"]; e != nil {
		all = append(all, e)
	}
	for _, f := range n.fields {
		all = append(all, f.expr)
	}
	return all
}

// cycles reports each circle of nodes that wait for one another.
func (p *parser) cycles() {
	w := cycleWalk{parser: p, state: map[*nodeDef]int{}}
	for _, n := range p.book.order {
		w.visit(n)
	}
}

type cycleWalk struct {
	parser *parser
	state  map[*nodeDef]int // 1: on the path, 2: done
	path   []*nodeDef
}

func (w *cycleWalk) visit(n *nodeDef) {
	switch w.state[n] {
	case 2:
		return
	case 1:
		w.circle(n)
		return
	}
	w.state[n] = 1
	w.path = append(w.path, n)
	for _, need := range w.parser.book.needs(n) {
		w.visit(need.node)
	}
	w.path = w.path[:len(w.path)-1]
	w.state[n] = 2
}

func (w *cycleWalk) circle(n *nodeDef) {
	begin := slices.Index(w.path, n)
	var names []string
	for _, on := range w.path[begin:] {
		names = append(names, on.ref())
	}
	w.parser.list.Add(diag.At(n.rng, "%s waits for itself: %s", n.ref(), circleText(append(names, n.ref()))).
		Hint("take one of these references or `after` entries out"))
}

// openGates are the gates of a stage that have no `after`: each waits for all
// that depends on none of them.
func (r *Runbook) openGates() map[int][]*nodeDef {
	gates := map[int][]*nodeDef{}
	for _, n := range r.order {
		if n.class == ClassGate && !n.hasWait {
			gates[n.stage] = append(gates[n.stage], n)
		}
	}
	return gates
}

// behindGates are the nodes that depend on a gate without `after` of their own
// stage, directly or through others.
func (r *Runbook) behindGates() map[*nodeDef]bool {
	behind := map[*nodeDef]bool{}
	done := map[*nodeDef]bool{}
	var visit func(n *nodeDef) bool
	visit = func(n *nodeDef) bool {
		if done[n] {
			return behind[n]
		}
		done[n] = true
		for _, need := range r.needs(n) {
			open := need.node.class == ClassGate && !need.node.hasWait
			if need.node.stage == n.stage && (open || visit(need.node)) {
				behind[n] = true
			}
		}
		return behind[n]
	}
	for _, n := range r.order {
		visit(n)
	}
	return behind
}
