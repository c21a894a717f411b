// Package testenv holds what only tests need: real servers, started once a
// process and shared, and small helpers. Nothing else may import it.
package testenv
