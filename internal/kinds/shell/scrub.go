package shell

import (
	"bytes"
	"io"

	"github.com/evac-io/evac/internal/secret"
)

// scrubber passes on what is written to it with every known secret replaced,
// also one that arrives in pieces: an end that may be the beginning of a
// secret is held back until the next write decides.
type scrubber struct {
	to      io.Writer
	secrets [][]byte
	longest int
	held    []byte
}

func newScrubber(to io.Writer, secrets []string) *scrubber {
	s := &scrubber{to: to}
	for _, text := range secrets {
		if text != "" {
			s.secrets = append(s.secrets, []byte(text))
			s.longest = max(s.longest, len(text))
		}
	}
	return s
}

// Write takes the next piece.
func (s *scrubber) Write(p []byte) (int, error) {
	s.held = append(s.held, p...)
	return len(p), s.pass(false)
}

// Flush passes on what is held back: nothing more will come.
func (s *scrubber) Flush() error { return s.pass(true) }

func (s *scrubber) pass(final bool) error {
	rest := s.held
	for {
		decided := len(rest)
		if !final {
			decided = s.decided(rest)
		}
		at, length := s.find(rest)
		if at < 0 || at >= decided {
			_, err := s.to.Write(rest[:decided])
			s.held = append(s.held[:0], rest[decided:]...)
			return err
		}
		if _, err := s.to.Write(append(rest[:at:at], secret.Redacted...)); err != nil {
			return err
		}
		rest = rest[at+length:]
	}
}

// decided is the length of text up to where a secret may have begun that is
// not there in full yet.
func (s *scrubber) decided(text []byte) int {
	for i := max(0, len(text)-s.longest+1); i < len(text); i++ {
		for _, sec := range s.secrets {
			if len(sec) > len(text)-i && bytes.HasPrefix(sec, text[i:]) {
				return i
			}
		}
	}
	return len(text)
}

// find is the place and length of the first secret in text, of two at the same
// place the longer one; -1 if there is none.
func (s *scrubber) find(text []byte) (at, length int) {
	at = -1
	for _, sec := range s.secrets {
		i := bytes.Index(text, sec)
		if i >= 0 && (at < 0 || i < at || i == at && len(sec) > length) {
			at, length = i, len(sec)
		}
	}
	return at, length
}
