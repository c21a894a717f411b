package salvage

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/evac-io/evac/internal/crdb/catalog"
	"github.com/evac-io/evac/internal/crdb/enc"
	"github.com/evac-io/evac/internal/crdb/keys"
)

// maxKeyText is how many letters of a key column's value people are shown.
const maxKeyText = 40

// spanName is a stretch of keys for people: tables, indexes and key columns as far
// as the schema knows them. It tells of data, so that no bundle may have it.
func (c *Cluster) spanName(s keys.Span) string {
	first := c.keyName(s.From)
	switch {
	case s.To == nil && len(s.From) == 0:
		return "of any table"
	case s.To == nil:
		return fmt.Sprintf("from %s on", first)
	case bytes.Equal(s.To, append(bytes.Clone(s.From), 0)):
		return "of " + first
	case bytes.Equal(s.To, keys.PrefixEnd(s.From)):
		return "of all of " + first
	}
	return fmt.Sprintf("from %s up to %s", first, c.keyName(s.To))
}

// keyName is one key for people.
func (c *Cluster) keyName(key []byte) string {
	if k, ok := keys.ParseRangeID(key); ok {
		return fmt.Sprintf("range %d's own state (%s)", k.RangeID, k.Suffix)
	}
	if k, ok := keys.ParseRangeLocal(nil, key); ok {
		return fmt.Sprintf("the records (%s) beside %s", k.Suffix, c.keyName(k.Addr))
	}
	tenant, id, ok := tableOf(key)
	if len(key) == 0 || key[0] < 5 || !ok {
		return fmt.Sprintf("the cluster's own key %x", key)
	}
	t := c.Catalog.Table(tenant, id)
	if t == nil {
		return fmt.Sprintf("key %x of %s", key, c.ownerOf(key))
	}
	rest := key[len(keys.TablePrefix(tenant, id)):]
	number, rest, ok := keys.TakeUvarint(rest)
	if !ok {
		return FullName(t)
	}
	ix := t.Index(uint32(number))
	if ix == nil {
		return fmt.Sprintf("%s@(index %d)", FullName(t), number)
	}
	name := FullName(t) + "@" + ix.Name
	if values := keyValues(t, ix, rest); len(values) > 0 {
		name += " (" + strings.Join(values, ", ") + ")"
	}
	return name
}

// keyValues are the columns of an index key as far as they can be read: a key that
// ends a stretch need not be a whole one.
func keyValues(t *catalog.Table, ix *catalog.Index, key []byte) (out []string) {
	if ix.Kind != catalog.Forward || len(ix.Ancestors) > 0 {
		return nil
	}
	declared, extra := t.KeyColumns(ix)
	if ix.Unique {
		extra = nil
	}
	for _, col := range slices.Concat(declared, extra) {
		if col.Column == nil || len(key) == 0 {
			return out
		}
		text, rest, null, err := enc.AppendKeyText(nil, &col.Type, col.Desc, key)
		if err != nil {
			return append(out, fmt.Sprintf("%s=…%x", col.Name, key))
		}
		if null {
			text = []byte("NULL")
		}
		if short := []rune(string(text)); len(short) > maxKeyText {
			text = []byte(string(short[:maxKeyText]) + "…")
		}
		out, key = append(out, fmt.Sprintf("%s=%s", col.Name, text)), rest
	}
	return out
}
