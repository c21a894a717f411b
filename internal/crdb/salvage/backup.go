package salvage

import (
	"context"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/evac-io/evac/internal/crdb/backup"
	"github.com/evac-io/evac/internal/crdb/catalog"
	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/mvcc"
	"github.com/evac-io/evac/internal/fault"
)

// Layer is a full or incremental backup that takes part.
type Layer struct {
	Dir   string    `json:"dir"` // below the first folder or, of an incremental one that lies elsewhere, its own
	ID    string    `json:"id"`
	Build string    `json:"build"`           // the release that wrote it
	Start time.Time `json:"start,omitzero"`  // zero: it is a full backup
	End   time.Time `json:"end"`             // the moment whose state it has
	Files int       `json:"files"`           // tables
	Rows  int64     `json:"rows,omitempty"`  // as it says itself
	Bytes int64     `json:"bytes,omitempty"` // of keys and values, as it says itself
}

// isBackup says whether the inputs are a backup's folders. They may not be both.
func (c *Cluster) isBackup(inputs []input) (bool, error) {
	var of [2]string
	for _, in := range inputs {
		if backup.Is(os.DirFS(in.dir)) {
			of[1] = in.name
		} else {
			of[0] = in.name
		}
	}
	if of[0] != "" && of[1] != "" {
		return false, fault.New(fault.Invalid, fmt.Sprintf("%q is a store, %q a backup: their rows are of two moments", of[0], of[1]),
			"salvage each by itself; if the stores have lost their schema, give the backup with --schema")
	}
	return of[1] != "", nil
}

// openBackup reads a backup's manifests and descriptors.
func (c *Cluster) openBackup(ctx context.Context, inputs []input) (err error) {
	var folders []fs.FS
	for _, in := range inputs {
		folders = append(folders, os.DirFS(in.dir))
	}
	if c.Backup, err = backup.Open(ctx, folders, backup.Options{Name: inputs[0].name, AsOf: c.asOf}); err != nil {
		return err
	}
	if c.opt.Schema != "" {
		return fault.New(fault.Invalid, "a backup has its schema with it", "leave --schema away")
	}
	if c.opt.Dropped {
		return fault.New(fault.Invalid, "a backup has no rows of dropped tables", "leave --dropped away, or salvage the backup with --as-of before they were dropped")
	}
	c.asOf, c.outcomes = c.Backup.AsOf(), mvcc.NewOutcomes(c.Backup.View(), nil)
	raws, err := backupDescriptors(c.Backup)
	if err != nil {
		return err
	}
	var names []catalog.Name
	for _, l := range c.Backup.Layers() {
		for _, tenant := range l.Tenants {
			more, err := c.descriptors(ctx, tenant)
			if err != nil {
				return err
			}
			raws = append(raws, more...)
		}
	}
	var doubts []catalog.Doubt
	c.Catalog, doubts = catalog.Load(raws, names)
	for _, d := range doubts {
		c.Doubts = append(c.Doubts, d.String())
	}
	return nil
}

// backupDescriptors are those which the manifests hold: the system tenant's, or
// of a backup that another tenant took its own.
func backupDescriptors(b *backup.Backup) ([]catalog.Raw, error) {
	list, err := b.Descriptors()
	if err != nil {
		return nil, err
	}
	tenant := uint64(1)
	if spans := b.Spans(); len(spans) > 0 && len(spans[0].From) > 1 && spans[0].From[0] == 0xfe && len(b.Layers()[0].Tenants) == 0 {
		if id, _, ok := keys.TakeUvarint(spans[0].From[1:]); ok {
			tenant = id
		}
	}
	var raws []catalog.Raw
	for _, d := range list {
		raws = append(raws, catalog.Raw{Tenant: tenant, ID: d.ID, At: d.At, Bytes: d.Desc})
	}
	return raws, nil
}

// meet keeps damage of a backup.
func (c *Cluster) meet(list []engine.Damage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.met = append(c.met, list...)
}

// damage is all that is known so far.
func (c *Cluster) damage() []engine.Damage {
	if c.Backup == nil {
		return c.Map.Damage()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]engine.Damage(nil), c.met...)
}

// backupRests says what a span rests on: the backup's files, of which some may be
// damaged.
func (c *Cluster) backupRests(span keys.Span) []Rest {
	rest := Rest{Span: Span(span), Files: c.Backup.FilesIn(span)}
	for _, d := range c.damage() {
		if d.Span.Overlaps(span) {
			rest.Doubt = fmt.Sprintf("the backup's file %q: %s", d.File, d.Why)
			break
		}
	}
	return []Rest{rest}
}

// surveyBackup is what the manifests say.
func (c *Cluster) surveyBackup(s *Survey) {
	layers := c.Backup.Layers()
	cluster := layers[0].Cluster
	s.Cluster = uuid(cluster)
	for _, l := range layers {
		one := Layer{Dir: l.Dir, ID: uuid(l.ID), Build: l.Build, End: l.End.Time(), Files: len(l.Files), Rows: l.Rows}
		if !l.Start.IsZero() {
			one.Start = l.Start.Time()
		}
		for _, f := range l.Files {
			one.Bytes += f.DataSize
		}
		s.Layers = append(s.Layers, one)
	}
	s.Damage = c.named(c.damage())
}

func uuid(id [16]byte) string {
	x := hex.EncodeToString(id[:])
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}

// proveBackup holds a backup's files against its manifests, and the keys of the
// tables against those that the backup was asked for.
func (c *Cluster) proveBackup(ctx context.Context, p *Plan, rep *Report, opt Options) error {
	if c.Backup == nil {
		return nil
	}
	proof, err := c.Backup.Verify(ctx, opt.Jobs)
	if err != nil {
		return err
	}
	c.meet(proof.Damage)
	for _, d := range proof.Damage {
		rep.problem("the backup's file %q: %s; keys %s", d.File, d.Why, d.Span)
	}
	rep.Notes = append(rep.Notes, c.Backup.Notes()...)
	if n := proof.Files - proof.Hashed; n > 0 && len(proof.Damage) == 0 {
		rep.Notes = append(rep.Notes, fmt.Sprintf("the manifest has no hash of %d of the %d files, as that of every release after 20.1: what proves them are the checksums within", n, proof.Files))
	}
	if n := proof.Files - proof.Counted; n > 0 && len(proof.Damage) == 0 {
		rep.Notes = append(rep.Notes, fmt.Sprintf("%d of the %d files were not counted against the manifest: that of releases before 1.1 and after 20.1 does not say it, or otherwise", n, proof.Files))
	}
	for _, t := range p.Tables {
		d := p.decoders[t]
		spans := []keys.Span{d.Span()}
		for _, ix := range d.Indexes() {
			spans = append(spans, ix.Span())
		}
		for _, s := range spans {
			if gap, ok := uncovered(s, c.Backup.Spans()); !ok {
				rep.problem("table %q: the backup was not asked for the keys from %x on", FullName(t), gap)
			}
		}
	}
	return nil
}

// uncovered is the first key of a span that none of the others has; ok if there
// is none.
func uncovered(span keys.Span, by []keys.Span) (gap []byte, ok bool) {
	at := span.From
	for moved := true; moved; {
		moved = false
		for _, s := range by {
			if !s.Contains(at) {
				continue
			}
			if s.To == nil || span.To != nil && string(s.To) >= string(span.To) {
				return nil, true
			}
			at, moved = s.To, true
		}
	}
	return at, false
}
