package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"intouch/store"
)

func TestEachPeriodItem_IsPeriodItems(t *testing.T) {
	each(t, func(h *house) {
		for hours := 200; hours > 0; hours-- { // the last one begins first
			h.call(fmt.Sprint("Звонок ", hours), h.clock.t.Add(time.Duration(hours)*time.Hour))
		}
		line := func(it *store.Item) string {
			said := fmt.Sprint(it.Key(), it.Type, it.Status, it.When, it.Importance, it.ClientID, it.ClientName, it.Class, it.Stage, it.Managers)
			if it.Event != nil {
				return said + fmt.Sprint(it.Deal.ID, it.Deal.Number, it.Deal.Amount.Currency, it.Event.Amount, it.Event.Moved(), it.Event.MovedFrom())
			}
			return said + it.Contact.Subject + it.Contact.ClientText
		}
		for _, managers := range [][]int64{nil, {h.anna.ID}} {
			q := store.ItemSelection{Viewer: store.Manager{Role: store.RoleHead, TimeZone: "Europe/Moscow"}, Managers: managers, From: h.clock.t.AddDate(0, 0, -30), To: h.clock.t.AddDate(0, 0, 30)}
			for _, limit := range []int{1, 63, 64, 199, 200, 201, 1000} {
				all, more, err := h.PeriodItems(ctx, q, limit)
				h.must(err)
				var want, got []string
				for i := range all {
					if it := &all[i]; it.Contact != nil { // lists have the responsible one alone
						it.Managers = nil
					}
					want = append(want, line(&all[i]))
				}
				others, err := h.EachPeriodItem(ctx, q, limit, func(items []store.Item) error {
					for i := range items {
						got = append(got, line(&items[i]))
					}
					return nil
				})
				h.must(err)
				slices.Sort(want)
				slices.Sort(got)
				if !slices.Equal(got, want) || others != more || more != (limit < 200) {
					h.t.Errorf("managers %v, the first %d: %d items, more %v; PeriodItems gives %d, %v\n%q\n%q", managers, limit, len(got), others, len(want), more, got[0], want[0])
				}
			}
		}
	})
}
