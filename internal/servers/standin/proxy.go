package standin

import (
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"
)

// handler sends the requests of a frontend on.
func (g *gateway) handler(name string) http.Handler {
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetXForwarded()
			r.Out.Host = r.In.Host
		},
		Transport: &http.Transport{MaxIdleConnsPerHost: 256, IdleConnTimeout: 30 * time.Second, DisableCompression: true},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			g.log.Warn("server does not answer", "server", r.URL.Host, "cause", err)
			unavailable(w)
		},
		FlushInterval: -1,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		address := g.choose(name, r)
		if address == "" {
			unavailable(w)
			return
		}
		out := r.Clone(r.Context())
		out.URL = &url.URL{Scheme: "http", Host: address, Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
		proxy.ServeHTTP(w, out)
	})
}

// choose gives the address of the server that takes a request, "" if none does.
func (g *gateway) choose(name string, r *http.Request) string {
	g.mu.RLock()
	defer g.mu.RUnlock()
	for _, f := range g.table.frontends {
		if f.name != name {
			continue
		}
		chosen := f.fallback
		for _, rule := range f.rules {
			if rule.when(r) {
				chosen = rule.backend
				break
			}
		}
		if b := g.table.backend(chosen); b != nil {
			if s := b.next(); s != nil {
				return s.address
			}
		}
	}
	return ""
}

func unavailable(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusServiceUnavailable)
	fmt.Fprintln(w, "503 no server is available for this request")
}
