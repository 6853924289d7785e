package main

import (
	"strings"
	"syscall"
	"testing"
)

func TestCheckDescriptors(t *testing.T) {
	few := &Config{Mailboxes: []MailboxConfig{{}, {Folders: []string{"INBOX"}}, {Folders: []string{"a", "b", "c", "d", "e", "f"}, Include: []string{"g"}}}}
	if got, want := descriptorsWanted(few), spareDescriptors+2+2+5; got != want {
		t.Errorf("%d, want %d", got, want)
	}
	var have syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &have); err != nil {
		t.Fatal(err)
	}
	if have.Cur > 4<<20 {
		have.Cur = 4 << 20 // what the machine has no memory for is not tried
	} else if err := checkDescriptors(&Config{Mailboxes: make([]MailboxConfig, have.Cur/2)}); err == nil || !strings.Contains(err.Error(), "LimitNOFILE") {
		t.Errorf("%d mailboxes, %d descriptors: %v", have.Cur/2, have.Cur, err)
	}
	if have.Cur > spareDescriptors+10 {
		if err := checkDescriptors(few); err != nil {
			t.Error(err)
		}
	}
}
