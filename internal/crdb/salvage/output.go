package salvage

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/evac-io/evac/internal/crdb/catalog"
	"github.com/evac-io/evac/internal/crdb/ranges"
	"github.com/evac-io/evac/internal/crdb/rows"
)

// asked is the part of the schema that is asked for, and what does not belong to it.
func (c *Cluster) asked() (*catalog.Catalog, []string) {
	if len(c.opt.Tables) == 0 {
		return c.Catalog, nil
	}
	var tables []*catalog.Table
	for _, t := range c.Catalog.Tables {
		if slices.Contains(c.opt.Tables, FullName(t)) {
			tables = append(tables, t)
		}
	}
	return c.Catalog.Only(tables)
}

// sequences reads the values of the sequences.
func (c *Cluster) sequences(rep *Report) error {
	asked, _ := c.asked()
	for _, t := range asked.Tables {
		if !givesOut(t) {
			continue
		}
		one := Sequence{Name: FullName(t)}
		for {
			it := c.Reader().Iter(rows.SequenceSpan(t))
			value, ok, err := rows.ReadSequence(t, it)
			if again := c.closed(it); errors.Is(again, ranges.ErrReadAgain) {
				continue
			} else if again != nil {
				return again
			}
			if err != nil {
				rep.problem("sequence %q: %v", one.Name, err)
			} else if ok {
				one.Value, t.Sequence.Last = &value, &value
			}
			break
		}
		rests, err := c.rests(rows.SequenceSpan(t))
		if err != nil {
			return err
		}
		for _, r := range rests {
			if r.Doubt != "" {
				rep.problem("sequence %q: range %d: %s", one.Name, r.Range, r.Doubt)
			}
		}
		rep.Sequences = append(rep.Sequences, one)
	}
	return nil
}

// givesOut says whether a table is a sequence that keeps the last value it gave out.
func givesOut(t *catalog.Table) bool {
	return t.Sequence != nil && !t.Sequence.Virtual && t.State == catalog.Public && !t.System()
}

// writeSchema writes schema.sql, which PostgreSQL and CockroachDB take, of the
// tables that are asked for, and schema.cockroach.sql of all tables, which has what
// only the latter knows and describes them should their descriptors be lost.
func (c *Cluster) writeSchema(rep *Report, dir string) error {
	var own, other bytes.Buffer
	notes, err := catalog.WriteCockroach(&own, c.Catalog)
	if err != nil {
		return err
	}
	rep.Notes = append(rep.Notes, notes...)
	asked, left := c.asked()
	rep.Notes = append(rep.Notes, left...)
	if _, err := catalog.WritePostgres(&other, asked); err != nil {
		return err
	}
	return errors.Join(
		writeFile(filepath.Join(dir, "schema.sql"), other.Bytes()),
		writeFile(filepath.Join(dir, "schema.cockroach.sql"), own.Bytes()))
}

// write writes report.json and report.html.
func (r *Report) write(dir string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	page, err := r.page()
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return errors.Join(writeFile(filepath.Join(dir, "report.json"), append(text, '\n')), writeFile(filepath.Join(dir, "report.html"), page))
}
