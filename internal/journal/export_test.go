package journal_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/journal"
)

// TestExport checks each line by itself, with nothing but the formula of the
// package comment.
func TestExport(t *testing.T) {
	j := open(t, home(t), journal.Options{})
	run, l := begin(t, j, 2)
	hard := "\",\"prev\":\"x\" <&> \u2028 한글 \x01 \\ \n"
	add(t, l, journal.NewEvent(journal.RunNote, hard, hard, 3, journal.NoteBody{Text: hard}),
		journal.Event{Type: "room.opened", Actor: "kim", Body: []byte(`{ "text" : "<b> \u003c" , "n" : 1.50 }`)},
		journal.Event{Type: journal.RunNote, Actor: "kim"})
	var out bytes.Buffer
	if err := j.Export(t.Context(), run, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), `"body":{"text":"<b> \u003c","n":1.50},`) {
		t.Errorf("a body is not as it was written:\n%s", out.String())
	}
	events, err := j.Events(t.Context(), run, 0)
	if err != nil {
		t.Fatal(err)
	}
	prev, n := "", 0
	for line := range strings.Lines(out.String()) {
		var e journal.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if diff := cmp.Diff(events[n], e); diff != "" {
			t.Errorf("event %d: journal -, line +:\n%s", n+1, diff)
		}
		if got := rehash(t, line); got != e.Hash || e.Prev != prev {
			t.Errorf("event %d: the line gives hash %s, want %s", e.Seq, got, e.Hash)
		}
		prev = e.Hash
		n++
	}
	if n != len(events) {
		t.Errorf("%d lines for %d events", n, len(events))
	}
}

// rehash shares no code with the journal.
func rehash(t *testing.T, line string) string {
	t.Helper()
	var f map[string]any
	decoder := json.NewDecoder(strings.NewReader(line))
	decoder.UseNumber()
	if err := decoder.Decode(&f); err != nil {
		t.Fatal(err)
	}
	if f["attempt"] == nil {
		f["attempt"] = 0
	}
	f["body"] = nil
	if _, after, ok := strings.Cut(line, `,"body":`); ok {
		f["body"] = after[:strings.LastIndex(after, `,"prev":`)]
	}
	h := sha256.New()
	for _, name := range []string{"prev", "run", "seq", "at", "epoch", "actor", "type", "step", "attempt", "body"} {
		text := ""
		if f[name] != nil {
			text = fmt.Sprint(f[name])
		}
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(text))))
		h.Write([]byte(text))
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// TestExportAltered: a body that cannot stand in a line is not passed on.
func TestExportAltered(t *testing.T) {
	o := makeOriginal(t)
	j := open(t, o.copy(t, "UPDATE events SET body = '{' WHERE seq = 3"), journal.Options{})
	refused(t, j.Export(t.Context(), o.run, &bytes.Buffer{}), fault.Different, "event 3 is not one line of JSON", "evac journal verify")
}
