package store_test

import (
	"context"
	"errors"
	"testing"

	"intouch/store"
	"intouch/store/storetest"
)

func TestConvert(t *testing.T) {
	storetest.Each(t, store.Options{Render: func(*store.EntryView) []byte { return nil }}, func(t *testing.T, st *store.Store) {
		rates := []store.RateRow{
			{Date: "2026-11-01", Currency: "USD", Rate: "92.4521"},
			{Date: "2026-11-10", Currency: "USD", Rate: "90"},
			{Date: "2026-11-01", Currency: "KZT", Rate: "19.0412", Per: 100},
			{Date: "2026-11-01", Currency: "XXH", Rate: "0.5"},
		}
		put := func(row store.RateRow) (change store.RowChange, err error) {
			err = st.Import(context.Background(), store.Actor{}, false, func(im *store.Import) error {
				var fault error
				change, fault = im.Rate(row)
				return fault
			})
			return change, err
		}
		for _, row := range rates {
			for _, want := range []store.RowChange{store.RowNew, store.RowUnchanged} {
				if got, err := put(row); got != want || err != nil {
					t.Errorf("%+v: %s, %v, want %s", row, got, err, want)
				}
			}
		}
		for _, row := range []store.RateRow{
			{Currency: "USD", Rate: "1"}, {Date: "2026-11-01", Currency: "usd", Rate: "1"}, {Date: "2026-11-01", Currency: "RUB", Rate: "1"},
			{Date: "2026-11-01", Currency: "USD", Rate: "0"}, {Date: "2026-11-01", Currency: "USD", Rate: "-1"}, {Date: "2026-11-01", Currency: "USD", Rate: "1e400"},
			{Date: "2026-11-01", Currency: "USD", Rate: "0.123456789"}, {Date: "2026-11-01", Currency: "USD", Rate: "9999999999999"},
			{Date: "2026-11-01", Currency: "USD", Rate: "1", Per: 2e9},
		} {
			var fault *store.Invalid
			if _, err := put(row); !errors.As(err, &fault) {
				t.Errorf("%+v was taken: %v", row, err)
			}
		}
		for _, one := range []struct {
			minor    int64
			from, to string
			on       store.Date
			want     int64
			lacks    string
		}{
			{100, "RUB", "RUB", "1999-01-01", 100, ""},
			{10000, "USD", "RUB", "2026-11-01", 924521, ""},
			{10000, "USD", "RUB", "2026-11-09", 924521, ""}, // the last known
			{10000, "USD", "RUB", "2026-11-10", 900000, ""},
			{-10000, "USD", "RUB", "2026-12-31", -900000, ""},
			{924521, "RUB", "USD", "2026-11-01", 10000, ""},
			{100000, "KZT", "RUB", "2026-11-01", 19041, ""},    // 190.412
			{100000, "KZT", "USD", "2026-11-01", 206, ""},      // 2.0595…
			{1, "XXH", "RUB", "2026-11-01", 0, ""},             // half to even
			{3, "XXH", "RUB", "2026-11-01", 2, ""},             // half to even
			{-3, "XXH", "RUB", "2026-11-01", -2, ""},           // half to even
			{10000, "USD", "RUB", "2026-10-31", 0, "USD"},      // before the first
			{10000, "RUB", "EUR", "2026-11-01", 0, "EUR"},      // no rate at all
			{9e15, "USD", "RUB", "2026-11-01", 0, "too large"}, // of money that is kept
		} {
			var got store.Money
			exchange, err := st.Exchange(context.Background(), one.from, one.to, one.on)
			if err == nil {
				got, err = exchange.Convert(one.minor)
			}
			var lack *store.Lacking
			switch {
			case one.lacks == "too large":
				if err == nil {
					t.Errorf("%+v: %+v", one, got)
				}
			case one.lacks != "":
				if !errors.As(err, &lack) || lack.Reason != store.LacksRate || lack.Detail.Lacks != one.lacks {
					t.Errorf("%+v: %+v, %v", one, got, err)
				}
			case err != nil || got != store.Money{Minor: one.want, Currency: one.to}:
				t.Errorf("%+v: %+v, %v", one, got, err)
			}
		}
	})
}
