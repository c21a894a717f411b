package pg

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Where a difference lies.
const (
	ClassRow      = "row"
	ClassView     = "view row" // of a materialized view
	ClassSequence = "sequence"
	ClassLarge    = "large object"
	ClassObject   = "object" // an index, constraint, function, grant …
)

// What a difference is: on the source only, on the target only, or on both but
// not the same.
const (
	Missing   = "missing"
	Extra     = "extra"
	Different = "different"
)

// Difference is one thing that is not the same on both sides.
type Difference struct {
	Class string `json:"class"`
	// Table is the table, quoted where SQL wants it; for other classes the
	// name of the sequence or object.
	Table string `json:"table"`
	Kind  string `json:"kind"`
	// Key is the value of the table's key, several as (a,b); empty for a table
	// without a key.
	Key string `json:"key"`
	// Source and Target are values by column: of a row that both sides have,
	// the ones that differ. Long values are cut; null stands for NULL.
	Source map[string]*string `json:"source"`
	Target map[string]*string `json:"target"`
}

// String says it in one line: `different: public.orders 42; amount is "11", was "10"`.
func (d Difference) String() string {
	text := d.Kind + ": " + strings.TrimSpace(d.Table+" "+d.Key)
	if d.Kind != Different {
		return text
	}
	for _, column := range slices.Sorted(maps.Keys(d.Source)) {
		text += fmt.Sprintf("; %s is %s, was %s", column, orNull(d.Target[column]), orNull(d.Source[column]))
	}
	return text
}

func orNull(value *string) string {
	if value == nil {
		return "null"
	}
	return strconv.Quote(*value)
}

// tell counts a difference, and keeps it if there is room.
func (w *worker) tell(p *pair, source, target []byte) {
	p.seen++
	if p.suspects != nil && !p.suspects.counts(p, source, target) {
		return
	}
	d := Difference{Class: p.class(), Table: p.any().name, Kind: Different}
	switch {
	case target == nil:
		d.Kind = Missing
		p.tally.Missing++
	case source == nil:
		d.Kind = Extra
		p.tally.Extra++
	default:
		p.tally.Different++
	}
	if len(p.found) >= w.MaxDifferences {
		return
	}
	d.describe(p, source, target)
	p.found = append(p.found, d)
	if p.suspects == nil && w.told.Add(1) <= int64(w.MaxDifferences) {
		w.Found(d)
	}
}

// describe fills in key and values.
func (d *Difference) describe(p *pair, source, target []byte) {
	n := len(p.columns)
	var sides [2][][]byte
	for i, row := range [][]byte{source, target} {
		if row != nil {
			sides[i] = fields(row, n)
		}
	}
	key := sides[0]
	if source == nil {
		key = sides[1]
	}
	key = key[:min(p.keys, len(key))]
	if p.ofTable() {
		d.Key = keyText(key)
	} else {
		d.name(key)
	}
	d.Source, d.Target = values(p, source, sides[0], sides[1]), values(p, target, sides[1], sides[0])
}

// name calls what is no row of a table by its own name.
func (d *Difference) name(key [][]byte) {
	words := make([]string, len(key))
	for i, k := range key {
		words[i] = string(k)
	}
	switch d.Class {
	case ClassLarge:
		d.Table, d.Key = "large object "+words[0], "piece "+words[1]
	default:
		d.Table = strings.Join(words, " ")
	}
}

// values shows a side's columns: all of a row that stands alone, else those
// that are not the same.
func values(p *pair, row []byte, own, other [][]byte) map[string]*string {
	if row == nil {
		return nil
	}
	shownColumns := map[string]*string{}
	first := 0
	if !p.ofTable() {
		first = p.keys // the name says it
	}
	for i := first; i < len(p.columns); i++ {
		if len(other) > 0 && slices.Equal(own[i], other[i]) && (own[i] == nil) == (other[i] == nil) {
			continue
		}
		value := own[i]
		if p.class() == ClassObject && string(own[0]) == "setting" && value != nil {
			value = ownSetting.ReplaceAll(value, []byte("${1}"+hidden))
		}
		shownColumns[p.columns[i]] = shown(value)
	}
	return shownColumns
}
