package cockroach

import (
	"context"
	"errors"
	"strings"

	"github.com/evac-io/evac/internal/crdb/salvage"
	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/step"
)

// LookupDoc is what an operator reads of a lookup.
const LookupDoc = `
One user's rows, now, from the raw store files, while everything is down. Only the keys that are asked for are read, so that the answer comes in
a second or two however large the stores are; they are only read, and nothing of the answer is kept: no run, no journal.

Give the values of the key's columns as text, in their order, one --key for each: --key kim --key 7. A comma is part of a value. Fewer values than
columns find all rows that begin with them. Without --index it is the primary key; with it that index, which also finds rows that had the values
once. A hidden bucket column of a hash-sharded index is left out: all buckets are looked into. If a value cannot be read as its column's type, the
error names the key's columns and their types. Quote what begins with a dash: --key=-5.

Shown are each row as it is now and what it was before: moment by moment what was written, as long as the garbage collector had not come; and what
transactions wrote that are not committed (uncommitted, aborted, or unknown where nobody can say). Then what the row rests on: range, store, and
index of the Raft log; and whether all replicas have the same. Give all stores: with some alone, later writes may be missing, and the answer says so.

Exit code 0: the answer is certain, also if there is no such row. 3: it may not be all, or not the newest; why is said.
`

// Lookup asks stores for the rows of one table under one key. It is no kind of
// step, for what it finds is people's data, which belongs into no journal.
type Lookup struct {
	Stores             []string
	Table, Index, Null string
	Key                []string
	Limit              int
	AsOf, Memory, Work string
	StoreKey           []string
}

// Find looks. The answer is there, too, with an error of kind Different: then it
// is in doubt.
func (l *Lookup) Find(ctx context.Context) (_ *salvage.Found, err error) {
	opt, err := l.options()
	if err != nil {
		return nil, err
	}
	c, err := salvage.Open(ctx, l.Stores, opt)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	found, err := c.Lookup(ctx, salvage.Query{Table: l.Table, Index: l.Index, Key: l.Key, Null: l.Null, Limit: l.Limit})
	if err != nil {
		return nil, err
	}
	if len(found.Doubts) > 0 {
		err = fault.New(fault.Different, "the answer is in doubt: "+strings.Join(found.Doubts, "; "), "give the stores of all nodes")
	}
	return found, err
}

func (l *Lookup) options() (opt salvage.Options, err error) {
	if opt.AsOf, err = salvage.ParseMoment(l.AsOf); err != nil {
		return opt, err
	}
	size, err := step.ParseSize(l.Memory)
	if err != nil {
		return opt, fault.Wrap(fault.Invalid, "--memory", err, "")
	}
	if opt.Memory, err = enough(size); err != nil {
		return opt, err
	}
	opt.Work = l.Work
	opt.StoreKeys, err = keyFiles(&step.Env{}, l.StoreKey)
	return opt, err
}
