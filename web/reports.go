package web

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"intouch/report"
	"intouch/store"
)

// The reports of rules.md section 6: a list of them, and a page for each with
// its parameters, its table and files to download. The address of the page is
// the request, so a report can be kept as a link.

// maxReportBy is how many groupings the form offers.
const maxReportBy = 3

func (s *server) reports(v *visit) error {
	v.name = "reports"
	return s.show(v, http.StatusOK, "reports.html", v.say.t("reports"), report.Forms(v.say.lang))
}

type reportView struct {
	report.Form
	From, To, Chosen string // the period
	Grouped          []groupSelect
	Asked            []reportField
	Wrong            string
	Ask              bool // the report needs a filter before it shows anything
	Table            template.HTML
	Downloads        []download
	Before, Next     string // other pages of its records
	Figures          string // where the figures are whose records these are
	Save             string // where it is saved
}

type groupSelect struct {
	Label   string
	Options []option
}

type reportField struct {
	report.Field
	Values  []string
	Options []option // of words and managers
	Hint    string
}

type download struct{ Label, URL string }

// reportFiles are the formats to download, with their media types.
var reportFiles = map[string]string{
	"csv": "text/csv; charset=utf-8", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	"json": "application/json", "text": "text/plain; charset=utf-8", "vcard": "text/vcard; charset=utf-8",
	"svg": "image/svg+xml", "png": "image/png",
}

func (s *server) report(v *visit) error {
	v.name = "reports"
	forms := report.Forms(v.say.lang)
	at := slices.IndexFunc(forms, func(f report.Form) bool { return f.Name == v.PathValue("name") })
	if at < 0 {
		return store.ErrNotFound
	}
	q := v.URL.Query()
	format := q.Get("format")
	q.Del("format")
	q.Del("said")
	page, err := reportPage(q.Get("page"))
	if err != nil {
		return err
	}
	q.Del("page")
	view := reportView{Form: forms[at]}
	params, err := s.reportParams(v, q)
	var table *report.Table
	if err == nil {
		request := report.Request{Name: view.Name, Viewer: v.who, Now: v.say.now, Currency: s.opt.Currency, Params: params, People: format == "vcard"}
		if format == "" {
			request.Most = page * report.PageRows
		}
		table, err = report.Run(v.ctx, s.st, request)
	}
	var wrong *report.Invalid
	switch {
	case errors.As(err, &wrong) && len(q) == 0: // a report that must first be asked something
		view.Ask = true
	case errors.As(err, &wrong):
		view.Wrong = v.say.t("reports.wrong", wrong.Text)
	case err != nil:
		return err
	case reportFiles[format] != "":
		return writeReportFile(v, table, format)
	case format != "":
		return store.ErrNotFound
	}
	if err := s.offerReport(v, &view, q); err != nil {
		return err
	}
	title, code := view.Title, http.StatusOK
	if view.Wrong != "" {
		code = http.StatusBadRequest
	}
	if table != nil {
		title = table.Title
		var buf bytes.Buffer
		if err := table.WriteHTML(&buf, report.HTMLOptions{For: report.Page, Request: params, Skip: (page - 1) * report.PageRows}); err != nil {
			return err
		}
		view.Table = template.HTML(buf.String()) // escaped by report's own template
		for _, f := range []string{"xlsx", "csv", "text", "json", "vcard", "png", "svg"} {
			if f == "vcard" && !view.Persons || (f == "png" || f == "svg") && table.Chart() == nil {
				continue
			}
			with := cloned(q)
			with.Set("format", f)
			label := strings.ToUpper(f)
			if f == "text" {
				label = v.say.t("reports.text")
			}
			view.Downloads = append(view.Downloads, download{label, "?" + with.Encode()})
		}
		if page > 1 {
			view.Before = pageOf(q, page-1)
		}
		if page < maxReportPages && table.HasMore(page*report.PageRows) {
			view.Next = pageOf(q, page+1)
		}
		kept := cloned(params)
		kept.Set("report", view.Name)
		view.Save = "/reports/saved/new?" + kept.Encode()
		if q.Get("rows") != "" {
			back := cloned(q)
			back.Del("rows")
			view.Figures = "?" + back.Encode()
		}
	}
	return s.show(v, code, "report.html", title, view)
}

// maxReportPages bounds the pages that the records of a report have.
const maxReportPages = 1000

// reportPage is the number of a page of records, the first by default.
func reportPage(said string) (int, error) {
	if said == "" {
		return 1, nil
	}
	n, err := strconv.Atoi(said)
	if err != nil || n < 1 || n > maxReportPages {
		return 0, store.ErrNotFound
	}
	return n, nil
}

// pageOf leads to another page of the same records.
func pageOf(q url.Values, page int) string {
	to := cloned(q)
	to.Set("page", strconv.Itoa(page))
	return "?" + to.Encode()
}

func cloned(q url.Values) url.Values {
	out := url.Values{}
	for name, values := range q {
		out[name] = slices.Clone(values)
	}
	return out
}

// reportParams are the parameters of a report as its Request takes them: the
// form gives each grouping by itself, and clients by their names.
func (s *server) reportParams(v *visit, q url.Values) (url.Values, error) {
	params := cloned(q)
	delete(params, "by")
	var by []string
	for _, g := range strings.Split(strings.Join(q["by"], ","), ",") {
		if g != "" && !slices.Contains(by, g) {
			by = append(by, g)
		}
	}
	if len(by) > 0 {
		params.Set("by", strings.Join(by, ","))
	}
	if params.Get("from")+params.Get("to") != "" {
		params.Del("period") // days that are given beat the name of a period
	}
	for i, name := range params["client"] {
		if name == "" || name == "none" || strings.HasPrefix(name, "#") {
			continue
		}
		found, err := s.st.Clients(v.ctx, v.who, name, 500)
		if err != nil {
			return nil, err
		}
		if same := slices.IndexFunc(found, func(c store.Client) bool { return strings.EqualFold(c.Name, name) }); same >= 0 {
			found = found[same : same+1]
		}
		if len(found) == 1 {
			params["client"][i] = fmt.Sprintf("#%d", found[0].ID)
			continue
		}
		if _, err := s.st.RecordNamed(v.ctx, "client", 0, name); err != nil { // it may be a key, which the report knows
			return nil, &report.Invalid{Text: v.say.t("reports.noclient", clip(80, name))}
		}
	}
	return params, nil
}

// offerReport fills the form with what was asked for.
func (s *server) offerReport(v *visit, view *reportView, q url.Values) error {
	view.From, view.To, view.Chosen = q.Get("from"), q.Get("to"), q.Get("period")
	if view.Chosen != "" && !slices.ContainsFunc(view.Periods, func(c report.Choice) bool { return c.Value == view.Chosen }) {
		view.Periods = append(view.Periods, report.Choice{Value: view.Chosen, Label: view.Chosen}) // like 2026-Q3
	}
	by := view.By
	if given := strings.Join(q["by"], ","); strings.Trim(given, ",") != "" {
		by = slices.DeleteFunc(strings.Split(given, ","), func(g string) bool { return g == "" })
	}
	for n := 0; n < max(min(maxReportBy, len(view.Groupings)), len(by)) && n < 5 && len(view.Groupings) > 0; n++ {
		g := groupSelect{Label: v.say.t("reports.by"), Options: []option{{Label: v.say.t("reports.nothing")}}}
		if n > 0 {
			g.Label = v.say.t("reports.then")
		}
		for _, c := range view.Groupings {
			g.Options = append(g.Options, option{Value: c.Value, Label: c.Label, On: n < len(by) && by[n] == c.Value})
		}
		view.Grouped = append(view.Grouped, g)
	}
	for _, f := range view.Fields {
		field := reportField{Field: f, Values: q[f.Name]}
		if len(field.Values) == 0 {
			field.Values = []string{""}
		}
		if f.Name == "manager" {
			if v.who.Role != store.RoleHead {
				continue
			}
			managers, err := s.st.Managers(v.ctx)
			if err != nil {
				return err
			}
			field.Kind = report.WordField
			for _, m := range managers {
				field.Choices = append(field.Choices, report.Choice{Value: fmt.Sprintf("#%d", m.ID), Label: m.Name})
			}
		}
		switch field.Kind {
		case report.WordField:
			field.Options = []option{{Label: v.say.t("reports.any")}}
			for _, c := range field.Choices {
				field.Options = append(field.Options, option{Value: c.Value, Label: c.Label, On: slices.Contains(field.Values, c.Value)})
			}
		case report.RecordField:
			field.Hint = v.say.t("reports.record")
			if f.Name == "client" {
				field.Hint = v.say.t("reports.clienthint")
			}
		case report.TextField:
			if f.Name == "attribute" {
				field.Hint = "segment=horeca"
			}
		}
		view.Asked = append(view.Asked, field)
	}
	return nil
}

// reportSchema gives the JSON Schema of reports as JSON.
func (s *server) reportSchema(v *visit) error {
	v.w.Header().Set("Content-Type", "application/schema+json")
	_, err := v.w.Write(report.Schema)
	return err
}

// writeReportFile sends the table as a file. In Russian a CSV is made for
// Excel there.
func writeReportFile(v *visit, t *report.Table, format string) error {
	var buf bytes.Buffer
	write := map[string]func(io.Writer) error{
		"csv":  func(w io.Writer) error { return t.WriteCSV(w, v.say.lang == store.Russian) },
		"xlsx": t.WriteXLSX, "json": t.WriteJSON, "text": t.WriteText, "vcard": t.WriteVCard, "svg": t.WriteSVG, "png": t.WritePNG,
	}[format]
	if err := write(&buf); err != nil {
		var wrong *report.Invalid
		if errors.As(err, &wrong) {
			return store.ErrNotFound
		}
		return err
	}
	extension := map[string]string{"text": "txt", "vcard": "vcf"}[format]
	if extension == "" {
		extension = format
	}
	v.w.Header().Set("Content-Type", reportFiles[format])
	v.w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s-%s.%s"`, t.Name, v.say.today(), extension))
	_, err := buf.WriteTo(v.w)
	return err
}
