package sst

import (
	"bytes"
	"encoding/binary"
)

// Properties is what a table says of itself in its properties block. A table
// whose block is lost has none.
type Properties struct {
	Format       Format
	Comparer     string
	Compression  string
	Entries      uint64
	Deletions    uint64
	RangeDels    uint64
	RangeKeys    uint64
	DataSize     uint64
	BlobValues   uint64  // values that lie in blob files
	GlobalSeqNum *uint64 // RocksDB's own note of an ingested table's sequence number
	KeySchema    string
	All          map[string]string // as stored
}

const globalSeqNum = "rocksdb.external_sst_file.global_seqno"

func newProperties(format Format, all map[string]string) Properties {
	p := Properties{Format: format, All: all}
	number := func(name string) uint64 {
		v, n := binary.Uvarint([]byte(all[name]))
		if n <= 0 {
			return 0
		}
		return v
	}
	p.Comparer, p.Compression, p.KeySchema = all["rocksdb.comparator"], all["rocksdb.compression"], all["pebble.colblk.schema"]
	p.Entries, p.Deletions = number("rocksdb.num.entries"), number("rocksdb.deleted.keys")
	p.RangeDels, p.DataSize = number("rocksdb.num.range-deletions"), number("rocksdb.data.size")
	p.RangeKeys = number("pebble.num.range-key-sets") + number("pebble.num.range-key-unsets") + number("pebble.num.range-key-dels")
	p.BlobValues = number("pebble.num.values.in.blob-files")
	if v := all[globalSeqNum]; len(v) == 8 {
		seq := binary.LittleEndian.Uint64([]byte(v))
		p.GlobalSeqNum = &seq
	}
	return p
}

// unsetSeqNum puts zero where RocksDB wrote an ingested table's sequence number
// into a properties block that was there already: the block's checksum still is
// the one over the zero.
func unsetSeqNum(raw []byte) bool {
	at := bytes.Index(raw, []byte(globalSeqNum))
	if at < 0 || len(raw) < at+len(globalSeqNum)+8 {
		return false
	}
	clear(raw[at+len(globalSeqNum):][:8])
	return true
}
