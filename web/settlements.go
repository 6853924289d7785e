package web

import (
	"net/http"

	"intouch/store"
)

const (
	documentsListed  = 8 // on a client's page
	documentsShown   = 50
	dealBalanceShown = 200
)

// settlementsView is a client's documents and what is owed.
type settlementsView struct {
	ClientID    int64
	Client      string
	Balance     []balance
	Deals       []dealBalanceRow // whose balance is not zero
	Documents   []clientDocumentRow
	First, Next string
}

type dealBalanceRow struct {
	ID     int64
	Number string // "" without a deal
	balance
}

type clientDocumentRow struct {
	documentRow
	DealID int64
	Deal   string
}

func newClientDocumentRow(say voice, d *store.ClientDocument) clientDocumentRow {
	r := clientDocumentRow{documentRow: newDocumentRow(say, &d.Document), DealID: d.DealID}
	if d.DealID != 0 {
		r.Deal = say.t("deal.no", d.Deal)
	}
	if d.Moved {
		r.Movement, r.After = signed(say, d.Movement()), d.After.Format(say.lang)
	}
	return r
}

func (s *server) clientDocuments(v *visit, client int64, after store.DocumentPlace, limit int) (rows []clientDocumentRow, next store.DocumentPlace, err error) {
	found, next, err := s.st.ClientDocuments(v.ctx, v.who, client, after, limit)
	for i := range found {
		rows = append(rows, newClientDocumentRow(v.say, &found[i]))
	}
	return rows, next, err
}

func (s *server) settlements(v *visit) error {
	v.name = "clients"
	_, card, err := s.clientAt(v)
	if err != nil {
		return err
	}
	after := store.ParseDocumentPlace(v.URL.Query().Get("after"))
	view := settlementsView{ClientID: card.Client.ID, Client: card.Client.Name, Balance: balances(v.say, card.Balance)}
	owed, err := s.st.DealBalances(v.ctx, card.Client.ID, dealBalanceShown)
	if err != nil {
		return err
	}
	for _, b := range owed {
		r := dealBalanceRow{ID: b.DealID, balance: balances(v.say, []store.Money{b.Sum})[0]}
		if b.DealID != 0 {
			r.Number = v.say.t("deal.no", b.Deal)
		}
		view.Deals = append(view.Deals, r)
	}
	rows, next, err := s.clientDocuments(v, card.Client.ID, after, documentsShown)
	if err != nil {
		return err
	}
	view.Documents = rows
	if after.ID != 0 {
		view.First = v.at("after", "")
	}
	if next.ID != 0 {
		view.Next = v.at("after", next.String())
	}
	return s.show(v, http.StatusOK, "settlements.html", v.say.t("settlements"), view)
}
