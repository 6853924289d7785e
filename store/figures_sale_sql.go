package store

import (
	"context"
)

// SaleSelection selects documents, deals and debts for a report: of days, both
// included. They belong to the manager of their deal, else to the client's.
type SaleSelection struct {
	From, To Date
	Managers []int64 // 0: without one
	Clients  []int64
	// PerClient groups by the client too.
	PerClient bool
}

// Owner is whose a group of figures is: the numbers of the manager, 0 for
// nobody, and where asked per client of the client.
type Owner struct{ Manager, Client int64 }

func (o *Owner) into() []any { return []any{idInto{&o.Manager}, &o.Client} }

// SaleGroup are documents of one kind of a manager, and where asked a client.
type SaleGroup struct {
	Owner
	Kind        DocumentKind
	Documents   int64
	Amount      Money
	Cost        int64 // in the currency of Amount, of those of which it is known
	CostUnknown int64 // how many documents do not tell their cost
	Costless    int64 // their part of Amount, less its tax
	Tax         int64 // as Cost: the part of Amount that is tax
	TaxUnknown  int64
	// Day is set for other currencies than the house's alone: a group is of one
	// document then, so that each is converted and rounded by itself and every
	// grouping has the same total.
	Day Date
}

const documentManager = `COALESCE(d.manager_id, cl.manager_id)`

// per gives the columns that groups have first: the manager m and the client c.
func (q *SaleSelection) per(manager, client string) string {
	if !q.PerClient {
		client = "0"
	}
	return manager + ` AS m, ` + client + ` AS c`
}

func (q *SaleSelection) add(c *conditions, d dialect, client string) {
	c.ids(d, documentManager, q.Managers)
	c.ids(d, client, q.Clients)
}

// SaleGroups calls each for the payments, shipments and returns of the period.
// currency is the house's.
func (s *Store) SaleGroups(ctx context.Context, q SaleSelection, currency string, each func(SaleGroup) error) error {
	var where conditions
	where.add("doc.date >= ?", string(q.From))
	where.add("doc.date <= ?", string(q.To))
	where.add("doc.kind <> 'invoice'")
	q.add(&where, s.dialect, "doc.client_id")
	own := where.arg(currency)
	query := `SELECT ` + q.per(documentManager, "doc.client_id") + `, doc.kind, doc.currency, CASE WHEN doc.currency = ` + own + ` THEN '' ELSE doc.date END AS day,
		COUNT(*), CAST(SUM(doc.amount) AS BIGINT), CAST(SUM(COALESCE(doc.cost, 0)) AS BIGINT), CAST(SUM(CASE WHEN doc.cost IS NULL THEN 1 ELSE 0 END) AS BIGINT),
		CAST(SUM(CASE WHEN doc.cost IS NULL THEN doc.amount - COALESCE(doc.tax, 0) ELSE 0 END) AS BIGINT),
		CAST(SUM(COALESCE(doc.tax, 0)) AS BIGINT), CAST(SUM(CASE WHEN doc.tax IS NULL THEN 1 ELSE 0 END) AS BIGINT)
		FROM documents doc JOIN clients cl ON cl.id = doc.client_id LEFT JOIN deals d ON d.id = doc.deal_id` + where.where() + `
		GROUP BY m, c, doc.kind, doc.currency, day, CASE WHEN doc.currency = ` + own + ` THEN 0 ELSE doc.id END`
	return s.read(ctx, func(t *tx) error {
		return t.rows(query, where.args, func(scan func(...any) error) error {
			var g SaleGroup
			if err := scan(append(g.into(), &g.Kind, &g.Amount.Currency, &g.Day,
				&g.Documents, &g.Amount.Minor, &g.Cost, &g.CostUnknown, &g.Costless, &g.Tax, &g.TaxUnknown)...); err != nil {
				return err
			}
			return each(g)
		})
	})
}

// DealGroup are the deals of a manager, and where asked a client.
type DealGroup struct {
	Owner
	Deals, First int64 // First: how many are the first one of their client
	Amount       Money
	Day          Date // as of a SaleGroup
}

// firstDeal is whether a deal is the first one of its client.
const firstDeal = `NOT EXISTS (SELECT 1 FROM deals o WHERE o.client_id = d.client_id AND o.status <> 'cancelled'
	AND o.date <= d.date AND (o.date < d.date OR o.id < d.id))`

// DealGroups calls each for the deals of the period that were not cancelled.
func (s *Store) DealGroups(ctx context.Context, q SaleSelection, currency string, each func(DealGroup) error) error {
	var where conditions
	where.add("d.date >= ?", string(q.From))
	where.add("d.date <= ?", string(q.To))
	where.add("d.status <> 'cancelled'")
	q.add(&where, s.dialect, "d.client_id")
	own := where.arg(currency)
	query := `SELECT ` + q.per(documentManager, "d.client_id") + `, d.currency, CASE WHEN d.currency = ` + own + ` THEN '' ELSE d.date END AS day, COUNT(*),
		CAST(SUM(CASE WHEN ` + firstDeal + ` THEN 1 ELSE 0 END) AS BIGINT), CAST(SUM(d.amount) AS BIGINT)
		FROM deals d JOIN clients cl ON cl.id = d.client_id` + where.where() + ` GROUP BY m, c, d.currency, day, CASE WHEN d.currency = ` + own + ` THEN 0 ELSE d.id END`
	return s.read(ctx, func(t *tx) error {
		return t.rows(query, where.args, func(scan func(...any) error) error {
			var g DealGroup
			if err := scan(append(g.into(), &g.Amount.Currency, &g.Day, &g.Deals, &g.First, &g.Amount.Minor)...); err != nil {
				return err
			}
			return each(g)
		})
	})
}

// DebtGroup is what clients owe at the end of a day.
type DebtGroup struct {
	Owner
	// Debt is the sum of the balances of clients that owe us, by the client's
	// manager.
	Debt Money
}

// DebtGroups calls each for what clients owe at the end of the period. currency
// is the house's; of others a group is of one client.
func (s *Store) DebtGroups(ctx context.Context, q SaleSelection, currency string, each func(DebtGroup) error) error {
	var where conditions
	where.add("b.balance > 0")
	where.ids(s.dialect, "cl.manager_id", q.Managers)
	where.ids(s.dialect, "b.client_id", q.Clients)
	query := `SELECT ` + q.per("cl.manager_id", "cl.id") + `, b.currency, CAST(SUM(b.balance) AS BIGINT) FROM
		(SELECT client_id, currency, SUM(amount) AS balance FROM settlements WHERE date <= ` + where.arg(string(q.To)) + ` GROUP BY client_id, currency) b
		JOIN clients cl ON cl.id = b.client_id` + where.where() + ` GROUP BY m, c, b.currency, CASE WHEN b.currency = ` + where.arg(currency) + ` THEN 0 ELSE cl.id END`
	return s.read(ctx, func(t *tx) error {
		return t.rows(query, where.args, func(scan func(...any) error) error {
			var g DebtGroup
			if err := scan(append(g.into(), &g.Debt.Currency, &g.Debt.Minor)...); err != nil {
				return err
			}
			return each(g)
		})
	})
}

// OverdueGroup are payments that were expected on one day and have not come by
// the end of the period.
type OverdueGroup struct {
	Owner
	Day      Date // when they were expected
	Payments int64
	Open     Money // what is missing of them
}

// eventDay is DealEvent.Day in SQL.
const eventDay = `CASE WHEN e.expected <> '' AND e.expect_set >= e.due_set THEN e.expected ELSE e.due END`

// OverdueGroups calls each for the payments that were expected before the day
// and by then had not come: documents up to the day before it cover the
// payments of a deal in order of their days (rules.md section 4). Payments of
// which nobody knows whether they came, or that were postponed, are not among
// them. today says that the day is this one: what covers them is known then.
func (s *Store) OverdueGroups(ctx context.Context, q SaleSelection, before Date, today bool, currency string, each func(OverdueGroup) error) error {
	var where conditions
	where.add(isOverdue)
	q.add(&where, s.dialect, "d.client_id")
	day := where.arg(string(before))
	query := `SELECT ` + q.per(documentManager, "d.client_id") + `, u.day, d.currency, COUNT(*), CAST(SUM(u.open) AS BIGINT) FROM (` + overdue(day, today) + `) u
		JOIN deals d ON d.id = u.deal_id JOIN clients cl ON cl.id = d.client_id` + where.where() + ` GROUP BY m, c, u.day, d.currency, CASE WHEN d.currency = ` + where.arg(currency) + ` THEN 0 ELSE u.id END`
	return s.read(ctx, func(t *tx) error {
		return t.rows(query, where.args, func(scan func(...any) error) error {
			var g OverdueGroup
			if err := scan(append(g.into(), &g.Day, &g.Open.Currency, &g.Payments, &g.Open.Minor)...); err != nil {
				return err
			}
			return each(g)
		})
	})
}

// isOverdue is which of them count, of deals that are not cancelled.
const isOverdue = `u.open > 0 AND d.status <> 'cancelled' AND u.state <> 'postponed'`

// overdue is a query of the payments that OverdueGroups tells of, before the
// day that the parameter names: id, deal_id, day, state, open.
func overdue(day string, today bool) string {
	expected := `e.known AND ` + eventDay + ` < ` + day + ` AND ` + eventDay + ` <> ''`
	if today {
		return `SELECT e.id, e.deal_id, ` + eventDay + ` AS day, e.state, e.amount - e.covered AS open
			FROM deal_events e WHERE e.kind = 'payment' AND e.covered < e.amount AND e.state = 'planned' AND ` + expected
	}
	// Only deals that lack something now, or have got something since, can have
	// lacked something then.
	short := `SELECT deal_id FROM deal_events WHERE kind = 'payment' AND covered < amount
		UNION SELECT deal_id FROM documents WHERE date >= ` + day + ` AND kind = 'payment' AND deal_id IS NOT NULL`
	return `SELECT v.id, v.deal_id, v.day, v.state, CASE WHEN v.through - v.paid < v.amount THEN v.through - v.paid ELSE v.amount END AS open
		FROM (SELECT e.id, e.deal_id, ` + eventDay + ` AS day, e.amount, e.state, SUM(e.amount) OVER (PARTITION BY e.deal_id ORDER BY ` + eventDay + `, e.id) AS through,
			COALESCE((SELECT SUM(p.amount) FROM documents p WHERE p.deal_id = e.deal_id AND p.kind = 'payment' AND p.date < ` + day + `), 0) AS paid
			FROM deal_events e WHERE e.kind = 'payment' AND e.state <> 'cancelled' AND e.deal_id IN (` + short + `) AND ` + expected + `) v`
}

// CareGroup are the clients that a manager has in care, and how complete what is
// known of them is: of how many clients and persons each kind of data is there.
type CareGroup struct {
	Owner
	Clients    int64
	ClientData int64 // filled of ClientKinds
	Persons    int64
	PersonData int64 // filled of PersonKinds
}

// The kinds of data that completeness counts (rules.md section 6.6).
const (
	ClientKinds = 5 // address or domain, phone, lead source, persons, attributes
	PersonKinds = 4 // position, e-mail, phone, birthday
)

// CareGroups calls each for the clients in care now.
func (s *Store) CareGroups(ctx context.Context, q SaleSelection, each func(CareGroup) error) error {
	var where conditions
	where.ids(s.dialect, "cl.manager_id", q.Managers)
	where.ids(s.dialect, "cl.id", q.Clients)
	point := func(table, owner, id, kind string) string {
		return `(CASE WHEN EXISTS (SELECT 1 FROM ` + table + ` x WHERE x.` + owner + ` = ` + id + ` AND x.kind ` + kind + `) THEN 1 ELSE 0 END)`
	}
	filled := point("client_points", "client_id", "cl.id", "IN ('domain', 'email')") + ` + ` + point("client_points", "client_id", "cl.id", "= 'phone'") +
		` + (CASE WHEN cl.source_id IS NULL THEN 0 ELSE 1 END) + (CASE WHEN COALESCE(p.persons, 0) > 0 THEN 1 ELSE 0 END) + (CASE WHEN cl.attributes = '{}' THEN 0 ELSE 1 END)`
	person := `(CASE WHEN ps.position <> '' THEN 1 ELSE 0 END) + (CASE WHEN ps.birthday <> '' THEN 1 ELSE 0 END) + ` +
		point("person_points", "person_id", "ps.id", "= 'email'") + ` + ` + point("person_points", "person_id", "ps.id", "= 'phone'")
	query := `SELECT ` + q.per("cl.manager_id", "cl.id") + `, COUNT(*), CAST(SUM(` + filled + `) AS BIGINT),
		CAST(SUM(COALESCE(p.persons, 0)) AS BIGINT), CAST(SUM(COALESCE(p.filled, 0)) AS BIGINT)
		FROM clients cl LEFT JOIN (SELECT ps.client_id, COUNT(*) AS persons, SUM(` + person + `) AS filled FROM persons ps WHERE ps.merged_into IS NULL GROUP BY ps.client_id) p ON p.client_id = cl.id` +
		where.where() + ` GROUP BY m, c`
	return s.read(ctx, func(t *tx) error {
		return t.rows(query, where.args, func(scan func(...any) error) error {
			var g CareGroup
			if err := scan(append(g.into(), &g.Clients, &g.ClientData, &g.Persons, &g.PersonData)...); err != nil {
				return err
			}
			return each(g)
		})
	})
}

// PositionPair is where so many clients stood at two days.
type PositionPair struct {
	Manager, Client GroupKey // Client: where asked per client
	Former, Now     Position
	Clients         int64
}

// classified joins to clients cl their newest classification up to a day, a
// parameter: one look into the index each.
func (d dialect) classified(as, day string) string {
	if d == postgresDialect {
		return `LATERAL (SELECT x.abc, x.stage, x.xyz FROM classifications x WHERE x.client_id = cl.id AND x.day <= ` + day + ` ORDER BY x.day DESC LIMIT 1) ` + as + ` ON TRUE`
	}
	return `classifications ` + as + ` ON ` + as + `.client_id = cl.id AND ` + as + `.day = (SELECT MAX(x.day) FROM classifications x WHERE x.client_id = cl.id AND x.day <= ` + day + `)`
}

// Positions calls each for where the clients stood at the end of the period
// and before it, by the newest classification up to each day.
func (s *Store) Positions(ctx context.Context, q SaleSelection, each func(PositionPair) error) error {
	var where conditions
	where.ids(s.dialect, "cl.manager_id", q.Managers)
	where.ids(s.dialect, "cl.id", q.Clients)
	now, former := s.dialect.classified("k", where.arg(string(q.To))), s.dialect.classified("f", where.arg(string(q.From.Add(-1))))
	position := `COALESCE(f.abc, ''), COALESCE(f.stage, ''), COALESCE(f.xyz, ''), k.abc, k.stage, k.xyz`
	columns, tail := `cl.manager_id, n.name, 0, '', `+position+`, COUNT(*)`, ` GROUP BY cl.manager_id, n.name, `+position
	if q.PerClient {
		columns, tail = `cl.manager_id, n.name, cl.id, cl.name, `+position+`, 1`, ` ORDER BY cl.folded, cl.id`
	}
	query := `SELECT ` + columns + ` FROM clients cl LEFT JOIN managers n ON n.id = cl.manager_id
		JOIN ` + now + ` LEFT JOIN ` + former + where.where() + tail
	return s.read(ctx, func(t *tx) error {
		return t.rows(query, where.args, func(scan func(...any) error) error {
			var p PositionPair
			if err := scan(idInto{&p.Manager.ID}, textInto{&p.Manager.Text}, idInto{&p.Client.ID}, textInto{&p.Client.Text},
				&p.Former.ABC, &p.Former.Stage, &p.Former.XYZ, &p.Now.ABC, &p.Now.Stage, &p.Now.XYZ, &p.Clients); err != nil {
				return err
			}
			return each(p)
		})
	})
}
