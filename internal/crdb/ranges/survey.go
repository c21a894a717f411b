package ranges

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/mvcc"
)

// Map is what the survey found: every range, who speaks for it, and what is
// missing.
type Map struct {
	Sources  []*Source
	Ranges   []*Range // by start key; those that speak for no key are in it too
	Holes    []Hole
	Overlaps []Overlap
	Notes    []string // what is wrong with the stores' own records

	parts    []part
	room     *room
	outcomes *mvcc.Outcomes
}

// Options of a survey.
type Options struct {
	Mode    Mode
	Memory  int64  // bytes that logs may take which are not applied; more goes to a file. 0 is 256 MiB
	Scratch string // folder for that file, outside the evidence; empty: the system's own for temporary files
}

// Survey reads the local keys of the stores and settles which replica speaks for
// which keys. Close the map when it is done with.
func Survey(ctx context.Context, sources []*Source, opts Options) (_ *Map, err error) {
	m := &Map{Sources: sources, room: newRoom(opts.Memory, opts.Scratch)}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.Close())
		}
	}()
	g, scanning := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, s := range sources {
		s.room = m.room
		g.Go(func() error { return s.scan(scanning) })
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for _, s := range sources {
		for _, text := range s.errs {
			m.Notes = append(m.Notes, fmt.Sprintf("store %q: %s", s.Name, text))
		}
	}
	m.settle(opts.Mode)
	m.finish()
	if err := m.fillHoles(ctx, opts.Mode); err != nil {
		return nil, err
	}
	if err := m.room.failed(); err != nil {
		return nil, err
	}
	return m, nil
}

// Close gives back what the map has on disk.
func (m *Map) Close() error { return m.room.file.Close() }

// settle makes the ranges out of the replicas, and those that a split in a log
// makes out of them.
func (m *Map) settle(mode Mode) {
	newest := map[uint64]*Descriptor{}
	replicas := map[uint64][]*Replica{}
	for _, s := range m.Sources {
		for id, d := range s.descriptors {
			if old := newest[id]; old == nil || old.Generation < d.Generation {
				newest[id] = d
			}
		}
		for id, r := range s.replicas {
			replicas[id] = append(replicas[id], r)
		}
	}
	m.inferIdents(newest)
	ids := make([]uint64, 0, len(newest))
	for id := range newest {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	byID := make(map[uint64]*Range, len(ids))
	for _, id := range ids {
		slices.SortFunc(replicas[id], func(a, b *Replica) int { return cmp.Compare(a.Source.Name, b.Source.Name) })
		byID[id] = newRange(newest[id], replicas[id], mode)
		m.Ranges = append(m.Ranges, byID[id])
	}
	for i := 0; i < len(m.Ranges); i++ { // it grows
		m.born(m.Ranges[i], byID)
	}
	slices.SortFunc(m.Ranges, byStart)
}

// byStart is the order of ranges.
func byStart(a, b *Range) int {
	return cmp.Or(bytes.Compare(a.Start, b.Start), cmp.Compare(a.RangeID, b.RangeID))
}

// born adds the ranges that split off in the part of a log that the chosen
// replica had not applied, if no store has a replica of them yet.
func (m *Map) born(parent *Range, byID map[uint64]*Range) {
	if parent.Replay == nil {
		return
	}
	for _, s := range parent.Replay.Splits {
		if known := byID[s.Right.RangeID]; known != nil && known.Chosen != nil {
			continue
		}
		child := parent.split(s)
		if known := byID[s.Right.RangeID]; known != nil {
			if known.Generation > s.Right.Generation {
				child.Descriptor = known.Descriptor
			}
			*known = *child
			continue
		}
		byID[s.Right.RangeID] = child
		m.Ranges = append(m.Ranges, child)
	}
}

// split is the range that a split in the log makes: its keys are where the
// chosen replica of its parent has them, and its state is in the split's batch.
func (r *Range) split(s Split) *Range {
	own := &Replica{Source: r.Chosen.Source, RangeID: s.Right.RangeID, Desc: s.Right, Damaged: r.Chosen.Damaged}
	it := r.Replay.over(engine.Empty{}).Iter(keys.PrefixSpan(keys.AppendUvarint([]byte("\x01i"), own.RangeID)))
	for it.Next() {
		user, _, err := keys.Split(it.Key())
		if err != nil {
			continue
		}
		if k, ok := keys.ParseRangeID(user); ok && k.Suffix != keys.RaftLog {
			own.Source.note(own.read(k, user, it.Value()))
		}
	}
	own.Source.note(closed(it))
	own.Last = Position{Index: own.Applied, Term: own.Truncated.Term}
	child := &Range{Descriptor: *s.Right, Replicas: []*Replica{own}, Chosen: own, Commit: r.Commit}
	child.Commit.Target = own.Applied
	child.log = newUnionLog(own.RangeID, child.Replicas, own)
	child.Replay = &Replay{From: own.Applied, To: own.Applied, Stats: own.Stats}
	child.bases = above(r.bases, nil)
	for _, b := range child.bases {
		b.rng = child
	}
	child.note("it split off range %d at index %d, which no store had applied", r.RangeID, s.Index)
	return child
}

// finish lays out who speaks for which keys.
func (m *Map) finish() {
	var speaking []*Range
	for _, r := range m.Ranges {
		if len(r.bases) > 0 {
			speaking = append(speaking, r)
		}
	}
	m.Holes, m.Overlaps = cover(speaking)
	m.parts = m.layParts(speaking)
	m.outcomes = mvcc.NewOutcomes(m.View(), m.Known)
}

// Damage is all that is known of it in the stores: more once they are read.
func (m *Map) Damage() []engine.Damage {
	var out []engine.Damage
	for _, s := range m.Sources {
		out = append(out, s.damaged.all()...)
	}
	return out
}

// learn takes in damage that the stores' remains were found to have.
func (m *Map) learn(list []engine.Damage) {
	for _, s := range m.Sources {
		s.damaged.add(slices.DeleteFunc(slices.Clone(list), func(d engine.Damage) bool { return d.Store != s.Name }))
	}
}

// Absent are the members of a range whose stores are not here: what its ranges
// lack for a proof, any of them may have.
func (m *Map) Absent(members []Member) (out []Member) {
	for _, one := range members {
		if !slices.ContainsFunc(m.Sources, func(s *Source) bool { return s.Store == one.Store }) {
			out = append(out, one)
		}
	}
	return out
}

// Held is how many bytes of logs the map keeps in memory.
func (m *Map) Held() int64 { return m.room.tails.used.Load() + m.room.layers.used.Load() }

// Outcomes judges transactions by the newest state of all ranges.
func (m *Map) Outcomes() *mvcc.Outcomes { return m.outcomes }

// Reader reads all ranges at a moment; the zero moment is the newest state.
func (m *Map) Reader(asOf keys.Timestamp) *mvcc.Reader {
	return mvcc.NewReader(m.View(), m.outcomes, asOf)
}
