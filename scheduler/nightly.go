package scheduler

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"time"

	"intouch/mailer"
	"intouch/report"
	"intouch/store"
)

const nightlyJob = "nightly"

// Nightly is what a head is told at night (rules.md section 7), up to the end
// of the day before Today: facts and computed reports, on no page yet.
type Nightly struct {
	Head  store.Manager
	At    time.Time
	Today store.Date // that the slot means, whenever it is made up for

	Periods  []performance
	Deals    *report.Table // current ones, by manager
	Worsened *report.Table // clients since the last digest
	Improved *report.Table
	Saved    []savedTable

	// What went wrong with the daemon itself since then.
	Boxes []store.FailingMailbox
	Runs  []store.Run
	Mails []store.OutboxMail
	Names map[int64]string // of managers
}

// performance is managers' performance in a period, in the one before it and
// in the same one a year ago.
type performance struct {
	Period
	Tables [3]*report.Table
}

// savedTable is a saved report for the digest; Wrong says why it has no table.
type savedTable struct {
	Report store.SavedReport
	Table  *report.Table
	Wrong  string
}

// activity are the figures of managers' performance that say that something
// has happened.
var activity = []string{"letter in", "letter out", "call", "meeting", "visit", "other", "deals", "payments", "shipments"}

// ofDay are those that a day has of its own: how many clients and debts there
// are says the month.
var ofDay = slices.Concat(activity, []string{"minutes", "response median", "response 90", "unanswered", "deal sum", "first deals", "payment sum", "revenue", "profit", "improved", "worsened", "new"})

// Empty: yesterday nothing was done, nobody's stage changed, nothing failed.
// What is only as it was is no reason for a mail.
func (n *Nightly) Empty() bool {
	if len(n.Boxes)+len(n.Runs)+len(n.Mails) > 0 || len(n.Worsened.Rows)+len(n.Improved.Rows) > 0 {
		return false
	}
	if slices.ContainsFunc(n.Saved, func(s savedTable) bool { return s.Wrong != "" || !s.Table.Empty() }) {
		return false
	}
	yesterday := n.Periods[0].Tables[0].Only(activity...)
	return !slices.ContainsFunc(yesterday.Total, func(v report.Value) bool { return !v.Zero() })
}

// runNightly makes a head's nightly digest for a slot and queues it.
func (s *Scheduler) runNightly(ctx context.Context, m store.Manager, slot string, at time.Time) (store.Run, error) {
	run := store.Run{Job: nightlyJob, OwnerID: m.ID, Slot: slot, Started: s.st.Now()}
	if m.Email() == "" {
		run.Outcome, run.Detail = "failed", "the manager has no e-mail address"
		return s.record(ctx, run)
	}
	if off, err := s.unwanted(ctx, m.ID, store.NightlyMail); err != nil {
		return run, err
	} else if off {
		run.Outcome, run.Detail = "off", notWanted
		return s.record(ctx, run)
	}
	n, err := s.collectNightly(ctx, m, slotDay(slot), at)
	if err != nil {
		return run, err
	}
	if n.Empty() {
		run.Outcome = "empty"
		return s.record(ctx, run)
	}
	p, err := s.nightlyPage(n)
	if err != nil {
		return run, err
	}
	composed, err := s.compose(p, fmt.Sprintf("%s/%s/%s", nightlyJob, m.Login, slot), mail.Address{Name: m.Name, Address: m.Email()}, m.Location())
	var refused *addressError
	if errors.As(err, &refused) {
		run.Outcome, run.Detail = "failed", err.Error()
		return s.record(ctx, run)
	}
	if err != nil {
		return run, err
	}
	run.Outcome, run.Detail = "queued", m.Email()
	return s.record(ctx, run, composed)
}

// collectNightly reads a head's nightly digest.
func (s *Scheduler) collectNightly(ctx context.Context, m store.Manager, today store.Date, at time.Time) (*Nightly, error) {
	n := &Nightly{Head: m, At: at, Today: today, Names: map[int64]string{}}
	since := s.lastSlot(nightlyJob, m, at)
	ask := func(name string, params url.Values) (*report.Table, error) {
		t, err := report.Run(ctx, s.st, report.Request{Name: name, Viewer: m, Now: at, Currency: s.opt.Currency, Params: params})
		if err != nil {
			err = fmt.Errorf("report %s: %w", name, err)
		}
		return t, err
	}
	between := func(d days, more url.Values) url.Values {
		q := url.Values{"from": {string(d.First)}, "to": {string(d.Last)}}
		for name, values := range more {
			q[name] = values
		}
		return q
	}
	var err error
	for _, period := range periods(today) {
		p := performance{Period: period}
		for i, d := range []days{period.Now, period.Before, period.YearAgo} {
			if p.Tables[i], err = ask("managers", between(d, nil)); err != nil {
				return nil, err
			}
		}
		n.Periods = append(n.Periods, p)
	}
	if n.Deals, err = ask("open-deals", url.Values{"by": {"manager"}}); err != nil {
		return nil, err
	}
	changed := days{store.DateOf(since, m.Location()), today.Add(-1)}
	changed.First = min(changed.First, changed.Last)
	for relation, into := range map[store.Relation]**report.Table{store.Worsened: &n.Worsened, store.Improved: &n.Improved} {
		if *into, err = ask("classification", between(changed, url.Values{"rows": {"1"}, "relation": {string(relation)}})); err != nil {
			return nil, err
		}
	}
	if err := s.nightlySaved(ctx, n); err != nil {
		return nil, err
	}
	if n.Boxes, err = s.st.FailingMailboxes(ctx, tellAfter); err != nil {
		return nil, fmt.Errorf("failing mailboxes: %w", err)
	}
	if n.Runs, err = s.st.FailedRuns(ctx, since, most+1); err != nil {
		return nil, fmt.Errorf("failed runs: %w", err)
	}
	if n.Mails, err = s.st.FailedMails(ctx, since, most+1); err != nil {
		return nil, fmt.Errorf("failed mails: %w", err)
	}
	managers, err := s.st.Managers(ctx)
	for _, m := range managers {
		n.Names[m.ID] = m.Name
	}
	return n, err
}

// nightlySaved computes the head's saved reports that belong into the digest.
// One that cannot be computed any more says so.
func (s *Scheduler) nightlySaved(ctx context.Context, n *Nightly) error {
	all, err := s.st.SavedReports(ctx, n.Head)
	if err != nil {
		return fmt.Errorf("saved reports: %w", err)
	}
	for _, r := range all {
		if r.Owner.ID != n.Head.ID || !r.Nightly {
			continue
		}
		one := savedTable{Report: r}
		one.Table, err = report.Run(ctx, s.st, report.Request{Name: r.Report, Viewer: n.Head, Now: n.At, Currency: s.opt.Currency, Params: r.Params})
		var wrong *report.Invalid
		switch {
		case errors.As(err, &wrong):
			one.Wrong = wrong.Text
		case err != nil:
			return fmt.Errorf("saved report %d: %w", r.ID, err)
		case one.Table.Empty() && !r.SendEmpty:
			continue
		}
		n.Saved = append(n.Saved, one)
	}
	return nil
}

// Bounds of the digest's tables, in rows.
const nightlyRows = 50

// nightlyPage says the digest in the head's language and zone.
func (s *Scheduler) nightlyPage(n *Nightly) (*page, error) {
	loc, today := n.Head.Location(), n.Today
	w := writer{voice: voice{lang: n.Head.Language, loc: loc, year: n.At.In(loc).Year()}, base: s.opt.PublicURL, at: n.At, today: today}
	p := &page{Lang: n.Head.Language, Title: w.t("nightly", w.date(today.Add(-1))), Wide: true}

	red, green := store.StatusOverdue.Color(), store.StatusDone.Color()
	w.list(p, "failures", red, len(n.Boxes), func(i int) row { return w.failingBox(&n.Boxes[i]) })
	w.list(p, "failed jobs", red, len(n.Runs), func(i int) row { return w.failedRun(&n.Runs[i], n.Names) })
	w.list(p, "failed mails", red, len(n.Mails), func(i int) row { return w.failedMail(&n.Mails[i]) })
	w.list(p, "worsened", red, len(n.Worsened.Rows), func(i int) row { return w.changedStage(n.Worsened, i) })
	w.list(p, "improved", green, len(n.Improved.Rows), func(i int) row { return w.changedStage(n.Improved, i) })
	if failed := len(n.Boxes) + len(n.Runs) + len(n.Mails); failed > 0 {
		p.Summary = append(p.Summary, w.count(failed, "failures"))
	}
	if changes := len(n.Worsened.Rows) + len(n.Improved.Rows); changes > 0 {
		p.Summary = append(p.Summary, w.count(changes, "changes"))
	}
	yesterday := n.Periods[0].Tables[0]
	for _, key := range []string{"deals", "payments", "shipments"} {
		if v := total(yesterday, key); v.N > 0 {
			p.Summary = append(p.Summary, w.count(int(v.N), key))
		}
	}
	p.Subject = "Intouch: " + w.t("nightly", w.date(today.Add(-1)))
	if len(p.Summary) > 0 {
		p.Subject += ": " + strings.Join(p.Summary[:min(2, len(p.Summary))], ", ")
	}
	p.Subject = strings.ReplaceAll(p.Subject, "\u00a0", " ")

	for i, per := range n.Periods {
		if t := w.performance([]string{"yesterday", "month"}[i], &per); len(t.Rows) > 0 {
			p.Figures = append(p.Figures, t)
		}
	}
	add := func(title, path string, chart *report.Chart, t *report.Table, request url.Values) error {
		made, err := tableFor(link{title, w.url("%s", path)}, chart, t.First(nightlyRows), report.HTMLOptions{For: report.Mail, Base: s.opt.PublicURL, Request: request, Unlinked: s.opt.PublicURL == ""})
		p.Tables = append(p.Tables, made)
		return err
	}
	month := n.Periods[1]
	asked := url.Values{"from": {string(month.Now.First)}, "to": {string(month.Now.Last)}}
	performance := month.Tables[0].Whole().Only("letter out", "call", "meeting", "unanswered", "deals", "deal sum", "payment sum", "profit", "overdue debt")
	if err := add(w.t("performance"), report.ReportPath+"managers?"+asked.Encode(), month.Tables[0].Chart(), performance, asked); err != nil {
		return nil, err
	}
	deals := n.Deals.Summary().Whole().Only("deals", "sum", "left to ship", "left to pay")
	if err := add(w.t("current deals"), report.ReportPath+"open-deals?by=manager", n.Deals.Chart(), deals, url.Values{"by": {"manager"}}); err != nil {
		return nil, err
	}
	for _, saved := range n.Saved {
		name := mailer.OneLine(saved.Report.Name, longName)
		if saved.Wrong != "" {
			p.Notes = append(p.Notes, w.t("cannot be made", name, mailer.OneLine(saved.Wrong, longError)))
			continue
		}
		if err := add(name, saved.Report.Path(), saved.Table.Chart(), saved.Table.Turned(), saved.Report.Params); err != nil {
			return nil, err
		}
	}
	p.Open = link{w.t("open reports"), w.url("/reports")}
	p.Settings = link{w.t("saved reports"), w.url("/reports/saved")}
	p.Manager, p.Kind = n.Head.ID, store.NightlyMail
	p.Why = []string{w.t("why nightly", n.Head.Login), w.t("stop nightly")}
	return p, nil
}

// total is the total of a column; the zero value where there is none.
func total(t *report.Table, key string) report.Value {
	for i, c := range t.Columns {
		if c.Key == key && i < len(t.Total) {
			return t.Total[i]
		}
	}
	return report.Value{}
}

// performance are the totals of all managers in the three columns of the
// morning digest; rows in which all is zero are left out.
func (w *writer) performance(title string, p *performance) figures {
	out := figures{Title: w.t(title)}
	for i, d := range []days{p.Now, p.Before, p.YearAgo} {
		out.Columns[i] = strings.ReplaceAll(w.stretch(d), "\u00a0", " ")
	}
	tables := p.Tables
	for i, t := range tables {
		tables[i] = t.Whole()
	}
	for i, c := range tables[0].Columns {
		if title == "yesterday" && !slices.Contains(ofDay, c.Key) {
			continue
		}
		r, some := figure{Name: c.Title}, false
		for n, t := range tables {
			v := total(t, c.Key)
			r.Values[n], some = t.Said(i, v), some || !v.Zero()
		}
		if some {
			out.Rows = append(out.Rows, r)
		}
	}
	return out
}

func (w *writer) failingBox(b *store.FailingMailbox) row {
	return row{When: w.t("since", w.moment(b.ErrorSince)), Title: link{mailer.OneLine(b.Name, longMailbox), w.url("/status")},
		Meta: []link{{Text: w.t("error", mailer.OneLine(b.LastError, longError))}}}
}

func (w *writer) failedRun(r *store.Run, names map[int64]string) row {
	name := r.Job
	if said := w.t("job " + r.Job); said != "job "+r.Job {
		name = said
	}
	out := row{When: w.moment(r.Started), Title: link{name, w.url("/status")}}
	if who := names[r.OwnerID]; who != "" {
		out.Meta = append(out.Meta, link{Text: mailer.OneLine(who, longName)})
	}
	out.Meta = append(out.Meta, link{Text: w.t("error", mailer.OneLine(r.Detail, longError))})
	return out
}

func (w *writer) failedMail(m *store.OutboxMail) row {
	return row{When: w.moment(m.Created), Title: link{w.subject(m.Subject), w.url("/status")},
		Meta: []link{{Text: mailer.OneLine(m.To, longName)}, {Text: w.t("error", mailer.OneLine(m.LastError, longError))}}}
}

// changedStage is a client of the report on classification: what it was and
// what it is.
func (w *writer) changedStage(t *report.Table, i int) row {
	r := &t.Rows[i]
	out := row{When: mailer.OneLine(t.Cell(r, "manager"), longName), Title: link{mailer.OneLine(t.Cell(r, "client"), longName), w.url("%s", r.URL)}}
	out.Meta = []link{{Text: w.t("moved to", t.Cell(r, "stood"), t.Cell(r, "stands"))}}
	return out
}
