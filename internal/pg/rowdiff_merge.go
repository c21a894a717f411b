package pg

import (
	"bytes"
	"slices"
)

// rowsOf gives the rows of one side in the order of compareKeys; the second
// value is false at the end.
type rowsOf func() (row []byte, ok bool, err error)

// mergeRows walks two ordered sides at once and tells of every row that is
// missing, extra (the other side is nil) or, under the same key, different.
func mergeRows(source, target rowsOf, compare func(a, b []byte) int, tell func(source, target []byte)) error {
	a, moreA, err := source()
	if err != nil {
		return err
	}
	b, moreB, err := target()
	for err == nil && (moreA || moreB) {
		order := 0
		switch {
		case !moreB:
			order = -1
		case !moreA:
			order = 1
		default:
			order = compare(a, b)
		}
		switch {
		case order < 0:
			tell(a, nil)
		case order > 0:
			tell(nil, b)
		case !bytes.Equal(a, b):
			tell(a, b)
		}
		if order <= 0 {
			if a, moreA, err = source(); err != nil {
				return err
			}
		}
		if order >= 0 {
			b, moreB, err = target()
		}
	}
	return err
}

// chosen keeps the rows of some buckets in memory.
type chosen struct {
	hasher *hasher
	keys   int
	at     []bool
	rows   [][]byte
	whole
}

// take is a taker.
func (c *chosen) take(piece []byte, more bool) error {
	row, ok := c.join(piece, more)
	if ok && c.at[c.hasher.bucketOf(row)] {
		c.rows = append(c.rows, append(make([]byte, 0, len(row)), row...)) // never nil
	}
	return nil
}

// sorted orders the rows and gives them one by one.
func (c *chosen) sorted() rowsOf {
	slices.SortFunc(c.rows, func(a, b []byte) int { return compareKeys(a, b, c.keys) })
	i := 0
	return func() ([]byte, bool, error) {
		if i == len(c.rows) {
			return nil, false, nil
		}
		i++
		return c.rows[i-1], true, nil
	}
}

// whole puts long rows together again.
type whole struct{ begun []byte }

// join gives a row when its last piece is there.
func (w *whole) join(piece []byte, more bool) (row []byte, ok bool) {
	if !more && w.begun == nil {
		return piece, true
	}
	w.begun = append(w.begun, piece...)
	if more {
		return nil, false
	}
	row, w.begun = w.begun, nil
	return row, true
}
