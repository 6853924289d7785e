package store

import (
	"context"
	"fmt"
	"time"
)

// Conversations of a client's done contacts, by their newest contact, newest
// first; next is where the page ended, zero when it is the last one. Of a
// client that is not the viewer's own it gives the contacts in which the viewer
// took part, as Contacts does.
func (s *Store) Conversations(ctx context.Context, viewer Manager, clientID int64, after ContactPlace, limit int) (out []Conversation, next ContactPlace, err error) {
	if limit <= 0 || limit > 100 {
		limit = 100
	}
	err = s.read(ctx, func(t *tx) error {
		client, err := t.client(clientID)
		if err != nil {
			return err
		}
		heads := conditions{}
		// of is what a contact of that alias must be to be shown here.
		of := func(c *conditions, alias string) string {
			is := alias + ".client_id = " + c.arg(client.ID) + " AND " + alias + ".state = 'done'"
			if viewer.Role != RoleHead && client.ManagerID != viewer.ID {
				// The manager's contacts once: looked up with each of 100,000 they took 0.5 s.
				is += " AND +" + alias + ".id IN (SELECT contact_id FROM contact_managers WHERE manager_id = " + c.arg(viewer.ID) + ")"
			}
			return is
		}
		heads.add(of(&heads, "c"))
		heads.add(`(c.thread = '' OR NOT EXISTS (SELECT 1 FROM contacts n WHERE n.thread = c.thread AND (n.start_at, n.id) > (c.start_at, c.id) AND ` + of(&heads, "n") + `))`)
		if after.ID != 0 {
			heads.add("(c.start_at, c.id) < (?, ?)", after.Start, after.ID)
		}
		newest, err := t.contacts(heads.where()+fmt.Sprintf(" ORDER BY c.start_at DESC, c.id DESC LIMIT %d", limit+1), heads.args...)
		if err != nil {
			return err
		}
		if len(newest) > limit {
			newest = newest[:limit]
			next.ID = newest[limit-1].ID
			if err := t.row(`SELECT start_at FROM contacts WHERE id = $1`, []any{next.ID}, &next.Start); err != nil {
				return err
			}
		}
		var threads []string
		at := map[string]int{}
		for i := range newest {
			c := &newest[i]
			c.hideFrom(viewer.ID)
			out = append(out, Conversation{Contacts: []Contact{*c}, Count: 1})
			if c.Thread != "" {
				threads, at[c.Thread] = append(threads, c.Thread), i
			}
		}
		if len(threads) == 0 {
			return nil
		}
		rest := conditions{}
		rest.add("+" + of(&rest, "x")) // the plus: from the threads, not from all of the client's
		rest.texts(t.s.dialect, "x.thread", threads)
		var ids []int64
		err = t.rows(`SELECT r.id, r.thread, r.place, r.whole FROM (SELECT x.id AS id, x.thread AS thread, ROW_NUMBER() OVER (PARTITION BY x.thread ORDER BY x.start_at DESC, x.id DESC) AS place,
			COUNT(*) OVER (PARTITION BY x.thread) AS whole FROM contacts x`+rest.where()+fmt.Sprintf(`) r WHERE r.place <= %d`, conversationShown), rest.args, func(scan func(...any) error) error {
			var id int64
			var thread string
			var place, whole int
			err := scan(&id, &thread, &place, &whole)
			out[at[thread]].Count = whole
			if place > 1 {
				ids = append(ids, id)
			}
			return err
		})
		if err != nil || len(ids) == 0 {
			return err
		}
		older, err := t.contacts(`WHERE c.id IN `+t.s.dialect.ids("$1")+` ORDER BY c.start_at DESC, c.id DESC`, asJSON(ids))
		for i := range older {
			older[i].hideFrom(viewer.ID)
			of := &out[at[older[i].Thread]]
			of.Contacts = append(of.Contacts, older[i])
		}
		return err
	})
	return out, next, err
}

// FullText of a letter, with quotes and signature; "" where none is kept, or
// the viewer may not read it. dropped is when it was dropped because of its age.
// ErrNotFound as Contact.
func (s *Store) FullText(ctx context.Context, viewer Manager, id int64) (text string, dropped time.Time, err error) {
	err = s.read(ctx, func(t *tx) error {
		key, err := t.readableLetter(viewer, id)
		if err != nil || key == "" {
			return err
		}
		return ignoreNotFound(t.row(`SELECT full_text, dropped FROM letter_texts WHERE message_key = $1`, []any{key}, &text, timeInto{&dropped}))
	})
	return text, dropped, err
}

// readableLetter is the key of the letter that a contact is, "" where it is
// none or the viewer may not read it.
func (t *tx) readableLetter(viewer Manager, id int64) (key string, err error) {
	c, err := t.contact(id)
	if err != nil {
		return "", err
	}
	if err := sees(t, viewer, &c); err != nil || c.hidesFrom(viewer.ID) {
		return "", err
	}
	return c.MessageKey, nil
}

// ClientDocuments of a client, newest first, behind a place; next is where the
// page ended, zero when it is the last one. The viewer must know of the client.
func (s *Store) ClientDocuments(ctx context.Context, viewer Manager, clientID int64, after DocumentPlace, limit int) (out []ClientDocument, next DocumentPlace, err error) {
	if limit <= 0 || limit > 500 {
		limit = 500
	}
	err = s.read(ctx, func(t *tx) error {
		client, err := t.client(clientID)
		if err != nil {
			return err
		}
		if err := t.seesClient(viewer, client); err != nil {
			return err
		}
		c := conditions{}
		c.add("doc.client_id = ?", client.ID)
		if after.ID != 0 {
			c.add("(doc.date, doc.id) < (?, ?)", string(after.Date), after.ID)
		}
		return t.rows(`SELECT doc.id, doc.kind, doc.number, doc.date, doc.deal_id, d.number, doc.amount, doc.currency, s.after FROM documents doc LEFT JOIN deals d ON d.id = doc.deal_id
			LEFT JOIN (SELECT document_id, CAST(SUM(amount) OVER (PARTITION BY currency ORDER BY date, document_id) AS BIGINT) AS after FROM settlements WHERE client_id = $1) s ON s.document_id = doc.id`+
			c.where()+fmt.Sprintf(` ORDER BY doc.date DESC, doc.id DESC LIMIT %d`, limit+1), c.args, func(scan func(...any) error) error {
			d := ClientDocument{Document: Document{ClientID: client.ID}}
			var owed *int64
			if err := scan(&d.ID, &d.Kind, &d.Number, &d.Date, idInto{&d.DealID}, textInto{&d.Deal}, &d.Amount.Minor, &d.Amount.Currency, &owed); err != nil {
				return err
			}
			if owed != nil {
				d.After, d.Moved = Money{*owed, d.Amount.Currency}, true
			}
			if len(out) == limit {
				next = DocumentPlace{out[limit-1].Date, out[limit-1].ID}
				return nil
			}
			out = append(out, d)
			return nil
		})
	})
	return out, next, err
}

// DealBalances are what a client owes, or is owed, of each deal whose balance
// is not zero, the newest deals first, and without a deal.
func (s *Store) DealBalances(ctx context.Context, clientID int64, limit int) (out []DealBalance, err error) {
	err = s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT b.deal_id, d.number, b.sum, b.currency FROM (SELECT deal_id, currency, CAST(SUM(amount) AS BIGINT) AS sum FROM settlements WHERE client_id = $1
			GROUP BY deal_id, currency HAVING SUM(amount) <> 0) b LEFT JOIN deals d ON d.id = b.deal_id ORDER BY COALESCE(d.date, '') DESC, b.deal_id DESC, b.currency LIMIT $2`,
			[]any{clientID, limit}, func(scan func(...any) error) error {
				var b DealBalance
				err := scan(idInto{&b.DealID}, textInto{&b.Deal}, &b.Sum.Minor, &b.Sum.Currency)
				out = append(out, b)
				return err
			})
	})
	return out, err
}
