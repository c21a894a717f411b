package ranges

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/ranges/raftlog"
)

// errGap says that no replica has the next entry.
var errGap = errors.New("no store has this entry of the log")

// unionLog is a range's log put together from those of all its replicas.
type unionLog struct {
	rangeID  uint64
	replicas []*Replica // the best one first
	trusted  []uint64   // of each, the last index that holds
}

// loaded is a stretch of a log as it was read from all replicas at once.
type loaded map[uint64]found

// found is a stored entry and who has it.
type found struct {
	value []byte
	from  *Replica
}

func newUnionLog(rangeID uint64, replicas []*Replica, best *Replica) *unionLog {
	l := &unionLog{rangeID: rangeID}
	if best != nil {
		l.replicas = append(l.replicas, best)
	}
	for _, r := range replicas {
		if r != best {
			l.replicas = append(l.replicas, r)
		}
	}
	for _, r := range l.replicas {
		l.trusted = append(l.trusted, trusted(r, best))
	}
	return l
}

// first is the lowest index that some log begins with, 0 if there is no log.
func (l *unionLog) first() (first uint64) {
	for _, r := range l.replicas {
		if r.First > 0 && (first == 0 || r.First < first) {
			first = r.First
		}
	}
	return first
}

// window is how many entries of a log are loaded at once, at most.
const window = 4096

// load reads the entries behind an index up to another one, or fewer if they have
// more bytes than wanted: up to end. What was read with the replicas' states is
// there; the rest comes in one walk over each log that is needed.
func (l *unionLog) load(behind, to uint64, bytes int64) (out loaded, end uint64, err error) {
	out, end = loaded{}, min(to, behind+window)
	for i, r := range l.replicas {
		last := min(end, l.trusted[i], r.Last.Index)
		wanted := false
		for index := max(behind+1, r.First); index <= last && r.First > 0; index++ {
			if _, have := out[index]; have {
				continue
			}
			if value := r.kept[index]; value != nil {
				out[index] = found{value, r}
			} else {
				wanted = true
			}
		}
		if !wanted {
			continue
		}
		walked, err := l.walk(r, max(behind+1, r.First), last, bytes, out)
		if err != nil {
			return nil, 0, err
		}
		if walked < last {
			end = walked
		}
	}
	return out, end, nil
}

// walk reads a replica's log from one index to another, or to the one at which it
// has enough bytes, for what is not there yet.
func (l *unionLog) walk(r *Replica, first, last uint64, enough int64, out loaded) (end uint64, err error) {
	it := r.Source.View.Iter(keys.Span{From: keys.LogKey(nil, l.rangeID, first), To: append(keys.LogKey(nil, l.rangeID, last), 0)})
	for end = last; enough > 0 && it.Next(); {
		user, _, err := keys.Split(it.Key())
		if err != nil {
			continue
		}
		k, ok := keys.ParseRangeID(user)
		if !ok || k.Suffix != keys.RaftLog || len(k.Detail) != 8 {
			continue
		}
		index := be64(k.Detail)
		if _, have := out[index]; have {
			continue
		}
		if e, err := raftlog.ParseEntry(user, it.Value()); err == nil && e.Index == index {
			out[index] = found{bytes.Clone(it.Value()), r}
			if enough -= int64(len(it.Value())); enough <= 0 {
				end = index
			}
		}
	}
	r.Source.damaged.add(it.Damage())
	return end, closed(it)
}

// entry is the entry at an index and the replica that has it.
func (l *unionLog) entry(in loaded, index uint64) (raftlog.Entry, *Replica, error) {
	f, ok := in[index]
	if !ok {
		return raftlog.Entry{}, nil, fmt.Errorf("range %d: index %d: %w", l.rangeID, index, errGap)
	}
	e, err := raftlog.ParseEntry(keys.LogKey(nil, l.rangeID, index), f.value)
	return e, f.from, err
}

// has says whether some replica's log should have an index.
func (l *unionLog) has(index uint64) bool {
	for i, r := range l.replicas {
		if index > l.trusted[i] || r.First == 0 || index < r.First || index > r.Last.Index {
			continue
		}
		if index <= r.Applied || r.tailTerm(index) != 0 {
			return true
		}
	}
	return false
}
