package pg

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/evac-io/evac/internal/fault"
)

// warmRelation is a table, materialized view, TOAST table or index.
type warmRelation struct {
	OID, Filenode uint32
	Kind          string // of pg_class: r, m, t, i
	Method        string // of an index: btree, gin …
	// Schema, Table and Index are its names; of a TOAST table and its index
	// those of the table that they belong to. Name tells all of them apart
	// and is the same on a logical copy.
	Schema, Table, Index, Name string
	Blocks                     int64
	Rows                       float64
	TOAST                      bool // a TOAST table or its index
	Readable                   bool // the user may select from the table
	System                     bool
	// Fetched is how many accesses to its blocks the server has counted.
	Fetched float64

	// hot tells that it is part of the hot set.
	hot bool
	// also are the relations that are read with this one, by their size; 0
	// where each is read by itself.
	also int64
	// parts are conditions for parts of about one size that are read by
	// themselves; none where it is read at once.
	parts []string
}

// heat is how often each of its blocks was accessed. The catalogs are hotter
// than anything, for nothing works without them.
func (r *warmRelation) heat() float64 {
	if r.System {
		return math.Inf(1)
	}
	return r.Fetched / float64(max(1, r.Blocks+r.also))
}

// warmSet is what there is to warm.
type warmSet struct {
	// Relations are those to read, hottest first.
	Relations []*warmRelation
	// Segments are the hot blocks where they are known one by one, hottest
	// first; else the relations that are hot count.
	Segments []warmSegment
	// Heat says in words what the hot set rests on.
	Heat string
	// Bytes is the size of all Relations, HotBytes of the hot set.
	Bytes, HotBytes int64
	// LeftOut says what cannot be read, and why.
	LeftOut []string
	// Warnings say what would make it better.
	Warnings  []string
	blockSize int64
}

//go:embed warm_relations.sql
var warmRelationsSQL string

// readRelations lists what has blocks in the database.
func readRelations(ctx context.Context, conn *pgx.Conn) ([]*warmRelation, error) {
	rows, err := conn.Query(ctx, warmRelationsSQL)
	if err != nil {
		return nil, fmt.Errorf("list relations: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByPos[warmRelation])
	if err != nil {
		return nil, fmt.Errorf("list relations: %w", err)
	}
	return list, nil
}

// hotShare is the share of all accesses that the hot set takes.
const hotShare = 0.99

// readWarmSet reads the target's relations, and what was hot from the source.
func readWarmSet(ctx context.Context, target *pgx.Conn, way warmWay, o WarmOptions) (set warmSet, err error) {
	if err := target.QueryRow(ctx, "select current_setting('block_size')::int8").Scan(&set.blockSize); err != nil {
		return set, fmt.Errorf("read block size: %w", err)
	}
	all, err := readRelations(ctx, target)
	if err != nil {
		return set, err
	}
	set.Relations, set.LeftOut = way.readable(way.units(all))
	if o.From.Empty() {
		set.Heat = "the statistics of the database itself"
	} else if err := set.readHeat(ctx, target, way, o); err != nil {
		return set, err
	}
	set.rank()
	return set, nil
}

// readHeat asks the source what was hot.
func (s *warmSet) readHeat(ctx context.Context, target *pgx.Conn, way warmWay, o WarmOptions) (err error) {
	source, err := Connect(ctx, o.From, ConnOptions{Application: warmApplication, Side: Source})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, hangUp(ctx, source)) }()
	theirs, err := readRelations(ctx, source)
	if err != nil {
		return err
	}
	twin, err := twins(ctx, source, target, o.Physical)
	if err != nil {
		return err
	}
	byName := make(map[string]*warmRelation, len(theirs))
	for _, r := range way.units(theirs) {
		byName[r.Name] = r
	}
	for _, r := range s.Relations {
		r.Fetched = 0
		if same := byName[r.Name]; same != nil {
			r.Fetched = same.Fetched
		}
	}
	s.Heat = fmt.Sprintf("the statistics of %s, relation by relation", o.From)
	switch {
	case !twin:
		return nil
	case !way.blocks():
		s.Warnings = append(s.Warnings, fmt.Sprintf("the blocks are the same as those of %s, but single ones can only be read by pg_prewarm", o.From))
		return nil
	}
	return s.readSegments(ctx, source, o, byName)
}

// rank puts the hottest first and marks the hot set: the relations that are
// accessed most a block and together took hotShare of all accesses.
func (s *warmSet) rank() {
	slices.SortFunc(s.Relations, func(a, b *warmRelation) int {
		return cmp.Or(cmp.Compare(b.heat(), a.heat()), cmp.Compare(a.Blocks, b.Blocks), cmp.Compare(a.Name, b.Name))
	})
	var total, sum float64
	for _, r := range s.Relations {
		s.Bytes += (r.Blocks + r.also) * s.blockSize
		if !r.System {
			total += r.Fetched
		}
	}
	if total == 0 {
		s.Heat += " (which counted nothing yet: all is equally hot)"
	}
	for _, r := range s.Relations {
		if r.System {
			continue
		}
		r.hot = len(s.Segments) == 0 && (sum < total*hotShare || total == 0)
		sum += r.Fetched
		if r.hot {
			s.HotBytes += (r.Blocks + r.also) * s.blockSize
		}
	}
	for _, g := range s.Segments {
		s.HotBytes += g.blocks() * s.blockSize
	}
}

// twins tells whether the two databases have the same blocks: a restored
// snapshot or a replica keeps the system identifier.
func twins(ctx context.Context, source, target *pgx.Conn, layout Layout) (bool, error) {
	if layout != LayoutAuto {
		return layout == LayoutPhysical, nil
	}
	var ids [2]string
	for i, conn := range []*pgx.Conn{source, target} {
		version, err := Version(ctx, conn)
		if err != nil {
			return false, err
		}
		if version < firstControlSystem {
			return false, nil // physical = "yes" says so where it is one
		}
		err = conn.QueryRow(ctx, `
			select concat_ws(' ', s.system_identifier, d.oid) from pg_catalog.pg_control_system() s, pg_catalog.pg_database d
			where d.datname = current_database()`).Scan(&ids[i])
		if err != nil {
			return false, fault.Wrap(fault.Failed, "read system identifier", err, "")
		}
	}
	return ids[0] == ids[1], nil
}

// firstControlSystem is the first version with pg_control_system.
const firstControlSystem = 9_06_00
