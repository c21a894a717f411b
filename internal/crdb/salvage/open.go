package salvage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/evac-io/evac/internal/crdb/backup"
	"github.com/evac-io/evac/internal/crdb/catalog"
	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/mvcc"
	"github.com/evac-io/evac/internal/crdb/ranges"
	"github.com/evac-io/evac/internal/crdb/store"
	"github.com/evac-io/evac/internal/fault"
)

// Options of a salvage.
type Options struct {
	AsOf   keys.Timestamp // the zero moment is the newest state
	Tables []string       // "database.schema.table"; all if empty
	Null   string         // what stands for NULL in the CSV; empty: an empty field without quotes
	Jobs   int            // workers; 0 is one a core
	Piece  int64          // about how many stored bytes one task reads; 0 is 32 MiB. What they come to is the same
	Memory int64          // bytes that logs may take, the stores' own and those of Raft, and later what is sorted; more goes to files. 0 is 2 GiB
	Follow Follower       // hears of the files as they come to stand; may be nil

	Format   string // of the parts: "csv", which is also the default, or "parquet"
	Loadable bool   // leaves out the columns that a database makes by itself

	Dropped bool   // dropped and truncated tables too, as far as their rows are left
	Schema  string // SQL with the ids of tables, or a backup's folder: for tables whose descriptors are lost

	Note func(text string) // hears what is done before rows are read; may be nil

	Work      string   // folder in which archives are unpacked, and files go that have no name; empty: one that goes when the cluster is closed
	CopyTo    string   // folder into which the evidence is copied first; empty: it is read where it lies
	StoreKeys [][]byte // contents of key files, if stores are encrypted
}

// The formats of parts.
const (
	CSV     = "csv"
	Parquet = "parquet"
)

// format is that of the parts.
func (c *Cluster) format() string { return cmp.Or(c.opt.Format, CSV) }

// note says what is done now.
func (c *Cluster) note(format string, args ...any) {
	if c.opt.Note != nil {
		c.opt.Note(fmt.Sprintf(format, args...))
	}
}

// defaultMemory is what --memory is without being given.
const defaultMemory = 2 << 30

// memory is what may be taken: a quarter for the stores' own logs, a quarter for
// those of Raft, half for what a headcount sorts.
func (o Options) memory() int64 { return cmp.Or(o.Memory, defaultMemory) }

// Cluster is what the stores or a backup hold, surveyed, with its schema.
type Cluster struct {
	Stores  []*store.Store
	Map     *ranges.Map    // nil for a backup
	Backup  *backup.Backup // nil for stores
	Catalog *catalog.Catalog
	Doubts  []string // about the schema

	notes []string                  // what decides nothing
	given map[*catalog.Table]string // tables whose descriptors are lost, and what describes them
	print string                    // of what describes them

	opt  Options
	asOf keys.Timestamp
	read []keys.Span // where the schema was read

	scratch string // a folder that goes when the cluster is closed

	outcomes *mvcc.Outcomes // of a backup
	mu       sync.Mutex
	met      []engine.Damage // of a backup, as far as it was read
}

// Open opens stores or the folders of a backup, or archives of them, which are
// only read, and surveys them.
func Open(ctx context.Context, names []string, opt Options) (_ *Cluster, err error) {
	c := &Cluster{opt: opt, asOf: opt.AsOf, given: map[*catalog.Table]string{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	if opt.Format != "" && opt.Format != CSV && opt.Format != Parquet {
		return c, fault.New(fault.Invalid, fmt.Sprintf("no format is called %q", opt.Format), "--format csv or --format parquet")
	}
	if len(names) == 0 {
		return c, fault.New(fault.Invalid, "no store is named", "evac cockroach survey STORE…")
	}
	inputs, err := c.inputs(ctx, names, opt)
	if err != nil {
		return c, err
	}
	if isBackup, err := c.isBackup(inputs); err != nil {
		return c, err
	} else if isBackup {
		return c, c.openBackup(ctx, inputs)
	}
	var sources []*ranges.Source
	for _, in := range inputs {
		s, err := store.Open(ctx, in.dir, store.Options{Name: in.name, StoreKeys: opt.StoreKeys, Memory: opt.memory() / int64(4*len(inputs)), Scratch: opt.Work})
		if err != nil {
			return c, err
		}
		c.Stores = append(c.Stores, s)
		sources = append(sources, source(s))
	}
	if err := c.sameCluster(); err != nil {
		return c, err
	}
	return c, c.chart(ctx, sources)
}

// chart settles who speaks for which keys, and reads the schema.
func (c *Cluster) chart(ctx context.Context, sources []*ranges.Source) (err error) {
	if c.Map, err = ranges.Survey(ctx, sources, ranges.Options{Memory: c.opt.memory() / 4, Scratch: c.opt.Work}); err != nil {
		return err
	}
	if err := c.readSchema(ctx); err != nil {
		return err
	}
	return c.takeSchema(ctx, c.opt.Schema)
}

// source is a store as the survey reads it.
func source(s *store.Store) *ranges.Source {
	return &ranges.Source{Name: s.Name(), View: s.View(), Damage: s.Damage(), ReadFile: s.ReadFile, Appended: s.Appended()}
}

// sameCluster refuses stores of two clusters, and a store that is given twice.
func (c *Cluster) sameCluster() error {
	seen := map[int32]string{}
	for _, s := range c.Stores {
		id := s.Ident()
		if id == (store.Ident{}) {
			continue
		}
		if first := c.Stores[0].Ident(); first != (store.Ident{}) && first.Cluster != id.Cluster {
			return fault.New(fault.Invalid, fmt.Sprintf("store %q is of cluster %s, store %q of cluster %s",
				c.Stores[0].Name(), first.Cluster, s.Name(), id.Cluster), "name the stores of one cluster")
		}
		if other, twice := seen[id.Store]; twice {
			return fault.New(fault.Invalid, fmt.Sprintf("%q and %q are both store %d", other, s.Name(), id.Store), "name each store once: the copy that was taken last")
		}
		seen[id.Store] = s.Name()
	}
	return nil
}

// View is the newest state of all keys, or of a backup all that it has.
func (c *Cluster) View() engine.View {
	if c.Backup != nil {
		return c.Backup.View()
	}
	return c.Map.View()
}

// Reader reads all keys at the chosen moment.
func (c *Cluster) Reader() *mvcc.Reader { return c.readerAt(c.asOf) }

// tallied is a reader whose walk over a span is added up, if there is more than
// one store to hold it against.
func (c *Cluster) tallied(at keys.Timestamp, span keys.Span, read *ranges.Tally) *mvcc.Reader {
	if c.Backup != nil || len(c.Stores) == 1 {
		return c.readerAt(at)
	}
	return mvcc.NewReader(c.Map.Tallied(span, read), c.Map.Outcomes(), at)
}

// closed ends a walk of a reader, and says what ended it too early.
func (c *Cluster) closed(it *mvcc.Iter) error {
	if c.Backup != nil {
		c.meet(it.Damage())
	}
	return errors.Join(it.Err(), it.Close())
}

// Close closes the stores.
func (c *Cluster) Close() error {
	var errs []error
	if c.Map != nil {
		errs = append(errs, c.Map.Close())
	}
	for _, s := range c.Stores {
		errs = append(errs, s.Close())
	}
	if c.scratch != "" {
		errs = append(errs, os.RemoveAll(c.scratch))
	}
	return errors.Join(errs...)
}
