package ranges

import (
	"bytes"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/mvcc"
	"github.com/evac-io/evac/internal/crdb/ranges/raftlog"
)

// stampBytes is what a version counts beside its user key and value, however
// short its own form is.
const stampBytes = 12

// counter counts as the database's own statistics of a range do (CockroachDB's
// MVCCStats): one entry of metadata for each user key, real or implied, and one
// for each version.
type counter struct {
	raftlog.Stats
	user  []byte
	begun bool
	live  bool // the newest version of the key has a value
	first bool // the next version is the newest
}

// count takes the next entry of a walk.
func (c *counter) count(user, version, value []byte) {
	at := keys.KindOf(version)
	if at != keys.Plain && at != keys.MVCC {
		return
	}
	if fresh := !c.begun || !bytes.Equal(user, c.user); fresh || at == keys.Plain {
		c.user, c.begun = append(c.user[:0], user...), true
		c.key(at, int64(len(user))+1, value)
	}
	if at == keys.Plain {
		return
	}
	size := int64(len(value)) + stampBytes
	if c.first && c.live {
		c.LiveBytes += size
	}
	c.first = false
	c.KeyBytes += stampBytes
	c.ValBytes += int64(len(value))
	c.ValCount++
}

// key counts a user key by its metadata, which a key without any implies.
func (c *counter) key(kind keys.Kind, size int64, value []byte) {
	c.KeyBytes += size
	c.KeyCount++
	c.first, c.live = true, true
	if kind == keys.Plain {
		size += int64(len(value))
		c.ValBytes += int64(len(value))
		m, err := mvcc.ParseMeta(value)
		c.live = err == nil && !m.Deleted
		if err == nil && m.Inline != nil && !m.IsIntent {
			c.ValCount++
		}
	} else if stripped, err := mvcc.StripHeader(value); err == nil && len(stripped) == 0 {
		c.live = false
	}
	if c.live {
		c.LiveBytes += size
		c.LiveCount++
	}
}

// countSpan counts a span of user keys.
func countSpan(view engine.View, span keys.Span) (raftlog.Stats, error) {
	it := view.Iter(span)
	var c counter
	for it.Next() {
		if user, version, err := keys.Split(it.Key()); err == nil {
			c.count(user, version, it.Value())
		}
	}
	return c.Stats, closed(it)
}
