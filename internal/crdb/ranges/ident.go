package ranges

import (
	"fmt"
	"maps"
	"slices"

	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/mvcc"
)

// inferIdents gives a number to the stores whose own record of it is lost: that
// of the member whose replica IDs are the store's, or, before stores kept those,
// of the member that its ranges have in common and no other store is.
func (m *Map) inferIdents(newest map[uint64]*Descriptor) {
	taken := map[uint64]bool{}
	lost := false
	for _, s := range m.Sources {
		taken[s.Store] = s.Store != 0
		lost = lost || s.Store == 0
	}
	if !lost {
		return
	}
	newest = m.withAddressed(newest)
	for _, s := range m.Sources {
		if s.Store != 0 {
			continue
		}
		votes := map[uint64]int{}
		for id, r := range s.replicas {
			d := newest[id]
			if d == nil || !r.State {
				continue
			}
			for _, member := range d.Members {
				switch {
				case r.ID != 0 && r.ID == member.Replica:
					votes[member.Store] += len(d.Members) + 1
				case !taken[member.Store]:
					votes[member.Store]++
				}
			}
		}
		s.Store, s.Node = mostVoted(votes), 0
		if s.Store == 0 {
			m.Notes = append(m.Notes, fmt.Sprintf("store %q: its own number is lost, and its ranges do not tell it", s.Name))
			continue
		}
		taken[s.Store] = true
		m.Notes = append(m.Notes, fmt.Sprintf("store %q: its own number is lost; by its ranges it is store %d", s.Name, s.Store))
	}
}

// withAddressed adds what the addressing records of each store say: ranges with
// one replica alone tell most, and their own descriptors went with the store's.
func (m *Map) withAddressed(newest map[uint64]*Descriptor) map[uint64]*Descriptor {
	out := maps.Clone(newest)
	for _, s := range m.Sources {
		it := mvcc.NewReader(s.View, mvcc.NewOutcomes(s.View, nil), keys.Timestamp{}).Iter(meta2())
		for it.Next() {
			d, err := descriptorOf(it.Key(), it.Value())
			if err != nil {
				continue
			}
			if old := out[d.RangeID]; old == nil || old.Generation < d.Generation {
				out[d.RangeID] = d
			}
		}
		s.damaged.add(it.Damage())
		s.note(it.Close())
	}
	return out
}

// mostVoted is the store with the most votes, of equals the lowest; 0 for none.
func mostVoted(votes map[uint64]int) (best uint64) {
	stores := make([]uint64, 0, len(votes))
	for store := range votes {
		stores = append(stores, store)
	}
	slices.Sort(stores)
	for _, store := range stores {
		if best == 0 || votes[store] > votes[best] {
			best = store
		}
	}
	return best
}
