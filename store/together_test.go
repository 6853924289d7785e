package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"intouch/store"
	"intouch/store/storetest"
)

// Many small imports at the same time: those that fail, panic or whose caller
// went away take nothing of the others with them.
func TestImportTogether(t *testing.T) {
	storetest.Each(t, store.Options{Render: plain}, func(t *testing.T, st *store.Store) {
		refused := errors.New("refused after writing")
		var wait sync.WaitGroup
		for i := range 200 {
			wait.Go(func() {
				err := st.ImportTogether(ctx, store.Actor{}, func(im *store.Import) error {
					if _, err := im.Client(store.ClientRow{ID: fmt.Sprint("c", i), Name: "x"}); err != nil {
						return err
					}
					switch i % 10 {
					case 3:
						return refused
					case 7:
						panic("on purpose")
					}
					return nil
				})
				if failed := i%10 == 3 || i%10 == 7; failed != (err != nil) || i%10 == 3 && !errors.Is(err, refused) {
					t.Errorf("%d: %v", i, err)
				}
			})
		}
		wait.Wait()
		n := 0
		err := st.EachClient(ctx, func(row *store.ClientRow) error {
			n++
			if last := row.ID[len(row.ID)-1]; last == '3' || last == '7' {
				t.Errorf("%s was refused, and is there", row.ID)
			}
			return nil
		})
		if err != nil || n != 160 {
			t.Errorf("%d clients, %v", n, err)
		}
	})
}

// What a refused record had marked does not keep others from being renewed.
func TestImport_Each(t *testing.T) {
	storetest.Each(t, store.Options{Render: plain}, func(t *testing.T, st *store.Store) {
		if _, _, err := st.SaveManager(ctx, store.Actor{}, store.ManagerRow{Login: "anna"}); err != nil {
			t.Fatal(err)
		}
		deal := func(id string) store.DealRow {
			return store.DealRow{ID: id, Client: "c", Manager: "anna", Date: "2026-01-01", PayDue: "2026-02-01", Amount: store.Money{Minor: 5}}
		}
		var version int64
		err := st.Import(ctx, store.Actor{}, false, func(im *store.Import) error {
			if _, err := im.Client(store.ClientRow{ID: "c", Name: "x"}); err != nil {
				return err
			}
			if err := im.Each(func() error { _, err := im.Deal(deal("good")); return err }); err != nil {
				return err
			}
			for range 3 {
				err := im.Each(func() error {
					if _, err := im.Deal(deal("bad")); err != nil {
						return err
					}
					if _, err := im.FullDeal(store.Ref{ExternalID: "bad"}); err != nil { // writes the marks
						return err
					}
					_, err := im.Deal(store.DealRow{ID: "bad"})
					return err
				})
				if bad := (*store.Invalid)(nil); !errors.As(err, &bad) || bad.Field != "client" {
					return fmt.Errorf("the bad deal: %w", err)
				}
			}
			r, err := im.FullDeal(store.Ref{ExternalID: "good"})
			version = r.Version
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		deals, _, err := st.FullDeals(ctx, store.RecordQuery{})
		if err != nil || len(deals) != 1 || deals[0].Version != version || len(deals[0].Events) != 1 {
			t.Errorf("%+v %v", deals, err)
		}
		anna, err := st.ManagerByLogin(ctx, "anna")
		if err != nil {
			t.Fatal(err)
		}
		collections, err := st.Collections(ctx, anna.ID)
		if err != nil {
			t.Fatal(err)
		}
		entries := 0
		for _, c := range collections {
			err := st.Entries(ctx, c.ID, time.Time{}, time.Time{}, store.EntryDetails, func(store.Collection) error { return nil }, func(*store.Entry) error {
				entries++
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if entries == 0 {
			t.Error("the good deal's payment is in no calendar")
		}
	})
}
