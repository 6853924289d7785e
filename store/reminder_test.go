package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"intouch/store"
)

// reminded runs the tick and gives what a manager's mail says: subject and the
// moment meant, in Moscow.
func (h *house) reminded(m store.Manager) (out []string) {
	h.t.Helper()
	due, err := h.RemindersDue(ctx)
	h.must(err)
	if !slices.ContainsFunc(due, func(d store.Manager) bool { return d.ID == m.ID }) {
		return nil
	}
	n, _, err := h.Remind(ctx, m, func(list []store.Reminder) (*store.Mail, error) {
		for _, r := range list {
			what := ""
			if r.Item.Contact != nil {
				what = r.Item.Contact.Subject
			} else {
				what = string(r.Item.Event.Kind)
			}
			out = append(out, what+" "+r.At.In(m.Location()).Format("02T15:04"))
		}
		return &store.Mail{Key: fmt.Sprint("reminder/", m.Login, h.clock.t.Unix()), To: "anna@vector.test", Subject: "s", Bytes: []byte("b")}, nil
	})
	h.must(err)
	if n != len(out) {
		h.t.Errorf("%d reminded, %d composed", n, len(out))
	}
	return out
}

// at puts the clock at a time of November 2026 in Moscow.
func (h *house) at(day, hour, min int) {
	h.clock.t = time.Date(2026, 11, day, hour-3, min, 0, 0, time.UTC)
}

// normal plans a call of anna's of normal importance.
func (h *house) normal(subject string, start time.Time) store.Contact {
	h.t.Helper()
	c := h.call(subject, start)
	normal := store.Normal
	c, err := h.EditContact(ctx, store.Actor{ManagerID: h.anna.ID, Origin: store.FromWeb}, c.ID, 0, store.ContactEdit{Importance: &normal})
	h.must(err)
	return c
}

func TestRemind(t *testing.T) {
	each(t, func(h *house) {
		meeting := time.Date(2026, 11, 23, 11, 30, 0, 0, time.UTC) // 14:30
		c := h.normal("call", meeting)
		h.expect("nothing is due", h.reminded(h.anna))
		h.at(23, 14, 14)
		h.expect("a minute before", h.reminded(h.anna))
		h.at(23, 14, 15)
		h.expect("on time", h.reminded(h.anna), "call 23T14:15")
		h.expect("once", h.reminded(h.anna))

		// Moved: a new one. An edit of something else: none.
		actor := store.Actor{ManagerID: h.anna.ID, Origin: store.FromWeb}
		later := store.Span{Start: meeting.Add(time.Hour), End: meeting.Add(90 * time.Minute)}
		_, err := h.EditContact(ctx, actor, c.ID, 0, store.ContactEdit{When: &later})
		h.must(err)
		h.at(23, 15, 15)
		subject := "the call"
		_, err = h.EditContact(ctx, actor, c.ID, 0, store.ContactEdit{Subject: &subject})
		h.must(err)
		h.expect("moved", h.reminded(h.anna), "the call 23T15:15")
		_, err = h.EditContact(ctx, actor, c.ID, 0, store.ContactEdit{Body: &subject})
		h.must(err)
		h.expect("edited", h.reminded(h.anna))
		box, err := h.Outbox(ctx, 10)
		if h.must(err); box.Queued != 2 {
			t.Errorf("%d mails, want 2", box.Queued)
		}

		// What was done, cancelled or moved away meanwhile is left out.
		tomorrow := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
		done, cancelled, moved, kept := h.normal("done", tomorrow), h.normal("cancelled", tomorrow), h.normal("moved", tomorrow), h.normal("kept", tomorrow)
		for id, state := range map[int64]store.State{done.ID: store.Done, cancelled.ID: store.Cancelled} {
			_, err = h.EditContact(ctx, actor, id, 0, store.ContactEdit{State: &state})
			h.must(err)
		}
		away := store.Span{Start: tomorrow.Add(48 * time.Hour), End: tomorrow.Add(49 * time.Hour)}
		_, err = h.EditContact(ctx, actor, moved.ID, 0, store.ContactEdit{When: &away})
		h.must(err)
		h.at(24, 11, 46)
		h.expect("what is left", h.reminded(h.anna), "kept 24T11:45")

		// While postponed nothing rings; on its new day it does.
		postponed := store.Postponed
		_, err = h.EditContact(ctx, actor, kept.ID, 0, store.ContactEdit{State: &postponed, When: &away})
		h.must(err)
		h.at(26, 11, 45)
		h.expect("moved, and postponed to its day", h.reminded(h.anna), "kept 26T11:45", "moved 26T11:45")
	})
}

func TestRemind_Missed(t *testing.T) {
	each(t, func(h *house) {
		day := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC) // 12:00
		long := h.normal("long", day)
		span := store.Span{Start: day, End: day.Add(6 * time.Hour)}
		_, err := h.EditContact(ctx, store.Actor{ManagerID: h.anna.ID, Origin: store.FromWeb}, long.ID, 0, store.ContactEdit{When: &span})
		h.must(err)
		h.normal("over", day)
		h.at(24, 14, 0) // nobody looked for two hours
		h.expect("still useful", h.reminded(h.anna), "long 24T11:45")
		h.expect("once", h.reminded(h.anna))

		h.must(h.SetReminders(ctx, store.Actor{}, h.anna.ID, map[string]string{"normal": "2d"}))
		h.normal("old", time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC))
		h.at(29, 13, 0)
		h.expect("too late for the call", h.reminded(h.anna), "payment 29T09:00")
	})
}

func TestRemind_Quiet(t *testing.T) {
	each(t, func(h *house) {
		h.must(h.SetReminders(ctx, store.Actor{}, h.anna.ID, map[string]string{"quiet": "20:00-08:30"}))
		h.normal("early", time.Date(2026, 11, 24, 6, 0, 0, 0, time.UTC))  // 9:00, rings at 8:45
		h.normal("night", time.Date(2026, 11, 24, 5, 35, 0, 0, time.UTC)) // 8:35, rings at 8:20
		h.normal("over", time.Date(2026, 11, 24, 4, 0, 0, 0, time.UTC))   // 7:00 until 7:30
		h.normal("evening", time.Date(2026, 11, 23, 17, 14, 0, 0, time.UTC))
		h.at(23, 19, 59)
		h.expect("just before", h.reminded(h.anna), "evening 23T19:59")
		h.at(24, 8, 20)
		h.expect("quiet", h.reminded(h.anna))
		h.at(24, 8, 30)
		h.expect("when it ends", h.reminded(h.anna), "night 24T08:20")
		h.at(24, 8, 45)
		h.expect("after it", h.reminded(h.anna), "early 24T08:45")
	})
}

func TestRemind_Deal(t *testing.T) {
	each(t, func(h *house) {
		h.imports(func(im *store.Import) {
			h.row(im.Deal(store.DealRow{ID: "d9", Number: "9", Date: "2026-11-01", Client: "c1", Manager: "anna", Amount: store.Money{Minor: 100_000}, ShipDue: "2026-11-26", PayDue: "2026-11-30"}))
		})
		h.at(25, 8, 59)
		h.expect("not yet", h.reminded(h.anna))
		h.at(25, 9, 0)
		h.expect("a day ahead in the morning", h.reminded(h.anna), "shipment 25T09:00")
		h.imports(func(im *store.Import) {
			h.row(im.Deal(store.DealRow{ID: "d9", Number: "9", Date: "2026-11-01", Client: "c1", Manager: "anna", Amount: store.Money{Minor: 100_000}, ShipDue: "2026-11-28", PayDue: "2026-11-30"}))
		})
		h.at(27, 9, 0)
		h.expect("its date moved", h.reminded(h.anna), "shipment 27T09:00")
		h.imports(func(im *store.Import) {
			h.row(im.Deal(store.DealRow{ID: "d9", Number: "9", Date: "2026-11-01", Client: "c1", Manager: "anna", Amount: store.Money{Minor: 100_000}, Status: "cancelled"}))
		})
		h.at(29, 9, 0)
		h.expect("of another deal, since this one was cancelled", h.reminded(h.anna), "payment 29T09:00")
	})
}

// Whoever has popups anyway gets no mail, and the calendars keep their alarms.
func TestRemind_Own(t *testing.T) {
	each(t, func(h *house) {
		h.normal("call", time.Date(2026, 11, 23, 11, 30, 0, 0, time.UTC))
		h.must(h.SetReminders(ctx, store.Actor{}, h.anna.ID, map[string]string{"mail": "off"}))
		h.at(23, 14, 15)
		h.expect("off", h.reminded(h.anna))
		h.must(h.SetReminders(ctx, store.Actor{}, h.anna.ID, map[string]string{"mail": "", "normal": "10m, 5m"}))
		m, err := h.Manager(ctx, h.anna.ID)
		h.must(err)
		if of := h.RemindersOf(m); of.Get("normal") != "10m 5m" || !of.Mail || of.Get("high") != "1h 15m" || len(m.Reminders) != 1 {
			t.Errorf("reminders %+v of %v", of, m.Reminders)
		}
		h.at(23, 14, 20)
		h.expect("ten minutes", h.reminded(m), "call 23T14:20")
		h.at(23, 14, 25)
		h.expect("five minutes", h.reminded(m), "call 23T14:25")
		history, err := h.History(ctx, "manager", m.ID, 10)
		h.must(err)
		if got := history[0].Changes["reminders.normal"]; got != [2]string{"", "10m 5m"} {
			t.Errorf("history %v", history[0].Changes)
		}
		var bad *store.Invalid
		err = h.SetReminders(ctx, store.Actor{}, h.anna.ID, map[string]string{"quiet": "25:00-8"})
		if !errors.As(err, &bad) || bad.Field != "quiet" {
			t.Errorf("got %v", err)
		}
	})
}

func TestReminders_Set(t *testing.T) {
	for _, c := range []struct{ key, value, want string }{
		{"mail", "OFF", "off"}, {"mail", "maybe", "!"},
		{"high", "15m, 1h", "1h 15m"}, {"high", "90m", "90m"}, {"high", "2d 1d", "2d 1d"}, {"high", "none", "none"}, {"high", "1ч 15мин", "1h 15m"}, {"high", "Нет", "none"}, {"high", "15m 15m", "15m"},
		{"high", "", "!"}, {"high", "15", "!"}, {"high", "-15m", "!"}, {"high", "30s", "!"}, {"high", "31d", "!"}, {"high", "99999999999999d", "!"}, {"high", "1m 2m 3m 4m 5m 6m", "!"}, {"low", "0m", "0m"},
		{"all_day", "9:30", "09:30"}, {"all_day", "24:00", "!"}, {"all_day", "none", "none"},
		{"deal_days", "1 3", "3 1"}, {"deal_days", "0", "0"}, {"deal_days", "-1", "!"}, {"deal_days", "none", "none"}, {"deal_days", "x", "!"},
		{"deal_time", "08:00", "08:00"}, {"deal_time", "none", "!"},
		{"quiet", "22:00-06:00", "22:00-06:00"}, {"quiet", "12:00 - 13:00", "12:00-13:00"}, {"quiet", "none", "none"}, {"quiet", "22:00", "!"},
		{"loud", "on", "!"},
	} {
		r := store.DefaultReminders
		err := r.Set(c.key, c.value)
		got := r.Get(c.key)
		var bad *store.Invalid
		if errors.As(err, &bad) {
			if got = "!"; bad.Field != c.key || strings.Contains(bad.Reason, "\n") {
				t.Errorf("%s %q: %v", c.key, c.value, err)
			}
		}
		if got != c.want {
			t.Errorf("%s %q: got %q, want %q (%v)", c.key, c.value, got, c.want, err)
		}
	}
}

// Of whole days the clock counts, also on the days when it changes.
func TestSpan_Ring(t *testing.T) {
	berlin, _ := time.LoadLocation("Europe/Berlin")
	for _, c := range []struct {
		first  store.Date
		offset time.Duration
		want   string
	}{
		{"2026-10-25", 9 * time.Hour, "2026-10-25T09:00:00+01:00"},
		{"2026-10-26", -15 * time.Hour, "2026-10-25T09:00:00+01:00"},
		{"2027-03-28", 9 * time.Hour, "2027-03-28T09:00:00+02:00"},
		{"2027-03-28", 150 * time.Minute, "2027-03-28T03:00:00+02:00"}, // 2:30 is no time of that day
		{"2027-03-31", -5*24*time.Hour + 9*time.Hour, "2027-03-26T09:00:00+01:00"},
	} {
		if got := store.Days(c.first, c.first, berlin).Ring(c.offset, berlin).Format(time.RFC3339); got != c.want {
			t.Errorf("%s %v: got %s, want %s", c.first, c.offset, got, c.want)
		}
	}
}

// Daemons that look at the same moment, and managers who edit meanwhile: each
// reminder leaves once, and none after its contact was done.
func TestRemind_Together(t *testing.T) {
	each(t, func(h *house) {
		var calls []store.Contact
		for i := range 40 {
			calls = append(calls, h.normal(fmt.Sprint("call ", i), time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)))
		}
		h.at(24, 11, 45)
		var mu sync.Mutex
		told := map[string]int{}
		var all sync.WaitGroup
		for worker := range 4 {
			all.Go(func() {
				for round := range 5 {
					var mail []string
					n, _, err := h.Remind(ctx, h.anna, func(list []store.Reminder) (*store.Mail, error) {
						mail = nil
						for _, r := range list {
							mail = append(mail, r.Item.Contact.Subject)
						}
						return &store.Mail{Key: fmt.Sprint("r", worker, round), To: "anna@vector.test", Bytes: []byte("b")}, nil
					})
					if err != nil {
						t.Error(err)
					}
					if n == 0 { // the transaction was tried again, and found nothing left
						mail = nil
					}
					mu.Lock()
					for _, subject := range mail {
						told[subject]++
					}
					mu.Unlock()
				}
			})
		}
		done := store.Done
		all.Go(func() {
			for _, c := range calls[:10] {
				if _, err := h.EditContact(ctx, store.Actor{ManagerID: h.anna.ID}, c.ID, 0, store.ContactEdit{State: &done}); err != nil {
					t.Error(err)
				}
			}
		})
		all.Wait()
		for _, was := range h.reminded(h.anna) { // what all looks passed over, since others held it
			subject, _, _ := strings.Cut(was, " 24T")
			told[subject]++
		}
		for _, c := range calls[10:] {
			if told[c.Subject] != 1 {
				t.Errorf("%s was told %d times", c.Subject, told[c.Subject])
			}
		}
		for subject, n := range told {
			if n > 1 {
				t.Errorf("%s was told %d times", subject, n)
			}
		}
		h.expect("afterwards", h.reminded(h.anna))
	})
}

// A transaction that began before a reminder left and renews its item
// afterwards does not make it due again: a daemon that imports while another
// one reminds.
func TestRemind_WhileImporting(t *testing.T) {
	each(t, func(h *house) {
		if !h.SharesMailboxes() {
			return // one writer: nothing comes between
		}
		h.normal("call", time.Date(2026, 11, 23, 11, 30, 33, 0, time.UTC))
		h.at(23, 14, 14)
		h.must(h.Import(ctx, store.Actor{}, false, func(im *store.Import) error {
			if _, err := im.Client(store.ClientRow{ID: "c1", Name: "Another name", Manager: "anna"}); err != nil {
				return err
			}
			h.at(23, 14, 15)
			h.expect("on time", h.reminded(h.anna), "call 23T14:15")
			return nil
		}))
		h.at(23, 14, 16)
		h.expect("once", h.reminded(h.anna))
	})
}

// A clock that was ahead reminds early. When it is right again, an edit works
// out what rings next, and nobody is told a second time of the same; what was
// moved meanwhile is another.
func TestRemind_clockPutBack(t *testing.T) {
	each(t, func(h *house) {
		actor := store.Actor{ManagerID: h.anna.ID, Origin: store.FromWeb}
		start := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC) // 12:00
		c, moved := h.normal("call", start), h.normal("moved", start)
		edit := func(c store.Contact, e store.ContactEdit) {
			t.Helper()
			_, err := h.EditContact(ctx, actor, c.ID, 0, e)
			h.must(err)
		}
		h.at(24, 11, 50)
		h.expect("by a clock that is ahead", h.reminded(h.anna), "call 24T11:45", "moved 24T11:45")
		h.at(24, 11, 0)
		body, later := "more", store.Span{Start: start.Add(time.Hour), End: start.Add(2 * time.Hour)}
		edit(c, store.ContactEdit{Body: &body})
		edit(moved, store.ContactEdit{When: &later})
		h.at(24, 11, 45)
		h.expect("when it is time", h.reminded(h.anna))
		h.at(24, 12, 45)
		h.expect("what was moved", h.reminded(h.anna), "moved 24T12:45")

		// The other way: a clock behind that works out what was told.
		edit(moved, store.ContactEdit{Body: &body})
		h.at(24, 12, 40)
		edit(moved, store.ContactEdit{Subject: &body})
		h.at(24, 12, 46)
		h.expect("by a clock that was behind", h.reminded(h.anna))
	})
}

// What was told stays out of the list of runs, and is forgotten when no clock
// comes back to it.
func TestRemind_ledger(t *testing.T) {
	each(t, func(h *house) {
		h.normal("call", time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC))
		h.at(24, 11, 45)
		h.expect("on time", h.reminded(h.anna), "call 24T11:45")
		if told, err := h.RunsOf(ctx, "reminders", time.Time{}); err != nil || len(told) != 1 {
			t.Errorf("%v in the ledger: %v", told, err)
		}
		if runs, err := h.Runs(ctx, 10); err != nil || len(runs) != 0 {
			t.Errorf("%v are shown: %v", runs, err)
		}
		h.clock.t = h.clock.t.Add(store.MinLedger + time.Hour)
		_, err := h.CleanUp(ctx, store.Kept{})
		h.must(err)
		if told, err := h.RunsOf(ctx, "reminders", time.Time{}); err != nil || len(told) != 0 {
			t.Errorf("%v is kept: %v", told, err)
		}
	})
}
