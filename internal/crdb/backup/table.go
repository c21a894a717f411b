package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/sst"
)

// source walks a part. A table that cannot be opened is a source without entries
// and with damage.
func (b *Backup) source(p part, span keys.Span) sst.Source {
	t, f, err := b.table(p)
	if err != nil {
		return &lostTable{damage: b.lost(p, span, err.Error())}
	}
	return &openTable{Iter: t.Iter(span), file: f, opened: t.Damage()}
}

// table opens the table of a part; the file is to be closed.
func (b *Backup) table(p part) (*sst.Table, *file, error) {
	prefix, err := p.elided()
	if err != nil {
		return nil, nil, err
	}
	f, err := b.openData(p.layer, p.file.Path)
	if err != nil {
		if p.file.Locality != "" {
			err = fmt.Errorf("%w (it belongs to the locality %q)", err, p.file.Locality)
		}
		return nil, nil, err
	}
	if isEncrypted(f) {
		return nil, nil, closing(f, errors.New("the table is encrypted"))
	}
	o := sst.Options{Store: b.name, Name: path.Join(p.layer.dir, p.file.Path), Bounds: &p.span, SyntheticPrefix: prefix}
	t, err := sst.Open(context.Background(), f, f.size, o)
	if err != nil {
		return nil, nil, closing(f, err)
	}
	return t, f, nil
}

// isEncrypted says that a file begins as BACKUP's encrypted files do.
func isEncrypted(f *file) bool {
	head := make([]byte, len(encryptedHead))
	_, err := f.ReadAt(head, 0)
	return err == nil && string(head) == encryptedHead
}

// elided is the prefix that the table's keys are stored without.
func (p part) elided() ([]byte, error) {
	if p.layer.Elided == ElideNone {
		return nil, nil
	}
	key := p.file.Span.From
	rest, ok := key, true
	if len(key) > 0 && key[0] == tenantPrefix {
		_, rest, ok = keys.TakeUvarint(key[1:])
	}
	if ok && p.layer.Elided == ElideTenantAndTable {
		_, rest, ok = keys.TakeUvarint(rest)
	}
	if !ok {
		return nil, fmt.Errorf("the key %x has no prefix to be elided", key)
	}
	return key[: len(key)-len(rest) : len(key)-len(rest)], nil
}

const tenantPrefix = 0xfe

func (b *Backup) lost(p part, span keys.Span, why string) engine.Damage {
	return engine.Damage{Store: b.name, File: path.Join(p.layer.dir, p.file.Path), Offset: -1, Size: -1, Span: p.span.Intersect(span), Why: why}
}

func closing(c io.Closer, err error) error {
	if cerr := c.Close(); cerr != nil {
		return fmt.Errorf("%w (and closing: %w)", err, cerr)
	}
	return err
}

// openTable is a walk over a table that is closed with it.
type openTable struct {
	*sst.Iter
	file   *file
	opened []engine.Damage
}

func (t *openTable) Damage() []engine.Damage {
	return append(slices.Clone(t.opened), t.Iter.Damage()...)
}

func (t *openTable) Close() error {
	err := t.Iter.Close()
	if cerr := t.file.Close(); err == nil {
		err = cerr
	}
	return err
}

type lostTable struct{ damage engine.Damage }

func (t *lostTable) Next() *sst.Entry        { return nil }
func (t *lostTable) SeekGE([]byte)           {}
func (t *lostTable) Err() error              { return nil }
func (t *lostTable) Damage() []engine.Damage { return []engine.Damage{t.damage} }
func (t *lostTable) Close() error            { return nil }
