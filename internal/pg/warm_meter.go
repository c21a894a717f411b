package pg

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// warmMeter counts what is read, and keeps the state.
type warmMeter struct {
	set  *warmSet
	keep func(context.Context, WarmState) error
	tell func(bytes int64)
	pace pacer

	mu      sync.Mutex
	began   time.Time
	before  WarmState                      // as it was when this call began
	read    map[*warmRelation]int64        // blocks read from the beginning, without a gap
	ahead   map[*warmRelation][]blockRange // and those after a gap
	leftOut map[*warmRelation]string
	passed  int64 // bytes that an earlier call had read
	bytes   int64 // bytes that this one has
	hot     int64 // bytes of the hot set, of both
	buffers int64 // blocks that still fit into shared_buffers
	coldUS  float64
}

func newWarmMeter(set *warmSet, way warmWay, o WarmOptions) *warmMeter {
	m := &warmMeter{
		set: set, keep: o.Save, tell: o.Read, pace: pacer{rate: o.MaxRate},
		began: time.Now(), before: o.State, coldUS: o.State.ColdUS,
		read: map[*warmRelation]int64{}, ahead: map[*warmRelation][]blockRange{}, leftOut: map[*warmRelation]string{},
		buffers: way.buffers,
	}
	segments := set.segmentsByRelation()
	for _, r := range set.Relations {
		m.read[r] = min(o.State.Read[r.OID], r.Blocks)
		for _, b := range without(segments[r], 0, m.read[r]) {
			m.passed += set.size(r, b.to-b.from)
		}
		if r.hot {
			m.hot += set.size(r, m.read[r])
		}
	}
	o.Total(set.Bytes)
	o.Read(m.passed)
	return m
}

// size is what a number of blocks of the relation weigh, with their share of
// what is read along with them.
func (s *warmSet) size(r *warmRelation, blocks int64) int64 {
	return blocks*s.blockSize + int64(float64(r.also*s.blockSize)*(float64(blocks)/float64(max(1, r.Blocks))))
}

// count adds bytes read of a piece.
func (m *warmMeter) count(p piece, bytes int64) {
	m.mu.Lock()
	m.bytes += bytes
	if p.hot {
		m.hot += bytes
	}
	m.mu.Unlock()
	m.tell(bytes)
}

// finish notes that a piece is read.
func (m *warmMeter) finish(p piece) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := p.relation
	if _, out := m.leftOut[r]; out || p.whole.to == 0 {
		return
	}
	m.ahead[r] = append(m.ahead[r], p.whole)
	slices.SortFunc(m.ahead[r], func(a, b blockRange) int { return cmp.Compare(a.from, b.from) })
	for len(m.ahead[r]) > 0 && m.ahead[r][0].from == m.read[r] {
		m.read[r] = m.ahead[r][0].to
		m.ahead[r] = m.ahead[r][1:]
	}
}

// takeBuffers takes room for so many blocks in shared_buffers, if there is any.
func (m *warmMeter) takeBuffers(blocks int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.buffers < blocks {
		return false
	}
	m.buffers -= blocks
	return true
}

// leaveOut gives a relation up.
func (m *warmMeter) leaveOut(r *warmRelation, why string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.leftOut[r] = why
}

func (m *warmMeter) isLeftOut(r *warmRelation) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, out := m.leftOut[r]
	return out
}

// A saved state names the largest relations that have a number of blocks. The
// others are quickly read again, from memory.
const (
	mostKept  = 400
	worthKept = 128
)

// save keeps the state.
func (m *warmMeter) save(ctx context.Context) error {
	return m.keep(ctx, m.state())
}

func (m *warmMeter) state() WarmState {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.before
	s.Bytes += m.bytes
	s.Seconds += time.Since(m.began).Seconds()
	s.ColdUS, s.Read = m.coldUS, map[uint32]int64{}
	largest := slices.SortedFunc(maps.Keys(m.read), func(a, b *warmRelation) int {
		return cmp.Or(cmp.Compare(m.read[b], m.read[a]), cmp.Compare(a.OID, b.OID))
	})
	for _, r := range largest[:min(len(largest), mostKept)] {
		if m.read[r] >= worthKept {
			s.Read[r.OID] = m.read[r]
		}
	}
	return s
}

// result sums up.
func (m *warmMeter) result() WarmResult {
	state := m.state()
	m.mu.Lock()
	defer m.mu.Unlock()
	r := WarmResult{
		Bytes: state.Bytes, Seconds: state.Seconds, ColdUS: m.coldUS, LeftOut: slices.Clone(m.set.LeftOut),
		HotPercent: percent(m.hot, m.set.HotBytes), Percent: percent(m.passed+m.bytes, m.set.Bytes),
	}
	for _, relation := range m.set.Relations {
		if why, out := m.leftOut[relation]; out {
			r.LeftOut = append(r.LeftOut, relation.Name+": "+why)
		} else if m.read[relation] == relation.Blocks {
			r.Relations++
		}
	}
	return r
}

// percent is how much of all, 100 if there is nothing.
func percent(part, all int64) float64 {
	if all <= 0 {
		return 100
	}
	return min(100, 100*float64(part)/float64(all))
}

// pacer keeps many sessions together below one rate.
type pacer struct {
	rate int64 // bytes a second; 0: no bound
	mu   sync.Mutex
	next time.Time // when all that was read is paid for
}

// wait pays for bytes that were read.
func (p *pacer) wait(ctx context.Context, bytes int64) error {
	if p.rate <= 0 {
		return nil
	}
	p.mu.Lock()
	if now := time.Now(); p.next.Before(now) {
		p.next = now
	}
	p.next = p.next.Add(time.Duration(float64(bytes) / float64(p.rate) * float64(time.Second)))
	timer := time.NewTimer(time.Until(p.next))
	p.mu.Unlock()
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the rate: %w", context.Cause(ctx))
	}
}
