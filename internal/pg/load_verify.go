package pg

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
)

// VerifyLoadOptions say how a loaded database is compared with its files.
type VerifyLoadOptions struct {
	To secret.DSN
	// Jobs is how many tables are compared at once; at least 1.
	Jobs int
	// MaxDifferences is how many differences are listed; all are counted.
	MaxDifferences int
	// Memory bounds what rows under comparison take, in bytes; 0 is 64 MiB.
	Memory int64
	// Read is told how many rows were read since it was told last.
	Read func(rows int64)
}

// VerifyLoadResult is the headcount of a load; the files are the source.
type VerifyLoadResult struct {
	Tables int
	// Rows are those of the files that the server took, Rejected those that it did
	// not: they are not in the target, and stand in the folder's rejected/.
	Rows, Rejected            int64
	Missing, Extra, Different int64
	// Sequences counts those that have another value than the schema says.
	Sequences int64
	// AtLeast tells that more rows differ than the memory holds, and that only
	// as many were counted.
	AtLeast     bool
	Differences []Difference
}

// Equal tells whether every row that the server took is the same.
func (r VerifyLoadResult) Equal() bool {
	return r.Missing+r.Extra+r.Different+r.Sequences == 0 && !r.AtLeast
}

const defaultVerifyMemory = 64 << 20

// loadVerifier compares tables with their files.
type loadVerifier struct {
	VerifyLoadOptions
	plan  LoadPlan
	seeds seeds

	mu     sync.Mutex
	result VerifyLoadResult
	summed map[string]*sums // of files that were summed up as they were loaded
}

func newLoadVerifier(plan LoadPlan, o VerifyLoadOptions) *loadVerifier {
	o.Jobs = max(o.Jobs, 1)
	if o.Memory == 0 {
		o.Memory = defaultVerifyMemory
	}
	return &loadVerifier{VerifyLoadOptions: o, plan: plan, seeds: newSeeds(), summed: map[string]*sums{}}
}

// VerifyLoad compares every row of a loaded database with the files, and the
// values of its sequences with the schema's. Both sides of a table are summed up by keyed 128-bit hashes of rows in COPY's text form. Where a
// file writes a value in another form than the server, the sums differ: then the
// server reads the rows once more, part by part into a temporary table, and it
// is its own text of them that counts. Rows that still differ are named.
func VerifyLoad(ctx context.Context, plan LoadPlan, o VerifyLoadOptions) (result VerifyLoadResult, err error) {
	v := newLoadVerifier(plan, o)
	conn, err := v.connect(ctx)
	if err != nil {
		return result, err
	}
	tables, err := loadTables(ctx, conn)
	if err == nil {
		err = v.sequences(ctx, conn)
	}
	if err := errors.Join(err, hangUp(ctx, conn)); err != nil {
		return result, err
	}
	pairs, err := v.pairs(tables)
	if err != nil {
		return result, err
	}
	err = work(ctx, v.Jobs, pairs, v.connect, func(ctx context.Context, conn *pgx.Conn, p *loadPair) error {
		_, err := v.compare(ctx, conn, p)
		return err
	}, func(conn *pgx.Conn) error { return hangUp(ctx, conn) })
	return v.sorted(), err
}

// sorted is the result, differences in the order of the tables.
func (v *loadVerifier) sorted() VerifyLoadResult {
	slices.SortStableFunc(v.result.Differences, func(a, b Difference) int { return strings.Compare(a.Table, b.Table) })
	return v.result
}

// table compares one table of the target; other work may go on there meanwhile,
// but none that changes its rows.
func (v *loadVerifier) table(ctx context.Context, conn *pgx.Conn, at [2]string) (equal bool, err error) {
	tables, err := loadTables(ctx, conn, at[:]...)
	if err != nil {
		return false, err
	}
	t := tables[at]
	if t == nil {
		return false, fault.New(fault.Different, fmt.Sprintf("table %s is gone from the target", Quote(at[:]...)), "")
	}
	files := v.plan.table(at)
	if len(files.Parts) == 0 {
		files.Columns = t.Columns
	}
	return v.compare(ctx, conn, newLoadPair(files, t))
}

// firstTrim is the first version with trim_scale.
const firstTrim = 13_00_00

func (v *loadVerifier) connect(ctx context.Context) (*pgx.Conn, error) {
	return Connect(ctx, v.To, ConnOptions{Application: applicationName, Side: Target})
}

// loadPair is a table's files and the table.
type loadPair struct {
	files LoadTable
	table *loadTarget
	trims bool // the server can cut a numeric's zeros off
	pair       // what tells of differences wants
}

// pairs lists the tables, largest first. One without files must be empty.
func (v *loadVerifier) pairs(tables map[[2]string]*loadTarget) (list []*loadPair, err error) {
	tables = maps.Clone(tables)
	for _, t := range v.plan.Tables {
		at := [2]string{t.Schema, t.Name}
		if tables[at] == nil {
			return nil, fault.New(fault.Different, fmt.Sprintf("table %s is not in the target", t), "")
		}
		if _, err := tables[at].loaded(t); err != nil {
			return nil, fault.Wrap(fault.Different, fmt.Sprintf("compare table %s", t), err, "")
		}
		list = append(list, newLoadPair(t, tables[at]))
		delete(tables, at)
	}
	for at, t := range tables {
		list = append(list, newLoadPair(LoadTable{Schema: at[0], Name: at[1], Columns: t.Columns}, t))
	}
	slices.SortStableFunc(list, func(a, b *loadPair) int { return int(min(max(b.bytes()-a.bytes(), -1), 1)) })
	return list, nil
}

func newLoadPair(files LoadTable, table *loadTarget) *loadPair {
	p := &loadPair{files: files, table: table}
	key := table.Key
	if slices.ContainsFunc(key, func(c string) bool { return !slices.Contains(files.Columns, c) }) {
		key = nil
	}
	p.keys, p.columns = len(key), slices.Clone(key)
	for _, c := range files.Columns {
		if !slices.Contains(key, c) {
			p.columns = append(p.columns, c)
		}
	}
	p.source = &relation{class: ClassRow, name: files.String()}
	return p
}

func (p *loadPair) bytes() (n int64) {
	for _, part := range p.files.Parts {
		n += part.Bytes
	}
	return n
}

// compare compares one table.
func (v *loadVerifier) compare(ctx context.Context, conn *pgx.Conn, p *loadPair) (equal bool, err error) {
	p.trims = versionOf(conn) >= firstTrim
	equal, err = v.compareTable(ctx, conn, p)
	if err != nil {
		return false, fmt.Errorf("compare table %s: %w", p.files, err)
	}
	return equal, nil
}

func (v *loadVerifier) compareTable(ctx context.Context, conn *pgx.Conn, p *loadPair) (equal bool, err error) {
	files, target := v.wholeSums(), v.wholeSums()
	var rejected int64
	group, both := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		rejected, err = v.readFiles(both, p, files)
		return err
	})
	group.Go(func() error { return v.readTable(both, conn, p, p.files.Columns, p.files.String(), target) })
	if err := group.Wait(); err != nil {
		return false, err
	}
	files.say()
	target.say()
	equal = files.same(target)
	if !equal && len(p.files.Parts) > 0 {
		files = v.wholeSums()
		if err := v.readStaged(ctx, conn, p, p.files.Columns, files); err != nil {
			return false, err
		}
		files.say()
		equal = files.same(target)
	}
	v.count(files.rows, rejected)
	if equal {
		return true, nil
	}
	return false, v.name(ctx, conn, p)
}

func (v *loadVerifier) count(rows, rejected int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.result.Tables++
	v.result.Rows += rows
	v.result.Rejected += rejected
}

// fitting leaves only as many buckets as the memory has room for.
func (v *loadVerifier) fitting(files, target *sums, at []bool, weight int64) []bool {
	room := v.Memory / int64(v.Jobs)
	if weight <= room {
		return at
	}
	v.mu.Lock()
	v.result.AtLeast = true
	v.mu.Unlock()
	chosen := make([]bool, len(at))
	for i, differs := range at {
		if !differs {
			continue
		}
		if room -= files.buckets[i].weight + target.buckets[i].weight; room < 0 {
			break
		}
		chosen[i] = true
	}
	return chosen
}

// name tells of the rows that differ: sums of buckets say where they are, and those
// are read again.
func (v *loadVerifier) name(ctx context.Context, conn *pgx.Conn, p *loadPair) error {
	p.hasher = v.seeds.hasher(p.bytes(), nil)
	quiet := func(int64) {}
	files, target := p.hasher.newSums(quiet), p.hasher.newSums(quiet)
	if err := v.readBoth(ctx, conn, p, files, target); err != nil {
		return err
	}
	at, weight := files.differ(target)
	at = v.fitting(files, target, at, weight)
	ours, theirs := &chosen{hasher: p.hasher, keys: p.keys, at: at}, &chosen{hasher: p.hasher, keys: p.keys, at: at}
	if err := v.readBoth(ctx, conn, p, ours, theirs); err != nil {
		return err
	}
	compare := func(a, b []byte) int { return compareKeys(a, b, p.keys) }
	return mergeRows(ours.sorted(), theirs.sorted(), compare, func(source, target []byte) { v.tell(p, source, target) })
}

// readBoth hands the rows of both sides over in the server's text, the key first.
func (v *loadVerifier) readBoth(ctx context.Context, conn *pgx.Conn, p *loadPair, files, target taker) error {
	if err := v.readStaged(ctx, conn, p, p.columns, files); err != nil {
		return err
	}
	return v.readTable(ctx, conn, p, p.columns, p.files.String(), target)
}

// tell counts a difference, and keeps it if there is room.
func (v *loadVerifier) tell(p *loadPair, source, target []byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	d := Difference{Class: ClassRow, Table: p.files.String(), Kind: Different}
	switch {
	case target == nil:
		d.Kind = Missing
		v.result.Missing++
	case source == nil:
		d.Kind = Extra
		v.result.Extra++
	default:
		v.result.Different++
	}
	if len(v.result.Differences) < v.MaxDifferences {
		d.describe(&p.pair, source, target)
		v.result.Differences = append(v.result.Differences, d)
	}
}

// openPart opens a file without the rows that the server did not take.
func (v *loadVerifier) openPart(part LoadPart) (*csvRows, error) {
	c, err := openCSV(filepath.Join(v.plan.Dir, part.Path), v.plan.Null)
	if err != nil {
		return nil, err
	}
	if c.skip, err = readRejected(v.plan.Dir, part.Path); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// readTable hands the rows of a table over in the server's text.
func (v *loadVerifier) readTable(ctx context.Context, conn *pgx.Conn, p *loadPair, columns []string, from string, rows taker) error {
	each := make([]string, len(columns))
	for i, c := range columns {
		each[i] = Quote(c)
		if p.trims && slices.Contains(p.table.Numeric, c) { // how many zeros a sum or a quotient has is the server's own
			each[i] = "trim_scale(" + each[i] + ")"
		}
	}
	return copyOut(ctx, conn, "copy (select "+strings.Join(each, ", ")+" from only "+from+") to stdout", rows)
}

// stage is the table into which a file is read for comparison.
const stage = "pg_temp.evac_stage"

// readStaged hands the rows of the files over in the server's text of them: each
// goes through a temporary table of the same types.
func (v *loadVerifier) readStaged(ctx context.Context, conn *pgx.Conn, p *loadPair, columns []string, rows taker) error {
	for _, part := range p.files.Parts {
		if err := v.readStagedPart(ctx, conn, p, part, columns, rows); err != nil {
			return fmt.Errorf("read %q through the target: %w", part.Path, whereOf(err))
		}
	}
	return nil
}

func (v *loadVerifier) readStagedPart(ctx context.Context, conn *pgx.Conn, p *loadPair, part LoadPart, columns []string, rows taker) (err error) {
	if err := run(ctx, conn, "create temporary table evac_stage (like "+p.files.String()+")"); err != nil {
		return err
	}
	c, err := v.openPart(part)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	order, err := c.places(c.header)
	if err != nil {
		return err
	}
	list := chunk{Columns: c.header}.columnList()
	if _, err := conn.PgConn().CopyFrom(ctx, textReader(c, order), "copy "+stage+parens(list)+" from stdin"); err != nil {
		return err
	}
	if err := v.readTable(ctx, conn, p, columns, stage, rows); err != nil {
		return err
	}
	return run(ctx, conn, "drop table "+stage)
}
