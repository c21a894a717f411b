package salvage

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"

	"github.com/evac-io/evac/internal/crdb/catalog"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/ranges"
)

// mergeInterleaved writes the keys of tables without a descriptor which lie among
// the rows of others: that they are there shows only when those are read.
func (c *Cluster) mergeInterleaved(ctx context.Context, p *Plan, tasks map[*catalog.Table][]Task, results []Result, dir string, rep *Report) error {
	type lost struct {
		tenant uint64
		id     uint32
	}
	done := map[lost]bool{}
	for i, t := range p.Tables {
		for _, id := range rep.Tables[i].Lost {
			if done[lost{t.Tenant, id}] {
				continue
			}
			done[lost{t.Tenant, id}] = true
			r := newRaw(t.Tenant, id)
			for _, task := range tasks[t] {
				if !slices.Contains(results[task.ID].Rows.Among, id) {
					continue
				}
				name := path.Join(r.Dir, fmt.Sprintf("part-%05d.csv", len(r.Parts)))
				got, err := c.rawAmong(ctx, p, t, task, id, filepath.Join(dir, filepath.FromSlash(name)))
				if err != nil {
					return fmt.Errorf("write the keys of %s: %w", r, err)
				}
				r.add(name, got)
				rests, err := c.rests(keys.Span(task.Span))
				if err != nil {
					return err
				}
				for _, rest := range rests {
					if rest.Doubt != "" { // the others are the other table's
						r.Rests = append(r.Rests, rest)
					}
				}
			}
			rep.raw(r)
		}
	}
	return nil
}

// rawAmong writes the keys of one table that lie among the rows of another one's
// task, and makes the file last.
func (c *Cluster) rawAmong(ctx context.Context, p *Plan, t *catalog.Table, task Task, id uint32, name string) (Result, error) {
	among := p.decoders[t].Among()
	takes := func(key []byte) bool {
		whose, ok := among.Table(key)
		return ok && whose == id
	}
	for {
		out, err := createPart(name)
		if err != nil {
			return Result{}, err
		}
		res := Result{Task: task.ID}
		err = c.writeRaw(ctx, c.Reader().Iter(keys.Span(task.Span)), takes, out, &res)
		if err == nil {
			if res.File, err = out.finish(); err == nil {
				err = errors.Join(syncFile(name), syncFile(filepath.Dir(name)))
			}
			return res, err
		}
		err = errors.Join(err, out.discard())
		if !errors.Is(err, ranges.ErrReadAgain) {
			return res, err
		}
	}
}
