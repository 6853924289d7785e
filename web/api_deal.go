package web

import (
	"fmt"
	"strconv"

	"intouch/store"
)

// apiDeal is a deal as answers give it.
type apiDeal struct {
	ID         int64       `json:"id"`
	ExternalID *string     `json:"external_id"`
	Number     string      `json:"number"`
	Date       store.Date  `json:"date"`
	Client     *recordRef  `json:"client"`
	Manager    *string     `json:"manager"`
	Amount     sum         `json:"amount"`
	Cost       *sum        `json:"cost"`
	Status     string      `json:"status"`
	Source     *string     `json:"source"`
	ShipDue    *store.Date `json:"ship_due"`
	PayDue     *store.Date `json:"pay_due"`
	Lines      []apiLine   `json:"lines"`
	Events     []apiEvent  `json:"events"`
	Created    *instant    `json:"created"`
	Changed    *instant    `json:"changed"`
	Version    int64       `json:"version"`
}

// apiLine is a line of a deal or document; sums are minor units of its
// currency.
type apiLine struct {
	ExternalID *string `json:"external_id"`
	Item       string  `json:"item"`
	Article    string  `json:"article"`
	Quantity   string  `json:"quantity"`
	Unit       string  `json:"unit"`
	Price      int64   `json:"price"`
	Amount     int64   `json:"amount"`
	Cost       int64   `json:"cost"`
}

// apiEvent is a planned or past shipment or payment.
type apiEvent struct {
	ExternalID *string         `json:"external_id"`
	Kind       store.EventKind `json:"kind"`
	Due        *store.Date     `json:"due"`
	Expected   *store.Date     `json:"expected"`
	Amount     int64           `json:"amount"`
	Covered    int64           `json:"covered"`
	Known      bool            `json:"known"`
	State      store.State     `json:"state"`
	Completed  *instant        `json:"completed"`
	Note       string          `json:"note"`
}

// dealBody is what a request says of a deal.
type dealBody struct {
	ExternalID field[string]      `json:"external_id"`
	Number     field[string]      `json:"number"`
	Date       field[isoDay]      `json:"date"`
	Client     field[recordRef]   `json:"client"`
	Manager    field[string]      `json:"manager"`
	Amount     field[sum]         `json:"amount"`
	Cost       field[sum]         `json:"cost"`
	Status     field[string]      `json:"status"`
	Source     field[string]      `json:"source"`
	ShipDue    field[isoDay]      `json:"ship_due"`
	PayDue     field[isoDay]      `json:"pay_due"`
	Lines      field[[]lineBody]  `json:"lines"`
	Events     field[[]eventBody] `json:"events"`

	ID      readOnly `json:"id"`
	Created readOnly `json:"created"`
	Changed readOnly `json:"changed"`
	Version readOnly `json:"version"`
}

type lineBody struct {
	ExternalID field[string] `json:"external_id"`
	Item       string        `json:"item"`
	Article    string        `json:"article"`
	Quantity   string        `json:"quantity"`
	Unit       string        `json:"unit"`
	Price      minor         `json:"price"`
	Amount     minor         `json:"amount"`
	Cost       minor         `json:"cost"`
}

type eventBody struct {
	ExternalID field[string] `json:"external_id"`
	Kind       string        `json:"kind"`
	Due        field[isoDay] `json:"due"`
	Amount     minor         `json:"amount"`

	Expected  readOnly `json:"expected"`
	Covered   readOnly `json:"covered"`
	Known     readOnly `json:"known"`
	State     readOnly `json:"state"`
	Completed readOnly `json:"completed"`
	Note      readOnly `json:"note"`
}

var dealKind = records[store.FullDeal, dealBody]{
	name:    "deals",
	filters: []string{"external_id", "client", "client_id", "manager", "number", "status", "date_from", "date_to"},
	list:    (*store.Store).FullDeals,
	one:     (*store.Import).FullDeal,
	given:   func(b *dealBody) *field[string] { return &b.ExternalID },
	key: func(r *store.FullDeal) (store.Ref, int64) {
		return store.Ref{ID: r.ID, ExternalID: r.ExternalID}, r.Version
	},
	show: showDeal,
	save: saveDeal,
}

func showDeal(r *store.FullDeal) any {
	out := &apiDeal{r.ID, maybe(r.ExternalID), r.Number, r.Date, refTo(r.Client), maybe(r.Manager), sumOf(r.Amount), partOf(r.Cost, r.CostKnown, r.Amount),
		r.Status, maybe(r.Source), maybe(r.ShipDue), maybe(r.PayDue), linesOf(r.Lines), []apiEvent{}, when(r.Created), when(r.Changed), r.Version}
	for i := range r.Events {
		e := &r.Events[i]
		out.Events = append(out.Events, apiEvent{maybe(e.ExternalID), e.Kind, maybe(e.Due), maybe(e.Expected), e.Amount, e.Covered, e.Known, e.State, when(e.Completed), e.Note})
	}
	return out
}

func sumOf(m store.Money) sum { return sum{minor(m.Minor), m.Currency} }

// partOf is a cost or tax of an answer, null where it is not known.
func partOf(minorUnits int64, known bool, of store.Money) *sum {
	if !known {
		return nil
	}
	return &sum{minor(minorUnits), of.Currency}
}

func linesOf(lines []store.Line) []apiLine {
	out := make([]apiLine, len(lines))
	for i, l := range lines {
		out[i] = apiLine{maybe(l.ExternalID), l.Item, l.Article, l.Quantity, l.Unit, l.Price, l.Amount, l.Cost}
	}
	return out
}

// lineRows are the lines of a body, nil when it says nothing of them. One
// without a key is known by its place.
func lineRows(f field[[]lineBody], owner string) ([]store.LineRow, error) {
	if !f.said {
		return nil, nil
	}
	out := []store.LineRow{}
	for i, l := range f.v {
		at := "lines/" + strconv.Itoa(i) + "/"
		for name, v := range map[string]string{"article": l.Article, "quantity": l.Quantity, "unit": l.Unit} {
			most := 40
			if name == "article" {
				most = 200
			}
			if err := fits(at+name, v, most); err != nil {
				return nil, err
			}
		}
		key := l.ExternalID.v
		if key == "" {
			key = fmt.Sprintf("%s#%d", owner, i+1)
		}
		out = append(out, store.LineRow{ID: key, Item: l.Item, Article: l.Article, Quantity: l.Quantity, Unit: l.Unit,
			Price: int64(l.Price), Amount: int64(l.Amount), Cost: int64(l.Cost)})
	}
	return out, nil
}

// partRow is a cost or tax of a body, the field of that name, in the currency
// of the sum; nil: not said.
func partRow(name string, f field[sum], of store.Money) (*store.Money, error) {
	if !f.said || f.null {
		return nil, nil
	}
	if f.v.Currency != "" && of.Currency != "" && f.v.Currency != of.Currency {
		return nil, fieldFault("/"+name+"/currency", "is not that of the amount")
	}
	m := f.v.money()
	return &m, nil
}

func saveDeal(im *store.Import, key string, old *store.FullDeal, b *dealBody) (store.RowChange, int64, error) {
	client := b.Client.v.ref()
	row := store.DealRow{ID: key, Number: b.Number.v, Date: store.Date(b.Date.v), Client: client.ExternalID, ClientID: client.ID, Manager: b.Manager.v,
		Amount: b.Amount.v.money(), ShipDue: store.Date(b.ShipDue.v), PayDue: store.Date(b.PayDue.v), Status: b.Status.v, Source: b.Source.v,
		Clear: cleared(map[string]bool{"manager": b.Manager.null, "source": b.Source.null, "cost": b.Cost.null})}
	if old != nil {
		if key != "" && key != old.ExternalID {
			return "", 0, fieldFault("/external_id", "of a deal cannot be changed")
		}
		row.ID, row.Date, row.Status = old.ExternalID, or(b.Date, isoDay(old.Date)).day(), or(b.Status, old.Status)
		if !b.Client.said {
			row.ClientID = old.ClientID
		}
		if !b.Amount.said {
			row.Amount = old.Amount
		} else if row.Amount.Currency == "" {
			row.Amount.Currency = old.Amount.Currency
		}
	} else if !b.Amount.said {
		return "", 0, fieldFault("/amount", "is missing")
	}
	if b.Amount.null {
		return "", 0, fieldFault("/amount", "cannot be empty")
	}
	for name, null := range map[string]bool{"ship_due": b.ShipDue.null && old != nil && old.ShipDue != "", "pay_due": b.PayDue.null && old != nil && old.PayDue != ""} {
		if null {
			return "", 0, fieldFault("/"+name, "cannot be emptied once it was said")
		}
	}
	for name, v := range map[string]string{"number": row.Number, "status": row.Status} {
		most := 100
		if name == "number" {
			most = 200
		}
		if err := fits(name, v, most); err != nil {
			return "", 0, err
		}
	}
	var err error
	if row.Cost, err = partRow("cost", b.Cost, row.Amount); err != nil {
		return "", 0, err
	}
	lines, err := lineRows(b.Lines, row.ID)
	if err != nil {
		return "", 0, err
	}
	var events []store.EventRow
	for i, e := range b.Events.v {
		if e.ExternalID.v == "" {
			if e.isOurs() { // made of ship_due or pay_due, and sent back
				continue
			}
			return "", 0, fieldFault(fmt.Sprintf("/events/%d/external_id", i), "is missing")
		}
		events = append(events, store.EventRow{ID: e.ExternalID.v, Kind: store.EventKind(e.Kind), Due: store.Date(e.Due.v), Amount: int64(e.Amount)})
	}
	change, err := im.DealWhole(row, lines, events)
	return change, 0, err
}

// isOurs reports whether it is an event as an answer gives those that were not
// given one by one.
func (e *eventBody) isOurs() bool { return e.ExternalID.null && e.State != nil }

func (d isoDay) day() store.Date { return store.Date(d) }
