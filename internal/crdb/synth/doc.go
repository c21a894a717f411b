// Package synth writes stores of CockroachDB clusters that never ran, for tests
// and measurements: real rows again and again under other table ids, in the
// forms that real stores come in, with what makes reading them hard, and with
// the rows that a right reading must give. A store is described by a Spec; equal
// specs give equal bytes.
//
// It is built upon the writers of the pebble library and shares no code with the
// reading of MANIFESTs, logs and registries in package store. No command imports
// it.
package synth
