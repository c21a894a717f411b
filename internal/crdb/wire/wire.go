// Package wire walks protocol buffer messages by their field numbers. The
// database's own messages are many and change; each reader takes the few fields
// it needs and passes over the rest.
package wire

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// Field is one field of a message as it stands on the wire.
type Field struct {
	Num  int
	Type protowire.Type
	Int  uint64 // of the integer types, not yet decoded further
	Data []byte // of bytes, strings and messages: a part of the message
}

// Sint is the value of a sint64 field.
func (f Field) Sint() int64 { return protowire.DecodeZigZag(f.Int) }

// Each calls f for each field of a message, in order, until f fails.
func Each(msg []byte, f func(Field) error) error {
	for len(msg) > 0 {
		field, rest, err := Next(msg)
		if err != nil {
			return err
		}
		if err := f(field); err != nil {
			return fmt.Errorf("field %d: %w", field.Num, err)
		}
		msg = rest
	}
	return nil
}

// Next takes one field from the front of a message.
func Next(msg []byte) (f Field, rest []byte, err error) {
	num, typ, n := protowire.ConsumeTag(msg)
	if n < 0 {
		return f, nil, fmt.Errorf("read a field's tag: %w", protowire.ParseError(n))
	}
	f.Num, f.Type = int(num), typ
	msg = msg[n:]
	switch typ {
	case protowire.VarintType:
		f.Int, n = protowire.ConsumeVarint(msg)
	case protowire.Fixed64Type:
		f.Int, n = protowire.ConsumeFixed64(msg)
	case protowire.Fixed32Type:
		var v uint32
		v, n = protowire.ConsumeFixed32(msg)
		f.Int = uint64(v)
	case protowire.BytesType:
		f.Data, n = protowire.ConsumeBytes(msg)
	default:
		n = protowire.ConsumeFieldValue(num, typ, msg)
	}
	if n < 0 {
		return f, nil, fmt.Errorf("read field %d: %w", num, protowire.ParseError(n))
	}
	return f, msg[n:], nil
}
