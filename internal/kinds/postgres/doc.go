// Package postgres holds the kinds of the PostgreSQL family: freeze, copy and
// verify. Each turns its fields into a call of package pg.
package postgres
