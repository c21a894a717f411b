package pg

import "sync/atomic"

// meter turns bytes on the wire, of which nobody knows the total, into shares
// of the source's sizes, of which the sum is known: it never passes the total.
type meter struct {
	to     Progress
	weight int64
	shown  atomic.Int64
}

func (m *meter) moved(bytes int64) {
	for {
		shown := m.shown.Load()
		next := min(shown+bytes, m.weight)
		if next == shown {
			return
		}
		if m.shown.CompareAndSwap(shown, next) {
			m.to.Add(next - shown)
			return
		}
	}
}

func (m *meter) done() { m.moved(m.weight) }
