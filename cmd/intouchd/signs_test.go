package main

import (
	"encoding/base64"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"intouch/store"
)

// invitationLetter is a letter with an invitation as Exchange mails it.
func invitationLetter(id, from, to, method, calendar string) []byte {
	text := "BEGIN:VCALENDAR\r\nMETHOD:" + method + "\r\nPRODID:Microsoft Exchange Server 2010\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:meeting-1@romashka.test\r\n" +
		strings.ReplaceAll(calendar, "\n", "\r\n") + "\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
	return fmt.Appendf(nil, "From: %s\r\nTo: %s\r\nSubject: Meeting\r\nDate: %s\r\nMessage-ID: <%s@romashka.test>\r\nMIME-Version: 1.0\r\n"+
		"Content-Type: multipart/alternative; boundary=\"a\"\r\n\r\n--a\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nLet us meet.\r\n"+
		"--a\r\nContent-Type: text/calendar; charset=\"utf-8\"; method=%s\r\nContent-Transfer-Encoding: base64\r\n\r\n%s\r\n--a--\r\n",
		from, to, time.Now().Format(time.RFC1123Z), id, method, base64.StdEncoding.EncodeToString([]byte(text)))
}

// simpleLetter is a letter with a body and, before it, more header fields.
func simpleLetter(id, from, to, subject, more, body string) []byte {
	return fmt.Appendf(nil, "From: %s\r\nTo: %s\r\nSubject: %s\r\nDate: %s\r\nMessage-ID: <%s>\r\nMIME-Version: 1.0\r\n%s\r\n%s\r\n",
		from, to, subject, time.Now().Format(time.RFC1123Z), id, strings.ReplaceAll(more, "\n", "\r\n"), strings.ReplaceAll(body, "\n", "\r\n"))
}

// TestSync_Signs follows what letters say beside their text through an IMAP
// server into the database: an invitation, its update and its cancellation, an
// answer, a bounce, an auto-reply, a deal's number.
func TestSync_Signs(t *testing.T) {
	dir := t.TempDir()
	po, err := openPostOffice(dir, map[string][]string{"anna": {"anna@vector.test"}, "boris": {"boris@vector.test"}}, "secret-1", "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer po.Close()
	var boxes strings.Builder
	for _, who := range []string{"anna", "boris"} {
		fmt.Fprintf(&boxes, "[[manager]]\nlogin = \"%s\"\nname = \"%s\"\nemail = \"%s@vector.test\"\n", who, who, who)
		fmt.Fprintf(&boxes, "[[mailbox]]\nname = \"%s\"\nmanager = \"%s\"\nimap = \"imap+insecure://%s\"\nusername = \"%s\"\npassword = \"secret-1\"\nfolders = [\"INBOX\", \"Sent\"]\n", who, who, po.imapAddr, who)
	}
	config := write(t, dir, "config.toml", fmt.Sprintf("[company]\ndomains = [\"vector.test\"]\n[store]\nurl = \"sqlite:%s\"\n%s", filepath.Join(dir, "t.db"), boxes.String()))
	for kind, text := range map[string]string{
		"1 clients": "id,name,manager,domains\nc1,Romashka,anna,romashka.test\n",
		"2 persons": "id,client,name,emails\np1,c1,Olga,olga@romashka.test\np2,c1,Petr,petr@romashka.test\n",
		"3 deals":   "id,number,date,client,amount\nd1,0000-001045,2026-11-01,c1,100\n",
	} {
		write(t, dir, kind+".csv", text)
	}
	for _, kind := range []string{"clients", "persons", "deals"} {
		found, _ := filepath.Glob(filepath.Join(dir, "* "+kind+".csv"))
		if got := command(t, "", "--config", config, "import", kind, found[0]); got.code != exitDone {
			t.Fatalf("import %s: %+v", kind, got)
		}
	}
	put := func(login, folder string, letter []byte) {
		t.Helper()
		if err := po.Put(login, folder, letter); err != nil {
			t.Fatal(err)
		}
	}
	// look reads the mailboxes and gives the meetings, the letter of the offer,
	// and the persons.
	look := func() (meetings []store.Exported, offer store.Exported, persons []store.PersonRow) {
		t.Helper()
		if got := command(t, "", "--config", config, "sync"); got.code != exitDone {
			t.Fatalf("sync: %+v", got)
		}
		cfg, err := LoadConfig(config)
		if err != nil {
			t.Fatal(err)
		}
		st, err := openStore(t.Context(), cfg, discard())
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		err = st.EachContact(t.Context(), func(c *store.Exported) error {
			if c.Kind == store.Meeting {
				meetings = append(meetings, *c)
			}
			if c.MessageKey == "offer-1@vector.test" {
				offer = *c
			}
			return nil
		})
		if err == nil {
			err = st.EachPerson(t.Context(), func(p *store.PersonRow) error {
				persons = append(persons, *p)
				return nil
			})
		}
		if err != nil {
			t.Fatal(err)
		}
		return meetings, offer, persons
	}

	const petr, both = "Petr <petr@romashka.test>", "anna@vector.test, boris@vector.test"
	const organizer = "\nORGANIZER:mailto:petr@romashka.test\nATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:anna@vector.test\nSUMMARY:Delivery"
	request := invitationLetter("i0", petr, both, "REQUEST", "DTSTART;TZID=Russian Standard Time:20990105T150000\nDTEND;TZID=Russian Standard Time:20990105T160000\nDTSTAMP:20261125T100000Z\nSEQUENCE:0"+organizer)
	put("anna", "INBOX", request)
	put("boris", "INBOX", request)
	put("anna", "Sent", simpleLetter("offer-1@vector.test", "anna@vector.test", "olga@romashka.test", "Offer for order 1045", "Content-Type: text/plain\n", "Hello."))
	put("anna", "INBOX", simpleLetter("ndr@mx.vector.example.com", "MAILER-DAEMON@mx.vector.example.com", "anna@vector.test", "Undelivered Mail Returned to Sender",
		"Content-Type: multipart/report; report-type=delivery-status; boundary=b\n",
		"--b\nContent-Type: text/plain\n\nSorry.\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx\n\nFinal-Recipient: rfc822; olga@romashka.test\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 unknown\n"+
			"--b\nContent-Type: message/rfc822\n\nFrom: anna@vector.test\nTo: olga@romashka.test\nMessage-ID: <offer-1@vector.test>\nContent-Type: text/plain\n\nHello.\n--b--\n"))
	until := store.DateOf(time.Now().AddDate(0, 0, 10), time.UTC)
	put("anna", "INBOX", simpleLetter("away@romashka.test", petr, "anna@vector.test", "Automatic reply: Offer", "Auto-Submitted: auto-replied\nContent-Type: text/plain\n",
		"I am on vacation until "+until.In(time.UTC).Format("2 January 2006")+"."))

	meetings, offer, persons := look()
	if len(meetings) != 1 {
		t.Fatalf("%d meetings", len(meetings))
	}
	m := meetings[0]
	if m.State != store.Planned || m.Subject != "Delivery" || m.ClientExternalID != "c1" || strings.Join(m.ManagerLogins, " ") != "anna boris" ||
		m.When.Start.Format(time.RFC3339) != "2099-01-05T12:00:00Z" || m.Minutes != 60 {
		t.Errorf("the meeting: %+v", m)
	}
	if offer.DealNumber != "0000-001045" || len(offer.Signs) != 1 || offer.Signs[0].Kind != store.SignBounced || offer.Signs[0].Who != "olga@romashka.test" {
		t.Errorf("the offer: deal %q, %+v", offer.DealNumber, offer.Signs)
	}
	if len(persons) != 2 || len(persons[0].Bounced) != 1 || persons[1].Away != until {
		t.Errorf("persons: %+v", persons)
	}

	update := invitationLetter("i1", petr, both, "REQUEST", "DTSTART:20990106T090000Z\nDTEND:20990106T100000Z\nDTSTAMP:20261126T100000Z\nSEQUENCE:1"+organizer)
	put("boris", "INBOX", update)
	put("anna", "INBOX", update)
	put("anna", "Sent", invitationLetter("r1", "anna@vector.test", petr, "REPLY", "DTSTART:20990106T090000Z\nDTSTAMP:20261126T110000Z\nSEQUENCE:1\nATTENDEE;PARTSTAT=ACCEPTED:mailto:anna@vector.test"))
	meetings, _, _ = look()
	if m = meetings[0]; len(meetings) != 1 || m.State != store.Planned || m.When.Start.Format(time.RFC3339) != "2099-01-06T09:00:00Z" ||
		len(m.Signs) != 1 || m.Signs[0].Kind != store.SignAccepted || m.Signs[0].Who != "anna@vector.test" {
		t.Errorf("moved and accepted: %d, %+v", len(meetings), m)
	}

	put("boris", "INBOX", invitationLetter("i2", petr, both, "CANCEL", "DTSTART:20990106T090000Z\nDTSTAMP:20261127T100000Z\nSEQUENCE:2\nSTATUS:CANCELLED"+organizer))
	meetings, _, _ = look()
	if len(meetings) != 1 || meetings[0].State != store.Cancelled {
		t.Errorf("cancelled: %d, %+v", len(meetings), meetings[0])
	}
	if got := exported(t, config, "persons"); fmt.Sprint(got[0]["bounced"]) != "[olga@romashka.test]" || got[1]["away_until"] != string(until) {
		t.Errorf("exported persons: %v", got)
	}
}
