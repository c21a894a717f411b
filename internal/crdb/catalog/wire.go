package catalog

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/evac-io/evac/internal/crdb/wire"
)

// Bounds of what a descriptor may be; real ones are far below.
const (
	maxDescriptor = 64 << 20 // bytes: the largest command of the database
	maxParts      = 1 << 18  // messages and ids inside one descriptor
	maxColumns    = 1 << 13  // of a table
	maxTypeDepth  = 16       // arrays and tuples inside each other
)

var (
	errTooLarge = errors.New("larger than any descriptor can be")
	errTooDeep  = errors.New("types nested too deeply")
)

// decoder decodes one descriptor and counts the messages and ids that it has met.
type decoder struct{ parts int }

// field is one field of a message: its number and, by its wire type, a number
// or bytes.
type field struct {
	num int
	n   uint64
	b   []byte // nil if it is a number
}

// message calls f with each field of a message.
func (d *decoder) message(b []byte, f func(field) error) error {
	if d.parts++; d.parts > maxParts {
		return errTooLarge
	}
	for len(b) > 0 {
		x, rest, err := wire.Next(b)
		if err != nil {
			return err
		}
		if err := f(field{x.Num, x.Int, x.Data}); err != nil {
			return err
		}
		b = rest
	}
	return nil
}

func (x field) u32() uint32    { return uint32(x.n) }
func (x field) i32() int32     { return int32(x.n) }
func (x field) i64() int64     { return int64(x.n) }
func (x field) bool() bool     { return x.n != 0 }
func (x field) string() string { return string(x.b) }

// ids appends a repeated number, packed or not.
func (d *decoder) ids(dst []uint32, x field) ([]uint32, error) {
	if x.b == nil {
		d.parts++
		return append(dst, x.u32()), nil
	}
	for b := x.b; len(b) > 0; {
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return dst, protowire.ParseError(n)
		}
		if d.parts++; d.parts > maxParts {
			return dst, errTooLarge
		}
		dst, b = append(dst, uint32(v)), b[n:]
	}
	return dst, nil
}
