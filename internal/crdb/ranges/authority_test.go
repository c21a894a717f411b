package ranges

import (
	"strings"
	"testing"

	"github.com/evac-io/evac/internal/crdb/engine"
	"github.com/evac-io/evac/internal/crdb/keys"
	"github.com/evac-io/evac/internal/crdb/ranges/raftlog"
	"github.com/evac-io/evac/internal/crdb/wire"
)

// three makes three stores with a replica of range 1 at index 10, each with a
// row of its own making and one they share.
func three(shape func(i int, f *fake)) []*fake {
	var out []*fake
	for i := 1; i <= 3; i++ {
		f := newFake(uint64(i))
		shape(i, f)
		out = append(out, f)
	}
	return out
}

var (
	whole    = desc(1, 1, "", "", 1, 2, 3)
	left     = desc(1, 2, "", "m", 1, 2, 3)
	right    = desc(2, 2, "m", "", 1, 2, 3)
	rejoined = desc(1, 3, "", "", 1, 2, 3)
)

// split is the command that cuts range 1 at "m".
func split() command {
	own := func(replicated bool, suffix keys.Suffix, msg wire.Message) engine.Change {
		user := keys.RangeIDKey{RangeID: 2, Replicated: replicated, Suffix: suffix}.Append(nil)
		return engine.Change{Op: engine.Set, Key: append(user, 0), Value: inline(msg)}
	}
	trigger := wire.Message{}.Bytes(1, encode(left)).Bytes(2, encode(right))
	return command{
		changes: []engine.Change{descChange(left, 2), descChange(right, 2),
			own(true, keys.AppliedState, wire.Message{}.Int(1, 10).Int(2, 0)), own(false, keys.TruncatedState, wire.Message{}.Int(1, 10).Int(2, 5))},
		result: wire.Message{}.Bytes(3, wire.Message{}.Bytes(1, trigger)),
	}
}

// merge is the command that joins range 2 to range 1.
func merge() command {
	gone := descChange(right, 3)
	gone.Value = nil
	trigger := wire.Message{}.Bytes(1, encode(rejoined)).Bytes(2, encode(right))
	return command{
		changes: []engine.Change{descChange(rejoined, 3), gone},
		result:  wire.Message{}.Bytes(4, wire.Message{}.Bytes(1, trigger)),
	}
}

func TestAuthority(t *testing.T) {
	at := state{applied: 10}
	for _, c := range []struct {
		name   string
		stores []*fake
		mode   Mode
		want   string
		says   string // part of what is said; "-": nothing at all
	}{
		{name: "the same everywhere", want: "k=v", says: "-", stores: three(func(_ int, f *fake) {
			f.replica(whole, at)
			f.row("k", 1, "v")
		})},
		{name: "committed and applied nowhere", want: "k=v n=new", says: "-", stores: three(func(_ int, f *fake) {
			f.replica(whole, at)
			f.row("k", 1, "v")
			f.log(1, 11, 1, write("n", 2, "new"))
		})},
		{name: "one replica lags", want: "n=new", says: "-", stores: three(func(i int, f *fake) {
			s := at
			if i > 1 {
				s.applied = 12
				f.row("n", 2, "new")
			} else {
				f.row("k", 1, "deleted since")
			}
			f.replica(whole, s)
		})},
		{name: "the tail of a minority, all voters here", want: "n=new t=tail", says: "-", stores: three(func(i int, f *fake) {
			f.replica(whole, at)
			f.log(1, 11, 1, write("n", 2, "new"))
			if i == 2 {
				f.log(1, 12, 1, write("t", 3, "tail"))
			}
		})},
		{name: "the same, only what is certain", mode: Conservative, want: "n=new", stores: three(func(i int, f *fake) {
			f.replica(whole, at)
			f.log(1, 11, 1, write("n", 2, "new"))
			if i == 2 {
				f.log(1, 12, 1, write("t", 3, "tail"))
			}
		})},
		{name: "the tail of a minority alone", want: "n=new", says: "later writes may be lost: only 1 of 3", stores: three(func(_ int, f *fake) {
			f.replica(whole, state{applied: 10, commit: 11})
			f.log(1, 11, 1, write("n", 2, "new"), write("t", 3, "tail"))
		})[:1]},
		{name: "the same, as a restart would", mode: Restart, want: "n=new t=tail", says: "later writes may be lost", stores: three(func(_ int, f *fake) {
			f.replica(whole, state{applied: 10, commit: 11})
			f.log(1, 11, 1, write("n", 2, "new"), write("t", 3, "tail"))
		})[:1]},
		{name: "a tail of an older term loses", want: "n=new", says: "-", stores: three(func(i int, f *fake) {
			f.replica(whole, at)
			if i == 1 {
				f.log(1, 11, 1, write("x", 2, "never committed"), write("y", 3, "never committed"))
			} else {
				f.log(1, 11, 2, write("n", 2, "new"))
			}
		})},
		{name: "the best log begins behind another's end", want: "a=1 b=2", says: "-", stores: three(func(i int, f *fake) {
			if i == 1 {
				f.replica(whole, state{applied: 10, commit: 11})
				f.log(1, 11, 1, write("a", 2, "1"))
			} else {
				f.replica(whole, state{applied: 11})
				f.row("a", 2, "1")
				f.log(1, 12, 1, write("b", 3, "2"))
			}
		})},
		{name: "lease index", want: "b=ok", says: "-", stores: three(func(_ int, f *fake) {
			f.replica(whole, state{applied: 10, leaseIndex: 10})
			used := write("a", 2, "late")
			used.leaseIndex = 10
			f.log(1, 11, 1, used, write("b", 2, "ok"))
		})},
		{name: "lease", want: "b=ok d=ok", says: "-", stores: three(func(_ int, f *fake) {
			f.replica(whole, at)
			wrong, after := write("c", 2, "old lease"), write("d", 2, "ok")
			after.lease = 2
			begin := command{result: wire.Message{}.Int(6, 1).Bytes(2, wire.Message{}.Bytes(4, wire.Message{}.Int(7, 2)))}
			f.log(1, 11, 1, write("b", 2, "ok"), begin, wrong, after)
		})},
		{name: "the lease is lost", want: "b=ok", says: "", stores: three(func(_ int, f *fake) {
			f.replica(whole, at)
			user := keys.RangeIDKey{RangeID: 1, Replicated: true, Suffix: keys.RangeLease}.Append(nil)
			f.changes = append(f.changes, engine.Change{Op: engine.Delete, Key: append(user, 0)})
			now, wrong := write("b", 2, "ok"), write("c", 2, "old lease")
			now.lease = 5
			f.log(1, 11, 1, now, wrong)
		})},
		{name: "a command that cannot be followed", want: "b=ok", says: "excised keys", stores: three(func(_ int, f *fake) {
			f.replica(whole, at)
			f.log(1, 11, 1, write("b", 2, "ok"), command{result: wire.Message{}.Bytes(30, nil)}, write("c", 2, "behind it"))
		})},
		{name: "GC threshold", want: "c=ok", says: "-", stores: three(func(_ int, f *fake) {
			f.replica(whole, at)
			raise := command{result: wire.Message{}.Bytes(2, wire.Message{}.Bytes(6, wire.Message{}.Int(1, 5)))}
			early, later := write("b", 5, "too early"), write("c", 6, "ok")
			early.result = wire.Message{}.Bytes(8, wire.Message{}.Int(1, 5))
			later.result = wire.Message{}.Bytes(8, wire.Message{}.Int(1, 6))
			f.log(1, 11, 1, raise, early, later)
		})},
		{name: "an election's empty entry", want: "n=new", says: "-", stores: three(func(_ int, f *fake) {
			f.replica(whole, at)
			f.log(1, 11, 1, command{empty: true}, write("n", 2, "new"))
		})},
		{name: "a gap in the log", want: "n=new", says: "its state is that of index 11 of 13", stores: three(func(_ int, f *fake) {
			f.replica(whole, at)
			f.log(1, 11, 1, write("n", 2, "new"))
			f.log(1, 13, 1, write("o", 2, "behind the gap"))
		})},
		{name: "a zombie", want: "k=v", says: "no longer has a replica on store 3", stores: three(func(i int, f *fake) {
			if i < 3 {
				f.replica(desc(1, 2, "", "", 1, 2), state{applied: 20})
				f.row("k", 1, "v")
				return
			}
			f.replica(whole, at)
			f.row("z", 1, "stale")
		})},
		{name: "the zombie alone is all there is", want: "z=stale", says: "only 1 of 3", stores: three(func(_ int, f *fake) {
			f.replica(whole, at)
			f.row("z", 1, "stale")
		})[2:]},
		{name: "a replica that was removed and came back", want: "k=v", says: "is not replica 9", stores: three(func(i int, f *fake) {
			again := desc(1, 5, "", "", 1, 2, 3)
			again.Members[2].Replica = 9
			if i < 3 {
				f.replica(again, state{applied: 20})
				f.row("k", 1, "v")
				return
			}
			f.replica(whole, at)
			f.row("z", 1, "stale")
		})},
		{name: "a tombstone", want: "k=v", says: "its tombstone says 4", stores: three(func(i int, f *fake) {
			if i < 3 {
				f.replica(whole, at)
				f.row("k", 1, "v")
				return
			}
			f.replica(whole, state{applied: 50})
			f.row("z", 1, "stale")
			f.message(keys.RangeIDKey{RangeID: 1, Suffix: keys.RangeTombstone}.Append(nil), wire.Message{}.Int(1, 4))
		})},
		{name: "split in the log", want: "a=1 x=new z=26", says: "it split off range 1", stores: three(func(_ int, f *fake) {
			f.replica(whole, at)
			f.row("a", 1, "1")
			f.row("z", 1, "26")
			f.log(1, 11, 1, write("x", 2, "new"), split())
		})},
		{name: "split in the log of one, applied by the others", want: "a=1 y=right", says: "-", stores: three(func(i int, f *fake) {
			f.row("a", 1, "1")
			if i == 1 {
				f.replica(whole, at)
				f.row("z", 1, "deleted by the others")
				f.log(1, 11, 1, split())
				return
			}
			f.replica(left, state{applied: 11})
			f.replica(right, state{applied: 20})
			f.row("y", 2, "right")
		})},
		{name: "merge in the log", want: "a=1 y=right z=after", says: "-", stores: three(func(_ int, f *fake) {
			f.replica(left, at)
			f.replica(right, at)
			f.row("a", 1, "1")
			f.log(2, 11, 1, write("y", 2, "right"))
			f.log(1, 11, 1, merge(), write("z", 4, "after"))
		})},
		{name: "split and merge in the log", want: "a=1 z=after", says: "", stores: three(func(_ int, f *fake) {
			f.replica(whole, at)
			f.row("a", 1, "1")
			f.log(1, 11, 1, split(), merge(), write("z", 4, "after"))
		})},
		{name: "a stale store from before a split", want: "a=1 y=right", stores: three(func(i int, f *fake) {
			f.row("a", 1, "1")
			if i == 1 {
				f.replica(whole, at)
				f.row("b", 1, "deleted since")
				f.row("z", 1, "deleted since")
				return
			}
			f.replica(left, state{applied: 90})
			f.replica(right, state{applied: 80})
			f.row("y", 2, "right")
		})},
		{name: "a stale store from before a split and one that has the right side alone", want: "b=old y=right", says: "only 1 of 3", stores: three(func(i int, f *fake) {
			if i == 1 {
				f.replica(whole, at)
				f.row("b", 1, "old")
				f.row("z", 1, "deleted since")
				return
			}
			f.replica(right, state{applied: 80})
			f.row("y", 2, "right")
		})[:2]},
		{name: "a range lost", want: "a=1", says: `hole ["m","\xff\xff") range 2`, stores: three(func(_ int, f *fake) {
			f.replica(left, at)
			f.row("a", 1, "1")
			f.row("z", 1, "left over by a replica that is gone")
			f.set(keys.Append(nil, []byte("\x03\xff\xff"), keys.Timestamp{Wall: 1}), stored(encode(desc(2, 2, "m", "", 4, 5, 6))))
		})},
		{name: "a learner is ahead", want: "n=new", says: "-", stores: three(func(i int, f *fake) {
			d := desc(1, 1, "", "", 1, 2, 3)
			d.Members[2].Role = Learner
			f.replica(d, at)
			if i != 3 {
				f.log(1, 11, 1, write("n", 2, "new"))
			}
		})},
	} {
		m := survey(t, c.mode, c.stores...)
		if got := rows(t, m); got != c.want {
			t.Errorf("%s: rows %q, want %q\n%s", c.name, got, c.want, said(m))
		}
		switch said := said(m); {
		case c.says == "-" && said != "":
			t.Errorf("%s: says %q, want nothing", c.name, said)
		case c.says != "-" && !strings.Contains(said, c.says):
			t.Errorf("%s: says %q, want %q", c.name, said, c.says)
		}
	}
}

func TestMajority(t *testing.T) {
	joint := desc(1, 1, "", "", 1, 2, 3, 4, 5)
	joint.Members[2].Role, joint.Members[3].Role, joint.Members[4].Role = VoterOutgoing, VoterIncoming, Learner
	for _, c := range []struct {
		d    *Descriptor
		here []uint64
		want bool
	}{
		{whole, []uint64{1}, false},
		{whole, []uint64{1, 3}, true},
		{desc(1, 1, "", "", 1, 2, 3, 4), []uint64{1, 2}, false},
		{desc(1, 1, "", "", 1), []uint64{1}, true},
		{joint, []uint64{1, 2}, true},
		{joint, []uint64{1, 3}, false}, // a majority only before the change
		{joint, []uint64{1, 4}, false}, // a majority only after it
		{joint, []uint64{1, 3, 4}, true},
		{joint, []uint64{3, 4, 5}, false},
	} {
		here := map[uint64]bool{}
		for _, s := range c.here {
			here[s] = true
		}
		if _, _, ok := majority(c.d, here); ok != c.want {
			t.Errorf("%v of %v: %v", c.here, c.d.Members, ok)
		}
	}
}

// hurt is a view of which a span is gone; it says so when a walk comes there,
// perhaps of more keys than are gone.
type hurt struct {
	engine.View
	span keys.Span
	more keys.Span
}

type hurtIter struct {
	engine.Iter
	hurt
	met []engine.Damage
}

func (h hurt) Iter(span keys.Span) engine.Iter { return &hurtIter{Iter: h.View.Iter(span), hurt: h} }

func (it *hurtIter) Next() bool {
	for it.Iter.Next() {
		user, _, _ := keys.Split(it.Iter.Key())
		if !it.span.Contains(user) {
			return true
		}
		it.met = []engine.Damage{{File: "1.sst", Span: it.span, Why: "flipped"}}
		if it.more.To != nil {
			it.met[0].Span = it.more
		}
	}
	return false
}

func (it *hurtIter) Damage() []engine.Damage { return it.met }

func TestDamage(t *testing.T) {
	span := func(from, to string) keys.Span { return keys.Span{From: []byte(from), To: []byte(to)} }
	shape := func(_ int, f *fake) {
		f.replica(whole, state{applied: 10})
		for _, k := range []string{"b", "d", "f", "h"} {
			f.row(k, 1, k)
		}
		f.log(1, 11, 1, write("n", 2, "new"))
	}
	const all = "b=b d=d f=f h=h n=new"
	for _, c := range []struct {
		name   string
		known  bool
		stores []keys.Span
		want   string
		more   keys.Span // what is said to be damaged, if not the same
	}{
		{name: "one, met too late", stores: []keys.Span{span("d", "e")}, want: all, more: span("b", "e")},
		{name: "one, known", known: true, stores: []keys.Span{span("c", "e")}, want: all},
		{name: "one, met on the way", known: false, stores: []keys.Span{span("c", "e")}, want: all},
		{name: "one, from the first key on", known: false, stores: []keys.Span{span("b", "e")}, want: all},
		{name: "two at different places", known: false, stores: []keys.Span{span("c", "e"), span("e", "g")}, want: all},
		{name: "two at one place, the third whole", known: false, stores: []keys.Span{span("c", "g"), span("c", "g")}, want: all},
		{name: "all at one place", known: false, stores: []keys.Span{span("c", "g"), span("c", "g"), span("e", "g")}, want: "b=b d=d h=h n=new"},
	} {
		fakes := three(shape)
		for i, s := range c.stores {
			f := fakes[i]
			f.View = hurt{engine.NewOverlay(engine.Empty{}, f.changes), s, c.more}
			if c.known {
				f.Damage = []engine.Damage{{File: "1.sst", Span: s}}
			}
		}
		m := survey(t, Auto, fakes...)
		ascends(t, m)
		if got := rows(t, m); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if known := m.Known([]byte("f")); known != (c.want == all) {
			t.Errorf("%s: known %v", c.name, known)
		}
	}
}

// TestUntrusted has a replica that lags and whose log holds what was never
// committed: it must not take over.
func TestUntrusted(t *testing.T) {
	fakes := three(func(i int, f *fake) {
		if i == 1 {
			f.replica(whole, state{applied: 10})
			f.log(1, 11, 1, write("n", 2, "never committed"), write("o", 2, "never committed"))
			return
		}
		f.replica(whole, state{applied: 12, term: 2})
		f.row("n", 2, "new")
		f.Damage = []engine.Damage{{File: "1.sst", Span: keys.Span{From: []byte("o"), To: []byte("p")}}}
	})
	m := survey(t, Auto, fakes...)
	if got := rows(t, m); got != "n=new" || m.Known([]byte("o")) {
		t.Errorf("%q, known %v", got, m.Known([]byte("o")))
	}
}

// TestRemains has a range whose only replica is damaged where the log still
// reaches.
func TestRemains(t *testing.T) {
	delta := func(key string, live int64) wire.Message {
		k, v := int64(len(key))+1+stampBytes, int64(len(stored([]byte("v"))))
		return wire.Message{}.Sint(4, live*(k+v)).Sint(5, live).Sint(6, k).Sint(7, 1).Sint(8, v).Sint(9, 1)
	}
	put := func(key string) command {
		c := write(key, 1, "v")
		c.result = wire.Message{}.Bytes(18, delta(key, 1))
		return c
	}
	stats := func(keys ...string) (s raftlog.Stats) {
		for _, k := range keys {
			one, err := raftlog.ParseStats(delta(k, 1), true)
			if err != nil {
				t.Fatal(err)
			}
			s = s.Add(one)
		}
		return s
	}
	for _, c := range []struct {
		name  string
		stats raftlog.Stats
		base  []string // rows beside those of the log
		want  string
		whole bool
	}{
		{"everything is in the log", stats("b", "d"), nil, "b=v d=v e=v", true},
		{"what is left of old rows does not count then", stats("b", "d"), []string{"x"}, "b=v d=v e=v", true},
		{"the log and what is left are all", stats("a", "b", "d"), []string{"a"}, "a=v b=v d=v e=v", true},
		{"something is missing", stats("a", "b", "c", "d"), []string{"a"}, "a=v b=v d=v e=v", false},
	} {
		f := newFake(1)
		d := desc(1, 1, "", "", 1)
		f.replica(d, state{applied: 12, stats: c.stats})
		f.log(1, 11, 1, put("b"), put("d"))
		for _, k := range c.base {
			f.row(k, 1, "v")
		}
		f.log(1, 13, 1, put("e"))
		f.Damage = []engine.Damage{{File: "1.sst", Span: keys.Span{From: []byte("a"), To: []byte("z")}}}
		m := survey(t, Auto, f)
		if got := rows(t, m); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		proof, err := m.Prove(t.Context(), m.Ranges[0])
		if err != nil || proof.Whole != c.whole {
			t.Errorf("%s: %+v %v", c.name, proof, err)
		}
	}
}
