// Package catalog knows the databases, schemas, types and tables of a
// CockroachDB cluster by their descriptors: the protos in system.descriptor, in
// the manifest of a BACKUP, or made from a file of SQL. It says how the rows of
// each table lie in its keys, and writes the schema down as SQL for CockroachDB
// and for PostgreSQL.
//
// Descriptors of every release from 1.0 on are understood; older forms come out
// in today's terms. A descriptor may be damaged: what cannot be decoded is named
// as a Doubt and never stops the others.
package catalog
