package store

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// The records behind the figures of reports: each function selects as the
// groups of its figures do, so that the records add up to them.

// RowSelection selects the records behind a figure.
type RowSelection struct {
	SaleSelection
	// Sources are the lead sources that were valid, as SourceGroups counts; 0:
	// none. Empty: whatever they were.
	Sources []int64
	Expiry  int  // days, as SourceGroups has it
	First   bool // only the first one of its client
	Limit   int  // of records; how many there are is not said
}

// DealRecord is a deal behind a figure.
type DealRecord struct {
	Deal    Deal
	Manager GroupKey // responsible
}

// DealRecords gives the deals behind the figures of DealGroups, oldest first.
func (s *Store) DealRecords(ctx context.Context, q RowSelection) (out []DealRecord, err error) {
	var c conditions
	c.add("d.date >= ?", string(q.From))
	c.add("d.date <= ?", string(q.To))
	c.add("d.status <> 'cancelled'")
	if q.First {
		c.add(firstDeal)
	}
	q.add(&c, s.dialect, "d.client_id")
	c.ids(s.dialect, s.dialect.sourceOfDeal(q.Expiry), q.Sources)
	query := `SELECT ` + dealColumns + `, m.id, m.name FROM deals d JOIN clients cl ON cl.id = d.client_id LEFT JOIN managers m ON m.id = ` + documentManager +
		c.where() + ` ORDER BY d.date, d.id LIMIT ` + c.arg(q.Limit)
	err = s.read(ctx, func(t *tx) error {
		return t.rows(query, c.args, func(scan func(...any) error) error {
			var r DealRecord
			err := scan(append(r.Deal.into(), idInto{&r.Manager.ID}, textInto{&r.Manager.Text})...)
			out = append(out, r)
			return err
		})
	})
	return out, err
}

// DocumentRecord is a document behind a figure.
type DocumentRecord struct {
	Document   Document
	Client     string
	Manager    GroupKey // of its deal, else of the client
	DealNumber string
}

// DocumentRecords gives the documents of some kinds behind the figures of
// SaleGroups and of the sales of SourceGroups, oldest first.
func (s *Store) DocumentRecords(ctx context.Context, q RowSelection, kinds ...DocumentKind) (out []DocumentRecord, err error) {
	var c conditions
	c.add("doc.date >= ?", string(q.From))
	c.add("doc.date <= ?", string(q.To))
	c.texts(s.dialect, "doc.kind", asTexts(kinds))
	if q.First {
		c.add(firstSale)
	}
	q.add(&c, s.dialect, "doc.client_id")
	c.ids(s.dialect, s.dialect.sourceOfSale(q.Expiry), q.Sources)
	query := `SELECT doc.id, doc.external_id, doc.kind, doc.number, doc.date, doc.deal_id, doc.client_id, doc.amount, doc.currency, doc.cost, doc.cost IS NOT NULL, doc.tax, doc.tax IS NOT NULL,
		cl.name, d.number, m.id, m.name
		FROM documents doc JOIN clients cl ON cl.id = doc.client_id LEFT JOIN deals d ON d.id = doc.deal_id LEFT JOIN managers m ON m.id = ` + documentManager +
		c.where() + ` ORDER BY doc.date, doc.id LIMIT ` + c.arg(q.Limit)
	err = s.read(ctx, func(t *tx) error {
		return t.rows(query, c.args, func(scan func(...any) error) error {
			var r DocumentRecord
			d := &r.Document
			err := scan(&d.ID, textInto{&d.ExternalID}, &d.Kind, &d.Number, &d.Date, idInto{&d.DealID}, &d.ClientID, &d.Amount.Minor, &d.Amount.Currency,
				idInto{&d.Cost}, &d.CostKnown, idInto{&d.Tax}, &d.TaxKnown, &r.Client, textInto{&r.DealNumber}, idInto{&r.Manager.ID}, textInto{&r.Manager.Text})
			out = append(out, r)
			return err
		})
	})
	return out, err
}

// OverdueRecord is a payment behind a figure of OverdueGroups.
type OverdueRecord struct {
	DealID          int64
	DealNumber      string
	Client, Manager string
	Day             Date  // when it was expected
	Open            Money // what is missing of it
}

// OverdueRecords gives the payments behind the figures of OverdueGroups, the
// longest overdue first.
func (s *Store) OverdueRecords(ctx context.Context, q RowSelection, before Date, today bool) (out []OverdueRecord, err error) {
	var c conditions
	c.add(isOverdue)
	q.add(&c, s.dialect, "d.client_id")
	query := `SELECT d.id, d.number, cl.name, m.name, u.day, u.open, d.currency FROM (` + overdue(c.arg(string(before)), today) + `) u
		JOIN deals d ON d.id = u.deal_id JOIN clients cl ON cl.id = d.client_id LEFT JOIN managers m ON m.id = ` + documentManager +
		c.where() + ` ORDER BY u.day, u.id LIMIT ` + c.arg(q.Limit)
	err = s.read(ctx, func(t *tx) error {
		return t.rows(query, c.args, func(scan func(...any) error) error {
			var r OverdueRecord
			err := scan(&r.DealID, &r.DealNumber, &r.Client, textInto{&r.Manager}, &r.Day, &r.Open.Minor, &r.Open.Currency)
			out = append(out, r)
			return err
		})
	})
	return out, err
}

// SourceContacts calls each for the contacts in behind the figures of
// SourceGroups, or with q.First the first contacts, newest first.
func (s *Store) SourceContacts(ctx context.Context, viewer Manager, q RowSelection, from, to time.Time, each func(*Contact) error) error {
	var c conditions
	c.add("c.start_at >= ?", from.Unix())
	c.add("c.start_at < ?", to.Unix())
	if q.First {
		c.add(firstContact)
	} else {
		c.add(contactIn)
	}
	c.ids(s.dialect, "c.manager_id", q.Managers)
	c.ids(s.dialect, "c.client_id", q.Clients)
	c.ids(s.dialect, sourceOfContact(q.Expiry), q.Sources)
	return s.contactRows(ctx, viewer, &c, q.Limit, each)
}

// contactRows calls each for at most limit of the contacts that the conditions
// select, newest first, as the viewer may see them. So many whole ones as
// contactBatch says are held at a time.
func (s *Store) contactRows(ctx context.Context, viewer Manager, c *conditions, limit int, each func(*Contact) error) error {
	where, args, loc := c.where(), slices.Clone(c.args), viewer.Location()
	return s.read(ctx, func(t *tx) error {
		behind := ""
		for limit > 0 {
			n := min(limit, contactBatch)
			found, err := t.contacts(fmt.Sprintf("%s%s ORDER BY c.start_at DESC, c.id DESC LIMIT %d", where, behind, n), args...)
			if err != nil {
				return err
			}
			for i := range found {
				one := &found[i]
				one.hideFrom(viewer.ID)
				if w := one.When; w.AllDay {
					one.When = Days(w.First, w.Last, loc)
				}
				if err := each(one); err != nil {
					return err
				}
			}
			if len(found) < n {
				return nil
			}
			limit -= n
			var last int64 // as the row has it, whole days too
			if err := t.row("SELECT start_at FROM contacts WHERE id = $1", []any{found[n-1].ID}, &last); err != nil {
				return err
			}
			behind = fmt.Sprintf(" AND (c.start_at < $%d OR c.start_at = $%[1]d AND c.id < $%d)", len(c.args)+1, len(c.args)+2)
			args = append(slices.Clone(c.args), last, found[n-1].ID)
		}
		return nil
	})
}

// contactBatch is how many contacts of a list are read at once.
const contactBatch = 2000

// ClientLine is a client with those whose rows it belongs to in a report.
type ClientLine struct {
	Client          GroupKey
	Manager, Source int64 // 0: none
}

// ClientLines calls each for the clients of a selection, in no order: those that
// keep a row in a report of which nothing is theirs. Of q only Managers and
// Clients select.
func (s *Store) ClientLines(ctx context.Context, q SaleSelection, each func(ClientLine) error) error {
	var c conditions
	c.ids(s.dialect, "cl.manager_id", q.Managers)
	c.ids(s.dialect, "cl.id", q.Clients)
	return s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT cl.id, cl.name, cl.manager_id, cl.source_id FROM clients cl`+c.where(), c.args, func(scan func(...any) error) error {
			var l ClientLine
			if err := scan(&l.Client.ID, &l.Client.Text, idInto{&l.Manager}, idInto{&l.Source}); err != nil {
				return err
			}
			return each(l)
		})
	})
}
