package scheduler

import (
	"slices"
	"strings"
	"testing"
	"time"

	"intouch/store"
	"intouch/store/storetest"
)

// classifier is a house with a client that bought once, in August, and wants a
// call each week.
func classifier(t *testing.T, c *clock) (*Scheduler, *store.Store) {
	t.Helper()
	st := storetest.SQLite(t, store.Options{Render: blank, Now: c.now})
	house(t, st)
	err := st.Import(t.Context(), store.Actor{Origin: store.FromImport}, false, func(im *store.Import) error {
		if _, err := im.Client(store.ClientRow{ID: "c1", Name: "ООО «Ромашка»", Manager: "anna"}); err != nil {
			return err
		}
		_, err := im.Document(store.DocumentRow{ID: "1", Kind: store.ShipmentDoc, Date: "2026-08-24", Client: "c1", Amount: store.Money{Minor: 100}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(st, Options{TimeZone: "Europe/Moscow", PublicURL: "https://crm.vector.test", Log: logTo(t),
		Classification: store.DefaultClassification,
		KeepInTouch:    store.KeepInTouch{Worsened: true, PerDay: 5, Cadences: []store.Cadence{{Days: 7}}}})
	if err != nil {
		t.Fatal(err)
	}
	return s, st
}

func planned(t *testing.T, st *store.Store) (subjects []string) {
	t.Helper()
	err := st.EachContact(t.Context(), func(e *store.Exported) error {
		if e.ClientID != 0 {
			subjects = append(subjects, string(e.When.First)+" "+e.Subject)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return subjects
}

// The minute's tick classifies once when the slot has come, and plans.
func TestScheduler_Classify(t *testing.T) {
	c := morningClock() // Monday 8:00
	s, st := classifier(t, c)
	tick := func() {
		s.tick(t.Context(), s.jobs[classifyJob])
		s.tick(t.Context(), s.jobs[keepInTouchJob])
	}
	runs := func() (slots []string) {
		all, err := st.Runs(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range all {
			if r.Job == classifyJob {
				slots = append(slots, r.Job+" "+r.Slot)
			}
		}
		return slots
	}
	tick()
	tick()
	if got := runs(); len(got) != 1 || got[0] != "classify 2026-11-22T23:30" { // missed while nothing ran
		t.Errorf("ran %q", got)
	}
	// One-off on Sunday, three months and a day after the sale lost.
	c.add(40 * time.Hour) // Wednesday 0:00
	tick()
	if got := runs(); len(got) != 2 || got[0] != "classify 2026-11-24T23:30" {
		t.Errorf("ran %q", got)
	}
	want := []string{"2026-11-24 Позвонить: контактов ещё не было", "2026-11-26 Позвонить: клиент был «разовый», стал «потерянный»"}
	if got := planned(t, st); !slices.Equal(got, want) {
		t.Errorf("planned %q, want %q", got, want)
	}
}

func TestScheduler_RunJob_Classify(t *testing.T) {
	c := morningClock()
	s, st := classifier(t, c)
	for range 2 { // by hand as often as one likes
		r, err := s.RunJob(t.Context(), "classify", time.Date(2026, 8, 30, 21, 30, 0, 0, time.UTC), "") // 31 August in Moscow
		if err != nil || !strings.HasPrefix(r.String(), "2026-08-31 done 1 clients, 1 changed: A 1, one-off 1") {
			t.Error(r, err)
		}
	}
	if got := planned(t, st); got != nil {
		t.Errorf("a past day planned %q", got)
	}
	if _, err := s.RunJob(t.Context(), "classify", c.t.AddDate(0, 0, 1), ""); err == nil || !strings.Contains(err.Error(), "has not come yet") {
		t.Error(err)
	}
	if _, err := s.RunJob(t.Context(), "classify", time.Time{}, "anna"); err == nil || !strings.Contains(err.Error(), "whole house") {
		t.Error(err)
	}
	if r, err := s.RunJob(t.Context(), "classify", time.Time{}, ""); err != nil || strings.Contains(r.String(), "keep in touch") {
		t.Error(r, err)
	}
	for _, want := range []string{"2026-11-23 done planned: 1 to keep in touch", "2026-11-23 empty"} { // once, however often it is asked
		if r, err := s.RunJob(t.Context(), "keep-in-touch", time.Time{}, ""); err != nil || r.String() != want {
			t.Error(r, err)
		}
	}
	if r, err := s.RunJob(t.Context(), "birthdays", time.Time{}, ""); err != nil || r.String() != "2026-11-23 empty" {
		t.Error(r, err)
	}
	if _, err := s.RunJob(t.Context(), "keep-in-touch", c.t.AddDate(0, 0, 1), ""); err == nil || !strings.Contains(err.Error(), "has not come yet") {
		t.Error(err)
	}
}

func TestPrompt(t *testing.T) {
	anna, james := store.Manager{Language: store.Russian}, store.Manager{Language: store.English}
	for _, c := range []struct {
		p      store.Prompt
		ru, en string
	}{
		{store.Prompt{Rule: store.FromCadence, Days: 21}, "Позвонить: без контакта 21 день", "Call: no contact for 21 days"},
		{store.Prompt{Rule: store.FromCadence, Days: -1}, "Позвонить: контактов ещё не было", "Call: there has been no contact yet"},
		{store.Prompt{Rule: store.FromBirthday, Person: "Ольга", Age: 42}, "Поздравить с днём рождения: Ольга, 42 года", "Birthday: Ольга, 42 years"},
		{store.Prompt{Rule: store.FromBirthday, Person: "Ольга"}, "Поздравить с днём рождения: Ольга", "Birthday: Ольга"},
		{store.Prompt{Rule: store.FromWorsening, From: "regular", To: "lost"}, "Позвонить: клиент был «постоянный», стал «потерянный»", "Call: the client was “regular” and has become “lost”"},
	} {
		for m, want := range map[*store.Manager]string{&anna: c.ru, &james: c.en} {
			subject, body := prompt(*m, c.p)
			if got := strings.ReplaceAll(subject, "\u00a0", " "); got != want {
				t.Errorf("%q, want %q", got, want)
			}
			if strings.HasPrefix(body, "why ") {
				t.Errorf("%s has no text", c.p.Rule)
			}
		}
	}
}
