package store_test

import (
	"errors"
	"testing"
	"time"

	"intouch/store"
)

// Each question of the inbox is counted and asked on both engines, of those
// whose it is, and no longer once it is settled.
func TestInbox(t *testing.T) {
	each(t, func(h *house) {
		since := monday().AddDate(0, 0, -14)
		actor := store.Actor{ManagerID: h.anna.ID, Origin: store.FromWeb}
		before, err := h.InboxCounts(ctx, h.anna, since)
		h.must(err)
		c, err := h.PlanContact(ctx, actor, store.ContactDraft{Subject: "Обед", ClientText: "Новый человек", When: store.Days("2026-11-25", "2026-11-25", time.UTC)})
		h.must(err)
		after, err := h.InboxCounts(ctx, h.anna, since)
		h.must(err)
		h.same("counted", after.Unlinked, before.Unlinked+1)
		ids := func(who store.Manager) (out []int64) {
			h.t.Helper()
			all, err := h.UnlinkedContacts(ctx, who, 100)
			h.must(err)
			for _, u := range all {
				out = append(out, u.Contact.ID)
			}
			return out
		}
		h.same("asked", ids(h.anna)[0], c.ID)
		if err := h.Settle(ctx, h.ivan, store.Actor{ManagerID: h.ivan.ID}, store.SettledUnlinked, c.ID, 0); err == nil {
			t.Error("settled by somebody who may not know of it")
		}
		h.must(h.Settle(ctx, h.anna, actor, store.SettledUnlinked, c.ID, 0))
		h.must(h.Settle(ctx, h.anna, actor, store.SettledUnlinked, c.ID, 0))
		var bad *store.Invalid
		if err := h.Settle(ctx, h.anna, actor, store.SettledUnlinked, c.ID, 7); !errors.As(err, &bad) {
			t.Errorf("with a second one: %v", err)
		}
		settled, err := h.InboxCounts(ctx, h.anna, since)
		h.must(err)
		h.same("settled", settled, before)
		for _, who := range []store.Manager{h.anna, h.ivan} {
			_, err = h.UnsourcedContacts(ctx, who, 100)
			h.must(err)
			_, err = h.AlikeClients(ctx, who, 100)
			h.must(err)
		}
	})
}
