// Package report is in charge of the reports of rules.md section 6. A report
// asks the store for figures (store/figures.go) and makes a Table of them; the
// Table is rendered as text for a terminal, HTML for page and mail, CSV, XLSX
// and JSON, and drawn as a Chart in SVG and PNG. Nothing here knows SQL or
// HTTP.
package report

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"intouch/store"
)

// report is one of the reports there are.
type report struct {
	name  string
	about string // for the help
	// groupings are what its rows can be grouped by; none: it is not grouped.
	groupings []string
	// by is how they are grouped unless asked otherwise.
	by []string
	// filters select its records; each is the name of a parameter.
	filters []string
	// options are further parameters: the words that each knows; nil: a number
	// of days.
	options map[string][]string
	// figures are the columns that have records of their own behind them; none:
	// the same records are behind all.
	figures []string
	period  string // by default, as ParsePeriod knows it; "": it has none
	build   func(*run) (*Table, error)
	chart   func(*Table) *Chart // nil: it has none
}

// reports are all of them, in the order of rules.md section 6.
var reports = []report{calendarReport, openDealsReport, dealReport, contactsReport, sourcesReport, managersReport, classificationReport, personsReport}

// Names are the names of all reports.
func Names() []string {
	names := make([]string, len(reports))
	for i, r := range reports {
		names[i] = r.name
	}
	return names
}

// Describe tells of each report what it shows and what can be asked, for the
// help.
func Describe() string {
	var b strings.Builder
	for _, r := range reports {
		fmt.Fprintf(&b, "%s: %s\n", r.name, r.about)
		for _, part := range []struct {
			name string
			list []string
		}{{"by", r.groupings}, {"filters", r.filters}, {"rows", r.figures}} {
			if len(part.list) > 0 {
				fmt.Fprintf(&b, "    %s: %s\n", part.name, strings.Join(part.list, ", "))
			}
		}
		for _, name := range optionNames(r.options) {
			if words := r.options[name]; words != nil {
				fmt.Fprintf(&b, "    %s: %s\n", name, strings.Join(words, ", "))
			} else {
				fmt.Fprintf(&b, "    %s: a number of days\n", name)
			}
		}
	}
	return b.String()
}

func optionNames(options map[string][]string) []string {
	var names []string
	for name := range options {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Run computes a report. *Invalid: it was asked for something that there is
// not.
func Run(ctx context.Context, st *store.Store, req Request) (*Table, error) {
	r, err := newRun(ctx, st, req)
	if err != nil {
		return nil, err
	}
	t, err := r.report.build(r)
	if err != nil {
		return nil, err
	}
	if r.rows || r.report.name == dealReport.name { // behind records there are no others
		t.isRecords()
	}
	t.Name = r.report.name
	t.speak(r.lang, r.loc)
	t.zeros(r.Currency)
	if t.Title == "" {
		t.Title = r.t("title." + t.Name)
	}
	t.About = append(r.about(), t.About...)
	if t.Empty() && !slices.Contains(t.Notes, r.t("not classified")) {
		nothing := "nothing"
		if r.all {
			nothing = "nothing at all"
		}
		t.Notes = append(t.Notes, r.t(nothing))
	}
	return t, nil
}

// isRecords says that the table and its sections are records themselves.
func (t *Table) isRecords() {
	for i := range t.Columns {
		t.Columns[i].Behind = nil
	}
	for i := range t.Sections {
		t.Sections[i].isRecords()
	}
}

// speak sets the language and zone of the table and its sections.
func (t *Table) speak(lang store.Language, zone *time.Location) {
	t.Lang, t.Zone = lang, zone
	for i := range t.Sections {
		t.Sections[i].speak(lang, zone)
	}
}

// zeros gives sums of nothing the currency of their column, or that of the
// company: "0,00 ₽" beside other roubles.
func (t *Table) zeros(house string) {
	for n, c := range t.Columns {
		if c.Type != Sum {
			continue
		}
		seen := t.seen(n)
		currency := house
		if len(seen.Sums) == 1 {
			currency = seen.Sums[0].Currency
		}
		nothing := []store.Money{{Currency: currency}}
		fill := func(v *Value) {
			if len(v.Sums) == 0 && !v.Unknown && !v.None && !v.Said && currency != "" {
				v.Sums = nothing
			}
		}
		if t.long != nil {
			if all := t.long.seen[c.Key]; len(all.Sums) == 0 && t.long.zero[c.Key] && currency != "" {
				all.Sums = nothing
				t.long.seen[c.Key] = all
			}
			t.long.finish = append(t.long.finish, func(values []Value) []Value {
				fill(&values[n])
				return values
			})
		}
		for i := range t.Rows {
			fill(&t.Rows[i].Values[n])
		}
		if t.Total != nil {
			fill(&t.Total[n])
		}
	}
	for i := range t.Sections {
		t.Sections[i].zeros(house)
	}
}

// run is one Run on its way.
type run struct {
	ctx    context.Context
	st     *store.Store
	report *report
	Request
	lang      store.Language
	loc       *time.Location
	today     store.Date
	period    Period
	all       bool // no period was given, and the report has none by default
	by        []string
	rows      bool   // the records behind the figures are asked for
	behind    string // the column whose records they are; "" of all
	filter    filters
	exchanges map[[2]string]store.Exchange // by currency and day
	steps     map[grouped]*step            // that were made
	clients   []store.ClientLine           // that keep a row though nothing is theirs
	asked     bool                         // they are read
	// lacking are the currencies without a rate; failed is why converting ended.
	lacking map[string]bool
	failed  error
}

// Params are all parameters that any report knows, beside rows.
func Params() []string {
	names := []string{"period", "from", "to", "by"}
	for _, r := range reports {
		for _, name := range slices.Concat(r.filters, optionNames(r.options)) {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// ParamUsage tells what a parameter does, for the help.
func ParamUsage(name string) string {
	switch name {
	case "period":
		return "`NAME` of a stretch of time"
	case "from":
		return "first `DAY`"
	case "to":
		return "last `DAY`"
	case "by":
		return "`GROUPINGS`, outermost first, with commas"
	}
	if usage, ok := usages[name]; ok {
		return usage
	}
	for _, r := range reports {
		if words, ok := r.options[name]; ok && words == nil {
			return "number of `DAYS`"
		} else if ok {
			return "`WORD`: " + strings.Join(words, ", ")
		}
	}
	return "only of this `" + strings.ToUpper(name) + "`"
}

// usages are of filters that name no record.
var usages = map[string]string{
	"counted":      "only counted at that `PERSON`, or none",
	"campaign":     "only of the lead sources of that `CAMPAIGN`, or none",
	"unregistered": "only contacts with `WHOM` that is no client, or none",
	"before":       "no contact since before that `DAY`",
	"since":        "a contact since that `DAY`",
	"text":         "a part of the name, an address, or the client's name: `TEXT`",
	"born":         "birthday in that `MONTH`, 1 to 12",
	"birthday":     "birthday within that `NUMBER` of days, today included",
	"attribute":    "only of clients with that `NAME=VALUE`",
	"abc":          "only of this ABC `CLASS`: A, B, C, none",
	"xyz":          "only of this XYZ `CLASS`: X, Y, Z, none",
	"stage":        "only of clients at this `STAGE`: potential, one-off, regular, lost, none",
	"day":          "only of that `DAY`, or none",
	"week":         "only of the week of that `DAY`, or none",
	"month":        "only of the month of that `DAY`, or none",
}

// column is a column with its title: a word of its own, or that of the filter
// of its name.
func (r *run) column(key string, kind Type) Column {
	title := r.t("column." + key)
	if title == "column."+key {
		title = r.t("by." + key)
	}
	c := Column{Key: key, Title: title, Type: kind}
	if kind.numeric() {
		c.Behind = url.Values{"rows": {"1"}}
		if len(r.report.figures) > 0 {
			c.Behind.Set("rows", key)
		}
	}
	return c
}

// group is a grouping as a column of rows' names.
func (r *run) group(by string) Column { return Column{Key: by, Title: r.t("by." + by), Type: Text} }
