package main

import (
	"encoding/json"
	"net/mail"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"intouch/mailer"
	"intouch/store"
)

// TestOutbox walks the way of a mail that was refused and of a database that
// was restored, by the commands alone.
func TestOutbox(t *testing.T) {
	config := settings(t, "[company]\nname = \"V\"\n[smtp]\nurl = \"smtp+insecure://127.0.0.1:1\"\nfrom = \"a@vector.test\"\n")
	st, err := store.Open(t.Context(), store.Options{URL: "sqlite:" + filepath.Join(filepath.Dir(config), "intouch.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	for _, key := range []string{"one", "two"} {
		text, err := mailer.Compose(mailer.Message{From: mail.Address{Address: "intouch@vector.test"}, To: []mail.Address{{Address: "anna@vector.test"}}, Subject: "Monday " + key, Text: "All quiet.", MessageID: mailer.MessageID(key, "vector.test"), Date: st.Now()})
		if err != nil {
			t.Fatal(err)
		}
		if err := st.RecordRun(t.Context(), store.Run{Job: "digest", Slot: key, Started: st.Now()}, store.Mail{Key: key, MessageID: mailer.MessageID(key, "vector.test"), From: "intouch@vector.test", To: "anna@vector.test", Subject: "Monday " + key, Bytes: text}); err != nil {
			t.Fatal(err)
		}
	}
	mails, err := st.OutboxMails(t.Context(), "", 10)
	if err != nil || len(mails) != 2 {
		t.Fatalf("%d mails, %v", len(mails), err)
	}
	if err := st.MailFailed(t.Context(), mails[1].ID, "RCPT refused: 550 no such user"); err != nil {
		t.Fatal(err)
	}
	run := func(code int, says string, args ...string) output {
		t.Helper()
		got := command(t, "", append([]string{"--config", config}, args...)...)
		if got.code != code || !strings.Contains(got.stdout+got.stderr, says) {
			t.Fatalf("%v: %+v; want exit %d and %q", args, got, code, says)
		}
		return got
	}
	id := strconv.FormatInt(mails[1].ID, 10)
	run(exitDone, "550 no such user", "outbox", "list", "--state", "failed")
	if got := run(exitDone, "", "outbox", "show", id); !strings.HasPrefix(got.stdout, "Date: ") || !strings.Contains(got.stderr, "550 no such user") {
		t.Errorf("%+v", got)
	}
	run(exitUsage, "number of a mail", "outbox", "show", "first")
	run(exitFailed, "no mail 99", "outbox", "show", "99")
	run(exitUsage, "or --failed", "outbox", "retry")
	run(exitDone, "1 mails queued", "outbox", "retry", "--failed")
	run(exitFailed, "1 of the mails", "outbox", "drop", "99")
	run(exitDone, "not locked", "outbox", "arm")

	backup := filepath.Join(t.TempDir(), "monday.db")
	run(exitDone, "bytes", "backup", backup)
	run(exitFailed, "already exists", "backup", backup)
	run(exitFailed, "already exists", "restore", backup)
	run(exitDone, "2 mails dropped", "outbox", "drop", "--all")

	config = settings(t, "[company]\nname = \"V\"\n[smtp]\nurl = \"smtp+insecure://127.0.0.1:1\"\nfrom = \"a@vector.test\"\n")
	run(exitDone, "outbox arm", "restore", backup)
	run(exitFailed, "nothing is sent", "job", "outbox")
	var rows []outboxRow
	if got := run(exitDone, "restored from a backup", "outbox", "list", "--json"); json.Unmarshal([]byte(got.stdout), &rows) != nil || len(rows) != 2 || rows[0].State != "queued" || rows[0].Tries != 0 {
		t.Errorf("%+v", got)
	}
	run(exitDone, "Mails that wait: 2", "outbox", "arm")
	run(exitFailed, "connect", "job", "outbox") // nobody listens: but now it tries
	run(exitDone, "connection refused", "outbox", "list", "--state", "queued")
}
