package main

import (
	"io"
	"log/slog"
)

// newLog is the operator's log. Its lines are constant English sentences with
// snake_case keys.
func newLog(l Log, w io.Writer) *slog.Logger {
	opt := &slog.HandlerOptions{Level: l.Level}
	if l.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, opt))
	}
	return slog.New(slog.NewTextHandler(w, opt))
}
