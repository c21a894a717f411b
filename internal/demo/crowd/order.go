package crowd

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/evac-io/evac/internal/demo/shop"
)

// send places an order and remembers what it was told: 201 is a promise; a
// clear refusal drops the order; anything else leaves it unclear, and the same
// order, by its key, is sent again.
func (c *Crowd) send(o shop.Order) {
	body, err := json.Marshal(o)
	if err != nil {
		c.breakOff(err) // a bug: an order is plain data
		return
	}
	res, err := c.client.Post(c.o.URL+"/orders", "application/json", bytes.NewReader(body))
	why := reason(res, err, http.StatusCreated)
	at := time.Now()
	switch {
	case why == "":
		c.promised(o, from(res))
	case err == nil && refused(res):
		c.refusedAgain(o, at)
	default:
		c.mu.Lock()
		c.unclear[o.Key] = unclear{o, at.Add(retryAfter)}
		c.mu.Unlock()
	}
	c.record.answered(writes, at, why)
}

// refused tells whether this answer says that the order was not taken now. A
// 503 says so if the page or the shop gave it; a gateway's own may stand for a
// lost answer.
func refused(res *http.Response) bool {
	return res.StatusCode == http.StatusServiceUnavailable && from(res) != fromGateway || res.StatusCode/100 == 4
}

// promised writes an acknowledged order down before it counts.
func (c *Crowd) promised(o shop.Order, app string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.takenBy = app
	if _, err := c.ledger.WriteString(o.Key.String() + "\n"); err != nil && c.broken == nil {
		c.broken = err
	}
	delete(c.unclear, o.Key)
	c.acknowledged = append(c.acknowledged, o.Key)
}

// refusedAgain keeps an order that was unclear before: that it is refused now
// says nothing of what became of it the first time.
func (c *Crowd) refusedAgain(o shop.Order, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, was := c.unclear[o.Key]; was {
		c.unclear[o.Key] = unclear{o, at.Add(retryAfter)}
	}
}

// sendAgain sends the unclear orders whose time has come.
func (c *Crowd) sendAgain(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, u := range c.unclear {
		if c.again == mostAgain {
			return
		}
		if now.After(u.again) {
			u.again = now.Add(2 * patience) // not while this try is on its way
			c.unclear[key] = u
			c.again++
			c.ended.Go(func() {
				c.send(u.order)
				c.mu.Lock()
				c.again--
				c.mu.Unlock()
			})
		}
	}
}

func (c *Crowd) breakOff(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken == nil {
		c.broken = err
	}
	c.end()
}

func cause(err error) string {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return "timeout"
	}
	return "connection"
}

// drain lets the connection be used again. What the rest of an answer was, or
// that it broke off, changes nothing: the status line has said it.
func drain(res *http.Response) {
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<16))
	_ = res.Body.Close()
}
