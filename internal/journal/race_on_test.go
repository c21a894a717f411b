//go:build race

package journal_test

// The race detector makes SQLite some fifteen times slower.
const bigRun = 500
