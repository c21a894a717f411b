package examples_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/examples"
	"github.com/evac-io/evac/internal/kinds"
	"github.com/evac-io/evac/internal/runbook"
)

func TestRunbooksParseAndAreFormatted(t *testing.T) {
	registry, err := kinds.Registry()
	if err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string][]byte{
		"moving-day.hcl": examples.MovingDay, "moving-day-follow.hcl": examples.MovingDayFollow, "starter.hcl": examples.Starter,
	} {
		if _, wrong := runbook.Parse(file, text, registry); wrong.Err() != nil {
			t.Error(wrong.Err())
		}
		formatted, wrong := runbook.Format(file, text)
		if wrong.Err() != nil {
			t.Error(wrong.Err())
		}
		if diff := cmp.Diff(string(formatted), string(text)); diff != "" {
			t.Errorf("%s is not as evac fmt would write it (-fmt +file):\n%s", file, diff)
		}
	}
}
