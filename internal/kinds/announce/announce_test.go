package announce_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/kinds/announce"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/step"
	"github.com/evac-io/evac/internal/testenv"
)

const hook = "/services/T000/B000/not-for-your-eyes"

// webhook is a local HTTP server that takes messages as a webhook does.
type webhook struct {
	*httptest.Server
	mu      sync.Mutex
	answers []answer // for the first requests; then "ok"
	taken   []map[string]string
	keys    []string
}

type answer struct {
	status int
	header map[string]string
	body   string
}

func newWebhook(t *testing.T, answers ...answer) *webhook {
	w := &webhook{answers: answers}
	w.Server = httptest.NewServer(w)
	t.Cleanup(w.Close)
	return w
}

func (w *webhook) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.answers) > 0 {
		a := w.answers[0]
		w.answers = w.answers[1:]
		for k, v := range a.header {
			rw.Header().Set(k, v)
		}
		rw.WriteHeader(a.status)
		_, _ = io.WriteString(rw, a.body)
		return
	}
	var m map[string]string
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil || r.URL.Path != hook || r.Method != http.MethodPost {
		http.Error(rw, "invalid_payload", http.StatusBadRequest)
		return
	}
	w.taken = append(w.taken, m)
	w.keys = append(w.keys, r.Header.Get("Idempotency-Key"))
	_, _ = io.WriteString(rw, "ok")
}

func (w *webhook) step() *announce.Announce {
	return &announce.Announce{URL: secret.New(w.URL + hook), Text: "점검을 시작합니다", Channel: "#ops"}
}

func run(t *testing.T, a *announce.Announce, env *step.Env) (step.Output, error) {
	t.Helper()
	plan, err := a.Check(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	return a.Run(t.Context(), env, plan)
}

func TestSendsOnce(t *testing.T) {
	w, env := newWebhook(t), testenv.Env(t)
	for range 2 {
		out, err := run(t, w.step(), env)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(out)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.step().Verify(t.Context(), env, step.Done{Output: text}); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff([]map[string]string{{"text": "점검을 시작합니다", "channel": "#ops"}}, w.taken); diff != "" {
		t.Error(diff)
	}
	if !cmp.Equal(w.keys, []string{env.Token}) {
		t.Errorf("idempotency keys %q, want %q", w.keys, env.Token)
	}
}

func TestWaitsWhenAsked(t *testing.T) {
	w := newWebhook(t, answer{status: 429, header: map[string]string{"Retry-After": "1"}})
	began := time.Now()
	if _, err := run(t, w.step(), testenv.Env(t)); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < time.Second || len(w.taken) != 1 {
		t.Errorf("%d messages after %s, want 1 after a second", len(w.taken), took)
	}
}

func TestRefusals(t *testing.T) {
	tests := map[string]struct {
		answer answer
		want   string
		kind   fault.Kind
	}{
		"no such hook": {answer{status: 404, body: "no_service"}, "send message: the webhook answered 404 Not Found: no_service", fault.Failed},
		"forbidden":    {answer{status: 403}, "send message: the webhook answered 403 Forbidden", fault.Denied},
		"redirect":     {answer{status: 302, header: map[string]string{"Location": "/"}}, "send message: the webhook answered 302 Found", fault.Failed},
		"ok is false":  {answer{status: 200, body: `{"ok":false,"error":"channel_not_found"}`}, "send message: the webhook refused it: channel_not_found", fault.Failed},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w, env := newWebhook(t, test.answer), testenv.Env(t)
			_, err := run(t, w.step(), env)
			if err == nil || err.Error() != test.want || fault.KindOf(err) != test.kind {
				t.Errorf("got %v (%s), want %s", err, fault.KindOf(err), test.want)
			}
			if _, err := run(t, w.step(), env); err != nil || len(w.taken) != 1 {
				t.Errorf("another attempt: %v, %d messages, want one", err, len(w.taken))
			}
		})
	}
}

func TestAddressIsNeverSeen(t *testing.T) {
	w := newWebhook(t)
	a := w.step()
	w.Close()
	_, gone := run(t, a, testenv.Env(t))
	_, echo := run(t, newEcho(t), testenv.Env(t))
	bad := &announce.Announce{URL: secret.New("http://host\x7f" + hook), Text: "x"}
	_, invalid := bad.Check(t.Context(), testenv.Env(t))
	for _, err := range []error{gone, echo, invalid} {
		if err == nil || strings.Contains(err.Error(), "not-for-your-eyes") {
			t.Errorf("got %v, want an error without the address", err)
		}
	}
	if fault.KindOf(invalid) != fault.Invalid {
		t.Errorf("a bad address is %s, want invalid", fault.KindOf(invalid))
	}
}

// newEcho is a step whose webhook answers with its own address.
func newEcho(t *testing.T) *announce.Announce {
	var s *httptest.Server
	s = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		http.Error(rw, "cannot post to "+r.URL.Path+" of "+s.URL, http.StatusInternalServerError)
	}))
	t.Cleanup(s.Close)
	return &announce.Announce{URL: secret.New(s.URL + hook), Text: "x"}
}

func TestSentButNotJournalled(t *testing.T) {
	w, env := newWebhook(t), testenv.Env(t)
	ctx := testenv.MemoryOf(env).Cut(t.Context(), 1, false)
	plan, err := w.step().Check(ctx, env)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.step().Run(ctx, env, plan); !errors.Is(err, testenv.ErrCut) {
		t.Fatalf("got %v, want the cut", err)
	}
	testenv.MemoryOf(env).Heal()
	if _, err := run(t, w.step(), env); err != nil || len(w.taken) != 2 {
		t.Errorf("%v, %d messages: at least once means again", err, len(w.taken))
	}
}
