package sst

import (
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2/cockroachkvs"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/sstable/colblk"
)

// schemaName is the only key schema that CockroachDB ever used in columnar
// blocks.
var schemaName = cockroachkvs.KeySchema.Name

// The columns of a data block behind those of the key schema.
const (
	columnTrailer = iota
	columnPrefixChanged
	columnValue
	columnExternal
	columnObsolete
	columnsBehindKey
)

// customHeader is what stands before a columnar data block: the schema's header
// (one byte) and the length of the longest key.
const customHeader = 1 + 4

// columnCursor walks the entries of a columnar data block.
type columnCursor struct {
	prefix, suffix []byte // synthetic ones
	decoder        colblk.DataBlockDecoder
	seeker         colblk.KeySeeker
	keys           colblk.PrefixBytesIter
	trailers       colblk.UnsafeUints
	values         colblk.RawBytes
	external       colblk.Bitmap
	row, rows      int
	bad            bool

	key, value []byte
	trailer    uint64
	handle     bool // value is not the value but says where it lies
}

// columnsHold checks the header of a columnar block before anything follows the
// offsets in it. Custom is how many bytes stand before the header, rows how many
// rows the block claims.
func columnsHold(data []byte, custom, columns int) (rows int, ok bool) {
	const fixed, perColumn = 7, 5
	if len(data) < custom+fixed+columns*perColumn+1 || data[custom] != 1 {
		return 0, false
	}
	head := data[custom:]
	if int(binary.LittleEndian.Uint16(head[1:])) != columns {
		return 0, false
	}
	rows = int(binary.LittleEndian.Uint32(head[3:]))
	at := custom + fixed + columns*perColumn
	for i := range columns {
		off := int(binary.LittleEndian.Uint32(head[fixed+i*perColumn+1:]))
		if off < at || off > len(data)-1 {
			return 0, false
		}
		at = off
	}
	return rows, rows <= 8*len(data)
}

func dataColumns(data []byte) bool {
	_, ok := columnsHold(data, customHeader, len(cockroachkvs.KeySchema.ColumnTypes)+columnsBehindKey)
	return ok
}

// reset begins a block, whose first byte must lie at a multiple of eight. The
// decoder panics at contents that cannot be; a checksum that holds over such
// contents is the work of somebody, and they are refused all the same.
func (c *columnCursor) reset(data []byte) (err error) {
	defer recovered(&err)
	c.row, c.rows, c.bad = -1, 0, false
	if !dataColumns(data) {
		return errRow
	}
	schema := &cockroachkvs.KeySchema
	longest := int(binary.LittleEndian.Uint32(data[schema.HeaderSize:])) + len(c.prefix)
	if longest > maxBlock {
		return errRow
	}
	c.decoder.Init(schema, data)
	meta := &colblk.KeySeekerMetadata{}
	schema.InitKeySeekerMetadata(meta, &c.decoder)
	c.seeker = schema.KeySeeker(meta)
	c.keys.Init(longest, c.prefix)
	columns, n := c.decoder.BlockDecoder(), len(schema.ColumnTypes)
	c.trailers, c.values = columns.Uints(n+columnTrailer), columns.RawBytes(n+columnValue)
	c.external = columns.Bitmap(n + columnExternal)
	c.rows = columns.Rows()
	return nil
}

// next moves to the next row. What it shows holds until the next call.
func (c *columnCursor) next() (more bool) {
	var err error
	defer func() {
		if err != nil {
			c.bad, more = true, false
		}
	}()
	defer recovered(&err)
	if c.row+1 >= c.rows {
		return false
	}
	c.row++
	if len(c.suffix) > 0 {
		c.key = c.seeker.MaterializeUserKeyWithSyntheticSuffix(&c.keys, c.suffix, c.row-1, c.row)
	} else {
		c.key = c.seeker.MaterializeUserKey(&c.keys, c.row-1, c.row)
	}
	c.trailer, c.value, c.handle = c.trailers.At(c.row), c.values.At(c.row), c.external.At(c.row)
	return true
}

// recovered turns a panic of the columnar decoder into an error.
func recovered(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%w: %v", errRow, r)
	}
}

// columnIndex calls each for every entry of a columnar index block.
func columnIndex(data []byte, each func(separator, value []byte) error) (err error) {
	defer recovered(&err)
	if _, ok := columnsHold(data, 0, 4); !ok {
		return errRow
	}
	var it colblk.IndexIter
	if err := it.Init(&cockroachkvs.Comparer, data, block.IterTransforms{}); err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		h, err := it.BlockHandleWithProperties()
		if err != nil {
			return err
		}
		value := binary.AppendUvarint(binary.AppendUvarint(nil, h.Offset), h.Length)
		if err := each(it.Separator(), value); err != nil {
			return err
		}
	}
	return nil
}

// columnPairs calls each for every entry of a columnar block of names and values.
func columnPairs(data []byte, each func(name, value []byte) error) (err error) {
	defer recovered(&err)
	if _, ok := columnsHold(data, 0, 2); !ok {
		return errRow
	}
	var d colblk.KeyValueBlockDecoder
	d.Init(data)
	for i := range d.BlockDecoder().Rows() {
		if err := each(d.KeyAt(i), d.ValueAt(i)); err != nil {
			return err
		}
	}
	return nil
}

// columnSpans calls each for every range deletion or range key of a columnar
// block.
func columnSpans(data []byte, each func(RangeKey)) (err error) {
	defer recovered(&err)
	if _, ok := columnsHold(data, 4, 5); !ok {
		return errRow
	}
	var pool block.BufferPool
	pool.Init(1)
	defer pool.Release()
	buffer := block.Alloc(len(data), &pool)
	copy(buffer.BlockData(), data)
	if err := colblk.InitKeyspanBlockMetadata(buffer.BlockMetadata(), buffer.BlockData()); err != nil {
		buffer.Release()
		return err
	}
	it := colblk.NewKeyspanIter(cockroachkvs.Compare, buffer.MakeHandle(), block.FragmentIterTransforms{})
	defer it.Close()
	span, err := it.First()
	for ; span != nil && err == nil; span, err = it.Next() {
		for _, k := range span.Keys {
			each(RangeKey{From: span.Start, To: span.End, Suffix: k.Suffix, Value: k.Value, Seq: uint64(k.SeqNum()), Kind: Kind(k.Kind())})
		}
	}
	return err
}
