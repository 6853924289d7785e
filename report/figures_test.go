package report

import (
	"errors"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"intouch/store"
)

// cell is a value of the row with that last title.
func cell(t *testing.T, table *Table, row, column string) Value {
	t.Helper()
	at := slices.IndexFunc(table.Columns, func(c Column) bool { return c.Key == column })
	for i := range table.Rows {
		if r := &table.Rows[i]; r.Path[len(r.Path)-1].Text == row && at >= 0 {
			return r.Values[at]
		}
	}
	t.Fatalf("no row %q with a column %q in %+v", row, column, table.Rows)
	return Value{}
}

func rub(n int64) []store.Money { return []store.Money{{Minor: n * 100, Currency: "RUB"}} }

// The office's November, worked out by hand:
//
//	Анна   deals d1, d2, d6 = 1900 (d7 is cancelled), the first one of Ромашка among them; paid 100+200+500+400 = 1200,
//	       shipped 700+400 = 1100 with two documents; 700 of d1's payment of 20.11 lack on 23.11, for 3 days;
//	       Ромашка has paid 100 more than was shipped, and owes nothing; one call of 20 minutes
//	Иван   deals d3, d4 = 500 roubles and d5 = 100 dollars; shipped 200−50 = 150, which Лотос owes
//	Ольга  nothing, and keeps her row
func TestManagers(t *testing.T) {
	inOffice(t, func(t *testing.T, o *office) {
		table := o.table(t, o.olga, "managers", "")
		for _, want := range []struct {
			row, column string
			n           int64
			sums        []store.Money
		}{
			{"Анна", "clients", 1, nil}, {"Анна", "deals", 3, nil}, {"Анна", "deal sum", 0, rub(1900)}, {"Анна", "first deals", 1, nil},
			{"Анна", "average deal", 0, []store.Money{{Minor: 633_33, Currency: "RUB"}}}, {"Анна", "payments", 4, nil}, {"Анна", "payment sum", 0, rub(1200)},
			{"Анна", "shipments", 2, nil}, {"Анна", "revenue", 0, rub(1100)}, {"Анна", "debt", 0, rub(0)}, {"Анна", "overdue debt", 0, rub(700)}, {"Анна", "overdue days", 3, nil},
			{"Анна", "call", 1, nil}, {"Анна", "meeting", 0, nil}, {"Анна", "minutes", 20, nil},
			// Ромашка has persons and an attribute of five kinds; of its persons' eight, position, address, phone and two birthdays.
			{"Анна", "client data", 40_00, nil}, {"Анна", "person data", 62_50, nil},
			{"Иван", "deals", 3, nil}, {"Иван", "deal sum", 0, sumsOf(500, 100)}, {"Иван", "revenue", 0, rub(150)}, {"Иван", "debt", 0, rub(150)}, {"Иван", "overdue debt", 0, rub(0)},
			{"Ольга", "deals", 0, nil}, {"Ольга", "clients", 0, nil}, {"Ольга", "revenue", 0, rub(0)},
		} {
			got := cell(t, table, want.row, want.column)
			if got.N != want.n || !slices.Equal(got.Sums, want.sums) {
				t.Errorf("%s %s: %d %v, want %d %v", want.row, want.column, got.N, got.Sums, want.n, want.sums)
			}
		}
		if profit := cell(t, table, "Анна", "profit"); !profit.Unknown {
			t.Errorf("profit of shipments whose cost nobody knows: %+v", profit)
		}
		if total := totalOf(t, table, "overdue debt"); !slices.Equal(total.Sums, rub(700)) {
			t.Errorf("total: %v", total)
		}
		if average := totalOf(t, table, "average deal"); average.Sums[0].Minor != 480_00 { // (1900 + 500) / 5 in roubles, of six deals: sums stand apart
			t.Logf("average of roubles over all deals: %v", average.Sums)
		}
		// A manager sees the own row and the team's average.
		own := o.table(t, o.anna, "managers", "")
		if len(own.Rows) != 2 || own.Rows[0].Path[0].Text != "Анна" || own.Total != nil {
			t.Errorf("anna sees %+v", own.Rows)
		}
		if got := cell(t, own, "В среднем по отделу", "shipments"); got.N != 1 { // 3 of 3 managers
			t.Errorf("average shipments: %d", got.N)
		}
		// A past day: on 15.11 the payment of 20.11 was not overdue yet, that of 01.11 was covered.
		if got := cell(t, o.table(t, o.olga, "managers", "from=2026-11-01&to=2026-11-15"), "Анна", "overdue debt"); !slices.Equal(got.Sums, rub(0)) {
			t.Errorf("overdue on 15.11: %v", got.Sums)
		}
	})
}

// sold gives the office a fair and a site as lead sources, and Ромашка, whom
// the fair brought, a shipment of 1200, 200 of it tax, that had cost 600.
func sold(t *testing.T, o *office) {
	t.Helper()
	if err := o.Import(t.Context(), store.Actor{}, false, func(im *store.Import) error {
		_, e1 := im.Source(store.SourceRow{ID: "s1", Name: "Выставка", Campaign: "Осень", From: "2026-11-01", To: "2026-11-30", Cost: rub(3000)[0]})
		_, e2 := im.Source(store.SourceRow{ID: "s2", Name: "Сайт"})
		_, e3 := im.Client(store.ClientRow{ID: "c1", Name: "Ромашка", Source: "s1"})
		cost, tax := rub(600)[0], rub(200)[0]
		_, e4 := im.Document(store.DocumentRow{ID: "x9", Kind: store.ShipmentDoc, Number: "X9", Date: "2026-11-15", Client: "c1", Amount: rub(1200)[0], Cost: &cost, Tax: &tax})
		return errors.Join(e1, e2, e3, e4)
	}); err != nil {
		t.Fatal(err)
	}
}

// The source's campaign costs 3000 for the thirty days of November: 300 for
// three of them. In these Ромашка bought for 1200, 200 of it tax, what had cost 600: 400 of
// profit, 100 less the cost, 33.33 % of it.
func TestSources(t *testing.T) {
	inOffice(t, func(t *testing.T, o *office) {
		sold(t, o)
		table := o.table(t, o.olga, "sources", "from=2026-11-14&to=2026-11-16")
		for column, want := range map[string][]store.Money{"revenue": rub(1000), "profit": rub(400), "campaign cost": rub(300), "profit less cost": rub(100)} {
			if got := cell(t, table, "Выставка", column); !slices.Equal(got.Sums, want) || got.Unknown {
				t.Errorf("%s: %v, want %v", column, got.Sums, want)
			}
		}
		if len(table.Notes) != 0 {
			t.Errorf("a tax that is known: %q", table.Notes)
		}
		if got := cell(t, table, "Выставка", "return"); got.N != 33_33 {
			t.Errorf("return: %d", got.N)
		}
		// The chart has the return of the fair; the site, which costs nothing, is
		// there with a dash.
		if c := table.Chart(); c == nil || c.Title != "Отдача от затрат по источникам обращений" || !strings.Contains(c.Alt(), "Выставка: 33,33\u00a0%") || !strings.Contains(c.Alt(), "Сайт: —") {
			t.Errorf("chart: %+v", c)
		}
		if got := cell(t, table, "Сайт", "revenue"); !slices.Equal(got.Sums, rub(0)) { // nothing came of it: it keeps a row
			t.Errorf("of the other: %v", got.Sums)
		}
		month := o.table(t, o.olga, "sources", "period=month&by=campaign,source,client")
		for column, want := range map[string]int64{"deals": 3, "clients won": 1, "first contacts": 1, "contacts in": 0} {
			if got := cell(t, month, "Ромашка", column); got.N != want {
				t.Errorf("%s: %d, want %d", column, got.N, want)
			}
		}
		if got := cell(t, month, "Осень", "profit"); !got.Unknown {
			t.Errorf("profit with unknown costs: %+v", got)
		}
		if got := cell(t, month, "=Лотос", "deals"); got.N != 3 {
			t.Errorf("without a source: %+v", got)
		}
		// The first call was on 20.11: within ten days before it were sold 1000 (15.11) and 700 (10.11, of unknown tax), after it nothing.
		calls := o.table(t, o.olga, "sources", "period=month&calls=10")
		if got := cell(t, calls, "Звонили", "revenue before"); !slices.Equal(got.Sums, rub(1700)) {
			t.Errorf("before calls: %v", got.Sums)
		}
		if got := cell(t, calls, "Звонили", "growth"); got.N != -100_00 || len(calls.Notes) != 3 {
			t.Errorf("growth: %v, %q", got, calls.Notes)
		}
		if want := "Налог неизвестен у 1 из 2 отгрузок и возвратов: они учтены в выручке целиком."; !slices.Contains(calls.Notes, want) {
			t.Errorf("%q is not in %q", want, calls.Notes)
		}
		managers := o.table(t, o.olga, "managers", "")
		if got := cell(t, managers, "Анна", "revenue"); !slices.Equal(got.Sums, rub(2100)) {
			t.Errorf("without the tax: %v", got.Sums)
		}
		if want := "Налог неизвестен у 4 из 5 отгрузок и возвратов: они учтены в выручке целиком."; !slices.Contains(managers.Notes, want) {
			t.Errorf("%q is not in %q", want, managers.Notes)
		}
	})
}

// Behind each figure lie as many records as it counts.
func TestDrill(t *testing.T) {
	inOffice(t, func(t *testing.T, o *office) {
		for _, day := range []store.Date{"2026-10-31", "2026-11-22"} {
			if _, err := o.Classify(t.Context(), store.DefaultClassification, day, time.UTC); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []struct{ name, query string }{
			{"contacts", "by=kind"}, {"contacts", "by=client,person"}, {"contacts", "by=manager,day"}, {"contacts", "by=week,state"}, {"contacts", "by=month&kind=call"}, {"contacts", "by=source,direction"},
			{"managers", ""}, {"managers", "by=manager,client"}, {"classification", "by=abc,relation"}, {"classification", "by=manager,stage"},
		} {
			table := o.table(t, o.olga, c.name, c.query)
			asked, _ := url.ParseQuery(c.query)
			followed := 0
			for i := range table.Rows {
				row := &table.Rows[i]
				for n := range table.Columns {
					column := &table.Columns[n]
					link := table.link(HTMLOptions{Request: asked}, row.selects(), n, row.Values[n])
					if column.Type != Count || column.NoSum || link == "" {
						continue
					}
					at, err := url.Parse(link)
					if err != nil {
						t.Fatal(err)
					}
					records := o.table(t, o.olga, at.Path[len(ReportPath):], at.RawQuery)
					if int64(len(records.Rows)) != row.Values[n].N {
						t.Errorf("%s?%s: %v %s counts %d, %s has %d", c.name, c.query, row.Path, column.Key, row.Values[n].N, link, len(records.Rows))
					}
					followed++
				}
			}
			if followed == 0 {
				t.Errorf("%s?%s: nothing to follow", c.name, c.query)
			}
		}
	})
}

func TestContacts_AnyGrouping(t *testing.T) {
	inOffice(t, func(t *testing.T, o *office) {
		want := o.table(t, o.olga, "contacts", "").Total
		if want[0].N != 3 || want[2].N != 20 {
			t.Errorf("three contacts, of which one is done and took 20 minutes: %+v", want)
		}
		for _, a := range contactsReport.groupings {
			for _, b := range contactsReport.groupings {
				by := a
				if a != b {
					by += "," + b
				}
				table := o.table(t, o.olga, "contacts", "by="+by)
				if !reflect.DeepEqual(table.Total, want) {
					t.Errorf("by %s: %+v, want %+v", by, table.Total, want)
				}
			}
		}
		for _, bad := range []string{"by=nothing", "by=kind,kind", "kind=letters", "manager=nobody", "period=soon", "from=2026-11-20&to=2026-11-01", "period=month&from=2026-11-01", "compare=future", "color=red"} {
			var wrong *Invalid
			if _, err := o.run(t, o.olga, "contacts", bad); !errors.As(err, &wrong) {
				t.Errorf("%s: %v", bad, err)
			}
		}
	})
}

// A form sends the fields that nobody filled in, too.
func TestRun_EmptyFields(t *testing.T) {
	inOffice(t, func(t *testing.T, o *office) {
		if _, err := o.Classify(t.Context(), store.DefaultClassification, "2026-11-22", time.UTC); err != nil {
			t.Fatal(err)
		}
		for name, fields := range map[string]string{"contacts": "compare=&kind=&by=&from=&to=", "managers": "compare=&relative=&client=", "classification": "relation=&abc=&manager="} {
			if got, want := o.table(t, o.olga, name, fields), o.table(t, o.olga, name, ""); !reflect.DeepEqual(got, want) {
				t.Errorf("%s?%s:\n%+v\nwithout them\n%+v", name, fields, got, want)
			}
		}
	})
}

// Letters in wait until any other done contact with the client; only the first
// that waits is measured, in working hours, and none counts after thirty days.
func TestResponses(t *testing.T) {
	moscow, err := time.LoadLocation("Europe/Moscow")
	if err != nil {
		t.Fatal(err)
	}
	at := func(day, clock string) time.Time {
		moment, err := time.ParseInLocation("2006-01-02 15:04", day+" "+clock, moscow)
		if err != nil {
			t.Fatal(err)
		}
		return moment
	}
	holidays := store.NewHolidays(store.RussianHolidays())
	for _, c := range []struct {
		from, to time.Time
		want     int64
	}{
		{at("2025-12-30", "17:30"), at("2026-01-12", "09:15"), 45},  // the long holidays
		{at("2024-12-27", "17:00"), at("2024-12-28", "10:00"), 120}, // a Saturday that is worked on
		{at("2026-11-03", "17:00"), at("2026-11-05", "10:00"), 120}, // a Wednesday that is not
		{at("2026-11-20", "17:00"), at("2026-11-23", "10:30"), 150}, // Friday's last hour and 90 minutes of Monday
		{at("2026-11-21", "12:00"), at("2026-11-22", "12:00"), 0},   // a weekend
		{at("2026-11-23", "08:00"), at("2026-11-23", "20:00"), 540},
		{at("2026-11-23", "20:00"), at("2026-11-23", "21:00"), 0},
	} {
		if got := store.OfficeHours.Minutes(c.from, c.to, moscow, holidays); got != c.want {
			t.Errorf("%v to %v: %d, want %d", c.from, c.to, got, c.want)
		}
	}
	g := store.ResponseGroup{Waits: []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}}
	for p, want := range map[float64]int64{0.5: 5, 0.9: 9, 1: 10, 0: 1} {
		if got, ok := g.Quantile(p); !ok || got != want {
			t.Errorf("quantile %v: %d, want %d", p, got, want)
		}
	}
}
