package store

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"strings"
	"time"
)

const (
	maxWebhooks = 50
	// maxWaiting is how many events may wait for a webhook that does not answer.
	maxWaiting = 100_000
)

// news is what a transaction has to tell.
type news struct {
	asked    bool      // whether anybody listens
	webhooks []Webhook // ID and Events alone
	happened []happened
	has      map[happened]bool
}

// AddWebhook makes a webhook for those events, all when none are given. The
// secret is told this once. ErrConflict where the address is one already,
// *Invalid.
func (s *Store) AddWebhook(ctx context.Context, address string, events []EventType) (w Webhook, secret string, err error) {
	u, err := WebhookURL(address)
	if err != nil {
		return w, "", err
	}
	if len(events) == 0 {
		events = EventTypes
	}
	for _, e := range events {
		if _, err := ParseEventType(string(e)); err != nil {
			return w, "", err
		}
	}
	key := make([]byte, 32)
	rand.Read(key)
	secret = secretPrefix + base64.StdEncoding.EncodeToString(key)
	err = s.write(ctx, func(t *tx) error {
		var n int
		if err := t.row(`SELECT COUNT(*) FROM webhooks`, nil, &n); err != nil {
			return err
		}
		if n >= maxWebhooks {
			return invalid("webhook", "there are %d already", n)
		}
		id, err := t.insert(`INSERT INTO webhooks (url, events, secret, created) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`, u.String(), asJSON(events), secret, t.now.Unix())
		if err != nil {
			return err
		}
		if id == 0 {
			return ErrConflict
		}
		found, err := t.webhooks("w.id = $1", id)
		if err == nil {
			w = found[0]
		}
		return err
	})
	return w, secret, err
}

func (t *tx) webhooks(where string, args ...any) (out []Webhook, err error) {
	err = t.rows(`SELECT w.id, w.url, w.events, w.secret, w.created, w.disabled, w.troubles, w.sent, w.failed, w.last_sent, w.last_error,
		(SELECT COUNT(*) FROM deliveries d WHERE d.webhook_id = w.id) FROM webhooks w WHERE `+where+` ORDER BY w.id`, args, func(scan func(...any) error) error {
		var w Webhook
		err := scan(&w.ID, &w.URL, jsonInto{&w.Events}, &w.secret, timeInto{&w.Created}, timeInto{&w.Disabled}, &w.Troubles, &w.Sent, &w.Failed, timeInto{&w.LastSent}, &w.LastError, &w.Waiting)
		out = append(out, w)
		return err
	})
	return out, err
}

// Webhooks are all of them.
func (s *Store) Webhooks(ctx context.Context) (out []Webhook, err error) {
	err = s.read(ctx, func(t *tx) error {
		out, err = t.webhooks("TRUE")
		return err
	})
	return out, err
}

// RemoveWebhook removes it and what waits for it; ErrNotFound.
func (s *Store) RemoveWebhook(ctx context.Context, id int64) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec(`DELETE FROM webhooks WHERE id = $1`, id)
		if err == nil && n == 0 {
			err = ErrNotFound
		}
		if err == nil {
			_, err = t.exec(`DELETE FROM deliveries WHERE webhook_id NOT IN (SELECT id FROM webhooks)`)
		}
		return err
	})
}

// EnableWebhook tells a webhook again that was disabled, from now on; a good
// one that waits because it did not answer is tried at once. ErrNotFound.
func (s *Store) EnableWebhook(ctx context.Context, id int64) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec(`UPDATE webhooks SET disabled = 0, wait_until = 0, troubles = 0, last_error = '' WHERE id = $1`, id)
		if err == nil && n == 0 {
			err = ErrNotFound
		}
		if err == nil {
			_, err = t.exec(`UPDATE deliveries SET next_try = $1 WHERE webhook_id = $2 AND next_try > $1`, t.now.Unix(), id)
		}
		return err
	})
}

// happens takes note of what webhooks may be told.
func (t *tx) happens(actor Actor, what string, id int64, verb string, c changes) error {
	kind := eventOf(what, verb, c)
	if kind == "" {
		return nil
	}
	if !t.news.asked {
		t.news.asked, t.news.has = true, map[happened]bool{}
		err := t.rows(`SELECT id, events FROM webhooks WHERE disabled = 0 ORDER BY id`, nil, func(scan func(...any) error) error {
			var w Webhook
			err := scan(&w.ID, jsonInto{&w.Events})
			t.news.webhooks = append(t.news.webhooks, w)
			return err
		})
		if err != nil {
			return err
		}
	}
	one := happened{kind, what, id, actor.Origin}
	if len(t.news.webhooks) == 0 || t.news.has[one] {
		return nil
	}
	t.news.has[one] = true
	t.news.happened = append(t.news.happened, one)
	return nil
}

// tell writes down what happened for each webhook that wants it: what the
// records say as the transaction ends.
func (t *tx) tell() error {
	told := map[happened]bool{}
	for _, h := range t.news.happened {
		e, err := t.envelope(&h)
		if err != nil {
			return err
		}
		h.by = ""
		if e == nil || told[h] {
			continue
		}
		told[h] = true
		body := asJSON(e)
		for _, w := range t.news.webhooks {
			if !among(w.Events, e.Type) {
				continue
			}
			if _, err := t.exec(`INSERT INTO deliveries (webhook_id, event_id, body, next_try, created) VALUES ($1, $2, $3, $4, $4)`, w.ID, e.ID, body, t.now.Unix()); err != nil {
				return err
			}
		}
	}
	t.news = news{}
	return nil
}

// envelope is an event with what its record says now, nil where there is
// nothing to tell. h becomes what it is about.
func (t *tx) envelope(h *happened) (*envelope, error) {
	e := &envelope{ID: "evt_" + strings.ToLower(rand.Text()), Occurred: t.now.Format(time.RFC3339), Origin: h.by}
	if h.what == "contact" {
		c, err := t.contact(h.id)
		if err != nil {
			return nil, ignoreNotFound(err)
		}
		if h.Type == "created" {
			h.Type = stateEvents[c.State]
			if c.MessageKey != "" {
				h.Type = ContactCaptured
			}
		}
		if h.Type == ContactCaptured && c.When.Start.Before(t.now.Add(-freshLetter)) {
			return nil, nil
		}
		e.Type = h.Type
		e.Data, e.Subject, err = t.contactNews(&c)
		return e, err
	}
	if h.what == "event" {
		it, err := t.item(ItemKey{Event: true, ID: h.id})
		if err != nil {
			return nil, ignoreNotFound(err)
		}
		h.what, h.id = "deal", it.Event.DealID
	}
	d, err := t.deal(h.id)
	if err != nil {
		return nil, ignoreNotFound(err)
	}
	e.Type, e.Subject = h.Type, subject{"deal", d.ID, maybeText(d.ExternalID)}
	n := dealNews{Number: d.Number, Date: d.Date, Amount: moneyNews{d.Amount.Minor, d.Amount.Currency}, Status: d.Status, Version: d.Version}
	if n.Client, n.Manager, _, err = t.newsRefs(d.ClientID, d.ManagerID, 0); err != nil {
		return nil, err
	}
	e.Data = n
	return e, nil
}

func (t *tx) contactNews(c *Contact) (n contactNews, s subject, err error) {
	var key string
	if err := t.row(`SELECT external_id FROM contacts WHERE id = $1`, []any{c.ID}, textInto{&key}); err != nil {
		return n, s, err
	}
	n = contactNews{Kind: c.Kind, Direction: c.Direction, State: c.State, Importance: c.Importance, ClientText: c.ClientText, Subject: c.Subject,
		Minutes: c.Minutes, Version: c.Version}
	if c.Private {
		n.Subject = ""
	}
	if c.When.AllDay {
		n.FirstDay, n.LastDay = maybeText(c.When.First), maybeText(c.When.Last)
	} else {
		n.Start, n.End = maybeTime(c.When.Start), maybeTime(c.When.End)
	}
	n.Client, n.Manager, n.Deal, err = t.newsRefs(c.ClientID, c.ManagerID, c.DealID)
	return n, subject{"contact", c.ID, maybeText(key)}, err
}

// newsRefs names the records that another one belongs to.
func (t *tx) newsRefs(client, manager, deal int64) (*record, *string, *record, error) {
	var clientKey, login, dealKey string
	err := t.row(`SELECT (SELECT external_id FROM clients WHERE id = $1), (SELECT login FROM managers WHERE id = $2), (SELECT external_id FROM deals WHERE id = $3)`,
		[]any{client, manager, deal}, textInto{&clientKey}, textInto{&login}, textInto{&dealKey})
	return maybeRecord(client, clientKey), maybeText(login), maybeRecord(deal, dealKey), err
}

// NextDelivery is when something is to be sent next; zero: nothing waits.
func (s *Store) NextDelivery(ctx context.Context) (next time.Time, err error) {
	err = s.read(ctx, func(t *tx) error {
		return t.row(`SELECT MIN(CASE WHEN w.wait_until > d.next_try THEN w.wait_until ELSE d.next_try END)
			FROM webhooks w JOIN (SELECT webhook_id, MIN(next_try) AS next_try FROM deliveries GROUP BY webhook_id) d ON d.webhook_id = w.id WHERE w.disabled = 0`,
			nil, timeInto{&next})
	})
	return next, ignoreNotFound(err)
}

// DueWebhooks are those for which something is to be sent now; none while the
// outbox is locked.
func (s *Store) DueWebhooks(ctx context.Context) (out []Webhook, err error) {
	err = s.read(ctx, func(t *tx) error {
		if why, err := t.outboxLock(); err != nil || why != "" {
			return err
		}
		out, err = t.webhooks(`w.disabled = 0 AND w.wait_until <= $1 AND EXISTS (SELECT 1 FROM deliveries d WHERE d.webhook_id = w.id AND d.next_try <= $1)`, t.now.Unix())
		return err
	})
	return out, err
}

// ClaimDeliveries takes up to limit due events of a webhook, and keeps others
// from them until the lease ends.
func (s *Store) ClaimDeliveries(ctx context.Context, webhook int64, limit int, lease time.Duration) (out []Delivery, err error) {
	err = s.write(ctx, func(t *tx) error {
		out = nil
		var ids []int64
		err := t.rows(`SELECT id, event_id, body, tries, created FROM deliveries WHERE webhook_id = $1 AND next_try <= $2 ORDER BY next_try, id LIMIT $3`+s.dialect.skipLocked(),
			[]any{webhook, t.now.Unix(), limit}, func(scan func(...any) error) error {
				var d Delivery
				var body string
				err := scan(&d.ID, &d.EventID, &body, &d.Tries, timeInto{&d.Created})
				d.Body, d.Tries = []byte(body), d.Tries+1
				out, ids = append(out, d), append(ids, d.ID)
				return err
			})
		if err != nil || len(ids) == 0 {
			return err
		}
		_, err = t.exec(`UPDATE deliveries SET tries = tries + 1, next_try = $1 WHERE id IN `+s.dialect.ids("$2"), t.now.Add(lease).Unix(), asJSON(ids))
		return err
	})
	return out, err
}

// Delivered notes that a webhook took an event.
func (s *Store) Delivered(ctx context.Context, webhook, delivery int64) error {
	return s.write(ctx, func(t *tx) error {
		if n, err := t.exec(`DELETE FROM deliveries WHERE id = $1`, delivery); err != nil || n == 0 {
			return err // it was removed meanwhile
		}
		_, err := t.exec(`UPDATE webhooks SET sent = sent + 1, last_sent = $1, last_error = '', wait_until = 0, troubles = 0 WHERE id = $2`, t.now.Unix(), webhook)
		return err
	})
}

// DeliveryRefused notes an answer that may be another one later: the event is
// tried again at next; zero: no more.
func (s *Store) DeliveryRefused(ctx context.Context, webhook, delivery int64, next time.Time, reason string) error {
	return s.write(ctx, func(t *tx) error {
		given := 0
		query, args := `UPDATE deliveries SET next_try = $1 WHERE id = $2`, []any{unix(next), delivery}
		if next.IsZero() {
			given, query, args = 1, `DELETE FROM deliveries WHERE id = $1`, args[1:]
		}
		if n, err := t.exec(query, args...); err != nil || n == 0 {
			return err
		}
		_, err := t.exec(`UPDATE webhooks SET failed = failed + $1, last_error = $2, troubles = 0 WHERE id = $3`, given, clip(clean(reason), 500), webhook)
		return err
	})
}

// WebhookWaits notes that a webhook does not answer: nothing is sent to it
// before until, and the claimed events are free again, as if not tried. What
// has waited since before old is given up, and so are the oldest of more than
// maxWaiting; dropped says how many those are.
func (s *Store) WebhookWaits(ctx context.Context, webhook int64, until, old time.Time, reason string, claimed []int64) (dropped int64, err error) {
	err = s.write(ctx, func(t *tx) error {
		if err := t.freeDeliveries(claimed); err != nil {
			return err
		}
		if dropped, err = t.exec(`DELETE FROM deliveries WHERE webhook_id = $1 AND (created < $2
			OR id <= (SELECT id FROM deliveries WHERE webhook_id = $1 ORDER BY id DESC LIMIT 1 OFFSET $3))`, webhook, unix(old), maxWaiting); err != nil {
			return err
		}
		_, err := t.exec(`UPDATE webhooks SET wait_until = $1, troubles = troubles + 1, last_error = $2, failed = failed + $3 WHERE id = $4`,
			unix(until), clip(clean(reason), 500), dropped, webhook)
		return err
	})
	return dropped, err
}

// FreeDeliveries gives back claimed events that were not tried.
func (s *Store) FreeDeliveries(ctx context.Context, claimed []int64) error {
	return s.write(ctx, func(t *tx) error { return t.freeDeliveries(claimed) })
}

func (t *tx) freeDeliveries(ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	_, err := t.exec(`UPDATE deliveries SET next_try = $1, tries = tries - 1 WHERE id IN `+t.s.dialect.ids("$2"), t.now.Unix(), asJSON(ids))
	return err
}

// DisableWebhook tells it nothing more, and drops what waits.
func (s *Store) DisableWebhook(ctx context.Context, webhook int64, reason string) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec(`DELETE FROM deliveries WHERE webhook_id = $1`, webhook)
		if err != nil {
			return err
		}
		_, err = t.exec(`UPDATE webhooks SET disabled = $1, failed = failed + $2, last_error = $3 WHERE id = $4`, t.now.Unix(), n, clip(clean(reason), 500), webhook)
		return err
	})
}
