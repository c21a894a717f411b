package world

import (
	"net/http"
	"os"
	"path/filepath"
)

// servePage serves the maintenance page from the directory that the step
// page_publish writes.
func (w *world) servePage() (string, error) {
	return w.serve(http.HandlerFunc(func(res http.ResponseWriter, _ *http.Request) {
		res.Header().Set("Retry-After", "5")
		text, err := os.ReadFile(filepath.Join(w.paths.Page(), "index.html"))
		if err != nil {
			text = []byte("closed")
		}
		res.WriteHeader(http.StatusServiceUnavailable)
		_, _ = res.Write(text)
	}))
}
