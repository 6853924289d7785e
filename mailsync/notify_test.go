package mailsync

import (
	"slices"
	"testing"
)

func TestEncodeName(t *testing.T) {
	for name, want := range map[string]string{
		"INBOX": "INBOX", "Sent & more": "Sent &- more", "Отправленные": "&BB4EQgQ,BEAEMAQyBDsENQQ9BD0ESwQ1-",
		"~peter/mail/台北/日本語": "~peter/mail/&U,BTFw-/&ZeVnLIqe-", // RFC 3501 section 5.1.3
		"a\tb":               "a&AAk-b", "😀": "&2D3eAA-",
	} {
		if got := encodeName(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestStatusWatch(t *testing.T) {
	rings := 0
	w := &statusWatch{}
	c := &boundedConn{status: w}
	c.maxLine.Store(maxLine)
	check := func(stream string, want ...string) {
		t.Helper()
		rings = 0
		for _, b := range []byte(stream) { // however it is cut
			if err := c.scan([]byte{b}); err != nil {
				t.Fatal(err)
			}
		}
		if got := w.take(); !slices.Equal(got, want) || (rings == 0) != (len(want) == 0) {
			t.Errorf("%q: %v in %d rings, want %v", stream, got, rings, want)
		}
	}
	check("* STATUS Sent (MESSAGES 1)\r\n") // nobody watches yet
	w.watch([]string{"INBOX", "Sent", "Отпр", "a b"}, func() { rings++ })
	check("* STATUS Sent (MESSAGES 1 UIDNEXT 2)\r\n", "Sent")
	check("* status \"Sent\" (MESSAGES 1)\r\n* STATUS \"a b\" (MESSAGES 1)\r\n", "Sent", "a b")
	check("* STATUS "+encodeName("Отпр")+" (UIDNEXT 1)\r\n", "Отпр")
	check("* STATUS {4}\r\nSent (MESSAGES 1)\r\n", "INBOX", "Sent", "a b", "Отпр")
	check("* 5 FETCH (BODY[] {25}\r\n\r\n* STATUS Sent (x 1)\r\n.. X)\r\n* 7 EXISTS\r\n")
	check("* LIST () \".\" Sent\r\n* STATUSES Sent (\r\n")
}
