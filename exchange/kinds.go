package exchange

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"intouch/store"
)

// taker writes one row in an import's transaction.
type taker func(*store.Import) (store.RowChange, error)

func taking[R any](put func(*store.Import, R) (store.RowChange, error), row R) taker {
	return func(im *store.Import) (store.RowChange, error) { return put(im, row) }
}

// take reads a row of its kind, or tells its first fault.
func (f *fields) take() (taker, error) {
	var t taker
	switch f.rows.kind {
	case Managers:
		t = taking((*store.Import).Manager, f.manager())
	case Rates:
		t = taking((*store.Import).Rate, f.rate())
	case Clients:
		t = taking((*store.Import).Client, f.client())
	case Persons:
		t = taking((*store.Import).Person, f.person())
	case Sources:
		t = taking((*store.Import).Source, f.source())
	case Deals:
		t = taking((*store.Import).Deal, f.deal())
	case Events:
		t = taking((*store.Import).Event, f.event())
	case Lines:
		t = taking((*store.Import).Line, f.line())
	case Contacts:
		t = taking((*store.Import).PutContact, f.contact())
	case Documents:
		t = taking((*store.Import).Document, f.document())
	}
	return t, f.fault
}

func (f *fields) manager() store.ManagerRow {
	return store.ManagerRow{
		ID:        f.text("id"),
		Name:      f.text("name"),
		Login:     f.text("login"),
		Role:      f.word("role", roleWords),
		TimeZone:  f.text("time_zone"),
		Language:  f.word("language", languageWords),
		WorkHours: f.text("work_hours"),
		Emails:    f.addresses("email"),
	}
}

func (f *fields) client() store.ClientRow {
	if text := f.text(attributes); text != "" {
		if err := f.rows.attributesOf(f.row, text); err != nil && f.fault == nil {
			f.fault = err
		}
	}
	for name, value := range f.row.attributes {
		if strings.EqualFold(name, store.AttributeINN) {
			f.row.attributes[name] = cmp.Or(innOf(value), value) // spreadsheets lose its leading zero
		}
	}
	return store.ClientRow{
		ID:         f.text("id"),
		Name:       f.text("name"),
		Importance: f.word("importance", importanceWords),
		Manager:    f.text("manager"),
		Source:     f.text("source"),
		Stage:      f.word("stage", stageWords),
		Domains:    f.addresses("domains"),
		Emails:     f.addresses("emails"),
		Phones:     f.phones("phones"),
		Attributes: f.row.attributes,
	}
}

func (f *fields) person() store.PersonRow {
	return store.PersonRow{
		ID:       f.text("id"),
		Client:   f.text("client"),
		Name:     joinWords(f.text(surname), f.text("name"), f.text(patronymic)),
		Position: f.text("position"),
		Emails:   f.addresses("emails"),
		Phones:   f.phones("phones"),
		Birthday: f.date("birthday"),
	}
}

func (f *fields) source() store.SourceRow {
	return store.SourceRow{
		ID:       f.text("id"),
		Name:     f.text("name"),
		Campaign: f.text("campaign"),
		Medium:   f.text("medium"),
		From:     f.date("from"),
		To:       f.date("to"),
		Cost:     f.sum("cost"),
	}
}

func (f *fields) rate() store.RateRow {
	row := store.RateRow{Date: f.date("date"), Rate: f.quantity("rate"), Per: 1}
	if f.text("currency") == "" {
		f.refuse("currency", "is missing")
	}
	row.Currency = f.rowCurrency()
	if per := f.quantity("per"); per != "" {
		n, err := strconv.ParseInt(per, 10, 64)
		if err != nil || n < 1 {
			f.refuse("per", "%q is not a whole number like 100", short(per))
		}
		row.Per = n
	}
	return row
}

func (f *fields) deal() store.DealRow {
	status := dealStatus(f.text("status"))
	if f.word(cancelled, yesWords) == "yes" {
		status = string(store.Cancelled)
	}
	return store.DealRow{
		ID:      f.text("id"),
		Number:  f.text("number"),
		Date:    f.date("date"),
		Client:  f.text("client"),
		Manager: f.text("manager"),
		Amount:  f.sum("amount"),
		Cost:    f.knownSum("cost"),
		ShipDue: f.date("ship_due"),
		PayDue:  f.date("pay_due"),
		Status:  status,
		Source:  f.text("source"),
	}
}

// dealStatus is as the accounting system says it, but for the one word that
// ends a deal.
func dealStatus(text string) string {
	if slices.Contains([]string{"cancelled", "canceled", "отменен", "отменена", "отмена", "аннулирован", "аннулирована"}, fold(text)) {
		return string(store.Cancelled)
	}
	return text
}

func (f *fields) event() store.EventRow {
	return store.EventRow{
		ID:     f.text("id"),
		Deal:   f.text("deal"),
		Kind:   store.EventKind(f.word("kind", eventWords)),
		Due:    f.date("due"),
		Amount: f.sum("amount").Minor,
	}
}

func (f *fields) line() store.LineRow {
	return store.LineRow{
		ID:       f.text("id"),
		Deal:     f.text("deal"),
		Document: f.text("document"),
		Item:     f.text("item"),
		Article:  f.text("article"),
		Quantity: f.quantity("quantity"),
		Unit:     f.text("unit"),
		Price:    f.sum("price").Minor,
		Amount:   f.sum("amount").Minor,
		Cost:     f.sum("cost").Minor,
	}
}

func (f *fields) document() store.DocumentRow {
	return store.DocumentRow{
		ID:     f.text("id"),
		Kind:   store.DocumentKind(f.word("kind", documentWords)),
		Number: f.text("number"),
		Date:   f.date("date"),
		Deal:   f.text("deal"),
		Client: f.text("client"),
		Amount: f.sum("amount"),
		Cost:   f.knownSum("cost"),
		Tax:    f.knownSum("tax"),
	}
}

func (f *fields) contact() store.ContactRow {
	row := store.ContactRow{
		ID:         f.text("key"),
		Kind:       store.Kind(f.word("kind", contactWords)),
		Direction:  store.Direction(f.word("direction", directionWords)),
		State:      store.State(f.word("state", stateWords)),
		Importance: store.Importance(f.word("importance", importanceWords)),
		Client:     f.text("client"),
		ClientText: f.text("client_name"),
		Persons:    f.addresses("persons"),
		Managers:   f.addresses("managers"),
		Subject:    f.text("subject"),
		Text:       f.text("text"),
		When:       f.span(),
		Minutes:    f.minutes("minutes"),
		Estimated:  f.word("estimated", yesWords) == "yes",
		Deal:       f.text("deal"),
		Source:     f.text("source"),
	}
	if row.Kind == "" {
		f.refuse("kind", "is missing")
	}
	return row
}

func joinWords(words ...string) string {
	joined := ""
	for _, w := range words {
		if w != "" && joined != "" {
			joined += " "
		}
		joined += w
	}
	return joined
}
