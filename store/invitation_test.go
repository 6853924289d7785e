package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"intouch/store"
)

// day is 2026-12-n, 10:00 to 11:00 in UTC.
func day(n int) store.Span {
	at := time.Date(2026, 12, n, 10, 0, 0, 0, time.UTC)
	return store.Span{Start: at, End: at.Add(time.Hour)}
}

func revision(sequence int64) store.Revision {
	return store.Revision{Sequence: sequence, Stamp: monday().Add(time.Duration(sequence) * time.Hour)}
}

func request(sequence int64, when store.Span) *store.Invitation {
	return &store.Invitation{Method: store.InvitationRequest, UID: "meet@romashka.test", Organizer: "olga@romashka.test", Whole: true,
		Revision: revision(sequence), Title: "Обсуждение", Body: "Переговорная 3", When: when}
}

func cancel(sequence int64) *store.Invitation {
	return &store.Invitation{Method: store.InvitationCancel, UID: "meet@romashka.test", Whole: true, Revision: revision(sequence)}
}

// invites makes the letters that carry the invitations, numbered.
func (h *house) invites(list ...*store.Invitation) (out []store.FiledLetter) {
	for i, in := range list {
		l := h.letter(uint32(i+1), fmt.Sprint("inv", i+1))
		l.Invitation = in
		out = append(out, l)
	}
	return out
}

func (h *house) file(f store.Folder, letters ...store.FiledLetter) {
	h.t.Helper()
	for _, l := range letters { // one by one: the worst case
		_, err := h.FileLetters(ctx, f, store.Batch{Letters: []store.FiledLetter{l}})
		h.must(err)
	}
}

// batch files the letters in one transaction.
func (h *house) batch(f store.Folder, letters ...store.FiledLetter) {
	h.t.Helper()
	_, err := h.FileLetters(ctx, f, store.Batch{Letters: letters})
	h.must(err)
}

func (h *house) meetings() (out []*store.Exported) {
	h.t.Helper()
	h.must(h.EachContact(ctx, func(e *store.Exported) error {
		if e.Kind == store.Meeting {
			out = append(out, e)
		}
		return nil
	}))
	return out
}

// shown is a meeting in one line.
func shown(m *store.Exported) string {
	who := slices.Clone(m.ManagerLogins)
	slices.Sort(who)
	var signs []string
	for _, s := range m.Signs {
		signs = append(signs, s.Text(store.English, time.UTC))
	}
	return fmt.Sprintf("%s %s %s %q %q %v %v", m.State, m.Direction, m.When.Start.Format("01-02 15:04"), m.Subject, m.Recurrence, who, signs)
}

// permutations calls fn with every order of the letters.
func permutations(letters []store.FiledLetter, fn func(name string, order []store.FiledLetter)) {
	var walk func(done, left []store.FiledLetter)
	walk = func(done, left []store.FiledLetter) {
		if len(left) == 0 {
			var name []string
			for _, l := range done {
				name = append(name, l.Key)
			}
			fn(strings.Join(name, " "), done)
			return
		}
		for i := range left {
			walk(append(slices.Clone(done), left[i]), slices.Concat(left[:i], left[i+1:]))
		}
	}
	walk(nil, letters)
}

// Whatever comes first, the meeting ends the same.
func TestInvitation_AnyOrder(t *testing.T) {
	reply := store.FiledLetter{UID: 50, Key: "reply", Date: monday(), Outcome: store.Skipped, Reason: store.Automatic,
		Invitation: &store.Invitation{Method: store.InvitationReply, UID: "meet@romashka.test",
			Answers: []store.Answer{{Address: "Olga@Romashka.test", Kind: store.SignAccepted, Stamp: monday()}}}}
	weekly := request(0, day(1))
	weekly.Recurrence = "RRULE:FREQ=WEEKLY"
	one := &store.Invitation{Method: store.InvitationRequest, UID: weekly.UID, Occurrences: []store.Occurrence{
		{Of: "2026-12-08T10:00:00Z", Revision: revision(1), When: day(9)}}}
	dropped := &store.Invitation{Method: store.InvitationCancel, UID: weekly.UID, Occurrences: []store.Occurrence{
		{Of: "2026-12-15T10:00:00Z", Revision: revision(2), Cancelled: true}}}
	for _, c := range []struct {
		name  string
		want  string
		reply bool
		list  []*store.Invitation
	}{
		{"moved twice", `planned in 12-03 10:00 "Обсуждение" "" [anna] []`, false, []*store.Invitation{request(0, day(1)), request(1, day(2)), request(2, day(3))}},
		{"cancelled", `cancelled in 12-02 10:00 "Обсуждение" "" [anna] []`, false, []*store.Invitation{request(0, day(1)), request(1, day(2)), cancel(2)}},
		{"cancelled in its own revision", `cancelled in 12-02 10:00 "Обсуждение" "" [anna] []`, false, []*store.Invitation{request(1, day(2)), cancel(1)}},
		{"cancelled, then asked anew", `planned in 12-02 10:00 "Обсуждение" "" [anna] []`, false, []*store.Invitation{request(0, day(1)), cancel(1), request(2, day(2))}},
		{"answered", `planned in 12-02 10:00 "Обсуждение" "" [anna] [Invitation accepted: olga@romashka.test]`, true, []*store.Invitation{request(0, day(1)), request(1, day(2))}},
		{"series", `planned in 12-01 10:00 "Обсуждение" "RRULE:FREQ=WEEKLY\nEXDATE:20261208T100000Z\nRDATE:20261209T100000Z\nEXDATE:20261215T100000Z" [anna] ` +
			`[One meeting was cancelled: 15.12.2026 10:00 One meeting was moved: 08.12.2026 10:00 → 09.12.2026 10:00]`, false, []*store.Invitation{weekly, one, dropped}},
	} {
		t.Run(c.name, func(t *testing.T) {
			each(t, func(h *house) {
				letters := h.invites(c.list...)
				if c.reply {
					letters = append(letters, reply)
				}
				n := 0
				permutations(letters, func(name string, order []store.FiledLetter) {
					// Each order has a meeting of its own, by its UID.
					n++
					f := h.folder(fmt.Sprint("box", n), "anna", 1)
					for i := range order {
						in := *order[i].Invitation
						in.UID = fmt.Sprint(n, "@romashka.test")
						order[i].Invitation, order[i].Key = &in, fmt.Sprint(order[i].Key, "-", n)
					}
					if n%2 == 0 {
						h.batch(f, order...)
					} else {
						h.file(f, order...)
					}
					h.batch(h.folder(fmt.Sprint("again", n), "anna", 1), order...) // and all once more
					list := h.meetings()
					if len(list) != n {
						h.t.Fatalf("%s: %d meetings of %d", name, len(list), n)
					}
					if got := shown(list[n-1]); got != c.want {
						h.t.Errorf("%s:\n%s, want\n%s", name, got, c.want)
					}
				})
			})
		})
	}
}

func TestInvitation_Cancel(t *testing.T) {
	each(t, func(h *house) {
		f := h.folder("anna", "anna", 1)
		h.file(f, h.invites(cancel(3))...)
		if list := h.meetings(); len(list) != 0 {
			h.t.Errorf("a CANCEL alone made %s", shown(list[0]))
		}
	})
}

func TestInvitation_TwoMailboxes(t *testing.T) {
	each(t, func(h *house) {
		letters := h.invites(request(0, day(1)), request(1, day(2)))
		h.file(h.folder("anna", "anna", 1), letters...)
		for i := range letters {
			letters[i].Invitation = nil // known letters are not fetched again
		}
		h.file(h.folder("ivan", "ivan", 1), letters...)
		list := h.meetings()
		if len(list) != 1 || shown(list[0]) != `planned in 12-02 10:00 "Обсуждение" "" [anna ivan] []` {
			h.t.Errorf("%d, %s", len(list), shown(list[0]))
		}
		if list[0].ClientExternalID != "c1" || len(list[0].Persons) != 1 || list[0].Origin != store.FromMail || list[0].Importance != store.High || list[0].Minutes != 60 {
			h.t.Errorf("%+v", list[0])
		}
	})
}

// A manager's own edit stays until the organizer says something else of it,
// and the history tells.
func TestInvitation_ManagersEdit(t *testing.T) {
	each(t, func(h *house) {
		f := h.folder("anna", "anna", 1)
		letters := h.invites(request(0, day(1)), request(1, day(1)), request(2, day(5)), cancel(3))
		letters[1].Invitation.Title = "Обсуждение цен"
		letters[2].Invitation.Title, letters[2].Invitation.Body = "Обсуждение цен", "Переговорная 7"
		h.file(f, letters[0])
		m := h.meetings()[0]
		mine, note := day(3), "Переговорная 3\nВзять образцы"
		_, err := h.EditContact(ctx, store.Actor{ManagerID: h.anna.ID, Origin: store.FromWeb}, m.ID, 0, store.ContactEdit{When: &mine, Body: &note})
		h.must(err)
		h.file(f, letters[1])
		m = h.meetings()[0]
		if m.Subject != "Обсуждение цен" || !m.When.Start.Equal(mine.Start) || m.Body != note {
			h.t.Errorf("the organizer changed the title alone: %s, %q", shown(m), m.Body)
		}
		h.file(f, letters[2])
		m = h.meetings()[0]
		if !m.When.Start.Equal(day(5).Start) || m.Body != "Переговорная 7\nВзять образцы" {
			h.t.Errorf("moved by the organizer: %s, %q", shown(m), m.Body)
		}
		history, err := h.History(ctx, "contact", m.ID, 10)
		h.must(err)
		if h0 := history[0]; h0.Origin != store.FromMail || !strings.HasPrefix(h0.Changes["start"][0], "2026-12-03") || !strings.HasPrefix(h0.Changes["start"][1], "2026-12-05") {
			h.t.Errorf("history: %+v", h0)
		}
		done := store.Done
		_, err = h.EditContact(ctx, store.Actor{ManagerID: h.anna.ID}, m.ID, 0, store.ContactEdit{State: &done})
		h.must(err)
		h.file(f, letters[3])
		if m = h.meetings()[0]; m.State != store.Done {
			h.t.Errorf("what took place was cancelled: %s", shown(m))
		}
	})
}

func TestInvitation_LongPast(t *testing.T) {
	each(t, func(h *house) {
		old, fresh := request(0, store.Span{Start: monday().AddDate(0, -3, 0), End: monday().AddDate(0, -3, 0).Add(time.Hour)}), request(0, store.Span{Start: monday().Add(-2 * time.Hour), End: monday().Add(-time.Hour)})
		old.UID = "old@romashka.test"
		ended, endless := *old, *old
		ended.UID, ended.Recurrence, ended.Ends = "ended@romashka.test", "RRULE:FREQ=DAILY;COUNT=3", monday().AddDate(0, -2, 0)
		endless.UID, endless.Recurrence = "endless@romashka.test", "RRULE:FREQ=DAILY"
		h.file(h.folder("anna", "anna", 1), h.invites(old, fresh, &ended, &endless)...)
		list := h.meetings()
		if len(list) == 4 && (list[2].State != store.Done || list[3].State != store.Planned) {
			h.t.Errorf("series: %s\n%s", shown(list[2]), shown(list[3]))
		}
		if len(list) != 4 || list[0].State != store.Done || !list[0].Completed.Equal(old.When.End) || list[1].Status != store.StatusOverdue {
			h.t.Errorf("%s\n%s", shown(list[0]), shown(list[1]))
		}
	})
}

// Thunderbird's "Accept" puts the event into a calendar of ours under its own
// UID: one meeting, whichever comes first.
func TestInvitation_AcceptedIntoCalendar(t *testing.T) {
	each(t, func(h *house) {
		current := h.collection(h.anna, "current")
		put := func(name string) {
			h.t.Helper()
			_, err := h.PutEntry(ctx, store.Actor{ManagerID: h.anna.ID, Origin: store.FromCalendar}, current.ID, name, store.Condition{IfNoneMatch: true},
				&store.CalendarWrite{Bytes: []byte("accepted"), UID: "meet@romashka.test", Component: store.VEvent, Title: "Обсуждение", Note: "Переговорная 3", When: day(1), Kind: store.Meeting})
			h.must(err)
		}
		f := h.folder("anna", "anna", 1)
		letters := h.invites(request(0, day(1)), request(30, day(2)))
		h.file(f, letters[0])
		before := h.entryCount(current.ID)
		put("accepted.ics")
		list := h.meetings()
		if len(list) != 1 || list[0].UID != "meet@romashka.test" || list[0].ClientExternalID != "c1" {
			h.t.Fatalf("%d meetings, %+v", len(list), list[0])
		}
		if n := h.entryCount(current.ID); n != before {
			h.t.Errorf("%d entries in the calendar, %d before", n, before)
		}
		if e, err := h.Entry(ctx, current.ID, "accepted.ics"); err != nil || e.Key != (store.ItemKey{ID: list[0].ID}) {
			h.t.Errorf("%+v, %v", e, err)
		}
		h.file(f, letters[1])
		if list = h.meetings(); len(list) != 1 || !list[0].When.Start.Equal(day(2).Start) {
			h.t.Errorf("the update: %d, %s", len(list), shown(list[0]))
		}
	})
	each(t, func(h *house) {
		current := h.collection(h.anna, "current")
		_, err := h.PutEntry(ctx, store.Actor{ManagerID: h.anna.ID, Origin: store.FromCalendar}, current.ID, "a.ics", store.Condition{},
			&store.CalendarWrite{Bytes: []byte("accepted"), UID: "meet@romashka.test", Component: store.VEvent, Title: "Встреча", When: day(1), Kind: store.Meeting})
		h.must(err)
		letters := h.invites(request(0, day(1)), request(30, day(2)))
		letters[0].Invitation.Revision.Stamp = monday().Add(-time.Hour)
		h.file(h.folder("anna", "anna", 1), letters...)
		list := h.meetings()
		if len(list) != 1 || list[0].ClientExternalID != "c1" || !list[0].When.Start.Equal(day(2).Start) {
			h.t.Fatalf("the calendar first: %d, %s", len(list), shown(list[0]))
		}
	})
}

// What a stranger may write into an invitation breaks nothing.
func TestInvitation_Nonsense(t *testing.T) {
	each(t, func(h *house) {
		long := strings.Repeat("я\x00\xff", 100_000)
		bad := request(1<<62, store.Span{Start: time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), End: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)})
		bad.Title, bad.Body, bad.Recurrence, bad.Attendees, bad.Organizer = long, long, long, []string{long}, "\x00"
		for range 300 {
			bad.Occurrences = append(bad.Occurrences, store.Occurrence{Of: "2026-12-08", When: day(1)}, store.Occurrence{Of: long}, store.Occurrence{}, store.Occurrence{Of: "2026\x00"}, store.Occurrence{Of: "2026-12-09", When: store.Span{AllDay: true}})
		}
		noUID, back, unknown := request(0, day(1)), request(0, day(1)), request(0, day(1))
		noUID.UID, back.UID, unknown.UID, unknown.Method = "", "back@x.test", "unknown@x.test", "COUNTER"
		years := request(0, store.Span{Start: monday(), End: monday().AddDate(9, 0, 0)})
		years.UID = "years@x.test"
		days := request(0, store.Span{AllDay: true, First: "2026-13-99", Last: "x"})
		days.UID = "days@x.test"
		back.When.Start, back.When.End = back.When.End, back.When.Start
		letters := h.invites(bad, noUID, back, unknown, years, days, request(1, years.When))
		letters = append(letters, store.FiledLetter{UID: 60, Key: "r", Date: monday(), Outcome: store.Skipped, Reason: store.Automatic,
			Invitation: &store.Invitation{Method: store.InvitationReply, UID: bad.UID, Answers: []store.Answer{{Address: long}, {Address: "\xff@x.test", Kind: store.SignDeclined}, {Address: "b@x.test", Kind: "x"}, {Address: "a@x.test", Kind: store.SignDeclined}}}})
		h.file(h.folder("anna", "anna", 1), letters...)
		list := h.meetings()
		if len(list) != 4 {
			h.t.Errorf("%d meetings", len(list))
		}
		for _, m := range list {
			if !m.When.IsZero() {
				h.t.Errorf("%s", shown(m))
			}
		}
	})
}

func (h *house) entryCount(collection int64) (n int) {
	h.t.Helper()
	h.must(h.Entries(ctx, collection, time.Time{}, time.Time{}, store.EntryDetails, nil, func(*store.Entry) error { n++; return nil }))
	return n
}
