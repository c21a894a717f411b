//go:build !race

package journal_test

const bigRun = 10_000
