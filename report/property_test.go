package report

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"intouch/store"
	"intouch/store/storetest"
)

// randomOffice fills a store with what nobody has worked out: three currencies,
// of which one has no rate, costs that nobody knows, deals and documents of
// other managers than the client's, contacts of people that are no clients,
// clients and managers without anything, sources that follow one another.
func randomOffice(t *testing.T, st *store.Store, seed uint64) *office {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := context.Background()
	rnd := rand.New(rand.NewPCG(seed, 7))
	o := &office{Store: st}
	managers := []store.Manager{}
	for i, login := range []string{"olga", "anna", "ivan", "idle"} {
		row := store.ManagerRow{Name: strings.ToUpper(login[:1]) + login[1:], Login: login, Role: "manager", TimeZone: "Europe/Moscow", Language: "ru", Emails: []string{login + "@vector.test"}}
		if i == 0 {
			row.Role = "head"
		}
		m, _, err := st.SaveManager(ctx, store.Actor{}, row)
		must(err)
		managers = append(managers, m)
	}
	o.olga, o.anna, o.ivan = managers[0], managers[1], managers[2]
	day := func(n int) store.Date { return store.Date("2026-08-01").Add(rnd.IntN(n)) }
	pick := func(words ...string) string { return words[rnd.IntN(len(words))] }
	money := func() store.Money {
		return store.Money{Minor: 1 + rnd.Int64N(900_000), Currency: pick("RUB", "RUB", "RUB", "USD", "USD", "GBP")}
	}
	const clients, deals, documents = 9, 40, 90
	must(st.Import(ctx, store.Actor{}, false, func(im *store.Import) error {
		var faults []error
		row := func(_ store.RowChange, err error) { faults = append(faults, err) }
		row(im.Rate(store.RateRow{Date: "2026-07-01", Currency: "USD", Rate: "91.3337"}))
		row(im.Rate(store.RateRow{Date: "2026-10-15", Currency: "USD", Rate: "93.0001"}))
		row(im.Source(store.SourceRow{ID: "s1", Name: "Выставка", Campaign: "Осень", From: "2026-09-15", To: "2026-11-15", Cost: store.Money{Minor: 100_000_01, Currency: "RUB"}}))
		row(im.Source(store.SourceRow{ID: "s2", Name: "Сайт", Campaign: "Осень", Cost: store.Money{Minor: 777_77, Currency: "USD"}}))
		row(im.Source(store.SourceRow{ID: "s3", Name: "Сайт 2"}))
		row(im.Source(store.SourceRow{ID: "s4", Name: "Никто", Campaign: "=1+1"}))
		for i := range clients {
			row(im.Client(store.ClientRow{ID: fmt.Sprint("c", i), Name: pick("Ромашка", "+Лотос", "Клиент ") + fmt.Sprint(i), Importance: pick("high", "normal", "low"), Manager: pick("", "anna", "ivan", "ivan"), Source: pick("", "s1", "s2", "s3")}))
			for p := range rnd.IntN(3) {
				row(im.Person(store.PersonRow{ID: fmt.Sprint("p", i, p), Client: fmt.Sprint("c", i), Name: pick("Пётр", "Анна", "=Лев"), Position: pick("", "Закупщик"), Birthday: store.Date(pick("", "1980-11-25"))}))
			}
		}
		for i := range deals {
			row(im.Deal(store.DealRow{ID: fmt.Sprint("d", i), Number: fmt.Sprint("D", i), Date: day(114), Client: fmt.Sprint("c", rnd.IntN(clients-1)), Manager: pick("", "", "olga", "anna"), Amount: money(),
				ShipDue: day(140), PayDue: day(140), Status: pick("", "", "", "cancelled"), Source: pick("", "", "", "s1")}))
		}
		for i := range documents {
			d := store.DocumentRow{ID: fmt.Sprint("x", i), Kind: store.DocumentKind(pick("shipment", "shipment", "payment", "return", "invoice")), Number: fmt.Sprint("X", i), Date: day(114), Amount: money()}
			if rnd.IntN(3) > 0 {
				d.Deal = fmt.Sprint("d", rnd.IntN(deals))
			} else {
				d.Client = fmt.Sprint("c", rnd.IntN(clients-1))
			}
			if rnd.IntN(3) > 0 && (d.Kind == store.ShipmentDoc || d.Kind == store.ReturnDoc) {
				d.Cost = &store.Money{Minor: rnd.Int64N(500_000), Currency: d.Amount.Currency}
			}
			if rnd.IntN(2) > 0 {
				d.Tax = &store.Money{Minor: d.Amount.Minor / 6, Currency: d.Amount.Currency}
			}
			_, err := im.Document(d)
			var lacking *store.Lacking // a payment in pounds of a deal in roubles has to wait
			if !errors.As(err, &lacking) {
				faults = append(faults, err)
			}
		}
		return errors.Join(faults...)
	}))
	for range 70 {
		begin := day(114).In(time.UTC).Add(time.Duration(rnd.IntN(24*60)) * time.Minute)
		c := store.ContactDraft{Kind: store.Kind(pick("letter", "letter", "call", "meeting", "visit", "other")), Direction: store.Direction(pick("in", "in", "out", "none")),
			State: store.State(pick("done", "done", "done", "planned", "postponed", "cancelled")), Importance: store.Importance(pick("high", "normal", "low")), Subject: pick("=1+1", "-1", "@x", "О деле"),
			When: store.Span{Start: begin, End: begin.Add(time.Duration(rnd.IntN(90)) * time.Minute)}}
		if i := rnd.IntN(clients + 2); i < clients-1 {
			k, err := st.RecordNamed(ctx, "client", 0, fmt.Sprint("c", i))
			must(err)
			c.ClientID = k.ID
			if k, err := st.RecordNamed(ctx, "person", 0, fmt.Sprint("p", i, rnd.IntN(2))); err == nil && rnd.IntN(2) > 0 {
				c.Persons = []int64{k.ID}
			}
		} else {
			c.ClientText = pick("", "Кто-то", "Никто-то", "none")
		}
		_, err := st.PlanContact(ctx, store.Actor{ManagerID: managers[rnd.IntN(3)].ID, Origin: store.FromWeb}, c)
		must(err)
	}
	for _, d := range []store.Date{"2026-08-31", "2026-09-30", "2026-10-31", "2026-11-22"} {
		_, err := st.Classify(ctx, store.DefaultClassification, d, time.UTC)
		must(err)
	}
	return o
}

// asked are the requests that the properties are tried with.
var asked = []struct{ name, query string }{
	{"contacts", "period=2026-Q4&by=manager,client"}, {"contacts", "period=2026-Q4&by=client,person"}, {"contacts", "period=2026-Q4&by=source,kind"}, {"contacts", "period=2026-Q4&by=week,direction"},
	{"contacts", "period=2026-Q4&by=manager,state&compare=previous"}, {"contacts", "from=2026-09-10&by=importance,month"},
	{"sources", "period=2026-Q4"}, {"sources", "period=2026-Q4&by=campaign,source,client"}, {"sources", "period=2026-11&by=client,source&compare=previous"}, {"sources", "period=2026-Q4&expiry=10&relative=yes"},
	{"sources", "period=2026-Q4&calls=20"},
	{"managers", "period=2026-Q4"}, {"managers", "period=2026-10&by=manager,client"}, {"managers", "period=2026-11&compare=previous&relative=yes"},
	{"classification", "period=2026-Q4&by=abc"}, {"classification", "period=2026-11&by=manager,stage"}, {"classification", "period=2026-10&by=relation,xyz&compare=previous"},
	{"open-deals", "by=client,status"}, {"open-deals", "by=manager,month"}, {"calendar", "period=2026-Q4&by=manager,type"}, {"calendar", "period=2026-Q4&by=client,week"}, {"calendar", "period=2026-12&by=manager,type&compare=previous"}, {"persons", "by=manager,client"},
}

// inRandomOffice runs a test on both engines; what the runs give of a request
// must be the same.
func inRandomOffice(t *testing.T, fn func(t *testing.T, o *office, same func(key, got string))) {
	first := map[string]string{}
	storetest.Each(t, store.Options{Now: func() time.Time { return now }, Currency: "RUB", Render: func(*store.EntryView) []byte { return nil }}, func(t *testing.T, st *store.Store) {
		fn(t, randomOffice(t, st, 1), func(key, got string) {
			t.Helper()
			if want, known := first[key]; known && got != want {
				t.Errorf("%s differs between the engines:\n%s\nand\n%s", key, got, want)
			}
			first[key] = got
		})
	})
}

// sumOf is a sum without the currencies of which there is nothing.
func sumOf(v Value) string {
	v.Sums = slices.DeleteFunc(slices.Clone(v.Sums), func(m store.Money) bool { return m.Minor == 0 })
	return fmt.Sprint(v.N, v.Sums, v.Unknown)
}

// Every total is the sum of its rows as shown: of all innermost ones, and of
// each group's members; shares of the total make 100 % but for their rounding.
func TestProperty_Totals(t *testing.T) {
	inRandomOffice(t, func(t *testing.T, o *office, same func(key, got string)) {
		for _, c := range asked {
			table := o.table(t, o.olga, c.name, c.query)
			name := c.name + "?" + c.query
			var text strings.Builder
			if err := table.WriteJSON(&text); err != nil {
				t.Fatal(err)
			}
			same(name, text.String())
			if len(table.Rows) < 2 {
				t.Errorf("%s: %d rows", name, len(table.Rows))
			}
			for n, column := range table.Columns {
				leaves, sum, members := int64(0), Value{}, map[string]Value{}
				for i := range table.Rows {
					row := &table.Rows[i]
					if row.Leaf {
						leaves++
						sum = sum.plus(row.Values[n])
					}
					members[path(row.Path[:len(row.Path)-1])] = members[path(row.Path[:len(row.Path)-1])].plus(row.Values[n])
				}
				switch {
				case table.Total == nil || column.NoSum || !column.Type.numeric() || column.Type == Amount:
				case column.Type == Percent:
					if whole := table.Total[n]; whole.N != 0 && !whole.Unknown && (sum.N < whole.N-leaves || sum.N > whole.N+leaves || whole.N != 100_00) {
						t.Errorf("%s: shares of %s make %d of %d", name, column.Key, sum.N, whole.N)
					}
				case sumOf(sum) != sumOf(table.Total[n]):
					t.Errorf("%s: %s: rows make %v, the total is %v", name, column.Key, sumOf(sum), sumOf(table.Total[n]))
				default:
					for i := range table.Rows {
						row := &table.Rows[i]
						if under, ok := members[path(row.Path)]; ok && !row.Leaf && sumOf(under) != sumOf(row.Values[n]) {
							t.Errorf("%s: %s of %v is %v, its members make %v", name, column.Key, row.Path, sumOf(row.Values[n]), sumOf(under))
						}
					}
				}
			}
		}
	})
}

// path is a row's place as a key.
func path(steps []Value) string {
	var b strings.Builder
	for _, s := range steps {
		fmt.Fprintf(&b, "%q", s.Text)
	}
	return b.String()
}

// Whatever the rows are grouped by, the total is the same.
func TestProperty_AnyGrouping(t *testing.T) {
	inRandomOffice(t, func(t *testing.T, o *office, _ func(key, got string)) {
		for _, r := range reports {
			period := ""
			if r.period != "" {
				period = "period=2026-Q4&"
			}
			var want []string
			for i, g := range r.groupings {
				for _, by := range []string{g, g + "," + r.groupings[(i+1)%len(r.groupings)]} {
					if r.name == "managers" && !strings.HasPrefix(by, "manager") {
						continue
					}
					table := o.table(t, o.olga, r.name, period+"by="+by)
					var got []string
					for n, c := range table.Columns {
						got = append(got, c.Key+": "+sumOf(table.Total[n]))
					}
					if want == nil {
						want = got
					}
					if !slices.Equal(got, want) {
						t.Errorf("%s by %s: %q, else %q", r.name, by, got, want)
					}
				}
			}
		}
	})
}

// Behind every figure lie records, and they add up to it.
func TestProperty_Drill(t *testing.T) {
	inRandomOffice(t, func(t *testing.T, o *office, same func(key, got string)) {
		for _, c := range asked {
			table := o.table(t, o.olga, c.name, c.query)
			request, _ := url.ParseQuery(c.query)
			seen := map[string]*Table{}
			follow := func(row []Value, selects url.Values, n int, v Value) {
				column := &table.Columns[n]
				link := table.link(HTMLOptions{Request: request}, selects, n, v)
				if link == "" {
					if selects != nil && v.some() && !v.None && column.Type.numeric() && !strings.HasSuffix(column.Key, "change") && !strings.HasSuffix(column.Key, "change %") {
						t.Errorf("%s?%s: %s of %v leads nowhere", c.name, c.query, column.Key, row)
					}
					return
				}
				records := seen[link]
				if records == nil {
					at, err := url.Parse(link)
					if err != nil {
						t.Fatal(err)
					}
					records = o.table(t, o.olga, at.Path[len(ReportPath):], at.RawQuery)
					seen[link] = records
					var text strings.Builder
					if err := records.WriteText(&text); err != nil {
						t.Fatal(err)
					}
					same(link, text.String())
				}
				key := strings.TrimSuffix(strings.TrimSuffix(column.Key, " previous"), " year")
				if strings.HasSuffix(key, " %") {
					return // of the total; its records are those of the figure itself
				}
				if got, ok := behind(records, key, column.Type); !ok {
					t.Errorf("%s: nothing in it is %s", link, key)
				} else if got != sumOf(v) {
					t.Errorf("%s?%s: %s of %v is %v, the records of %s make %v", c.name, c.query, column.Key, row, sumOf(v), link, got)
				}
			}
			for i := range table.Rows {
				row := &table.Rows[i]
				for n := range table.Columns {
					follow(row.Path, row.selects(), n, row.Values[n])
				}
			}
			for n := range table.Total {
				follow(nil, url.Values{}, n, table.Total[n])
			}
			if len(seen) == 0 {
				t.Errorf("%s?%s: nothing to follow", c.name, c.query)
			}
		}
	})
}

// behind works a figure out of the records behind it; false: it cannot be.
func behind(records *Table, key string, kind Type) (string, bool) {
	total := func(t *Table, key string) (Value, bool) {
		at := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Key == key })
		if at < 0 || t.Total == nil {
			return Value{}, at >= 0
		}
		return t.Total[at], true
	}
	sum, known := total(records, key)
	switch key {
	case "average deal":
		sum, known = total(records, "deal sum")
		sum = sum.each(func(minor int64) int64 { return rounded(minor, int64(len(records.Rows))) })
	case "margin":
		profit, _ := total(records, "profit")
		revenue, _ := total(records, "revenue")
		sum, known = ratio(Sum, profit, revenue), true
	case "profit less cost", "return":
		profit, _ := total(records, "profit")
		cost, _ := total(&records.Sections[0], "campaign cost")
		sum, known = profit.minus(cost), true
		if key == "return" {
			sum = ratio(Sum, sum, cost)
		}
	case "response median", "response 90":
		g := store.ResponseGroup{}
		for _, row := range records.Rows {
			g.Waits = append(g.Waits, row.Values[4].N)
		}
		sum.N, known = g.Quantile(map[string]float64{"response median": 0.5, "response 90": 0.9}[key])
	default:
		if !known && kind == Count {
			sum, known = count(int64(len(records.Rows))), true
		}
	}
	return sumOf(sum), known
}
