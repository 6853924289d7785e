package store_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"intouch/store"
	"intouch/store/storetest"
)

// Pages of records with every filter, on both engines: nothing twice, nothing
// left out, and what changes while pages are read comes at their end.
func TestStore_records(t *testing.T) {
	start := time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC)
	now := start
	storetest.Each(t, store.Options{Render: plain, Now: func() time.Time { return now }}, func(t *testing.T, st *store.Store) {
		now = start
		if _, _, err := st.SaveManager(ctx, store.Actor{}, store.ManagerRow{Login: "anna"}); err != nil {
			t.Fatal(err)
		}
		write := func(fn func(im *store.Import) error) {
			t.Helper()
			if err := st.Import(ctx, store.Actor{Origin: store.FromExchange}, false, fn); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 5 {
			write(func(im *store.Import) error {
				id := fmt.Sprint(i)
				_, err := im.Client(store.ClientRow{ID: "c" + id, Name: "Client " + id, Manager: "anna", Emails: []string{"a" + id + "@firm" + id + ".test"}, Domains: []string{"firm" + id + ".test"}, Stage: "regular"})
				if err == nil {
					_, err = im.Person(store.PersonRow{ID: "p" + id, Client: "c" + id, Name: "Person " + id, Emails: []string{"p" + id + "@firm.test"}})
				}
				if err == nil {
					_, err = im.DealWhole(store.DealRow{ID: "d" + id, Number: "N" + id, Client: "c" + id, Date: "2026-05-01", ShipDue: "2026-06-10", PayDue: "2026-06-20", Amount: store.Money{Minor: 100, Currency: "RUB"}, Status: "open"},
						[]store.LineRow{{ID: "l" + id, Item: "x", Amount: 100}}, nil)
				}
				if err == nil {
					_, err = im.DocumentWhole(store.DocumentRow{ID: "x" + id, Number: "X" + id, Kind: store.PaymentDoc, Deal: "d" + id, Date: "2026-05-02", Amount: store.Money{Minor: 40, Currency: "RUB"}},
						[]store.LineRow{{ID: "xl" + id, Item: "x", Amount: 40}})
				}
				if err != nil {
					return err
				}
				deal, err := im.FullDeal(store.Ref{ExternalID: "d" + id})
				if err == nil {
					_, err = im.Contact(store.ContactDraft{ExternalID: "k" + id, Kind: store.Call, DealID: deal.ID, When: store.Span{Start: now, End: now.Add(time.Hour)}})
				}
				return err
			})
			now = now.Add(time.Second)
		}

		kinds := map[string]func(q store.RecordQuery) (keys []string, next store.Place, err error){
			"clients": func(q store.RecordQuery) (keys []string, _ store.Place, _ error) {
				found, next, err := st.FullClients(ctx, q)
				for _, r := range found {
					keys = append(keys, r.ExternalID)
				}
				return keys, next, err
			},
			"persons": func(q store.RecordQuery) (keys []string, _ store.Place, _ error) {
				found, next, err := st.FullPersons(ctx, q)
				for _, r := range found {
					keys = append(keys, r.ExternalID)
				}
				return keys, next, err
			},
			"deals": func(q store.RecordQuery) (keys []string, _ store.Place, _ error) {
				found, next, err := st.FullDeals(ctx, q)
				for _, r := range found {
					keys = append(keys, r.ExternalID)
					if len(r.Lines) != 1 || len(r.Events) != 2 || r.PayDue != "2026-06-20" || r.Client.ExternalID != "c"+r.ExternalID[1:] {
						t.Errorf("%+v", r)
					}
				}
				return keys, next, err
			},
			"documents": func(q store.RecordQuery) (keys []string, _ store.Place, _ error) {
				found, next, err := st.FullDocuments(ctx, q)
				for _, r := range found {
					keys = append(keys, r.ExternalID)
					if len(r.Lines) != 1 || r.Deal.ExternalID != "d"+r.ExternalID[1:] || r.Changed.IsZero() {
						t.Errorf("%+v", r)
					}
				}
				return keys, next, err
			},
			"contacts": func(q store.RecordQuery) (keys []string, _ store.Place, _ error) {
				found, next, err := st.FullContacts(ctx, q)
				for _, r := range found {
					keys = append(keys, r.ExternalID)
					if r.Manager != "anna" || r.Client.ExternalID != "c"+r.ExternalID[1:] {
						t.Errorf("%+v", r)
					}
				}
				return keys, next, err
			},
		}
		for kind, list := range kinds {
			for _, since := range []time.Time{{}, start.Add(time.Second)} {
				q := store.RecordQuery{Limit: 2, ChangedSince: since}
				var all []string
				for {
					keys, next, err := list(q)
					if err != nil {
						t.Fatalf("%s: %v", kind, err)
					}
					if all = append(all, keys...); next.ID == 0 {
						break
					}
					q.After = next
				}
				want := 5
				if !since.IsZero() {
					want = 4
				}
				if len(all) != want || !slices.IsSorted(all) || len(slices.Compact(slices.Clone(all))) != want {
					t.Errorf("%s since %v: %v", kind, since, all)
				}
			}
		}
		day := store.Date("2026-05-01")
		for _, c := range []struct {
			kind string
			q    store.RecordQuery
			want int
		}{
			{"clients", store.RecordQuery{Manager: "ANNA", Importance: "normal", Stage: "regular", Email: "a2@firm2.test", Domain: "firm2.test", ExternalID: "c2"}, 1},
			{"clients", store.RecordQuery{Manager: "nobody"}, 0},
			{"clients", store.RecordQuery{ID: 3, ExternalID: "c0"}, 0},
			{"persons", store.RecordQuery{Email: "p2@firm.test", Client: store.Ref{ExternalID: "c2"}}, 1},
			{"deals", store.RecordQuery{Manager: "anna", Number: "N2", Status: "open", From: day, To: day, Client: store.Ref{ExternalID: "c2"}}, 1},
			{"deals", store.RecordQuery{From: "2026-05-02"}, 0},
			{"documents", store.RecordQuery{Kind: "payment", Number: "X2", From: day, To: "2026-05-02", Client: store.Ref{ExternalID: "c2"}, Deal: store.Ref{ExternalID: "d2"}}, 1},
			{"documents", store.RecordQuery{Deal: store.Ref{ExternalID: "unknown"}}, 0},
			{"contacts", store.RecordQuery{Manager: "anna", Kind: "call", State: "planned", Direction: "none", Importance: "normal", Deal: store.Ref{ExternalID: "d2"}, Start: start, End: start.Add(time.Hour), ChangedSince: start}, 1},
			{"contacts", store.RecordQuery{End: start}, 0},
		} {
			if keys, _, err := kinds[c.kind](c.q); err != nil || len(keys) != c.want {
				t.Errorf("%s %+v: %v %v", c.kind, c.q, keys, err)
			}
		}

		// A line that changes is a change of its deal.
		before, _, _ := st.FullDeals(ctx, store.RecordQuery{ExternalID: "d1"})
		now = now.Add(time.Minute)
		write(func(im *store.Import) error {
			_, err := im.Line(store.LineRow{ID: "l1", Deal: "d1", Item: "y", Amount: 100})
			return err
		})
		after, _, err := st.FullDeals(ctx, store.RecordQuery{ChangedSince: now})
		if err != nil || len(after) != 1 || after[0].ExternalID != "d1" || after[0].Version <= before[0].Version {
			t.Errorf("%+v %v", after, err)
		}
	})
}

// A request with an Idempotency-Key is done once, and its answer kept with what
// it did.
func TestImport_Once(t *testing.T) {
	now := time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC)
	storetest.Each(t, store.Options{Now: func() time.Time { return now }}, func(t *testing.T, st *store.Store) {
		in, _, err := st.AddIntegration(ctx, "shop", []store.Scope{store.ScopeWrite})
		if err != nil {
			t.Fatal(err)
		}
		done := 0
		request := func(key, print string, fault error) (status int, err error) {
			err = st.ImportTogether(ctx, in.Actor(), func(im *store.Import) error {
				kept, err := im.Once(key, print)
				if err != nil || kept != nil {
					if kept != nil && err == nil {
						status = kept.Status
						if string(kept.Body) != "body" || kept.Header["ETag"] != `"1"` {
							t.Errorf("%+v", kept)
						}
					}
					return err
				}
				if fault != nil {
					return fault
				}
				done++
				return im.Keep(key, store.Reply{Status: 201, Header: map[string]string{"ETag": `"1"`}, Body: []byte("body")})
			})
			return status, err
		}
		if _, err := request("k", "a", errors.New("refused")); err == nil {
			t.Error("the fault is lost")
		}
		for i, want := range []int{0, 201, 201} {
			if status, err := request("k", "a", nil); err != nil || status != want {
				t.Errorf("%d: %d %v", i, status, err)
			}
		}
		if _, err := request("k", "b", nil); !errors.Is(err, store.ErrConflict) {
			t.Errorf("another request: %v", err)
		}
		if done != 1 {
			t.Errorf("done %d times", done)
		}
		now = now.Add(25 * time.Hour)
		if status, err := request("k", "b", nil); err != nil || status != 0 || done != 2 {
			t.Errorf("a day later: %d %v, done %d times", status, err, done)
		}
	})
}
