package crowd

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/evac-io/evac/internal/demo/shop"
)

// Options say who comes and how often.
type Options struct {
	// URL is the shop's public address, without a slash at the end.
	URL string
	// Orders and Reads come so many times a second, whether or not earlier
	// ones were answered.
	Orders, Reads float64
	// Size of the shop, for customers and products that exist.
	Size shop.Size
	// Ledger is the file that every acknowledged order's key is appended to,
	// one a line, before it counts.
	Ledger string
}

// How the crowd behaves.
const (
	pace        = 5 * time.Millisecond // between two looks at what is due
	patience    = 2 * time.Second      // of a customer for one answer
	retryAfter  = time.Second          // an order without a clear answer is sent again
	mostWaiting = 256                  // customers waiting for an answer, of each class
	mostAgain   = 16                   // orders on their way again: more would keep a shop down that had too many once
	settleTime  = 10 * time.Second     // for unclear orders at the end
)

// Crowd is the customers at work.
type Crowd struct {
	o      Options
	client *http.Client
	record *record
	ledger *os.File
	end    context.CancelFunc
	ended  sync.WaitGroup

	mu           sync.Mutex
	acknowledged []uuid.UUID
	unclear      map[uuid.UUID]unclear
	again        int    // unclear orders that are on their way again
	takenBy      string // the app that took the newest one
	broken       error  // the ledger could not be written
}

// unclear is an order whose customer does not know whether it was taken.
type unclear struct {
	order shop.Order
	again time.Time
}

// Start lets the customers in; they come until Stop.
func Start(o Options) (*Crowd, error) {
	ledger, err := os.OpenFile(o.Ledger, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open ledger of acknowledged orders: %w", err)
	}
	ctx, end := context.WithCancel(context.Background())
	c := &Crowd{
		o: o, ledger: ledger, record: newRecord(time.Now()), end: end, unclear: map[uuid.UUID]unclear{},
		client: &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 2 * mostWaiting}},
	}
	c.come(ctx, writes, o.Orders, func() { c.send(c.newOrder()) })
	c.come(ctx, reads, o.Reads, c.read)
	return c, nil
}

// come sends one customer after the other, rate a second, until ctx ends. Who
// finds mostWaiting others waiting leaves, and counts as failed.
func (c *Crowd) come(ctx context.Context, of class, rate float64, visit func()) {
	free := make(chan struct{}, mostWaiting)
	c.ended.Go(func() {
		ticker := time.NewTicker(pace)
		defer ticker.Stop()
		for sent := 0; ; {
			select {
			case <-ctx.Done():
				return
			case now := <-ticker.C:
				for ; float64(sent) < now.Sub(c.record.start).Seconds()*rate; sent++ {
					select {
					case free <- struct{}{}:
						c.ended.Go(func() { defer func() { <-free }(); visit() })
					default:
						c.record.answered(of, now, "too many wait")
					}
				}
				if of == writes {
					c.sendAgain(now)
				}
			}
		}
	})
}

// Stop lets nobody in any more, settles what is unclear as far as it can be
// until ctx ends, and sums up.
func (c *Crowd) Stop(ctx context.Context) (Figures, error) {
	stopped := time.Now()
	c.end()
	c.ended.Wait()
	figures := c.record.figures(stopped) // what comes now is clearing up, not traffic
	c.settle(ctx)
	c.client.CloseIdleConnections()
	c.fill(&figures)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.ledger.Close(); c.broken == nil && err != nil {
		c.broken = err
	}
	return figures, c.broken
}

// settle sends unclear orders again until none is left.
func (c *Crowd) settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	ticker := time.NewTicker(retryAfter / 4)
	defer ticker.Stop()
	for ctx.Err() == nil && len(c.Unclear()) > 0 {
		select {
		case now := <-ticker.C:
			c.sendAgain(now)
		case <-ctx.Done():
		}
	}
	c.ended.Wait()
}

// Figures sums up what happened so far.
func (c *Crowd) Figures() Figures {
	f := c.record.figures(time.Now())
	c.fill(&f)
	return f
}

// Turn sums up what happened so far, and looks for outages anew from now on.
func (c *Crowd) Turn() Figures {
	f := c.Figures()
	c.record.turn()
	return f
}

// Acknowledged lists the keys of all orders that were answered with 201.
func (c *Crowd) Acknowledged() []uuid.UUID {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]uuid.UUID(nil), c.acknowledged...)
}

// Unclear lists the keys of the orders that never got a clear answer.
func (c *Crowd) Unclear() []uuid.UUID {
	c.mu.Lock()
	defer c.mu.Unlock()
	var keys []uuid.UUID
	for key := range c.unclear {
		keys = append(keys, key)
	}
	return keys
}

// fill adds what was promised.
func (c *Crowd) fill(f *Figures) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f.Acknowledged, f.Unclear, f.TakenBy = int64(len(c.acknowledged)), int64(len(c.unclear)), c.takenBy
}

func (c *Crowd) newOrder() shop.Order {
	o := shop.Order{Key: uuid.New(), Customer: 1000 + 2*rand.Int64N(int64(c.o.Size.Customers))}
	for range 1 + rand.IntN(3) {
		o.Lines = append(o.Lines, shop.Line{Product: 1 + rand.Int32N(int32(c.o.Size.Products)), Quantity: 1 + rand.Int32N(3)})
	}
	return o
}

func (c *Crowd) read() {
	url := fmt.Sprintf("%s/products/%d", c.o.URL, 1+rand.IntN(c.o.Size.Products))
	res, err := c.client.Get(url)
	c.record.answered(reads, time.Now(), reason(res, err, http.StatusOK))
}

func reason(res *http.Response, err error, want int) string {
	if err != nil {
		return cause(err)
	}
	defer drain(res)
	if res.StatusCode == want {
		return ""
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", res.StatusCode, from(res)))
}

// fromGateway is who answered if neither an app nor the page did.
const fromGateway = "gateway"

// from says who answered: the shop's old or new app, the page or the gateway.
func from(res *http.Response) string {
	switch app := res.Header.Get(shop.AppHeader); {
	case app != "":
		return app
	case res.Header.Get("Retry-After") != "":
		return "page"
	}
	return fromGateway
}
