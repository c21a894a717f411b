// Package sst reads the tables of a CockroachDB store, whole ones and broken
// ones, and merges the entries of many of them into what the store held.
//
// All table formats are read: LevelDB's and RocksDB's of the early releases,
// Pebble's row formats (v1 to v4, with values in value blocks) and its columnar
// ones (v5 to v7). A block whose checksum does not hold is left out and named,
// with the keys that may be missing for it. Where footer or index are lost, the
// blocks are found by their checksums alone (see scan.go).
package sst
