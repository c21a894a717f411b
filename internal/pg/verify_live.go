package pg

import (
	"context"
	"errors"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/evac-io/evac/internal/secret"
)

// While the source is written to and the target follows it, two snapshots never
// show the same. So what differs is only suspected, and read again under new
// snapshots: a row that is the same on both sides by then, or has on the target
// what it had on the source at an earlier look, is on its way and does not count.

// suspects are the rows of a pair that differed when it was last read.
type suspects struct {
	size, room int64        // bytes, in all and left
	seed       maphash.Seed // of the versions' hashes
	rows       map[string]*suspect
	// over tells that they were too many to keep: all rows are suspected.
	over bool
	// before are those of the look before this one; nil at the first.
	before *suspects
}

// suspect is a row: how often it differed (equal rows of a table without a key
// may differ more than once), and what the source held at each look.
type suspect struct {
	times int
	seen  []uint64
}

func newSuspects(room int64) *suspects {
	return &suspects{size: room, room: room, seed: maphash.MakeSeed(), rows: map[string]*suspect{}}
}

// again are the suspects of the next look.
func (s *suspects) again() *suspects {
	return &suspects{size: s.size, room: s.size, seed: s.seed, rows: map[string]*suspect{}, before: s}
}

// ofSuspect is about what a suspect takes in memory beyond its name.
const ofSuspect = 120

// counts takes a row that differs into the suspects and tells whether it was one
// before and has not moved on since.
func (s *suspects) counts(p *pair, source, target []byte) bool {
	name := suspectName(p, source, target)
	var seen []uint64
	if s.before != nil && !s.before.over {
		old := s.before.rows[name]
		if old == nil || old.times == 0 {
			return false
		}
		old.times--
		if p.keys > 0 && slices.Contains(old.seen, s.version(target)) {
			return false // it has come as far as the source was then
		}
		seen = old.seen
	}
	if s.over {
		return true
	}
	one := s.rows[name]
	if one == nil {
		one = &suspect{}
		s.rows[name] = one
		s.room -= int64(len(name)) + ofSuspect
	}
	one.times++
	one.seen = append(seen, s.version(source))
	if s.room < 0 {
		s.over, s.rows = true, nil
	}
	return true
}

// suspectName is by what a row is known again: its key, or all of it and the
// side that it is on.
func suspectName(p *pair, source, target []byte) string {
	side, row := "-", source
	if row == nil {
		side, row = "+", target
	}
	if p.keys == 0 {
		return side + string(row)
	}
	return string(keyOf(row, p.keys))
}

// version tells the contents of a row apart, 0 where there is none.
func (s *suspects) version(row []byte) uint64 {
	if row == nil {
		return 0
	}
	return maphash.Bytes(s.seed, row)
}

// namedSuspects bounds how many rows are asked for by their keys; more are found
// by reading the whole relation.
const namedSuspects = 2000

// condition asks for the suspects by their keys, on one side.
func (s *suspects) condition(p *pair, r *relation) (sql string, ok bool) {
	if s.over || p.keys == 0 || len(s.rows) == 0 || len(s.rows) > namedSuspects {
		return "", false
	}
	columns := make([]string, p.keys)
	for i, c := range p.columns[:p.keys] {
		columns[i] = r.value(c)
	}
	keys := make([]string, 0, len(s.rows))
	for name := range s.rows {
		values := fields([]byte(name), p.keys)
		literals := make([]string, len(values))
		for i, v := range values {
			literals[i] = Literal(string(v))
		}
		keys = append(keys, "("+strings.Join(literals, ", ")+")")
	}
	return "(" + strings.Join(columns, ", ") + ") in (" + strings.Join(keys, ", ") + ")", true
}

// lookAgain looks at what differs again and again until nothing is left of it or
// the rechecks are spent; what stays is what the pairs say.
func lookAgain(ctx context.Context, source, target secret.DSN, o VerifyOptions, pairs []*pair) error {
	wait := &backoff.ExponentialBackOff{InitialInterval: max(o.Wait, time.Millisecond), Multiplier: 2, MaxInterval: time.Minute}
	for range o.Rechecks {
		var open []*pair
		for _, p := range pairs {
			if !p.tally.Equal() {
				open = append(open, p)
			}
		}
		if len(open) == 0 {
			return nil
		}
		timer := time.NewTimer(wait.NextBackOff())
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
		if err := recheck(ctx, source, target, o, open); err != nil {
			return err
		}
	}
	if o.Rechecks > 0 {
		tellAll(o, pairs)
	}
	return nil
}

// tellAll tells of what is left.
func tellAll(o VerifyOptions, pairs []*pair) {
	told := 0
	for _, p := range pairs {
		for _, d := range p.found {
			if told++; told <= o.MaxDifferences {
				o.Found(d)
			}
		}
	}
}

// recheck reads some pairs again under new snapshots and gives them the new
// result.
func recheck(ctx context.Context, source, target secret.DSN, o VerifyOptions, open []*pair) (err error) {
	v, err := openVerifier(ctx, source, target, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.close(ctx)) }()
	fresh, err := v.pairs(ctx)
	if err != nil {
		return err
	}
	var again []*pair
	for _, old := range open {
		i := slices.IndexFunc(fresh, func(p *pair) bool { return p.class() == old.class() && p.any().name == old.any().name })
		if i < 0 { // dropped on both sides
			old.settled(Tally{}, nil)
			continue
		}
		fresh[i].look(old)
		again = append(again, fresh[i])
	}
	v.Total, v.Read = func(int64) {}, func(int64) {} // the rows were counted
	if err := v.compareAll(ctx, again); err != nil {
		return err
	}
	for _, p := range again {
		p.again.settled(p.tally, p.found)
		p.again.suspects, p.suspects.before = p.suspects, nil
	}
	return nil
}

// settled replaces what was found different; the rows stay counted.
func (p *pair) settled(t Tally, found []Difference) {
	p.tally.Missing, p.tally.Extra, p.tally.Different, p.found = t.Missing, t.Extra, t.Different, found
}

// look makes p another look at what differed in old.
func (p *pair) look(old *pair) {
	p.again = old
	if p.keys != old.keys || !old.both() { // its rows have no names, or others
		p.suspects = newSuspects(old.suspects.size)
		return
	}
	p.suspects = old.suspects.again()
	if !p.both() || p.class() == ClassView {
		return
	}
	for _, r := range p.sides() {
		condition, ok := old.suspects.condition(p, r)
		if !ok {
			return
		}
		if r.class == ClassRow {
			r.parts = r.parts[:1] // ranges of pages would read the same rows again
		}
		for i := range r.parts {
			r.parts[i].where = condition
		}
		r.bytes = 0
	}
}
