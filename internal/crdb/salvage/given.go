package salvage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/evac-io/evac/internal/crdb/backup"
	"github.com/evac-io/evac/internal/crdb/catalog"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/ranges"
	"github.com/evac-io/evac/internal/fault"
)

// firstUserID is the first id that a release gives to a table which is not its
// own; those of newer ones begin higher.
const firstUserID = 50

// takeSchema fills what the descriptors lack out of a file of SQL or a backup.
func (c *Cluster) takeSchema(ctx context.Context, name string) error {
	if name == "" {
		return nil
	}
	other, doubts, err := c.readGiven(ctx, name)
	if err != nil {
		return fault.Wrap(fault.Invalid, fmt.Sprintf("read schema %q", name), err, "--schema takes a file of SQL with the ids of the tables, such as schema.cockroach.sql of a salvage, or the folder of a BACKUP")
	}
	allLost := !slices.ContainsFunc(c.Catalog.Tables, func(t *catalog.Table) bool { return !t.System() })
	for _, t := range slices.Clone(other.Tables) {
		if c.Catalog.Table(t.Tenant, t.ID) != nil || allLost {
			continue
		}
		has, err := c.hasKeys(ctx, t.Span(&t.Primary), c.asOf)
		if err != nil {
			return err
		}
		if !has { // it was dropped, or is empty: nobody can tell
			c.notes = append(c.notes, fmt.Sprintf("table %q of the schema %q has no keys here: it is left out", FullName(t), name))
			other.Remove(t)
		}
	}
	for _, t := range c.Catalog.Fill(other) {
		c.given[t] = name
	}
	for _, d := range doubts {
		c.notes = append(c.notes, fmt.Sprintf("schema %q: %s", name, d))
	}
	return nil
}

// readGiven reads a schema from SQL or from a backup.
func (c *Cluster) readGiven(ctx context.Context, name string) (*catalog.Catalog, []catalog.Doubt, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, nil, err
	}
	if !info.IsDir() {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, nil, err
		}
		c.print = fmt.Sprintf("%x", sha256.Sum256(text))
		out, doubts, err := catalog.ParseSchema(string(text))
		if err == nil && len(out.Tables) == 0 {
			err = errors.New("it has no table with its id")
		}
		return out, doubts, err
	}
	b, err := backup.Open(ctx, []fs.FS{os.DirFS(name)}, backup.Options{Name: name})
	if err != nil {
		return nil, nil, err
	}
	c.print = fmt.Sprintf("%v %x", b.AsOf(), b.Layers()[0].ID)
	raws, err := backupDescriptors(b)
	if err != nil {
		return nil, nil, err
	}
	out, doubts := catalog.Load(raws, nil)
	return out, doubts, nil
}

// hasKeys says whether any key of a span has a value at a moment.
func (c *Cluster) hasKeys(ctx context.Context, span keys.Span, at keys.Timestamp) (has bool, err error) {
	for {
		it := c.readerAt(at).Iter(span)
		has = it.Next()
		err := errors.Join(c.closed(it), ctx.Err())
		if !errors.Is(err, ranges.ErrReadAgain) {
			return has, err
		}
	}
}

// unknown are the tables which have keys and no descriptor, by tenant and id. The
// database's own are not among them, nor are dropped ones.
func (c *Cluster) unknown(ctx context.Context, dropped []*catalog.Table) ([]Raw, error) {
	tenants, err := c.tenants(ctx)
	if err != nil {
		return nil, err
	}
	var out []Raw
	for _, tenant := range tenants {
		ids, err := c.tableIDs(ctx, tenant)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			known := func(t *catalog.Table) bool { return t.Tenant == tenant && t.ID == id }
			if id < firstUserID || c.Catalog.Table(tenant, id) != nil || slices.ContainsFunc(dropped, known) {
				continue
			}
			has, err := c.hasKeys(ctx, keys.PrefixSpan(keys.TablePrefix(tenant, id)), c.asOf)
			if err != nil {
				return nil, err
			}
			if has {
				out = append(out, newRaw(tenant, id))
			}
		}
	}
	return out, nil
}

// tableIDs are the ids of all tables of a tenant that have keys, deleted ones too.
func (c *Cluster) tableIDs(ctx context.Context, tenant uint64) ([]uint32, error) {
	prefix := keys.TenantPrefix(tenant)
	span := keys.Span{From: append(bytes.Clone(prefix), 0x88), To: append(bytes.Clone(prefix), 0xfe)}
	for {
		var ids []uint32
		it := c.View().Iter(span)
		for it.Next() && ctx.Err() == nil {
			user, _, err := keys.Split(it.Key())
			if err != nil {
				continue
			}
			id, rest, ok := keys.TakeUvarint(user[len(prefix):])
			next := append(bytes.Clone(user), 0)
			if ok {
				ids = append(ids, uint32(id))
				next = keys.PrefixEnd(bytes.Clone(user[:len(user)-len(rest)]))
			}
			it.SeekGE(next)
		}
		err := errors.Join(it.Err(), it.Close(), ctx.Err())
		if !errors.Is(err, ranges.ErrReadAgain) {
			return ids, err
		}
	}
}
