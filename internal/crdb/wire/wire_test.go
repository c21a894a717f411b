package wire

import (
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

func TestEach(t *testing.T) {
	msg := protowire.AppendTag(nil, 1, protowire.VarintType)
	msg = protowire.AppendVarint(msg, protowire.EncodeZigZag(-5))
	msg = protowire.AppendTag(msg, 2, protowire.BytesType)
	msg = protowire.AppendBytes(msg, []byte("ab"))
	var got int64
	var text string
	err := Each(msg, func(f Field) error {
		switch f.Num {
		case 1:
			got = f.Sint()
		case 2:
			text = string(f.Data)
		}
		return nil
	})
	if err != nil || got != -5 || text != "ab" {
		t.Errorf("got %d %q %v", got, text, err)
	}
	if err := Each(msg[:len(msg)-1], func(Field) error { return nil }); err == nil {
		t.Error("a cut message was read without an error")
	}
}

func FuzzEach(f *testing.F) {
	f.Add([]byte{8, 1, 18, 2, 'a', 'b'})
	f.Fuzz(func(t *testing.T, msg []byte) {
		_ = Each(msg, func(Field) error { return nil })
	})
}
