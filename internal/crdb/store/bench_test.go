package store

import (
	"testing"

	"github.com/evac-io/evac/internal/crdb/keys"
)

// BenchmarkScan reads every entry of a store; MB/s of stored bytes.
func BenchmarkScan(b *testing.B) {
	s := open(b, fixture(b, "crash", 3), Options{})
	b.SetBytes(s.View().Size(keys.Span{}))
	for b.Loop() {
		it := s.View().Iter(keys.Span{})
		for it.Next() {
		}
		if it.Err() != nil {
			b.Fatal(it.Err())
		}
		it.Close()
	}
}

// BenchmarkOpen opens a store with 54 MB of live log.
func BenchmarkOpen(b *testing.B) {
	dir := fixture(b, "crash", 2)
	for b.Loop() {
		s := must(Open(b.Context(), dir, Options{}))(b)
		b.SetBytes(s.facts.WALs[0].Bytes)
		s.Close()
	}
}
