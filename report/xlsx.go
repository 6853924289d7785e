package report

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"

	"intouch/store"
)

// maxXLSXRows is what one sheet holds, less the head and the total.
const maxXLSXRows = 1_048_000

// WriteXLSX writes the innermost rows as a spreadsheet of Excel: figures as
// numbers, days as dates, durations as hours, totals as formulas, the head
// frozen. Each section has a sheet of its own, and so has the report's chart.
// Texts of strangers are never formulas.
func (t *Table) WriteXLSX(w io.Writer) error {
	f := excelize.NewFile()
	defer f.Close()
	s := &sheet{Table: t, name: mainSheet, file: f, voice: voice{t.Lang}, currencies: t.currencies(), styles: map[string]int{}}
	if err := s.write(); err != nil {
		return fmt.Errorf("write the spreadsheet: %w", err)
	}
	for i := range t.Sections {
		section := &t.Sections[i]
		part := &sheet{Table: section, name: sheetName(section.Title), file: f, voice: s.voice, currencies: section.currencies(), styles: s.styles}
		if _, err := f.NewSheet(part.name); err != nil {
			return fmt.Errorf("add the sheet of %s: %w", section.Name, err)
		}
		if err := part.write(); err != nil {
			return fmt.Errorf("write the sheet of %s: %w", section.Name, err)
		}
	}
	if err := s.chart(); err != nil {
		return fmt.Errorf("write the chart: %w", err)
	}
	_, err := f.WriteTo(w)
	return err
}

// sheet is one WriteXLSX on its way.
type sheet struct {
	*Table
	voice
	name       string
	file       *excelize.File
	currencies map[string][]string
	styles     map[string]int // by number format, and "head", "total …"
}

// figure is one column of the sheet: of sums there is one for each currency.
type figure struct {
	column   int
	title    string
	currency string
}

func (s *sheet) figures() []figure {
	var out []figure
	for n, c := range s.Columns {
		if c.Type != Sum {
			out = append(out, figure{n, c.Title, ""})
			continue
		}
		for _, currency := range s.currencies[c.Key] {
			out = append(out, figure{n, inCurrency(c.Title, currency), currency})
		}
	}
	return out
}

// Sizes of a sheet.
const (
	textWidth   = 30 // of a column, in letters
	numberWidth = 16
	lineHeight  = 16 // in points
)

// inWidth puts the words of a title into lines of so many letters.
func inWidth(title string, letters int) []string {
	var lines []string
	for _, word := range strings.Fields(title) {
		if n := len(lines); n > 0 && utf8.RuneCountInString(lines[n-1]+" "+word) <= letters {
			lines[n-1] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}

const mainSheet = "Sheet1"

// sheetName is a title as Excel takes it for a sheet: at most 31 letters.
func sheetName(title string) string {
	title = strings.Map(func(r rune) rune {
		if strings.ContainsRune(`:\/?*[]'`, r) {
			return ' '
		}
		return r
	}, title)
	if runes := []rune(title); len(runes) > 31 {
		title = string(runes[:30]) + "…"
	}
	return title
}

// format is the number format of a type; "" for none. What parts thousands and
// decimals is up to the program that shows it.
func (s *sheet) format(kind Type) string {
	switch kind {
	case Count:
		return "#,##0"
	case Minutes:
		return "[h]:mm"
	case Sum:
		return "#,##0.00"
	case Percent:
		return "0.00"
	case Amount:
		return "#,##0.###"
	}
	day := "d mmm yyyy"
	if s.lang == store.Russian {
		day = "dd.mm.yyyy"
	}
	switch kind {
	case Day:
		return day
	case Moment:
		return day + " hh:mm"
	}
	return ""
}

// look is what a cell is for.
type look string

const (
	figureLook look = "figure"
	totalLook  look = "total"
	headLook   look = "head"
	titleLook  look = "title"
)

// style is a style of the file, made once.
func (s *sheet) style(look look, kind Type) (int, error) {
	key := string(look) + " " + string(kind)
	if id, ok := s.styles[key]; ok {
		return id, nil
	}
	// Without family and size spreadsheet programs take another font than that of
	// the cells without a style.
	style := &excelize.Style{Font: &excelize.Font{Family: "Calibri", Size: 11, Bold: look != figureLook}, Alignment: &excelize.Alignment{Vertical: "top"}}
	switch {
	case kind.numeric():
		style.Alignment.Horizontal = "right"
	case kind != "":
		style.Alignment.Horizontal, style.Alignment.Indent = "left", 1 // off the figures before it
	}
	switch look {
	case titleLook:
		style.Font.Size = 14
	case headLook:
		style.Alignment.Vertical, style.Alignment.WrapText = "bottom", true
		style.Border = []excelize.Border{{Type: "bottom", Color: "212121", Style: 1}}
	case totalLook:
		style.Border = []excelize.Border{{Type: "top", Color: "212121", Style: 1}}
	}
	if format := s.format(kind); format != "" && look != headLook {
		style.CustomNumFmt = &format
	}
	id, err := s.file.NewStyle(style)
	s.styles[key] = id
	return id, err
}

// page has a sheet printed across, as many columns on a page as can be read, and
// on each page the head, where there is one, and the names of the rows.
func (s *sheet) page(name string, columns, head int) error {
	const readable = 12
	yes, across, wide, any := true, "landscape", (columns+readable-1)/readable, 0
	if err := s.file.SetSheetProps(name, &excelize.SheetPropsOptions{FitToPage: &yes}); err != nil {
		return err
	}
	if err := s.file.SetPageLayout(name, &excelize.PageLayoutOptions{Orientation: &across, FitToWidth: &wide, FitToHeight: &any}); err != nil {
		return err
	}
	if head == 0 {
		return nil
	}
	return s.file.SetDefinedName(&excelize.DefinedName{Name: "_xlnm.Print_Titles", RefersTo: fmt.Sprintf("'%s'!$A:$A,'%s'!$%d:$%d", name, name, head, head), Scope: name})
}

func (s *sheet) write() error {
	head := len(s.About) + 3 // its row: the title, the lines about it, a blank one
	figures := s.figures()
	if err := s.page(s.name, len(s.Groups)+len(figures), head); err != nil {
		return err
	}
	out, err := s.file.NewStreamWriter(s.name)
	if err != nil {
		return err
	}
	for i := range s.Groups {
		if err := out.SetColWidth(i+1, i+1, textWidth); err != nil {
			return err
		}
	}
	lines := 1 // of the head
	for i, f := range figures {
		width := float64(numberWidth)
		if s.Columns[f.column].Type == Text {
			width = textWidth
		}
		lines = max(lines, len(inWidth(f.title, int(width)-2)))
		if err := out.SetColWidth(len(s.Groups)+i+1, len(s.Groups)+i+1, width); err != nil {
			return err
		}
	}
	if err := out.SetPanes(&excelize.Panes{Freeze: true, YSplit: head, TopLeftCell: fmt.Sprintf("A%d", head+1), ActivePane: "bottomLeft"}); err != nil {
		return err
	}
	title, err := s.style(titleLook, "")
	if err != nil {
		return err
	}
	if err := out.SetRow("A1", []any{excelize.Cell{Value: s.Title, StyleID: title}}); err != nil {
		return err
	}
	for i, line := range s.About {
		if err := out.SetRow(fmt.Sprintf("A%d", i+2), []any{line}); err != nil {
			return err
		}
	}
	var titles []any
	add := func(title string, kind Type) error {
		id, err := s.style(headLook, kind)
		titles = append(titles, excelize.Cell{Value: title, StyleID: id})
		return err
	}
	for _, g := range s.Groups {
		if err := add(g.Title, ""); err != nil {
			return err
		}
	}
	for _, f := range figures {
		if err := add(f.title, s.Columns[f.column].Type); err != nil {
			return err
		}
	}
	if err := out.SetRow(fmt.Sprintf("A%d", head), titles, excelize.RowOpts{Height: float64(lines * lineHeight)}); err != nil {
		return err
	}
	at := head
	for row := range s.All() {
		if !row.Leaf {
			continue
		}
		if at++; at > maxXLSXRows {
			return fmt.Errorf("more rows than a sheet holds: narrow the selection or take CSV")
		}
		cells := make([]any, 0, len(titles))
		for g := range s.Groups {
			cells = append(cells, pathText(row, g))
		}
		for _, f := range figures {
			cell, err := s.cell(f, row.Values[f.column])
			if err != nil {
				return err
			}
			cells = append(cells, cell)
		}
		if err := out.SetRow(fmt.Sprintf("A%d", at), cells); err != nil {
			return err
		}
	}
	if s.Total != nil && at > head {
		if err := s.total(out, figures, head+1, at); err != nil {
			return err
		}
		at++
	}
	for i, note := range s.Notes {
		if err := out.SetRow(fmt.Sprintf("A%d", at+2+i), []any{note}); err != nil {
			return err
		}
	}
	return out.Flush()
}

// cell is a value as a cell: a number, a date, or a text that is no formula.
func (s *sheet) cell(f figure, v Value) (any, error) {
	kind := s.Columns[f.column].Type
	id, err := s.style(figureLook, kind)
	if err != nil {
		return nil, err
	}
	cell := excelize.Cell{StyleID: id}
	switch {
	case v.None:
		return nil, nil
	case v.Unknown: // as text, so that nobody adds up what is known of it
		v.Sums = slices.DeleteFunc(slices.Clone(v.Sums), func(m store.Money) bool { return m.Currency != f.currency })
		cell.Value = s.show(kind, v, s.Zone)
		return cell, nil
	}
	switch kind {
	case Count:
		cell.Value = v.N
	case Minutes:
		cell.Value = float64(v.N) / (24 * 60)
	case Percent:
		cell.Value = float64(v.N) / 100
	case Sum:
		for _, m := range v.Sums {
			if m.Currency == f.currency {
				cell.Value = float64(m.Minor) / 100
			}
		}
		if cell.Value == nil {
			return nil, nil
		}
	case Day:
		day, err := time.Parse("2006-01-02", v.Text)
		if err != nil {
			return nil, nil
		}
		cell.Value = day
	case Moment:
		if v.N == 0 {
			return nil, nil
		}
		// Excel knows no zones: it is told what the viewer's clock shows.
		local := time.Unix(v.N, 0).In(s.Zone)
		cell.Value = time.Date(local.Year(), local.Month(), local.Day(), local.Hour(), local.Minute(), local.Second(), 0, time.UTC)
	case Amount:
		n, err := strconv.ParseFloat(v.Text, 64)
		if err != nil {
			cell.Value = v.Text
		} else {
			cell.Value = n
		}
	default:
		cell.Value = v.Text
	}
	return cell, nil
}

// partly reports whether rows of the column are known in part, or nothing of it
// is known: then no formula gives its total.
func (s *sheet) partly(column int) bool {
	if len(s.Total[column].Sums) == 0 {
		return true
	}
	if s.long != nil { // of those what there is in part makes the total so
		return s.seen(column).Unknown
	}
	return slices.ContainsFunc(s.Rows, func(r Row) bool { return r.Leaf && r.Values[column].Unknown && len(r.Values[column].Sums) > 0 })
}

// total writes the row of totals: formulas that also hold when rows are
// filtered out.
func (s *sheet) total(out *excelize.StreamWriter, figures []figure, first, last int) error {
	bold, err := s.style(totalLook, "")
	if err != nil {
		return err
	}
	cells := make([]any, 0, len(s.Groups)+len(figures))
	for i := range s.Groups {
		cell := excelize.Cell{StyleID: bold}
		if i == 0 {
			cell.Value = s.t("total")
		}
		cells = append(cells, cell)
	}
	for i, f := range figures {
		kind := s.Columns[f.column].Type
		v := s.Total[f.column]
		id, err := s.style(totalLook, kind)
		if err != nil {
			return err
		}
		cell := excelize.Cell{StyleID: id}
		name, err := excelize.ColumnNumberToName(len(s.Groups) + i + 1)
		switch {
		case err != nil:
			return err
		case v.None:
		case s.Columns[f.column].NoSum || kind == Percent || v.Unknown && s.partly(f.column): // rounded shares come to 100.02, say
			given, err := s.cell(f, v)
			if err != nil {
				return err
			}
			if c, ok := given.(excelize.Cell); ok {
				cell.Value = c.Value
			}
		case kind == Count || kind == Minutes || kind == Sum:
			cell.Formula = fmt.Sprintf("SUBTOTAL(109,%s%d:%s%d)", name, first, name, last)
		}
		if len(cells) == 0 && cell.Value == nil && cell.Formula == "" { // no group says it
			cell.Value = s.t("total")
		}
		cells = append(cells, cell)
	}
	return out.SetRow(fmt.Sprintf("A%d", last+1), cells)
}

// chartTypes are what Excel calls the shapes of a chart.
var chartTypes = map[Shape]excelize.ChartType{Bars: excelize.Bar, Stacked: excelize.BarStacked, Columns: excelize.ColStacked, Matrix: excelize.ColStacked}

// chart puts the report's chart on a sheet of its own, as one that Excel draws
// from the figures beside it.
func (s *sheet) chart() error {
	c := s.Chart()
	if c == nil {
		return nil
	}
	name := s.t("chart")
	if _, err := s.file.NewSheet(name); err != nil {
		return err
	}
	if err := s.page(name, 1, 0); err != nil {
		return err
	}
	head := []any{""}
	for n := range c.Series {
		head = append(head, c.Series[n].Title)
	}
	if err := s.file.SetSheetRow(name, "A1", &head); err != nil {
		return err
	}
	for i, label := range c.Labels {
		row := []any{label}
		for n := range c.Series {
			row = append(row, s.chartCell(&c.Series[n], i))
		}
		if err := s.file.SetSheetRow(name, fmt.Sprintf("A%d", i+2), &row); err != nil {
			return err
		}
	}
	last := len(c.Labels) + 1
	for i, note := range c.Notes {
		if err := s.file.SetCellValue(name, fmt.Sprintf("A%d", last+2+i), note); err != nil {
			return err
		}
	}
	if err := s.file.SetColWidth(name, "A", "A", 28); err != nil {
		return err
	}
	var series []excelize.ChartSeries
	for n := range c.Series {
		column, err := excelize.ColumnNumberToName(n + 2)
		if err != nil {
			return err
		}
		style, err := s.style(figureLook, c.Series[n].Type)
		if err != nil {
			return err
		}
		if err := s.file.SetCellStyle(name, column+"2", fmt.Sprintf("%s%d", column, last), style); err != nil {
			return err
		}
		if err := s.file.SetColWidth(name, column, column, 16); err != nil {
			return err
		}
		one := excelize.ChartSeries{Name: fmt.Sprintf("'%s'!$%s$1", name, column), Categories: fmt.Sprintf("'%s'!$A$2:$A$%d", name, last),
			Values: fmt.Sprintf("'%s'!$%s$2:$%s$%d", name, column, column, last)}
		colour := c.Series[n].Colour
		if c.Shape == Matrix { // there the colour is the same, here the fields stand on each other
			colour = palette[n%len(palette)]
		}
		one.Fill = excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{strings.TrimPrefix(light[colour], "#")}}
		series = append(series, one)
	}
	corner, err := excelize.CoordinatesToCellName(len(c.Series)+3, 1)
	if err != nil {
		return err
	}
	legend := "bottom"
	if len(c.Series) == 1 {
		legend = "none"
	}
	height := uint(320)
	if c.Shape == Bars || c.Shape == Stacked {
		height = uint(160 + 24*len(c.Labels))
	}
	return s.file.AddChart(name, corner, &excelize.Chart{
		Type: chartTypes[c.Shape], Series: series,
		Title:     excelize.ChartTitle{Paragraph: []excelize.RichTextRun{{Text: c.Title}}},
		Legend:    excelize.ChartLegend{Position: legend},
		Dimension: excelize.ChartDimension{Width: 760, Height: height},
		XAxis:     excelize.ChartAxis{ReverseOrder: c.Shape == Bars || c.Shape == Stacked}, // lying bars begin below else
		YAxis:     excelize.ChartAxis{MajorGridLines: true},
	})
}

// chartCell is a figure of the chart as Excel draws it; what is not known is
// said, and not drawn.
func (s *sheet) chartCell(of *Series, i int) any {
	n, ok := of.number(i)
	switch {
	case of.Values[i].Unknown:
		return s.t("unknown")
	case !ok:
		return nil
	case of.Type == Minutes:
		return n / (24 * 60)
	case of.Type == Sum || of.Type == Percent:
		return n / 100
	}
	return n
}
