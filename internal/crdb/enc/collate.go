package enc

import (
	"fmt"
	"sync"

	"golang.org/x/text/collate"
	"golang.org/x/text/language"
)

// Collator makes the collation keys of a locale, as CockroachDB orders collated
// strings by them. It may be used by many goroutines at once.
type Collator struct{ pool sync.Pool }

type collation struct {
	collator *collate.Collator
	buffer   collate.Buffer
}

// NewCollator is the collator of a locale as CockroachDB writes it, "en_US" or
// "en-u-ks-level2".
func NewCollator(locale string) (*Collator, error) {
	tag, err := language.Parse(locale)
	if err != nil {
		return nil, fmt.Errorf("collation of locale %q: %w", locale, err)
	}
	c := &Collator{}
	c.pool.New = func() any { return &collation{collator: collate.New(tag)} }
	return c, nil
}

// append appends the ordered encoding of the collation key of s.
func (c *Collator) append(dst, s []byte, desc bool) []byte {
	one := c.pool.Get().(*collation)
	dst = appendKeyBytes(dst, one.collator.Key(&one.buffer, s), desc)
	one.buffer.Reset()
	c.pool.Put(one)
	return dst
}

// appendKeyCollated appends the ordered encoding of a collated string.
func appendKeyCollated(dst []byte, t *Type, s []byte, desc bool) ([]byte, error) {
	c := t.Collator
	if c == nil {
		var err error
		if c, err = NewCollator(t.Locale); err != nil {
			return dst, err
		}
	}
	return c.append(dst, s, desc), nil
}
