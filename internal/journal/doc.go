// Package journal is the append-only, hash-chained record of every run: the
// only truth about it. Whatever a run looks like (status, page, report,
// resume) is Fold of its events.
package journal
