package page

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// DefaultRetryAfter is when clients may come again if nobody says otherwise.
const DefaultRetryAfter = time.Minute

// Options say how the page is served.
type Options struct {
	// Listen is host:port.
	Listen string
	// Dir holds the published files, looked at anew for each request; without
	// it, or without one of them, the default notice is served.
	Dir string
	// RetryAfter is when clients may come again; 0 means DefaultRetryAfter.
	RetryAfter time.Duration
	// Health is a path that answers 200, for balancers that must find the page
	// healthy to send anyone to it; empty: none.
	Health string
	// Listening, if set, is told the address once connections are taken.
	Listening func(net.Addr)
}

// Serve answers until ctx ends.
func Serve(ctx context.Context, o Options) error {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", o.Listen)
	if err != nil {
		return fmt.Errorf("serve maintenance page: %w", err)
	}
	if o.Listening != nil {
		o.Listening(l.Addr())
	}
	server := &http.Server{Handler: Handler(o), ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 30 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve maintenance page: %w", err)
	case <-ctx.Done():
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	if err := server.Shutdown(closing); errors.Is(err, context.DeadlineExceeded) {
		return server.Close() // someone reads too slowly
	} else if err != nil {
		return err
	}
	return nil
}

// Handler answers every path with 503 and the page: as JSON where the path ends
// in .json or the client asks for JSON rather than HTML.
func Handler(o Options) http.Handler {
	wait := o.RetryAfter
	if wait <= 0 {
		wait = DefaultRetryAfter
	}
	retryAfter := strconv.Itoa(int((wait + time.Second - 1) / time.Second))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if o.Health != "" && r.URL.Path == o.Health {
			w.Header().Set("Cache-Control", "no-store")
			return
		}
		file, kind := HTMLFile, "text/html; charset=utf-8"
		if wantsJSON(r) {
			file, kind = JSONFile, "application/json"
		}
		body, err := load(o.Dir, file)
		if err != nil {
			http.Error(w, "maintenance", http.StatusServiceUnavailable)
			return
		}
		h := w.Header()
		h.Set("Content-Type", kind)
		h.Set("Content-Length", strconv.Itoa(len(body)))
		h.Set("Retry-After", retryAfter)
		h.Set("Cache-Control", "no-store")
		h.Set("Vary", "Accept")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Access-Control-Allow-Origin", "*") // a web app on another host may read it
		w.WriteHeader(http.StatusServiceUnavailable)
		if r.Method != http.MethodHead {
			_, _ = w.Write(body) // the client may be gone
		}
	})
}

func wantsJSON(r *http.Request) bool {
	if strings.HasSuffix(r.URL.Path, ".json") {
		return true
	}
	accept := strings.ToLower(strings.Join(r.Header.Values("Accept"), ","))
	return strings.Contains(accept, "json") && !strings.Contains(accept, "text/html")
}

// load reads a published file, or makes the default one.
func load(dir, file string) ([]byte, error) {
	if dir != "" {
		body, err := os.ReadFile(filepath.Join(dir, file))
		if !errors.Is(err, os.ErrNotExist) {
			return body, err
		}
	}
	if file == JSONFile {
		return Default().JSON()
	}
	return Default().HTML()
}
