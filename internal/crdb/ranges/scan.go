package ranges

import (
	"bytes"
	"context"
	"fmt"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/mvcc"
	"github.com/evac-io/evac/internal/crdb/ranges/raftlog"
)

// Source is one store as it was opened, and what the survey finds in it.
type Source struct {
	Name     string // as it was given
	View     engine.View
	Damage   []engine.Damage                   // known from opening it
	ReadFile func(name string) ([]byte, error) // a file of the store, for tables beside the log; may be nil
	Appended map[uint64]uint64                 // where Raft logs end for certain, whatever the damage: see Replica.Ends

	Cluster     [16]byte
	Node, Store uint64 // 0 if the store does not say

	replicas    map[uint64]*Replica
	descriptors map[uint64]*Descriptor // by range ID; the newest, committed here
	damaged     *damages
	errs        []string
	room        *room
}

// scan reads the local keys of a store.
func (s *Source) scan(ctx context.Context) error {
	s.replicas, s.descriptors = map[uint64]*Replica{}, map[uint64]*Descriptor{}
	s.damaged = newDamages(s.Damage)
	if err := s.scanIdent(); err != nil {
		return fmt.Errorf("survey store %q: %w", s.Name, err)
	}
	if err := s.scanReplicas(ctx); err != nil {
		return fmt.Errorf("survey replicas of store %q: %w", s.Name, err)
	}
	if err := s.scanDescriptors(ctx); err != nil {
		return fmt.Errorf("survey ranges of store %q: %w", s.Name, err)
	}
	for id, r := range s.replicas {
		r.Desc = s.descriptors[id]
		if r.ID == 0 && r.Desc != nil && s.Store != 0 {
			if m := r.Desc.Member(s.Store); m != nil {
				r.ID = m.Replica
			}
		}
		own := keys.PrefixSpan(keys.AppendUvarint([]byte("\x01i"), id))
		r.Damaged = r.Damaged || s.damaged.touches(own)
		last, known := s.Appended[id]
		r.Ends = known && last == r.Last.Index
	}
	return nil
}

func (s *Source) scanIdent() error {
	user := keys.StoreKey(nil, keys.StoreIdent)
	it := s.View.Iter(only(user))
	if it.Next() {
		if msg, err := mvcc.Message(user, it.Value()); err == nil {
			id, err := raftlog.Field(msg, 1)
			if err == nil {
				copy(s.Cluster[:], id)
				err = ints(msg, map[int]*uint64{2: &s.Node, 3: &s.Store})
			}
			if err != nil {
				s.errs = append(s.errs, fmt.Sprintf("read store ident: %v", err))
			}
		}
	}
	s.damaged.add(it.Damage())
	return closed(it)
}

// scanReplicas reads the state of each replica and the part of its log that it
// has not applied.
func (s *Source) scanReplicas(ctx context.Context) error {
	it := s.View.Iter(keys.RangeIDSpan())
	var r *Replica
	for it.Next() {
		user, version, err := keys.Split(it.Key())
		if err != nil || len(version) > 0 {
			continue
		}
		k, ok := keys.ParseRangeID(user)
		if !ok {
			continue
		}
		if r == nil || r.RangeID != k.RangeID {
			if err := ctx.Err(); err != nil {
				_ = it.Close()
				return err
			}
			r = &Replica{Source: s, RangeID: k.RangeID}
			s.replicas[k.RangeID] = r
		}
		switch {
		case k.Suffix == keys.AbortSpan:
			it.SeekGE(keys.RangeIDKey{RangeID: k.RangeID, Replicated: k.Replicated, Suffix: "abc."}.Append(nil))
		case k.Suffix == keys.RaftLog && !k.Replicated:
			s.note(r.readLog(it, k, user))
		case k.Suffix == keys.OldAppliedIndex, k.Suffix == keys.OldLeaseIndex:
			s.note(r.readOld(k, it.Value()))
		default:
			s.note(r.read(k, user, it.Value()))
		}
	}
	s.damaged.add(it.Damage())
	for _, r := range s.replicas {
		switch {
		case r.First == 0 && r.Truncated.Index >= r.Applied:
			r.Last = r.Truncated
		case r.Last.Index <= r.Applied:
			r.Last = Position{Index: r.Applied, Term: max(r.appliedTerm, r.Last.Term, r.Truncated.Term)}
		}
	}
	return closed(it)
}

// note keeps what was wrong with a key: the survey goes on.
func (s *Source) note(err error) {
	if err != nil {
		s.errs = append(s.errs, err.Error())
	}
}

// readLog reads the log's entry that the walk stands on. What the replica has
// applied is passed over but for its first and its last entry.
func (r *Replica) readLog(it engine.Iter, k keys.RangeIDKey, user []byte) error {
	if len(k.Detail) != 8 {
		return fmt.Errorf("range %d: log key %x: %w", k.RangeID, user, raftlog.ErrEntry)
	}
	index := be64(k.Detail)
	if r.First == 0 {
		r.First = index
	}
	if index < r.Applied {
		it.SeekGE(keys.LogKey(nil, k.RangeID, r.Applied))
		r.Last.Index = index
		return nil
	}
	e, err := raftlog.ParseEntry(user, it.Value())
	if err == nil && e.Index != index {
		err = fmt.Errorf("entry %d under the key of index %d: %w", e.Index, index, raftlog.ErrEntry)
	}
	if err != nil {
		r.Damaged = true
		return fmt.Errorf("range %d: %w", k.RangeID, err)
	}
	r.Last = Position{Index: index, Term: e.Term}
	r.addTail(index, e.Term)
	// Without a state it may be the whole log. What is not kept is read again.
	if index > r.Applied && r.State && r.Source.room.tails.take(int64(len(it.Value()))+changeRoom) {
		if r.kept == nil {
			r.kept = map[uint64][]byte{}
		}
		r.kept[index] = bytes.Clone(it.Value())
	}
	return nil
}

// scanDescriptors reads the newest committed descriptor of each range, as far as
// this store knows.
func (s *Source) scanDescriptors(ctx context.Context) error {
	reader := mvcc.NewReader(s.View, mvcc.NewOutcomes(s.View, nil), keys.Timestamp{})
	it := reader.Iter(keys.RangeLocalSpan(keys.Span{}))
	for it.Next() {
		k, ok := keys.ParseRangeLocal(nil, it.Key())
		if !ok || k.Suffix != keys.Descriptor || it.Timestamp().IsZero() {
			continue
		}
		if err := ctx.Err(); err != nil {
			_ = it.Close()
			return err
		}
		d, err := descriptorOf(it.Key(), it.Value())
		if err != nil {
			s.note(err)
			continue
		}
		if old := s.descriptors[d.RangeID]; old == nil || old.Generation < d.Generation {
			s.descriptors[d.RangeID] = d
		}
	}
	s.damaged.add(it.Damage())
	return it.Close()
}

// descriptorOf reads the value of a descriptor's key.
func descriptorOf(user, value []byte) (*Descriptor, error) {
	msg, err := mvcc.ValueBytes(user, value)
	if err != nil {
		return nil, fmt.Errorf("read range descriptor: %w", err)
	}
	return ParseDescriptor(msg)
}
