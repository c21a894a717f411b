package salvage

import (
	"encoding/hex"
	"encoding/json"

	"github.com/evac-io/evac/internal/crdb/keys"
)

// Span is a stretch of keys; in JSON both ends are hexadecimal, and an end behind
// all keys is missing.
type Span keys.Span

type spanText struct {
	From string  `json:"from"`
	To   *string `json:"to,omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (s Span) MarshalJSON() ([]byte, error) {
	t := spanText{From: hex.EncodeToString(s.From)}
	if s.To != nil {
		to := hex.EncodeToString(s.To)
		t.To = &to
	}
	return json.Marshal(t)
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *Span) UnmarshalJSON(data []byte) (err error) {
	var t spanText
	if err := json.Unmarshal(data, &t); err != nil {
		return err
	}
	if s.From, err = hex.DecodeString(t.From); err != nil || t.To == nil {
		return err
	}
	s.To, err = hex.DecodeString(*t.To)
	return err
}

// String is the span as damage shows it.
func (s Span) String() string { return keys.Span(s).String() }
