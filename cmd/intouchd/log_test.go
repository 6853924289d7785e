package main

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestLog_parts: each part has its level, which changes while it is used.
func TestLog_parts(t *testing.T) {
	var out bytes.Buffer
	levels := &logLevels{}
	levels.set(Log{Level: slog.LevelInfo, Parts: map[string]slog.Level{"mail": slog.LevelDebug, "jobs": slog.LevelError}})
	log := newLogAt(levels, "text", &out)
	mail, jobs, pages := log.With("part", "mail").With("mailbox", "anna"), log.With("part", "jobs"), log.With("part", "pages")
	say := func() string {
		out.Reset()
		for _, l := range []*slog.Logger{mail, jobs, pages, log} {
			l.Debug("looked")
			l.Info("did")
			l.Error("failed", "err", errors.New("no room"))
		}
		return out.String()
	}
	said := say()
	if n := strings.Count(said, "msg=looked"); n != 1 || !strings.Contains(said, "msg=looked part=mail mailbox=anna") {
		t.Errorf("debug of one part:\n%s", said)
	}
	if n := strings.Count(said, "msg=did"); n != 3 || strings.Contains(said, "msg=did part=jobs") {
		t.Errorf("info of all but one:\n%s", said)
	}
	levels.set(Log{Level: slog.LevelError})
	if said = say(); strings.Count(said, "\n") != 4 || strings.Count(said, "msg=failed") != 4 {
		t.Errorf("errors only:\n%s", said)
	}
}

// TestLog_flood: of a fault that comes with every request some lines are
// written, and the next tells how many were not; other faults are still told.
func TestLog_flood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := newLog(Log{}, &out)
		for range 10_000 {
			log.Error("calendar request failed")
		}
		log.Warn("disk nearly full")
		if n := strings.Count(out.String(), "\n"); n != sameLines+1 || !strings.Contains(out.String(), "nearly full") {
			t.Errorf("%d lines:\n%s", n, out.String())
		}
		time.Sleep(sameTime)
		out.Reset()
		log.Error("calendar request failed")
		if want := "like_it_left_out=9980"; !strings.Contains(out.String(), want) {
			t.Errorf("%s, want %s", out.String(), want)
		}
	})
}
