package keys

import (
	"bytes"
	"encoding/hex"
	"testing"
)

func TestLocalKeys(t *testing.T) {
	id := [16]byte{1, 2, 3}
	for _, c := range []struct {
		name string
		got  []byte
		want string
	}{
		{"log entry", LogKey(nil, 42, 100), "0169b2757266746c0000000000000064"},
		{"hard state", RangeIDKey{RangeID: 42, Suffix: HardState}.Append(nil), "0169b27572667468"},
		{"applied state", RangeIDKey{RangeID: 42, Replicated: true, Suffix: AppliedState}.Append(nil), "0169b2727261736b"},
		{"descriptor of /Table/57", RangeLocalKey{Addr: []byte{0xc1}, Suffix: Descriptor}.Append(nil), "016b12c1000172647363"},
		{"descriptor of the first range", RangeLocalKey{Suffix: Descriptor}.Append(nil), "016b12000172647363"},
		{"transaction", TxnKey(nil, []byte{0xc1, 0x89, 0x88}, id), "016b12c18988000174786e2d" + hex.EncodeToString(id[:])},
		{"lock", LockKey(nil, []byte{0xc1, 0x89, 0x88}), "017a6b12c189880001"},
		{"large range", RangeIDKey{RangeID: 70000, Suffix: HardState}.Append(nil), "0169f80111707572667468"},
	} {
		if got := hex.EncodeToString(c.got); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestLocalKeysParse(t *testing.T) {
	nul := []byte{0xc1, 0, 0xff, 0}
	k, ok := ParseRangeID(LogKey(nil, 110, 7))
	if !ok || k.RangeID != 110 || k.Suffix != RaftLog || k.Replicated || len(k.Detail) != 8 {
		t.Errorf("log key: %+v %v", k, ok)
	}
	l, ok := ParseRangeLocal(nil, RangeLocalKey{Addr: nul, Suffix: Descriptor}.Append(nil))
	if !ok || !bytes.Equal(l.Addr, nul) || l.Suffix != Descriptor {
		t.Errorf("descriptor key: %+v %v", l, ok)
	}
	lock := LockKey(nil, RangeLocalKey{Addr: nul, Suffix: Descriptor}.Append(nil))
	if got := Addr(nil, lock); !bytes.Equal(got, nul) {
		t.Errorf("address of a lock on a descriptor: %x", got)
	}
	s := LockSpan(Span{From: nul, To: []byte{0xc2}})
	if !s.Contains(LockKey(nil, nul)) || s.Contains(LockKey(nil, []byte{0xc2})) || s.Contains(LockKey(nil, []byte{0xc1})) {
		t.Errorf("lock span %s", s)
	}
}

func FuzzLocalKeys(f *testing.F) {
	f.Add(LogKey(nil, 110, 7))
	f.Add(LockKey(nil, RangeLocalKey{Addr: []byte{0, 1}, Suffix: Descriptor}.Append(nil)))
	f.Fuzz(func(t *testing.T, user []byte) {
		if k, ok := ParseRangeID(user); ok && !bytes.Equal(k.Append(nil), user) && len(user) < 12 && user[2] <= 0xf5 {
			t.Errorf("%x parsed as %+v", user, k)
		}
		if k, ok := ParseRangeLocal(nil, user); ok && !bytes.Equal(k.Append(nil), user) {
			t.Errorf("%x parsed as %+v", user, k)
		}
		Addr(nil, user)
	})
}
