// Package wreck shows the salvage of a dead CockroachDB cluster on this machine:
// small real stores, one of them damaged on purpose, become rows in a PostgreSQL
// server that is started for it, and every row is held against what the living
// database showed.
package wreck
