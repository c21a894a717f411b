package salvage

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/evac-io/evac/internal/crdb/catalog"
	"github.com/evac-io/evac/internal/crdb/enc"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/mvcc"
	"github.com/evac-io/evac/internal/crdb/ranges"
)

// The system tables that hold the schema, and their family (CockroachDB's
// system.descriptor and system.namespace, the latter since 20.1).
const (
	descriptorTable = 3
	namespaceTable  = 30
)

// readSchema reads the descriptors of all tenants.
func (c *Cluster) readSchema(ctx context.Context) error {
	tenants, err := c.tenants(ctx)
	if err != nil {
		return err
	}
	var raws []catalog.Raw
	var names []catalog.Name
	for _, tenant := range tenants {
		own, err := c.descriptors(ctx, tenant)
		if err != nil {
			return fmt.Errorf("read system.descriptor of tenant %d: %w", tenant, err)
		}
		called, err := c.namespace(ctx, tenant)
		if err != nil {
			return fmt.Errorf("read system.namespace of tenant %d: %w", tenant, err)
		}
		raws, names = append(raws, own...), append(names, called...)
	}
	var doubts []catalog.Doubt
	c.Catalog, doubts = catalog.Load(raws, names)
	for _, d := range doubts {
		c.Doubts = append(c.Doubts, d.String())
	}
	return nil
}

// tenants are the system tenant and all others that have keys.
func (c *Cluster) tenants(ctx context.Context) ([]uint64, error) {
	out := []uint64{1}
	rest := keys.PrefixSpan([]byte{0xfe})
	for ctx.Err() == nil {
		it := c.View().Iter(rest)
		var user []byte
		if it.Next() {
			key, _, err := keys.Split(it.Key())
			if err != nil {
				return nil, errors.Join(err, it.Close())
			}
			user = bytes.Clone(key)
		}
		err := errors.Join(it.Err(), it.Close())
		switch {
		case errors.Is(err, ranges.ErrReadAgain):
			continue
		case err != nil:
			return nil, err
		case user == nil:
			return out, nil
		}
		id, tail, ok := keys.TakeUvarint(user[1:])
		if !ok {
			rest.From = append(user, 0)
			continue
		}
		out = append(out, id)
		rest.From = keys.PrefixEnd(user[:len(user)-len(tail)])
	}
	return nil, ctx.Err()
}

// each calls f with the key and value of each pair of a span, anew after begin
// whenever damage makes it read again.
func (c *Cluster) each(ctx context.Context, span keys.Span, begin func(), f func(it *mvcc.Iter)) error {
	if !slices.ContainsFunc(c.read, func(s keys.Span) bool { return s.String() == span.String() }) {
		c.read = append(c.read, span)
	}
	for {
		begin()
		it := c.Reader().Iter(span)
		for it.Next() && ctx.Err() == nil {
			f(it)
		}
		err := errors.Join(c.closed(it), ctx.Err())
		if !errors.Is(err, ranges.ErrReadAgain) {
			return err
		}
	}
}

// descriptors are those of one tenant.
func (c *Cluster) descriptors(ctx context.Context, tenant uint64) (out []catalog.Raw, err error) {
	prefix := keys.IndexPrefix(tenant, descriptorTable, 1)
	var doubts []string
	err = c.each(ctx, keys.PrefixSpan(prefix), func() { out, doubts = nil, nil }, func(it *mvcc.Iter) {
		id, rest, ok := keys.TakeUvarint(it.Key()[len(prefix):])
		if !ok || !bytes.Equal(rest, []byte{0x8a, 0x89}) { // family 2
			return
		}
		raw := catalog.Raw{Tenant: tenant, ID: uint32(id), At: it.Timestamp()}
		fine, has := enc.Checksum(it.Key(), it.Value())
		tag, data, err := enc.SplitValue(it.Value())
		switch {
		case has && !fine:
			doubts = append(doubts, fmt.Sprintf("descriptor %d: its value is not what was written", id))
		case err != nil || tag != enc.TagBytes:
			doubts = append(doubts, fmt.Sprintf("descriptor %d: its value has not the form of one", id))
			return
		case it.Doubt():
			doubts = append(doubts, fmt.Sprintf("descriptor %d: a schema change wrote it whose outcome cannot be known", id))
		}
		raw.Bytes = bytes.Clone(data)
		out = append(out, raw)
	})
	c.Doubts = append(c.Doubts, doubts...)
	return out, err
}

// namespace is the names of one tenant, a help where descriptors are lost.
func (c *Cluster) namespace(ctx context.Context, tenant uint64) (out []catalog.Name, err error) {
	prefix := keys.IndexPrefix(tenant, namespaceTable, 1)
	err = c.each(ctx, keys.PrefixSpan(prefix), func() { out = nil }, func(it *mvcc.Iter) {
		parent, rest, ok := keys.TakeUvarint(it.Key()[len(prefix):])
		if !ok {
			return
		}
		schema, rest, ok := keys.TakeUvarint(rest)
		if !ok {
			return
		}
		name, _, ok := keys.TakeBytes(nil, rest)
		tag, data, err := enc.SplitValue(it.Value())
		if !ok || err != nil || tag != enc.TagInt {
			return
		}
		if id, n := binary.Varint(data); n > 0 {
			out = append(out, catalog.Name{Tenant: tenant, Parent: uint32(parent), Schema: uint32(schema), Name: string(name), ID: uint32(id)})
		}
	})
	return out, err
}
