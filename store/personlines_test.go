package store_test

import (
	"fmt"
	"testing"
	"time"

	"intouch/store"
)

// TestStore_PersonLines finds the last contact of those who were met lately and
// of those who were not, whatever else has happened since.
func TestStore_PersonLines(t *testing.T) {
	each(t, func(h *house) {
		h.imports(func(im *store.Import) {
			for _, id := range []string{"p7", "p8", "p9"} {
				h.row(im.Person(store.PersonRow{ID: id, Client: "c1", Name: id}))
			}
		})
		lines := func(q store.PersonSelection) (list []store.PersonLine) {
			q.Viewer = store.Manager{Role: store.RoleHead}
			h.must(h.PersonLines(ctx, q, func(l store.PersonLine) error {
				list = append(list, l)
				return nil
			}))
			return list
		}
		id := map[string]int64{}
		for _, l := range lines(store.PersonSelection{}) {
			id[l.Person.Name] = l.Person.ID
		}
		day := func(n int) time.Time { return monday().AddDate(0, 0, n) }
		met := func(name string, at time.Time, state store.State) {
			_, err := h.PlanContact(ctx, store.Actor{ManagerID: h.anna.ID, Origin: store.FromWeb}, store.ContactDraft{Kind: store.Call, State: state, Importance: store.Normal,
				ClientID: h.clients["c1"], Persons: []int64{id[name]}, Subject: "Call", When: store.Span{Start: at, End: at.Add(time.Minute)}})
			h.must(err)
		}
		met("p7", day(-90), store.Done)
		met("p7", day(-80), store.Done)
		for n := range 30 {
			met("p8", day(-30+n), store.Done)
		}
		met("p9", day(1), store.Planned)

		all := []int64{id["p7"], id["p8"], id["p9"]}
		for _, c := range []struct {
			q    store.PersonSelection
			want string
		}{
			{store.PersonSelection{Persons: all}, fmt.Sprint("p7 ", day(-80), " p8 ", day(-1), " p9 ", time.Time{})},
			{store.PersonSelection{Persons: all[:1]}, fmt.Sprint("p7 ", day(-80))},
			{store.PersonSelection{Persons: all, Before: day(-1)}, fmt.Sprint("p7 ", day(-80), " p9 ", time.Time{})},
			{store.PersonSelection{Persons: all, Before: day(-80)}, fmt.Sprint("p9 ", time.Time{})},
		} {
			got := ""
			for i, l := range lines(c.q) {
				if i > 0 {
					got += " "
				}
				got += fmt.Sprint(l.Person.Name, " ", l.Last)
			}
			if got != c.want {
				h.t.Errorf("%+v: %s, want %s", c.q, got, c.want)
			}
		}

		// Of more persons than are read at once the newest contacts of all are looked at first.
		h.imports(func(im *store.Import) {
			for n := range 1000 {
				h.row(im.Person(store.PersonRow{ID: fmt.Sprint("q", n), Client: "c1", Name: fmt.Sprint("q", n)}))
			}
		})
		told := map[string]time.Time{}
		for _, l := range lines(store.PersonSelection{}) {
			told[l.Person.Name] = l.Last
		}
		if len(told) < 1003 || !told["p7"].Equal(day(-80)) || !told["p8"].Equal(day(-1)) || !told["p9"].IsZero() || !told["q999"].IsZero() {
			h.t.Errorf("of %d persons the last contacts were: p7 %v, p8 %v, p9 %v", len(told), told["p7"], told["p8"], told["p9"])
		}
	})
}
