package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/fault"
)

// Options say how a store is read. The zero value is good.
type Options struct {
	// Name is what damage and messages call the store; empty: its directory.
	Name string
	// FS is where the store lies; nil: the directory itself.
	FS FS
	// Logs are further directories that hold logs of the store: wal_dir, and the
	// secondary directory of a failover.
	Logs []FS
	// StoreKeys are the contents of key files, if the store is encrypted: one of
	// them is its node's.
	StoreKeys [][]byte
	// Memory bounds what is kept of the logs in memory, in bytes; what is more
	// goes to files in Scratch. 0 is 64 MiB.
	Memory int64
	// Scratch is a directory for temporary files, outside the evidence; empty:
	// the system's.
	Scratch string
	// OpenTables bounds the tables open at once; 0 is 64.
	OpenTables int
}

const (
	defaultMemory     = 64 << 20
	defaultOpenTables = 64
)

// Store is one store directory, open for reading. It may be used from several
// goroutines at once.
type Store struct {
	name     string
	fs       FS
	dir      *listing
	ident    Ident
	facts    Facts
	version  *version
	tables   []TableMeta
	runs     [][]TableMeta
	mem      *memTable
	cache    *tableCache
	damage   []engine.Damage
	replayed uint64 // the highest sequence number out of the logs
	appended map[uint64]uint64

	otherLogs int // directories of logs beside the store's own
}

// Open reads what is needed to know the store: its MANIFEST and its live logs,
// no table. It writes nothing into the directory, and takes no lock.
func Open(ctx context.Context, dir string, opt Options) (*Store, error) {
	s := &Store{name: opt.Name, fs: opt.FS, appended: map[uint64]uint64{}}
	if s.name == "" {
		s.name = dir
	}
	if s.fs == nil {
		s.fs = Dir(dir)
	}
	if opt.Memory == 0 {
		opt.Memory = defaultMemory
	}
	if opt.OpenTables == 0 {
		opt.OpenTables = defaultOpenTables
	}
	s.mem = newMemTable(opt.Memory, opt.Scratch)
	s.cache = newTableCache(s, opt.OpenTables)
	if err := s.open(ctx, opt); err != nil {
		return nil, errors.Join(fault.Wrap(fault.KindOf(err), fmt.Sprintf("open store %q", s.name), err, ""), s.mem.close())
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, opt Options) error {
	if err := s.list(opt.Logs); err != nil {
		return fault.Wrap(fault.Denied, "list files", err, "")
	}
	if err := s.unlock(opt.StoreKeys); err != nil {
		return err
	}
	if err := s.readFacts(); err != nil {
		return err
	}
	if err := s.readVersion(ctx); err != nil {
		return err
	}
	logs, err := s.liveLogs(ctx)
	if err != nil {
		return err
	}
	if err := s.replay(ctx, logs); err != nil {
		return err
	}
	slices.SortStableFunc(s.tables, func(a, b TableMeta) int { return bytes.Compare(a.span.From, b.span.From) })
	s.runs = tableRuns(s.tables)
	s.readIdent()
	return nil
}

// list names the files of the store, and the logs that lie elsewhere.
func (s *Store) list(logs []FS) (err error) {
	if s.dir, err = readListing(s.fs); err != nil {
		return err
	}
	for _, fs := range logs {
		more, err := readListing(fs)
		if err != nil {
			return err
		}
		s.dir.logs = append(s.dir.logs, more.logs...)
		s.otherLogs++
	}
	s.dir.sort()
	return nil
}

// Ident is the store's name in its cluster; zero if it cannot be read.
func (s *Store) Ident() Ident { return s.ident }

// Name is what damage and messages call the store.
func (s *Store) Name() string { return s.name }

// Damage is what was found to be lost when the store was opened. What is wrong
// inside a table shows only when it is read: see engine.Iter.
func (s *Store) Damage() []engine.Damage { return slices.Clone(s.damage) }

// Facts are what the store says of itself.
func (s *Store) Facts() Facts { return s.facts }

// Close frees what is open.
func (s *Store) Close() error {
	s.cache.close()
	return s.mem.close()
}
