package mailsync

import (
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"intouch/mailsync/mailtest"
	"intouch/store"
)

// A keyword that is set on a letter long after it was filed takes it back, or
// closes its thread, and undone it comes again: with CONDSTORE (Dovecot) and
// without (in memory).
func TestSyncer_Pass_KeywordsSetLater(t *testing.T) {
	servers := map[string]func(t *testing.T) string{
		"in memory": func(t *testing.T) string {
			srv := newMemServer(t, nil)
			srv.addUser(t, "anna", "INBOX", "Sent")
			return srv.Addr
		},
		"Dovecot": func(t *testing.T) string { return mailtest.StartDovecot(t).Addr },
	}
	for name, start := range servers {
		t.Run(name, func(t *testing.T) {
			cfg := boxConfig(start(t), "anna")
			cfg.Manager, cfg.Folders = "anna", []string{"INBOX"}
			other := login(t, cfg, patience{dial: time.Minute, silence: time.Minute, answer: time.Minute})
			for i, subject := range []string{"first", "second", "third"} {
				raw := plainLetter(i+1, bob, anna, subject, "text of "+subject)
				cmd := other.client.Append("INBOX", int64(len(raw)), &imap.AppendOptions{Time: letterDay})
				if _, err := cmd.Write([]byte(raw)); err != nil {
					t.Fatal(err)
				}
				if err := cmd.Close(); err != nil {
					t.Fatal(err)
				}
				if _, err := cmd.Wait(); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := other.client.Select("INBOX", nil).Wait(); err != nil {
				t.Fatal(err)
			}
			flag := func(uid uint32, op imap.StoreFlagsOp, k imap.Flag) {
				t.Helper()
				if err := other.client.Store(uidSet([]uint32{uid}), &imap.StoreFlags{Op: op, Silent: true, Flags: []imap.Flag{k}}, nil).Close(); err != nil {
					t.Fatal(err)
				}
			}
			st := newStore(t)
			onePass(t, st, cfg)
			states := func() map[string]store.Exported {
				all := map[string]store.Exported{}
				for _, c := range contacts(t, st) {
					all[c.Subject] = c
				}
				return all
			}
			if got := states(); len(got) != 3 || got["second"].State != store.Done || got["third"].Private {
				t.Fatalf("%+v", got)
			}
			flag(2, imap.StoreFlagsAdd, excludingKeyword)
			flag(3, imap.StoreFlagsAdd, privateKeyword)
			flag(1, imap.StoreFlagsAdd, imap.FlagSeen) // says nothing to us
			onePass(t, st, cfg)
			got := states()
			if got["first"].State != store.Done || got["second"].State != store.Cancelled || !got["third"].Private {
				t.Errorf("with the keywords: %+v", got)
			}
			for _, l := range letters(t, st) {
				if want := map[bool]store.Reason{true: store.Blocked}[l.UID == 2]; l.Reason != want {
					t.Errorf("letter %d: %s %s", l.UID, l.Outcome, l.Reason)
				}
			}
			onePass(t, st, cfg)
			flag(2, imap.StoreFlagsDel, excludingKeyword)
			c := onePass(t, st, cfg)
			if got := states(); got["second"].State != store.Done || got["second"].Body != "text of second" || len(got) != 3 || c.Recalled != 1 {
				t.Errorf("without it again: %+v, %+v", got["second"], c)
			}
		})
	}
}
