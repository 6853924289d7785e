package scheduler

import (
	"bytes"
	"context"
	"net/mail"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"intouch/store"
	"intouch/store/storetest"
)

// comingUp is what a manager in Moscow is reminded of on Monday 23 November
// 2026 at 14:00.
func comingUp(lang store.Language) *reminderNews {
	d := morning(lang)
	loc := d.Manager.Location()
	at := func(day, hour, min int) time.Time { return time.Date(2026, 11, day, hour, min, 0, 0, loc).UTC() }
	client := &store.Client{ID: 1, Name: "ООО «Ромашка»", ABC: "A", XYZ: "X", Stage: "regular"}
	call := store.Reminder{At: at(23, 14, 0), Client: client,
		Item: store.Item{Type: store.ContactItem, Contact: &store.Contact{ID: 12, Kind: store.Call, Subject: "Условия договора"}, ClientID: 1, ClientName: client.Name,
			Importance: store.High, Status: store.StatusCurrent, When: store.Span{Start: at(23, 14, 30), End: at(23, 15, 0)}},
		Persons: []store.Person{{Name: "Иван Иванов", Position: "директор", Phones: []string{"+7 495 000-00-00"}}, {Name: "<script>alert(1)</script>"}},
		Balance: []store.Money{{Minor: 12000000, Currency: "RUB"}},
		Recent:  []store.Contact{{Kind: store.Letter, Subject: "Re: Счёт", When: store.Span{Start: at(20, 10, 0), End: at(20, 10, 0)}}}}
	deal := &store.Deal{ID: 14, Number: "14", Amount: store.Money{Minor: 128450000, Currency: "RUB"}}
	shipment := store.Reminder{At: at(23, 14, 0), Client: &store.Client{ID: 3, Name: "Orion & Co"},
		Item: store.Item{Type: store.ShipmentItem, Event: &store.DealEvent{ID: 7, DealID: 14, Kind: store.Shipment, Known: true, Amount: 128450000}, Deal: deal,
			ClientID: 3, ClientName: "Orion & Co", Status: store.StatusCurrent, When: store.Days("2026-11-24", "2026-11-24", loc)},
		Totals: &store.DealTotals{LeftToShip: 128450000, LeftToPay: 28450000, Currency: "RUB", ShippedKnown: true, PaidKnown: true}}
	late := store.Reminder{At: at(23, 14, 0),
		Item: store.Item{Type: store.ContactItem, Contact: &store.Contact{ID: 13, Kind: store.Meeting, ClientText: "Пётр"}, Status: store.StatusOverdue,
			When: store.Span{Start: at(23, 13, 0), End: at(23, 13, 30)}}}
	return &reminderNews{Reader: d.Manager, At: at(23, 14, 0), List: []store.Reminder{shipment, call, late}}
}

func TestReminder_Golden(t *testing.T) {
	for _, lang := range []store.Language{store.Russian, store.English} {
		p := comingUp(lang).page("https://crm.vector.test")
		html, err := p.html()
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "reminder."+string(lang)+".txt", "Subject: "+p.Subject+"\n\n"+p.text())
		golden(t, "reminder."+string(lang)+".html", html)
		if strings.Contains(html, "<script>") {
			t.Errorf("%s: the page has a script", lang)
		}
	}
}

func TestReminder_Subject(t *testing.T) {
	loc, _ := time.LoadLocation("Europe/Moscow")
	at := func(day, hour, min int) time.Time { return time.Date(2026, 11, day, hour, min, 0, 0, loc).UTC() }
	timed := func(day, hour, min int) store.Span {
		return store.Span{Start: at(day, hour, min), End: at(day, hour, min).Add(time.Hour)}
	}
	for _, c := range []struct {
		when   store.Span
		ru, en string
	}{
		{timed(23, 14, 30), "через 30 минут — 14:30", "in 30 minutes — 14:30"},
		{timed(23, 14, 1), "через 1 минуту — 14:01", "in 1 minute — 14:01"},
		{timed(23, 14, 0), "сейчас — 14:00", "now — 14:00"},
		{timed(23, 16, 0), "через 2 часа — 16:00", "in 2 hours — 16:00"},
		{timed(23, 15, 30), "через 1 час 30 минут — 15:30", "in 1 hour 30 minutes — 15:30"},
		{timed(24, 9, 0), "завтра — 24 ноября, 09:00", "tomorrow — 24 November, 09:00"},
		{timed(26, 9, 0), "через 3 дня — 26 ноября, 09:00", "in 3 days — 26 November, 09:00"},
		{store.Days("2026-11-23", "2026-11-24", loc), "сегодня — 23 ноября", "today — 23 November"},
		{store.Days("2026-11-24", "2026-11-24", loc), "завтра — 24 ноября", "tomorrow — 24 November"},
	} {
		for lang, want := range map[store.Language]string{store.Russian: "Звонок: Счёт, ООО «Ромашка», " + c.ru, store.English: "Call: Счёт, ООО «Ромашка», " + c.en} {
			n := reminderNews{Reader: store.Manager{Login: "anna", Language: lang, TimeZone: "Europe/Moscow"}, At: at(23, 14, 0), List: []store.Reminder{{
				Item: store.Item{Type: store.ContactItem, Contact: &store.Contact{ID: 1, Kind: store.Call, Subject: "Счёт"}, ClientID: 1, ClientName: "ООО «Ромашка»", When: c.when}}}}
			if got := n.page("").Subject; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		}
	}
}

// Each item can be acted on from the mail; of a series only where one sees it
// whole. The mail can be turned off.
func TestReminder_Links(t *testing.T) {
	n := comingUp(store.Russian)
	n.List[2].Item.Contact.Recurrence = "RRULE:FREQ=DAILY"
	s := newScheduler(t, storetest.SQLite(t, store.Options{Render: blank}), nil)
	p := n.page("https://crm.vector.test")
	targets := s.answerable(p, "token")
	var got []string
	for _, section := range p.Sections {
		for _, r := range section.Rows {
			var acts []string
			for _, a := range r.Acts {
				if !strings.HasPrefix(a.URL, "https://crm.vector.test"+store.LinkPath) {
					t.Errorf("%s leads to %s", a.Text, a.URL)
				}
				acts = append(acts, a.Text)
			}
			got = append(got, r.Title.Text+": "+strings.Join(acts, " "))
		}
	}
	want := `Встреча: Ещё…
Звонок: Условия договора: Сделано +1 час Завтра Ещё…
Отгрузка, сделка № 14: 1 284 500,00 ₽: Сделано Завтра +1 неделя Ещё…`
	if text := strings.ReplaceAll(strings.Join(got, "\n"), "\u00a0", " "); text != want || len(targets) != 3 || p.Kind != store.ReminderMail || p.Stop.URL == "" {
		t.Errorf("got\n%s\nwant\n%s\n%d targets, %q", text, want, len(targets), p.Stop.URL)
	}
}

// What people wrote themselves is not said twice.
func TestReminder_SubjectOnce(t *testing.T) {
	for subject, want := range map[string]string{
		"звонок по счёту": "звонок по счёту, ООО «Ромашка», сейчас — 14:00", "Счёт для ООО «Ромашка»": "Звонок: Счёт для ООО «Ромашка», сейчас — 14:00",
		"": "Звонок, ООО «Ромашка», сейчас — 14:00",
	} {
		n := comingUp(store.Russian)
		r := n.List[1]
		r.Item.Contact.Subject, r.Item.When.Start = subject, n.At
		n.List = []store.Reminder{r}
		if got := n.page("").Subject; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// By the clock of the bubble: each reminder is queued in its own minute, those
// of one minute together, what was missed once and only if it is not over.
func TestScheduler_Run_Reminders(t *testing.T) {
	path := "sqlite:" + t.TempDir() + "/intouch.db"
	synctest.Test(t, func(t *testing.T) { // begins on Saturday 1 January 2000, 0:00 UTC
		st, err := store.Open(t.Context(), store.Options{URL: path, Log: logTo(t), Render: blank})
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		anna, _, err := st.SaveManager(t.Context(), store.Actor{Origin: store.FromImport},
			store.ManagerRow{Login: "anna", Name: "Анна", TimeZone: "Europe/Moscow", Language: "ru", Emails: []string{"anna@vector.test"}})
		if err != nil {
			t.Fatal(err)
		}
		midnight := time.Now()
		plan := func(subject string, hour, min, sec int) {
			start := midnight.Add(time.Duration(hour)*time.Hour + time.Duration(min)*time.Minute + time.Duration(sec)*time.Second)
			if _, err := st.PlanContact(t.Context(), store.Actor{ManagerID: anna.ID}, store.ContactDraft{Kind: store.Call, Subject: subject,
				When: store.Span{Start: start, End: start.Add(time.Hour)}}); err != nil {
				t.Fatal(err)
			}
		}
		plan("one", 10, 0, 0)    // rings at 9:45 UTC
		plan("two", 10, 0, 40)   // in the same minute
		plan("three", 10, 1, 0)  // in the next
		plan("four", 11, 0, 0)   // missed, seen at 11:30
		plan("five", 10, 25, 0)  // missed, over
		plan("night", 19, 30, 0) // 22:30 in Moscow: in the morning it is over
		running := func(d time.Duration) {
			ctx, cancel := context.WithTimeout(t.Context(), d)
			defer cancel()
			if err := newScheduler(t, st, nil).Run(ctx); err != nil {
				t.Error(err)
			}
		}
		running(10 * time.Hour)
		time.Sleep(90 * time.Minute)
		running(24 * time.Hour)
		box, err := st.Outbox(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range box.Recent {
			if strings.HasPrefix(m.Key, remindersJob) {
				got = append(got, m.Created.UTC().Format("15:04:05")+" "+m.Subject)
			}
		}
		want := `11:30:00 Звонок: four, уже началось — 14:00
09:46:00 Звонок: three, через 15 минут — 13:01
09:45:00 2 напоминания: Звонок: one, через 15 минут — 13:00`
		if s := strings.Join(got, "\n"); s != want {
			t.Errorf("got\n%s\nwant\n%s", s, want)
		}
	})
}

// What strangers wrote into names and subjects stays text of bounded length.
func TestScheduler_Reminders_Hostile(t *testing.T) {
	for _, bad := range []string{"a\r\nBcc: victim@x.test\r\n\r\n", "<script>alert(1)</script>", "\u202e\u2066right to left", strings.Repeat("я", 10_000), strings.Repeat("x", 10_000), "\x00\x1b[31m", "=?utf-8?B?0L/RgNC40LLQtdGC?="} {
		n := comingUp(store.Russian)
		for i := range n.List {
			r := &n.List[i]
			if c := r.Item.Contact; c != nil {
				c.Subject, c.ClientText = bad, bad
			}
			if r.Item.Deal != nil {
				r.Item.Deal.Number = bad
			}
			r.Item.ClientName = bad
			for j := range r.Persons {
				r.Persons[j].Name, r.Persons[j].Position, r.Persons[j].Phones = bad, bad, []string{bad}
			}
			for j := range r.Recent {
				r.Recent[j].Subject = bad
			}
		}
		n.Reader.Name, n.Reader.Emails = bad, []string{"anna@vector.test"}
		st := &Scheduler{st: storetest.SQLite(t, store.Options{Render: blank}), opt: Options{From: mail.Address{Name: bad, Address: "intouch@vector.test"}, PublicURL: "https://crm.vector.test"}}
		for _, list := range [][]store.Reminder{n.List, n.List[1:2]} {
			composed, refused, err := st.reminderMail(n.Reader, list)
			if err != nil || refused != "" {
				t.Fatalf("%.20q: %s %v", bad, refused, err)
			}
			m, err := mail.ReadMessage(bytes.NewReader(composed.Bytes))
			if err != nil || m.Header.Get("Bcc") != "" || strings.ContainsAny(composed.Subject, "\r\n\x00\x1b\u202e") || len([]rune(composed.Subject)) > 260 {
				t.Errorf("%.20q: %v, %v, subject %q", bad, m.Header, err, composed.Subject)
			}
			for line := range bytes.Lines(composed.Bytes) {
				if len(line) > 1000 {
					t.Errorf("%.20q: a line of %d bytes", bad, len(line))
				}
			}
			if bytes.Contains(composed.Bytes, []byte("<script")) && !bytes.Contains(composed.Bytes, []byte("text/plain")) || len(composed.Bytes) > 60<<10 {
				t.Errorf("%.20q: a mail of %d bytes", bad, len(composed.Bytes))
			}
			html, err := (&reminderNews{Reader: n.Reader, At: n.At, List: list}).page("").html()
			if err != nil || strings.Contains(html, "<script>alert") || strings.ContainsRune(html, '\u202e') {
				t.Errorf("%.20q: the page has it, %v", bad, err)
			}
		}
	}
}
