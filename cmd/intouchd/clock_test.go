package main

import (
	"fmt"
	"io"
	"testing"
	"time"

	"intouch/store/storetest"
)

// Daemons on one PostgreSQL go by its clock, whatever their host's shows.
func TestOpenStore_wrongClock(t *testing.T) {
	cfg, err := LoadConfig(settings(t, fmt.Sprintf("[store]\nurl = %q\n", storetest.PostgresURL(t))))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { hostClock = nil }()
	hostClock = func() time.Time { return time.Now().Add(time.Hour) }
	st, err := openStore(t.Context(), cfg, newLog(cfg.Log, io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if d := time.Since(st.Now()).Abs(); d > 10*time.Minute {
		t.Errorf("its time is wrong by %v", d)
	}
}
