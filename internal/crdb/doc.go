// Package crdb reads the rows of a CockroachDB cluster out of its raw store
// files, without any server: read-only on the evidence, exact, and saying what it
// could not read. Its parts, from the bytes upwards:
//
//	enc       ordered keys and values of SQL types, to text and back
//	keys      engine keys and the map of the key space
//	engine    the interfaces between the parts below and above
//	store     one store directory: MANIFEST, WAL, tables, damage
//	mvcc      versions, intents, transactions
//	ranges    replicas, the Raft log, which replica speaks for which span
//	catalog   databases, schemas, tables and types by their descriptors
//	rows      the keys of a table become its rows
//	backup    BACKUP folders as a source of the same
//	salvage   plan, tasks, files, report, verdict
package crdb
