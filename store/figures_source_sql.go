package store

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// SourceGroup is what came of a lead source, and where asked with one client.
type SourceGroup struct {
	Source, Client GroupKey
	ContactsIn     int64
	FirstContacts  int64 // clients whose first contact it was
	Won            int64 // clients whose first sale it was
	Deals          int64
	// Of sales, one currency and, of other currencies than the house's, one day.
	Revenue     Money // shipments less returns, without tax where that is known
	Cost        int64
	CostUnknown int64
	Costless    int64 // the part of Revenue without a known cost
	Sold        int64 // shipments and returns
	TaxUnknown  int64 // how many of them do not tell their tax
	Day         Date  // as of a SaleGroup
}

// sourceAt is the lead source that was valid for a client at a moment: that of
// the client's newest contact up to then that names one, unless it has expired;
// else own, the one that the client has (rules.md section 6.5).
func sourceAt(client, moment string, expiry int, own string) string {
	fresh := ""
	if expiry > 0 {
		fresh = fmt.Sprintf(" AND s.start_at > %s - %d", moment, expiry*86400)
	}
	return `COALESCE((SELECT s.source_id FROM contacts s WHERE s.client_id = ` + client + ` AND s.source_id IS NOT NULL AND s.start_at <= ` + moment + fresh +
		` ORDER BY s.start_at DESC LIMIT 1), ` + own + `)`
}

// sourceOfContact, sourceOfDeal and sourceOfSale are the lead sources to which
// contacts, deals and documents belong; with these two the client is joined.
func sourceOfContact(expiry int) string {
	return `COALESCE(c.source_id, ` + sourceAt("c.client_id", "c.start_at", expiry, "(SELECT cl.source_id FROM clients cl WHERE cl.id = c.client_id)") + `)`
}

func (d dialect) sourceOfDeal(expiry int) string {
	return `COALESCE(d.source_id, ` + sourceAt("d.client_id", d.unixDay("d.date")+` + 86399`, expiry, "cl.source_id") + `)`
}

func (d dialect) sourceOfSale(expiry int) string {
	return `COALESCE(d.source_id, ` + sourceAt("doc.client_id", d.unixDay("doc.date")+` + 86399`, expiry, "cl.source_id") + `)`
}

// What counts as a contact in, the first contact with a client, and the first
// sale to one.
const (
	contactIn    = `c.state = 'done' AND c.direction = 'in'`
	firstContact = `c.state = 'done' AND c.client_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM contacts o WHERE o.client_id = c.client_id AND o.state = 'done'
		AND o.start_at <= c.start_at AND (o.start_at < c.start_at OR o.id < c.id))`
	firstSale = `doc.kind = 'shipment' AND NOT EXISTS (SELECT 1 FROM documents o WHERE o.client_id = doc.client_id AND o.kind = 'shipment'
		AND o.date <= doc.date AND (o.date < doc.date OR o.id < doc.id))`
)

// firstContacts are contacts at the moment of the first one of their client, if
// that lies in the period from $1 until $2: to look it up for each client is less
// work than to ask of each contact whether there is an earlier one.
const firstContacts = `(SELECT i.client_id, (SELECT MIN(o.start_at) FROM contacts o WHERE o.client_id = i.client_id AND o.state = 'done') AS at
	FROM contacts i WHERE i.start_at >= $1 AND i.start_at < $2 AND i.state = 'done' AND i.client_id IS NOT NULL GROUP BY i.client_id) x
	JOIN contacts c ON c.client_id = x.client_id AND c.start_at = x.at AND x.at >= $1`

// SourceFigure is a part of what came of lead sources. Each is read by itself,
// so that several can be read at once: those that take longest come first.
type SourceFigure int

const (
	SourceSales SourceFigure = iota
	SourceContacts
	SourceFirstContacts
	SourceDeals
	SourceFigures // how many there are
)

// SourceQuestion selects what came of lead sources.
type SourceQuestion struct {
	SaleSelection
	Sources        []int64   // empty: all
	Starts, Before time.Time // the moments of the period
	Expiry         int       // after how many days a source is no longer a reason for a sale; 0: never
	Currency       string    // the house's
}

// SourceGroups calls each for a part of what came of the lead sources in a
// period: a source has several groups.
func (s *Store) SourceGroups(ctx context.Context, figure SourceFigure, q SourceQuestion, each func(SourceGroup) error) error {
	contacts := func(condition string) func(*conditions) {
		return func(c *conditions) {
			c.add("c.start_at >= ?", q.Starts.Unix())
			c.add("c.start_at < ?", q.Before.Unix())
			c.add(condition)
			c.ids(s.dialect, "c.manager_id", q.Managers)
		}
	}
	part := [SourceFigures]struct {
		source, client, columns, from, group string
		where                                func(*conditions)
		into                                 func(*SourceGroup) []any
	}{
		SourceContacts: {sourceOfContact(q.Expiry), "c.client_id", `COUNT(*)`, `contacts c`, ``, contacts(contactIn),
			func(g *SourceGroup) []any { return []any{&g.ContactsIn} }},
		SourceFirstContacts: {sourceOfContact(q.Expiry), "c.client_id", `COUNT(*)`, firstContacts, ``, contacts(firstContact),
			func(g *SourceGroup) []any { return []any{&g.FirstContacts} }},
		SourceDeals: {s.dialect.sourceOfDeal(q.Expiry), "d.client_id", `COUNT(*)`, `deals d JOIN clients cl ON cl.id = d.client_id`, ``, func(c *conditions) {
			c.add("d.date >= ?", string(q.From))
			c.add("d.date <= ?", string(q.To))
			c.add("d.status <> 'cancelled'")
			c.ids(s.dialect, documentManager, q.Managers)
		}, func(g *SourceGroup) []any { return []any{&g.Deals} }},
		SourceSales: {s.dialect.sourceOfSale(q.Expiry), "doc.client_id", `doc.currency, CASE WHEN doc.currency = $OWN THEN '' ELSE doc.date END,
			CAST(SUM(CASE WHEN doc.kind = 'return' THEN -1 ELSE 1 END * (doc.amount - COALESCE(doc.tax, 0))) AS BIGINT), CAST(SUM(CASE WHEN doc.kind = 'return' THEN -COALESCE(doc.cost, 0) ELSE COALESCE(doc.cost, 0) END) AS BIGINT),
			CAST(SUM(CASE WHEN doc.cost IS NULL THEN 1 ELSE 0 END) AS BIGINT),
			CAST(SUM(CASE WHEN doc.cost IS NOT NULL THEN 0 WHEN doc.kind = 'return' THEN -1 ELSE 1 END * (doc.amount - COALESCE(doc.tax, 0))) AS BIGINT),
			COUNT(*), CAST(SUM(CASE WHEN doc.tax IS NULL THEN 1 ELSE 0 END) AS BIGINT),
			CAST(SUM(CASE WHEN ` + firstSale + ` THEN 1 ELSE 0 END) AS BIGINT)`,
			`documents doc JOIN clients cl ON cl.id = doc.client_id LEFT JOIN deals d ON d.id = doc.deal_id`, `, 3, 4, CASE WHEN doc.currency = $OWN THEN 0 ELSE doc.id END`, func(c *conditions) {
				c.add("doc.date >= ?", string(q.From))
				c.add("doc.date <= ?", string(q.To))
				c.add("doc.kind IN ('shipment', 'return')")
				c.ids(s.dialect, documentManager, q.Managers)
			}, func(g *SourceGroup) []any {
				return []any{&g.Revenue.Currency, &g.Day, &g.Revenue.Minor, &g.Cost, &g.CostUnknown, &g.Costless, &g.Sold, &g.TaxUnknown, &g.Won}
			}},
	}[figure]
	var where conditions
	part.where(&where)
	where.ids(s.dialect, part.client, q.Clients)
	where.ids(s.dialect, part.source, q.Sources)
	columns, group := part.columns, part.group
	if strings.Contains(columns, "$OWN") {
		own := "CAST(" + where.arg(q.Currency) + " AS TEXT)"
		columns, group = strings.ReplaceAll(columns, "$OWN", own), strings.ReplaceAll(group, "$OWN", own)
	}
	client := `0`
	if q.PerClient {
		client = part.client
	}
	// By client first: there are more clients than sources, so less is compared.
	query := `SELECT ` + part.source + `, ` + client + `, ` + columns + ` FROM ` + part.from + where.where() + ` GROUP BY 2, 1` + group
	return s.read(ctx, func(t *tx) error {
		return t.rows(query, where.args, func(scan func(...any) error) error {
			var g SourceGroup
			if err := scan(append([]any{idInto{&g.Source.ID}, idInto{&g.Client.ID}}, part.into(&g)...)...); err != nil {
				return err
			}
			return each(g)
		})
	})
}

// Sources are all lead sources, by name.
func (s *Store) Sources(ctx context.Context) (out []Source, err error) {
	err = s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT id, external_id, name, campaign, medium, from_date, to_date, cost, currency FROM sources ORDER BY name, id`, nil, func(scan func(...any) error) error {
			var o Source
			if err := scan(&o.ID, &o.ExternalID, &o.Name, &o.Campaign, &o.Medium, &o.From, &o.To, &o.Cost.Minor, &o.Cost.Currency); err != nil {
				return err
			}
			out = append(out, o)
			return nil
		})
	})
	return out, err
}

// ClientNames are the names of clients by their numbers.
func (s *Store) ClientNames(ctx context.Context, ids []int64) (map[int64]string, error) {
	names := make(map[int64]string, len(ids))
	if len(ids) == 0 {
		return names, nil
	}
	err := s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT id, name FROM clients WHERE id IN `+s.dialect.ids("$1"), []any{asJSON(ids)}, func(scan func(...any) error) error {
			var id int64
			var name string
			if err := scan(&id, &name); err != nil {
				return err
			}
			names[id] = name
			return nil
		})
	})
	return names, err
}

// FirstCalls gives the day of the first done call with each client in a period,
// in the zone of the viewer of q.
func (s *Store) FirstCalls(ctx context.Context, q ContactSelection) (map[int64]Date, error) {
	q.Kinds, q.States = []Kind{Call}, []State{Done}
	where := q.conditions(s.dialect)
	calls := map[int64]Date{}
	err := s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT c.client_id, MIN(`+localDay("c.start_at", q.Viewer.Location(), q.From, q.To)+`) FROM contacts c LEFT JOIN clients cl ON cl.id = c.client_id`+
			where.where()+` AND c.client_id IS NOT NULL GROUP BY c.client_id`, where.args, func(scan func(...any) error) error {
			var id, day int64
			if err := scan(&id, &day); err != nil {
				return err
			}
			calls[id] = dayFrom1970(day)
			return nil
		})
	})
	return calls, err
}

// ClientSale is what was sold to a client on a day.
type ClientSale struct {
	ClientID         int64
	Day              Date
	Revenue          Money // shipments less returns, without tax where that is known
	Sold, TaxUnknown int64 // as of a SourceGroup
}

// ClientSales calls each for the sales between two days, both included.
func (s *Store) ClientSales(ctx context.Context, from, to Date, each func(ClientSale) error) error {
	return s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT client_id, date, currency, CAST(SUM(CASE WHEN kind = 'return' THEN -1 ELSE 1 END * (amount - COALESCE(tax, 0))) AS BIGINT),
			COUNT(*), CAST(SUM(CASE WHEN tax IS NULL THEN 1 ELSE 0 END) AS BIGINT) FROM documents
			WHERE date >= $1 AND date <= $2 AND kind IN ('shipment', 'return') GROUP BY client_id, date, currency`, []any{string(from), string(to)}, func(scan func(...any) error) error {
			var c ClientSale
			if err := scan(&c.ClientID, &c.Day, &c.Revenue.Currency, &c.Revenue.Minor, &c.Sold, &c.TaxUnknown); err != nil {
				return err
			}
			return each(c)
		})
	})
}
