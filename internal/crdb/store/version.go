package store

import (
	"bytes"
	"slices"
	"strings"

	"github.com/evac-io/evac/internal/crdb/keys"
)

// version is the set of live files after the edits of a MANIFEST.
type version struct {
	comparer  string
	minLog    uint64 // older logs are obsolete
	nextFile  uint64
	lastSeq   uint64
	tables    map[tableRef]TableMeta
	backings  map[uint64]int64
	blobs     map[uint64]blobMeta // by blob id
	mentioned map[uint64]bool     // each file that was ever live
	ingested  map[uint64]bool     // the sequence numbers of tables that were added whole
	edits     int
}

func newVersion() *version {
	return &version{tables: map[tableRef]TableMeta{}, backings: map[uint64]int64{}, blobs: map[uint64]blobMeta{}, mentioned: map[uint64]bool{}, ingested: map[uint64]bool{}}
}

// apply takes one edit. A table that is deleted without having been added, as
// after a lost edit, is passed over.
func (v *version) apply(e *edit) {
	if e.otherFamily {
		return
	}
	v.edits++
	if e.comparer != "" {
		v.comparer = e.comparer
	}
	if e.hasLog {
		v.minLog = max(v.minLog, e.logNumber)
	}
	v.nextFile = max(v.nextFile, e.nextFile)
	v.lastSeq = max(v.lastSeq, e.lastSeq)
	for _, ref := range e.deleted {
		delete(v.tables, ref)
	}
	for _, t := range e.added {
		t.bound()
		v.tables[tableRef{t.Level, t.Number}] = t
		v.mentioned[t.Number], v.mentioned[t.Backing] = true, true
		if t.SmallestSeq == t.LargestSeq {
			v.ingested[t.LargestSeq] = true
		}
	}
	for file, size := range e.backings {
		v.backings[file] = size
		v.mentioned[file] = true
	}
	for _, file := range e.removedBackings {
		delete(v.backings, file)
	}
	for _, b := range e.blobs {
		v.blobs[b.id] = b
	}
	for _, b := range e.removedBlobs {
		if v.blobs[b.id].file == b.file {
			delete(v.blobs, b.id)
		}
	}
}

// sorted are the live tables by level, then by smallest key, then by number.
func (v *version) sorted() []TableMeta {
	out := make([]TableMeta, 0, len(v.tables))
	for _, t := range v.tables {
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b TableMeta) int {
		if a.Level != b.Level {
			return a.Level - b.Level
		}
		return compareTables(a, b)
	})
	return out
}

func compareTables(a, b TableMeta) int {
	if c := keys.Compare(a.Smallest, b.Smallest); c != 0 {
		return c
	}
	switch {
	case a.Number < b.Number:
		return -1
	case a.Number > b.Number:
		return 1
	}
	return 0
}

// Span is the user keys between the bounds of the table.
func (t TableMeta) Span() keys.Span { return t.span }

// bound makes Smallest and Largest the bounds of the table.
func (t *TableMeta) bound() {
	if t.Smallest != nil {
		t.span.From = userOf(t.Smallest)
	}
	if t.Largest == nil {
		return
	}
	user, version, err := keys.Split(t.Largest)
	if err == nil && t.open && len(version) == 0 {
		t.span.To = user
		return
	}
	t.span.To = append(bytes.Clone(userOf(t.Largest)), 0)
}

// userOf is the user key of an engine key, or the key itself where it has not
// the form of one.
func userOf(key []byte) []byte {
	user, _, err := keys.Split(key)
	if err != nil {
		return key
	}
	return user
}

// readManifest folds the edits of a MANIFEST as far as they can be read. A gap
// in the middle leaves a version that some files may be wrong in: the caller
// compares it with the directory.
func readManifest(from FS, name string) (*version, []gap, error) {
	f, err := from.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	v := newVersion()
	l := newLogReader(f, f.Size(), 0)
	for {
		record, offset, ok := l.next()
		if !ok {
			return v, l.gaps, nil
		}
		e, err := parseEdit(record)
		if err != nil {
			l.gaps = append(l.gaps, gap{offset: offset, size: int64(len(record)), why: err.Error()})
			continue
		}
		v.apply(e)
	}
}

// manifestNumber is the number in a MANIFEST's name.
func manifestNumber(name string) (uint64, bool) {
	return number(strings.TrimPrefix(name, "MANIFEST-"), strings.HasPrefix(name, "MANIFEST-"))
}
