package store_test

import (
	"errors"
	"testing"
	"time"

	"intouch/store"
)

func TestUnlinkedEntries(t *testing.T) {
	each(t, func(h *house) {
		actor := store.Actor{ManagerID: h.anna.ID, Origin: store.FromCalendar}
		put := func(slug, uid, title string) {
			h.t.Helper()
			_, err := h.PutEntry(ctx, actor, h.collection(h.anna, slug).ID, uid+".ics", store.Condition{}, write(uid, title, ""))
			h.must(err)
		}
		found := func(m store.Manager, since time.Time) (out []string) {
			h.t.Helper()
			list, err := h.UnlinkedEntries(ctx, m.ID, since, 10)
			h.must(err)
			for _, c := range list {
				out = append(out, c.Subject)
			}
			return out
		}
		since := h.clock.t
		put("current", "u1", "Кофе с Петром")
		put("current", "u2", "Встреча с «Ромашкой»: ООО «Ромашка»") // finds its client
		put("current", "u3", "отменено")
		h.must(h.MakeLabel(ctx, actor, "own", store.VEvent, store.CollectionEdit{}))
		put("own", "u4", "Зубной")
		_, err := h.PlanContact(ctx, store.Actor{ManagerID: h.anna.ID, Origin: store.FromWeb}, store.ContactDraft{Subject: "с сайта", When: store.Span{Start: since, End: since}})
		h.must(err)
		h.must(h.DeleteEntry(ctx, actor, h.collection(h.anna, "current").ID, "u3.ics", store.Condition{}))
		h.expect("what has no client", found(h.anna, since), "Кофе с Петром")
		h.expect("since then", found(h.anna, since.Add(time.Second)))
		h.expect("of another manager", found(h.ivan, since))
	})
}

// Letters wait in working hours: Friday evening to Monday noon is little.
func TestUnanswered_Working(t *testing.T) {
	each(t, func(h *house) {
		f := h.folder("anna", "anna", 7)
		friday := time.Date(2026, 11, 20, 14, 30, 0, 0, time.UTC) // 17:30 in Moscow
		letter := h.letter(1, "q1")
		letter.Date = friday
		h.clock.t = monday().Add(2 * time.Hour) // 12:00
		_, err := h.FileLetters(ctx, f, store.Batch{Letters: []store.FiledLetter{letter}})
		h.must(err)
		list, err := h.UnansweredLetters(ctx, h.anna.ID, 10)
		h.must(err)
		if len(list) != 1 || list[0].Working != 3*time.Hour+30*time.Minute || list[0].Age != h.clock.t.Sub(friday) {
			t.Errorf("%+v", list)
		}
		// In hours of her own there is less of it, and in the house's again as much.
		for hours, want := range map[string]time.Duration{"09:30-17:40": 10*time.Minute + 2*time.Hour + 30*time.Minute, "house": 3*time.Hour + 30*time.Minute} {
			m, _, err := h.SaveManager(ctx, store.Actor{}, store.ManagerRow{Login: "anna", WorkHours: hours})
			h.must(err)
			if list, err = h.UnansweredLetters(ctx, m.ID, 10); err != nil || list[0].Working != want {
				t.Errorf("%s: %v, want %v, %v", hours, list[0].Working, want, err)
			}
		}
		var bad *store.Invalid
		if _, _, err := h.SaveManager(ctx, store.Actor{}, store.ManagerRow{Login: "anna", WorkHours: "18:00-09:00"}); !errors.As(err, &bad) || bad.Field != "work_hours" {
			t.Errorf("got %v", err)
		}
	})
}
