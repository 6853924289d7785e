package store_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"intouch/store"
)

// told takes what waits for a webhook: the event's type, and its body.
func (h *house) told(w store.Webhook) (types []string, bodies []map[string]any) {
	h.t.Helper()
	all, err := h.ClaimDeliveries(ctx, w.ID, 1000, time.Hour)
	h.must(err)
	for _, d := range all {
		var body map[string]any
		h.must(json.Unmarshal(d.Body, &body))
		if body["id"] != d.EventID {
			h.t.Errorf("event %s in the body of %s", body["id"], d.EventID)
		}
		types, bodies = append(types, body["type"].(string)), append(bodies, body)
		h.must(h.Delivered(ctx, w.ID, d.ID))
	}
	return types, bodies
}

func TestWebhook_told(t *testing.T) {
	each(t, func(h *house) {
		all, secret, err := h.AddWebhook(ctx, "https://shop.example.com/hook", nil)
		h.must(err)
		deals, _, err := h.AddWebhook(ctx, "http://localhost:3000/", []store.EventType{store.DealChanged})
		h.must(err)
		if _, _, err := h.AddWebhook(ctx, "http://localhost:3000/", nil); !errors.Is(err, store.ErrConflict) {
			t.Errorf("added twice: %v", err)
		}
		now := func(what string, w store.Webhook, want ...string) []map[string]any {
			t.Helper()
			types, bodies := h.told(w)
			if slices.Sort(types); !slices.Equal(types, want) {
				t.Errorf("%s: told %q, want %q", what, types, want)
			}
			return bodies
		}
		anna := store.Actor{ManagerID: h.anna.ID, Origin: store.FromWeb}
		c := h.call("Договориться", monday().Add(time.Hour))
		planned := now("planned", all, "contact.planned")
		if len(planned) == 1 {
			data, subject := planned[0]["data"].(map[string]any), planned[0]["subject"].(map[string]any)
			if subject["kind"] != "contact" || subject["id"] != float64(c.ID) || data["subject"] != "Договориться" || data["manager"] != "anna" ||
				data["client"].(map[string]any)["external_id"] != "c1" || data["start"] != "2026-11-23T08:00:00Z" || planned[0]["origin"] != "web" || planned[0]["occurred"] != "2026-11-23T07:00:00Z" {
				t.Errorf("body: %v", planned[0])
			}
		}
		edit := func(e store.ContactEdit) {
			t.Helper()
			_, err := h.EditContact(ctx, anna, c.ID, 0, e)
			h.must(err)
		}
		later := store.Span{Start: monday().Add(5 * time.Hour), End: monday().Add(6 * time.Hour)}
		edit(store.ContactEdit{When: &later})
		now("moved", all, "contact.moved")
		for _, s := range []struct {
			to   store.State
			want string
		}{{store.Postponed, "contact.postponed"}, {store.Planned, "contact.planned"}, {store.Done, "contact.done"}, {store.Cancelled, "contact.cancelled"}} {
			edit(store.ContactEdit{State: &s.to})
			now(string(s.to), all, s.want)
		}
		body := "a note"
		edit(store.ContactEdit{Body: &body})
		now("a note is no news", all)

		old := h.letter(1, "old")
		old.Date = monday().AddDate(0, -1, 0)
		fresh, private := h.letter(2, "fresh"), h.letter(3, "private")
		private.Private, private.Subject = true, "Secret"
		h.file(h.folder("anna", "anna", 7), old, fresh, private)
		for _, b := range now("letters", all, "contact.captured", "contact.captured") {
			if text, _ := json.Marshal(b); strings.Contains(string(text), "Secret") || strings.Contains(string(text), "Сколько") {
				t.Errorf("a private subject, or a letter's text: %s", text)
			}
		}
		now("contacts are not told", deals)

		h.imports(func(im *store.Import) {
			h.row(im.Deal(store.DealRow{ID: "d1", Number: "1045", Date: "2026-11-01", Client: "c1", Amount: store.Money{Minor: 120_000}, ShipDue: "2026-11-20", PayDue: "2026-11-30"}))
		})
		now("deal", deals, "deal.changed")
		h.imports(func(im *store.Import) {
			h.row(im.Document(store.DocumentRow{ID: "x1", Kind: store.ShipmentDoc, Date: "2026-11-20", Deal: "d1", Amount: store.Money{Minor: 120_000}}))
		})
		for _, b := range now("shipped", deals, "deal.changed") {
			if amount := b["data"].(map[string]any)["amount"].(map[string]any); amount["minor"] != float64(120_000) || amount["currency"] != "RUB" {
				t.Errorf("amount: %v", amount)
			}
		}
		// A dry run and a failed transaction tell nothing.
		h.must(h.Import(ctx, store.Actor{}, true, func(im *store.Import) error {
			h.row(im.Deal(store.DealRow{ID: "d2", Number: "2", Date: "2026-11-01", Client: "c1"}))
			return nil
		}))
		now("dry run", deals)

		h.must(h.DisableWebhook(ctx, deals.ID, "gone"))
		h.must(h.RemoveWebhook(ctx, all.ID))
		if err := h.RemoveWebhook(ctx, all.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("removed twice: %v", err)
		}
		h.imports(func(im *store.Import) {
			h.row(im.Deal(store.DealRow{ID: "d3", Number: "3", Date: "2026-11-01", Client: "c1"}))
		})
		now("disabled", deals)
		h.must(h.EnableWebhook(ctx, deals.ID))
		list, err := h.Webhooks(ctx)
		h.must(err)
		if len(list) != 1 || list[0].Sent != 2 || !list[0].Disabled.IsZero() {
			t.Errorf("list: %+v", list)
		}

		// The signature as a receiver checks it.
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		h.must(err)
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "evt_1.%d.{}", monday().Unix())
		if got, want := all.Sign("evt_1", monday(), []byte("{}")), "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)); got != want || len(key) < 24 {
			t.Errorf("signature %s, want %s", got, want)
		}
	})
}

// What does not answer waits, at most for two days and not more than so much.
func TestWebhook_waits(t *testing.T) {
	each(t, func(h *house) {
		w, _, err := h.AddWebhook(ctx, "https://shop.example.com/hook", nil)
		h.must(err)
		h.call("one", monday().Add(time.Hour))
		h.clock.t = h.clock.t.Add(40 * time.Hour)
		h.call("two", monday().Add(time.Hour))
		claimed, err := h.ClaimDeliveries(ctx, w.ID, 10, time.Hour)
		h.must(err)
		if again, err := h.ClaimDeliveries(ctx, w.ID, 10, time.Hour); err != nil || len(again) != 0 || len(claimed) != 2 {
			t.Fatalf("claimed %d, then %d: %v", len(claimed), len(again), err)
		}
		until := h.clock.t.Add(10 * time.Hour)
		dropped, err := h.WebhookWaits(ctx, w.ID, until, h.clock.t.Add(-39*time.Hour), "no answer", []int64{claimed[0].ID, claimed[1].ID})
		if h.must(err); dropped != 1 {
			t.Errorf("dropped %d", dropped)
		}
		if due, err := h.DueWebhooks(ctx); err != nil || len(due) != 0 {
			t.Errorf("due: %+v, %v", due, err)
		}
		if next, err := h.NextDelivery(ctx); err != nil || !next.Equal(until) {
			t.Errorf("next %v, %v", next, err)
		}
		h.clock.t = until
		if due, err := h.DueWebhooks(ctx); err != nil || len(due) != 1 || due[0].Troubles != 1 || due[0].Failed != 1 || due[0].Waiting != 1 {
			t.Errorf("due: %+v, %v", due, err)
		}
	})
}

func TestWebhookURL(t *testing.T) {
	for _, good := range []string{"https://shop.example.com", "https://shop.example.com:8443/a?b=c", "http://127.0.0.1:3000/hook", "http://[::1]:3000", "http://localhost/x"} {
		if _, err := store.WebhookURL(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"", "shop", "http://shop.example.com", "https://", "https://u:p@shop.example.com", "https://shop.example.com/#x", "ftp://shop.example.com",
		"http://localhost.evil.test", "http://127.0.0.1.evil.test", "https://x:99999", "https:opaque", "http://10.0.0.1/", "https://" + strings.Repeat("a", 2001)} {
		var fault *store.Invalid
		if _, err := store.WebhookURL(bad); !errors.As(err, &fault) {
			t.Errorf("%.40s: %v", bad, err)
		}
	}
}
