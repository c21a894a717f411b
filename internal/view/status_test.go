package view

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/evac-io/evac/internal/view/night"
)

func nights() map[string]Moment {
	abandoned := movingMoment()
	abandoned.Abandoned = true
	return map[string]Moment{
		"moving":     movingMoment(),
		"holding":    moment(night.Holding(), 90*time.Second),
		"waiting":    moment(night.Waiting(), 20*time.Second),
		"late":       moment(night.Waiting(), 3*time.Hour),
		"done":       moment(night.Done(), time.Hour),
		"turnedback": moment(night.TurnedBack(), time.Hour),
		"abandoned":  abandoned,
	}
}

func TestStatus(t *testing.T) {
	for name, m := range nights() {
		t.Run(name, func(t *testing.T) { golden(t, "status-"+name+".txt", printed(Take(m))) })
	}
}

func TestSnapshotJSON(t *testing.T) {
	for name, m := range nights() {
		t.Run(name, func(t *testing.T) {
			text, err := json.MarshalIndent(Take(m), "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "status-"+name+".json", string(text)+"\n")
		})
	}
}
