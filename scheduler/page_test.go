package scheduler

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"intouch/store"
)

var update = flag.Bool("update", false, "write the golden files anew")

// morning of a manager in Moscow, Monday 23 November 2026, 8:00.
func morning(lang store.Language) *Digest {
	loc, _ := time.LoadLocation("Europe/Moscow")
	at := func(day, hour, min int) time.Time { return time.Date(2026, 11, day, hour, min, 0, 0, loc).UTC() }
	rub := func(n int64) []store.Money { return []store.Money{{Minor: n, Currency: "RUB"}} }
	contact := func(c store.Contact) store.Item {
		c.ManagerID = 1
		it := store.Item{Type: store.ContactItem, Contact: &c, ClientID: c.ClientID, ClientName: c.ClientName, Importance: c.Importance, Managers: []int64{1}}
		return it
	}
	deal := &store.Deal{ID: 14, Number: "ВК-0014", Amount: store.Money{Minor: 128450000, Currency: "RUB"}, ClientID: 3}
	event := func(e store.DealEvent, typ store.ItemType) store.Item {
		return store.Item{Type: typ, Event: &e, Deal: deal, ClientID: 3, ClientName: "ООО «Вектор-К»", Importance: store.Normal, Managers: []int64{1}}
	}
	d := &Digest{Manager: store.Manager{ID: 1, Login: "anna", Name: "Анна Соколова", TimeZone: "Europe/Moscow", Language: lang}, At: at(23, 8, 0)}
	d.sortOut([]store.Item{
		contact(store.Contact{ID: 12, Kind: store.Call, State: store.Planned, Importance: store.High, ClientID: 1, ClientName: "ООО «Ромашка»", Subject: "Условия договора на 2027 год", When: store.Span{Start: at(20, 10, 0), End: at(20, 10, 30)}}),
		event(store.DealEvent{ID: 7, DealID: 14, Kind: store.Payment, Due: "2026-11-22", Known: true, State: store.Planned, Amount: 64225000, Covered: 20000000}, store.PaymentItem),
		contact(store.Contact{ID: 13, Kind: store.Meeting, State: store.Planned, Importance: store.Normal, ClientText: "Пётр из «Сириуса» <script>alert(1)</script>", Subject: "Знакомство", When: store.Span{Start: at(23, 15, 0), End: at(23, 16, 30)}}),
		contact(store.Contact{ID: 14, Kind: store.Call, State: store.Planned, Importance: store.Normal, ClientID: 2, ClientName: "Orion Trading & Co", When: store.Span{Start: at(23, 9, 30), End: at(23, 9, 30)}}),
		contact(store.Contact{ID: 15, Kind: store.Other, State: store.Postponed, Importance: store.Low, ClientID: 1, ClientName: "ООО «Ромашка»", Subject: "Отправить образцы", PostponedT: at(18, 12, 0), When: store.Days("2026-11-23", "2026-11-23", loc)}),
		contact(store.Contact{ID: 16, Kind: store.Visit, State: store.Postponed, Importance: store.Low, ClientID: 1, ClientName: "ООО «Ромашка»", Subject: "не сегодня", PostponedT: at(18, 12, 0), When: store.Days("2026-11-27", "2026-11-27", loc)}),
		contact(store.Contact{ID: 17, Kind: store.Visit, State: store.Planned, Importance: store.Low, ClientID: 1, ClientName: "ООО «Ромашка»", Subject: "завтра", When: store.Days("2026-11-24", "2026-11-24", loc)}),
		contact(store.Contact{ID: 18, Kind: store.Meeting, State: store.Planned, Importance: store.Normal, ClientID: 4, ClientName: "АО «Северный путь»", Subject: "Выставка", When: store.Days("2026-11-22", "2026-11-24", loc)}),
		event(store.DealEvent{ID: 8, DealID: 14, Kind: store.Shipment, Due: "2026-11-23", Known: true, State: store.Planned, Amount: 128450000}, store.ShipmentItem),
	})
	d.Unanswered = []store.Unanswered{
		{Contact: store.Contact{ID: 31, Kind: store.Letter, Importance: store.High, ClientID: 3, ClientName: "ООО «Вектор-К»", Persons: []store.PersonRef{{Name: "Мария Белова"}}, Subject: "Re: Счёт № 118 — когда ждать отгрузку?", When: store.Span{Start: at(20, 17, 42), End: at(20, 17, 47)}}, Working: 78 * time.Minute},
		{Contact: store.Contact{ID: 32, Kind: store.Letter, Importance: store.Normal, ClientID: 2, ClientName: "Orion Trading & Co", When: store.Span{Start: at(23, 7, 20), End: at(23, 7, 25)}}},
	}
	d.Senders = []store.Sender{
		{Address: "d.orlov@sirius.test", Name: "Дмитрий Орлов", Letters: 2, Last: at(22, 12, 0), Subject: "Запрос цен"},
		{Address: "evil@x.test", Name: "A\r\nBcc: all@x.test \u202etest", Letters: 1, Last: at(22, 12, 0), Subject: strings.Repeat("Очень длинная тема ", 100)},
	}
	d.Moved = []store.Item{event(store.DealEvent{ID: 9, DealID: 14, Kind: store.Shipment, Due: "2026-11-25", Expected: "2026-12-02", ExpectSet: at(22, 9, 0), Known: true, State: store.Planned, Amount: 128450000}, store.ShipmentItem)}
	d.Unlinked = []store.Contact{{ID: 41, Kind: store.Meeting, Subject: "Кофе <b>с кем-то</b>", When: store.Span{Start: at(25, 12, 0), End: at(25, 13, 0)}}, {ID: 42, Subject: "Позвонить в банк", Created: at(22, 9, 0)}}
	d.Periods = periods("2026-11-23")
	d.Periods[1].Answers = [3]answers{{First: 90, Median: 45, Slowest: 385, Unanswered: 3}, {First: 80, Median: 61, Slowest: 540}, {Unanswered: 1}}
	d.Periods[0].Figures = [3]store.Figures{{}, {LettersIn: 4, LettersOut: 3, Minutes: 35}, {LettersIn: 2, Calls: 1, Minutes: 20}}
	d.Periods[1].Figures = [3]store.Figures{
		{LettersIn: 148, LettersOut: 131, Calls: 42, Meetings: 7, Minutes: 1995, Payments: append(rub(345678901), store.Money{Minor: 1250000, Currency: "EUR"}), Shipments: rub(210000000)},
		{LettersIn: 160, LettersOut: 140, Calls: 40, Meetings: 9, Minutes: 2110, Payments: rub(298000000), Shipments: rub(305500000)},
		{LettersIn: 97, LettersOut: 88, Calls: 51, Minutes: 1470, Payments: rub(187000050)},
	}
	return d
}

func TestDigest_Golden(t *testing.T) {
	for _, lang := range []store.Language{store.Russian, store.English} {
		p := morning(lang).page("https://crm.vector.test")
		pictures, err := p.draw("<digest@vector.test>")
		if err != nil || len(pictures) != 1 {
			t.Fatalf("%d pictures, %v", len(pictures), err)
		}
		html, err := p.html()
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "digest."+string(lang)+".txt", "Subject: "+p.Subject+"\n\n"+p.text())
		golden(t, "digest."+string(lang)+".html", html)
		for _, bad := range []string{"<script>alert", "\u202e", "ZgotmplZ"} {
			if strings.Contains(html, bad) {
				t.Errorf("%s: the page has %q", lang, bad)
			}
		}
	}
}

func TestDigest_Subject(t *testing.T) {
	items := func(n int) []store.Item { return make([]store.Item, n) }
	letters := func(n int) []store.Unanswered { return make([]store.Unanswered, n) }
	cases := []struct {
		digest Digest
		ru, en string
	}{
		{Digest{Overdue: items(3), Today: items(4), Returned: items(1), Unanswered: letters(2)}, "Intouch: 3 просрочено, 5 на сегодня — 23 ноября", "Intouch: 3 overdue, 5 today — 23 November"},
		{Digest{Unanswered: letters(1)}, "Intouch: 1 письмо без ответа — 23 ноября", "Intouch: 1 unanswered letter — 23 November"},
		{Digest{Unanswered: letters(most + 1), Senders: make([]store.Sender, 2)}, "Intouch: 30+ писем без ответа, 2 новых отправителя — 23 ноября", "Intouch: 30+ unanswered letters, 2 new senders — 23 November"},
	}
	for _, c := range cases {
		for lang, want := range map[store.Language]string{store.Russian: c.ru, store.English: c.en} {
			d := c.digest
			full := morning(lang)
			d.Manager, d.At = full.Manager, full.At
			for _, list := range [][]store.Item{d.Overdue, d.Today, d.Returned} {
				for i := range list {
					list[i] = full.Today[0]
				}
			}
			if got := d.page("").Subject; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		}
	}
}

func TestPeriods(t *testing.T) {
	cases := map[store.Date][6]days{
		"2026-11-23": {{"2026-11-22", "2026-11-22"}, {"2026-11-21", "2026-11-21"}, {"2025-11-22", "2025-11-22"}, {"2026-11-01", "2026-11-22"}, {"2026-10-01", "2026-10-22"}, {"2025-11-01", "2025-11-22"}},
		"2026-04-01": {{"2026-03-31", "2026-03-31"}, {"2026-03-30", "2026-03-30"}, {"2025-03-31", "2025-03-31"}, {"2026-03-01", "2026-03-31"}, {"2026-02-01", "2026-02-28"}, {"2025-03-01", "2025-03-31"}},
		"2026-01-02": {{"2026-01-01", "2026-01-01"}, {"2025-12-31", "2025-12-31"}, {"2025-01-01", "2025-01-01"}, {"2026-01-01", "2026-01-01"}, {"2025-12-01", "2025-12-01"}, {"2025-01-01", "2025-01-01"}},
		"2028-03-01": {{"2028-02-29", "2028-02-29"}, {"2028-02-28", "2028-02-28"}, {"2027-02-28", "2027-02-28"}, {"2028-02-01", "2028-02-29"}, {"2028-01-01", "2028-01-29"}, {"2027-02-01", "2027-02-28"}},
	}
	for today, want := range cases {
		p := periods(today)
		got := [6]days{p[0].Now, p[0].Before, p[0].YearAgo, p[1].Now, p[1].Before, p[1].YearAgo}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", today, diff)
		}
	}
}

func TestWriter_Whole(t *testing.T) {
	for minor, want := range map[int64][2]string{
		0: {"0 ₽", "₽0"}, 149: {"1 ₽", "₽1"}, 150: {"2 ₽", "₽2"}, -150: {"−2 ₽", "−₽2"}, 298000000: {"2 980 000 ₽", "₽2,980,000"}, 10000: {"100 ₽", "₽100"},
	} {
		for i, lang := range []store.Language{store.Russian, store.English} {
			w := writer{voice: voice{lang: lang}}
			if got := strings.ReplaceAll(store.Money{Minor: minor, Currency: "RUB"}.Whole(w.lang), "\u00a0", " "); got != want[i] {
				t.Errorf("%d: %q, want %q", minor, got, want[i])
			}
		}
	}
}

func TestTexts(t *testing.T) {
	for key, w := range texts {
		if w[0] == "" || w[1] == "" || strings.Count(w[0], "%s") != strings.Count(w[1], "%s") {
			t.Errorf("%q: %q", key, w)
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
