// Package secret keeps texts that must never be seen: it prints them as
// [redacted] everywhere, shows a connection string without its password, and
// scrubs known secrets out of text that other programs wrote.
package secret

import (
	"encoding/json"
	"fmt"
	"log/slog"
)

// Redacted stands wherever a secret would have stood.
const Redacted = "[redacted]"

// String is a text that every formatter, encoder and logger shows as
// [redacted]. Only Reveal gives it out.
type String struct {
	text string
	open bool
}

// New wraps a text.
func New(text string) String { return String{text: text} }

// Open wraps a text that stands where a secret could and is none: it shows
// itself.
func Open(text string) String { return String{text: text, open: true} }

// IsOpen tells whether the text was never secret.
func (s String) IsOpen() bool { return s.open }

// Reveal gives the text out. Call it only where the text leaves evac for its
// purpose: a connection, a child's environment, a header.
func (s String) Reveal() string { return s.text }

// Empty tells whether there is no text.
func (s String) Empty() bool { return s.text == "" }

// String is [redacted], or the text itself if there is nothing to hide.
func (s String) String() string {
	if s.open || s.text == "" {
		return s.text
	}
	return Redacted
}

// GoString keeps %#v from showing the text.
func (s String) GoString() string { return fmt.Sprintf("secret.String(%q)", s.String()) }

// Format keeps every other verb (%x, %q, %d …) from showing the text.
func (s String) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// MarshalJSON writes "[redacted]".
func (s String) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// MarshalText writes [redacted].
func (s String) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue keeps slog from showing the text.
func (s String) LogValue() slog.Value { return slog.StringValue(s.String()) }
