package exchange

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"intouch/store"
)

func TestCommerceMLReads(t *testing.T) {
	for name, want := range map[string][]string{
		"commerceml-2.05-utf8.xml": {"order-1 Ромашка", "order-2 Петров"},
		"commerceml-2.10-1251.xml": {"order-3 Василёк", "order-4 Василёк", "order-5 Василёк", "order-6 Василёк", "transfer-1 "},
		"commerceml-3.1-utf8.xml":  {"order-7 Ромашка", "pay-1 ", "pay-2 ", "pay-3 ", "ship-1 ", "pay-9 "},
	} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		c, err := openCommerceML(bytes.NewReader(data))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var got []string
		for {
			p, err := c.next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			partner := ""
			if b := p.document.buyer(); b != nil {
				partner = b.Name
			}
			got = append(got, p.document.ID+" "+partner)
			if !bytes.HasPrefix(p.raw, []byte("<Документ>")) || !bytes.HasSuffix(p.raw, []byte("</Документ>")) {
				t.Errorf("%s: raw is %.40q … of %d bytes", name, p.raw, len(p.raw))
			}
			if lines := strings.Split(string(data), "\n"); name != "commerceml-2.10-1251.xml" && !strings.Contains(lines[p.line-1], "<Документ>") {
				t.Errorf("%s: %s is not in line %d", name, p.document.ID, p.line)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

const root = `<КоммерческаяИнформация ВерсияСхемы="2.05">`

func TestCommerceMLRefuses(t *testing.T) {
	deep := strings.Repeat("<а>", maxDepth+1)
	for _, c := range []struct{ name, text, want string }{
		{"a DOCTYPE", `<!DOCTYPE x [<!ENTITY a "b">]>` + root, "DOCTYPE"},
		{"an entity", root + `<Документ><Ид>&a;</Ид></Документ>`, "entity"},
		{"another root", `<html></html>`, "no CommerceML"},
		{"nothing", ``, "no CommerceML"},
		{"no XML", "Код;Имя\n1;2\n", "no CommerceML"},
		{"a zip", "PK\x03\x04\x00\x00\x00", "line 1"},
		{"another encoding", `<?xml version="1.0" encoding="koi8-r"?>` + root, "encoding"},
		{"half a file", root + `<Документ><Ид>1</Ид>`, "unexpected EOF"},
		{"wrong nesting", root + `<Документ><Ид>1</Документ>`, "line 1"},
		{"bytes that are not UTF-8", root + "<Документ><Ид>\xcf\xf0</Ид></Документ>", "UTF-8"},
		{"nesting in a document", root + `<Документ>` + deep, "nested"},
		{"nesting in what is passed over", root + `<Каталог>` + deep, "nested"},
		{"two roots", root + `</КоммерческаяИнформация><а/>`, "more than one root"},
		{"a long list", root + `<Документ><Товары>` + strings.Repeat("<Товар/>", maxList+1), "longer than"},
		{"a long text", root + `<Каталог>` + strings.Repeat("x", maxPaper+1), "longer than 8 MB"},
		{"a long document", root + `<Документ>` + strings.Repeat("<Комментарий>xxxxxxxxxxxxxxxx</Комментарий>", maxPaper/40), "longer than 8 MB"},
		{"many attributes", root + `<Документ ` + strings.Repeat(`а="" `, maxAttrs+1) + `/>`, "attributes"},
	} {
		c0, err := openCommerceML(strings.NewReader(c.text))
		for err == nil {
			_, err = c0.next()
		}
		if errors.Is(err, io.EOF) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %q lacks %q", c.name, err, c.want)
		}
	}
}

// The tax that a document's sum contains: 120 roubles for goods.
func TestCommerceMLTax(t *testing.T) {
	tax := func(included, sum string) string {
		return `<Налоги><Налог><Наименование>НДС</Наименование><УчтеноВСумме>` + included + `</УчтеноВСумме><Сумма>` + sum + `</Сумма></Налог></Налоги>`
	}
	good := func(sum, tax string) string {
		return `<Товар><Ид>g</Ид><Сумма>` + sum + `</Сумма>` + tax + `</Товар>`
	}
	for _, c := range []struct {
		name, text string
		want       int64 // -1: not known
	}{
		{"not told", `<Товары>` + good("120", "") + `</Товары>`, -1},
		{"of the document", tax("true", "20"), 2000},
		{"of the document and again of its goods", `<Товары>` + good("120", tax("true", "20")) + `</Товары>` + tax("true", "20"), 2000},
		{"of goods, one without", `<Товары>` + good("60", tax("true", "10")) + good("60", "") + `</Товары>`, 1000},
		{"none", tax("true", "0"), 0},
		{"not in the goods, in the sum", `<Товары>` + good("100", tax("false", "20")) + `</Товары>`, 2000},
		{"not in the goods, not in the sum", `<Товары>` + good("120", tax("false", "20")) + `</Товары>`, 0},
		{"not in the goods, which make another sum", `<Товары>` + good("90", tax("false", "20")) + `</Товары>`, -1},
		{"not in the goods, which are not told", tax("false", "20"), -1},
		{"no sum of it", tax("true", ""), -1},
		{"whether the sum has it is not told", tax("", "20"), -1},
	} {
		data := root + `<Документ><Ид>1</Ид><Дата>2026-11-20</Дата><Сумма>120</Сумма>` + c.text + `</Документ></КоммерческаяИнформация>`
		file, err := openCommerceML(strings.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		p, err := file.next()
		if err != nil {
			t.Fatal(err)
		}
		s := sheets{from: file, currency: "RUB", unknown: map[string]bool{}}
		row, _ := s.document(p.document, store.ShipmentDoc)
		got := int64(-1)
		if row.Tax != nil {
			got = row.Tax.Minor
		}
		if s.fault != nil || got != c.want {
			t.Errorf("%s: %d, want %d (%v)", c.name, got, c.want, s.fault)
		}
	}
}

// FuzzCommerceML: no file makes the reader panic or hold more than it should,
// and what it takes can be taken again from its own bytes.
func FuzzCommerceML(f *testing.F) {
	files, _ := filepath.Glob("testdata/commerceml-*.xml")
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(root + `<Контрагенты><Контрагент/></Контрагенты><Документ/></КоммерческаяИнформация>`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := openCommerceML(bytes.NewReader(data))
		if err != nil {
			return
		}
		s := sheets{from: c, currency: "RUB", unknown: map[string]bool{}}
		for {
			p, err := c.next()
			if err != nil {
				return
			}
			s.fault = nil
			if p.partner != nil {
				s.partner(p.partner)
				continue
			}
			s.document(p.document, store.PaymentDoc)
			row, _, _ := s.order(p.document)
			var file bytes.Buffer
			refused := NewRefusedPapers(&file)
			refused.root = c.root
			if err := errors.Join(refused.add(p, RowFault{Line: p.line, Reason: "x"}), refused.Close()); err != nil {
				t.Fatal(err)
			}
			again, err := openCommerceML(&file)
			if err != nil {
				t.Fatalf("refused file: %v", err)
			}
			q, err := again.next()
			if err != nil {
				t.Fatalf("refused file: %v", err)
			}
			s.from, s.fault = again, nil
			other, _, _ := s.order(q.document)
			s.from = c
			if diff := cmp.Diff(row, other); diff != "" {
				t.Fatalf("the refused paper says something else:\n%s", diff)
			}
		}
	})
}
