package crowd_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/evac-io/evac/internal/demo/crowd"
	"github.com/evac-io/evac/internal/demo/shop"
)

// counter is a shop without a database: it counts what it takes, and does what
// mood tells it to.
type counter struct {
	mood atomic.Int32

	mu   sync.Mutex
	keys map[uuid.UUID]bool
}

// take counts an order once, as the shop does.
func (c *counter) take(r *http.Request) {
	var o shop.Order
	if json.NewDecoder(r.Body).Decode(&o) != nil {
		return // the client has left
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keys == nil {
		c.keys = map[uuid.UUID]bool{}
	}
	c.keys[o.Key] = true
}

func (c *counter) taken() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int64(len(c.keys))
}

// The moods of a shop.
const (
	open = iota
	page // takes nothing and says so
	mute // takes the order, but its answer is lost
)

func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch mood := c.mood.Load(); {
	case r.Method == http.MethodGet:
	case mood == page:
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	case mood == mute:
		c.take(r)
		panic(http.ErrAbortHandler)
	default:
		c.take(r)
		w.WriteHeader(http.StatusCreated)
	}
}

func start(t *testing.T, shopServer http.Handler) (*crowd.Crowd, string) {
	t.Helper()
	server := httptest.NewServer(shopServer)
	t.Cleanup(server.Close)
	ledger := filepath.Join(t.TempDir(), "acknowledged")
	c, err := crowd.Start(crowd.Options{URL: server.URL, Orders: 200, Reads: 400, Size: shop.Small(), Ledger: ledger})
	if err != nil {
		t.Fatal(err)
	}
	return c, ledger
}

// until waits for a condition that the crowd itself brings about.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.After(time.Minute); !ok(); {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("waited for %s in vain", what)
		}
	}
}

func TestFiguresAreWhatTheClientsSaw(t *testing.T) {
	var shop counter
	c, ledger := start(t, &shop)
	until(t, "100 orders", func() bool { return shop.taken() > 100 })
	shop.mood.Store(page)
	until(t, "100 refusals", func() bool { return refusals(c.Figures()) > 100 })
	shop.mood.Store(open)
	before := shop.taken()
	until(t, "100 more orders", func() bool { return shop.taken() > before+100 })
	f, err := c.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	if f.Acknowledged != shop.taken() || f.Unclear != 0 {
		t.Errorf("acknowledged %d, unclear %d, want %d and 0", f.Acknowledged, f.Unclear, shop.taken())
	}
	text, err := os.ReadFile(ledger)
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(text), "\n"); int64(lines) != f.Acknowledged {
		t.Errorf("ledger holds %d keys, want %d", lines, f.Acknowledged)
	}
	// 100 refusals at 200 a second are half a second, and less where a machine
	// that had stalled catches up.
	if l := f.Writes.Length(); l < 50*time.Millisecond {
		t.Errorf("write outage of %v, want about 500 ms", l)
	}
	var failed int64
	for _, s := range f.Seconds {
		failed += s.Writes.Failed + s.Reads.Failed
	}
	if failed != f.Failed || refusals(f) < 100 {
		t.Errorf("%d requests failed in all seconds, %d of them by the page; want %d, and more than 100", failed, refusals(f), f.Failed)
	}
}

func refusals(f crowd.Figures) (n int64) {
	for _, s := range f.Seconds {
		n += s.Writes.Reasons["503 page"]
	}
	return n
}

func TestUnclearOrdersAreSentAgain(t *testing.T) {
	var shop counter
	shop.mood.Store(mute)
	c, _ := start(t, &shop)
	until(t, "20 lost answers", func() bool { return c.Figures().Unclear > 20 })
	if f := c.Figures(); f.Acknowledged != 0 {
		t.Errorf("%d orders count as acknowledged without an answer", f.Acknowledged)
	}
	shop.mood.Store(open)
	f, err := c.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if f.Unclear != 0 || len(c.Unclear()) != 0 || f.Acknowledged != int64(len(c.Acknowledged())) || f.Acknowledged < 20 {
		t.Errorf("acknowledged %d, unclear %d; want every order settled in the end", f.Acknowledged, f.Unclear)
	}
}
