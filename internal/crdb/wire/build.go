package wire

import "google.golang.org/protobuf/encoding/protowire"

// Message builds a message field by field: each method appends one and returns
// the longer message.
type Message []byte

// Int appends an integer of any type but sint and fixed.
func (m Message) Int(num int, v uint64) Message {
	return protowire.AppendVarint(protowire.AppendTag(m, protowire.Number(num), protowire.VarintType), v)
}

// Sint appends a sint64.
func (m Message) Sint(num int, v int64) Message { return m.Int(num, protowire.EncodeZigZag(v)) }

// Bytes appends bytes, a string or a message.
func (m Message) Bytes(num int, b []byte) Message {
	return protowire.AppendBytes(protowire.AppendTag(m, protowire.Number(num), protowire.BytesType), b)
}
