// Package postgres holds the kinds of the PostgreSQL family: freeze, copy,
// verify and warm. Each turns its fields into a call of package pg.
package postgres
