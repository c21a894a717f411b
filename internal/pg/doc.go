// Package pg moves PostgreSQL databases: it stops writes and proves it,
// copies one database whole to another server, compares the two row by row,
// and reads what users will need before they come. It is the only package that
// speaks to PostgreSQL.
package pg
