package scheduler

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"intouch/store"
	"intouch/store/storetest"
)

// Hilda, the only head, is told at night; in the same hour there is nothing
// for anybody else.
func TestNightly(t *testing.T) {
	c := morningClock()
	storetest.Each(t, store.Options{Now: c.now, Render: blank, Currency: "RUB"}, func(t *testing.T, st *store.Store) {
		c.t = morningClock().t.Add(-6 * time.Hour) // 2:00 in Moscow
		who := trade(t, st)
		s := newScheduler(t, st, nil)
		c.add(time.Minute)
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, run := range []store.Run{
			{Job: "backups", Slot: "2026-11-22", Started: c.t.Add(-2 * time.Hour), Outcome: "failed", Detail: "no space <left>\r\non device"},
			{Job: "digest", OwnerID: who["boris"].ID, Slot: "2026-11-20T08:00", Started: c.t.Add(-3 * 24 * time.Hour), Outcome: "failed", Detail: "long ago"},
		} {
			must(st.RecordRun(t.Context(), run))
		}
		for name, params := range map[string]url.Values{"Boris's deals": {"manager": {"boris"}}, "Gone": {"client": {"nobody"}}, "Lost": {"stage": {"lost"}}} {
			save(t, st, who["hilda"], store.SavedReportEdit{Name: name, Report: "open-deals", Params: params, Nightly: true})
		}
		save(t, st, who["hilda"], store.SavedReportEdit{Name: "Not at night", Report: "open-deals"})

		s.tick(t.Context(), s.jobs[nightlyJob])
		s.tick(t.Context(), s.jobs[nightlyJob])
		if got := ledger(t, st); !strings.Contains(got, "nightly 5 2026-11-23T02:00 queued") || strings.Count(got, "nightly") != 1 {
			t.Errorf("ledger\n%s", got)
		}
		got := letters(t, st)
		l, ok := got["hilda@vector.test"]
		if !ok || len(got) != 1 {
			t.Fatalf("mails to %v", got)
		}
		// Of the managers, of the current deals and of the saved report of them there
		// is a chart each.
		if n := strings.Count(l.page, `<img src="cid:intouch.`); n != 3 || !strings.Contains(l.page, `alt="Revenue and profit by manager"`) || !strings.Contains(l.page, `alt="Deals by manager and status"`) || len(l.files["open-deals.png"]) == 0 {
			t.Errorf("%d pictures in\n%s", n, l.page)
		}
		for _, form := range []string{l.text, l.page} {
			for _, want := range []string{"Report on 22 November", "1 deal", "no space", "backup", "B-18", "Boris&#39;s deals|Boris's deals", "The saved report “Gone” cannot be made: there is no client", "1,250", "250", "Boris Brown",
				"Анна Соколова", "1–22 November", "https://crm.vector.test/reports/managers?"} {
				found := false
				for _, one := range strings.Split(want, "|") {
					found = found || strings.Contains(form, one)
				}
				if !found {
					t.Errorf("no %q in\n%s", want, form)
				}
			}
			for _, not := range []string{"long ago", "Lost</", "Lost\n", "Not at night", "<left>\n"} {
				if strings.Contains(form, not) {
					t.Errorf("%q in\n%s", not, form)
				}
			}
		}
	})
}

// Nothing happened: no mail, however many deals are open.
func TestNightly_Empty(t *testing.T) {
	c := morningClock()
	storetest.Each(t, store.Options{Now: c.now, Render: blank, Currency: "RUB"}, func(t *testing.T, st *store.Store) {
		c.t = morningClock().t.Add(-6*time.Hour + time.Minute)
		trade(t, st)
		s := newScheduler(t, st, nil)
		next, err := s.RunJob(t.Context(), nightlyJob, c.t.Add(24*time.Hour), "hilda")
		if err != nil || next.String() != "hilda 2026-11-24T02:00 empty" {
			t.Errorf("%s, %v", next, err)
		}
		if _, err := s.RunJob(t.Context(), nightlyJob, c.t, "anna"); err == nil {
			t.Error("a manager who is no head got a nightly digest")
		}
		// A class that changed is something.
		taken := func(_ store.RowChange, err error) error { return err }
		classify := func(day store.Date) {
			t.Helper()
			if _, err := st.Classify(t.Context(), store.DefaultClassification, day, time.UTC); err != nil {
				t.Fatal(err)
			}
		}
		classify("2026-11-22")
		err = st.Import(t.Context(), store.Actor{Origin: store.FromImport}, false, func(im *store.Import) error {
			var faults []error
			for _, id := range []string{"s1", "s2", "s3", "s4"} {
				faults = append(faults, taken(im.Document(store.DocumentRow{ID: id, Kind: store.ShipmentDoc, Number: id, Date: "2026-11-01", Client: "c1", Amount: store.Money{Minor: 100, Currency: "RUB"}})))
			}
			return errors.Join(faults...)
		})
		if err != nil {
			t.Fatal(err)
		}
		classify("2026-11-24")
		c.add(2 * 24 * time.Hour)
		next, err = s.RunJob(t.Context(), nightlyJob, time.Time{}, "hilda")
		if err != nil || next.String() != "hilda 2026-11-25T02:00 queued hilda@vector.test" {
			t.Errorf("%s, %v", next, err)
		}
		l := letters(t, st)["hilda@vector.test"]
		for _, form := range []string{l.text, l.page} {
			if !strings.Contains(form, "Ромашка") || !strings.Contains(form, "regular") {
				t.Errorf("no change of class in\n%s", form)
			}
		}
	})
}
