package synth

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"

	"github.com/klauspost/compress/snappy"
	"golang.org/x/sync/errgroup"

	"github.com/evac-io/evac/internal/crdb/keys"
)

const (
	firstTable = 1000 // ids of copies; those with fates are behind them
	chunkItems = 2048 // that go to the stores at once
)

// Write writes the stores of a spec to dir/n1, dir/n2 … .
func Write(ctx context.Context, dir string, spec Spec) (*Truth, error) {
	spec.defaults()
	g := newGenerator(&spec)
	truth := &Truth{Cluster: g.cluster.id, Tables: g.tables, Ranges: len(g.cluster.ranges)}
	group, ctx := errgroup.WithContext(ctx)
	feeds := make([]chan []item, spec.Stores)
	locals := make(chan struct{}) // closed when the local keys are known
	stores := make([]*store, spec.Stores)
	for i := range spec.Stores {
		s, err := newStore(filepath.Join(dir, fmt.Sprintf("n%d", i+1)), i, &spec)
		if err != nil {
			return nil, err
		}
		stores[i], feeds[i] = s, make(chan []item, 4)
		truth.Stores = append(truth.Stores, s.dir)
		group.Go(func() error { return s.consume(ctx, feeds[i], locals, g) })
	}
	group.Go(func() error {
		err := g.run(func(chunk []item) error {
			for _, feed := range feeds {
				select {
				case feed <- chunk:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return nil
		})
		for _, feed := range feeds {
			close(feed)
		}
		close(locals)
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for _, s := range stores {
		truth.Bytes += s.bytes.Load()
	}
	for i := range g.tables {
		truth.KVs += int64(g.tables[i].KVs())
	}
	return truth, nil
}

// consume writes one store.
func (s *store) consume(ctx context.Context, feed <-chan []item, locals <-chan struct{}, g *generator) error {
	for chunk := range feed {
		for _, it := range chunk {
			if err := s.put(it); err != nil {
				return err
			}
		}
	}
	<-locals
	if err := ctx.Err(); err != nil {
		return err
	}
	if over := g.over(g.tables); len(over) > 0 {
		if err := s.ingestOver(over); err != nil {
			return err
		}
	}
	if err := s.local(g.cluster.items); err != nil {
		return err
	}
	for _, f := range g.cluster.files {
		if err := s.whole(f.name, f.data); err != nil {
			return err
		}
	}
	return s.close()
}

// ingestOver puts range deletions into an ingested table, or in every second
// store into the log; range tombstones always into a table.
func (s *store) ingestOver(over []item) error {
	var tombs, dels []item
	for _, it := range over {
		if it.kind == rangeSet {
			tombs = append(tombs, it)
		} else {
			dels = append(dels, it)
		}
	}
	if s.number%2 == 1 {
		s.batch = append(s.batch, dels...)
		dels = nil
	}
	if err := s.top.end(); err != nil {
		return err
	}
	for _, list := range [][]item{dels, tombs} {
		if len(list) == 0 {
			continue
		}
		if err := s.ingest(list); err != nil {
			return err
		}
	}
	return nil
}

func (s *Spec) defaults() {
	s.Copies, s.Stores = cmp.Or(s.Copies, 1), cmp.Or(s.Stores, 3)
	s.TableSize, s.LogShare = cmp.Or(s.TableSize, 8<<20), cmp.Or(s.LogShare, 5)
	s.LogShare = max(s.LogShare, 0)
	if s.Bytes > 0 {
		s.Copies = int(s.Bytes/s.Template.stored()) + 1
	}
}

// stored is about how many bytes a copy of all tables has in a store.
func (t *Template) stored() int64 {
	raw, packed := int64(1), int64(1)
	all := int64(0)
	for _, table := range t.Tables {
		all += table.size
		sample := table.data[:min(len(table.data), 256<<10)]
		for len(sample) > 0 {
			n := min(len(sample), 32<<10)
			packed += int64(len(snappy.Encode(nil, sample[:n])))
			raw += int64(n)
			sample = sample[n:]
		}
	}
	return all*packed/raw + 1
}

// generator makes the entries of all stores.
type generator struct {
	spec    *Spec
	tables  []Table
	cluster *cluster
	build   builder
}

func newGenerator(spec *Spec) *generator {
	g := &generator{spec: spec}
	id := uint32(firstTable)
	add := func(source *TemplateTable, name string, fate Fate) {
		t := Table{ID: id, Name: name, Source: source, Fate: fate, Shows: fate.shows(), Span: keys.PrefixSpan(keys.TablePrefix(0, id))}
		g.tables = append(g.tables, t)
		id++
	}
	for n := range spec.Copies {
		for _, source := range spec.Template.Tables {
			add(source, fmt.Sprintf("%s_%04d", source.Name, n), "")
		}
	}
	small := spec.Template.small()
	for _, fate := range spec.Fates {
		add(small, fmt.Sprintf("%s_%s", small.Name, fate), fate)
	}
	g.cluster = &cluster{spec: spec, now: later(spec.Template.newest, 3600), entries: map[uint64][]item{}}
	binary.BigEndian.PutUint64(g.cluster.id[:], mix(spec.Seed))
	binary.BigEndian.PutUint64(g.cluster.id[8:], mix(spec.Seed+1))
	g.cluster.cut(g.tables)
	return g
}

// run makes all entries that are not local, in the order of keys, then the local
// ones.
func (g *generator) run(send func([]item) error) error {
	chunk := make([]item, 0, chunkItems)
	emit := func(it item) error {
		if chunk = append(chunk, it); len(chunk) < chunkItems {
			return nil
		}
		full := chunk
		chunk = make([]item, 0, chunkItems)
		return send(full)
	}
	for _, it := range systemItems(g.spec.Template, g.tables) {
		if err := emit(it); err != nil {
			return err
		}
	}
	for i := range g.tables {
		t := &g.tables[i]
		make := g.plain
		if t.Fate != "" {
			make = g.fated
		}
		if err := make(t, emit); err != nil {
			return err
		}
	}
	if err := g.cluster.state(); err != nil {
		return err
	}
	return send(chunk)
}

// plain emits a table as it is, with older versions and tombstones below some of
// its rows.
func (g *generator) plain(t *Table, emit func(item) error) error {
	var arena []byte
	for i, e := range t.Source.kvs {
		user, value := g.build.kv(t, i)
		if need := 2*len(user) + len(value) + 64; cap(arena)-len(arena) < need {
			arena = make([]byte, 0, max(256<<10, need))
		}
		at := len(arena)
		arena = keys.Append(arena, user, e.ts)
		mid := len(arena)
		arena = append(arena, value...)
		it := item{key: arena[at:mid:mid], value: arena[mid:len(arena):len(arena)], kind: set}
		if err := emit(it); err != nil {
			return err
		}
		if g.spec.Plain || e.ts.IsZero() {
			continue
		}
		if h := mix(g.spec.Seed ^ uint64(t.ID)<<32 ^ uint64(i)); h%16 == 0 {
			if err := g.older(t, i, bytes.Clone(user), h>>8, emit); err != nil {
				return err
			}
		}
	}
	return nil
}

// older emits what a key was before.
func (g *generator) older(t *Table, i int, user []byte, h uint64, emit func(item) error) error {
	ts := t.Source.kvs[i].ts
	if h%3 == 0 {
		if err := emit(item{key: keys.Append(nil, user, later(ts, -1800)), kind: set}); err != nil {
			return err
		}
	}
	return emit(item{key: keys.Append(nil, user, later(ts, -3600)), value: g.build.other(t, i, user), kind: set})
}
