// Package journal is the append-only, hash-chained record of every run: the
// only truth about it. Whatever a run looks like (status, page, report,
// resume) is Fold of its events.
//
// # Where it lies
//
//	HOME/evac.db           the journal: SQLite, WAL, synchronous FULL
//	HOME/evac-progress.db  how far running steps are; never synced, may be lost
//	HOME/evac.lock         held for a moment while the journal is opened
//	HOME/runs/RUN/         a run's scratch files
//	HOME/runs/RUN/lock     flock of the one conductor; says who it is, as JSON
//
// # The chain
//
// Every event holds the hash of the one before it (Prev, empty for the first)
// and its own:
//
//	Hash = hex(SHA-256(f(prev) f(run) f(seq) f(at) f(epoch) f(actor) f(type) f(step) f(attempt) f(body)))
//
// where f(x) is the length of x in bytes as 8 bytes, big-endian, followed by
// x. Numbers are decimal text; at is RFC 3339 in UTC with as many decimals as
// it needs; all of them are the very bytes that are stored, and the very bytes
// that Export writes. So a line of an export can be checked alone: a field
// that is missing in it is empty (attempt: 0), body is the line's text between
// `,"body":` and the last `,"prev":`.
//
// A chain proves nothing about its own end. Whoever has noted its head (it is
// printed, announced and stands in reports) can have Verify look for it.
package journal
