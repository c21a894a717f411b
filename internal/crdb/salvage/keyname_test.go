package salvage

import (
	"testing"

	"github.com/evac-io/evac/internal/crdb/keys"
)

// TestKeyNames shows keys of a real cluster to people.
func TestKeyNames(t *testing.T) {
	c, err := Open(t.Context(), fixture(t, "tiny")[:1], Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	journal := c.Catalog.Table(1, 67)
	primary := keys.IndexPrefix(1, 67, 1)
	user := []byte("\x12\x88\x14\x4c\xa4\xb0\x4e\x12\xea\x58\x9e\x98\x39\xdd\x97\x14\x24\x00\x01")
	row := append(append([]byte{}, primary...), user...)
	if journal == nil || FullName(journal) != "kingdom.public.user_journal" {
		t.Fatalf("table 67 is %+v", journal)
	}
	only := func(k []byte) keys.Span { return keys.Span{From: k, To: append(append([]byte{}, k...), 0)} }
	for _, one := range []struct {
		span keys.Span
		want string
	}{
		{keys.Span{}, "of any table"},
		{keys.PrefixSpan(primary), "of all of kingdom.public.user_journal@primary"},
		{keys.PrefixSpan(row), "of all of kingdom.public.user_journal@primary (user_id=88144ca4-b04e-12ea-589e-9839dd971424)"},
		{only(append(row, 0x8c, 0x88)), "of kingdom.public.user_journal@primary (user_id=88144ca4-b04e-12ea-589e-9839dd971424, seq=4)"},
		{keys.Span{From: row, To: append(append([]byte{}, primary...), 0x12, 0xdd)}, "from kingdom.public.user_journal@primary (user_id=88144ca4-b04e-12ea-589e-9839dd971424) up to kingdom.public.user_journal@primary (user_id=…12dd)"},
		{keys.Span{From: keys.IndexPrefix(1, 67, 99)}, "from kingdom.public.user_journal@(index 99) on"},
		{only(keys.LogKey(nil, 4, 7)), "of range 4's own state (rftl)"},
		{only([]byte("\xf7\x77\x77\x01")), "of key f7777701 of (table 30583, unknown)"},
		{only([]byte("\x04tsd")), "of the cluster's own key 04747364"},
	} {
		if got := c.spanName(one.span); got != one.want {
			t.Errorf("%s is %q, want %q", one.span, got, one.want)
		}
	}
}
