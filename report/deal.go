package report

import (
	"cmp"
	"errors"
	"fmt"

	"intouch/store"
)

// dealReport is the deal analysis of rules.md section 4: of the one deal that
// the filter names.
var dealReport = report{
	name:    "deal",
	about:   "analysis of one deal, which --deal names: sums, debt, events, lines, documents, contacts, the client's other open deals",
	filters: []string{"deal"},
	build:   (*run).deal,
}

// maxDealContacts bounds the contacts about one deal.
const maxDealContacts = 500

func (r *run) deal() (*Table, error) {
	if len(r.filter.deals) != 1 || r.filter.deals[0] == 0 {
		return nil, invalid("the report deal is of one deal: deal names it")
	}
	card, err := r.st.Deal(r.ctx, r.Viewer, r.filter.deals[0])
	if errors.Is(err, store.ErrNotFound) {
		return nil, invalid("there is no deal %q", clip(r.Params.Get("deal")))
	}
	if err != nil {
		return nil, err
	}
	contacts, err := r.st.Contacts(r.ctx, r.Viewer, store.ContactQuery{DealID: card.Deal.ID, Limit: maxDealContacts})
	if err != nil {
		return nil, err
	}
	// As on the deal's page: who sees the client sees all its deals.
	all := r.Viewer
	all.Role = store.RoleHead
	others, err := gather(func(each func(*store.OpenDeal) error) error {
		return r.st.OpenDeals(r.ctx, store.DealSelection{Viewer: all, Clients: []int64{card.Client.ID}}, each)
	})
	if err != nil {
		return nil, err
	}
	names, err := r.managerNames()
	if err != nil {
		return nil, err
	}
	r.filter.said = nil // the title says it
	t := r.dealSums(&card)
	t.Title = r.t("title.deal", card.Deal.Number)
	t.About = []string{r.t("by.client") + ": " + card.Client.Name, r.t("column.date") + ": " + voice{r.lang}.date(card.Deal.Date)}
	if name := names[cmp.Or(card.Deal.ManagerID, card.Client.ManagerID)]; name != "" && r.Viewer.Role == store.RoleHead {
		t.About = append(t.About, r.t("by.manager")+": "+name)
	}
	state := "closed"
	switch {
	case card.Deal.Status == "cancelled":
		state = "cancelled"
	case card.Open:
		state = "open"
	}
	t.About = append(t.About, r.t("by.state")+": "+r.t(state))
	for _, section := range []Table{r.dealEvents(&card), r.dealLines(&card), r.dealDocuments(&card), r.dealContacts(contacts, names), r.otherDeals(others, card.Deal.ID)} {
		if len(section.Rows) > 0 {
			t.Sections = append(t.Sections, section)
		}
	}
	return t, nil
}

// dealSums are the sums of the deal, one in each row.
func (r *run) dealSums(card *store.DealCard) *Table {
	t := &Table{Columns: []Column{r.column("indicator", Text), r.column("sum", Sum)}}
	add := func(key string, v Value) {
		t.Rows = append(t.Rows, Row{Leaf: true, Values: []Value{text(r.t("column." + key)), v}})
	}
	s, debt := card.Totals, card.Debt(r.loc, r.Now)
	currency := card.Deal.Amount.Currency
	add("ordered", amount(s.Ordered, currency, true))
	add("shipped", amount(s.Shipped, currency, s.ShippedKnown))
	add("left to ship", amount(s.LeftToShip, currency, s.ShippedKnown))
	add("to pay", amount(s.ToPay, currency, true))
	add("paid", amount(s.Paid, currency, s.PaidKnown))
	add("left to pay", amount(s.LeftToPay, currency, s.PaidKnown))
	add("demanded", amount(debt.Demanded, currency, debt.DemandedKnown))
	add("received", amount(debt.Received, currency, debt.ReceivedKnown))
	add("debt", amount(debt.Debt, currency, debt.DebtKnown))
	add("permitted", amount(debt.Permitted, currency, debt.OverdueKnown))
	add("overdue", amount(debt.Overdue, currency, debt.OverdueKnown))
	if debt.OverdueKnown && debt.Overdue > 0 {
		t.Rows[len(t.Rows)-1].Status = store.StatusOverdue
	}
	balance := sums(card.Balance...)
	if len(card.Balance) == 0 {
		balance = amount(0, currency, true)
	}
	add("balance", balance)
	if !s.ShippedKnown || !s.PaidKnown {
		t.Notes = append(t.Notes, r.t("not said"))
	}
	switch {
	case debt.DebtKnown && !debt.OverdueKnown:
		t.Notes = append(t.Notes, r.t("no due"))
	case debt.Debt > 0:
		t.Notes = append(t.Notes, r.t("no limit"))
	}
	return t
}

func (r *run) dealEvents(card *store.DealCard) Table {
	t := Table{Name: "events", Title: r.t("section.events"), Columns: []Column{r.column("type", Text), r.column("day", Day), r.column("moved from", Day),
		r.column("sum", Sum), r.column("covered", Sum), r.column("status", Text)}}
	for i := range card.Events {
		e := &card.Events[i]
		status, moved := e.Status(r.loc, r.Now), store.Date("")
		if e.Moved() {
			moved = e.MovedFrom()
		}
		currency := card.Deal.Amount.Currency
		t.Rows = append(t.Rows, Row{Leaf: true, Status: status, Values: []Value{text(store.Word(r.lang, "type."+string(e.Kind))), day(e.Day()), day(moved),
			amount(e.Amount, currency, true), amount(e.Covered, currency, e.Known || e.Covered > 0), r.statusWord(status)}})
	}
	return t
}

func (r *run) dealLines(card *store.DealCard) Table {
	t := Table{Name: "lines", Title: r.t("section.lines"), Columns: []Column{r.column("item", Text), r.column("article", Text), r.column("unit", Text),
		r.column("ordered", Amount), r.column("shipped", Amount), r.column("left", Amount)}}
	for _, l := range card.LineTotals() {
		t.Rows = append(t.Rows, Row{Leaf: true, Values: []Value{text(l.Item), text(l.Article), text(l.Unit), quantity(l.Ordered, l.OrderedKnown),
			quantity(l.Shipped, l.ShippedKnown), quantity(l.Left, l.OrderedKnown && l.ShippedKnown)}})
	}
	return t
}

// dealDocuments are the documents with the debt that each moves; an invoice
// moves none.
func (r *run) dealDocuments(card *store.DealCard) Table {
	after := r.column("after", Sum)
	after.NoSum = true
	t := Table{Name: "documents", Title: r.t("section.documents"), Columns: []Column{r.column("document", Text), r.column("number", Text), r.column("date", Day),
		r.column("sum", Sum), r.column("movement", Sum), after}}
	t.Columns[3].NoSum = true // shipments and payments are not added up
	balance := Value{}
	for _, d := range card.Documents {
		moved := d.Movement()
		movement := amount(moved.Minor, moved.Currency, true)
		balance = balance.plus(movement)
		t.Rows = append(t.Rows, Row{Leaf: true, Values: []Value{text(store.Word(r.lang, "document."+string(d.Kind))), text(d.Number), day(d.Date),
			amount(d.Amount.Minor, d.Amount.Currency, true), movement, balance}})
	}
	t.Total = []Value{text(r.t("column.deal balance")), none(), none(), none(), balance, balance}
	return t
}

func (r *run) dealContacts(found []store.Contact, names map[int64]string) Table {
	t := Table{Name: "contacts", Title: r.t("section.contacts"), Columns: []Column{r.column("when", Moment), r.column("kind", Text), r.column("manager", Text),
		r.column("subject", Text), r.column("minutes", Minutes), r.column("status", Text)}}
	for i := range found {
		c := &found[i]
		estimate := int64(0)
		if c.Estimated {
			estimate = int64(c.Minutes)
		}
		status := c.Status(r.loc, r.Now)
		if status == store.StatusCancelled {
			continue
		}
		when := none()
		if !c.When.IsZero() {
			when = Value{N: c.When.Begins(r.loc).Unix()}
		}
		t.Rows = append(t.Rows, Row{Leaf: true, Status: status, URL: fmt.Sprintf("/contacts/%d", c.ID), Values: []Value{when,
			text(store.Word(r.lang, "kind."+string(c.Kind))), text(names[c.ManagerID]), text(c.Subject), minutes(int64(c.Minutes), estimate), r.statusWord(status)}})
	}
	return t
}

func (r *run) otherDeals(found []*store.OpenDeal, but int64) Table {
	t := Table{Name: "others", Title: r.t("section.others"), Columns: []Column{r.column("number", Text), r.column("date", Day), r.column("sum", Sum),
		r.column("left to ship", Sum), r.column("left to pay", Sum), r.column("next", Text), r.column("next day", Day), r.column("moved from", Day), r.column("status", Text)}}
	for _, d := range found {
		if d.Deal.ID == but {
			continue
		}
		next, s := d.Next(r.loc, r.Now), d.Totals
		row := Row{Leaf: true, URL: fmt.Sprintf("/deals/%d", d.Deal.ID), Values: append([]Value{text(d.Deal.Number), day(d.Deal.Date), amount(s.Ordered, s.Currency, true),
			amount(s.LeftToShip, s.Currency, s.ShippedKnown), amount(s.LeftToPay, s.Currency, s.PaidKnown)}, r.nextEvent(next)...)}
		if next != nil {
			row.Status = next.Status(r.loc, r.Now)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}
