// Package raftlog decodes what a range's Raft log holds: entries, the commands
// in them, and the changes that a command makes to a store.
package raftlog

import (
	"errors"
	"fmt"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/mvcc"
	"github.com/evac-io/evac/internal/crdb/wire"
)

// ErrEntry is an entry that no known release writes.
var ErrEntry = errors.New("not a Raft entry of a known form")

// Kind is the type of an entry, by Raft's own numbers.
type Kind uint8

// The kinds of entries.
const (
	Normal Kind = iota
	ConfChange
	ConfChangeV2
)

// Entry is one entry of a Raft log.
type Entry struct {
	Kind        Kind
	Term, Index uint64
	Data        []byte // empty: an election's first entry
}

// ParseEntry reads the stored value of a log key; Data is a part of it.
func ParseEntry(user, value []byte) (e Entry, err error) {
	msg, err := mvcc.Message(user, value)
	if err != nil {
		return e, fmt.Errorf("read log entry: %w", err)
	}
	err = wire.Each(msg, func(f wire.Field) error {
		switch f.Num {
		case 1:
			e.Kind = Kind(f.Int)
		case 2:
			e.Term = f.Int
		case 3:
			e.Index = f.Int
		case 4:
			e.Data = f.Data
		}
		return nil
	})
	if err != nil {
		return e, fmt.Errorf("read log entry: %w", err)
	}
	return e, nil
}

// Command is what an entry asks every replica to do.
type Command struct {
	Sideloaded    bool   // its table lies in a file beside the store
	MaxLeaseIndex uint64 // it counts only once the replica's is lower
	LeaseSequence uint64 // it counts only under this lease
	Batch         []byte // the changes, for EachChange
	Result        Result
}

// Result is what applying a command does beside its batch (CockroachDB's
// ReplicatedEvalResult).
type Result struct {
	LeaseRequest   bool
	WriteTimestamp keys.Timestamp
	Lease          []byte // a lease that begins, if any
	GCThreshold    keys.Timestamp
	Split          *Trigger
	Merge          *Trigger
	Change         []byte // the ChangeReplicas message, if the replicas change
	Descriptor     []byte // a new descriptor, if any
	Table          *Table
	Delta          Stats
}

// Trigger is a split or a merge: the descriptors of both sides.
type Trigger struct{ Left, Right []byte }

// Table is a table of entries that is put into the store as it is.
type Table struct {
	Data []byte // empty if it was put into a file
	CRC  uint32 // Castagnoli's, over the table
}

// Stats are a range's statistics, or how they change; what reading can check of them.
type Stats struct {
	LiveBytes, LiveCount, KeyBytes, KeyCount, ValBytes, ValCount int64
	IntentBytes, IntentCount                                     int64
	Estimates                                                    int64 // not zero: not exact
}

// Add is the sum of both.
func (s Stats) Add(o Stats) Stats {
	s.LiveBytes += o.LiveBytes
	s.LiveCount += o.LiveCount
	s.KeyBytes += o.KeyBytes
	s.KeyCount += o.KeyCount
	s.ValBytes += o.ValBytes
	s.ValCount += o.ValCount
	s.IntentBytes += o.IntentBytes
	s.IntentCount += o.IntentCount
	s.Estimates += o.Estimates
	return s
}

// SameData says whether both count the same keys and versions of the same sizes.
func (s Stats) SameData(o Stats) bool {
	return s.KeyCount == o.KeyCount && s.KeyBytes == o.KeyBytes && s.ValCount == o.ValCount && s.ValBytes == o.ValBytes &&
		s.LiveCount == o.LiveCount && s.LiveBytes == o.LiveBytes
}

func (s Stats) String() string {
	return fmt.Sprintf("%d keys of %d bytes, %d versions of %d bytes, %d live of %d bytes",
		s.KeyCount, s.KeyBytes, s.ValCount, s.ValBytes, s.LiveCount, s.LiveBytes)
}

// Command is the command of an entry, nil if it has none.
func (e Entry) Command() (*Command, error) {
	data := e.Data
	if len(data) == 0 {
		return nil, nil
	}
	c := &Command{}
	if e.Kind == Normal {
		if len(data) < 9 || data[0]&0x3f > 5 {
			return nil, fmt.Errorf("entry %d begins with byte %#x: %w", e.Index, data[0], ErrEntry)
		}
		c.Sideloaded = data[0]&1 == 1 // 1, 3 and 5
		data = data[9:]               // after the command's ID of eight bytes
	} else {
		var err error
		if data, err = confChange(e.Kind, data); err != nil {
			return nil, fmt.Errorf("entry %d: %w", e.Index, err)
		}
	}
	if len(data) == 0 {
		return nil, nil
	}
	if err := c.parse(data); err != nil {
		return nil, fmt.Errorf("entry %d: %w", e.Index, err)
	}
	return c, nil
}

// confChange is the command inside a change of the configuration.
func confChange(kind Kind, data []byte) (command []byte, err error) {
	var context []byte
	field := 4
	switch kind {
	case ConfChange:
	case ConfChangeV2:
		field = 3
	default:
		return nil, fmt.Errorf("kind %d: %w", kind, ErrEntry)
	}
	if context, err = Field(data, field); err != nil || len(context) == 0 {
		return nil, err
	}
	return Field(context, 2)
}

// Field is the last field of a number in a message, nil if there is none.
func Field(msg []byte, num int) (data []byte, err error) {
	err = wire.Each(msg, func(f wire.Field) error {
		if f.Num == num {
			data = f.Data
		}
		return nil
	})
	return data, err
}

func (c *Command) parse(data []byte) error {
	return wire.Each(data, func(f wire.Field) (err error) {
		switch f.Num {
		case 4:
			c.MaxLeaseIndex = f.Int
		case 6:
			c.LeaseSequence = f.Int
		case 13:
			err = c.Result.parse(f.Data)
		case 14:
			c.Batch, err = Field(f.Data, 1)
		}
		return err
	})
}

func (r *Result) parse(data []byte) error {
	return wire.Each(data, func(f wire.Field) (err error) {
		switch f.Num {
		case 2:
			err = r.parseState(f.Data)
		case 3:
			r.Split, err = parseTrigger(f.Data)
		case 4:
			r.Merge, err = parseTrigger(f.Data)
		case 6:
			r.LeaseRequest = f.Int != 0
		case 8:
			r.WriteTimestamp, err = mvcc.ParseTimestamp(f.Data)
		case 12:
			r.Change = f.Data
		case 17:
			r.Table, err = parseTable(f.Data)
		case 18:
			r.Delta, err = ParseStats(f.Data, true)
		case 27:
			err = fmt.Errorf("table on external storage: %w", ErrEntry)
		case 30:
			err = fmt.Errorf("excised keys: %w", ErrEntry)
		}
		return err
	})
}

// parseState reads what of the replica's state a command replaces.
func (r *Result) parseState(data []byte) error {
	return wire.Each(data, func(f wire.Field) (err error) {
		switch f.Num {
		case 3:
			r.Descriptor = f.Data
		case 4:
			r.Lease = f.Data
		case 6:
			r.GCThreshold, err = mvcc.ParseTimestamp(f.Data)
		}
		return err
	})
}

// parseTrigger reads a split or a merge, which hold their trigger in field 1.
func parseTrigger(data []byte) (*Trigger, error) {
	msg, err := Field(data, 1)
	if err != nil {
		return nil, err
	}
	t := &Trigger{}
	if t.Left, err = Field(msg, 1); err != nil {
		return nil, err
	}
	t.Right, err = Field(msg, 2)
	return t, err
}

func parseTable(data []byte) (*Table, error) {
	t := &Table{}
	return t, wire.Each(data, func(f wire.Field) error {
		switch f.Num {
		case 1:
			t.Data = f.Data
		case 2:
			t.CRC = uint32(f.Int)
		}
		return nil
	})
}

// ParseStats reads a range's statistics; delta says that they are a command's
// change of them, whose numbers may be negative and are written otherwise.
func ParseStats(data []byte, delta bool) (s Stats, err error) {
	fields := map[int]*int64{4: &s.LiveBytes, 5: &s.LiveCount, 6: &s.KeyBytes, 7: &s.KeyCount, 8: &s.ValBytes, 9: &s.ValCount,
		10: &s.IntentBytes, 11: &s.IntentCount, 14: &s.Estimates}
	err = wire.Each(data, func(f wire.Field) error {
		if v := fields[f.Num]; v != nil {
			if *v = int64(f.Int); delta {
				*v = f.Sint()
			}
		}
		return nil
	})
	return s, err
}

// Changes are the changes of a command's batch; its slices are parts of the entry.
func (c *Command) Changes() ([]engine.Change, error) {
	if len(c.Batch) == 0 {
		return nil, nil
	}
	return ParseBatch(c.Batch)
}
