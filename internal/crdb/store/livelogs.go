package store

import (
	"context"
	"slices"
)

// liveLogs are the logs that tables do not hold yet, in the order of writing.
func (s *Store) liveLogs(ctx context.Context) ([]logFile, error) {
	from := 0
	if s.version.edits == 0 {
		var err error
		if from, err = s.chain(ctx); err != nil {
			return nil, err
		}
	} else {
		from = slices.IndexFunc(s.dir.logs, func(f logFile) bool { return f.number >= s.version.minLog })
		if from < 0 {
			from = len(s.dir.logs)
		}
	}
	for _, f := range s.dir.logs[:from] {
		s.facts.ObsoleteWALs = append(s.facts.ObsoleteWALs, f.Name)
	}
	return s.dir.logs[from:], nil
}

// maxLogGap is how many sequence numbers may be missing between two logs that
// still belong together: those of tables that were added in between, and of a
// few batches that are lost.
const maxLogGap = 4096

// chain is the first of those newest logs that follow each other without a gap.
// Without a MANIFEST nothing says which logs tables hold already. To read one of
// them again is harmless as long as no newer one is missing: of each key the
// last write counts, and it is either in these logs or was made before them.
func (s *Store) chain(ctx context.Context) (int, error) {
	next := uint64(0) // the first sequence number of the log after
	for i := len(s.dir.logs) - 1; i >= 0; i-- {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		first, last := extent(s.dir.logs[i])
		if first == 0 {
			continue
		}
		if next > 0 && last+1+maxLogGap < next {
			return i + 1, nil
		}
		next = first
	}
	return 0, nil
}

// extent is the first and the last sequence number in a log, 0 if it has none.
func extent(f logFile) (first, last uint64) {
	file, err := f.fs.Open(f.Name)
	if err != nil {
		return 0, 0
	}
	defer file.Close()
	l := newLogReader(file, file.Size(), f.number)
	for {
		record, _, ok := l.next()
		if !ok {
			return first, last
		}
		b, err := readBatch(record)
		if err != nil || b.count == 0 {
			continue
		}
		if first == 0 {
			first = b.seq + 1
		}
		last = max(last, b.seq+uint64(b.count))
	}
}
