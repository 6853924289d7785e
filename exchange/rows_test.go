package exchange

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"intouch/store"
)

// value is what a row of that kind means.
func (f *fields) value() any {
	switch f.rows.kind {
	case Managers:
		return f.manager()
	case Rates:
		return f.rate()
	case Contacts:
		return f.contact()
	case Clients:
		return f.client()
	case Persons:
		return f.person()
	case Sources:
		return f.source()
	case Deals:
		return f.deal()
	case Events:
		return f.event()
	case Lines:
		return f.line()
	}
	return f.document()
}

// readAll reads a file into the store's rows and its faults, "line: fault".
func readAll(t testing.TB, kind Kind, r io.Reader) (got []any, faults []string, rs *rows) {
	t.Helper()
	rs, err := openRows(kind, r)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	for {
		one, err := rs.next()
		if errors.Is(err, io.EOF) {
			return got, faults, rs
		}
		if err != nil {
			t.Fatalf("next: %v", err)
		}
		f := fields{rows: rs, row: one, currency: "RUB", fault: one.fault}
		var value any
		if f.fault == nil {
			value = f.value()
		}
		if f.fault != nil {
			faults = append(faults, fmt.Sprintf("%d: %v", one.line, f.fault))
			continue
		}
		got = append(got, value)
	}
}

func rub(minor int64) store.Money     { return store.Money{Minor: minor, Currency: "RUB"} }
func rubPtr(minor int64) *store.Money { m := rub(minor); return &m }

// TestRows_OfficeFiles reads the files of testdata, written as Russian offices
// write them (exchange.md section 4).
func TestRows_OfficeFiles(t *testing.T) {
	tests := []struct {
		file string
		kind Kind
		want []any
	}{
		{"clients-1251.csv", Clients, []any{
			store.ClientRow{ID: "000001", Name: `ООО "Ромашка"`, Importance: "high", Manager: "ivanova", Domains: []string{"romashka.test"},
				Emails: []string{"info@romashka.test", "zakaz@romashka.test"}, Phones: []string{"+7 (495) 123-45-67, доб. 105", "+7 916 000-00-01"},
				Attributes: map[string]string{"ИНН": "7701234567", "Сегмент": "HoReCa"}},
			store.ClientRow{ID: "000002", Name: "ИП Петров А. В.", Importance: "normal", Manager: "sidorov", Emails: []string{"petrov@mail.test"},
				Phones: []string{"84951112233", "89161112233"}, Attributes: map[string]string{"Сегмент": "розница"}},
			store.ClientRow{ID: "000003", Name: "АО «Вектор-М»\n(бывш. ЗАО «Вектор»)", Importance: "low", Domains: []string{"vektor-m.test", "vektor.test"},
				Attributes: map[string]string{"ИНН": "0501234567"}},
		}},
		{"deals-utf8-bom.csv", Deals, []any{
			store.DealRow{ID: "З-001", Number: "УТ-000017", Date: "2026-11-01", Client: "000001", Manager: "ivanova", Amount: rub(123456750), Cost: rubPtr(90000000),
				ShipDue: "2026-11-30", PayDue: "2026-12-15", Status: "В работе"},
			store.DealRow{ID: "З-002", Number: "УТ-000018", Date: "2026-11-02", Client: "000002", Amount: rub(1250000), Status: "Закрыт"},
			store.DealRow{ID: "З-003", Number: "УТ-000019", Date: "2026-11-03", Client: "000003", Manager: "sidorov", Amount: rub(500000), ShipDue: "2026-12-05", Status: "cancelled"},
		}},
		{"documents-1251.csv", Documents, []any{
			store.DocumentRow{ID: "Р-1", Kind: store.ShipmentDoc, Number: "РТ-5", Date: "2026-11-20", Deal: "З-001", Client: "000001", Amount: rub(60000000)},
			store.DocumentRow{ID: "П-1", Kind: store.PaymentDoc, Number: "77", Date: "2026-11-21", Deal: "З-001", Client: "000001", Amount: rub(123456750)},
			store.DocumentRow{ID: "В-1", Kind: store.ReturnDoc, Number: "ВТ-1", Date: "2026-11-22", Deal: "З-001", Client: "000001", Amount: rub(1000000)},
			store.DocumentRow{ID: "С-1", Kind: store.InvoiceDoc, Number: "СЧ-9", Date: "2026-11-01", Deal: "З-001", Client: "000001", Amount: rub(123456750)},
		}},
		{"lines-1251.csv", Lines, []any{
			store.LineRow{ID: "З-001/1", Deal: "З-001", Item: `Труба 20x2.0 "Вега", 6 м`, Article: "TR-20", Quantity: "1000.500", Unit: "м", Price: 120000, Amount: 120060000},
			store.LineRow{ID: "З-001/2", Deal: "З-001", Item: "Доставка", Quantity: "1", Unit: "шт", Price: 3396750, Amount: 3396750},
		}},
		{"persons-utf16.csv", Persons, []any{
			store.PersonRow{ID: "Л-1", Client: "000001", Name: "Кузнецова Мария Ильинична", Position: "главный бухгалтер", Emails: []string{"buh@romashka.test"},
				Phones: []string{"+7 495 123-45-67, доб. 12"}, Birthday: "1984-03-05"},
			store.PersonRow{ID: "Л-2", Client: "000002", Name: "Петров Антон", Emails: []string{"petrov@mail.test"}},
		}},
		{"managers.csv", Managers, []any{
			store.ManagerRow{ID: "m1", Name: "Анна Иванова", Emails: []string{"anna@vector.test"}, Login: "ivanova", Role: "head", TimeZone: "Europe/Moscow", Language: "ru"},
			store.ManagerRow{ID: "m2", Name: "John Sidorov", Emails: []string{"john@vector.test", "sidorov@vector.test"}, Login: "sidorov", Role: "manager", TimeZone: "Asia/Yekaterinburg", Language: "en"},
		}},
		{"sources-utf8.csv", Sources, []any{
			store.SourceRow{ID: "И-1", Name: "Выставка «Агро-2026»", Campaign: "Осень 2026", Medium: "выставка", From: "2026-10-01", To: "2026-12-31", Cost: rub(15000000)},
			store.SourceRow{ID: "И-2", Name: "Сайт", Medium: "интернет", Cost: rub(0)},
		}},
		{"events-utf8.csv", Events, []any{
			store.EventRow{ID: "С-1", Deal: "З-001", Kind: store.Shipment, Due: "2026-11-25", Amount: 30000000},
			store.EventRow{ID: "С-2", Deal: "З-001", Kind: store.Shipment, Due: "2026-12-10", Amount: 93456750},
			store.EventRow{ID: "С-3", Deal: "З-001", Kind: store.Payment, Due: "2026-12-15", Amount: 123456750},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			f, err := os.Open(filepath.Join("testdata", tt.file))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			got, faults, _ := readAll(t, tt.kind, f)
			if len(faults) > 0 {
				t.Errorf("faults: %q", faults)
			}
			if d := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); d != "" {
				t.Errorf("rows differ (-want +got):\n%s", d)
			}
		})
	}
}

// TestRows_SameWhateverTheForm reads one table in every encoding, with every
// separator and line end, in English and in Russian, and as JSONL.
func TestRows_SameWhateverTheForm(t *testing.T) {
	english := "id;name;importance;phones\n1;Ёлка, ООО;high;+7 495 1234567\n2;Second;low;\n"
	russian := "Телефоны;ВАЖНОСТЬ;Наименование;Код\n+7 495 1234567;Высокая;Ёлка, ООО;1\n;Низкая;Second;2\n"
	quoted := func(sep string) string {
		return strings.NewReplacer(";", sep, "Ёлка, ООО", `"Ёлка, ООО"`).Replace(english)
	}
	encode := func(text string, e interface{ String(string) (string, error) }) string {
		s, err := e.String(text)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	forms := map[string]string{
		"english":            english,
		"russian":            russian,
		"comma":              quoted(","),
		"tab":                quoted("\t"),
		"sep line":           "sep=;\r\n" + english,
		"bom":                "\ufeff" + russian,
		"bom before a quote": "\ufeff" + `"id";"name";"importance";"phones"` + english[strings.IndexByte(english, '\n'):],
		"windows-1251":       encode(russian, charmap.Windows1251.NewEncoder()),
		"windows-1251 late":  encode(english, charmap.Windows1251.NewEncoder()),
		"utf-16 le":          encode(russian, unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder()),
		"utf-16 be":          encode(english, unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewEncoder()),
		"crlf":               strings.ReplaceAll(russian, "\n", "\r\n"),
		"old macintosh":      strings.ReplaceAll(russian, "\n", "\r"),
		"no last line end":   strings.TrimRight(russian, "\n"),
		"empty lines":        "\n;;;\n" + strings.ReplaceAll(english, "\n", "\n;;;\n\n"),
		"totals":             english + "Итого:;2;;\n",
		"more empty cells":   strings.ReplaceAll(english, "\n", ";;\n"),
		"jsonl":              `{"id":"1","name":"Ёлка, ООО","importance":"high","phones":["+7 495 1234567"]}` + "\n\n" + `{"id":2,"name":"Second","importance":"низкая","phones":null}`,
		"jsonl in russian":   "\ufeff" + `{"Код":"1","Наименование":"Ёлка, ООО","Важность":"Высокая","Телефоны":"+7 495 1234567"}` + "\r\n" + `{"код":"2","имя":"Second","важность":"low"}`,
	}
	want := []any{
		store.ClientRow{ID: "1", Name: "Ёлка, ООО", Importance: "high", Phones: []string{"+7 495 1234567"}},
		store.ClientRow{ID: "2", Name: "Second", Importance: "low"},
	}
	for name, text := range forms {
		t.Run(name, func(t *testing.T) {
			got, faults, _ := readAll(t, Clients, strings.NewReader(text))
			if len(faults) > 0 {
				t.Errorf("faults: %q", faults)
			}
			if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
				t.Errorf("rows differ (-want +got):\n%s", d)
			}
		})
	}
}

func TestRows_Refused(t *testing.T) {
	tests := []struct {
		name  string
		kind  Kind
		text  string
		fault []string
		taken int
	}{
		{"bad date", Deals, "id,client,date\n1,a,2026-02-30\n2,a,23/11/2026\n3,a,23.11.26\n4,a,23.11.2026 25h\n5,a,23.11.2026\n",
			[]string{`2: date: there is no day "2026-02-30"`, `3: date: "23/11/2026" is not a date like 2026-11-23 or 23.11.2026`,
				`4: date: "23.11.26" is not a date like 2026-11-23 or 23.11.2026`, `5: date: "23.11.2026 25h" is not a date like 2026-11-23 or 23.11.2026`}, 1},
		{"bad sum", Deals, "id;client;amount;date\n1;a;-5\n2;a;abc\n3;a;1,234\n4;a;1,2E+05\n5;a;1,234.50\n6;a;−7,00\n7;a;1.234,50\n",
			[]string{"2: amount: the sum -5 is negative", `3: amount: "abc" is not a sum like 1234.56`, `4: amount: "1,234" is not a sum like 1234.56`,
				`5: amount: "1,2E+05" is not a sum like 1234.56`, "7: amount: the sum −7,00 is negative"}, 2},
		{"unknown word", Clients, "id,name,importance\n1,A,супер\n2,B,low\n", []string{`2: importance: "супер" is not high, normal or low`}, 1},
		{"currency", Deals, "id,client,currency,amount,date\n1,a,тугрик,5\n2,a,chf,5\n", []string{`2: currency: "тугрик" is not a code like RUB`}, 1},
		{"too many cells", Clients, "id,name\n1,A,extra\n2,B\n", []string{"2: too many columns: 3, the header has 2"}, 1},
		{"more than 200 columns", Clients, "id,name\n1" + strings.Repeat(",x", 250) + "\n2,B\n", []string{"2: too many columns: more than 200"}, 1},
		{"long line", Clients, "id,name\n1," + strings.Repeat("x", maxLine) + "\n2,B\n", []string{"2: the line is longer than 1 MB"}, 1},
		{"broken utf-8", Clients, "id,name\n1,Ёлка\n2,\xff\xfe\n3,B\n", []string{"3: the line is not valid UTF-8, as the rest of the file is"}, 2},
		{"open quote", Clients, "id,name\n1,\"A;B,C\n2,B\n3,C\n", []string{"2: a quote is opened and not closed"}, 2},
		{"line numbers after a cell with line ends", Clients, "id,name,importance\r\n1,\"A\r\n\r\nA\",low\r\n2,B,x\r\n", []string{`5: importance: "x" is not high, normal or low`}, 1},
		{"json", Clients, "{\"id\":1,\"name\":\"A\"}\nnot json\n[1]\n{} {}\n{\"id\":[1],\"name\":\"B\"}\n{\"id\":1,\"name\":{\"a\":1}}\n{\"id\":2,\"name\":\"C\",\"emails\":[[1]]}\nnull\n",
			[]string{"2: the line is not a JSON object", "3: the line is not a JSON object", "4: the line holds more than one JSON object",
				"5: id: a list stands where one value should", "6: name: an object stands where a value should",
				"7: emails: a list or an object stands where one value should", "8: the line is not a JSON object"}, 1},
		{"attributes", Clients, "id;name;attributes\n1;A;{\"\"a\"\":1}\n2;B;{\n3;C;{\"a\":\"b\",\"n\":1.50}\n",
			[]string{`2: attributes: not a JSON object like {"segment": "horeca"}`, `3: attributes: not a JSON object like {"segment": "horeca"}`}, 1},
		{"quantity", Lines, "id;deal;quantity;item\n1;a;много\n2;a;1 000,5\n", []string{`2: quantity: "много" is not a quantity like 12.5`}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, faults, _ := readAll(t, tt.kind, strings.NewReader(tt.text))
			if d := cmp.Diff(tt.fault, faults); d != "" {
				t.Errorf("faults differ (-want +got):\n%s", d)
			}
			if len(got) != tt.taken {
				t.Errorf("%d rows taken, want %d", len(got), tt.taken)
			}
		})
	}
}

func TestRows_Header(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"empty", "", "the file is empty"},
		{"blank", "\n\n  \n", "the file is empty"},
		{"separators only", ";;;\n;;\n", "the file has no header line"},
		{"no header", "1;Ромашка;high\n", "the header line has no column id; columns of clients are id, name, importance, manager, domains, emails, phones, source, stage, in English or Russian"},
		{"no name", "id;importance\n1;high\n", "the header line has no column name; "},
		{"xlsx", "PK\x03\x04....", errNotText.Error()},
		{"long", strings.Repeat("id;", maxLine) + "\n", "header line: the line is longer than 1 MB"},
		{"many", "id;name" + strings.Repeat(";x", 250) + "\n", "header line: too many columns: more than 200"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := openRows(Clients, strings.NewReader(tt.text))
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

// TestRows_ColumnsMeanOneThing shows which of two columns stands for a field,
// and what becomes of the other.
func TestRows_ColumnsMeanOneThing(t *testing.T) {
	got, _, rs := readAll(t, Clients, strings.NewReader("Полное наименование;Наименование;Код;id;Телефон;Моб.;Рабочий телефон;refused_at\nЁ1;Ё2;3;4;5;6;7;x:1\n"))
	want := []any{store.ClientRow{ID: "4", Name: "Ё2", Phones: []string{"5", "7"},
		Attributes: map[string]string{"Полное наименование": "Ё1", "Код": "3", "Моб.": "6"}}}
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("rows differ (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"Полное наименование", "Код", "Моб."}, rs.unknown); d != "" {
		t.Errorf("unknown columns differ (-want +got):\n%s", d)
	}
	if _, _, rs := readAll(t, Deals, strings.NewReader("id,client,date,x\n1,a,,b\n")); len(rs.unknown) != 1 {
		t.Errorf("unknown columns of deals %q, want x", rs.unknown)
	}
}

// TestRows_AbsentListIsNil: a file without a column says nothing about it; an
// empty cell says that there is nothing.
func TestRows_AbsentListIsNil(t *testing.T) {
	for _, text := range []string{"id;name;emails\n1;A;\n", `{"id":1,"name":"A","emails":[]}`, `{"id":1,"name":"A","emails":null}`} {
		got, _, _ := readAll(t, Clients, strings.NewReader(text))
		c := got[0].(store.ClientRow)
		if c.Emails == nil || c.Phones != nil || c.Domains != nil {
			t.Errorf("%q: emails %#v, phones %#v, domains %#v", text, c.Emails, c.Phones, c.Domains)
		}
	}
}

// TestColumns_NamesAreDistinct holds the table of names: one name never stands
// for two columns of a kind, since then the later could not be reached.
func TestColumns_NamesAreDistinct(t *testing.T) {
	for kind, columns := range columnsOf {
		seen := map[string]string{}
		for _, c := range columns {
			for _, name := range append([]string{c.name}, c.other...) {
				folded := fold(name)
				if other, taken := seen[folded]; taken && other != c.name {
					t.Errorf("%s: %q stands for %s and for %s", kind, name, other, c.name)
				}
				seen[folded] = c.name
			}
		}
		if first := columns[0].name; first != "id" && (kind != Rates || first != "date") && (kind != Contacts || first != "key") {
			t.Errorf("%s: the key does not stand first", kind)
		}
	}
}

func TestSplitPhones(t *testing.T) {
	tests := []struct {
		in   string
		want []string
	}{
		{"", nil},
		{"+7 (495) 123-45-67", []string{"+7 (495) 123-45-67"}},
		{"8 495 123-45-67, доб. 105; 8 916 765-43-21", []string{"8 495 123-45-67, доб. 105", "8 916 765-43-21"}},
		{"84951234567 89167654321", []string{"84951234567", "89167654321"}},
		{"+7 495 123-45-67 +7 916 765-43-21", []string{"+7 495 123-45-67", "+7 916 765-43-21"}},
		{"123-45-67\n765-43-21", []string{"123-45-67", "765-43-21"}},
		{"ext 5", []string{"ext 5"}},
	}
	for _, tt := range tests {
		if d := cmp.Diff(tt.want, splitPhones(tt.in)); d != "" {
			t.Errorf("splitPhones(%q) differs (-want +got):\n%s", tt.in, d)
		}
	}
}

func TestPlainNumber(t *testing.T) {
	for in, want := range map[string]string{
		"1 234,56": "1234.56", "1\u00a0234,56": "1234.56", "1,234.56": "1234.56", "1.234.567,50": "1234567.50", "1'234.50": "1234.50",
		"5000,00 ₽": "5000.00", "12 500 руб.": "12500", "-7": "-7", "−7": "-7", "1.2.3": "1.2.3",
	} {
		if got := plainNumber(in); got != want {
			t.Errorf("plainNumber(%q) = %q, want %q", in, got, want)
		}
	}
}

// FuzzRows: whatever a file holds, its rows are read or refused, and nothing
// panics.
func FuzzRows(f *testing.F) {
	for _, file := range office {
		data, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"id":1,"name":["x"],"client":{"a":null},"emails":["a@b"],"attributes":{"x":1e9}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, kind := range ImportKinds {
			rs, err := openRows(kind, bytes.NewReader(data))
			if err != nil {
				continue
			}
			for {
				one, err := rs.next()
				if err != nil {
					break
				}
				if one.fault == nil {
					f := fields{rows: rs, row: one, currency: "RUB"}
					f.value()
				}
			}
		}
	})
}
