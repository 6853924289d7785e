package scheduler

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"intouch/report"
	"intouch/store"
	"intouch/store/storetest"
)

// letter is a composed mail, read again: its header, its text, its page, its
// files by name.
type letter struct {
	mail.Header
	text, page string
	files      map[string][]byte
}

func readLetter(t *testing.T, m store.OutboxMail) letter {
	t.Helper()
	msg, err := mail.ReadMessage(bytes.NewReader(m.Bytes))
	if err != nil {
		t.Fatal(err)
	}
	out := letter{Header: msg.Header, files: map[string][]byte{}}
	var read func(kind string, body io.Reader)
	read = func(kind string, body io.Reader) {
		_, params, err := mime.ParseMediaType(kind)
		if err != nil {
			t.Fatal(err)
		}
		parts := multipart.NewReader(body, params["boundary"])
		for {
			p, err := parts.NextRawPart()
			if err == io.EOF {
				return
			} else if err != nil {
				t.Fatal(err)
			}
			kind := p.Header.Get("Content-Type")
			if strings.HasPrefix(kind, "multipart/") {
				read(kind, p)
				continue
			}
			data, err := io.ReadAll(p)
			if err != nil {
				t.Fatal(err)
			}
			if p.FileName() != "" {
				out.files[p.FileName()] = data
				continue
			}
			decoded, err := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(data)))
			if err != nil {
				t.Fatal(err)
			}
			text := strings.ReplaceAll(string(decoded), "\u00a0", " ")
			if strings.HasPrefix(kind, "text/html") {
				out.page = text
			} else {
				out.text = text
			}
		}
	}
	read(msg.Header.Get("Content-Type"), msg.Body)
	return out
}

// letters are the mails that wait, by recipient.
func letters(t *testing.T, st *store.Store) map[string]letter {
	t.Helper()
	mails, err := st.ClaimMails(t.Context(), 100, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]letter{}
	for _, m := range mails {
		if _, twice := out[m.To]; twice {
			t.Errorf("two mails to %s", m.To)
		}
		out[m.To] = readLetter(t, m)
	}
	return out
}

// trade gives Anna and Boris a client and a deal each, and makes Hilda a head.
func trade(t *testing.T, st *store.Store) map[string]store.Manager {
	t.Helper()
	house(t, st)
	if _, _, err := st.SaveManager(t.Context(), store.Actor{}, store.ManagerRow{Login: "hilda", Name: "Hilda Head", Role: "head", TimeZone: "Europe/Moscow", Language: "en", Emails: []string{"hilda@vector.test"}}); err != nil {
		t.Fatal(err)
	}
	err := st.Import(t.Context(), store.Actor{Origin: store.FromImport}, false, func(im *store.Import) error {
		var faults []error
		row := func(_ store.RowChange, err error) { faults = append(faults, err) }
		rub := func(n int64) store.Money { return store.Money{Minor: n * 100, Currency: "RUB"} }
		row(im.Client(store.ClientRow{ID: "c1", Name: "ООО «Ромашка» <b>", Manager: "anna"}))
		row(im.Client(store.ClientRow{ID: "c2", Name: "Harbour & Sons", Manager: "boris"}))
		row(im.Deal(store.DealRow{ID: "d1", Number: "A-17", Date: "2026-11-02", Client: "c1", Manager: "anna", Amount: rub(1000), PayDue: "2026-11-20"}))
		row(im.Deal(store.DealRow{ID: "d2", Number: "B-18", Date: "2026-11-22", Client: "c2", Manager: "boris", Amount: rub(250), PayDue: "2026-12-20"}))
		row(im.Document(store.DocumentRow{ID: "x1", Kind: store.ShipmentDoc, Number: "1", Date: "2026-11-22", Deal: "d2", Client: "c2", Amount: rub(250)}))
		return errors.Join(faults...)
	})
	if err != nil {
		t.Fatal(err)
	}
	all, err := st.Managers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]store.Manager{}
	for _, m := range all {
		out[m.Login] = m
	}
	return out
}

func save(t *testing.T, st *store.Store, owner store.Manager, e store.SavedReportEdit) store.SavedReport {
	t.Helper()
	saved, err := st.SaveReport(t.Context(), store.Actor{ManagerID: owner.ID, Origin: store.FromWeb}, owner.ID, 0, e)
	if err != nil {
		t.Fatal(err)
	}
	return saved
}

// A manager's saved report goes to a colleague, to a head, to a stranger and
// to one without an address, each in their language, with what its owner may
// see, once for each slot.
func TestSavedReports(t *testing.T) {
	c := morningClock()
	storetest.Each(t, store.Options{Now: c.now, Render: blank, Currency: "RUB"}, func(t *testing.T, st *store.Store) {
		c.t = morningClock().t.Add(-time.Hour) // 7:00 in Moscow
		who := trade(t, st)
		s := newScheduler(t, st, nil)
		save(t, st, who["anna"], store.SavedReportEdit{Name: "Мои сделки", Report: "open-deals", Params: url.Values{"by": {"client"}}, Schedule: "0 8 * * *",
			Recipients: []string{"anna", "boris", "hilda", "mute", "boss@partner.test"}, Attach: store.AttachCSV})
		tick := func() string {
			t.Helper()
			s.tick(t.Context(), s.jobs[store.SavedReportsJob])
			return ledger(t, st)
		}
		if got := tick(); got != "" {
			t.Errorf("before the slot: %s", got)
		}
		c.add(time.Hour)
		var daemons sync.WaitGroup
		for range 4 { // on one database, at the same moment
			daemon := newScheduler(t, st, nil)
			daemons.Go(func() { daemon.tick(t.Context(), daemon.jobs[store.SavedReportsJob]) })
		}
		daemons.Wait()
		c.add(time.Minute)
		if got, want := tick(), "reports 1 #1 2026-11-23T08:00 queued\n"; got != want {
			t.Errorf("ledger %q, want %q", got, want)
		}
		list, err := st.SavedReports(t.Context(), who["anna"])
		if err != nil || list[0].Last.Detail != "Мои сделки: anna@vector.test, boris@vector.test, hilda@vector.test, boss@partner.test; not sent: mute has no e-mail address" {
			t.Errorf("detail %q, %v", list[0].Last.Detail, err)
		}
		got := letters(t, st)
		if len(got) != 4 {
			t.Fatalf("%d mails", len(got))
		}
		for to, l := range got {
			inEnglish := to == "boris@vector.test" || to == "hilda@vector.test"
			for _, form := range []string{l.text, l.page} {
				if !strings.Contains(form, "A-17") || strings.Contains(form, "B-18") || strings.Contains(form, "Harbour") {
					t.Errorf("%s gets not what Anna sees:\n%s", to, form)
				}
				if strings.Contains(form, "Current deals") != inEnglish || strings.Contains(form, "Текущие сделки") == inEnglish {
					t.Errorf("%s in another language:\n%s", to, form)
				}
				if linked := strings.Contains(form, "crm.vector.test"); linked == (to == "boss@partner.test") {
					t.Errorf("links for %s: %v\n%s", to, linked, form)
				}
			}
			if strings.Contains(l.page, "<b>") || !strings.Contains(l.page, "&lt;b&gt;") {
				t.Errorf("a client's name is markup:\n%s", l.page)
			}
			if file := l.files["open-deals-2026-11-23.csv"]; len(file) == 0 {
				t.Errorf("%s: files %v", to, l.files)
			}
			reply, _ := mail.ParseAddress(l.Get("Reply-To"))
			if own := to == "anna@vector.test"; own != (reply == nil) || !own && (reply.Address != "anna@vector.test" || reply.Name != "Анна Соколова") {
				t.Errorf("%s answers to %v", to, reply)
			}
		}
		// The next day it comes again; what was missed for longer than a day does not.
		c.add(3 * 24 * time.Hour)
		if got := tick(); strings.Count(got, "reports") != 2 || !strings.Contains(got, "#1 2026-11-26T08:00") {
			t.Errorf("ledger %s", got)
		}
	})
}

// Also by mail a manager sees the own figures and the team's average, whoever
// reads it; who was a head and is none any more sees no more than that.
func TestSavedReports_Rights(t *testing.T) {
	c := morningClock()
	storetest.Each(t, store.Options{Now: c.now, Render: blank, Currency: "RUB"}, func(t *testing.T, st *store.Store) {
		c.t = morningClock().t
		who := trade(t, st)
		s := newScheduler(t, st, nil)
		for owner, sees := range map[string]bool{"anna": false, "hilda": true} {
			saved := save(t, st, who[owner], store.SavedReportEdit{Name: "Team", Report: "managers", Params: url.Values{"period": {"month"}}, Recipients: []string{"boris", "boss@partner.test"}})
			if run, err := s.MailReport(t.Context(), saved); err != nil || run.Outcome != "queued" {
				t.Fatalf("%+v, %v", run, err)
			}
			got := letters(t, st)
			if len(got) != 2 {
				t.Fatalf("%d mails", len(got))
			}
			for to, l := range got {
				for _, form := range []string{l.text, l.page} {
					if strings.Contains(form, "Boris Brown") != sees || !strings.Contains(form, "Анна Соколова") {
						t.Errorf("%s's report to %s:\n%s", owner, to, form)
					}
					if average := strings.Contains(form, "Average of the team") || strings.Contains(form, "В среднем по отделу"); average == sees {
						t.Errorf("%s's report to %s, average %v:\n%s", owner, to, average, form)
					}
				}
			}
		}
		if _, _, err := st.SaveManager(t.Context(), store.Actor{}, store.ManagerRow{Login: "hilda", Role: "manager"}); err != nil {
			t.Fatal(err)
		}
		c.add(10 * time.Minute)
		list, err := st.SavedReports(t.Context(), store.Manager{ID: who["hilda"].ID, Role: store.RoleManager})
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		if _, err := s.MailReport(t.Context(), list[0]); err != nil {
			t.Fatal(err)
		}
		if l := letters(t, st)["boris@vector.test"]; strings.Contains(l.text, "Boris Brown") || !strings.Contains(l.text, "Hilda Head") {
			t.Errorf("what a former head sees:\n%s", l.text)
		}
	})
}

// What an empty report, one that cannot be made any more, and one without
// anybody to mail it to become.
func TestSavedReports_Outcomes(t *testing.T) {
	c := morningClock()
	storetest.Each(t, store.Options{Now: c.now, Render: blank, Currency: "RUB"}, func(t *testing.T, st *store.Store) {
		c.t = morningClock().t
		who := trade(t, st)
		s := newScheduler(t, st, nil)
		nothing := store.SavedReportEdit{Report: "open-deals", Params: url.Values{"stage": {"lost"}}, Recipients: []string{"anna"}}
		for name, want := range map[string]string{"silent": "empty", "said": "queued", "gone": "failed", "mute": "failed"} {
			e := nothing
			e.Name, e.SendEmpty = name, name != "silent"
			switch name {
			case "gone":
				e.Params = url.Values{"client": {"nobody"}}
			case "mute":
				e.Recipients = []string{"mute"}
			}
			run, err := s.MailReport(t.Context(), save(t, st, who["hilda"], e))
			if err != nil || run.Outcome != want {
				t.Errorf("%s: %+v, %v", name, run, err)
			}
			if name == "gone" && !strings.Contains(run.Detail, `gone: there is no client "nobody"`) {
				t.Errorf("gone: %s", run.Detail)
			}
		}
		if got := letters(t, st); len(got) != 1 || !strings.Contains(got["anna@vector.test"].text, "Ничего") {
			t.Errorf("%+v", got)
		}

		// By the clock its owner is told that it cannot be made, once.
		save(t, st, who["hilda"], store.SavedReportEdit{Name: "gone\nfor good", Report: "open-deals", Params: url.Values{"client": {"nobody"}}, Schedule: "0 9 * * *", Recipients: []string{"anna"}})
		c.add(time.Hour + time.Minute)
		for range 2 {
			s.tick(t.Context(), s.jobs[store.SavedReportsJob])
			c.add(time.Minute)
		}
		told := letters(t, st)
		l := told["hilda@vector.test"]
		if subject, _ := new(mime.WordDecoder).DecodeHeader(l.Get("Subject")); subject != "Intouch: The saved report “gone for good” cannot be made" || !strings.Contains(l.text, `there is no client "nobody"`) {
			t.Errorf("the owner is told %q\n%s", subject, l.text)
		}
		if got := ledger(t, st); strings.Count(got, "2026-11-23T09:00 failed") != 1 {
			t.Errorf("ledger\n%s", got)
		}
		by := save(t, st, who["hilda"], store.SavedReportEdit{Name: "to nobody", Report: "calendar"})
		var wrong *report.Invalid
		if _, err := s.MailReport(t.Context(), by); !errors.As(err, &wrong) {
			t.Errorf("to nobody: %v", err)
		}
	})
}

// What goes to others is to be in the owner's Sent folder, too, where the
// settings ask for it; what goes to the owner is there already.
func TestSavedReports_SentCopy(t *testing.T) {
	c := morningClock()
	st := storetest.SQLite(t, store.Options{Now: c.now, Render: blank})
	who := trade(t, st)
	s := newScheduler(t, st, nil)
	s.opt.SentCopies = map[string]string{"anna": "anna-box"}
	for _, owner := range []string{"anna", "boris"} {
		r := save(t, st, who[owner], store.SavedReportEdit{Name: "deals", Report: "open-deals", Recipients: []string{"anna", "boss@partner.test"}, SendEmpty: true})
		if _, err := s.MailReport(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	mails, err := st.ClaimMails(t.Context(), 10, time.Minute)
	if err != nil || len(mails) != 4 {
		t.Fatalf("%d mails, %v", len(mails), err)
	}
	sent := map[int64]store.OutboxMail{}
	for _, m := range mails {
		sent[m.ID] = m
		if err := st.MailSent(t.Context(), m.ID); err != nil {
			t.Fatal(err)
		}
	}
	copies, err := st.SentCopies(t.Context(), "anna-box", 0, 10)
	if err != nil || len(copies) != 1 {
		t.Fatalf("%d copies, %v", len(copies), err)
	}
	if m := sent[copies[0].ID]; m.To != "boss@partner.test" || !bytes.Equal(m.Bytes, copies[0].Bytes) || m.MessageID != copies[0].MessageID || !copies[0].Sent.Equal(c.now()) {
		t.Errorf("%s, %+v", m.To, copies[0])
	}
}

// An owner whose address goes beyond ASCII has the report sent all the same.
func TestSavedReports_ReplyTo(t *testing.T) {
	c := morningClock()
	st := storetest.SQLite(t, store.Options{Now: c.now, Render: blank})
	who := trade(t, st)
	for email, want := range map[string]string{"a\"b@vector.test": "a\"b@vector.test", "ольга@vector.test": "", "olga@vector.test": "olga@vector.test"} {
		owner := who["hilda"]
		owner.Name, owner.Emails = strings.Repeat("Ольга \r\n\u202e", 50), []string{email}
		s := newScheduler(t, st, nil)
		p, err := s.reportPage(store.SavedReport{Name: "x", Report: "calendar", Owner: owner}, who["anna"], &report.Table{Title: "x", Lang: store.Russian}, c.now())
		if err != nil {
			t.Fatal(err)
		}
		composed, err := s.compose(p, "x", mail.Address{Address: "anna@vector.test"}, time.UTC)
		if err != nil {
			t.Fatalf("%s: %v", email, err)
		}
		read, err := mail.ReadMessage(bytes.NewReader(composed.Bytes))
		if err != nil {
			t.Fatal(err)
		}
		got, _ := mail.ParseAddress(read.Header.Get("Reply-To"))
		if (got == nil) != (want == "") || got != nil && got.Address != want {
			t.Errorf("%s: answers go to %v", email, got)
		}
	}
}

// On the days when clocks change each owner's report has one slot a day, as on
// any other: 2:30 is skipped in spring and comes twice in autumn.
func TestSavedReports_DST(t *testing.T) {
	c := &clock{}
	zones := []string{"America/New_York", "Europe/London", "Australia/Lord_Howe", "Europe/Moscow"}
	for _, from := range []string{"2027-03-12", "2027-03-26", "2027-04-02", "2027-10-01", "2027-10-29", "2027-11-05"} {
		day, err := time.Parse(time.DateOnly, from)
		if err != nil {
			t.Fatal(err)
		}
		c.t = day
		st := storetest.SQLite(t, store.Options{Now: c.now, Render: blank})
		s := newScheduler(t, st, nil)
		for _, zone := range zones {
			m, _, err := st.SaveManager(t.Context(), store.Actor{}, store.ManagerRow{Login: strings.ToLower(zone[strings.Index(zone, "/")+1:]), TimeZone: zone, Emails: []string{zone[:3] + zone[len(zone)-3:] + "@vector.test"}})
			if err != nil {
				t.Fatal(err)
			}
			save(t, st, m, store.SavedReportEdit{Name: "x", Report: "open-deals", Schedule: "30 1,2 * * *", Recipients: []string{m.Login}})
		}
		for range 4 * 24 * 4 { // four days, each quarter of an hour
			c.add(15 * time.Minute)
			s.tick(t.Context(), s.jobs[store.SavedReportsJob])
		}
		runs, err := st.Runs(t.Context(), 1000)
		if err != nil {
			t.Fatal(err)
		}
		slots := map[int64]int{}
		for _, r := range runs {
			slots[r.OwnerID]++
		}
		for id, n := range slots {
			if n != 8 {
				t.Errorf("from %s: %d runs of %s", from, n, zones[id-1])
			}
		}
		if len(slots) != len(zones) {
			t.Errorf("from %s: runs of %d owners", from, len(slots))
		}
	}
}

func TestCheckSavedCron(t *testing.T) {
	for expr, good := range map[string]bool{"": true, "0 8 * * 1": true, "30 * * * *": true, "* * * * *": false, "*/5 8 * * *": false, "0,30 8 * * *": false, "@daily": true, "8 o'clock": false, "0 8 30 2 *": false} {
		if err := CheckSavedCron(expr); (err == nil) != good {
			t.Errorf("%q: %v", expr, err)
		}
	}
}
