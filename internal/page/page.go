// Package page makes and serves the maintenance page: one static HTML file in
// Korean and English, and the same as JSON for apps.
package page

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/url"
	"time"
)

// The files of a published page.
const (
	HTMLFile = "index.html"
	JSONFile = "status.json"
)

// sizeLimit is what the page may weigh, in bytes: it must arrive on a bad line.
const sizeLimit = 20_000

// Notice is what the page tells.
type Notice struct {
	Title   Text `json:"title"`
	Message Text `json:"message"`
	// Until is when the service will be back; zero if nobody can say.
	Until time.Time `json:"until,omitzero"`
	// StatusURL is where more can be read; may be empty.
	StatusURL string `json:"status_url,omitempty"`
}

// Text is a text in each language of the page.
type Text struct {
	Ko string `json:"ko"`
	En string `json:"en"`
}

// Default is the notice for those who have nothing special to say.
func Default() Notice {
	return Notice{
		Title: Text{Ko: "서비스 점검 중입니다", En: "We’ll be back soon"},
		Message: Text{
			Ko: "더 안정적인 서비스를 위해 점검하고 있습니다. 점검이 끝나면 바로 다시 이용하실 수 있습니다. 불편을 드려 죄송합니다.",
			En: "We are carrying out scheduled maintenance. The service will be available again as soon as it is done. Thank you for your patience.",
		},
	}
}

// WithDefaults fills the texts that are missing.
func (n Notice) WithDefaults() Notice {
	d := Default()
	for _, t := range []struct{ text, usual *string }{
		{&n.Title.Ko, &d.Title.Ko}, {&n.Title.En, &d.Title.En},
		{&n.Message.Ko, &d.Message.Ko}, {&n.Message.En, &d.Message.En},
	} {
		if *t.text == "" {
			*t.text = *t.usual
		}
	}
	return n
}

// Status is the JSON form of the page.
type Status struct {
	Maintenance bool       `json:"maintenance"`
	Until       *time.Time `json:"until"` // null if nobody can say
	Title       Text       `json:"title"`
	Message     Text       `json:"message"`
	StatusURL   string     `json:"status_url,omitempty"`
}

//go:embed page.html
var source string

var layout = template.Must(template.New(HTMLFile).Parse(source))

// HTML gives the page as one file that needs no other.
func (n Notice) HTML() ([]byte, error) {
	if err := n.wrongURL(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := layout.Execute(&b, n.WithDefaults()); err != nil {
		return nil, fmt.Errorf("make maintenance page: %w", err)
	}
	if b.Len() > sizeLimit {
		return nil, fmt.Errorf("make maintenance page: it has %d bytes, want at most %d: shorten the messages", b.Len(), sizeLimit)
	}
	return b.Bytes(), nil
}

// JSON gives the notice for apps.
func (n Notice) JSON() ([]byte, error) {
	n = n.WithDefaults()
	s := Status{Maintenance: true, Title: n.Title, Message: n.Message, StatusURL: n.StatusURL}
	if !n.Until.IsZero() {
		s.Until = &n.Until
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	err := enc.Encode(s)
	return b.Bytes(), err
}

// UntilISO is the end in the form that browsers read, in UTC.
func (n Notice) UntilISO() string { return n.Until.UTC().Format(time.RFC3339) }

// UntilText is the end for a browser without JavaScript, in the zone that the
// notice names.
func (n Notice) UntilText() string { return n.Until.Format("2006-01-02 15:04 (UTC-07:00)") }

func (n Notice) wrongURL() error {
	if n.StatusURL == "" {
		return nil
	}
	if u, err := url.Parse(n.StatusURL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf("status_url: %q is not an http or https address", n.StatusURL)
	}
	return nil
}
