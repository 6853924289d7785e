package report

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"intouch/store"
)

// A manager sees the own figures and the team's averages: nothing of another's
// comes out by filters, groupings, comparisons, records or links.
func TestRights(t *testing.T) {
	inOffice(t, func(t *testing.T, o *office) {
		sold(t, o)
		for _, day := range []store.Date{"2026-10-31", "2026-11-22"} {
			if _, err := o.Classify(t.Context(), store.DefaultClassification, day, time.UTC); err != nil {
				t.Fatal(err)
			}
		}
		// What only Анна's records hold: her client, its persons, the call, the fair
		// that brought it is the house's.
		secrets := []string{"Ромашка", "Пётр", "Обсудили", "Позвонить о долге", "Анна", "D1", "D2", "D6", "X1", "X9"}
		refused, tried := 0, 0
		try := func(name, query string) {
			tried++
			table, err := o.run(t, o.ivan, name, query)
			var wrong *Invalid
			if errors.As(err, &wrong) {
				refused++
				return
			}
			if err != nil {
				t.Fatalf("%s?%s: %v", name, query, err)
			}
			var text strings.Builder
			if err := table.WriteText(&text); err != nil {
				t.Fatal(err)
			}
			if err := table.WriteCSV(&text, false); err != nil {
				t.Fatal(err)
			}
			if err := table.WriteJSON(&text); err != nil {
				t.Fatal(err)
			}
			for _, secret := range secrets {
				if strings.Contains(text.String(), secret) {
					t.Errorf("%s?%s tells ivan of %s:\n%s", name, query, secret, text.String())
					return
				}
			}
		}
		filters := []string{"", "manager=anna", "manager=olga", "manager=%231", "manager=none", "client=c1", "client=%231", "client=none", "person=p1", "source=s1", "campaign=" + url.QueryEscape("Осень"), "unregistered=none"}
		for _, r := range reports {
			records := append([]string{"", "1"}, r.figures...)
			for _, rows := range records {
				for _, filter := range filters {
					query, _ := url.ParseQuery(filter)
					if rows != "" {
						query.Set("rows", rows)
					}
					try(r.name, query.Encode())
					if rows == "called" || rows == "not called" {
						query.Set("calls", "30")
						try(r.name, query.Encode())
					}
				}
			}
			for _, by := range r.groupings {
				for _, with := range []string{"", "&compare=previous", "&relative=yes", "&client=c1"} {
					try(r.name, "by="+by+with)
				}
			}
		}
		for _, deal := range []string{"d1", "d2", "d6", "%231"} {
			try("deal", "deal="+deal)
		}
		try("managers", "by=manager,client&compare=year&relative=yes")
		if refused == 0 || refused == tried {
			t.Errorf("%d of %d were refused", refused, tried)
		}

		// The average of one client would be a third of another's figures.
		for _, query := range []string{"client=c1", "client=%231"} {
			for _, row := range o.table(t, o.ivan, "managers", query).Rows {
				for _, v := range row.Values {
					if v.some() {
						t.Errorf("managers?%s: %v is %+v", query, row.Path, v)
					}
				}
			}
		}
		// A head sees them all.
		if got := len(o.table(t, o.olga, "managers", "rows=deals").Rows); got != 6 {
			t.Errorf("olga sees %d deals", got)
		}
		if got := len(o.table(t, o.ivan, "managers", "rows=deals").Rows); got != 3 {
			t.Errorf("ivan sees %d deals", got)
		}
	})
}
