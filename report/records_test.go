package report

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"intouch/store"
	"intouch/store/storetest"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// now is a Monday, 10:00 in Moscow.
var now = time.Date(2026, 11, 23, 7, 0, 0, 0, time.UTC)

// office is a small company whose figures can be worked out by hand:
//
//	deal  client    manager  sum      shipped         paid     what comes next
//	d1    Ромашка   anna     1000.00  700.00          300.00   shipment of 10.11, of which 300.00 lack: overdue; so is the payment of 20.11
//	d2    Ромашка   anna      500.00  0               500.00   shipment on 30.11: current
//	d3    Лотос     ivan      200.00  200−50=150.00   0        shipment on 01.12, moved from 25.11
//	d4    Лотос     ivan      300.00  unknown         unknown  nothing: the order has no days
//	d5    Лотос     ivan      100.00 USD  0           0        nothing is planned
//	d6    Ромашка   anna      400.00  400.00          400.00   closed
//	d7    Ромашка   anna      900.00  0               0        cancelled
//
// Open are d1 to d5. In roubles: sums 1000+500+200+300 = 2000; shipped
// 700+0+150 = 850 and what d4 does not say; left to ship 300+500+50 = 850; paid
// 300+500+0 = 800; left to pay 700+0+200 = 900. In dollars: 100 ordered, left
// to ship and to pay.
type office struct {
	*store.Store
	olga, anna, ivan store.Manager
}

func inOffice(t *testing.T, fn func(*testing.T, *office)) {
	storetest.Each(t, store.Options{Now: func() time.Time { return now }, Currency: "RUB", Render: func(*store.EntryView) []byte { return nil }}, func(t *testing.T, st *store.Store) {
		fn(t, newOffice(t, st))
	})
}

func newOffice(t *testing.T, st *store.Store) *office {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := context.Background()
	o := &office{Store: st}
	for _, m := range []struct {
		into        *store.Manager
		login, role string
		name        string
	}{{&o.olga, "olga", "head", "Ольга"}, {&o.anna, "anna", "manager", "Анна"}, {&o.ivan, "ivan", "manager", "Иван"}} {
		var err error
		*m.into, _, err = st.SaveManager(ctx, store.Actor{}, store.ManagerRow{Name: m.name, Login: m.login, Role: m.role, TimeZone: "Europe/Moscow", Language: "ru", Emails: []string{m.login + "@vector.test"}})
		must(err)
	}
	rub := func(n int64) store.Money { return store.Money{Minor: n * 100, Currency: "RUB"} }
	import_ := func(fn func(im *store.Import) error) { t.Helper(); must(st.Import(ctx, store.Actor{}, false, fn)) }
	import_(func(im *store.Import) error {
		var faults []error
		row := func(_ store.RowChange, err error) { faults = append(faults, err) }
		row(im.Client(store.ClientRow{ID: "c1", Name: "Ромашка", Importance: "high", Manager: "anna", Attributes: map[string]string{"segment": "horeca"}}))
		row(im.Client(store.ClientRow{ID: "c2", Name: "=Лотос", Importance: "normal", Manager: "ivan"}))
		row(im.Person(store.PersonRow{ID: "p1", Client: "c1", Name: "Пётр Первый", Position: "Закупщик", Emails: []string{"petr@romashka.test", "p1@romashka.test"}, Phones: []string{"+7 495 000-00-01"}, Birthday: "1980-11-25"}))
		row(im.Person(store.PersonRow{ID: "p2", Client: "c1", Name: "Анна Вторая", Birthday: "1981-12-01"}))
		row(im.Person(store.PersonRow{ID: "p3", Client: "c2", Name: "Третий; с запятой, и"}))
		for _, d := range []struct {
			id, client string
			sum        int64
			ship, pay  store.Date
			status     string
		}{{"d1", "c1", 1000, "2026-11-10", "2026-11-20", ""}, {"d2", "c1", 500, "2026-11-30", "2026-11-01", ""}, {"d3", "c2", 200, "2026-11-25", "2026-12-10", ""},
			{"d6", "c1", 400, "", "", ""}, {"d7", "c1", 900, "2026-11-01", "2026-11-01", "cancelled"}} {
			row(im.Deal(store.DealRow{ID: d.id, Number: strings.ToUpper(d.id), Date: "2026-11-01", Client: d.client, Amount: rub(d.sum), ShipDue: d.ship, PayDue: d.pay, Status: d.status}))
		}
		row(im.Order(store.OrderRow{DealRow: store.DealRow{ID: "d4", Number: "D4", Date: "2026-11-02", Client: "c2", Amount: rub(300)}}))
		row(im.Deal(store.DealRow{ID: "d5", Number: "D5", Date: "2026-11-03", Client: "c2", Amount: store.Money{Minor: 100_00, Currency: "USD"}}))
		row(im.Line(store.LineRow{ID: "l1", Deal: "d1", Item: "Насос", Article: "N1", Quantity: "2,5", Unit: "шт", Amount: 600_00}))
		row(im.Line(store.LineRow{ID: "l2", Deal: "d1", Item: "Шланг", Quantity: "10", Unit: "м", Amount: 400_00}))
		for _, x := range []struct {
			id   string
			kind store.DocumentKind
			deal string
			sum  int64
			day  store.Date
		}{{"x1", store.ShipmentDoc, "d1", 700, "2026-11-10"}, {"x2", store.PaymentDoc, "d1", 100, "2026-11-05"}, {"x3", store.PaymentDoc, "d1", 200, "2026-11-12"},
			{"x4", store.PaymentDoc, "d2", 500, "2026-11-01"}, {"x5", store.ShipmentDoc, "d3", 200, "2026-11-02"}, {"x6", store.ReturnDoc, "d3", 50, "2026-11-03"},
			{"x7", store.ShipmentDoc, "d6", 400, "2026-11-02"}, {"x8", store.PaymentDoc, "d6", 400, "2026-11-02"}} {
			row(im.Document(store.DocumentRow{ID: x.id, Kind: x.kind, Number: strings.ToUpper(x.id), Date: x.day, Deal: x.deal, Amount: rub(x.sum)}))
		}
		row(im.Line(store.LineRow{ID: "l3", Document: "x1", Item: "Насос", Article: "N1", Quantity: "1.25", Unit: "шт"}))
		return errors.Join(faults...)
	})
	deals, err := gather(func(each func(*store.OpenDeal) error) error {
		return st.OpenDeals(ctx, store.DealSelection{Viewer: o.olga}, each)
	})
	must(err)
	for _, d := range deals {
		for _, e := range d.Events {
			if d.Deal.Number == "D3" && e.Kind == store.Shipment {
				day := store.Date("2026-12-01")
				_, err := st.EditEvent(ctx, store.Actor{ManagerID: o.ivan.ID}, e.ID, 0, store.EventEdit{Expected: &day})
				must(err)
			}
		}
	}
	client, err := st.RecordNamed(ctx, "client", 0, "c1")
	must(err)
	person, err := st.RecordNamed(ctx, "person", 0, "p1")
	must(err)
	deal, err := st.RecordNamed(ctx, "deal", 0, "d1")
	must(err)
	for _, c := range []store.ContactDraft{
		{Kind: store.Call, State: store.Planned, ClientID: client.ID, Subject: "Позвонить о долге", When: store.Span{Start: now.Add(-2 * time.Hour), End: now.Add(-time.Hour)}},
		{Kind: store.Meeting, State: store.Planned, ClientID: client.ID, Subject: "Встреча", When: store.Days("2026-11-24", "2026-11-24", time.UTC)},
		{Kind: store.Call, State: store.Done, ClientID: client.ID, Persons: []int64{person.ID}, DealID: deal.ID, Subject: "Обсудили", When: store.Span{Start: now.AddDate(0, 0, -3), End: now.AddDate(0, 0, -3).Add(20 * time.Minute)}},
	} {
		c.Importance = store.Normal
		_, err := st.PlanContact(ctx, store.Actor{ManagerID: o.anna.ID, Origin: store.FromWeb}, c)
		must(err)
	}
	return o
}

// run computes a report from parameters like "by=client&status=overdue".
func (o *office) run(t *testing.T, viewer store.Manager, name, query string) (*Table, error) {
	t.Helper()
	params, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	return Run(t.Context(), o.Store, Request{Name: name, Viewer: viewer, Now: now, Currency: "RUB", Params: params, People: true})
}

func (o *office) table(t *testing.T, viewer store.Manager, name, query string) *Table {
	t.Helper()
	table, err := o.run(t, viewer, name, query)
	if err != nil {
		t.Fatalf("%s?%s: %v", name, query, err)
	}
	return table
}

// totalOf is a value of the total row.
func totalOf(t *testing.T, table *Table, column string) Value {
	t.Helper()
	return table.Total[columnOf(t, table, column)]
}

func columnOf(t *testing.T, table *Table, key string) int {
	t.Helper()
	at := slices.IndexFunc(table.Columns, func(c Column) bool { return c.Key == key })
	if at < 0 {
		t.Fatalf("no column %q", key)
	}
	return at
}

func sumsOf(rub, usd int64) []store.Money {
	return []store.Money{{Minor: rub * 100, Currency: "RUB"}, {Minor: usd * 100, Currency: "USD"}}
}

func TestOpenDeals(t *testing.T) {
	inOffice(t, func(t *testing.T, o *office) {
		table := o.table(t, o.olga, "open-deals", "")
		for _, want := range []struct {
			column  string
			sums    []store.Money
			unknown bool
		}{{"sum", sumsOf(2000, 100), false}, {"shipped", sumsOf(850, 0)[:1], true}, {"left to ship", sumsOf(850, 100), true},
			{"paid", sumsOf(800, 0)[:1], true}, {"left to pay", sumsOf(900, 100), true}} {
			got := totalOf(t, table, want.column)
			if !reflect.DeepEqual(got.Sums, want.sums) || got.Unknown != want.unknown {
				t.Errorf("%s: %v unknown %v, want %v", want.column, got.Sums, got.Unknown, want)
			}
		}
		if n := totalOf(t, table, "deals").N; n != 5 {
			t.Errorf("%d deals", n)
		}
		// By the client's manager: anna has d1 and d2, whatever the filter says.
		if n := totalOf(t, o.table(t, o.anna, "open-deals", ""), "deals").N; n != 2 {
			t.Errorf("anna sees %d deals", n)
		}
		if table := o.table(t, o.anna, "open-deals", "client=c2"); len(table.Rows) != 0 || table.Total != nil || len(table.Notes) == 0 {
			t.Errorf("anna sees another's: %+v", table.Rows)
		}
		if _, err := o.run(t, o.anna, "open-deals", "manager=ivan"); err == nil {
			t.Error("anna may ask for ivan's")
		}
		for query, want := range map[string]string{"status=overdue": "№ D1", "status=current": "№ D2,№ D3", "status=none": "№ D4,№ D5", "month=2026-12-15": "№ D3",
			"day=2026-11-30": "№ D2", "month=none": "№ D4,№ D5", "importance=high": "№ D1,№ D2", "client=c2&type=shipment": "№ D3", "abc=A": "", "manager=ivan&week=2026-12-02": "№ D3"} {
			if got := leaves(o.table(t, o.olga, "open-deals", query+"&rows=1")); got != want {
				t.Errorf("%s: %q, want %q", query, got, want)
			}
		}
	})
}

// leaves are the titles of the records.
func leaves(table *Table) string {
	var all []string
	for _, row := range table.Rows {
		if row.Leaf {
			all = append(all, strings.ReplaceAll(row.Path[len(row.Path)-1].Text, "\u00a0", " "))
		}
	}
	return strings.Join(all, ",")
}

func TestTotals_AnyGrouping(t *testing.T) {
	inOffice(t, func(t *testing.T, o *office) {
		for _, r := range []report{openDealsReport, calendarReport, personsReport} {
			want := o.table(t, o.olga, r.name, "")
			groupings := append([]string{}, r.groupings...)
			for i, g := range r.groupings {
				groupings = append(groupings, r.groupings[(i+1)%len(r.groupings)]+","+g)
			}
			for _, by := range groupings {
				table := o.table(t, o.olga, r.name, "by="+by)
				if !reflect.DeepEqual(table.Total, want.Total) {
					t.Errorf("%s by %s: total %v, want %v", r.name, by, table.Total, want.Total)
				}
				var sum []Value
				for i := range table.Rows {
					row := &table.Rows[i]
					if row.Leaf {
						sum = add(sum, row.Values)
					}
					if row.Leaf || len(row.Path) != strings.Count(by, ",")+1 || row.Values[0].N == 0 {
						continue
					}
					// Behind a group's count lie so many records.
					asked, _ := url.ParseQuery("by=" + by)
					records := o.table(t, o.olga, r.name, drill(asked, row.selects(), table.Columns[0].Behind).Encode())
					if n := strings.Count(leaves(records), ",") + 1; r.name != "persons" && int64(n) != row.Values[0].N || int64(len(records.Rows)) != row.Values[0].N {
						t.Errorf("%s by %s: %v counts %d, behind it are %q", r.name, by, row.Path, row.Values[0].N, leaves(records))
					}
				}
				for i, c := range table.Columns {
					if (c.Type == Count || c.Type == Sum) && !c.NoSum && (table.Total[i].N != sum[i].N || !reflect.DeepEqual(table.Total[i].Sums, sum[i].Sums)) {
						t.Errorf("%s by %s: %s is %v, its rows %v", r.name, by, c.Key, table.Total[i], sum[i])
					}
				}
			}
		}
	})
}

func TestCalendar(t *testing.T) {
	inOffice(t, func(t *testing.T, o *office) {
		for query, want := range map[string]string{
			// d1's shipment and payment; d2's shipment; the call that has passed; the
			// meeting. What is done, or a cancelled deal's, is not there; d3's shipment
			// was moved to December.
			"period=2026-11":                "№ D1,№ D1,Позвонить о долге,Встреча,№ D2",
			"period=2026-12":                "№ D3,№ D3",
			"period=2026-11&status=done":    "№ D2,Обсудили",
			"from=2026-11-24&to=2026-11-24": "Встреча",
			"period=2026-11&type=payment":   "№ D1",
			"period=2026-11&kind=call":      "Позвонить о долге",
			"period=2026-10":                "",
			"period=2026-11&day=2026-11-23": "Позвонить о долге",
		} {
			if got := leaves(o.table(t, o.olga, "calendar", query+"&rows=1")); !slices.Equal(sorted(got), sorted(want)) {
				t.Errorf("%s: %q, want %q", query, got, want)
			}
		}
		if got := leaves(o.table(t, o.ivan, "calendar", "period=2026-11")); got != "" {
			t.Errorf("ivan sees %q", got)
		}
		// December has the two of d3, November five others; the records are those of
		// December alone. What only November has keeps its group.
		december := o.table(t, o.olga, "calendar", "period=2026-12&by=type&compare=previous")
		if got := leaves(december); got != "№ D3,№ D3" {
			t.Errorf("compared: %q", got)
		}
		groups := map[string]string{}
		for _, row := range append(december.Rows, Row{Path: []Value{text("total")}, Values: december.Total}) {
			if !row.Leaf {
				of := func(key string) string {
					at := columnOf(t, december, key)
					return december.Said(at, row.Values[at])
				}
				groups[row.Path[0].Text] = of("items") + " " + of("items previous") + " " + of("items previous change")
			}
		}
		if want := map[string]string{"Контакт": "0 2 −2", "Отгрузка": "1 2 −1", "Оплата": "1 1 0", "total": "2 5 −3"}; !maps.Equal(groups, want) {
			t.Errorf("compared: %v, want %v", groups, want)
		}
		var wrong *Invalid
		for _, bad := range []string{"by=week&compare=year", "day=2026-11-23&compare=previous"} {
			if _, err := o.run(t, o.olga, "calendar", bad); !errors.As(err, &wrong) {
				t.Errorf("%s: %v", bad, err)
			}
		}
	})
}

func sorted(list string) []string {
	all := strings.Split(list, ",")
	slices.Sort(all)
	return all
}

func TestPersons(t *testing.T) {
	inOffice(t, func(t *testing.T, o *office) {
		for query, want := range map[string]string{
			"birthday=3":                    "Пётр Первый", // 25 November: today and two days
			"birthday=2":                    "",
			"birthday=9":                    "Анна Вторая,Пётр Первый", // 1 December
			"before=2026-11-21":             "Третий; с запятой, и,Анна Вторая,Пётр Первый",
			"before=2026-11-20":             "Третий; с запятой, и,Анна Вторая",
			"attribute=segment%3Dhoreca":    "Анна Вторая,Пётр Первый",
			"attribute=segment%3Dother":     "",
			"importance=normal":             "Третий; с запятой, и",
			"stage=none&client=c2&xyz=none": "Третий; с запятой, и",
			"person=p2":                     "Анна Вторая",
		} {
			if got := leaves(o.table(t, o.olga, "persons", query)); got != want {
				t.Errorf("%s: %q, want %q", query, got, want)
			}
		}
		if got := leaves(o.table(t, o.ivan, "persons", "")); got != "Третий; с запятой, и" {
			t.Errorf("ivan sees %q", got)
		}
		var card bytes.Buffer
		if err := o.table(t, o.olga, "persons", "person=p1").WriteVCard(&card); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"BEGIN:VCARD\r\nVERSION:4.0\r\n", "FN:Пётр Первый\r\n", "EMAIL:petr@romashka.test\r\nEMAIL:p1@romashka.test\r\n", "BDAY:19801125\r\n", "ORG:Ромашка\r\n"} {
			if !strings.Contains(card.String(), want) {
				t.Errorf("no %q in %s", want, card.String())
			}
		}
	})
}

func TestDeal_Analysis(t *testing.T) {
	inOffice(t, func(t *testing.T, o *office) {
		sum := func(table *Table) (out []string) {
			for _, row := range table.Rows {
				out = append(out, row.Values[0].Text+" "+(voice{store.English}).show(Sum, row.Values[1], time.UTC))
			}
			return out
		}
		// d1: 1000 ordered, 700 shipped on the 10th, 100 paid before it and 200 after;
		// the debt is 700 − 300 = 400, and 700 of the payment are overdue, so all of
		// the 400 is. No payment was expected before the shipment. The client's
		// balance: 700 − 300 of d1, − 500 of d2, 0 of d6 = −100.
		want := []string{"Заказано ₽1,000.00", "Отгружено ₽700.00", "Осталось отгрузить ₽300.00", "К оплате ₽1,000.00", "Оплачено ₽300.00", "Осталось оплатить ₽700.00",
			"Предоплата: требуется ₽0.00", "Предоплата: получена ₽100.00", "Долг ₽400.00", "в том числе допустимый ₽0.00", "в том числе просроченный ₽400.00", "Баланс клиента −₽100.00"}
		table := o.table(t, o.anna, "deal", "deal=d1")
		if got := sum(table); !reflect.DeepEqual(got, want) {
			t.Errorf("%q\nwant %q", got, want)
		}
		var lines []string
		for _, section := range table.Sections {
			if section.Name == "lines" {
				for _, row := range section.Rows {
					lines = append(lines, fmt.Sprint(row.Values[0].Text, row.Values[3:]))
				}
			}
		}
		if want := []string{"Насос[{2.5} {1.25} {1.25}]", "Шланг[{10} {0} {10}]"}; len(lines) != 2 ||
			!strings.Contains(lines[0], "{2.5 ") || !strings.Contains(lines[0], "{1.25 ") || !strings.Contains(lines[1], "{10 ") || !strings.Contains(lines[1], "{0 ") {
			t.Errorf("lines %q, want %q", lines, want)
		}
		for _, query := range []string{"", "deal=none", "deal=d3", "deal=nope", "deal=d1&deal=d2", "deal=d1&by=client", "deal=d1&period=month"} {
			var wrong *Invalid
			if _, err := o.run(t, o.anna, "deal", query); !errors.As(err, &wrong) {
				t.Errorf("%q: %v", query, err)
			}
		}
		// What the order does not say is unknown, not zero.
		for _, row := range o.table(t, o.olga, "deal", "deal=d4").Rows {
			known := row.Values[0].Text == "Заказано" || row.Values[0].Text == "К оплате" || row.Values[0].Text == "Баланс клиента"
			if row.Values[1].Unknown == known {
				t.Errorf("%s: unknown %v", row.Values[0].Text, row.Values[1].Unknown)
			}
		}
	})
}

// asking is a request for a report.
type asking struct{ name, query string }

// eight asks for each of the reports.
func eight() []asking {
	return []asking{{"calendar", "period=2026-11&by=type"}, {"open-deals", "by=manager,status"}, {"deal", "deal=d1"}, {"contacts", "by=manager,client,kind"},
		{"sources", "period=2026-11&by=campaign,source,client"}, {"managers", "period=2026-11"}, {"classification", "period=2026-11&by=abc,manager"}, {"persons", ""}}
}

// TestRenderings holds every rendering of every report in both languages to a
// golden file; both engines give the same. What the figures must be is worked
// out in the other tests of the office.
func TestRenderings(t *testing.T) {
	inOffice(t, func(t *testing.T, o *office) {
		// Ромашка owes 1100 then: its balance of −100 and the 1200. Of its revenue of
		// 1100 + 1000 in November only the cost of the 1000 is known: 600. So the
		// profit is 400 and what nobody knows, less the campaign's 3000: −2600.
		sold(t, o)
		for _, day := range []store.Date{"2026-10-31", "2026-11-22"} {
			if _, err := o.Classify(t.Context(), store.DefaultClassification, day, time.UTC); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range eight() {
			for _, lang := range []store.Language{store.Russian, store.English} {
				viewer, name := o.olga, c.name
				if viewer.Language = lang; lang == store.English {
					name += ".en"
				}
				table := o.table(t, viewer, c.name, c.query)
				for extension, write := range map[string]func(*bytes.Buffer) error{
					"txt":       func(b *bytes.Buffer) error { return table.WriteText(b) },
					"page.html": func(b *bytes.Buffer) error { return table.WriteHTML(b, HTMLOptions{For: Page, Request: url.Values{}}) },
					"mail.html": func(b *bytes.Buffer) error {
						return table.WriteHTML(b, HTMLOptions{For: Mail, Base: "https://crm.vector.test"})
					},
					"csv":      func(b *bytes.Buffer) error { return table.WriteCSV(b, true) },
					"json":     func(b *bytes.Buffer) error { return table.WriteJSON(b) },
					"xlsx.txt": func(b *bytes.Buffer) error { return cells(table, b) },
				} {
					var b bytes.Buffer
					if err := write(&b); err != nil {
						t.Fatalf("%s.%s: %v", name, extension, err)
					}
					golden(t, name+"."+extension, b.Bytes())
				}
			}
		}
	})
}

// cells writes what a spreadsheet program reads from the XLSX.
func cells(table *Table, to *bytes.Buffer) error {
	var b bytes.Buffer
	if err := table.WriteXLSX(&b); err != nil {
		return err
	}
	f, err := excelize.OpenReader(&b)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, sheet := range f.GetSheetList() {
		fmt.Fprintf(to, "[%s]\n", sheet)
		rows, err := f.GetRows(sheet)
		if err != nil {
			return err
		}
		for n, row := range rows {
			for i := range row {
				name, err := excelize.CoordinatesToCellName(i+1, n+1)
				if err != nil {
					return err
				}
				if formula, err := f.GetCellFormula(sheet, name); err == nil && formula != "" {
					row[i] = "=" + formula
				}
			}
			fmt.Fprintln(to, strings.Join(row, "\t"))
		}
	}
	return nil
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (-update writes it anew):\n%s", name, got)
	}
}
