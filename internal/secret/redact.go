package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"sort"
	"strconv"
	"strings"
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

// Add makes a text known, also as it looks in a URL, in base64 and in quotes,
// and the lines of one that has several (a private key).
func (r *Redactor) Add(text string) {
	if len(text) < shortest {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, form := range forms(text) {
		r.add([]byte(form))
	}
	if lines := strings.Split(text, "\n"); len(lines) > 1 {
		for _, line := range lines {
			if line = strings.TrimSpace(line); len(line) >= longLine {
				r.add([]byte(line))
			}
		}
	}
}

// longLine is the length from which a line of a secret is one by itself.
const longLine = 12

// forms are the ways in which other programs write a text.
func forms(text string) []string {
	inJSON, err := json.Marshal(text)
	if err != nil { // a string can always be written
		panic("evac: internal error: " + err.Error())
	}
	all := []string{
		text, url.QueryEscape(text), url.PathEscape(text), url.UserPassword("", text).String()[1:],
		inner(string(inJSON)), inner(strconv.Quote(text)), strings.ReplaceAll(text, `'`, `'\''`),
		strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text), strings.ReplaceAll(text, `'`, `''`), hex.EncodeToString([]byte(text)),
	}
	for _, coding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		all = append(all, coding.EncodeToString([]byte(text)))
	}
	return all
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

// inner is a quoted text without its quotes.
func inner(quoted string) string { return quoted[1 : len(quoted)-1] }

// AddDSN makes the passwords of a connection string known, and the string.
func (r *Redactor) AddDSN(d DSN) {
	secrets := []string{d.Password()}
	for _, name := range passwordKeywords {
		secrets = append(secrets, d.keyword(name))
	}
	if strings.Join(secrets, "") == "" {
		return
	}
	user, _, _, _ := d.parts()
	for _, text := range append(secrets, d.Reveal(), user+":"+secrets[0]) { // the last as HTTP's basic authentication encodes it
		r.Add(text)
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
