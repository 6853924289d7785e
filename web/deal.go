package web

import (
	"cmp"
	"maps"
	"net/http"
	"slices"

	"intouch/store"
)

type dealRow struct {
	ID        int64
	Number    string
	Date      string
	Amount    string
	Status    string
	Cancelled bool
}

func newDealRow(say voice, d *store.Deal) dealRow {
	r := dealRow{ID: d.ID, Number: say.t("deal.no", d.Number), Date: say.date(d.Date), Amount: d.Amount.Format(say.lang), Status: d.Status}
	if d.Status == "cancelled" { // the one word of the accounting system that means something to us
		r.Cancelled, r.Status = true, say.t("deal.cancelled")
	}
	return r
}

type dealView struct {
	dealRow
	ClientID  int64
	Client    string
	Manager   string
	Open      bool
	Totals    []totalRow
	Events    []row
	Timeline  *timeline // nil: nothing has a day
	Lines     []lineRow
	Documents []documentRow
	Left      []balance // of this deal's documents
	Contacts  []contactRow
	Others    []dealRow
	Balance   []balance
	Notes     []noteRow
}

// noteRow is a paper of the accounting system of another kind.
type noteRow struct{ Title, Text, When string }

// totalRow is one of "shipment" and "payment": what was ordered, what
// happened, what is left.
type totalRow struct {
	Name                   string
	WholeName, Whole       string
	HappenedName, Happened string
	LeftName, Left         string
	Percent                int // of the whole, for the bar
	Complete, Unknown      bool
}

type lineRow struct {
	Item, Article, Quantity, Price, Amount string
	Shipped, Left                          string // of the same thing on all lines, on the first of them
}

// dealLines are the lines of the order with what of each thing was shipped, and
// is left; both where documents say it.
func dealLines(say voice, card *store.DealCard) []lineRow {
	sum := func(minor int64) string {
		return store.Money{Minor: minor, Currency: card.Deal.Amount.Currency}.Format(say.lang)
	}
	with := func(quantity, unit string) string {
		if quantity != "" && unit != "" {
			quantity += "\u00a0" + unit
		}
		return quantity
	}
	totals := card.LineTotals()
	rows := make([]lineRow, len(card.Lines))
	for i, l := range card.Lines {
		rows[i] = lineRow{Item: l.Item, Article: l.Article, Quantity: with(l.Quantity, l.Unit), Price: sum(l.Price), Amount: sum(l.Amount)}
		at := slices.IndexFunc(totals, func(t store.LineTotal) bool { return t.Of(&l) })
		if at < 0 {
			continue // it stands on a line before
		}
		t, unknown := totals[at], store.Word(say.lang, "unknown")
		rows[i].Shipped, rows[i].Left = unknown, unknown
		if t.ShippedKnown {
			rows[i].Shipped = with(t.Shipped, t.Unit)
			if t.OrderedKnown {
				rows[i].Left = with(t.Left, t.Unit)
			}
		}
		totals = slices.Delete(totals, at, at+1)
	}
	return rows
}

type documentRow struct {
	Kind, Number, Date, Amount string
	Tax                        string // "" where it is not known
	Movement, After            string // of debt; "" where it moves none, and what is owed of the deal then
}

func newDocumentRow(say voice, doc *store.Document) documentRow {
	row := documentRow{Kind: store.Word(say.lang, "document."+string(doc.Kind)), Number: doc.Number, Date: say.date(doc.Date), Amount: doc.Amount.Format(say.lang)}
	if doc.TaxKnown {
		row.Tax = say.t("deal.tax", store.Money{Minor: doc.Tax, Currency: doc.Amount.Currency}.Format(say.lang))
	}
	return row
}

// documentRows are documents in order of date with the debt that each moves:
// what was shipped is owed until it is paid or comes back.
func documentRows(say voice, documents []store.Document) (rows []documentRow, left []balance) {
	owed := map[string]int64{}
	for _, doc := range documents {
		row := newDocumentRow(say, &doc)
		if moved := doc.Movement(); moved.Minor != 0 {
			owed[moved.Currency] += moved.Minor
			row.Movement, row.After = signed(say, moved), store.Money{Minor: owed[moved.Currency], Currency: moved.Currency}.Format(say.lang)
		}
		rows = append(rows, row)
	}
	var sums []store.Money
	for _, currency := range slices.Sorted(maps.Keys(owed)) {
		sums = append(sums, store.Money{Minor: owed[currency], Currency: currency})
	}
	return rows, balances(say, sums)
}

// signed is a sum with its sign, also where it grows.
func signed(say voice, m store.Money) string {
	if m.Minor > 0 {
		return "+" + m.Format(say.lang)
	}
	return m.Format(say.lang)
}

func newDealView(say voice, card *store.DealCard, contacts []store.Contact, names map[int64]string, back string) dealView {
	d := &card.Deal
	view := dealView{
		dealRow: newDealRow(say, d), ClientID: card.Client.ID, Client: card.Client.Name,
		Open: card.Open, Balance: balances(say, card.Balance), Totals: totalRows(say, d, card.Totals),
	}
	manager := cmp.Or(d.ManagerID, card.Client.ManagerID)
	view.Manager = names[manager]
	for i := range card.Events {
		e := &card.Events[i]
		if e.State != store.Cancelled {
			view.Events = append(view.Events, eventRow(say, e, d, []int64{manager}, back))
		}
	}
	view.Lines = dealLines(say, card)
	view.Documents, view.Left = documentRows(say, card.Documents)
	for _, n := range card.Notes {
		view.Notes = append(view.Notes, noteRow{n.Title, n.Text, say.moment(n.At)})
	}
	for i := range contacts {
		view.Contacts = append(view.Contacts, newContactRow(say, &contacts[i], names, textListed))
	}
	view.Timeline = newTimeline(say, card, contacts)
	for i := range card.Others {
		view.Others = append(view.Others, newDealRow(say, &card.Others[i]))
	}
	return view
}

// totalRows are the deal's two bars. Where the exchange does not say what
// happened, the page says so instead of a zero (rules.md section 4).
func totalRows(say voice, d *store.Deal, t store.DealTotals) []totalRow {
	currency := cmp.Or(t.Currency, d.Amount.Currency)
	one := func(known bool, name, whole, happened, left string, all, part, rest int64) totalRow {
		sum := func(minor int64) string { return store.Money{Minor: minor, Currency: currency}.Format(say.lang) }
		r := totalRow{
			Name: say.t(name), WholeName: say.t(whole), Whole: sum(all), HappenedName: say.t(happened), Happened: sum(part),
			LeftName: say.t(left), Left: sum(rest), Complete: all > 0 && rest <= 0,
		}
		if all > 0 {
			r.Percent = int(max(0, min(100, float64(part)/float64(all)*100)))
		}
		if d.Status == "cancelled" {
			r.Left = "—"
		}
		if r.Unknown = !known; !known {
			r.Happened, r.Left = store.Word(say.lang, "unknown"), store.Word(say.lang, "unknown")
		}
		return r
	}
	return []totalRow{
		one(t.ShippedKnown, "deal.shipments", "deal.ordered", "deal.shipped", "deal.lefttoship", t.Ordered, t.Shipped, t.LeftToShip),
		one(t.PaidKnown, "deal.payments", "deal.topay", "deal.paid", "deal.lefttopay", t.ToPay, t.Paid, t.LeftToPay),
	}
}

func (s *server) deal(v *visit) error {
	v.name = "deals"
	id, err := v.number("id")
	if err != nil {
		return err
	}
	card, err := s.st.Deal(v.ctx, v.who, id)
	if err != nil {
		return err
	}
	names, err := s.names(v)
	if err != nil {
		return err
	}
	contacts, err := s.st.Contacts(v.ctx, v.who, store.ContactQuery{DealID: id, Limit: contactsShown})
	if err != nil {
		return err
	}
	view := newDealView(v.say, &card, contacts, names, v.here())
	return s.show(v, http.StatusOK, "deal.html", v.say.t("deal.title", card.Deal.Number), view)
}

// editEvent is every button of a deal's event.
func (s *server) editEvent(v *visit) error {
	id, err := v.number("id")
	if err != nil {
		return err
	}
	eventID, err := v.number("event")
	if err != nil {
		return err
	}
	if err := v.form(); err != nil {
		return err
	}
	// The deal's page decides who may see the event.
	card, err := s.st.Deal(v.ctx, v.who, id)
	if err != nil {
		return err
	}
	for i := range card.Events {
		if e := &card.Events[i]; e.ID == eventID {
			here := dealPath(id)
			edit, said, ok := eventEdit(e, v.PostFormValue("do"), v.PostFormValue("value"), v.say)
			if !ok {
				return v.back(here, "refused")
			}
			after, err := s.st.EditEvent(v.ctx, v.actor(), eventID, v.version(), edit)
			if err == nil && after.Version != e.Version {
				said = s.undoable(v, said, store.UndoEvent(e, after.Version))
			}
			return v.edited(err, here, said)
		}
	}
	return store.ErrNotFound
}

// eventEdit is what a button means.
func eventEdit(e *store.DealEvent, do, value string, say voice) (edit store.EventEdit, said string, ok bool) {
	state := func(st store.State) *store.State { return &st }
	switch do {
	case "done":
		return store.EventEdit{State: state(store.Done)}, "done", true
	case "postpone":
		return store.EventEdit{State: state(store.Postponed)}, "postponed", true
	case "plan":
		return store.EventEdit{State: state(store.Planned)}, "planned", true
	case "tomorrow":
		do, value = "snooze", "tomorrow"
		fallthrough
	case "snooze":
		when, ok := e.When(say.loc).Snooze(store.Snooze(value), say.now, say.loc)
		return store.EventEdit{Expected: &when.First}, "moved", ok && when.AllDay
	}
	return store.EventEdit{}, "", false
}
