package journal

import (
	"context"
	"fmt"
	"strings"
)

// IsRequest tells whether any process may append events of the type.
func (t Type) IsRequest() bool { return strings.HasPrefix(string(t), "ask.") && t != AskAnswered }

// Request appends a request ("ask.…") to a run that has begun, whoever
// conducts it.
func (j *Journal) Request(ctx context.Context, run string, e Event) (Event, error) {
	if !e.Type.IsRequest() {
		return Event{}, fmt.Errorf("append to the journal of run %q: %q is not a request", run, e.Type)
	}
	written, err := j.append(ctx, run, 0, []Event{e}, func(t tip) ([]Event, error) {
		if t.seq == 0 {
			return nil, noRun(run)
		}
		return nil, nil
	})
	if err != nil {
		return Event{}, err
	}
	return written[0], nil
}
