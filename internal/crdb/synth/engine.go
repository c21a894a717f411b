package synth

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2/sstable"
)

// rangeKeys says whether the engine has MVCC range tombstones.
func (e Engine) rangeKeys() bool { return e >= Pebble13 }

// lockTable says whether the intents of the release lie in the lock table.
func (e Engine) lockTable() bool { return e >= Pebble13 }

// version is the format major version; 1 has no marker.
func (e Engine) version() int {
	return [...]int{Pebble1: 1, RocksDB: 1, Pebble13: 13, Pebble16: 16, Pebble19: 19, Pebble24: 24}[e]
}

func (e Engine) tableFormat() sstable.TableFormat {
	return [...]sstable.TableFormat{
		Pebble1: sstable.TableFormatRocksDBv2, RocksDB: sstable.TableFormatRocksDBv2, Pebble13: sstable.TableFormatPebblev3,
		Pebble16: sstable.TableFormatPebblev4, Pebble19: sstable.TableFormatPebblev5, Pebble24: sstable.TableFormatPebblev7,
	}[e]
}

// chunks is the form of the write-ahead log's chunks.
func (e Engine) chunks() int {
	if e >= Pebble24 {
		return syncedChunks
	}
	return recycledChunks
}

// clusterVersion is the release that the store is committed to.
func (e Engine) clusterVersion() (major, minor uint64) {
	switch e {
	case Pebble13:
		return 23, 1
	case Pebble16:
		return 23, 2
	case Pebble19:
		return 24, 3
	case Pebble24:
		return 25, 3
	}
	return 20, 1
}

// options is the text of the OPTIONS file.
func (e Engine) options() string {
	if e == RocksDB {
		return `# This is a RocksDB option file.

[Version]
  rocksdb_version=6.3.6
  options_file_version=1.1

[DBOptions]
  max_open_files=10000
  wal_dir=
  create_if_missing=true

[CFOptions "default"]
  comparator=cockroach_comparator
  merge_operator=cockroach_merge_operator
  compression=kSnappyCompression
  num_levels=7

[TableOptions/BlockBasedTable "default"]
  checksum=kCRC32c
  block_size=32768
  format_version=2
`
	}
	schema := ""
	if e.version() > 1 {
		schema = fmt.Sprintf("  format_major_version=%d\n", e.version())
	}
	if e >= Pebble19 {
		schema += "  key_schema=crdb1\n"
	}
	return `[Version]
  pebble_version=0.1

[Options]
  cleaner=delete
  comparer=cockroach_comparator
  disable_wal=false
` + schema + `  merger=cockroach_merge_operator
  wal_dir=

[Level "0"]
  block_restart_interval=16
  block_size=32768
  compression=Snappy
  filter_policy=none
  filter_type=table
  index_block_size=262144
  target_file_size=8388608
`
}
