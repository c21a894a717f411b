package crowd

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestFigures(t *testing.T) {
	start := time.Date(2026, 11, 21, 2, 0, 0, 0, time.UTC)
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	r := newRecord(start)
	for _, a := range []struct {
		class  class
		ms     int
		reason string
	}{
		{writes, 100, ""},
		{reads, 150, ""},
		{writes, 200, ""},
		{writes, 700, "503 page"},
		{writes, 1100, "503 page"},
		{reads, 1200, "timeout"},
		{writes, 1700, ""}, // 1.5 s after the one before
		{writes, 1650, ""}, // answers may come in out of order
		{reads, 2100, ""},
	} {
		r.answered(a.class, at(a.ms), a.reason)
	}
	want := Figures{
		From: start, To: at(2500), Requests: 9, Failed: 3,
		Writes: Outage{at(200), at(1700)}, Reads: Outage{at(150), at(2100)},
		Seconds: []Second{
			{start, Count{3, 1, map[string]int64{"503 page": 1}}, Count{1, 0, nil}},
			{at(1000), Count{3, 1, map[string]int64{"503 page": 1}}, Count{1, 1, map[string]int64{"timeout": 1}}},
			{at(2000), Count{}, Count{1, 0, nil}},
		},
	}
	if diff := cmp.Diff(want, r.figures(at(2500))); diff != "" {
		t.Errorf("figures (-want +got):\n%s", diff)
	}
	// What has not come back is out until now.
	if got, want := r.figures(at(9000)).Writes, (Outage{at(1700), at(9000)}); got != want {
		t.Errorf("an outage that lasts: %v, want %v", got, want)
	}
}
