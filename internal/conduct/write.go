package conduct

import (
	"context"
	"slices"
	"time"

	"github.com/evac-io/evac/internal/journal"
)

// record applies an event to the state at once and puts it into the batch.
func (c *conductor) record(e journal.Event) {
	e.Run, e.At = c.run, c.o.Now()
	if err := c.st.Apply(e); err != nil {
		// The conductor made an event that its own fold refuses.
		panic("evac: internal error: " + err.Error())
	}
	if len(c.batch) == 0 {
		c.since = time.Now()
	}
	c.batch = append(c.batch, e)
}

func (c *conductor) event(t journal.Type, node string, attempt int, body any) {
	c.record(journal.NewEvent(t, c.actor(), node, attempt, body))
}

// flush writes the batch in one transaction, then lets those go on who waited
// for it.
func (c *conductor) flush() error {
	events, err := c.lease.Append(context.WithoutCancel(c.ctx), c.batch...)
	if err != nil {
		return err
	}
	before := c.seen.Load()
	between := events[0].Seq != before+1
	last := events[len(events)-1]
	c.seen.Store(last.Seq)
	c.st.Seq, c.st.Head = last.Seq, last.Hash
	c.batch, c.urgent = c.batch[:0], false
	if between {
		if events, err = c.reload(before); err != nil {
			return err
		}
	}
	if c.o.OnEvent != nil {
		for _, e := range events {
			c.o.OnEvent(e)
		}
	}
	c.answer(nil)
	return nil
}

func (c *conductor) answer(err error) {
	waiting := c.commit
	c.commit = nil
	for _, answer := range waiting {
		answer(err)
	}
}

// reload makes the state anew when another process's events came between
// ours: the order on disk is the one that counts. It gives all events after
// the given one.
func (c *conductor) reload(after int64) ([]journal.Event, error) {
	ctx := context.WithoutCancel(c.ctx)
	st, err := c.o.Journal.Load(ctx, c.run)
	if err != nil {
		return nil, err
	}
	events, err := c.o.Journal.Events(ctx, c.run, after)
	if err != nil {
		return nil, err
	}
	// Whatever came after the state was made is taken in as news.
	events = slices.DeleteFunc(events, func(e journal.Event) bool { return e.Seq > st.Seq })
	c.st, c.agenda = st, nil
	c.seen.Store(st.Seq)
	return events, nil
}

// takeNews takes in what other processes have appended.
func (c *conductor) takeNews() error {
	events, err := c.o.Journal.Events(c.ctx, c.run, c.seen.Load())
	if err != nil {
		return err
	}
	for _, e := range events {
		if err := c.st.Apply(e); err != nil {
			return err
		}
		c.seen.Store(e.Seq)
		if c.o.OnEvent != nil {
			c.o.OnEvent(e)
		}
	}
	return nil
}
