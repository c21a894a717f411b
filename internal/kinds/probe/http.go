package probe

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/step"
)

// bodyLimit is how much of an answer is searched, in bytes.
const bodyLimit = 1 << 20

// HTTP is a step that looks at a web address.
type HTTP struct {
	URL      string                   `evac:"url,required,target" doc:"the address to get, http or https"`
	Status   int                      `evac:"expect_status" default:"200" doc:"the status that it must answer; redirects are followed unless this is one"`
	Contains string                   `evac:"contains" doc:"a text that must be in the first megabyte of the answer"`
	Header   map[string]secret.String `evac:"header" doc:"headers to send; Host is one of them"`
	Address  string                   `evac:"address,target" doc:"host:port to connect to instead of the one in url: a preview address; name and certificate stay those of url"`
	CA       string                   `evac:"ca" doc:"a PEM file with authorities to trust besides the system's"`
	Within   time.Duration            `evac:"within" doc:"how long it may take until it is true; without it the first look decides"`
	Times    int                      `evac:"times" default:"1" doc:"how many times in a row it must be true"`
	Every    time.Duration            `evac:"every" default:"1s" doc:"time from one look to the next"`
	Patience time.Duration            `evac:"answer_within" default:"10s" doc:"how long one look may take"`
}

// HTTPOutput is what a web probe leaves in the journal.
type HTTPOutput struct {
	Status  int     `json:"status" doc:"the status of the last answer"`
	Seconds float64 `json:"seconds" doc:"how long the last answer took"`
	Looks   int     `json:"looks" doc:"how many times evac looked"`
}

func httpKind() step.Kind {
	return step.Kind{
		Name:    "probe_http",
		Effect:  step.Reads,
		Summary: "looks whether a web address answers as it should",
		Doc: `Sends GET on a new connection each time, with the certificate verified. With ` + "`within`" + ` it looks until the answer is right ` + "`times`" + ` times in a row; a wrong one
begins the count anew. ` + "`address`" + ` looks at a new place under its public name before that name points to it.`,
		New:    func() step.Step { return &HTTP{} },
		Output: HTTPOutput{},
		Example: `step "probe_http" "shop" {
  why      = "the new place must serve before the domain moves"
  url      = "https://www.example.com/healthz"
  address  = "198.51.100.7:443"
  contains = "ok"
  within   = "2m"
  times    = 3
}`,
	}
}

// Check implements step.Step.
func (h *HTTP) Check(ctx context.Context, env *step.Env) (step.Plan, error) {
	u, urlErr := parseURL(h.URL)
	client, caErr := h.client(env)
	if err := errors.Join(urlErr, caErr, h.patience().wrong(), h.wrongAddress()); err != nil {
		return step.Plan{}, err
	}
	plan := step.Plan{Summary: "look at " + u.Redacted()}
	at, has := "", ""
	if h.Address != "" {
		at = " at " + h.Address
	}
	if h.Contains != "" {
		has = fmt.Sprintf(" with %q in it", h.Contains)
	}
	plan.Action("look", "expect %d from %s%s%s%s", h.Status, u.Redacted(), at, has, h.patience().text())
	plan.Fact("now", "%s", glance(ctx, func(ctx context.Context) error {
		_, err := h.look(ctx, client)
		return err
	}))
	return plan, nil
}

// Run implements step.Step.
func (h *HTTP) Run(ctx context.Context, env *step.Env, _ step.Plan) (step.Output, error) {
	return h.await(ctx, env, h.patience())
}

// Verify implements step.Step: it still is so.
func (h *HTTP) Verify(ctx context.Context, env *step.Env, _ step.Done) error {
	_, err := h.await(ctx, env, h.patience().once())
	return err
}

func (h *HTTP) await(ctx context.Context, env *step.Env, p patience) (HTTPOutput, error) {
	var out HTTPOutput
	u, urlErr := parseURL(h.URL)
	client, err := h.client(env)
	if err := errors.Join(urlErr, err); err != nil {
		return out, err
	}
	out.Looks, err = p.until(ctx, env, func(ctx context.Context) (err error) {
		began := time.Now()
		out.Status, err = h.look(ctx, client)
		out.Seconds = time.Since(began).Seconds()
		return err
	})
	if err != nil {
		return out, fault.Wrap(fault.KindOf(err), fmt.Sprintf("probe %q", u.Redacted()), err, "")
	}
	return out, nil
}

func (h *HTTP) patience() patience {
	return patience{within: h.Within, times: h.Times, every: h.Every}
}

// look gets the address once.
func (h *HTTP) look(ctx context.Context, client *http.Client) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.URL, nil)
	if err != nil {
		return 0, bare(err)
	}
	for name, value := range h.Header {
		req.Header.Set(name, value.Reveal())
		if http.CanonicalHeaderKey(name) == "Host" {
			req.Host = value.Reveal()
		}
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, bare(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != h.Status {
		return resp.StatusCode, fmt.Errorf("status %d, want %d", resp.StatusCode, h.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, bodyLimit))
	if err != nil {
		return resp.StatusCode, fmt.Errorf("read answer: %w", err)
	}
	if !bytes.Contains(body, []byte(h.Contains)) {
		return resp.StatusCode, fmt.Errorf("status %d without %q in it", resp.StatusCode, h.Contains)
	}
	return resp.StatusCode, nil
}

// client makes every look a connection of its own.
func (h *HTTP) client(env *step.Env) (*http.Client, error) {
	roots, err := h.roots(env)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		Proxy:             http.ProxyFromEnvironment,
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{RootCAs: roots},
	}
	if h.Address != "" {
		transport.Proxy, transport.DialContext = nil, h.dialInstead
	}
	client := &http.Client{Transport: transport, Timeout: h.Patience}
	if h.Status >= 300 && h.Status < 400 {
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	return client, nil
}

// dialInstead connects to the preview address where url's own is asked for, and
// elsewhere (after a redirect) as usual.
func (h *HTTP) dialInstead(ctx context.Context, network, address string) (net.Conn, error) {
	u, err := parseURL(h.URL)
	if err != nil {
		return nil, err
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	if address == net.JoinHostPort(u.Hostname(), port) {
		address = h.Address
	}
	var dialer net.Dialer
	return dialer.DialContext(ctx, network, address)
}

// roots are the authorities to trust; nil means the system's alone.
func (h *HTTP) roots(env *step.Env) (*x509.CertPool, error) {
	if h.CA == "" {
		return nil, nil
	}
	path := h.CA
	if !filepath.IsAbs(path) {
		path = filepath.Join(env.Dir, path)
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, "ca", err, "")
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("read the system's authorities: %w", err)
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fault.New(fault.Invalid, fmt.Sprintf("ca: no certificate in %q", path), "")
	}
	return roots, nil
}

func (h *HTTP) wrongAddress() error {
	if h.Address == "" {
		return nil
	}
	return wrongHostPort(h.Address)
}

func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return &url.URL{}, fault.New(fault.Invalid, "url: is not an http or https address", "")
	}
	return u, nil
}

// bare takes the address, which may hold a password, out of net/http's errors.
func bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
