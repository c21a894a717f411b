package pg

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// copyTask is a task of a copy; a lane does it.
type copyTask = task[*lane]

// graph is the order of a copy's work on tables: a table's rows, then its
// keys, then its indexes, then its statistics, and foreign keys between tables
// that are complete. What hangs on no table can go on at the same time.
type graph struct {
	c      *copier
	facts  facts
	made   map[string]bool
	tasks  []*copyTask
	tables map[uint32]*tableTasks
	trees  map[uint32][]uint32 // root → the tables of its tree
	attach *copyTask           // nil if there is nothing to attach
}

// tableTasks are those of one table.
type tableTasks struct {
	rows, keys, more []*copyTask // more: indexes and statistics objects
}

// newGraph makes the tasks for all that the ledger does not have.
func (c *copier) newGraph(ctx context.Context, f facts, p afterPlan) (*graph, error) {
	made, err := doneKeys(ctx, c.target.conn)
	if err != nil {
		return nil, err
	}
	chunks, err := openChunks(ctx, c.target.conn)
	if err != nil {
		return nil, err
	}
	g := &graph{c: c, facts: f, made: made, tables: map[uint32]*tableTasks{}, trees: map[uint32][]uint32{}}
	for oid, t := range f.tables {
		g.tables[oid] = &tableTasks{}
		g.trees[t.Root] = append(g.trees[t.Root], oid)
	}
	if err := g.unbind(ctx, chunks, p); err != nil {
		return nil, err
	}
	c.chunksLeft.Store(int64(len(chunks)))
	for _, chunk := range chunks {
		g.addChunk(chunk)
	}
	g.addReaders()
	g.addKeys(p.Keys)
	g.addIndexes(p.Indexes, p.Statistics)
	g.addAttach(p.Attach)
	g.addForeign(p.Foreign)
	g.addAnalyze()
	return g, nil
}

func (g *graph) add(t *copyTask) *copyTask {
	g.tasks = append(g.tasks, t)
	return t
}

func (g *graph) addChunk(chunk chunk) {
	t := g.add(&copyTask{cost: chunk.Weight, do: func(ctx context.Context, l *lane, _ bool) error { return g.c.moveChunk(ctx, l, chunk) }})
	if of := g.tables[g.facts.names[[2]string{chunk.Schema, chunk.Table}]]; of != nil {
		of.rows = append(of.rows, t)
	}
}

// addReaders lets tables whose rows are looked up in others wait for the rows of
// all that are not such.
func (g *graph) addReaders() {
	var first, readers []*copyTask
	for oid, of := range g.tables {
		if g.facts.tables[oid].Reads {
			readers = append(readers, of.rows...)
		} else {
			first = append(first, of.rows...)
		}
	}
	if len(readers) == 0 || len(first) == 0 {
		return
	}
	between := g.add(&copyTask{do: func(context.Context, *lane, bool) error { return nil }})
	between.after(first...)
	for _, t := range readers {
		t.after(between)
	}
}

// entryTask makes one entry, nil if it stands already.
func (g *graph) entryTask(e entry, cost int64) *copyTask {
	if g.made[e.Key] {
		return nil
	}
	return g.add(&copyTask{cost: cost, do: func(ctx context.Context, l *lane, crowded bool) error {
		if err := l.rest(ctx, g.c, crowded); err != nil {
			return err
		}
		g.c.Progress.Note(e.String())
		return g.c.target.applyAlone(ctx, l.target, e)
	}})
}

// addKeys lets the keys of one table follow one another, for each locks it.
func (g *graph) addKeys(entries []entry) {
	for _, e := range entries {
		k := g.facts.keys[address{e.Class, e.OID}]
		if t := g.entryTask(e, k.Cost); t != nil {
			of := g.tables[k.Table]
			t.after(of.rows...)
			if n := len(of.keys); n > 0 {
				t.after(of.keys[n-1])
			}
			t.alone = []uint32{k.Table}
			of.keys = append(of.keys, t)
		}
	}
}

func (g *graph) addIndexes(lists ...[]entry) {
	for _, e := range slices.Concat(lists...) {
		k := g.facts.keys[address{e.Class, e.OID}]
		if t := g.entryTask(e, k.Cost); t != nil {
			of := g.tables[k.Table]
			t.after(of.rows...)
			t.after(of.keys...)
			if e.Type == "INDEX" && !strings.Contains(e.SQL, "\nALTER TABLE ") {
				t.among = []uint32{k.Table}
			} else {
				t.alone = []uint32{k.Table} // it marks the table: CLUSTER ON, REPLICA IDENTITY
			}
			of.more = append(of.more, t)
		}
	}
}

// addAttach joins the indexes of all partitions to their parents', one after
// another: that changes catalogs alone.
func (g *graph) addAttach(entries []entry) {
	entries = slices.DeleteFunc(slices.Clone(entries), func(e entry) bool { return g.made[e.Key] })
	if len(entries) == 0 {
		return
	}
	g.attach = g.add(&copyTask{do: func(ctx context.Context, l *lane, crowded bool) error {
		if err := l.rest(ctx, g.c, crowded); err != nil {
			return err
		}
		return g.c.target.applyBatches(ctx, l.target, entries)
	}})
	for _, tree := range g.trees {
		if len(tree) > 1 {
			for _, oid := range tree {
				g.attach.after(g.tables[oid].keys...)
				g.attach.after(g.tables[oid].more...)
			}
			g.attach.alone = append(g.attach.alone, tree...)
		}
	}
}

func (g *graph) addForeign(entries []entry) {
	for _, e := range entries {
		k := g.facts.keys[address{e.Class, e.OID}]
		t := g.entryTask(e, k.Cost)
		if t == nil {
			continue
		}
		for _, root := range g.roots(k.Table, k.Other) {
			for _, oid := range g.trees[root] {
				t.after(g.tables[oid].rows...)
				t.after(g.tables[oid].keys...)
			}
			t.alone = append(t.alone, g.trees[root]...)
			if g.attach != nil && len(g.trees[root]) > 1 {
				t.after(g.attach)
			}
		}
	}
}

func (g *graph) roots(tables ...uint32) []uint32 {
	var roots []uint32
	for _, oid := range tables {
		if root := g.facts.tables[oid].Root; !slices.Contains(roots, root) {
			roots = append(roots, root)
		}
	}
	return roots
}

// analyzeCost is how much longer ANALYZE takes with a byte of its sample than
// COPY with a byte, for it sorts the sample by every column.
const analyzeCost = 2

// addAnalyze gathers statistics of a table once all its indexes stand, for
// those have statistics of their own. A partitioned table's cover its parts.
func (g *graph) addAnalyze() {
	for root, tree := range g.trees {
		of := g.facts.tables[root]
		key := "analyze " + Quote(of.Schema, of.Name)
		if !of.Analyze || g.made[key] {
			continue
		}
		t := g.add(&copyTask{alone: tree, do: func(ctx context.Context, l *lane, crowded bool) error {
			if err := l.rest(ctx, g.c, crowded); err != nil {
				return err
			}
			return analyze(ctx, l.target, of.Schema, of.Name)
		}})
		for _, oid := range tree {
			t.cost += analyzeCost * g.facts.tables[oid].Sampled
			t.after(g.tables[oid].rows...)
			t.after(g.tables[oid].keys...)
			t.after(g.tables[oid].more...)
		}
	}
}

// analyze gathers the statistics of one table and enters that in the ledger. A
// table that an extension of the target's version does not have is left out.
func analyze(ctx context.Context, conn *pgx.Conn, schema, table string) error {
	name := Quote(schema, table)
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		var there bool
		if err := tx.QueryRow(ctx, "select pg_catalog.to_regclass("+Literal(name)+") is not null").Scan(&there); err != nil {
			return err
		}
		if there {
			if err := gather(ctx, conn, name); err != nil {
				return err
			}
		}
		return markDone(ctx, tx, "analyze "+name)
	})
	if err != nil {
		return fmt.Errorf("analyze %s on target: %w", name, err)
	}
	return nil
}
