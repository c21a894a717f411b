package view

import (
	"testing"
	"time"
)

func TestMeter(t *testing.T) {
	begin := time.Date(2025, 3, 9, 1, 0, 0, 0, time.UTC)
	m := meter{}
	at := func(seconds int, done int64) { m.add("copy", done, begin.Add(time.Duration(seconds)*time.Second)) }
	want := func(rate float64) {
		t.Helper()
		if got := m.rates()["copy"]; got != rate {
			t.Errorf("rate is %v, want %v", got, rate)
		}
	}
	at(0, 0)
	want(0)
	at(0, 50) // twice at one moment
	want(0)
	for i := 1; i <= 60; i++ {
		at(i, int64(i)*100)
	}
	want(100)
	for i := 61; i <= 90; i++ { // it slows down: the rate follows
		at(i, 6000+int64(i-60)*10)
	}
	want(10)
	at(91, 0) // a new attempt
	at(92, 7)
	want(7)
}
