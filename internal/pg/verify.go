package pg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/evac-io/evac/internal/secret"
)

// The headcount compares two databases whole: every row, sequence and large
// object, and what the catalogs say of every object. It reads each side under
// one snapshot of its own: first each relation is summed up, order aside, by
// keyed 128-bit hashes in some thousand buckets; where both sums agree, so do
// the rows. Where they do not, the rows of the buckets that disagree are read
// again, by an index if there is one that finds them, and named. Nothing is
// sorted unless a relation differs in more than fits in memory.

// VerifyOptions say how to verify.
type VerifyOptions struct {
	// Jobs is how many relations, or parts of large ones, are read at once.
	Jobs int
	// MaxDifferences bounds how many differences are told; all are counted.
	MaxDifferences int
	// Memory bounds what the rows under comparison may take, in bytes.
	Memory int64
	// Select says which part of the databases is compared.
	Select Selection
	// KeptViews are patterns of materialized views whose rows are not compared,
	// because the target's are known to be of another moment than the source's.
	KeptViews []string
	// Only leaves out the other half: OnlyRows, OnlyObjects, or "" for both.
	Only string
	// Rechecks is how often what differs is read again before it counts,
	// because the databases are written to or the target follows the source;
	// 0 says that they stand still. Wait is the pause before the first, which
	// doubles from one to the next.
	Rechecks int
	Wait     time.Duration
	// Total is told how many rows there are to compare, Read how many have been;
	// one that is on both sides counts once.
	Total func(rows int64)
	Read  func(rows int64)
	// Found is told of differences as they are found, MaxDifferences at most.
	// All three may be called from several goroutines at once.
	Found func(Difference)
}

// What a comparison may be limited to: rows, sequences and large objects, or
// what the catalogs say.
const (
	OnlyRows    = "rows"
	OnlyObjects = "objects"
)

// Tally counts what was compared in one table, or in all.
type Tally struct {
	Class string `json:"class,omitempty"`
	Table string `json:"table,omitempty"`
	// Rows are the source's, sequences and pieces of large objects counted.
	Rows      int64 `json:"rows"`
	Missing   int64 `json:"missing"`
	Extra     int64 `json:"extra"`
	Different int64 `json:"different"`
}

// Equal tells whether nothing differed.
func (t Tally) Equal() bool { return t.Missing+t.Extra+t.Different == 0 }

func (t *Tally) add(o Tally) {
	t.Rows += o.Rows
	t.Missing += o.Missing
	t.Extra += o.Extra
	t.Different += o.Different
}

// VerifyResult is the headcount.
type VerifyResult struct {
	// Data sums up Tables, which come by name.
	Data   Tally
	Tables []Tally
	// Objects counts the catalogs' entries that were compared.
	Objects Tally
	// Differences are the first ones, by table and key.
	Differences []Difference
	// Notes say what is not the same and no difference, like the versions of
	// extensions, and what could not be compared.
	Notes []string
}

// verifier is one headcount under way: both sides at one moment each.
type verifier struct {
	VerifyOptions
	meant          Filter
	seeds          seeds
	source, target *reading
	told, rows     atomic.Int64 // differences told of; rows to compare
}

// Verify compares the target with the source.
func Verify(ctx context.Context, source, target secret.DSN, o VerifyOptions) (result VerifyResult, err error) {
	v, err := openVerifier(ctx, source, target, o)
	if err != nil {
		return result, err
	}
	pairs, err := v.all(ctx)
	if err == nil {
		result.Notes, err = v.notes(ctx, pairs)
	}
	if err = errors.Join(err, v.close(ctx)); err != nil {
		return result, err
	}
	if err := lookAgain(ctx, source, target, o, pairs); err != nil {
		return result, err
	}
	result.Differences = []Difference{} // none is [] in JSON
	for _, p := range pairs {
		result.Differences = append(result.Differences, p.found...)
		if p.class() == ClassObject {
			result.Objects = p.tally
			continue
		}
		result.Data.add(p.tally)
		result.Tables = append(result.Tables, p.tally)
	}
	result.Differences = result.Differences[:min(len(result.Differences), o.MaxDifferences)]
	return result, nil
}

// openVerifier takes a snapshot of each side.
func openVerifier(ctx context.Context, source, target secret.DSN, o VerifyOptions) (v *verifier, err error) {
	v = &verifier{VerifyOptions: o, seeds: newSeeds()}
	if v.meant, err = o.Select.Filter(); err != nil {
		return nil, err
	}
	if v.source, err = openReading(ctx, source, Source); err != nil {
		return nil, err
	}
	if v.target, err = openReading(ctx, target, Target); err == nil {
		err = refuseSame(ctx, v.source, v.target)
	}
	if err == nil {
		err = v.leaveOut(ctx)
	}
	if err == nil {
		err = v.keepViews()
	}
	if err != nil {
		return nil, errors.Join(err, v.close(ctx))
	}
	return v, nil
}

func (v *verifier) close(ctx context.Context) error {
	return errors.Join(v.source.close(ctx), v.target.close(ctx))
}

// all compares everything that is meant.
func (v *verifier) all(ctx context.Context) ([]*pair, error) {
	pairs, err := v.pairs(ctx)
	if err != nil {
		return nil, err
	}
	if v.Rechecks > 0 {
		for _, p := range pairs {
			p.suspects = newSuspects(v.Memory / 2 / int64(len(pairs)))
		}
	}
	return pairs, v.compareAll(ctx, pairs)
}

// compareAll works through the pairs, the largest first, and through the parts
// of a large one at once.
func (v *verifier) compareAll(ctx context.Context, pairs []*pair) error {
	for _, p := range pairs {
		v.rows.Add(p.estimate())
	}
	v.Total(v.rows.Load())
	order := slices.Clone(pairs)
	slices.SortStableFunc(order, func(a, b *pair) int { return cmp.Compare(b.bytes(), a.bytes()) })
	tasks := make(chan comparison)
	work, ctx := errgroup.WithContext(ctx)
	work.Go(func() error {
		defer close(tasks)
		return v.hand(ctx, order, tasks)
	})
	for range max(v.Jobs, 1) {
		work.Go(func() error {
			w, err := v.worker(ctx)
			if err != nil {
				return err
			}
			for t := range tasks {
				if err := w.compare(ctx, t.pair, t.part); err != nil {
					return errors.Join(fmt.Errorf("compare %s: %w", t.pair, err), w.close(ctx))
				}
			}
			return errors.Join(ctx.Err(), w.close(ctx))
		})
	}
	return work.Wait()
}

// comparison is that of one part of a pair.
type comparison struct {
	pair *pair
	part int
}

// hand gives the parts of the pairs out.
func (v *verifier) hand(ctx context.Context, pairs []*pair, tasks chan<- comparison) error {
	for _, p := range pairs {
		if err := v.begin(ctx, p); err != nil {
			return err
		}
		for part := range p.parts() {
			select {
			case tasks <- comparison{p, part}:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
	return nil
}

// pairs lists what both sides have to compare: the tables by name, then
// sequences, large objects and the catalogs' objects.
func (v *verifier) pairs(ctx context.Context) (pairs []*pair, err error) {
	if v.Only != OnlyObjects {
		if pairs, err = v.tablePairs(ctx); err != nil {
			return nil, err
		}
	}
	for _, rest := range v.others() {
		s, err := rest(v.source, ctx, v.meant)
		if err != nil {
			return nil, err
		}
		t, err := rest(v.target, ctx, v.meant)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, newPair(s, t))
	}
	return pairs, nil
}

// others are the readers of what is no table.
func (v *verifier) others() (list []func(*reading, context.Context, Filter) (*relation, error)) {
	roach := v.source.roach != nil || v.target.roach != nil
	if v.Only != OnlyObjects && !v.target.carried {
		list = append(list, (*reading).sequences)
		if !roach {
			list = append(list, (*reading).largeObjects)
		}
	}
	if v.Only != OnlyRows && !roach {
		list = append(list, v.objects)
	}
	return list
}

func (v *verifier) tablePairs(ctx context.Context) (pairs []*pair, err error) {
	exact := v.source.roach == nil && v.target.roach == nil && (v.source.version < firstShortest) != (v.target.version < firstShortest)
	source, err := v.source.tables(ctx, v.meant, exact)
	if err != nil {
		return nil, err
	}
	target, err := v.target.tables(ctx, v.meant, exact)
	if err != nil {
		return nil, err
	}
	byName := map[string]*relation{}
	for _, t := range target {
		byName[t.name] = t
	}
	for _, s := range source {
		pairs = append(pairs, newPair(s, byName[s.name]))
		delete(byName, s.name)
	}
	for _, t := range byName {
		pairs = append(pairs, newPair(nil, t))
	}
	slices.SortFunc(pairs, func(a, b *pair) int { return strings.Compare(a.any().name, b.any().name) })
	return pairs, nil
}
