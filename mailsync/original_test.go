package mailsync

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"intouch/mailsync/mailtest"
	"intouch/store"
)

const pixel = "GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"

// htmlLetter has both forms of its text, a picture, and a file that calls
// itself one.
func htmlLetter() string {
	return strings.NewReplacer("\n", "\r\n").Replace(fmt.Sprintf(`From: bob@acme.test
To: anna@vector.test
Subject: offer
Message-ID: <html@letters.test>
Date: Fri, 20 Nov 2026 09:00:00 +0000
MIME-Version: 1.0
Content-Type: multipart/related; boundary=R

--R
Content-Type: multipart/alternative; boundary=A

--A
Content-Type: text/plain; charset=utf-8

in words
--A
Content-Type: text/html; charset=windows-1251
Content-Transfer-Encoding: quoted-printable

<p>=CF=F0=E8=E2=E5=F2 <img src=3D"cid:logo@acme.test"></p>
--A--
--R
Content-Type: image/gif
Content-ID: <logo@acme.test>
Content-Transfer-Encoding: base64

%s
--R
Content-Type: image/png
Content-ID: <fake@acme.test>

<script>alert(1)</script>
--R--
`, base64.StdEncoding.EncodeToString([]byte(pixel))))
}

func TestOriginal(t *testing.T) {
	srv := newMemServer(t, nil)
	srv.addUser(t, "anna", "INBOX", "Sent")
	testOriginal(t, boxConfig(srv.Addr, "anna"))
}

func TestDovecot_Original(t *testing.T) {
	testOriginal(t, dovecotConfig(mailtest.StartDovecot(t), "anna"))
}

func testOriginal(t *testing.T, cfg Config) {
	put := func(raw string) {
		t.Helper()
		s := login(t, cfg, patience{dial: dialTime, silence: dialTime, answer: dialTime})
		cmd := s.client.Append("INBOX", int64(len(raw)), &imap.AppendOptions{Time: letterDay})
		appendAll(t, cmd, raw)
	}
	put(htmlLetter())
	put(plainLetter(2, bob, "anna@vector.test", "plain", "a < b"))
	st := newStore(t)
	cfg.Manager = "anna"
	onePass(t, st, cfg)
	anna, err := st.ManagerByLogin(t.Context(), "anna")
	if err != nil {
		t.Fatal(err)
	}
	boris, err := st.ManagerByLogin(t.Context(), "boris")
	if err != nil {
		t.Fatal(err)
	}
	letters := contacts(t, st)
	if len(letters) != 2 {
		t.Fatalf("%d contacts", len(letters))
	}
	sy := New(st, []Config{cfg}, testOptions(t))
	for _, c := range letters {
		places, err := st.LetterPlaces(t.Context(), anna, c.ID)
		if err != nil || len(places) != 1 {
			t.Fatalf("%+v %v", places, err)
		}
		if _, err := st.LetterPlaces(t.Context(), boris, c.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("another manager learns where a letter lies: %v", err)
		}
		got, err := sy.Original(t.Context(), places)
		if err != nil {
			t.Fatal(err)
		}
		html, pictures := "<pre>a &lt; b\n</pre>", 0
		if c.Subject == "offer" {
			html, pictures = `<p>Привет <img src="cid:logo@acme.test"></p>`, 1
		}
		if strings.TrimSpace(got.HTML) != html || len(got.Pictures) != pictures || pictures > 0 && string(got.Pictures["logo@acme.test"]) != pixel {
			t.Errorf("%q, %d pictures", got.HTML, len(got.Pictures))
		}

		renumbered := places[0]
		renumbered.UIDValidity, renumbered.UID = renumbered.UIDValidity+1, 77
		if again, err := sy.Original(t.Context(), []store.LetterPlace{renumbered}); err != nil || again.HTML != got.HTML {
			t.Errorf("in a folder that was numbered anew: %v", err)
		}
		for name, p := range map[string]store.LetterPlace{
			"a folder that is gone": {Mailbox: "anna", Folder: "Nowhere", UIDValidity: 1, UID: 1},
			"a letter that is gone": {Mailbox: "anna", Folder: "INBOX", UIDValidity: places[0].UIDValidity, UID: 4711},
			"another Message-ID":    {Mailbox: "anna", Folder: "INBOX", UIDValidity: places[0].UIDValidity + 1, UID: places[0].UID, MessageID: "<gone@letters.test>"},
			"another's mailbox":     {Mailbox: "clara", Folder: "INBOX", UIDValidity: 1, UID: 1},
		} {
			if _, err := sy.Original(t.Context(), []store.LetterPlace{p}); !errors.Is(err, store.ErrNoOriginal) {
				t.Errorf("%s: %v", name, err)
			}
			if again, err := sy.Original(t.Context(), []store.LetterPlace{p, places[0]}); err != nil || again.HTML != got.HTML {
				t.Errorf("%s first, then where it is: %v", name, err)
			}
		}
		reserved := cfg
		reserved.SubjectOnly = true
		if _, err := New(st, []Config{reserved}, testOptions(t)).Original(t.Context(), places); !errors.Is(err, store.ErrNoOriginal) {
			t.Errorf("a text of a mailbox whose texts are never fetched: %v", err)
		}
	}
	away := cfg
	away.Addr = "127.0.0.1:1"
	places, err := st.LetterPlaces(t.Context(), anna, letters[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(st, []Config{away}, testOptions(t)).Original(t.Context(), places); err == nil || errors.Is(err, store.ErrNoOriginal) {
		t.Errorf("a server that does not answer: %v", err)
	}
}

func appendAll(t *testing.T, cmd *imapclient.AppendCommand, raw string) {
	t.Helper()
	_, err := cmd.Write([]byte(raw))
	if err := errors.Join(err, cmd.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
}
