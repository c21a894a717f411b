package journal

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/evac-io/evac/internal/fault"
)

// line is an event as Export writes it: the stored bytes, in the order of the
// formula in the package comment but for prev.
type line struct {
	Run     string          `json:"run"`
	Seq     int64           `json:"seq"`
	At      string          `json:"at"`
	Epoch   int64           `json:"epoch"`
	Actor   string          `json:"actor"`
	Type    Type            `json:"type"`
	Step    string          `json:"step,omitempty"`
	Attempt int             `json:"attempt,omitempty"`
	Body    json.RawMessage `json:"body,omitempty"`
	Prev    string          `json:"prev"`
	Hash    string          `json:"hash"`
}

// Export writes the run's events as JSON, one a line, bodies byte by byte as
// they are stored. Any reader can check a line by itself; the package comment
// says how.
func (j *Journal) Export(ctx context.Context, run string, w io.Writer) error {
	out := bufio.NewWriter(w)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	var lines int
	err := scan(ctx, j.read, run, 0, nil, func(r row) error {
		lines++
		if body, err := oneLine(r.Body); err != nil || !bytes.Equal(body, r.Body) {
			return fault.New(fault.Different, fmt.Sprintf("the body of event %d is not one line of JSON: the journal was altered", r.Seq),
				"evac journal verify "+run)
		}
		return encoder.Encode(line{r.Run, r.Seq, r.at, r.Epoch, r.Actor, r.Type, r.Step, r.Attempt, r.Body, r.Prev, r.Hash})
	})
	if err == nil && lines == 0 {
		return noRun(run)
	}
	return explain(fmt.Sprintf("export the journal of run %q", run), j.home, errors.Join(err, out.Flush()))
}
