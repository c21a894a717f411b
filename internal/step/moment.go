package step

import (
	"fmt"
	"time"
)

// ParseMoment reads RFC 3339, or HH:MM as the time of that name nearest to
// now, in now's zone: up to twelve hours ahead or behind.
func ParseMoment(text string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	clock, err := time.Parse("15:04", text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is not a time", text)
	}
	var nearest time.Time
	for day := -1; day <= 1; day++ {
		t := time.Date(now.Year(), now.Month(), now.Day()+day, clock.Hour(), clock.Minute(), 0, 0, now.Location())
		if nearest.IsZero() || t.Sub(now).Abs() < nearest.Sub(now).Abs() {
			nearest = t
		}
	}
	return nearest, nil
}
