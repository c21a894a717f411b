// Package lint holds the tests that keep the house as it was drawn: who may
// import whom, where a heavy dependency lives, and what no file may contain.
package lint
