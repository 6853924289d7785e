package report

import (
	_ "embed"
	"html/template"
	"io"
	"net/url"
	"slices"
	"strings"
	"sync"
)

//go:embed table.html
var tableHTML string

// HTML is what the table is written for.
type HTML string

const (
	Page     HTML = "page"     // a part of a page, with classes
	Mail     HTML = "mail"     // a part of a mail: inline styles, as Outlook needs
	Document HTML = "document" // a file of its own
)

// HTMLOptions say how to write HTML.
type HTMLOptions struct {
	For HTML
	// Base is put before addresses: "https://crm.example.com" in mails, "" on
	// pages.
	Base string
	// Request is what the table was asked for with; the links of figures select
	// from it. nil: figures are no links.
	Request url.Values
	// Skip is how many records a page leaves out at the beginning: they are on the
	// pages before it.
	Skip int
	// Unlinked writes no links at all: for people who cannot open the pages.
	Unlinked bool
}

// inline are the styles of a mail for the classes of a page.
var inline = map[string]string{
	"report":  "border-collapse:collapse;font:14px/1.4 Arial,sans-serif;color:#212121",
	"about":   "margin:0 0 4px;font:13px/1.4 Arial,sans-serif;color:#616161",
	"note":    "margin:8px 0 0;font:13px/1.4 Arial,sans-serif;color:#616161",
	"wide":    "margin:12px 0",
	"section": "margin:20px 0 4px;font:bold 16px/1.4 Arial,sans-serif;color:#212121",
	"head":    "padding:4px 10px;text-align:left;vertical-align:bottom;border-bottom:2px solid #212121",
	"headnum": "padding:4px 10px;text-align:right;vertical-align:bottom;border-bottom:2px solid #212121",
	"cell":    "padding:4px 10px;border-bottom:1px solid #e0e0e0;vertical-align:top",
	"num":     "padding:4px 10px;border-bottom:1px solid #e0e0e0;text-align:right;white-space:nowrap;vertical-align:top",
	"group":   "font-weight:bold",
	"total":   "font-weight:bold",
	"link":    "color:#1565c0",

	"overdue": "color:#C62828", "current": "color:#212121", "postponed": "color:#757575", "done": "color:#2E7D32", "cancelled": "color:#757575",
}

// documentStyle is the style of a file of its own.
const documentStyle template.CSS = `body{font:14px/1.45 system-ui,sans-serif;margin:24px;color:#212121}h1{font-size:20px}.section{font-size:16px;margin:20px 0 4px}.about,.note{color:#616161;margin:4px 0}
.report{border-collapse:collapse;margin:12px 0}.report th{border-bottom:2px solid #212121;text-align:left;vertical-align:bottom}
.report th,.report td{padding:4px 10px}.report td{border-bottom:1px solid #e0e0e0;vertical-align:top}.report .num,.report .headnum{text-align:right;white-space:nowrap}
.chart{max-width:100%;height:auto;margin:12px 0}
.group,.total{font-weight:bold}tr.overdue{color:#C62828}tr.postponed{color:#757575}tr.done{color:#2E7D32}`

type htmlTable struct {
	Lang, Title  string
	About, Notes []string
	Head         []htmlCell
	Rows         []htmlRow
	Total        *htmlRow
	Sections     []htmlTable
	Chart        template.HTML // drawn within
	Style        template.CSS
}

type htmlRow struct {
	At, Link template.HTMLAttr // of the row and of its links
	Cells    []htmlCell
}

// HTML is the row: of a thousand rows a template takes ten times as long.
func (r *htmlRow) HTML() template.HTML {
	var b strings.Builder
	tag := func(name string, at template.HTMLAttr) {
		b.WriteString("<" + name)
		if at != "" {
			b.WriteString(" " + string(at))
		}
		b.WriteString(">")
	}
	tag("tr", r.At)
	for i := range r.Cells {
		c := &r.Cells[i]
		tag("td", c.At)
		b.WriteString(c.Indent)
		if c.URL != "" {
			b.WriteString(`<a href="` + template.HTMLEscapeString(c.URL) + `"`)
			if r.Link != "" {
				b.WriteString(" " + string(r.Link))
			}
			b.WriteString(">")
		}
		b.WriteString(template.HTMLEscapeString(c.Text))
		if c.URL != "" {
			b.WriteString("</a>")
		}
		b.WriteString("</td>")
	}
	b.WriteString("</tr>")
	return template.HTML(b.String())
}

type htmlCell struct {
	At                template.HTMLAttr
	Indent, Text, URL string // the URL is one of this program's own
}

// attributes give the attribute of an element of some classes: the class for a
// page, their styles for a mail. Each is made once.
type attributes struct {
	target HTML
	made   map[string]template.HTMLAttr
}

func (a *attributes) of(classes string) template.HTMLAttr {
	at, known := a.made[classes]
	if !known {
		at = a.make(classes)
		a.made[classes] = at
	}
	return at
}

func (a *attributes) make(classes string) template.HTMLAttr {
	if classes == "" {
		return ""
	}
	if a.target != Mail {
		return template.HTMLAttr(`class="` + template.HTMLEscapeString(classes) + `"`)
	}
	var styles []string
	for _, c := range strings.Fields(classes) {
		if inline[c] != "" {
			styles = append(styles, inline[c])
		}
	}
	return template.HTMLAttr(`style="` + strings.Join(styles, ";") + `"`)
}

// The template, for a page and for a mail, which is not always needed.
var pageTable, mailTable = sync.OnceValue(func() *template.Template { return parseTable(Page) }), sync.OnceValue(func() *template.Template { return parseTable(Mail) })

func parseTable(target HTML) *template.Template {
	at := attributes{target: target}
	return template.Must(template.New("").Funcs(template.FuncMap{"at": at.make}).Parse(tableHTML))
}

// WriteHTML writes the table.
func (t *Table) WriteHTML(w io.Writer, opt HTMLOptions) error {
	at := attributes{opt.For, map[string]template.HTMLAttr{}}
	tmpl, name := pageTable(), "table"
	if opt.For == Mail {
		tmpl = mailTable()
	}
	if opt.For == Document {
		name = "document"
	}
	out := t.htmlTable(opt, &at)
	if c := t.Chart(); c != nil && opt.For != Mail { // a mail has it as PNG beside
		var b strings.Builder
		if err := c.WriteSVG(&b); err != nil {
			return err
		}
		out.Chart = template.HTML(b.String()) // escaped by WriteSVG
	}
	return tmpl.ExecuteTemplate(w, name, out)
}

func (t *Table) htmlTable(opt HTMLOptions, at *attributes) htmlTable {
	v := voice{t.Lang}
	out := htmlTable{Lang: string(t.Lang), Title: t.Title, About: t.About, Notes: t.Notes, Style: documentStyle}
	grouped := len(t.Groups) > 0
	if grouped {
		var titles []string
		for _, g := range t.Groups {
			titles = append(titles, g.Title)
		}
		out.Head = append(out.Head, htmlCell{At: at.of("head"), Text: strings.Join(titles, " / ")})
	}
	for _, c := range t.Columns {
		out.Head = append(out.Head, htmlCell{At: at.of(alignment("head", c.Type)), Text: c.Title})
	}
	shown, left := t.shown(opt)
	for row := range t.All() {
		if !shown(row) {
			continue
		}
		class := string(row.Status)
		if !row.Leaf {
			class = strings.TrimSpace("group " + class)
		}
		line := htmlRow{At: at.of(class), Link: at.of("link"), Cells: make([]htmlCell, 0, len(out.Head))}
		if grouped {
			cell := htmlCell{At: at.of("cell"), Indent: strings.Repeat("\u00a0\u00a0\u00a0", row.Depth()), URL: row.url(opt)}
			if len(row.Path) > 0 {
				cell.Text = row.Path[len(row.Path)-1].Text
			}
			line.Cells = append(line.Cells, cell)
		}
		selects := row.selects()
		for n, value := range row.Values {
			cell := htmlCell{At: at.of(alignment("", t.Columns[n].Type)), Text: v.show(t.Columns[n].Type, value, t.Zone)}
			cell.URL = t.link(opt, selects, n, value)
			if !grouped && n == 0 {
				cell.URL = row.url(opt)
			}
			line.Cells = append(line.Cells, cell)
		}
		out.Rows = append(out.Rows, line)
	}
	if t.Total != nil {
		total := htmlRow{At: at.of("total"), Link: at.of("link")}
		if grouped {
			total.Cells = append(total.Cells, htmlCell{At: at.of("cell"), Text: v.t("total")})
		}
		for n, value := range t.Total {
			total.Cells = append(total.Cells, htmlCell{At: at.of(alignment("", t.Columns[n].Type)), Text: v.show(t.Columns[n].Type, value, t.Zone), URL: t.link(opt, url.Values{}, n, value)})
		}
		if !grouped && len(total.Cells) > 0 && total.Cells[0].Text == "" {
			total.Cells[0].Text = v.t("total")
		}
		if len(total.Cells) > 0 {
			out.Total = &total
		}
	}
	if *left > 0 && !t.partial { // else how many is not known
		out.Notes = append(slices.Clone(out.Notes), v.t("more rows", v.number(int64(*left))))
	}
	for i := range t.Sections {
		out.Sections = append(out.Sections, t.Sections[i].htmlTable(opt, at))
	}
	return out
}

// HasMore reports whether the table has more than n records.
func (t *Table) HasMore(n int) bool {
	if t.Left > 0 || t.partial {
		return true
	}
	for row := range t.All() {
		if row.Leaf && !row.Aside {
			n--
		}
	}
	return n < 0
}

// shown tells of each row, one after another, whether it is shown: on pages and
// in mails PageRows records and as many groups, before and behind them the
// outermost groups alone. left is how many records behind them are not.
func (t *Table) shown(opt HTMLOptions) (shown func(*Row) bool, left *int) {
	left = new(int)
	*left = t.Left
	leaves, groups, last := -opt.Skip, 0, true
	return func(row *Row) bool {
		switch {
		case opt.For == Document:
		case row.Aside: // it says more of the row before, or of the whole
			return last || len(row.Path) == 1
		case row.Leaf:
			if last = leaves >= 0 && leaves < PageRows; leaves >= PageRows {
				*left++
			} else {
				leaves++
			}
		case groups >= PageRows:
			last, leaves = false, PageRows
		default:
			if last = leaves >= 0 && leaves < PageRows || row.Depth() == 0; last {
				groups++
			}
		}
		return last
	}, left
}

func alignment(head string, kind Type) string {
	switch {
	case head != "" && kind.numeric():
		return "headnum"
	case head != "":
		return head
	case kind.numeric():
		return "num"
	}
	return "cell"
}

func (r *Row) url(opt HTMLOptions) string {
	if r.URL == "" || opt.Unlinked {
		return ""
	}
	return opt.Base + r.URL
}

// link leads to the records behind a figure of the n-th column, in a row that
// selects selects, or in the total; "" where there are none.
func (t *Table) link(opt HTMLOptions, selects url.Values, n int, v Value) string {
	c := &t.Columns[n]
	if opt.Request == nil || opt.Unlinked || selects == nil || c.Behind == nil || v.None || !v.some() && !c.NoSum {
		return ""
	}
	return opt.Base + ReportPath + t.Name + "?" + drill(opt.Request, selects, c.Behind).Encode()
}

// ReportPath is where the pages show a report, before its name.
const ReportPath = "/reports/"

// drill is the request for the records behind a figure: what the report was
// asked for, its row and its column.
func drill(asked, row, column url.Values) url.Values {
	out := url.Values{}
	for _, from := range []url.Values{asked, row, column} {
		for name, values := range from {
			if !slices.Contains([]string{"by", "compare", "relative"}, name) {
				out[name] = values
			}
		}
		if from.Has("from") {
			out.Del("period")
		}
	}
	return out
}
