package store_test

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"intouch/store"
)

func TestSavedReport(t *testing.T) {
	each(t, func(h *house) {
		anna, boris := store.Actor{ManagerID: h.anna.ID, Origin: store.FromWeb}, store.Actor{ManagerID: h.boris.ID, Origin: store.FromWeb}
		edit := store.SavedReportEdit{Name: "  Мои\nсделки ", Report: "open-deals", Params: url.Values{"by": {"client"}, "stage": {"lost", "none"}}, Schedule: "0  8 * * 1",
			Recipients: []string{"Ivan", "boss@partner.test ", "ivan", ""}, Attach: store.AttachXLSX, SendEmpty: true}
		made, err := h.SaveReport(ctx, anna, h.anna.ID, 0, edit)
		h.must(err)
		h.same("saved", fmt.Sprint(made.Name, "|", made.Report, "|", made.Params.Encode(), "|", made.Schedule, "|", made.Recipients, "|", made.Attach, "|", made.SendEmpty, made.Nightly, "|", made.Owner.Login, "|", made.Since.Unix()),
			fmt.Sprint("Мои сделки|open-deals|by=client&stage=lost&stage=none|0 8 * * 1|[ivan boss@partner.test]|xlsx|true false|anna|", monday().Unix()))

		// Another schedule begins anew, another name does not.
		h.clock.t = h.clock.t.Add(time.Hour)
		edit.Name, edit.SendEmpty, edit.Recipients = "Сделки", false, []string{"anna"}
		renamed, err := h.SaveReport(ctx, anna, h.anna.ID, made.ID, edit)
		h.must(err)
		h.same("renamed", fmt.Sprint(renamed.ID == made.ID, " ", renamed.Name, " ", renamed.Since.Equal(made.Since), renamed.Recipients, renamed.Version), "true Сделки true [anna] 2")
		edit.Recipients = []string{h.anna.Emails[0], "boss@partner.test", "anna", "Boss@Partner.test", h.anna.Login}
		same, err := h.SaveReport(ctx, anna, h.anna.ID, made.ID, edit)
		h.must(err)
		h.same("an address of ours", fmt.Sprint(same.Recipients), "[anna boss@partner.test]")
		edit.Schedule = "0 9 * * *"
		moved, err := h.SaveReport(ctx, boris, h.boris.ID, made.ID, edit) // a head changes it, and it stays Anna's
		h.must(err)
		h.same("moved", fmt.Sprint(moved.Since.Unix(), " ", moved.Owner.Login), fmt.Sprint(monday().Add(time.Hour).Unix(), " anna"))

		// Whose it is to see and to change.
		_, err = h.SaveReport(ctx, store.Actor{ManagerID: h.ivan.ID}, h.ivan.ID, made.ID, edit)
		h.same("changed by another manager", errors.Is(err, store.ErrForbidden), true)
		h.same("dropped by another manager", errors.Is(h.DropSavedReport(ctx, store.Actor{ManagerID: h.ivan.ID}, made.ID), store.ErrForbidden), true)
		_, err = h.SavedReport(ctx, h.ivan, made.ID)
		h.same("seen by another manager", errors.Is(err, store.ErrNotFound), true)
		for who, want := range map[string]int{"anna": 1, "ivan": 0, "boris": 1} {
			m, err := h.ManagerByLogin(ctx, who)
			h.must(err)
			list, err := h.SavedReports(ctx, m)
			h.must(err)
			h.same("list of "+who, len(list), want)
		}
		_, err = h.SaveReport(ctx, anna, h.anna.ID, 0, edit)
		h.same("the name twice", errors.Is(err, store.ErrConflict), true)
		_, err = h.SaveReport(ctx, boris, h.boris.ID, 0, edit)
		h.must(err)

		// The last run, not that of report 1 where this is 10.
		h.must(h.RecordRun(ctx, store.Run{Job: store.SavedReportsJob, OwnerID: h.anna.ID, Slot: store.SavedReportSlot(made.ID, "2026-11-22T09:00"), Outcome: "queued", Started: monday()}))
		h.must(h.RecordRun(ctx, store.Run{Job: store.SavedReportsJob, OwnerID: h.anna.ID, Slot: store.SavedReportSlot(made.ID, "2026-11-23T09:00"), Outcome: "failed", Detail: "why", Started: h.clock.t}))
		h.must(h.RecordRun(ctx, store.Run{Job: store.SavedReportsJob, OwnerID: h.anna.ID, Slot: store.SavedReportSlot(made.ID*10, "2026-11-24T09:00"), Outcome: "done", Started: h.clock.t}))
		list, err := h.SavedReports(ctx, h.anna)
		h.must(err)
		h.same("last run", list[0].Last.Outcome+list[0].Last.Detail, "failedwhy")
		failed, err := h.FailedRuns(ctx, h.clock.t, 10)
		h.must(err)
		h.same("failed runs", len(failed), 1)
		failed, err = h.FailedRuns(ctx, h.clock.t.Add(time.Second), 10)
		h.must(err)
		h.same("failed runs since", len(failed), 0)

		h.must(h.DropSavedReport(ctx, anna, made.ID))
		h.same("dropped twice", errors.Is(h.DropSavedReport(ctx, anna, made.ID), store.ErrNotFound), true)
		scheduled, err := h.ScheduledReports(ctx)
		h.must(err)
		h.same("scheduled", len(scheduled), 1)

		// One that takes the place of the last, with its number on SQLite, has not run.
		h.must(h.DropSavedReport(ctx, boris, scheduled[0].ID))
		h.clock.t = h.clock.t.Add(time.Hour)
		_, err = h.SaveReport(ctx, anna, h.anna.ID, 0, edit)
		h.must(err)
		list, err = h.SavedReports(ctx, h.anna)
		h.must(err)
		h.same("a new one's last run", list[0].Last.Outcome, "")
	})
}

func TestSavedReport_Refused(t *testing.T) {
	each(t, func(h *house) {
		anna := store.Actor{ManagerID: h.anna.ID, Origin: store.FromWeb}
		good := store.SavedReportEdit{Name: "x", Report: "calendar", Schedule: "0 8 * * *", Recipients: []string{"anna"}}
		for field, change := range map[string]func(*store.SavedReportEdit){
			"name":       func(e *store.SavedReportEdit) { e.Name = " \n" },
			"name ":      func(e *store.SavedReportEdit) { e.Name = strings.Repeat("я", 101) },
			"report":     func(e *store.SavedReportEdit) { e.Report = "" },
			"params":     func(e *store.SavedReportEdit) { e.Params = url.Values{"client": {strings.Repeat("x", 5000)}} },
			"schedule":   func(e *store.SavedReportEdit) { e.Schedule = strings.Repeat("1,", 200) },
			"attach":     func(e *store.SavedReportEdit) { e.Attach = "exe" },
			"nightly":    func(e *store.SavedReportEdit) { e.Nightly = true },
			"recipients": func(e *store.SavedReportEdit) { e.Recipients = nil },
			"recipients ": func(e *store.SavedReportEdit) {
				e.Recipients = []string{"nobody"}
			},
			"recipients  ": func(e *store.SavedReportEdit) { e.Recipients = []string{"a b@c"} },
			"recipients   ": func(e *store.SavedReportEdit) {
				e.Recipients = nil
				for i := range 21 {
					e.Recipients = append(e.Recipients, fmt.Sprintf("a%d@b.test", i))
				}
			},
		} {
			e := good
			change(&e)
			_, err := h.SaveReport(ctx, anna, h.anna.ID, 0, e)
			var bad *store.Invalid
			if !errors.As(err, &bad) || bad.Field != strings.TrimSpace(field) {
				t.Errorf("%s: %v", field, err)
			}
		}
		list, err := h.SavedReports(ctx, h.boris)
		h.must(err)
		h.same("kept", len(list), 0)
	})
}
