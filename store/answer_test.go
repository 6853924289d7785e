package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"intouch/store"
)

// link signs a link of a manager to an item as it is.
func (h *house) link(m store.Manager, to store.AnswerTarget) string {
	return h.MailKey().Sign(store.MailLink{ManagerID: m.ID, Target: to, Expires: h.clock.t.Add(store.LinkLife)})
}

func targetOf(c store.Contact) store.AnswerTarget {
	return store.AnswerTarget{Item: store.ItemKey{ID: c.ID}, Version: c.Version}
}

func TestFollowLink(t *testing.T) {
	each(t, func(h *house) {
		at := monday().Add(3 * time.Hour)
		follow := func(token string, a store.MailAnswer) error {
			_, err := h.FollowLink(ctx, token, a)
			return err
		}
		want := func(what string, got, want error) {
			h.t.Helper()
			if !errors.Is(got, want) {
				h.t.Errorf("%s: %v, want %v", what, got, want)
			}
		}
		done := store.MailAnswer{Verb: store.AnswerDone}

		c := h.call("Договор", at)
		token := h.link(h.anna, targetOf(c))
		for range 2 { // looking changes nothing
			v, err := h.Link(ctx, token)
			if err != nil || v.Item.Contact.ID != c.ID || v.Stale || len(v.Sources) != 1 {
				h.t.Fatalf("%+v %v", v, err)
			}
		}
		want("done", follow(token, done), nil)
		want("again", follow(token, done), store.ErrLinkUsed)
		if got, err := h.Contact(ctx, h.anna, c.ID); err != nil || got.State != store.Done {
			h.t.Errorf("%v %v", got.State, err)
		}
		rows, err := h.History(ctx, "contact", c.ID, 10)
		if err != nil || rows[0].Origin != store.FromLink || rows[0].Verb != "done" || rows[0].ManagerID != h.anna.ID {
			h.t.Errorf("history %+v %v", rows, err)
		}
		h.expect("anna's calendar", h.shown(h.anna, "done"), "Договор")

		// Moved meanwhile: said, not overwritten. A note overwrites nothing.
		c = h.call("Счёт", at)
		later := store.Span{Start: at.Add(24 * time.Hour), End: at.Add(25 * time.Hour)}
		_, err = h.EditContact(ctx, store.Actor{ManagerID: h.anna.ID, Origin: store.FromWeb}, c.ID, 0, store.ContactEdit{When: &later})
		h.must(err)
		token = h.link(h.anna, targetOf(c))
		want("stale", follow(token, store.MailAnswer{Verb: store.AnswerMove, Snooze: "tomorrow"}), store.ErrStale)
		want("a note", follow(token, store.MailAnswer{Verb: store.AnswerNote, Text: "ждут скидку"}), nil)
		got, err := h.Contact(ctx, h.anna, c.ID)
		if err != nil || got.When.Start != later.Start || !strings.Contains(got.Body, "23.11.2026 10:00, Анна: ждут скидку") {
			h.t.Errorf("%+v %v", got, err)
		}

		// A day is kept in the manager's zone, over DST too; length is kept.
		token = h.link(h.anna, targetOf(got))
		want("move", follow(token, store.MailAnswer{Verb: store.AnswerMove, Day: "2026-12-01", Clock: "09:30"}), nil)
		got, err = h.Contact(ctx, h.anna, c.ID)
		if want := time.Date(2026, 12, 1, 6, 30, 0, 0, time.UTC); err != nil || !got.When.Start.Equal(want) || got.When.End.Sub(got.When.Start) != time.Hour {
			h.t.Errorf("%+v %v", got.When, err)
		}

		// What is no longer the manager's, gone, expired, forged.
		token = h.link(h.ivan, targetOf(got))
		_, err = h.Link(ctx, token)
		want("another's", err, store.ErrNotFound)
		want("another's", follow(token, done), store.ErrNotFound)
		want("nothing", follow(h.link(h.anna, store.AnswerTarget{Item: store.ItemKey{ID: 99999}}), done), store.ErrNotFound)
		want("nothing at all", follow(h.link(h.anna, store.AnswerTarget{}), done), store.ErrNotFound)
		want("nobody", follow(h.link(store.Manager{ID: 77}, targetOf(got)), done), store.ErrLinkWrong)
		token = h.link(h.anna, targetOf(got))
		for i := range token {
			flipped := []byte(token)
			flipped[i] ^= 1
			if err := follow(string(flipped), done); !errors.Is(err, store.ErrLinkWrong) {
				h.t.Fatalf("token with character %d changed: %v", i, err)
			}
		}
		want("a stop link does nothing else", follow(h.MailKey().Sign(store.MailLink{ManagerID: h.anna.ID, Stop: store.DigestMail, Expires: h.clock.t.Add(time.Hour)}), done), store.ErrLinkWrong)
		h.clock.t = h.clock.t.Add(store.LinkLife)
		want("expired", follow(token, done), store.ErrLinkExpired)

		// Deal events, lead sources.
		agenda, err := h.Agenda(ctx, store.AgendaQuery{Viewer: h.anna, To: h.clock.t.AddDate(0, 3, 0), Filter: store.Filter{Types: []store.ItemType{store.PaymentItem}}})
		h.must(err)
		pay := agenda[0]
		want("event", follow(h.link(h.anna, pay.Target()), store.MailAnswer{Verb: store.AnswerMove, Snooze: "+1w"}), nil)
		var bad *store.Invalid
		if err := follow(h.link(h.anna, store.AnswerTarget{Item: pay.Key()}), store.MailAnswer{Verb: store.AnswerMove, Snooze: "+1h"}); !errors.As(err, &bad) {
			h.t.Errorf("a day has no hours: %v", err)
		}
	})
}

// Of many who press the button at once one is obeyed.
func TestFollowLink_Once(t *testing.T) {
	each(t, func(h *house) {
		c := h.call("Договор", monday().Add(time.Hour))
		token := h.link(h.anna, targetOf(c))
		var wg sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			wg.Go(func() {
				_, errs[i] = h.FollowLink(context.Background(), token, store.MailAnswer{Verb: store.AnswerNote, Text: "x"})
			})
		}
		wg.Wait()
		ok := 0
		for _, err := range errs {
			switch {
			case err == nil:
				ok++
			case !errors.Is(err, store.ErrLinkUsed):
				h.t.Error(err)
			}
		}
		got, err := h.Contact(ctx, h.anna, c.ID)
		if err != nil || ok != 1 || strings.Count(got.Body, ": x") != 1 {
			h.t.Errorf("%d obeyed, %q, %v", ok, got.Body, err)
		}
	})
}

func TestMailKey_Hidden(t *testing.T) {
	each(t, func(h *house) {
		k := h.MailKey()
		if s := fmt.Sprint(k, " ", fmt.Sprintf("%+v %#v", k, k)); strings.Trim(strings.ReplaceAll(s, "(hidden)", ""), " ") != "" {
			h.t.Error(s)
		}
	})
}

func TestReplyTokens(t *testing.T) {
	one, two := strings.Repeat("a1", 16), strings.Repeat("b2", 16)
	got := store.ReplyTokens("intouch+"+one+"@vector.test", "<x@y> <intouch."+strings.ToUpper(two)+"@vector.test> <intouch."+one+"@vector.test>", "<intouch.abc@vector.test>")
	if !slices.Equal(got, []string{one, two}) {
		t.Error(got)
	}
}
