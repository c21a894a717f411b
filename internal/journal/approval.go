package journal

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"maps"
	"slices"
	"time"
)

// Allowed tells whether the tick may follow the item's present result: a
// failed item must be fixed, a fixed one retested (and may fail again).
func (b TickBody) Allowed(present string) bool {
	switch present {
	case ItemFailed:
		return b.Result == ItemFixed || b.Result == ItemFailed
	case ItemFixed:
		return b.Result == ItemRetested || b.Result == ItemFailed
	}
	return b.Result == ItemOK || b.Result == ItemFailed
}

// PlanHash is what an approval binds to: SHA-256 over the runbook's hash, the
// frozen files' names and hashes, and each node's ID and plan hash in order, a
// plan not yet known as "?".
func (s *State) PlanHash() string {
	sum := sha256.New()
	io.WriteString(sum, s.Body.Hash)
	for _, file := range slices.Sorted(maps.Keys(s.Body.Frozen)) {
		io.WriteString(sum, "\x00"+file+"\x00"+s.Body.Frozen[file])
	}
	for _, n := range s.Nodes {
		hash := "?"
		if n.Plan != nil {
			hash = n.Plan.Hash()
		}
		io.WriteString(sum, "\x00"+n.ID+"\x00"+hash)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// Approvers are the people whose approval of the gate counts at that moment:
// the newest word of each is yes, for this very plan, not expired, and they
// neither run the run nor are unknown to the gate.
func (s *State) Approvers(gate *NodeState, now time.Time) []string {
	hash := s.PlanHash()
	var yes []string
	for _, v := range gate.Votes {
		yes = slices.DeleteFunc(yes, func(by string) bool { return by == v.By })
		valid := v.Body.Expires.IsZero() || now.Before(v.Body.Expires)
		if v.Yes && valid && v.Body.Plan == hash && s.MayApprove(gate, v.By) {
			yes = append(yes, v.By)
		}
	}
	return yes
}

// MayApprove tells whether a person may approve the gate: nobody may who has
// ever conducted the run.
func (s *State) MayApprove(gate *NodeState, person string) bool {
	if person == s.Body.Runner || slices.Contains(s.Runners, person) {
		return false
	}
	if _, known := s.Body.People[person]; !known {
		return false
	}
	return gate.Gate == nil || len(gate.Gate.People) == 0 || slices.Contains(gate.Gate.People, person)
}
