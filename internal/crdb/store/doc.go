// Package store reads one store directory of a CockroachDB node without any
// server and without writing to it: MANIFEST, write-ahead logs and tables, as
// far as they can still be read, and what could not be.
//
// A healthy store is what its MANIFEST says: the live tables, and the logs from
// the oldest unflushed one on. Where the MANIFEST cannot be read to its end, the
// files of the directory stand for themselves. Each byte that could not be read
// is an engine.Damage with the user keys that may be missing for it; nothing of
// that kind is an error. Errors are for what makes the whole store unreadable:
// another format, encryption without its key, no store at all.
package store
