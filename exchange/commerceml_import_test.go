package exchange

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"intouch/store"
	"intouch/store/storetest"
)

func importCML(t testing.TB, st *store.Store, text string, change ...func(*CommerceMLOptions)) CommerceMLSummary {
	t.Helper()
	opt := CommerceMLOptions{Name: "1c.xml", Actor: store.Actor{Origin: store.FromImport}, Currency: "RUB"}
	for _, c := range change {
		c(&opt)
	}
	sum, err := ImportCommerceML(t.Context(), st, opt, strings.NewReader(text))
	if err != nil {
		t.Fatalf("import: %v", err)
	}
	return sum
}

func sample(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// cml is a file of schema 2 that was made on a day of November 2026.
func cml(day int, papers ...string) string {
	return fmt.Sprintf(`<КоммерческаяИнформация ВерсияСхемы="2.08" ДатаФормирования="2026-11-%02dT08:00:00">%s</КоммерческаяИнформация>`, day, strings.Join(papers, "\n"))
}

const testClient = `<Контрагенты><Контрагент><Ид>c-1</Ид><Наименование>Ромашка</Наименование><Роль>Покупатель</Роль><ИНН>7701234567</ИНН></Контрагент></Контрагенты>`

// cmlOrder is an order o-1 of 100 RUB; more is put into it.
func cmlOrder(more string) string {
	return `<Документ><Ид>o-1</Ид><Номер>5</Номер><Дата>2026-11-02</Дата><ХозОперация>Заказ товара</ХозОперация><Роль>Продавец</Роль><Валюта>RUB</Валюта>` +
		`<Сумма>100</Сумма><СрокПлатежа>2026-11-10</СрокПлатежа>` + testClient + more + `</Документ>`
}

// requisites are pairs of names and values.
func requisites(pairs ...string) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		fmt.Fprintf(&b, "<ЗначениеРеквизита><Наименование>%s</Наименование><Значение>%s</Значение></ЗначениеРеквизита>", pairs[i], pairs[i+1])
	}
	return "<ЗначенияРеквизитов>" + b.String() + "</ЗначенияРеквизитов>"
}

// dealEvents says of a deal what is expected and whether it is known that it
// happened.
func dealEvents(t testing.TB, st *store.Store, number string) string {
	t.Helper()
	for id := int64(1); id < 20; id++ {
		card, err := st.Deal(t.Context(), store.Manager{Role: store.RoleHead}, id)
		if err != nil || card.Deal.Number != number {
			continue
		}
		var out []string
		for _, e := range card.Events {
			out = append(out, fmt.Sprintf("%s %s %d/%d %s known=%v", e.Kind, e.Due, e.Covered, e.Amount, e.State, e.Known))
		}
		return strings.Join(out, "; ")
	}
	t.Fatalf("no deal %s", number)
	return ""
}

func TestCommerceML_Samples(t *testing.T) {
	each(t, func(t *testing.T, st *store.Store) {
		if _, err := Import(t.Context(), st, options(Managers), strings.NewReader("id,name,login\nm1,Анна Орлова,anna\n")); err != nil {
			t.Fatal(err)
		}
		names := []string{"commerceml-2.05-utf8.xml", "commerceml-2.10-1251.xml", "commerceml-3.1-utf8.xml"}
		want := map[string]string{
			names[0]: "clients 2 0 0 0, orders 2 0 0 0, documents 0 0 0 0",
			names[1]: "clients 1 0 0 0, orders 4 0 0 0, documents 0 0 0 0",
			names[2]: "clients 0 1 0 0, orders 1 0 0 0, documents 3 0 1 0",
		}
		again := map[string]string{
			names[0]: "clients 0 0 2 0, orders 0 0 2 0, documents 0 0 0 0",
			names[1]: "clients 0 0 1 0, orders 0 0 4 0, documents 0 0 0 0",
			names[2]: "clients 0 0 1 0, orders 0 0 1 0, documents 0 0 4 0",
		}
		// The client of the third file says less than the first one did, and in
		// a later file: nothing of it is new.
		want[names[2]] = "clients 0 0 1 0, orders 1 0 0 0, documents 3 0 1 0"
		for _, name := range names {
			sum := importCML(t, st, sample(t, name))
			if got := tally(sum); got != want[name] {
				t.Errorf("%s: %s, want %s", name, got, want[name])
			}
			if name == names[1] && sum.LeftOut["Передача товара на комиссию"] != 1 { // of nobody
				t.Errorf("left out: %v", sum.LeftOut)
			}
			if kept := map[string]int{names[2]: 1}[name]; sum.Kept() != kept || sum.Refused() != 0 {
				t.Errorf("%s: kept apart %d, want %d; refused %v", name, sum.Kept(), kept, sum.Faults)
			}
		}
		if diff := cmp.Diff([]string{
			"deal order-4, taken: the sum is ₽900.00, but the lines make ₽600.00 (1c.xml:12)",
			`document pay-9: there is no deal "order-unknown" (1c.xml:11)`,
		}, questions(t, st)); diff != "" {
			t.Errorf("questions (-want +got):\n%s", diff)
		}
		first := exportAll(t, st, JSONL)
		for _, name := range names {
			if got := tally(importCML(t, st, sample(t, name))); name != names[0] && got != again[name] {
				t.Errorf("%s again: %s, want %s", name, got, again[name])
			}
		}
		if diff := cmp.Diff(first, exportAll(t, st, JSONL)); diff != "" {
			t.Errorf("the second import changed something (-want +got):\n%s", diff)
		}
		for kind, lines := range map[Kind][]string{
			Clients: {`"id":"client-romashka","name":"Ромашка"`, `"emails":["zakaz@romashka.test"],"phones":["8 495 123-45-67, доб. 105"]`, `"ИНН":"7701234567"`, `"КПП":"770101001"`,
				`"Официальное наименование":"ООО \"Ромашка\""`, `"Юридический адрес":"Москва, ул. Примерная, 1"`, `"Прочие контакты":"Прочее: звонить после 10"`},
			Persons: {`"id":"person-ivanova","client":"client-romashka","name":"Иванова Мария"`, `ivanova@romashka.test`},
			Deals: {`"id":"order-1","number":"УТ-000017","date":"2026-11-18","client":"client-romashka"`, `118000.00`, `"status":"Принят"`, `"manager":"m1"`, `1200.50`, `"currency":"USD"`,
				`"id":"order-6"`, `"status":"cancelled"`},
			Documents: {`"id":"order-1/payment","kind":"payment","number":"ПП-9","date":"2026-11-19"`, `"id":"order-3/shipment","kind":"shipment","number":"РН-4","date":"2026-11-21"`,
				`"id":"pay-1","kind":"payment","number":"ПП-1","date":"2026-11-11","deal":"order-7"`, `"id":"pay-2"`, `"id":"ship-1"`},
			Lines: {`"id":"order-7/good-1"`, `"id":"order-7/good-1/2"`, `"unit":"шт"`, `"article":"A-1"`},
		} {
			for _, part := range lines {
				if !strings.Contains(first[kind], part) {
					t.Errorf("%s lack %s:\n%s", kind, part, first[kind])
				}
			}
		}
		for _, absent := range []string{"pay-3", "pay-9", "order-2/"} {
			if strings.Contains(first[Documents]+first[Deals], absent) {
				t.Errorf("%s is there", absent)
			}
		}
		for number, want := range map[string]string{
			"УТ-000017": "payment 2026-12-01 11800000/11800000 done known=true",
			"18":        "payment 2026-11-20 0/50000 planned known=false", // "0" and "T" say nothing
			"19":        "shipment 2026-11-25 120050/120050 done known=true",
			"УТ-000023": "payment 2026-11-15 50000/100000 planned known=true",
		} {
			if got := dealEvents(t, st, number); got != want {
				t.Errorf("events of %s: %s, want %s", number, got, want)
			}
		}
	})
}

func tally(sum CommerceMLSummary) string {
	one := func(s Summary) string { return fmt.Sprint(s.New, s.Changed, s.Unchanged, s.Refused) }
	return "clients " + one(sum.Clients) + ", orders " + one(sum.Orders) + ", documents " + one(sum.Documents)
}

// The newest state of an order stays, whichever file comes first.
func TestCommerceML_NewestWins(t *testing.T) {
	goods := func(names ...string) string {
		var b strings.Builder
		for _, n := range names {
			fmt.Fprintf(&b, "<Товар><Ид>%s</Ид><Наименование>%s</Наименование><Сумма>%d</Сумма></Товар>", n, n, 100/len(names))
		}
		return "<Товары>" + b.String() + "</Товары>"
	}
	for name, files := range map[string][2]string{ // older, newer
		"by the file's time":        {cml(3, cmlOrder(goods("a", "b"))), cml(4, cmlOrder(goods("b")+requisites("Номер оплаты по 1С", "7", "Дата оплаты по 1С", "2026-11-04")))},
		"by the version":            {cml(4, cmlOrder("<НомерВерсии>9</НомерВерсии>"+goods("a"))), cml(3, cmlOrder("<НомерВерсии>10</НомерВерсии>"+goods("b", "c")))},
		"by 1C's version in base64": {cml(4, cmlOrder("<НомерВерсии>AAAAAAAAAP8=</НомерВерсии>"+goods("a"))), cml(3, cmlOrder("<НомерВерсии>AAAAAAAAAQA=</НомерВерсии>"+goods("b")))},
		"cancelled":                 {cml(3, cmlOrder(goods("a"))), cml(4, cmlOrder(goods("a")+requisites("Отменен", "Да")))},
		"no longer paid": {cml(3, cmlOrder(goods("a")+requisites("Номер оплаты по 1С", "7", "Дата оплаты по 1С", "2026-11-03"))),
			cml(4, cmlOrder(goods("a")+requisites("Оплачен", "false")))},
	} {
		t.Run(name, func(t *testing.T) {
			var want map[Kind]string // on each engine the same
			each(t, func(t *testing.T, st *store.Store) {
				importCML(t, st, files[1])
				want = exportAll(t, st, JSONL)
				if sum := importCML(t, st, files[0]); sum.Older != 1 || sum.Orders.Unchanged != 1 {
					t.Errorf("the older file: %+v", sum)
				}
				if diff := cmp.Diff(want, exportAll(t, st, JSONL)); diff != "" {
					t.Errorf("the older file changed something (-want +got):\n%s", diff)
				}
			})
			each(t, func(t *testing.T, st *store.Store) {
				importCML(t, st, files[0])
				if sum := importCML(t, st, files[1]); sum.Orders.Changed != 1 {
					t.Errorf("the newer file: %+v", sum)
				}
				if diff := cmp.Diff(want, exportAll(t, st, JSONL)); diff != "" {
					t.Errorf("the order of the files matters (-first +second):\n%s", diff)
				}
			})
		})
	}
}

// What an order says no more is unknown; what it denies is taken back.
func TestCommerceML_UnknownIsNotFalse(t *testing.T) {
	paid := requisites("Номер оплаты по 1C", "7", "Дата оплаты по 1C", "2026-11-04") // the Latin C happens
	each(t, func(t *testing.T, st *store.Store) {
		for _, step := range []struct{ order, want string }{
			{cmlOrder(""), "payment 2026-11-10 0/10000 planned known=false"},
			{cmlOrder(requisites("Номер оплаты по 1С", "0", "Дата оплаты по 1С", "2026-11-04")), "payment 2026-11-10 0/10000 planned known=false"},
			{cmlOrder(requisites("Оплачен", "true")), "payment 2026-11-10 0/10000 planned known=false"},
			{cmlOrder(paid), "payment 2026-11-10 10000/10000 done known=true"},
			{cmlOrder(""), "payment 2026-11-10 10000/10000 done known=true"},
			{cmlOrder(requisites("Оплачен", "false")), "payment 2026-11-10 0/10000 planned known=true"},
			{cmlOrder(requisites("Отгружен", "нет")), "payment 2026-11-10 0/10000 planned known=true"},
		} {
			importCML(t, st, cml(3, step.order))
			if got := dealEvents(t, st, "5"); got != step.want {
				t.Errorf("after %s: %s, want %s", step.order, got, step.want)
			}
		}
	})
}

// What the newest file says of a client stays; what only an older one says is
// added, in whatever order they come.
func TestCommerceML_OlderClientFills(t *testing.T) {
	thin := strings.Replace(cml(4, cmlOrder("")), "Ромашка", "Ромашка Плюс", 1)
	full := strings.Replace(cml(3, cmlOrder("")), "<ИНН>", `<КПП>770101001</КПП><Контакты><Контакт><Тип>Почта</Тип><Значение>a@romashka.test</Значение></Контакт></Контакты>`+
		`<Представители><Представитель><Контрагент><Ид>p-1</Ид><Наименование>Иванова</Наименование></Контрагент></Представитель></Представители><ИНН>`, 1)
	var first map[Kind]string
	for _, files := range [][]string{{thin, full}, {full, thin}, {thin, full, thin, full}} {
		each(t, func(t *testing.T, st *store.Store) {
			for _, file := range files {
				importCML(t, st, file)
			}
			got := exportAll(t, st, JSONL)
			if first == nil {
				first = got
			}
			if diff := cmp.Diff(first, got); diff != "" {
				t.Errorf("the order of the files matters (-first +got):\n%s", diff)
			}
		})
	}
	for kind, part := range map[Kind]string{Clients: `"name":"Ромашка Плюс"`, Persons: "Иванова"} {
		if !strings.Contains(first[kind], part) {
			t.Errorf("%s lack %s: %s", kind, part, first[kind])
		}
	}
	if !strings.Contains(first[Clients], "a@romashka.test") || !strings.Contains(first[Clients], "770101001") {
		t.Errorf("clients: %s", first[Clients])
	}
}

// A deletion mark needs nothing but the key, and holds against older files.
func TestCommerceML_Deleted(t *testing.T) {
	each(t, func(t *testing.T, st *store.Store) {
		importCML(t, st, cml(5, `<Документ><Ид>o-1</Ид><ХозОперация>Заказ товара</ХозОперация><ПометкаУдаления>true</ПометкаУдаления></Документ>`))
		if sum := importCML(t, st, cml(4, cmlOrder(""))); sum.Older != 1 {
			t.Errorf("the older file: %+v", sum)
		}
		if got := export(t, st, ExportOptions{Kind: Deals, Format: JSONL}); got != "" {
			t.Errorf("deals: %s", got)
		}
		importCML(t, st, cml(6, cmlOrder("")))
		payment := `<Документ><Ид>p-1</Ид><Номер>1</Номер><Дата>2026-11-06</Дата><ХозОперация>Выплата безналичных денег</ХозОперация><Основание>o-1</Основание><Сумма>40</Сумма>%s</Документ>`
		importCML(t, st, cml(6, fmt.Sprintf(payment, "")))
		if got, want := dealEvents(t, st, "5"), "payment 2026-11-10 4000/10000 planned known=false"; got != want {
			t.Errorf("paid: %s, want %s", got, want)
		}
		if sum := importCML(t, st, cml(7, fmt.Sprintf(payment, requisites("ПометкаУдаления", "true")))); sum.Documents.Changed != 1 {
			t.Errorf("deletion: %+v", sum)
		}
		if got, want := dealEvents(t, st, "5"), "payment 2026-11-10 0/10000 planned known=false"; got != want {
			t.Errorf("not paid: %s, want %s", got, want)
		}
		if got := export(t, st, ExportOptions{Kind: Documents, Format: JSONL}); got != "" {
			t.Errorf("documents: %s", got)
		}
	})
}

// A client of a spreadsheet is the one of 1C that has its INN; what it has
// stays, what it lacks comes.
func TestCommerceML_ClientByINN(t *testing.T) {
	each(t, func(t *testing.T, st *store.Store) {
		importText(t, st, Clients, "id,name,emails,ИНН,Адрес\nC-15,Наша Ромашка,old@romashka.test,7701234567,Тверь\n")
		text := strings.Replace(cml(3, cmlOrder("")), "<ИНН>", `<Адрес><Представление>Москва</Представление></Адрес><КПП>770101001</КПП>`+
			`<Контакты><Контакт><Тип>Электронная почта</Тип><Значение>new@romashka.test, not@</Значение></Контакт></Контакты><ИНН>`, 1)
		for _, want := range []string{"clients 0 1 0 0, orders 1 0 0 0, documents 0 0 0 0", "clients 0 0 1 0, orders 0 0 1 0, documents 0 0 0 0"} {
			if got := tally(importCML(t, st, text)); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
		got := export(t, st, ExportOptions{Kind: Clients, Format: JSONL})
		for _, part := range []string{`"id":"C-15","name":"Наша Ромашка"`, `"emails":["old@romashka.test","new@romashka.test"]`, `"Адрес":"Тверь"`, `"КПП":"770101001"`, `"Прочие контакты":"not@"`} {
			if !strings.Contains(got, part) || strings.Count(got, "\n") != 1 {
				t.Errorf("clients lack %s:\n%s", part, got)
			}
		}
	})
}

func TestCommerceML_DryRunChangesNothing(t *testing.T) {
	each(t, func(t *testing.T, st *store.Store) {
		sum := importCML(t, st, sample(t, "commerceml-3.1-utf8.xml"), func(o *CommerceMLOptions) { o.DryRun = true })
		if got, want := tally(sum), "clients 1 0 0 0, orders 1 0 0 0, documents 3 0 1 0"; got != want || sum.Kept() != 1 {
			t.Errorf("%s and %d kept, want %s and 1", got, sum.Kept(), want)
		}
		for kind, text := range exportAll(t, st, JSONL) {
			if text != "" {
				t.Errorf("%s after a dry run: %s", kind, text)
			}
		}
	})
}

// A file of several transactions is counted as in a dry run.
func TestCommerceML_DryRunOfLongFile(t *testing.T) {
	st := storetest.SQLite(t, testStore)
	for _, dry := range []bool{true, false} {
		sum, err := ImportCommerceML(t.Context(), st, CommerceMLOptions{DryRun: dry, Actor: store.Actor{Origin: store.FromImport}}, manyOrders(1500, 10))
		if got, want := tally(sum), "clients 10 0 0 0, orders 1500 0 0 0, documents 3000 0 0 0"; got != want || err != nil {
			t.Errorf("dry %v: %s, want %s, error %v", dry, got, want, err)
		}
	}
}

// The refused papers, mended, come in.
func TestCommerceML_RefusedAgain(t *testing.T) {
	each(t, func(t *testing.T, st *store.Store) {
		var file bytes.Buffer
		refused := NewRefusedPapers(&file)
		bad := cml(3, cmlOrder(""), strings.NewReplacer("o-1", "o-2", "2026-11-02", "2026-13-32").Replace(cmlOrder("")))
		importCML(t, st, bad, func(o *CommerceMLOptions) { o.Refused = refused })
		if err := refused.Close(); err != nil {
			t.Fatal(err)
		}
		text := file.String()
		for _, part := range []string{`<!-- line 2 (o-2): Дата: "2026-13-32" is not a date like 2026-11-23 -->`, `ДатаФормирования="2026-11-03T08:00:00"`} {
			if !strings.Contains(text, part) {
				t.Errorf("the file lacks %s:\n%s", part, text)
			}
		}
		if got, want := tally(importCML(t, st, strings.ReplaceAll(text, "13-32", "12-30"))), "clients 0 0 1 0, orders 1 0 0 0, documents 0 0 0 0"; got != want {
			t.Errorf("mended: %s, want %s", got, want)
		}
	})
}

// A broken file leaves whole transactions and is told with its line.
func TestCommerceML_BrokenFile(t *testing.T) {
	each(t, func(t *testing.T, st *store.Store) {
		half := strings.TrimSuffix(cml(3, cmlOrder("")), "</Документ></КоммерческаяИнформация>")
		_, err := ImportCommerceML(t.Context(), st, CommerceMLOptions{Name: "1c.xml"}, strings.NewReader(half))
		if err == nil || !strings.Contains(err.Error(), "1c.xml: line 1: the XML is broken: unexpected EOF") {
			t.Errorf("error %v", err)
		}
		if got := export(t, st, ExportOptions{Kind: Clients, Format: JSONL}); got != "" {
			t.Errorf("clients: %s", got)
		}
	})
}
