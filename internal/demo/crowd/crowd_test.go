package crowd_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/evac-io/evac/internal/demo/crowd"
	"github.com/evac-io/evac/internal/demo/shop"
)

// counter is a shop without a database: it counts what it takes, and does what
// mood tells it to.
type counter struct {
	mood   atomic.Int32
	taken  atomic.Int64
	served atomic.Int64
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
		c.served.Add(1)
	case mood == page:
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	case mood == mute:
		c.taken.Add(1)
		panic(http.ErrAbortHandler)
	default:
		c.taken.Add(1)
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
	for deadline := time.After(10 * time.Second); !ok(); {
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
	until(t, "100 orders", func() bool { return shop.taken.Load() > 100 })
	shop.mood.Store(page)
	until(t, "100 refusals", func() bool { return c.Figures().Failed > 100 })
	shop.mood.Store(open)
	before := shop.taken.Load()
	until(t, "100 more orders", func() bool { return shop.taken.Load() > before+100 })
	f, err := c.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	if f.Acknowledged != shop.taken.Load() || f.Unclear != 0 {
		t.Errorf("acknowledged %d, unclear %d, want %d and 0", f.Acknowledged, f.Unclear, shop.taken.Load())
	}
	text, err := os.ReadFile(ledger)
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(text), "\n"); int64(lines) != f.Acknowledged {
		t.Errorf("ledger holds %d keys, want %d", lines, f.Acknowledged)
	}
	if f.Requests != f.Acknowledged+f.Failed+shop.served.Load() {
		t.Errorf("%d requests, want %d acknowledged + %d failed + %d reads", f.Requests, f.Acknowledged, f.Failed, shop.served.Load())
	}
	// 100 refusals at 200 a second.
	if l := f.Writes.Length(); l < 400*time.Millisecond || l > 3*time.Second {
		t.Errorf("write outage of %v, want about 500 ms", l)
	}
	if l := f.Reads.Length(); l > 400*time.Millisecond {
		t.Errorf("read outage of %v, want next to none", l)
	}
	var refused int64
	for _, s := range f.Seconds {
		refused += s.Writes.Reasons["503 page"]
	}
	if refused != f.Failed {
		t.Errorf("%d requests failed by the page, want all %d", refused, f.Failed)
	}
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
