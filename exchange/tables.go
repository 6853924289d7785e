package exchange

import (
	"context"

	"intouch/store"
)

// table is the columns of an exported kind and the way to its rows: write
// takes one value a column, of the types that jsonText and cell know.
type table struct {
	columns []string
	each    func(ctx context.Context, st *store.Store, write func([]any) error) error
}

// tables are the kinds that can be exported.
var tables = map[Kind]table{
	Contacts: {
		[]string{"id", "kind", "direction", "state", "status", "importance", "client", "client_name", "persons", "managers", "subject", "text", "full_text",
			"start", "end", "minutes", "estimated", "deal", "source", "message_id", "thread", "attachments", "origin", "key", "days"},
		func(ctx context.Context, st *store.Store, write func([]any) error) error {
			return st.EachContact(ctx, func(c *store.Exported) error {
				name := c.ClientName
				if name == "" {
					name = c.ClientText
				}
				return write([]any{c.ID, string(c.Kind), string(c.Direction), string(c.State), string(c.Status), string(c.Importance), key(c.ClientExternalID), name,
					addresses(c.Persons), c.ManagerLogins, c.Subject, c.Body, c.FullText,
					instant(c.When.Start), instant(c.When.End), int64(c.Minutes), c.Estimated, c.DealNumber, c.SourceName, c.MessageID, c.Thread, c.Attachments, string(c.Origin), c.Key, days(c.When)})
			})
		},
	},
	Letters: {
		[]string{"mailbox", "folder", "uidvalidity", "uid", "message_id", "date", "outcome", "reason", "contacts"},
		func(ctx context.Context, st *store.Store, write func([]any) error) error {
			return st.EachLetter(ctx, func(l *store.SeenLetter) error {
				return write([]any{l.Mailbox, l.Folder, int64(l.UIDValidity), int64(l.UID), l.MessageID, instant(l.Date), string(l.Outcome), string(l.Reason), l.Contacts})
			})
		},
	},
	Clients: {
		[]string{"id", "name", "importance", "manager", "domains", "emails", "phones", "source", "stage", attributes},
		func(ctx context.Context, st *store.Store, write func([]any) error) error {
			return st.EachClient(ctx, func(c *store.ClientRow) error {
				return write([]any{c.ID, c.Name, c.Importance, c.Manager, c.Domains, c.Emails, phones(c.Phones), c.Source, c.Stage, c.Attributes})
			})
		},
	},
	Persons: {
		[]string{"id", "client", "name", "position", "emails", "phones", "birthday", "bounced", "away_until"},
		func(ctx context.Context, st *store.Store, write func([]any) error) error {
			return st.EachPerson(ctx, func(p *store.PersonRow) error {
				return write([]any{p.ID, p.Client, p.Name, p.Position, p.Emails, phones(p.Phones), string(p.Birthday), p.Bounced, string(p.Away)})
			})
		},
	},
	Sources: {
		[]string{"id", "name", "campaign", "medium", "from", "to", "cost", "currency"},
		func(ctx context.Context, st *store.Store, write func([]any) error) error {
			return st.EachSource(ctx, func(s *store.SourceRow) error {
				return write([]any{s.ID, s.Name, s.Campaign, s.Medium, string(s.From), string(s.To), sum(s.Cost.Minor), s.Cost.Currency})
			})
		},
	},
	Deals: {
		[]string{"id", "number", "date", "client", "manager", "amount", "currency", "cost", "ship_due", "pay_due", "status", "source"},
		func(ctx context.Context, st *store.Store, write func([]any) error) error {
			return st.EachDeal(ctx, func(d *store.DealRow) error {
				return write([]any{d.ID, d.Number, string(d.Date), d.Client, d.Manager, sum(d.Amount.Minor), d.Amount.Currency, knownSum(d.Cost),
					string(d.ShipDue), string(d.PayDue), d.Status, d.Source})
			})
		},
	},
	Events: {
		[]string{"id", "deal", "kind", "due", "amount"},
		func(ctx context.Context, st *store.Store, write func([]any) error) error {
			return st.EachEvent(ctx, func(e *store.EventRow) error {
				return write([]any{e.ID, e.Deal, string(e.Kind), string(e.Due), sum(e.Amount)})
			})
		},
	},
	Lines: {
		[]string{"id", "deal", "document", "item", "article", "quantity", "unit", "price", "amount", "cost"},
		func(ctx context.Context, st *store.Store, write func([]any) error) error {
			return st.EachLine(ctx, func(l *store.LineRow) error {
				return write([]any{l.ID, l.Deal, l.Document, l.Item, l.Article, l.Quantity, l.Unit, sum(l.Price), sum(l.Amount), sum(l.Cost)})
			})
		},
	},
	Documents: {
		[]string{"id", "kind", "number", "date", "deal", "client", "amount", "cost", "tax", "currency"},
		func(ctx context.Context, st *store.Store, write func([]any) error) error {
			return st.EachDocument(ctx, func(d *store.DocumentRow) error {
				return write([]any{d.ID, string(d.Kind), d.Number, string(d.Date), d.Deal, d.Client, sum(d.Amount.Minor), knownSum(d.Cost), knownSum(d.Tax), d.Amount.Currency})
			})
		},
	},
	Rates: {
		[]string{"date", "currency", "rate", "per"},
		func(ctx context.Context, st *store.Store, write func([]any) error) error {
			return st.EachRate(ctx, func(r *store.RateRow) error {
				return write([]any{string(r.Date), r.Currency, decimal(r.Rate), r.Per})
			})
		},
	},
	Questions: {
		[]string{"id", "kind", "key", "reason", "text", "taken", "file", "line", "at", "given"},
		func(ctx context.Context, st *store.Store, write func([]any) error) error {
			return st.EachQuestion(ctx, func(q *store.Question) error {
				return write([]any{q.ID, string(q.Kind), q.Key, string(q.Reason), q.Text(store.English), q.Taken, q.File, int64(q.Line), instant(q.At), q.Given})
			})
		},
	},
	Managers: {
		[]string{"id", "name", "email", "login", "role", "time_zone", "language", "work_hours"},
		func(ctx context.Context, st *store.Store, write func([]any) error) error {
			return st.EachManager(ctx, func(m *store.ManagerRow) error {
				return write([]any{m.ID, m.Name, m.Emails, m.Login, m.Role, m.TimeZone, m.Language, m.WorkHours})
			})
		},
	},
}

// days are whole days, the last after a slash where there are several.
func days(w store.Span) string {
	switch {
	case !w.AllDay:
		return ""
	case w.First == w.Last:
		return string(w.First)
	}
	return string(w.First) + "/" + string(w.Last)
}

// addresses are the e-mail addresses of persons, without those that have none.
func addresses(persons []store.PersonRef) []string {
	var list []string
	for _, p := range persons {
		if p.Email != "" {
			list = append(list, p.Email)
		}
	}
	return list
}
