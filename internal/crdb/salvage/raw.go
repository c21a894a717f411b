package salvage

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"

	"github.com/evac-io/evac/internal/crdb/catalog"
	"github.com/evac-io/evac/internal/crdb/enc"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/mvcc"
)

// Raw is a table whose descriptor is lost: nobody says what its columns are, so
// that its keys and values stand as they are, in hexadecimal.
type Raw struct {
	Tenant    uint64    `json:"tenant"`
	ID        uint32    `json:"id"`
	Dir       string    `json:"dir"`
	Pairs     int64     `json:"pairs"`
	Bytes     int64     `json:"bytes"`
	Parts     []Part    `json:"parts"`
	Checksums Checksums `json:"checksums"`
	Rests     []Rest    `json:"rests"`
}

func newRaw(tenant uint64, id uint32) Raw {
	name := fmt.Sprintf("table-%d", id)
	if tenant > 1 {
		name += fmt.Sprintf("@%d", tenant)
	}
	return Raw{Tenant: tenant, ID: id, Dir: path.Join("raw", name), Parts: []Part{}}
}

// String is how people call it.
func (r Raw) String() string {
	if r.Tenant > 1 {
		return fmt.Sprintf("tenant %d: table %d", r.Tenant, r.ID)
	}
	return fmt.Sprintf("table %d", r.ID)
}

// addRaw cuts the keys of tables without a descriptor into tasks.
func (c *Cluster) addRaw(ctx context.Context, p *Plan, dropped []*catalog.Table) (err error) {
	if p.Raw, err = c.unknown(ctx, dropped); err != nil {
		return err
	}
	view := c.View()
	for _, r := range p.Raw {
		span := keys.PrefixSpan(keys.TablePrefix(r.Tenant, r.ID))
		from := span.From
		for i, to := range append(view.Split(span, c.piece()), span.To) {
			task := Task{ID: len(p.Tasks), Tenant: r.Tenant, Table: r.ID, Raw: true, Span: Span{From: from, To: to}}
			task.Part, task.Bytes = path.Join(r.Dir, fmt.Sprintf("part-%05d.csv", i)), view.Size(keys.Span(task.Span))
			p.Tasks, p.Bytes, from = append(p.Tasks, task), p.Bytes+task.Bytes, to
		}
	}
	return nil
}

// flushRaw is how many bytes of text are gathered before they are written.
const flushRaw = 64 << 10

// attemptRaw writes the keys of a task with their values once.
func (c *Cluster) attemptRaw(ctx context.Context, task Task, dir string, res *Result) (err error) {
	out, err := createPart(filepath.Join(dir, filepath.FromSlash(task.Part)))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.discard()) }()
	*res = Result{Task: res.Task}
	if err := c.writeRaw(ctx, c.Reader().Iter(keys.Span(task.Span)), nil, out, res); err != nil {
		return err
	}
	res.File, err = out.finish()
	return err
}

// writeRaw writes the keys of a walk with their values: those that it takes; nil
// takes all.
func (c *Cluster) writeRaw(ctx context.Context, it *mvcc.Iter, takes func(key []byte) bool, out io.Writer, res *Result) (err error) {
	defer func() { err = errors.Join(err, c.closed(it)) }()
	text := []byte("key,moment,value\n")
	for it.Next() && ctx.Err() == nil {
		if takes != nil && !takes(it.Key()) {
			continue
		}
		text = rawLine(text, it)
		res.Rows.Rows++
		res.Rows.Pairs++
		switch fine, has := enc.Checksum(it.Key(), it.Value()); {
		case !has:
			res.Rows.Unverified++
		case fine:
			res.Rows.Verified++
		default:
			res.Rows.Bad++
		}
		if len(text) >= flushRaw {
			if _, err := out.Write(text); err != nil {
				return err
			}
			text = text[:0]
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	_, err = out.Write(text)
	return err
}

// rawLine appends a key, the moment of its value and the value: the first and the
// last in hexadecimal, the value with its checksum and type before it.
func rawLine(dst []byte, it *mvcc.Iter) []byte {
	dst = append(hex.AppendEncode(dst, it.Key()), ',')
	dst = append(append(dst, it.Timestamp().String()...), ',')
	return append(hex.AppendEncode(dst, it.Value()), '\n')
}

// mergeRaw adds up the tasks of tables without a descriptor.
func (c *Cluster) mergeRaw(p *Plan, results []Result, again map[uint64]bool, rep *Report) error {
	for _, r := range p.Raw {
		for _, task := range p.Tasks {
			if !task.Raw || task.Table != r.ID || task.Tenant != r.Tenant {
				continue
			}
			got := results[task.ID]
			r.add(task.Part, got)
			rests, err := c.settled(task, got.Rests, again)
			if err != nil {
				return err
			}
			r.Rests = append(r.Rests, rests...)
		}
		rep.raw(r)
	}
	return nil
}

// add adds up what a task wrote.
func (r *Raw) add(part string, got Result) {
	r.Parts = append(r.Parts, Part{Name: part, Rows: got.Rows.Rows, File: *got.File})
	r.Pairs, r.Bytes = r.Pairs+got.Rows.Pairs, r.Bytes+got.File.Bytes
	r.Checksums.Pairs += got.Rows.Pairs
	r.Checksums.Verified += got.Rows.Verified
	r.Checksums.Without += got.Rows.Unverified
	r.Checksums.Bad += got.Rows.Bad
}

// raw takes a table without a descriptor, and says what that means.
func (r *Report) raw(one Raw) {
	r.Raw = append(r.Raw, one)
	r.problem("%s: its descriptor is lost in every store, and no --schema describes it: its %d keys stand as they are in %q", one, one.Pairs, one.Dir)
	if one.Checksums.Bad > 0 {
		r.problem("%s: %d of its values are not what was written", one, one.Checksums.Bad)
	}
	for _, rest := range one.Rests {
		if rest.Doubt != "" {
			r.problem("%s: keys %s, range %d: %s", one, cmp.Or(rest.Keys, rest.Span.String()), rest.Range, rest.Doubt)
		}
	}
}
