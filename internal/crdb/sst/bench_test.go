package sst

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/sstable/block"
)

// real are the tables of a real store, 16 MB of them.
func real(b *testing.B) (list []*Table, bytes int64) {
	for name, data := range tables(b, crashN1) {
		list = append(list, open(b, data, Options{Name: name}))
		bytes += int64(len(data))
	}
	return list, bytes
}

// BenchmarkBlocks is the bound: every data block read, checked and unpacked.
func BenchmarkBlocks(b *testing.B) {
	list, size := real(b)
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		for _, t := range list {
			r := &blocks{t: t}
			for _, p := range t.pieces {
				if _, err := r.read(p.handle, p.end()+readBehind); err != nil {
					b.Fatal(err)
				}
			}
			r.close()
		}
	}
}

// BenchmarkEntries is every entry of every table.
func BenchmarkEntries(b *testing.B) {
	list, size := real(b)
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		for _, t := range list {
			it := t.Iter(everywhere)
			for it.Next() != nil {
			}
			_ = it.Close()
		}
	}
}

// BenchmarkEngine is the same by the engine's own reader.
func BenchmarkEngine(b *testing.B) {
	var size int64
	var readers []*sstable.Reader
	for _, data := range tables(b, crashN1) {
		readers = append(readers, reader(b, data))
		size += int64(len(data))
	}
	b.SetBytes(size)
	for b.Loop() {
		for _, r := range readers {
			it, err := r.NewIter(noTransforms, nil, nil, sstable.AssertNoBlobHandles)
			if err != nil {
				b.Fatal(err)
			}
			for kv := it.First(); kv != nil; kv = it.Next() {
			}
			_ = it.Close()
		}
	}
}

// BenchmarkMerge is the newest entry of each key over one level and over three
// that overlap, in row blocks and in columns.
func BenchmarkMerge(b *testing.B) {
	rows := oracle(b, tables(b, crashN1)["000065.sst"], noTransforms)
	for _, format := range []sstable.TableFormat{sstable.TableFormatPebblev1, sstable.TableFormatPebblev4, sstable.TableFormatPebblev5} {
		for _, levels := range []int{1, 3} {
			b.Run(fmt.Sprintf("%s/levels=%d", format, levels), func(b *testing.B) { merging(b, rows, format, levels) })
		}
	}
}

func merging(b *testing.B, rows []row, format sstable.TableFormat, levels int) {
	rng := rand.New(rand.NewPCG(7, 8))
	parts := make([][]row, levels)
	for _, r := range rows {
		i := 0
		for i+1 < levels && rng.IntN(10) == 0 {
			i++
		}
		parts[i] = append(parts[i], r)
	}
	var list []*Table
	var size int64
	for _, p := range parts {
		data := written{format: format, rows: p, compression: block.SnappyCompression, checksum: checksumCRC32C, block: 32 << 10, indexBlock: 1 << 20}.table(b)
		list = append(list, open(b, data, Options{}))
		size += int64(len(data))
	}
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		var sources []Source
		for _, t := range list {
			sources = append(sources, t.Iter(everywhere))
		}
		m := Newest(everywhere, nil, sources...)
		n := 0
		for m.Next() {
			n++
		}
		if err := m.Close(); err != nil || n == 0 {
			b.Fatal(n, err)
		}
	}
}
