package exchange

import (
	"context"
	"os"
	"strings"
	"testing"

	"intouch/store"
	"intouch/store/storetest"
)

// TestImportBook takes files of several programs into one company, twice.
func TestImportBook(t *testing.T) {
	storetest.Each(t, store.Options{}, func(t *testing.T, st *store.Store) {
		ctx := context.Background()
		err := st.Import(ctx, store.Actor{}, false, func(im *store.Import) error {
			if _, err := im.Client(store.ClientRow{ID: "c1", Name: "АО «Ромашка»", Domains: []string{"romashka.test"}}); err != nil {
				return err
			}
			_, err := im.Client(store.ClientRow{ID: "c2", Name: "Northland Energy"})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		take := func(name string, dry bool) BookSummary {
			t.Helper()
			f, err := os.Open("testdata/" + name)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			book, err := VCards(f)
			if err != nil {
				t.Fatal(err)
			}
			sum, err := ImportBook(ctx, st, BookOptions{BookOptions: store.BookOptions{Book: "vcard"}, Actor: store.Actor{Origin: store.FromImport}, DryRun: dry}, book)
			if err != nil {
				t.Fatal(err)
			}
			return sum
		}
		for name, want := range map[string][4]int{ // new, changed, offered, refused
			"cards-apple-3.0.vcf":        {1, 0, 1, 0},
			"cards-google-3.0.vcf":       {1, 0, 1, 0},
			"cards-outlook-2.1-1251.vcf": {1, 0, 1, 0},
			"cards-outlook-utf16.vcf":    {1, 0, 0, 0},
			"cards-android-2.1.vcf":      {1, 0, 1, 0},
			"cards-4.0.vcf":              {1, 0, 0, 0},
			"cards-broken.vcf":           {1, 0, 0, 3},
		} {
			for _, dry := range []bool{true, false} {
				sum := take(name, dry)
				if got := [4]int{sum.New, sum.Changed, sum.Offered, sum.Refused}; got != want {
					t.Errorf("%s, dry %v: %v, want %v", name, dry, got, want)
				}
			}
			again := take(name, false)
			if again.New+again.Changed+again.Offered != 0 || again.Refused != want[3] {
				t.Errorf("%s again: %+v", name, again)
			}
		}
		var out strings.Builder
		if err := Export(ctx, st, ExportOptions{Kind: Persons, Format: JSONL}, &out); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{
			`"client":"c1","name":"Мария Игоревна Кузнецова","position":"Начальник отдела закупок","emails":["maria@romashka.test","maria.k@example.com"],"phones":["+7 (916) 000-00-11","8 (495) 000-00-12 доб. 115"]`,
			`"client":"c2","name":"Dmitry Khokhlov"`, `"client":"c2","name":"Анна Sidorova"`,
		} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("the persons are\n%s\nwant %s", out.String(), want)
			}
		}
		t.Run("one key twice", func(t *testing.T) {
			two := "BEGIN:VCARD\nUID:1\nFN:Игорь\nEMAIL:igor@romashka.test\nEND:VCARD\nBEGIN:VCARD\nUID:1\nFN:Фёдор\nEMAIL:fedor@romashka.test\nEND:VCARD\n"
			for _, want := range []int{2, 0} {
				book, err := VCards(strings.NewReader(two))
				if err != nil {
					t.Fatal(err)
				}
				sum, err := ImportBook(ctx, st, BookOptions{BookOptions: store.BookOptions{Book: "vcard"}}, book)
				if err != nil || sum.New != want || sum.Unchanged != 2-want {
					t.Errorf("%+v, %v", sum, err)
				}
			}
		})
	})
}
