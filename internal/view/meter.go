package view

import "time"

// meterSpan is how far back a rate looks: long enough to be calm, short enough
// to follow a change within seconds.
const meterSpan = 20 * time.Second

// meter measures the rate of each step over its last samples.
type meter map[string][]sample

type sample struct {
	at   time.Time
	done int64
}

// add takes a sample. Work that shrinks is a new attempt: its past falls away.
func (m meter) add(id string, done int64, at time.Time) {
	past := m[id]
	if n := len(past); n > 0 {
		last := past[n-1]
		switch {
		case done < last.done:
			past = nil
		case !at.After(last.at):
			return
		}
	}
	past = append(past, sample{at, done})
	for len(past) > 2 && at.Sub(past[1].at) >= meterSpan {
		past = past[1:]
	}
	m[id] = past
}

// rates are the amounts per second of the steps that moved.
func (m meter) rates() map[string]float64 {
	rates := map[string]float64{}
	for id, past := range m {
		first, last := past[0], past[len(past)-1]
		if seconds := last.at.Sub(first.at).Seconds(); seconds > 0 && last.done > first.done {
			rates[id] = float64(last.done-first.done) / seconds
		}
	}
	return rates
}
