package store

import "context"

// Reading everything, row by row, for `export`.

// exportPage is how many rows are in memory at once.
const exportPage = 500

// EachContact calls fn for every contact, by id, for `export contacts`. The
// status is that of now in the responsible manager's zone.
func (s *Store) EachContact(ctx context.Context, fn func(*Exported) error) error {
	return s.read(ctx, func(t *tx) error {
		managers := map[int64]Manager{}
		all, err := t.managers("TRUE")
		if err != nil {
			return err
		}
		for _, m := range all {
			managers[m.ID] = m
		}
		for after := int64(0); ; {
			page, err := t.contacts("WHERE c.id > $1 ORDER BY c.id LIMIT $2", after, exportPage)
			if err != nil || len(page) == 0 {
				return err
			}
			after = page[len(page)-1].ID
			more := map[int64]*Exported{}
			ids := []int64{}
			for _, c := range page {
				c.hideFrom(0)
				e := &Exported{Contact: c, Status: c.Status(managers[c.ManagerID].Location(), t.now)}
				for _, m := range c.Managers {
					e.ManagerLogins = append(e.ManagerLogins, managers[m].Login)
				}
				more[c.ID], ids = e, append(ids, c.ID)
			}
			err = t.rows(`SELECT c.id, cl.external_id, src.name, d.number, lt.full_text, lt.message_id,
				COALESCE(c.external_id, c.uid || CASE WHEN EXISTS (SELECT 1 FROM contacts o WHERE o.uid = c.uid AND o.id <> c.id) THEN '/' || c.id ELSE '' END) FROM contacts c
				LEFT JOIN clients cl ON cl.id = c.client_id LEFT JOIN sources src ON src.id = c.source_id LEFT JOIN deals d ON d.id = c.deal_id
				LEFT JOIN letter_texts lt ON lt.message_key = c.message_key AND c.message_key <> ''
				WHERE c.id IN `+s.dialect.ids("$1"), []any{asJSON(ids)}, func(scan func(...any) error) error {
				var id int64
				var client, source, deal, full, message, key string
				if err := scan(&id, textInto{&client}, textInto{&source}, textInto{&deal}, textInto{&full}, textInto{&message}, &key); err != nil {
					return err
				}
				e := more[id]
				e.ClientExternalID, e.SourceName, e.DealNumber, e.FullText, e.MessageID, e.Key = client, source, deal, full, message, key
				if e.Hidden {
					e.FullText = ""
				}
				return nil
			})
			if err != nil {
				return err
			}
			for _, id := range ids {
				if err := fn(more[id]); err != nil {
					return err
				}
			}
		}
	})
}

// EachLetter calls fn for every letter seen, for `export letters`.
func (s *Store) EachLetter(ctx context.Context, fn func(*SeenLetter) error) error {
	return s.read(ctx, func(t *tx) error {
		var last *SeenLetter
		flush := func() error {
			if last == nil {
				return nil
			}
			return fn(last)
		}
		lastKey := [3]int64{}
		err := t.rows(`SELECT l.folder_id, m.name, f.name, l.uid_validity, l.uid, l.message_id, l.date, l.outcome, l.reason, c.id
			FROM letters l JOIN folders f ON f.id = l.folder_id JOIN mailboxes m ON m.id = f.mailbox_id
			LEFT JOIN contacts c ON c.message_key = l.message_key AND c.message_key <> '' AND l.outcome = 'captured'
			ORDER BY m.name, f.name, l.folder_id, l.uid_validity, l.uid, c.id`, nil, func(scan func(...any) error) error {
			var l SeenLetter
			var folder, contact int64
			if err := scan(&folder, &l.Mailbox, &l.Folder, &l.UIDValidity, &l.UID, &l.MessageID, timeInto{&l.Date}, &l.Outcome, &l.Reason, idInto{&contact}); err != nil {
				return err
			}
			k := [3]int64{folder, int64(l.UIDValidity), int64(l.UID)}
			if last == nil || k != lastKey {
				if err := flush(); err != nil {
					return err
				}
				last, lastKey = &l, k
			}
			if contact != 0 {
				last.Contacts = append(last.Contacts, contact)
			}
			return nil
		})
		if err != nil {
			return err
		}
		return flush()
	})
}

// EachManager calls fn for every manager as it would be imported.
func (s *Store) EachManager(ctx context.Context, fn func(*ManagerRow) error) error {
	return s.read(ctx, func(t *tx) error {
		all, err := t.managers("TRUE")
		if err != nil {
			return err
		}
		for _, m := range all {
			if err := fn(&ManagerRow{ID: m.ExternalID, Name: m.Name, Login: m.Login, Role: string(m.Role), TimeZone: m.TimeZone, Language: string(m.Language), WorkHours: m.WorkHours.String(), Emails: m.Emails}); err != nil {
				return err
			}
		}
		return nil
	})
}

// EachClient calls fn for every client as it would be imported.
func (s *Store) EachClient(ctx context.Context, fn func(*ClientRow) error) error {
	return s.read(ctx, func(t *tx) error {
		for after := int64(0); ; {
			page, err := t.clients("WHERE cl.id > $1 ORDER BY cl.id LIMIT $2", after, exportPage)
			if err != nil || len(page) == 0 {
				return err
			}
			after = page[len(page)-1].ID
			for _, c := range page {
				row := ClientRow{ID: c.ExternalID, Name: c.Name, Importance: string(c.Importance), Stage: c.Stage, Domains: c.Domains, Emails: c.Emails, Phones: c.Phones, Attributes: c.Attributes}
				err := t.row(`SELECT (SELECT COALESCE(external_id, login) FROM managers WHERE id = $1), (SELECT external_id FROM sources WHERE id = $2)`,
					[]any{c.ManagerID, c.SourceID}, textInto{&row.Manager}, textInto{&row.Source})
				if err != nil {
					return err
				}
				if err := fn(&row); err != nil {
					return err
				}
			}
		}
	})
}

// EachPerson calls fn for every person as it would be imported.
func (s *Store) EachPerson(ctx context.Context, fn func(*PersonRow) error) error {
	return s.read(ctx, func(t *tx) error {
		for after := int64(0); ; {
			page, err := t.persons("p.id > $1", "LIMIT $2", after, exportPage)
			if err != nil || len(page) == 0 {
				return err
			}
			after = page[len(page)-1].ID
			for _, p := range page {
				row := PersonRow{ID: p.ExternalID, Name: p.Name, Position: p.Position, Emails: p.Emails, Phones: p.Phones, Birthday: p.Birthday, Bounced: p.Bounced, Away: p.Away}
				if err := t.row(`SELECT external_id FROM clients WHERE id = $1`, []any{p.ClientID}, textInto{&row.Client}); err != nil {
					return err
				}
				if err := fn(&row); err != nil {
					return err
				}
			}
		}
	})
}

// EachSource calls fn for every lead source as it would be imported.
func (s *Store) EachSource(ctx context.Context, fn func(*SourceRow) error) error {
	return s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT external_id, name, campaign, medium, from_date, to_date, cost, currency FROM sources ORDER BY id`, nil, func(scan func(...any) error) error {
			var r SourceRow
			if err := scan(&r.ID, &r.Name, &r.Campaign, &r.Medium, &r.From, &r.To, &r.Cost.Minor, &r.Cost.Currency); err != nil {
				return err
			}
			return fn(&r)
		})
	})
}

// EachDeal calls fn for every deal as it would be imported.
func (s *Store) EachDeal(ctx context.Context, fn func(*DealRow) error) error {
	return s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT d.external_id, d.number, d.date, cl.external_id, COALESCE(m.external_id, m.login), d.amount, d.currency, d.cost, d.cost IS NOT NULL, d.status, src.external_id,
			(SELECT due FROM deal_events WHERE deal_id = d.id AND kind = 'shipment' AND external_id IS NULL ORDER BY id LIMIT 1),
			(SELECT due FROM deal_events WHERE deal_id = d.id AND kind = 'payment' AND external_id IS NULL ORDER BY id LIMIT 1)
			FROM deals d JOIN clients cl ON cl.id = d.client_id LEFT JOIN managers m ON m.id = d.manager_id LEFT JOIN sources src ON src.id = d.source_id
			ORDER BY d.id`, nil, func(scan func(...any) error) error {
			var r DealRow
			var cost int64
			var known bool
			var ship, pay string
			if err := scan(textInto{&r.ID}, &r.Number, &r.Date, textInto{&r.Client}, textInto{&r.Manager}, &r.Amount.Minor, &r.Amount.Currency, idInto{&cost}, &known, &r.Status,
				textInto{&r.Source}, textInto{&ship}, textInto{&pay}); err != nil {
				return err
			}
			r.ShipDue, r.PayDue = Date(ship), Date(pay)
			if known {
				r.Cost = &Money{cost, r.Amount.Currency}
			}
			return fn(&r)
		})
	})
}

// EachEvent calls fn for every event that was given one by one.
func (s *Store) EachEvent(ctx context.Context, fn func(*EventRow) error) error {
	return s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT e.external_id, d.external_id, e.kind, e.due, e.amount FROM deal_events e JOIN deals d ON d.id = e.deal_id
			WHERE e.external_id IS NOT NULL ORDER BY e.id`, nil, func(scan func(...any) error) error {
			var r EventRow
			if err := scan(&r.ID, textInto{&r.Deal}, &r.Kind, &r.Due, &r.Amount); err != nil {
				return err
			}
			return fn(&r)
		})
	})
}

// EachLine calls fn for every line as it would be imported.
func (s *Store) EachLine(ctx context.Context, fn func(*LineRow) error) error {
	return s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT l.external_id, d.external_id, doc.external_id, l.item, l.article, l.quantity, l.unit, l.price, l.amount, l.cost
			FROM lines l LEFT JOIN deals d ON d.id = l.deal_id LEFT JOIN documents doc ON doc.id = l.document_id ORDER BY l.id`, nil, func(scan func(...any) error) error {
			var r LineRow
			if err := scan(textInto{&r.ID}, textInto{&r.Deal}, textInto{&r.Document}, &r.Item, &r.Article, &r.Quantity, &r.Unit, &r.Price, &r.Amount, &r.Cost); err != nil {
				return err
			}
			return fn(&r)
		})
	})
}

// EachDocument calls fn for every document as it would be imported.
func (s *Store) EachDocument(ctx context.Context, fn func(*DocumentRow) error) error {
	return s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT doc.external_id, doc.kind, doc.number, doc.date, d.external_id, cl.external_id, doc.amount, doc.currency, doc.cost, doc.cost IS NOT NULL, doc.tax, doc.tax IS NOT NULL
			FROM documents doc JOIN clients cl ON cl.id = doc.client_id LEFT JOIN deals d ON d.id = doc.deal_id ORDER BY doc.id`, nil, func(scan func(...any) error) error {
			var r DocumentRow
			var cost, tax int64
			var costKnown, taxKnown bool
			if err := scan(textInto{&r.ID}, &r.Kind, &r.Number, &r.Date, textInto{&r.Deal}, textInto{&r.Client}, &r.Amount.Minor, &r.Amount.Currency,
				idInto{&cost}, &costKnown, idInto{&tax}, &taxKnown); err != nil {
				return err
			}
			if costKnown {
				r.Cost = &Money{cost, r.Amount.Currency}
			}
			if taxKnown {
				r.Tax = &Money{tax, r.Amount.Currency}
			}
			return fn(&r)
		})
	})
}
