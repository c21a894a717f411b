package pg

import (
	_ "embed"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/secret"
)

// oldContrib and oldEverything make, one after the other, every kind of object
// that a server has had since 9.4, with extensions of contrib first.
var (
	//go:embed testdata/old_contrib.sql
	oldContrib string
	//go:embed testdata/old.sql
	oldEverything string
)

// moveOld freezes the source, copies it, verifies that, has psql say the same,
// and takes it all back.
func moveOld(t *testing.T, from, to secret.DSN) CopyResult {
	empty := append(dumped(t, to), oldFingerprint(t, to)...)
	z := &frozen{dsn: from}
	if _, err := z.freeze(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	tr := newTripOn(t, from, to, "")
	if _, err := CheckCopy(t.Context(), tr.CopyOptions); err != nil {
		t.Error(err)
	}
	result := tr.copy(t)
	if len(result.Warnings) > 0 || result.Rows < 8_000 || result.LargeObjects != 32 {
		t.Errorf("result is %+v", result)
	}
	got := headcount(t, from, to, enough)
	for _, d := range got.Differences[:min(len(got.Differences), 10)] {
		t.Error(d)
	}
	if !got.Equal() || got.Data.Rows < 8_000 || got.Objects.Rows < 100 {
		t.Errorf("headcount: data %+v, objects %+v", got.Data, got.Objects)
	}
	if err := VerifyCopy(t.Context(), from, to, 2, Selection{}); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(oldFingerprint(t, from), oldFingerprint(t, to)); diff != "" {
		t.Errorf("source (-) and target (+):\n%s", diff)
	}
	tr.saved.Left = nil // what comes back at once, as the target is unwritten; on a server before 10 to know takes 11 s
	tr.undo(t)
	if diff := cmp.Diff(empty, append(dumped(t, to), oldFingerprint(t, to)...)); diff != "" {
		t.Errorf("undo left another target:\n%s", diff)
	}
	if err := z.unfreeze(t.Context()); err != nil {
		t.Fatal(err)
	}
	once(t, from, "insert into app.no_key values (-1)")
	return result
}

func oldFingerprint(t *testing.T, dsn secret.DSN) []string {
	t.Helper()
	return strings.Split(psql(t, dsn, "--file=testdata/old_fingerprint.sql"), "\n")
}
