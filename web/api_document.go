package web

import "intouch/store"

// apiDocument is a document as answers give it.
type apiDocument struct {
	ID         int64              `json:"id"`
	ExternalID *string            `json:"external_id"`
	Kind       store.DocumentKind `json:"kind"`
	Number     string             `json:"number"`
	Date       store.Date         `json:"date"`
	Deal       *recordRef         `json:"deal"`
	Client     *recordRef         `json:"client"`
	Amount     sum                `json:"amount"`
	Cost       *sum               `json:"cost"`
	Tax        *sum               `json:"tax"`
	Lines      []apiLine          `json:"lines"`
	Changed    *instant           `json:"changed"`
	Version    int64              `json:"version"`
}

// documentBody is what a request says of a document.
type documentBody struct {
	ExternalID field[string]     `json:"external_id"`
	Kind       field[string]     `json:"kind"`
	Number     field[string]     `json:"number"`
	Date       field[isoDay]     `json:"date"`
	Deal       field[recordRef]  `json:"deal"`
	Client     field[recordRef]  `json:"client"`
	Amount     field[sum]        `json:"amount"`
	Cost       field[sum]        `json:"cost"`
	Tax        field[sum]        `json:"tax"`
	Lines      field[[]lineBody] `json:"lines"`

	ID      readOnly `json:"id"`
	Changed readOnly `json:"changed"`
	Version readOnly `json:"version"`
}

var documentKind = records[store.FullDocument, documentBody]{
	name:    "documents",
	filters: []string{"external_id", "client", "client_id", "deal", "deal_id", "kind", "number", "date_from", "date_to"},
	list:    (*store.Store).FullDocuments,
	one:     (*store.Import).FullDocument,
	given:   func(b *documentBody) *field[string] { return &b.ExternalID },
	key: func(r *store.FullDocument) (store.Ref, int64) {
		return store.Ref{ID: r.ID, ExternalID: r.ExternalID}, r.Version
	},
	show: func(r *store.FullDocument) any {
		return &apiDocument{r.ID, maybe(r.ExternalID), r.Kind, r.Number, r.Date, refTo(r.Deal), refTo(r.Client), sumOf(r.Amount),
			partOf(r.Cost, r.CostKnown, r.Amount), partOf(r.Tax, r.TaxKnown, r.Amount), linesOf(r.Lines), when(r.Changed), r.Version}
	},
	save: saveDocument,
}

// saveDocument takes what is not said from the document that is there: the rows
// of imports are whole.
func saveDocument(im *store.Import, key string, old *store.FullDocument, b *documentBody) (store.RowChange, int64, error) {
	deal, client := b.Deal.v.ref(), b.Client.v.ref()
	row := store.DocumentRow{ID: key, Kind: store.DocumentKind(b.Kind.v), Number: b.Number.v, Date: b.Date.v.day(),
		Deal: deal.ExternalID, DealID: deal.ID, Client: client.ExternalID, ClientID: client.ID, Amount: b.Amount.v.money()}
	var err error
	if old != nil {
		if key != "" && key != old.ExternalID {
			return "", 0, fieldFault("/external_id", "of a document cannot be changed")
		}
		row.ID, row.Kind, row.Number, row.Date = old.ExternalID, store.DocumentKind(or(b.Kind, string(old.Kind))), or(b.Number, old.Number), or(b.Date, isoDay(old.Date)).day()
		if !b.Deal.said {
			row.DealID = old.DealID
		}
		if !b.Client.said && (!b.Deal.said || b.Deal.null) { // of another deal it is that deal's client
			row.ClientID = old.ClientID
		}
		if !b.Amount.said {
			row.Amount = old.Amount
		} else if row.Amount.Currency == "" {
			row.Amount.Currency = old.Amount.Currency
		}
		if !b.Cost.said && old.CostKnown {
			row.Cost = &store.Money{Minor: old.Cost, Currency: old.Amount.Currency}
		}
		if !b.Tax.said && old.TaxKnown && row.Amount == old.Amount { // of another sum it would be another tax
			row.Tax = &store.Money{Minor: old.Tax, Currency: old.Amount.Currency}
		}
	} else if !b.Amount.said {
		return "", 0, fieldFault("/amount", "is missing")
	}
	if b.Amount.null {
		return "", 0, fieldFault("/amount", "cannot be empty")
	}
	if err := fits("number", row.Number, 200); err != nil {
		return "", 0, err
	}
	if b.Cost.said {
		if row.Cost, err = partRow("cost", b.Cost, row.Amount); err != nil {
			return "", 0, err
		}
	}
	if b.Tax.said {
		if row.Tax, err = partRow("tax", b.Tax, row.Amount); err != nil {
			return "", 0, err
		}
	}
	lines, err := lineRows(b.Lines, row.ID)
	if err != nil {
		return "", 0, err
	}
	change, err := im.DocumentWhole(row, lines)
	return change, 0, err
}
