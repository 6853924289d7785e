package store_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"intouch/store"
)

// Fekla is who is erased in these tests, and by which words she is known.
const (
	fekla        = "Фёкла Жужелицына"
	feklaAddress = "fekla@romashka.test"
	feklaPhone   = "+7 916 555-33-10"
)

var feklaWords = []string{"жужелиц", "fekla@", "fekla%40", "9165553310", "555-33-10", "сургуч"}

func feklaRow(client string) store.PersonRow {
	return store.PersonRow{ID: "p9", Client: client, Name: fekla, Emails: []string{feklaAddress}, Phones: []string{feklaPhone}}
}

func english(n int64) string { return store.ErasedAs(store.English, n) }

func (h *house) erase(who string) store.Erasure {
	h.t.Helper()
	e, err := h.Erase(ctx, store.Actor{ManagerID: h.boris.ID, Origin: store.FromWeb}, who, english)
	h.must(err)
	return e
}

// gone fails where something of her is left.
func (h *house) gone(when string) {
	h.t.Helper()
	where, err := h.Holding(ctx, append(feklaWords, "erasing")...)
	where = slices.DeleteFunc(where, func(w string) bool { return strings.HasSuffix(w, ".external_id") && w != "persons.external_id" })
	if err != nil || len(where) > 0 {
		h.t.Errorf("%s: still in %q, %v", when, where, err)
	}
}

// feklaWrites is a letter of hers to anna.
func (h *house) feklaWrites(uid uint32, key string, clients ...string) store.FiledLetter {
	l := h.letter(uid, key)
	l.Clients = nil
	for _, c := range clients {
		l.Clients = append(l.Clients, h.clients[c])
	}
	l.FromAddress, l.FromName, l.Addresses, l.Names = feklaAddress, fekla, []string{feklaAddress, "anna@vector.test"}, map[string]string{feklaAddress: fekla}
	l.Subject, l.Text, l.FullText = "Фёкла: цены", "про сургуч", "про сургуч\n> "+feklaPhone
	return l
}

// TestErase_merged: her client was merged before she was erased, and is parted
// again: neither she nor her letters come back.
func TestErase_merged(t *testing.T) {
	each(t, func(h *house) {
		h.imports(func(im *store.Import) {
			h.row(im.Client(store.ClientRow{ID: "c7", Name: "Ромашка-Юг", Manager: "anna", Attributes: map[string]string{"кто": fekla}}))
			h.row(im.Person(feklaRow("c7")))
		})
		list, err := h.Clients(ctx, h.boris, "", 10)
		h.must(err)
		for _, c := range list {
			h.clients[c.ExternalID] = c.ID
		}
		f := h.folder("anna", "anna", 7)
		h.file(f, h.feklaWrites(1, "k1@x", "c7"), h.feklaWrites(2, "k2@x", "c1", "c7"))
		m := h.merge(h.clients["c1"], h.clients["c7"])
		h.erase(feklaAddress)
		h.gone("erased")
		h.unmerge(m.ID)
		h.gone("unmerged")
		if card := h.client(h.clients["c7"]); len(card.Persons) > 0 {
			t.Errorf("%+v", card.Persons)
		}
	})
}

// TestErase_twoPersons: somebody who was merged into another goes with them,
// whichever of both is named, and by an address that only the one who went had.
func TestErase_twoPersons(t *testing.T) {
	for _, by := range []string{"kept", "gone", "kept's address", "gone's address", "an address taken away"} {
		t.Run(by, func(t *testing.T) {
			each(t, func(h *house) {
				other := store.PersonRow{ID: "p8", Client: "c1", Name: "Ф. Жужелицына", Position: "сургучница", Emails: []string{"fekla@freemail.test"}}
				h.imports(func(im *store.Import) {
					h.row(im.Person(feklaRow("c1")))
					h.row(im.Person(other))
				})
				number := func(address string) int64 {
					sub, err := h.FindSubject(ctx, address)
					h.must(err)
					return sub.Persons[0]
				}
				kept, gone := number(feklaAddress), number("fekla@freemail.test")
				anna := store.Actor{ManagerID: h.anna.ID, Origin: store.FromWeb}
				h.must(h.MergePersons(ctx, h.boris, anna, kept, gone))
				who := map[string]string{"kept": fmt.Sprint("#", kept), "gone": fmt.Sprint("#", gone), "kept's address": feklaAddress, "gone's address": "fekla@freemail.test", "an address taken away": "fekla@freemail.test"}[by]
				if by == "an address taken away" {
					person, _, err := h.PersonAt(ctx, h.boris, kept)
					h.must(err)
					h.must(h.EditPerson(ctx, anna, h.clients["c1"], kept, person.Version, store.PersonEdit{Name: fekla, Emails: []string{feklaAddress}, Phones: []string{feklaPhone}}))
				}
				h.erase(who)
				h.gone("erased")
				for _, id := range []int64{kept, gone} {
					if _, _, err := h.PersonAt(ctx, h.boris, id); !errors.Is(err, store.ErrNotFound) {
						t.Errorf("person %d has a page: %v", id, err)
					}
				}
				if merged, err := h.MergedPersons(ctx, h.boris, 10); err != nil || len(merged) > 0 {
					t.Errorf("can be undone: %+v %v", merged, err)
				}
				for _, row := range []store.PersonRow{feklaRow("c1"), other} {
					err := h.Import(ctx, anna, false, func(im *store.Import) error {
						_, err := im.Person(row)
						return err
					})
					if !errors.Is(err, store.ErrErased) {
						t.Errorf("an import of %s: %v", row.ID, err)
					}
				}
				h.gone("imported again")
			})
		})
	}
}

// TestErase_equal: what differed by how she is spelt stays two rows.
func TestErase_equal(t *testing.T) {
	each(t, func(h *house) {
		h.imports(func(im *store.Import) { h.row(im.Person(feklaRow("c1"))) })
		anna := store.Actor{ManagerID: h.anna.ID, Origin: store.FromWeb}
		for _, name := range []string{"Фёкла Жужелицына", "Фекла Жужелицына", "Жужелицына Фёкла"} {
			_, err := h.SaveReport(ctx, anna, h.anna.ID, 0, store.SavedReportEdit{Name: name, Report: "open-deals", Params: map[string][]string{"q": {feklaAddress}, "name": {fekla}},
				Recipients: []string{"anna", "fekla@romashka.test", "paf@romashka.test"}})
			h.must(err)
		}
		orders := func() {
			h.imports(func(im *store.Import) {
				for i, id := range []string{"Жужелицына Фёкла", "Фекла Жужелицына"} {
					h.row(im.Deal(store.DealRow{ID: id, Number: fmt.Sprint(i), Date: "2026-11-01", Client: "c1", Amount: store.Money{Minor: 100_000}}))
				}
			})
		}
		orders()
		h.erase(feklaAddress)
		h.gone("erased")
		orders() // are these two still
		reports, err := h.SavedReports(ctx, h.anna)
		h.must(err)
		var names []string
		for _, r := range reports {
			names = append(names, r.Name)
			if len(r.Recipients) != 2 {
				t.Errorf("%q goes to %v", r.Name, r.Recipients)
			}
		}
		if slices.Sort(names); len(slices.Compact(names)) != 3 {
			t.Errorf("of three reports there are %q", names)
		}
		deals := 0
		h.must(h.EachDeal(ctx, func(*store.DealRow) error { deals++; return nil }))
		if deals != 3 {
			t.Errorf("%d deals", deals)
		}
	})
}

// TestErase_signs: meetings that she proposed, answers, letters that came back,
// what calendar programs keep, what programs are told.
func TestErase_signs(t *testing.T) {
	each(t, func(h *house) {
		_, _, err := h.AddWebhook(ctx, "https://shop.example.com/hook", nil)
		h.must(err)
		h.imports(func(im *store.Import) { h.row(im.Person(feklaRow("c1"))) })
		f := h.folder("anna", "anna", 7)
		in := request(0, day(1))
		in.Organizer, in.Attendees = feklaAddress, []string{"anna@vector.test", feklaAddress}
		in.Title, in.Body = "Фёкла и Анна", "Ведёт\nФёкла Жужелицына <"+feklaAddress+">, про сургуч"
		invites := h.feklaWrites(1, "inv1", "c1")
		invites.Invitation = in
		answers := h.feklaWrites(2, "inv2", "c1")
		answers.Invitation = &store.Invitation{Method: store.InvitationReply, UID: in.UID, Answers: []store.Answer{{Address: feklaAddress, Kind: store.SignAccepted, Stamp: monday()}}}
		out := h.feklaWrites(3, "out", "c1")
		out.Direction = store.Out
		dropped := h.dropped(6, "drop", "3d", "call")
		dropped.Addresses, dropped.Names, dropped.FromAddress = []string{feklaAddress, "anna@vector.test"}, map[string]string{feklaAddress: fekla}, "anna@vector.test"
		dropped.Dropbox.Subject = "Фёкла Жужелицына: цены"
		dropped.Subject = dropped.Dropbox.Subject
		stranger := h.feklaWrites(7, "free")
		stranger.Outcome, stranger.Reason = store.Skipped, store.Unknown
		h.file(f, invites, answers, out, returned(4, "out", store.Undelivered{Address: feklaAddress, Status: "5.1.1", Reason: "550 " + feklaAddress + " unknown", Failed: true}),
			returned(5, "never", store.Undelivered{Address: feklaAddress, Status: "5.1.1", Reason: "550 unknown", Failed: true}), dropped, stranger)
		for _, c := range h.meetings() { // as a manager changed it
			body := "Кто:\n" + feklaAddress + "\n<" + feklaAddress + ">"
			_, err := h.EditContact(ctx, store.Actor{ManagerID: h.anna.ID, Origin: store.FromWeb}, c.ID, c.Version, store.ContactEdit{Body: &body})
			h.must(err)
			for i, m := range []store.Manager{h.anna, h.boris} {
				h.must(h.Exec(ctx, fmt.Sprintf(`INSERT INTO overlays (item, manager_id, component, bytes) VALUES ('c%d', %d, 'VEVENT', %s)`, c.ID, m.ID, h.BytesLiteral(
					[]string{"BEGIN:VEVENT\nX-WHO;CN=Жужелицына\\, Фёкла:mailto:" + feklaAddress + "\nDESCRIPTION:Кто:\\nФёкла Жужелицына\nEND:VEVENT\n",
						"BEGIN:VEVENT\nATTENDEE:mailto:fekla@roma\n shka.test\nX-P:mailto:fekla%40romashka.test\nX-T:" + feklaPhone + "\nEND:VEVENT\n"}[i]))))
			}
		}
		before, err := h.Holding(ctx, feklaWords...)
		h.must(err)
		for _, where := range []string{"invitations.said", "bounces.address", "overlays.bytes", "history.changes", "contacts.body", "deliveries.body", "senders.address"} {
			if !slices.Contains(before, where) {
				t.Errorf("the test puts nothing into %s: %q", where, before)
			}
		}
		h.clock.t = h.clock.t.Add(12 * time.Hour) // all that was written lies before
		e := h.erase(feklaAddress)
		h.gone("erased")
		if where, err := h.Holding(ctx, "Фёкла"); err != nil || len(where) > 0 {
			t.Errorf("her first name stands in what she took part in: %q %v", where, err)
		}
		if left, err := h.Holding(ctx, fmt.Sprint("erased on request ", e.Subject.Persons[0])); err != nil || !slices.Contains(left, "overlays.bytes") || !slices.Contains(left, "contacts.subject") {
			t.Errorf("%q %v", left, err)
		}
		h.must(h.Exec(ctx, `DELETE FROM letters`)) // so that they are read again, and new ones of before
		again := []store.FiledLetter{invites, answers, out, returned(4, "out", store.Undelivered{Address: feklaAddress, Status: "5.1.1", Reason: "550 " + feklaAddress + " unknown", Failed: true})}
		h.file(f, again...)
		for i := range again {
			again[i].Key += ".old"
			if b := again[i].Bounce; b != nil {
				b.Key = "old.out"
			}
		}
		later := *in
		later.Revision = revision(3)
		again[0].Invitation = &later
		h.file(f, again...)
		h.gone("read again")
	})
}

// TestErase_waitingMails: a mail that waits is sent without her; one to her is
// not.
func TestErase_waitingMails(t *testing.T) {
	each(t, func(h *house) {
		h.imports(func(im *store.Import) { h.row(im.Person(feklaRow("c1"))) })
		var workbook bytes.Buffer
		w := zip.NewWriter(&workbook)
		sheet, err := w.Create("xl/worksheets/sheet1.xml")
		h.must(err)
		_, err = sheet.Write([]byte("<t>" + fekla + "</t><t>Пафнутий</t>"))
		h.must(errors.Join(err, w.Close()))
		compose := func(to mail.Address, subject, text string) store.Mail {
			id := "<" + hex.EncodeToString([]byte(subject))[:20] + "@vector.test>"
			raw := mailOf(to, subject, text, workbook.Bytes())
			return store.Mail{Key: subject, MessageID: id, From: "intouch@vector.test", To: to.Address, Subject: subject, Bytes: raw}
		}
		anna := mail.Address{Name: "Анна", Address: "anna@vector.test"}
		h.must(h.RecordRun(ctx, store.Run{Job: "digest", Slot: "1", Started: monday(), Outcome: "done"},
			compose(anna, "Позвонить: "+fekla+", срочно, и ещё много слов, чтобы строка была длинной", "Сегодня: "+fekla+" ("+feklaPhone+"), Пафнутий"),
			compose(anna, "Другое, не о ней", "Ничего = ничего"),
			compose(mail.Address{Name: fekla, Address: feklaAddress}, "Отчёт для вас лично", "Цифры")))
		claimed, err := h.ClaimMails(ctx, 1, time.Minute)
		h.must(err)
		h.erase(feklaAddress)
		h.gone("erased")
		if workbook, err := h.OutboxMail(ctx, 2); err != nil || strings.Contains(readMail(t, workbook.Bytes), "Жужелиц") {
			t.Errorf("she is in the workbook of a mail that is not about her: %v", err)
		}
		left, err := h.OutboxMail(ctx, claimed[0].ID)
		h.must(err)
		read := readMail(t, left.Bytes)
		for _, w := range append([]string{"Фёкла"}, feklaWords...) {
			if strings.Contains(read, w) {
				t.Errorf("%q is in a mail that waits:\n%s", w, read)
			}
		}
		for _, w := range []string{"Позвонить: erased on request ", "срочно, и ещё много слов", "Сегодня: erased on request ", "<p>Сегодня: ", "Пафнутий", "<t>erased on request ", "Анна <anna@vector.test>"} {
			if !strings.Contains(read, w) {
				t.Errorf("no %q any more:\n%s", w, read)
			}
		}
		for line := range strings.SplitSeq(string(left.Bytes), "\r\n") {
			if len(line) > 998 || strings.ContainsFunc(line, func(r rune) bool { return r > '~' }) {
				t.Errorf("no line of a mail: %q", line)
			}
		}
		if left.State != store.Queued {
			t.Errorf("it is %s", left.State)
		}
		if hers, err := h.OutboxMail(ctx, 3); err != nil || hers.State != store.MailDropped || len(hers.Bytes) > 0 {
			t.Errorf("a mail to her is %s, of %d bytes: %v", hers.State, len(hers.Bytes), err)
		}
	})
}

// mailOf is a mail as mailer makes them: text, page and a workbook.
func mailOf(to mail.Address, subject, text string, workbook []byte) []byte {
	quoted := func(text string) string {
		var out bytes.Buffer
		q := quotedprintable.NewWriter(&out)
		q.Write([]byte(text + "\n"))
		q.Close()
		return out.String()
	}
	const encoded = "; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
	lines := regexp.MustCompile(`.{1,76}`).ReplaceAllString(base64.StdEncoding.EncodeToString(workbook), "$0\r\n")
	return []byte("From: Intouch <intouch@vector.test>\r\nTo: " + to.String() + "\r\nSubject: " + strings.ReplaceAll(mime.QEncoding.Encode("utf-8", subject), "?= =?", "?=\r\n =?") +
		"\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n boundary=\"=_m\"\r\n\r\n--=_m\r\nContent-Type: multipart/alternative;\r\n boundary=\"=_a\"\r\n\r\n" +
		"--=_a\r\nContent-Type: text/plain" + encoded + quoted(text) + "\r\n--=_a\r\nContent-Type: text/html" + encoded + quoted("<p>"+text+"</p>") + "\r\n--=_a--\r\n" +
		"\r\n--=_m\r\nContent-Type: application/vnd.openxmlformats-officedocument.spreadsheetml.sheet\r\nContent-Transfer-Encoding: base64\r\n" +
		"Content-Disposition: attachment; filename=a.xlsx\r\n\r\n" + lines + "\r\n--=_m--\r\n")
}

// readMail is all that a mail says.
func readMail(t *testing.T, raw []byte) string {
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	var words mime.WordDecoder
	for name := range m.Header {
		text, err := words.DecodeHeader(m.Header.Get(name))
		out.WriteString(name + ": " + text + "\n")
		if err != nil {
			t.Error(err)
		}
	}
	var part func(kind string, body io.Reader)
	part = func(kind string, body io.Reader) {
		kind, params, err := mime.ParseMediaType(kind)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(kind, "multipart/") {
			for r := multipart.NewReader(body, params["boundary"]); ; {
				p, err := r.NextPart()
				if errors.Is(err, io.EOF) {
					return
				} else if err != nil {
					t.Fatal(err)
				}
				if p.Header.Get("Content-Transfer-Encoding") == "base64" {
					part(p.Header.Get("Content-Type"), base64.NewDecoder(base64.StdEncoding, p))
				} else {
					part(p.Header.Get("Content-Type"), p) // quoted-printable is decoded
				}
			}
		}
		text, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := zip.NewReader(bytes.NewReader(text), int64(len(text))); err == nil {
			for _, f := range r.File {
				if file, err := f.Open(); err == nil {
					text, _ = io.ReadAll(file)
				}
			}
		}
		out.Write(text)
	}
	part(m.Header.Get("Content-Type"), m.Body)
	return out.String()
}

// TestErase_twice: nobody is left the second time, and two at once both end.
func TestErase_twice(t *testing.T) {
	each(t, func(h *house) {
		h.imports(func(im *store.Import) {
			h.row(im.Person(feklaRow("c1")))
			h.row(im.Person(store.PersonRow{ID: "p10", Client: "c1", Name: "Пафнутий Кочерыжкин", Emails: []string{"paf@romashka.test"}}))
		})
		h.call("Звонок: Кочерыжкин Пафнутий", monday().Add(time.Hour))
		var both sync.WaitGroup
		failed := make([]error, 3)
		for i, who := range []string{feklaAddress, "paf@romashka.test", "nobody@romashka.test"} {
			both.Go(func() { _, failed[i] = h.Erase(ctx, store.Actor{}, who, english) })
		}
		both.Wait()
		h.must(errors.Join(failed...))
		h.gone("erased")
		if where, err := h.Holding(ctx, "Кочерыжкин", "paf@", "nobody@"); err != nil || len(where) > 0 {
			t.Errorf("still in %q, %v", where, err)
		}
		if e := h.erase(feklaAddress); len(e.Subject.Persons)+e.Contacts+e.Rows > 0 {
			t.Errorf("again: %+v", e)
		}
	})
}

// TestErase_meanwhile: a mailbox files her letters while she is erased: they
// are before it, and lose their text, or after it.
func TestErase_meanwhile(t *testing.T) {
	each(t, func(h *house) {
		h.imports(func(im *store.Import) { h.row(im.Person(feklaRow("c1"))) })
		f := h.folder("anna", "anna", 7)
		h.file(f, h.feklaWrites(1, "k1@x", "c1"))
		done := make(chan error)
		started := make(chan bool)
		go func() {
			var err error
			for n := uint32(2); n < 60 && err == nil; n++ {
				l := h.feklaWrites(n, fmt.Sprintf("k%d@x", n), "c1")
				l.Date = monday().Add(-time.Hour)
				l.NewPerson = &store.NewPerson{ClientID: h.clients["c1"], Name: fekla, Address: feklaAddress}
				_, err = h.FileLetters(ctx, f, store.Batch{Letters: []store.FiledLetter{l}})
				if n == 10 {
					close(started)
				}
			}
			done <- err
		}()
		<-started
		h.erase(feklaAddress)
		h.must(<-done)
		h.gone("erased while letters came")
	})
}

// TestErase_cutOff: wherever it is cut off, the clean-up ends it.
func TestErase_cutOff(t *testing.T) {
	each(t, func(h *house) {
		h.imports(func(im *store.Import) { h.row(im.Person(feklaRow("c1"))) })
		f := h.folder("anna", "anna", 7)
		h.file(f, h.feklaWrites(1, "k1@x", "c1"))
		for i := range 5 {
			h.call(fmt.Sprint(fekla, " ", i), monday().Add(time.Hour))
		}
		cuts := 0
		for n := 1; ; n++ {
			cut, stop := context.WithCancel(ctx)
			left := n
			h.clock.tick = func() {
				if left--; left == 0 {
					stop()
				}
			}
			_, err := h.Erase(cut, store.Actor{}, feklaAddress, english)
			h.clock.tick = nil
			stop()
			if err == nil {
				break
			}
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("cut off at %d: %v", n, err)
			}
			if where, err := h.Holding(ctx, "erasing"); err != nil {
				t.Fatal(err)
			} else if cuts += min(len(where), 1); cuts == 3 { // behind its first transaction
				_, err := h.CleanUp(ctx, store.Kept{})
				h.must(err)
				break
			}
		}
		if cuts == 0 {
			t.Error("it was never cut off within")
		}
		h.gone("cleaned up")
	})
}

// TestErase_byKey: a part of a table is read by the index of its key.
func TestErase_byKey(t *testing.T) {
	each(t, func(h *house) {
		if sorted, err := h.SortedSweeps(ctx); err != nil || len(sorted) > 0 {
			t.Errorf("sorted each time: %q %v", sorted, err)
		}
	})
}
