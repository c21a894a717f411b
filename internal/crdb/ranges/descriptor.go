package ranges

import (
	"bytes"
	"fmt"

	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/wire"
)

// Descriptor says which keys a range has and which stores hold it (CockroachDB's
// RangeDescriptor).
type Descriptor struct {
	RangeID    uint64
	Start, End []byte // of addressing keys
	Members    []Member
	Generation uint64 // of overlapping ranges the higher one is the newer
}

// Member is one replica as a descriptor lists it.
type Member struct {
	Node, Store, Replica uint64
	Role                 Role
}

// Role is what a replica does in its range, by the database's numbers.
type Role uint8

// The roles. While a change of replicas is under way the voters are two
// majorities: those before and those after it.
const (
	Voter Role = iota
	Learner
	VoterIncoming
	VoterOutgoing
	VoterDemotingLearner
	NonVoter
	VoterDemotingNonVoter
)

// votes says whether a role votes before and after a change that is under way.
func (r Role) votes() (before, after bool) {
	switch r {
	case Voter:
		return true, true
	case VoterIncoming:
		return false, true
	case VoterOutgoing, VoterDemotingLearner, VoterDemotingNonVoter:
		return true, false
	}
	return false, false
}

// Span is the range's user keys.
func (d *Descriptor) Span() keys.Span { return keys.Span{From: d.first(), To: d.End} }

// first is the range's first user key: local keys come before all ranges.
func (d *Descriptor) first() []byte {
	if len(d.Start) == 0 {
		return keys.LocalMax()
	}
	return d.Start
}

// Member is what the descriptor says of a store, nil if nothing.
func (d *Descriptor) Member(store uint64) *Member {
	for i := range d.Members {
		if d.Members[i].Store == store {
			return &d.Members[i]
		}
	}
	return nil
}

// ParseDescriptor reads a descriptor and copies what it keeps.
func ParseDescriptor(b []byte) (*Descriptor, error) {
	d := &Descriptor{}
	err := wire.Each(b, func(f wire.Field) (err error) {
		switch f.Num {
		case 1:
			d.RangeID = f.Int
		case 2:
			d.Start = bytes.Clone(f.Data)
		case 3:
			d.End = bytes.Clone(f.Data)
		case 4:
			var m Member
			m, err = parseMember(f.Data)
			d.Members = append(d.Members, m)
		case 6:
			d.Generation = f.Int
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read range descriptor: %w", err)
	}
	if d.RangeID == 0 || bytes.Compare(d.Start, d.End) >= 0 {
		return nil, fmt.Errorf("read range descriptor: range %d has no keys", d.RangeID)
	}
	return d, nil
}

func parseMember(b []byte) (m Member, err error) {
	err = wire.Each(b, func(f wire.Field) error {
		switch f.Num {
		case 1:
			m.Node = f.Int
		case 2:
			m.Store = f.Int
		case 3:
			m.Replica = f.Int
		case 4:
			m.Role = Role(f.Int)
		}
		return nil
	})
	return m, err
}
