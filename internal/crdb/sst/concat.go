package sst

import (
	"bytes"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
)

// Part is one of several sources whose user keys do not overlap: a table of a
// level below L0. It is opened when the walk comes to it.
type Part struct {
	Span keys.Span // has every user key of the part
	Open func() (Source, error)
}

// Concat is a source that walks parts one after the other. They must be in the
// order of keys; of one user key two neighbours may hold different versions.
func Concat(parts ...Part) Source { return &concat{parts: parts} }

type concat struct {
	parts  []Part
	next   int // the part to open
	from   []byte
	open   Source
	err    error
	damage []engine.Damage
}

func (c *concat) Next() *Entry {
	for c.err == nil {
		if c.open != nil {
			if e := c.open.Next(); e != nil {
				return e
			}
			if c.leave(); c.err != nil {
				break
			}
		}
		if c.next == len(c.parts) {
			break
		}
		if c.open, c.err = c.parts[c.next].Open(); c.err != nil {
			c.open = nil
			break
		}
		c.next++
		if c.from != nil {
			c.open.SeekGE(c.from)
		}
	}
	return nil
}

// leave closes the open part and keeps what it has to say.
func (c *concat) leave() {
	if c.open == nil {
		return
	}
	c.damage = append(c.damage, c.open.Damage()...)
	err := c.open.Err()
	if closing := c.open.Close(); err == nil {
		err = closing
	}
	if c.err == nil {
		c.err = err
	}
	c.open = nil
}

func (c *concat) SeekGE(user []byte) {
	c.leave()
	c.from = append(c.from[:0], user...)
	c.next = 0
	for c.next < len(c.parts) {
		if to := c.parts[c.next].Span.To; to == nil || bytes.Compare(to, user) > 0 {
			break
		}
		c.next++
	}
}

func (c *concat) Err() error { return c.err }

func (c *concat) Damage() []engine.Damage {
	if c.open == nil {
		return c.damage
	}
	return append(c.damage[:len(c.damage):len(c.damage)], c.open.Damage()...)
}

func (c *concat) Close() error {
	c.leave()
	c.next = len(c.parts)
	return c.err
}

// Lost is a source without entries that names what is missing: a table that is
// not there, or one that cannot be opened.
func Lost(damage ...engine.Damage) Source { return &lost{damage: damage} }

type lost struct{ damage []engine.Damage }

func (*lost) Next() *Entry              { return nil }
func (*lost) SeekGE([]byte)             {}
func (*lost) Err() error                { return nil }
func (l *lost) Damage() []engine.Damage { return l.damage }
func (*lost) Close() error              { return nil }
