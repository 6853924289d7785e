package main

import (
	"io"
	"log/slog"
)

// newLog is the operator's log. Its lines are constant English sentences with
// snake_case keys.
func newLog(l Log, w io.Writer) *slog.Logger { return newLogAt(l.Level, l.Format, w) }

// newLogAt is one whose level may change while it is used.
func newLogAt(level slog.Leveler, format string, w io.Writer) *slog.Logger {
	opt := &slog.HandlerOptions{Level: level}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, opt))
	}
	return slog.New(slog.NewTextHandler(w, opt))
}
