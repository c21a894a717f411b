package ranges

import (
	"testing"

	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/wire"
)

func FuzzState(f *testing.F) {
	f.Add([]byte(encode(whole)), uint8(0))
	f.Add(inline(wire.Message{}.Int(1, 10).Int(2, 3)), uint8(1))
	suffixes := []keys.Suffix{keys.AppliedState, keys.HardState, keys.TruncatedState, keys.RangeLease, keys.GCThreshold, keys.RangeTombstone, keys.RaftReplicaID}
	f.Fuzz(func(t *testing.T, b []byte, which uint8) {
		if d, err := ParseDescriptor(b); err == nil && d.Span().Empty() && string(d.End) > "\x02" {
			t.Errorf("descriptor without keys: %+v", d)
		}
		k := keys.RangeIDKey{RangeID: 1, Suffix: suffixes[int(which)%len(suffixes)]}
		_ = (&Replica{}).read(k, k.Append(nil), b)
		_ = (&Replica{}).readOld(keys.RangeIDKey{RangeID: 1, Suffix: keys.OldAppliedIndex}, b)
	})
}
