package mailsync

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"

	"intouch/store"
)

// The audit names each letter that is missing, whatever made it so, and
// repairs it.
func TestSyncer_Audit(t *testing.T) {
	srv := newMemServer(t, nil)
	u := srv.addUser(t, "anna", "INBOX", "Sent")
	for i := range 300 {
		deliver(t, u, "INBOX", plainLetter(i, bob, anna, fmt.Sprint("s", i), "x"), letterDay)
	}
	deliver(t, u, "INBOX", plainLetter(400, "who@far.test", anna, "unknown", "x"), letterDay)
	old := deliver(t, u, "INBOX", plainLetter(401, bob, anna, "old", "x"), letterDay.AddDate(-2, 0, 0))
	deliver(t, u, "Sent", plainLetter(402, anna, bob, "sent", "x"), letterDay)
	file := filepath.Join(t.TempDir(), "test.db")
	st := newStoreAt(t, file)
	cfg := boxConfig(srv.Addr, "anna")
	cfg.Manager, cfg.Since = "anna", letterDay.AddDate(-1, 0, 0)
	onePass(t, st, cfg)
	audit := func(repair bool) []Audit {
		t.Helper()
		all, err := New(st, []Config{cfg}, testOptions(t)).Audit(t.Context(), "", repair)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	all := audit(false)
	if len(all) != 2 {
		t.Fatalf("%+v", all)
	}
	if a := all[0]; a.Folder != "INBOX" || a.Letters != 302 || a.Captured != 300 || a.Skipped[store.Unknown] != 1 || a.Older != 1 || len(a.Missing) != 0 || a.Err != nil {
		t.Errorf("%+v", a)
	}
	if a := all[1]; a.Folder != "Sent" || a.Letters != 1 || a.Captured != 1 || len(a.Missing) != 0 {
		t.Errorf("%+v", a)
	}
	// Somebody's hand in the database: outcomes and a contact are gone.
	db, err := sql.Open("sqlite", "file:"+file)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{`DELETE FROM letters WHERE uid IN (1, 2, 77, 300) AND folder_id = (SELECT id FROM folders WHERE name = 'INBOX')`,
		`DELETE FROM contact_managers WHERE contact_id IN (SELECT id FROM contacts WHERE subject = 's9')`, `DELETE FROM contacts WHERE subject = 's9'`} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	db.Close()
	a := audit(false)[0]
	var uids []uint32
	for _, l := range a.Missing {
		uids = append(uids, l.UID)
		if l.Lost != (l.UID == 10) || l.MessageID == "" || l.Date.IsZero() {
			t.Errorf("%+v", l)
		}
	}
	if fmt.Sprint(uids) != "[1 2 10 77 300]" || a.Captured != 295 || old == 0 {
		t.Errorf("missing %v, %+v", uids, a)
	}
	if a := audit(true)[0]; a.Repaired != 5 || len(a.Missing) != 0 || a.Captured != 300 || a.Err != nil {
		t.Errorf("repaired: %+v", a)
	}
	if n := len(contacts(t, st)); n != 301 {
		t.Errorf("%d contacts, want 301", n)
	}
	// A mailbox that cannot be read is told.
	cfg.Username = "nobody"
	if all := audit(true); len(all) != 1 || all[0].Err == nil {
		t.Errorf("%+v", all)
	}
}
