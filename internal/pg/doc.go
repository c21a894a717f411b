// Package pg moves PostgreSQL databases: it stops writes and proves it,
// copies one database whole to another server, and compares the two row by
// row. It is the only package that speaks to PostgreSQL.
package pg
