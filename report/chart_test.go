package report

import (
	"bytes"
	"compress/gzip"
	"encoding/xml"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-fonts/dejavu/dejavusans"
	"github.com/xuri/excelize/v2"

	"intouch/store"
)

// managersOf is a report of managers with that revenue and profit of each.
func managersOf(lang store.Language, names []string, revenue, profit []Value) *Table {
	t := &Table{Name: "managers", Lang: lang, Zone: time.UTC, Groups: []Column{{Key: "manager", Title: "Менеджер", Type: Text}},
		Columns: []Column{{Key: "revenue", Title: "Выручка", Type: Sum}, {Key: "profit", Title: "Прибыль", Type: Sum}}}
	for i, name := range names {
		t.Rows = append(t.Rows, Row{Leaf: true, Path: []Value{text(name)}, Values: []Value{revenue[i], profit[i]}})
		t.Rows = append(t.Rows, Row{Aside: true, Path: []Value{text("· in %")}, Values: []Value{{Text: "1 %", Said: true}, {Text: "1 %", Said: true}}})
	}
	return t
}

func roubles(n int64) Value { return sums(store.Money{Minor: n * 100, Currency: "RUB"}) }

// rects are the bars of that colour in a chart's SVG, which must be well formed:
// their left end and width.
func rects(t *testing.T, c *Chart, colour Colour) (found [][2]float64) {
	t.Helper()
	var b bytes.Buffer
	if err := c.WriteSVG(&b); err != nil {
		t.Fatal(err)
	}
	in := xml.NewDecoder(&b)
	for {
		token, err := in.Token()
		if err == io.EOF {
			return found
		}
		if err != nil {
			t.Fatalf("the SVG is no XML: %v", err)
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		of := map[string]string{}
		for _, a := range start.Attr {
			of[a.Name.Local] = a.Value
		}
		if !slices.Contains([]string{"svg", "title", "desc", "rect", "text"}, start.Name.Local) || of["style"] != "" {
			t.Errorf("there is a %s %v in the SVG", start.Name.Local, of)
		}
		if start.Name.Local == "rect" {
			var x, y, w, h float64
			if _, err := fmt.Sscan(of["x"]+" "+of["y"]+" "+of["width"]+" "+of["height"], &x, &y, &w, &h); err != nil {
				t.Fatal(err)
			}
			if x < 0 || y < 0 || w < 0 || h < 0 || x+w > svgWidth+0.1 || math.IsNaN(x+y+w+h) {
				t.Errorf("a rectangle lies outside: %v", of)
			}
			if of["class"] == string(colour) && h == barHeight {
				found = append(found, [2]float64{x, w})
			}
		}
	}
}

// picture is the chart as PNG, which must be one, and not too large for a mail.
func picture(t *testing.T, c *Chart) image.Image {
	t.Helper()
	data, err := c.PNG()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := c.PNG(); err != nil || !bytes.Equal(data, again) {
		t.Errorf("%s: the same chart gave another picture, %v", c.Title, err)
	}
	if len(data) > 128<<10 {
		t.Errorf("%s: the picture has %d bytes", c.Title, len(data))
	}
	of, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if size := of.Bounds().Size(); size.X != PNGWidth*dense || size.Y > 3000*dense {
		t.Errorf("%s: the picture is %v", c.Title, size)
	}
	return of
}

// The bars of revenue and profit are as long as the sums are, to both sides of
// zero; what is not known has none, and is said.
func TestChart_Managers(t *testing.T) {
	table := managersOf(store.Russian, []string{"Анна", "Иван", "Ольга", "Пётр"},
		[]Value{roubles(2000), roubles(1000), {}, roubles(500)}, []Value{roubles(500), roubles(-1000), {}, {Sums: roubles(500).Sums, Unknown: true}})
	c := table.Chart()
	if c.Title != "Выручка и прибыль по менеджерам" || c.Shape != Bars || len(c.Labels) != 4 {
		t.Fatalf("%+v", c)
	}
	revenue, profit := rects(t, c, "first"), rects(t, c, "second")
	if len(revenue) != 3 || len(profit) != 2 {
		t.Fatalf("bars: %v, %v", revenue, profit)
	}
	for name, pair := range map[string][2]float64{"half as much": {revenue[1][1] * 2, revenue[0][1]}, "a quarter": {revenue[2][1] * 4, revenue[0][1]},
		"a loss as long as the sum": {profit[1][1], revenue[1][1]}, "a loss ends at zero": {profit[1][0] + profit[1][1], revenue[0][0]}} {
		if math.Abs(pair[0]-pair[1]) > 0.1 {
			t.Errorf("%s: %v is not %v", name, pair[0], pair[1])
		}
	}
	alt := c.Alt()
	for _, want := range []string{"Анна: Выручка 2\u00a0000,00\u00a0₽, Прибыль 500,00\u00a0₽", "Прибыль −1\u00a0000,00\u00a0₽", "неизвестно"} {
		if !strings.Contains(alt, want) {
			t.Errorf("%q is not in %q", want, alt)
		}
	}
	// Sums that are said without kopecks are drawn as well.
	if whole := table.Whole().Chart(); whole == nil || !strings.Contains(whole.Alt(), "Анна: Выручка 2\u00a0000\u00a0₽, Прибыль 500\u00a0₽") || len(rects(t, whole, "first")) != 3 {
		t.Errorf("%+v", whole)
	}
	// The picture has the colours where the bars are: blue in the first, none
	// right of the unknown one's end.
	of := picture(t, c)
	blue, orange := 0, 0
	for y := range of.Bounds().Max.Y {
		for x := range of.Bounds().Max.X {
			switch r, g, b, _ := of.At(x, y).RGBA(); [3]uint32{r >> 8, g >> 8, b >> 8} {
			case [3]uint32{0x15, 0x65, 0xC0}:
				blue++
			case [3]uint32{0xEF, 0x6C, 0x00}:
				orange++
			}
		}
	}
	// 2000+1000+500 to 500+1000, less the boxes of the legend.
	if box := 11 * 11 * dense * dense; math.Abs(float64(blue-box)/float64(orange-box)-3500.0/1500) > 0.03 {
		t.Errorf("%d blue and %d orange pixels", blue, orange)
	}
}

// What could break a chart: nothing, one figure, the greatest, many, names that
// are markup, very long, or turn the direction of writing.
func TestChart_Extremes(t *testing.T) {
	most := sums(store.Money{Minor: math.MaxInt64, Currency: "RUB"})
	least := sums(store.Money{Minor: math.MinInt64 + 1, Currency: "RUB"})
	many := func(n int) (names []string, values []Value) {
		for i := range n {
			names, values = append(names, fmt.Sprintf("Менеджер %d", i+1)), append(values, roubles(int64(i+1)))
		}
		return names, values
	}
	if c := managersOf(store.Russian, nil, nil, nil).Chart(); c != nil {
		t.Errorf("of nobody: %+v", c)
	}
	if c := managersOf(store.Russian, []string{"Анна"}, []Value{roubles(0)}, []Value{unknown()}).Chart(); c != nil {
		t.Errorf("of nothing: %+v", c)
	}
	if err := (&Table{Name: "persons"}).WriteSVG(io.Discard); !errors.As(err, new(*Invalid)) {
		t.Errorf("a report without a chart: %v", err)
	}
	names, values := many(100)
	hostile := []string{`</text><script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, "\u202eкот\u202c", "שלום עולם, ООО", "a\x00b\x1b[31m\ufffe", strings.Repeat("Ы", 5000), strings.Repeat("Очень длинное ", 50), "", "中文名字😀", "x\u0301\u0301\u0301", string([]byte{0xff, 0xfe})}
	for name, table := range map[string]*Table{
		"one":     managersOf(store.English, []string{"Anna"}, []Value{roubles(1)}, []Value{roubles(1)}),
		"huge":    managersOf(store.Russian, []string{"Анна", "Иван", "Пётр"}, []Value{most, least, roubles(1)}, []Value{least, most, roubles(-1)}),
		"losses":  managersOf(store.Russian, []string{"Анна"}, []Value{roubles(-5)}, []Value{roubles(-7)}),
		"many":    managersOf(store.Russian, names, values, values),
		"hostile": managersOf(store.Russian, hostile, values[:len(hostile)], values[:len(hostile)]),
	} {
		c := table.Chart()
		if c == nil {
			t.Errorf("%s: no chart", name)
			continue
		}
		revenue := rects(t, c, "first")
		picture(t, c)
		if dir := os.Getenv("CHARTS_TO"); dir != "" {
			var b bytes.Buffer
			if err := errors.Join(c.WriteSVG(&b), os.WriteFile(dir+"/"+name+".svg", b.Bytes(), 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		if name != "many" {
			if len(revenue) != len(c.Labels) {
				t.Errorf("%s: %d bars of %d labels", name, len(revenue), len(c.Labels))
			}
			continue
		}
		// The greatest 30 are drawn; of the others, 1 to 70 roubles, the sum is said.
		if len(c.Labels) != maxBars || len(revenue) != maxBars || c.Labels[0] != "Менеджер 100" || c.Labels[maxBars-1] != "Менеджер 71" ||
			len(c.Notes) != 1 || !strings.Contains(c.Notes[0], "30 из 100. Остальные: Выручка 2\u00a0485,00\u00a0₽, Прибыль 2\u00a0485,00\u00a0₽.") {
			t.Errorf("%v, %v", c.Labels, c.Notes)
		}
	}
	var b bytes.Buffer
	if err := managersOf(store.Russian, hostile, values[:len(hostile)], values[:len(hostile)]).WriteHTML(&b, HTMLOptions{For: Page}); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<script", "<img", "\u202e", "\x00"} {
		if chart, _, _ := strings.Cut(b.String(), "<table"); strings.Contains(chart, bad) {
			t.Errorf("the page's chart has %q", bad)
		}
	}
}

// Sums without a rate are not compared with the others.
func TestChart_Currencies(t *testing.T) {
	dollars := sums(store.Money{Minor: 9_000_00, Currency: "USD"})
	c := managersOf(store.English, []string{"Anna", "Ivan"}, []Value{roubles(10), dollars}, []Value{roubles(5), dollars.plus(roubles(1))}).Chart()
	if got := rects(t, c, "first"); len(got) != 1 || len(c.Notes) != 1 || !strings.Contains(c.Notes[0], "RUB") || strings.Contains(c.Alt(), "$") {
		t.Errorf("%v %v %s", got, c.Notes, c.Alt())
	}
}

// Time goes on where nothing happened; the series of a kind keep their colours.
func TestChart_Weeks(t *testing.T) {
	table := &Table{Name: "contacts", Lang: store.Russian, Zone: time.UTC, Columns: []Column{{Key: "contacts", Title: "Контакты", Type: Count}},
		Groups: []Column{{Key: "kind", Title: "Вид"}, {Key: "week", Title: "Неделя"}}}
	add := func(kind, week string, n int64) {
		v := voice{store.Russian}
		table.Rows = append(table.Rows, Row{Leaf: true, Path: []Value{text(store.Word(store.Russian, "kind."+kind)), dayGroup(v.dayTitle("week", store.Date(week)), store.Date(week))}, Values: []Value{count(n)}})
	}
	add("letter", "2026-11-02", 5)
	add("letter", "2026-11-23", 7)
	add("meeting", "2026-10-26", 2)
	add("meeting", "2026-11-23", 3)
	c := table.Chart()
	if got := strings.Join(c.ticks, " "); got != "26.10 02.11 09.11 16.11 23.11" || c.Shape != Columns || c.Title != "Контакты по неделям и видам" {
		t.Errorf("%s: %s %s", got, c.Shape, c.Title)
	}
	if len(c.Series) != 2 || c.Series[0].Title != "Письмо" || c.Series[0].Colour != palette[0] || c.Series[1].Colour != palette[2] {
		t.Fatalf("%+v", c.Series)
	}
	for i, want := range []int64{2, 5, 0, 0, 10} {
		if c.total(i).N != want {
			t.Errorf("week %s: %d contacts, not %d", c.Labels[i], c.total(i).N, want)
		}
	}
	picture(t, c)
	rects(t, c, "first")
	// Of years of days the last stand there, and the chart says so.
	table.Groups = []Column{{Key: "day", Title: "День"}}
	for i := range table.Rows {
		table.Rows[i].Path = table.Rows[i].Path[1:]
	}
	table.Rows = append(table.Rows, Row{Leaf: true, Path: []Value{dayGroup("x", "1999-01-01")}, Values: []Value{count(1)}})
	if c = table.Chart(); len(c.Labels) != maxColumns || len(c.Notes) != 1 || c.ticks[maxColumns-1] != "23.11" {
		t.Errorf("%d columns, %v", len(c.Labels), c.Notes)
	}
	rects(t, c, "first")
}

// The matrix has all clients: those without a class of XYZ in a field of their
// own.
func TestChart_Matrix(t *testing.T) {
	table := &Table{Name: "classification", Lang: store.Russian, Zone: time.UTC, Groups: []Column{{Key: "abc", Title: "ABC"}},
		Columns: []Column{{Key: "clients", Title: "Клиенты", Type: Count}, {Key: "clients %", Type: Percent}, {Key: "X", Title: "X", Type: Count}, {Key: "Y", Title: "Y", Type: Count}, {Key: "Z", Title: "Z", Type: Count}}}
	for class, n := range map[string][4]int64{"A": {10, 4, 3, 1}} {
		table.Rows = append(table.Rows, Row{Leaf: true, Path: []Value{text(class)}, Values: []Value{count(n[0]), {}, count(n[1]), count(n[2]), count(n[3])}})
	}
	c := table.Chart()
	if got := c.Alt(); got != "A: X 4, Y 3, Z 1, (нет класса XYZ) 2" && !strings.HasSuffix(got, " 2") || c.Shape != Matrix || len(c.Series) != 4 {
		t.Errorf("%s %+v", got, c)
	}
	rects(t, c, "first")
	picture(t, c)
}

// What a spreadsheet program is given to draw are the chart's own figures.
func TestChart_XLSX(t *testing.T) {
	table := managersOf(store.Russian, []string{"=1+1", "Иван"}, []Value{roubles(10), roubles(20)}, []Value{unknown(), roubles(-5)})
	var b bytes.Buffer
	if err := table.WriteXLSX(&b); err != nil {
		t.Fatal(err)
	}
	f, err := excelize.OpenReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := f.GetRows("Диаграмма", excelize.Options{RawCellValue: true})
	if err != nil || fmt.Sprint(rows) != "[[ Выручка Прибыль] [=1+1 10 неизвестно] [Иван 20 -5]]" {
		t.Errorf("%v %v", rows, err)
	}
	if formula, err := f.GetCellFormula("Диаграмма", "A2"); formula != "" || err != nil {
		t.Errorf("a name is the formula %q %v", formula, err)
	}
}

// The style sheet of the pages knows every colour of charts.
func TestChart_StyleSheet(t *testing.T) {
	css, err := os.ReadFile("../web/static/style.css")
	if err != nil {
		t.Fatal(err)
	}
	for colour := range light {
		if !strings.Contains(string(css), ".chart ."+string(colour)+" { fill: ") {
			t.Errorf("style.css does not know the colour %s", colour)
		}
	}
}

// TestSans: the font is the library's, whose licence .ci/licences takes.
func TestSans(t *testing.T) {
	r, err := gzip.NewReader(bytes.NewReader(dejaVuSans))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, dejavusans.TTF) {
		t.Errorf("%d bytes of %d, %v", len(got), len(dejavusans.TTF), err)
	}
}
