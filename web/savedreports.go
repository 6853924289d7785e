package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"intouch/report"
	"intouch/store"
)

// Saved reports: a list of them, and a form that a report's page leads to.
// Whose a report is decides what it shows, also to those whom it is mailed.

// ReportMail is what the pages need of the jobs to mail saved reports; without
// it they are kept and shown, not mailed.
type ReportMail struct {
	// Check says what is wrong with a schedule: cron, "" for never.
	Check func(cron string) error
	// Send mails a report now.
	Send func(context.Context, store.SavedReport) (store.Run, error)
}

type savedReportsView struct {
	Rows   []savedReportRow
	Owners bool // those of several managers are shown
	CanNow bool
}

type savedReportRow struct {
	Name, Owner, Title string
	Asked              []string // period, groupings, filters
	Wrong              string   // why it cannot be computed
	Open, Action       string   // addresses
	When, To, Last     string
	Failed, CanSend    bool
}

func (s *server) savedReports(v *visit) error {
	v.name = "reports"
	all, err := s.st.SavedReports(v.ctx, v.who)
	if err != nil {
		return err
	}
	view := savedReportsView{CanNow: s.opt.ReportMail != nil}
	titles := map[string]string{}
	for _, f := range report.Forms(v.say.lang) {
		titles[f.Name] = f.Title
	}
	for i := range all {
		r := &all[i]
		row := savedReportRow{Name: r.Name, Owner: r.Owner.Name, Title: titles[r.Report], Open: r.Path(), Action: fmt.Sprintf("/reports/saved/%d", r.ID),
			When: v.say.schedule(r.Schedule), CanSend: len(r.Recipients) > 0}
		view.Owners = view.Owners || r.Owner.ID != v.who.ID
		if row.Asked, row.Wrong, err = s.asked(v, r.Report, r.Params, r.Owner); err != nil {
			return err
		}
		var to []string
		for _, one := range r.Recipients {
			name := one.Address
			if one.Manager.ID != 0 {
				name = one.Manager.Name
			}
			to = append(to, name)
		}
		row.To = strings.Join(to, ", ")
		if r.Nightly {
			row.When = strings.Trim(row.When+"; "+v.say.t("saved.innightly"), "; ")
		}
		row.When = cmp.Or(row.When, v.say.t("saved.byhand"))
		if last := r.Last; !last.Started.IsZero() {
			row.Failed = last.Outcome == "failed"
			row.Last = v.say.moment(last.Started) + ": " + known(v.say, "outcome.", last.Outcome)
			if row.Failed {
				row.Last += ". " + clip(500, last.Detail)
			}
		}
		view.Rows = append(view.Rows, row)
	}
	return s.show(v, http.StatusOK, "savedreports.html", v.say.t("saved"), view)
}

// asked says what a report asks for, as its owner sees it; wrong is why it
// cannot be computed.
func (s *server) asked(v *visit, name string, params url.Values, owner store.Manager) (lines []string, wrong string, err error) {
	owner.Language = v.say.lang
	lines, err = report.Asked(v.ctx, s.st, report.Request{Name: name, Viewer: owner, Now: v.say.now, Currency: s.opt.Currency, Params: params})
	var bad *report.Invalid
	if errors.As(err, &bad) {
		return nil, v.say.t("reports.wrong", bad.Text), nil
	}
	return lines, "", err
}

// savedReportForm is the form of a saved report, with what was chosen.
type savedReportForm struct {
	ID               int64 // 0: a new one
	Name             string
	Report, Params   string // Params as a query
	Owner            string // where it is another's
	Title            string
	Asked            []string
	Open             string
	Fixed            bool // its period is days, which do not move with time
	Managers         []option
	Addresses        string
	Whens, Files     []option
	At, Cron         string
	SendEmpty, Head  bool
	Nightly, CanMail bool
	Wrong            string
	Errors           map[string]string
	recipients       []string
	when             string
	file             store.ReportFile
	params           url.Values
	owner            store.Manager
}

// maxRecipientText bounds what is typed as addresses.
const maxRecipientText = 4000

func (s *server) newSavedReport(v *visit) error {
	q := v.URL.Query()
	name := q.Get("report")
	q.Del("report")
	q.Del("said")
	form := savedReportForm{Report: name, params: q, owner: v.who, recipients: []string{v.who.Login}, At: "08:00", when: "never"}
	return s.showSavedReport(v, http.StatusOK, form)
}

// ownedReport is the saved report of the path, if this manager may see it.
func (s *server) ownedReport(v *visit) (store.SavedReport, error) {
	id, err := v.number("id")
	if err != nil {
		return store.SavedReport{}, err
	}
	return s.st.SavedReport(v.ctx, v.who, id)
}

func (s *server) savedReport(v *visit) error {
	r, err := s.ownedReport(v)
	if err != nil {
		return err
	}
	form := savedReportForm{ID: r.ID, Name: r.Name, Report: r.Report, params: r.Params, owner: r.Owner, SendEmpty: r.SendEmpty, Nightly: r.Nightly, file: r.Attach}
	form.when, form.At = plainTimes(r.Schedule)
	if form.when == "cron" {
		form.Cron = r.Schedule
	}
	for _, one := range r.Recipients {
		form.recipients = append(form.recipients, one.String())
	}
	return s.showSavedReport(v, http.StatusOK, form)
}

func (s *server) showSavedReport(v *visit, code int, f savedReportForm) error {
	v.name = "reports"
	forms := report.Forms(v.say.lang)
	at := slices.IndexFunc(forms, func(one report.Form) bool { return one.Name == f.Report })
	if at < 0 {
		return store.ErrNotFound
	}
	f.Title, f.Params = forms[at].Title, f.params.Encode()
	saved := store.SavedReport{Report: f.Report, Params: f.params}
	f.Open = saved.Path()
	f.Fixed = f.params.Get("from") != ""
	f.Head, f.CanMail = f.owner.Role == store.RoleHead, s.opt.ReportMail != nil
	if f.owner.ID != v.who.ID {
		f.Owner = f.owner.Name
	}
	if f.Name == "" && f.ID == 0 && len(f.Errors) == 0 {
		f.Name = f.Title
	}
	var err error
	if f.Asked, f.Wrong, err = s.asked(v, f.Report, f.params, f.owner); err != nil {
		return err
	}
	team, err := s.st.Managers(v.ctx)
	if err != nil {
		return err
	}
	var others []string
	for _, m := range team {
		f.Managers = append(f.Managers, option{m.Login, m.Name, slices.Contains(f.recipients, m.Login)})
	}
	for _, to := range f.recipients {
		if !slices.ContainsFunc(team, func(m store.Manager) bool { return m.Login == to }) {
			others = append(others, to)
		}
	}
	f.Addresses = strings.Join(others, ", ")
	for _, when := range []string{"never", "daily", "workdays", "weekly", "monthly", "cron"} {
		f.Whens = append(f.Whens, option{when, v.say.t("saved.when." + when), when == f.when})
	}
	for _, file := range []store.ReportFile{"", store.AttachXLSX, store.AttachCSV} {
		label := strings.ToUpper(string(file))
		if file == "" {
			label = v.say.t("saved.nofile")
		}
		f.Files = append(f.Files, option{string(file), label, file == f.file})
	}
	title := v.say.t("saved.new")
	if f.ID != 0 {
		title = v.say.t("saved.one")
	}
	return s.show(v, code, "savedreport.html", title, f)
}

// readSavedReport understands the form of a report of that owner.
func readSavedReport(q url.Values, owner store.Manager) (savedReportForm, error) {
	params, err := url.ParseQuery(q.Get("params"))
	if err != nil {
		return savedReportForm{}, errBadForm
	}
	f := savedReportForm{Name: strings.TrimSpace(q.Get("name")), Report: q.Get("report"), params: params, owner: owner, when: q.Get("when"), At: q.Get("at"),
		Cron: strings.TrimSpace(q.Get("cron")), SendEmpty: q.Get("empty") != "", Nightly: q.Get("nightly") != "", file: store.ReportFile(q.Get("file"))}
	f.recipients = slices.Concat(q["manager"][:min(len(q["manager"]), 100)], strings.FieldsFunc(clip(maxRecipientText, q.Get("addresses")), func(r rune) bool { return strings.ContainsRune(",; \t\r\n", r) }))
	return f, nil
}

// cron is the schedule that the form asks for.
func (f *savedReportForm) cron() (string, error) {
	if f.when == "never" {
		return "", nil
	}
	if f.when == "cron" {
		return f.Cron, nil
	}
	var hour, minute int
	if n, err := fmt.Sscanf(f.At, "%d:%d", &hour, &minute); n != 2 || err != nil || hour < 0 || hour > 23 || minute < 0 || minute > 59 {
		return "", errBadForm
	}
	days, ok := timesOf[f.when]
	if !ok {
		return "", errBadForm
	}
	return fmt.Sprintf("%d %d %s", minute, hour, days), nil
}

// timesOf are the days of the schedules that have a word.
var timesOf = map[string]string{"daily": "* * *", "workdays": "* * 1-5", "weekly": "* * 1", "monthly": "1 * *"}

var plainCron = regexp.MustCompile(`^(\d{1,2}) (\d{1,2}) (\S+ \S+ \S+)$`)

// plainTimes is the schedule as its word and time of day; "cron" where it has
// none.
func plainTimes(cron string) (when, at string) {
	if cron == "" {
		return "never", "08:00"
	}
	if m := plainCron.FindStringSubmatch(cron); m != nil {
		for word, days := range timesOf {
			if days == m[3] {
				return word, fmt.Sprintf("%02s:%02s", m[2], m[1])
			}
		}
	}
	return "cron", "08:00"
}

// schedule says when a report is mailed; "" for never.
func (v voice) schedule(cron string) string {
	switch when, at := plainTimes(cron); when {
	case "never":
		return ""
	case "cron":
		return cron
	default:
		return v.t("saved.when."+when) + ", " + at
	}
}

func (s *server) makeSavedReport(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	form, err := readSavedReport(v.PostForm, v.who)
	if err != nil {
		return err
	}
	return s.saveReport(v, form)
}

// editSavedReport does what the buttons of a saved report say.
func (s *server) editSavedReport(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	r, err := s.ownedReport(v)
	if err != nil {
		return err
	}
	switch v.PostFormValue("do") {
	case "save":
		form, err := readSavedReport(v.PostForm, r.Owner)
		if err != nil {
			return err
		}
		form.ID = r.ID
		return s.saveReport(v, form)
	case "delete":
		if err := s.st.DropSavedReport(v.ctx, v.actor(), r.ID); err != nil {
			return err
		}
		return v.back("/reports/saved", "reportdeleted")
	case "send":
		if s.opt.ReportMail == nil || len(r.Recipients) == 0 {
			return store.ErrNotFound
		}
		run, err := s.opt.ReportMail.Send(v.ctx, r)
		if err != nil {
			return err
		}
		said := map[string]string{"queued": "reportsent", "empty": "reportempty", "failed": "reportfailed"}[run.Outcome]
		if said == "" {
			said = "reportsent" // in this minute already
		}
		return v.back("/reports/saved", said)
	}
	return errBadForm
}

// saveReport keeps the report of a form. What is wrong is said in the form.
func (s *server) saveReport(v *visit, f savedReportForm) error {
	f.Errors = map[string]string{}
	_, wrong, err := s.asked(v, f.Report, f.params, f.owner)
	if err != nil {
		return err
	}
	cron, err := f.cron()
	if err == nil && s.opt.ReportMail != nil {
		err = s.opt.ReportMail.Check(cron)
	}
	switch {
	case err != nil:
		f.Errors["schedule"] = v.say.t("saved.badtime")
		if f.when == "cron" {
			f.Errors["schedule"] = v.say.t("saved.badcron", err)
		}
	case wrong == "":
		_, err = s.st.SaveReport(v.ctx, v.actor(), f.owner.ID, f.ID, store.SavedReportEdit{Name: f.Name, Report: f.Report, Params: f.params, Schedule: cron,
			Recipients: f.recipients, Attach: f.file, SendEmpty: f.SendEmpty, Nightly: f.Nightly})
		var bad *store.Invalid
		switch {
		case err == nil:
			return v.back("/reports/saved", "saved")
		case errors.Is(err, store.ErrConflict):
			f.Errors["name"] = v.say.t("saved.nametaken")
		case errors.As(err, &bad) && bad.Field == "name" && f.Name == "":
			f.Errors["name"] = v.say.t("saved.noname")
		case errors.As(err, &bad) && bad.Field == "recipients" && len(f.recipients) == 0:
			f.Errors["recipients"] = v.say.t("saved.nobody")
		case errors.As(err, &bad) && bad.Field == "recipients":
			f.Errors["recipients"] = v.say.t("saved.badrecipients", bad.Reason)
		case errors.As(err, &bad) && bad.Field != "":
			f.Errors[bad.Field] = v.say.t("saved.bad", bad.Error())
		default:
			return err
		}
	}
	return s.showSavedReport(v, http.StatusUnprocessableEntity, f)
}
