package runbook

import (
	"fmt"
	"slices"
	"strings"

	"github.com/evac-io/evac/internal/runbook/diag"
)

// approvable refuses a gate that too few people other than the runner can
// approve; before the run nobody is the runner yet ("").
func (r *Runbook) approvable(n *Node, runner string) *diag.Diagnostic {
	if n.Gate == nil || n.Gate.Approvals == 0 {
		return nil
	}
	can := n.Gate.People
	if len(can) == 0 {
		can = r.personNames()
	}
	may := slices.DeleteFunc(slices.Clone(can), func(name string) bool { return name == runner })
	if len(may) >= n.Gate.Approvals {
		return nil
	}
	rng := n.Range
	if e := n.inst.def.attrs["approvals"]; e != nil {
		rng = e.Range()
	}
	who := "nobody"
	if len(may) > 0 {
		who = "only " + joinAnd(may)
	}
	d := diag.At(rng, "%s needs %s, and %s can give one", n.inst.def.what(), plural(n.Gate.Approvals, "approval"), who)
	switch {
	case len(r.People) == 0:
		return d.Hint(`name who may approve: people { kim = "lead" }`)
	case len(may) < len(can):
		d.Hint("%s runs it and may not approve its gates", runner)
	}
	return d.Hint("name more people, or lower approvals")
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

func joinAnd(names []string) string {
	last := len(names) - 1
	if last == 0 {
		return names[0]
	}
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
