package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
)

// logLines is a slog.Handler for people: "evac: warning: TEXT (key value)", a
// line a record. What happens to a run is told elsewhere, with its time.
type logLines struct {
	to   io.Writer
	with []slog.Attr
}

// Enabled leaves out what only a developer would read.
func (logLines) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

// Handle writes one record.
func (l logLines) Handle(_ context.Context, r slog.Record) error {
	attrs := slices.Clone(l.with)
	r.Attrs(func(a slog.Attr) bool {
		attrs = append(attrs, a)
		return true
	})
	details := make([]string, len(attrs))
	for i, a := range attrs {
		details[i] = a.Key + " " + a.Value.String()
	}
	tail := ""
	if len(details) > 0 {
		tail = " (" + strings.Join(details, ", ") + ")"
	}
	_, err := fmt.Fprintf(l.to, "evac: %s: %s%s\n", levelWord(r.Level), r.Message, tail)
	return err
}

// WithAttrs is of slog.Handler.
func (l logLines) WithAttrs(attrs []slog.Attr) slog.Handler {
	return logLines{l.to, slices.Concat(l.with, attrs)}
}

// WithGroup is of slog.Handler; groups are not shown.
func (l logLines) WithGroup(string) slog.Handler { return l }

func levelWord(level slog.Level) string {
	switch {
	case level >= slog.LevelError:
		return "error"
	case level >= slog.LevelWarn:
		return "warning"
	}
	return "note"
}
