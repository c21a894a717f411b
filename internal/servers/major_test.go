package servers

import (
	"log/slog"
	"strings"
	"testing"
)

func TestMajorName(t *testing.T) {
	for _, c := range []struct {
		major   int
		version string
		want    string
	}{
		{9, "9.4.4", "9.4"}, {9, "9.6.24", "9.6"}, {10, "10.23", "10"}, {17, "17.5", "17"}, {18, "18beta2", "18"},
	} {
		if got := (Install{Major: c.major, Version: c.version}).MajorName(); got != c.want {
			t.Errorf("%s is named %q, want %q", c.version, got, c.want)
		}
	}
}

func TestMajorRefuses(t *testing.T) {
	for _, major := range []string{"9.3", "9", "99", "newest", ""} {
		_, err := Major(t.Context(), t.TempDir(), major, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), "is offered") {
			t.Errorf("%q: %v", major, err)
		}
	}
}
