package caldav

import (
	"strings"
	"testing"

	"intouch/store"
)

// TestBlock_Signs: what letters said stands in DESCRIPTION.
func TestBlock_Signs(t *testing.T) {
	v := &store.EntryView{
		Item: &store.Item{Contact: &store.Contact{Kind: store.Meeting, Signs: []store.Sign{
			{Kind: store.SignAccepted, Who: "olga@romashka.test"}, {Kind: store.SignMoved, Of: "2026-12-08T10:00:00Z", To: &store.Span{Start: utc(9, 10, 0), End: utc(9, 11, 0)}}}}},
		Owner: moscow, Client: romashka,
		Persons: []store.Person{{Name: "Ольга", Emails: []string{"olga@romashka.test", "old@romashka.test"}, Bounced: []string{"old@romashka.test"}, Away: "2026-12-15"}},
	}
	got := block(v)
	for _, want := range []string{
		"Ольга, отсутствует до 15.12.2026, olga@romashka.test, old@romashka.test (почта возвращается)\n",
		"Приглашение принято: olga@romashka.test\n",
		"Перенесена одна встреча: 08.12.2026 13:00 → 09.11.2026 13:00",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	for range 20 {
		v.Item.Contact.Signs = append(v.Item.Contact.Signs, store.Sign{Kind: store.SignDeclined, Who: "x@y.test"})
	}
	if n := strings.Count(block(v), "x@y.test"); n > maxSigns {
		t.Errorf("%d signs", n)
	}
}

// TestBlock_UnknownSums: what the accounting system does not say is not zero.
func TestBlock_UnknownSums(t *testing.T) {
	v := &store.EntryView{
		Item:  &store.Item{Type: store.PaymentItem, Event: &store.DealEvent{Kind: store.Payment, Amount: 500, State: store.Planned}, Deal: &store.Deal{Number: "7", Amount: store.Money{Minor: 500, Currency: "RUB"}}},
		Owner: moscow, Client: romashka, Totals: &store.DealTotals{Ordered: 500, ToPay: 500, LeftToShip: 500, LeftToPay: 500, Currency: "RUB", ShippedKnown: true},
	}
	got := block(v)
	for _, want := range []string{"Осталось отгрузить: 5,00", "Осталось оплатить: неизвестно"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
}

// TestBlock_Debt: what is owed of a deal is said in the manager's language, and
// what nobody knows is said to be unknown.
func TestBlock_Debt(t *testing.T) {
	english := *moscow
	english.Language = store.English
	for _, c := range []struct {
		owner *store.Manager
		debt  store.DealDebt
		want  string
	}{
		{moscow, store.DealDebt{Demanded: 50000, DemandedKnown: true, Received: 10000, ReceivedKnown: true, Debt: 40000, Overdue: 40000, DebtKnown: true, OverdueKnown: true, Since: "2026-11-20"},
			"Предоплата: требуется 500,00\u00a0₽, получено 100,00\u00a0₽\nДолг по сделке: 400,00\u00a0₽\nиз него просрочено: 400,00\u00a0₽ (срок был 20.11.2026)"},
		{&english, store.DealDebt{DemandedKnown: true, ReceivedKnown: true, Debt: 40000, Permitted: 40000, DebtKnown: true, OverdueKnown: true},
			"Debt of the deal: ₽400.00\nof it not yet due: ₽400.00"},
		{moscow, store.DealDebt{Demanded: 50000, DemandedKnown: true}, "Предоплата: требуется 500,00\u00a0₽, получено неизвестно\nДолг по сделке: неизвестно"},
		{&english, store.DealDebt{DebtKnown: true, Debt: 100}, "Debt of the deal: ₽1.00"},
	} {
		v := &store.EntryView{Item: &store.Item{Deal: &store.Deal{Number: "7"}}, Owner: c.owner, Client: romashka, Totals: &store.DealTotals{Currency: "RUB"}, Debt: &c.debt}
		got := strings.ReplaceAll(block(v), "\u202f", "\u00a0")
		if !strings.HasSuffix(got, "\n"+c.want) {
			t.Errorf("%q is not the end of\n%s", c.want, got)
		}
		if len([]rune(got)) > 800 {
			t.Errorf("%d letters", len([]rune(got)))
		}
	}
}
