package secret

import (
	"bytes"
	"encoding/base64"
	"net/url"
	"sort"
	"sync"
)

// Redactor replaces known secrets in text that evac did not write itself: a
// child's output, a server's error. It is the second line of defence; the
// first is that String and DSN do not give themselves away.
type Redactor struct {
	mu     sync.RWMutex
	needle [][]byte
}

// shortest is the length below which a text is too common to be replaced
// without wrecking everything else.
const shortest = 4

// Add makes a text known, also as it looks in a URL and in base64.
func (r *Redactor) Add(text string) {
	if len(text) < shortest {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, form := range []string{text, url.QueryEscape(text), url.PathEscape(text), base64.StdEncoding.EncodeToString([]byte(text))} {
		r.add([]byte(form))
	}
}

func (r *Redactor) add(form []byte) {
	for _, n := range r.needle {
		if bytes.Equal(n, form) {
			return
		}
	}
	r.needle = append(r.needle, form)
	// Longest first, so that a secret that contains another goes whole.
	sort.SliceStable(r.needle, func(i, j int) bool { return len(r.needle[i]) > len(r.needle[j]) })
}

// AddDSN makes the password of a connection string known, and the string.
func (r *Redactor) AddDSN(d DSN) {
	if pw := d.Password(); pw != "" {
		r.Add(pw)
		r.Add(d.Reveal())
	}
}

// Join makes known what another redactor knows.
func (r *Redactor) Join(other *Redactor) {
	known := other.Known()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, text := range known {
		r.add([]byte(text))
	}
}

// Known gives the texts, longest first, for a child that must redact too.
func (r *Redactor) Known() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	texts := make([]string, len(r.needle))
	for i, n := range r.needle {
		texts[i] = string(n)
	}
	return texts
}

// Bytes gives text with every known secret replaced.
func (r *Redactor) Bytes(text []byte) []byte {
	if r == nil {
		return text
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, n := range r.needle {
		if bytes.Contains(text, n) {
			text = bytes.ReplaceAll(text, n, []byte(Redacted))
		}
	}
	return text
}

// Text is Bytes for strings.
func (r *Redactor) Text(text string) string { return string(r.Bytes([]byte(text))) }
