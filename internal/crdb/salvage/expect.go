package salvage

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/ranges"
	"github.com/evac-io/evac/internal/crdb/rows"
)

// Output is what a salvage would give, and how long it would take on this machine,
// by what reading a sample of the rows gave and took.
type Output struct {
	StoredBytes int64   `json:"stored_bytes"` // that a salvage reads: the chosen replicas', tables and indexes
	Bytes       int64   `json:"bytes"`        // of CSV
	Rows        int64   `json:"rows"`
	Seconds     float64 `json:"seconds"`
	Jobs        int     `json:"jobs"`         // pieces read at once, one a core
	SampleBytes int64   `json:"sample_bytes"` // stored
	SampleRate  float64 `json:"sample_rate"`  // stored bytes a second and core, with the other replicas compared
}

// The sample: from so many places, at most so many stored bytes each, and no new
// place after so long.
const (
	samplePlaces = 24
	sampleBytes  = 1 << 20
	sampleTime   = 1500 * time.Millisecond
)

// linear is how much of a core a further one gives, as measured.
const linear = 0.85

// Expect reads a sample of the rows. It is nil if there are none.
func (c *Cluster) Expect(ctx context.Context) (*Output, error) {
	p, err := c.Plan(ctx, nil)
	if err != nil {
		return nil, err
	}
	var tasks []Task
	var rowBytes int64
	for _, t := range p.Tasks {
		if t.Index == 0 {
			tasks, rowBytes = append(tasks, t), rowBytes+t.Bytes
		}
	}
	if rowBytes == 0 {
		return nil, nil
	}
	out := &Output{StoredBytes: p.Bytes, Jobs: runtime.GOMAXPROCS(0)}
	var sum sample
	begun := time.Now()
	next := int64(0) // the sample goes on at the task that has this stored byte
	for _, t := range tasks {
		if next -= t.Bytes; next > 0 {
			continue
		}
		if time.Since(begun) > sampleTime && sum.stored > 0 {
			break
		}
		if err := c.sample(ctx, p, t, &sum); err != nil {
			return nil, err
		}
		next = rowBytes / samplePlaces
	}
	if sum.stored == 0 {
		return nil, nil
	}
	out.SampleBytes, out.SampleRate = sum.stored, float64(sum.stored)/sum.took.Seconds()
	out.Bytes = int64(float64(sum.csv.n) / float64(sum.stored) * float64(rowBytes))
	out.Rows = int64(float64(sum.rows) / float64(sum.stored) * float64(rowBytes))
	out.Seconds = float64(p.Bytes) / out.SampleRate / (1 + linear*float64(out.Jobs-1))
	return out, nil
}

// sample is what was read so far.
type sample struct {
	stored, rows int64
	csv          counted
	took         time.Duration
}

// counted is a writer that only counts.
type counted struct{ n int64 }

func (c *counted) Write(b []byte) (int, error) {
	c.n += int64(len(b))
	return len(b), nil
}

// sample reads the first rows of a task as a salvage would.
func (c *Cluster) sample(ctx context.Context, p *Plan, t Task, sum *sample) error {
	d := p.decoders[c.Catalog.Table(t.Tenant, t.Table)]
	span := keys.Span(t.Span)
	view := c.View()
	if cuts := view.Split(span, sampleBytes); len(cuts) > 0 {
		if to := d.RowStart(cuts[0]); bytes.Compare(to, span.From) > 0 {
			span.To = to
		}
	}
	begun := time.Now()
	var read ranges.Tally
	for {
		it := c.tallied(c.asOf, span, &read).Iter(span)
		res, err := d.Read(ctx, it, rows.Output{Rows: rows.NewCSV(&sum.csv, "")})
		if err := errors.Join(err, c.closed(it)); errors.Is(err, ranges.ErrReadAgain) {
			continue
		} else if err != nil {
			return err
		}
		sum.rows += res.Rows
		break
	}
	if c.Map != nil {
		if _, err := c.Map.Compare(ctx, span, &read); err != nil {
			return err
		}
	}
	sum.took += time.Since(begun)
	sum.stored += view.Size(span)
	return nil
}
