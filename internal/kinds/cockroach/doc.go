// Package cockroach has the kinds that bring a dead CockroachDB cluster's rows
// back to life.
package cockroach
