package scheduler

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"html/template"
	"math/bits"
	"net/mail"
	"slices"
	"strings"
	"time"

	"intouch/mailer"
	"intouch/report"
	"intouch/store"
)

// Saved reports by mail. Each is computed with the rights and in the zone of
// its owner, whoever reads it, and said in the reader's language.
const (
	// savedLate is how old a slot may be that was missed: yesterday's figures
	// are still worth having today, and a month's surely.
	savedLate = 24 * time.Hour
	// savedRows are shown in a mail; the page and the file have all.
	savedRows = 100
	// largestFile is what a mail carries: many servers take no more than 10 MB,
	// and base64 makes a third more of it.
	largestFile = 5 << 20
)

// CheckSavedCron says what is wrong with the schedule of a saved report: as
// CheckCron, and it may come once an hour at most.
func CheckSavedCron(expr string) error {
	s, err := parseSchedule(expr)
	if err == nil && !s.never() && bits.OnesCount64(s.spec.Minute&(1<<60-1)) > 1 {
		err = fmt.Errorf("%q comes more often than once an hour", expr)
	}
	return err
}

// dueReports mails the saved reports whose slot has come and that the ledger
// does not have.
func (s *Scheduler) dueReports(ctx context.Context, at time.Time, only []store.Manager) (results []Result, err error) {
	all, err := s.st.ScheduledReports(ctx)
	if err != nil {
		return nil, err
	}
	var faults []error
	for _, r := range all {
		if ctx.Err() != nil {
			break
		}
		if len(only) > 0 && !slices.ContainsFunc(only, func(m store.Manager) bool { return m.ID == r.Owner.ID }) {
			continue
		}
		result, err := s.dueReport(ctx, r, at)
		if err != nil {
			faults = append(faults, fmt.Errorf("saved report %d of %s: %w", r.ID, r.Owner.Login, err))
			result.Outcome, result.Detail = "failed", err.Error()
		}
		if result.Outcome != "" {
			results = append(results, result)
		}
	}
	return results, errors.Join(faults...)
}

// dueReport mails one report if its slot has come; without an outcome there
// was nothing to do.
func (s *Scheduler) dueReport(ctx context.Context, r store.SavedReport, at time.Time) (Result, error) {
	result := Result{Manager: r.Owner.Login}
	times, err := parseSchedule(r.Schedule)
	if err != nil {
		return result, err
	}
	slot, ok := times.latest(r.Owner.Location(), at, savedLate)
	// A slot before the report had that schedule is nobody's.
	if !ok || !slot.at.After(r.Since) {
		return result, nil
	}
	result.Slot = store.SavedReportSlot(r.ID, slot.name)
	known := s.jobs[store.SavedReportsJob]
	if known.known(r.ID, slot.name) {
		return result, nil
	}
	ran, err := s.st.Ran(ctx, store.SavedReportsJob, r.Owner.ID, result.Slot)
	if err == nil && !ran {
		var run store.Run
		run, err = s.mailReport(ctx, r, result.Slot, slot.at)
		result.Outcome, result.Detail = run.Outcome, run.Detail
	}
	if err == nil {
		known.know(r.ID, slot.name)
	}
	return result, err
}

// byHand ends the slot of a report that somebody had mailed, and who is told at
// once what became of it.
const byHand = " by hand"

// MailReport mails a saved report now, beside its schedule; once a minute at
// most.
func (s *Scheduler) MailReport(ctx context.Context, r store.SavedReport) (store.Run, error) {
	now := s.st.Now()
	if len(r.Recipients) == 0 {
		return store.Run{}, &report.Invalid{Text: "the report has no recipients"}
	}
	return s.mailReport(ctx, r, store.SavedReportSlot(r.ID, now.In(r.Owner.Location()).Format("2006-01-02T15:04")+byHand), now)
}

// mailReport runs the mails of a report as a job of its own: one that panics
// holds up no other.
func (s *Scheduler) mailReport(ctx context.Context, r store.SavedReport, slot string, at time.Time) (store.Run, error) {
	of := job{name: store.SavedReportsJob, of: eachManager,
		run: func(s *Scheduler, ctx context.Context, _ store.Manager, slot string, at time.Time) (store.Run, error) {
			return s.runReport(ctx, r, slot, at)
		}}
	return s.once(ctx, &timed{job: of}, r.Owner, slot, at, false)
}

// runReport computes a report as of a moment and queues it for each recipient.
func (s *Scheduler) runReport(ctx context.Context, r store.SavedReport, slot string, at time.Time) (store.Run, error) {
	run := store.Run{Job: store.SavedReportsJob, OwnerID: r.Owner.ID, Slot: slot, Started: s.st.Now()}
	var mails []store.Mail
	var sent, lost []string
	tables := map[store.Language]*report.Table{}
	for _, to := range r.Recipients {
		reader := to.Manager
		if reader.ID == 0 {
			reader = store.Manager{Emails: []string{to.Address}, Language: r.Owner.Language}
		}
		if reader.Email() == "" {
			lost = append(lost, to.String()+" has no e-mail address")
			continue
		}
		if off, err := s.unwanted(ctx, reader.ID, store.ReportMail); err != nil {
			return run, err
		} else if off {
			lost = append(lost, to.String()+" does not want it")
			continue
		}
		table := tables[reader.Language]
		if table == nil {
			viewer := r.Owner
			viewer.Language = reader.Language
			var err error
			table, err = report.Run(ctx, s.st, report.Request{Name: r.Report, Viewer: viewer, Now: at, Currency: s.opt.Currency, Params: r.Params})
			var wrong *report.Invalid
			if errors.As(err, &wrong) { // what it selects by is gone
				run.Outcome, run.Detail = "failed", r.Name+": "+wrong.Text
				return s.record(ctx, run, s.tellOwner(r, slot, wrong.Text, at)...)
			} else if err != nil {
				return run, err
			}
			tables[reader.Language] = table
		}
		if table.Empty() && !r.SendEmpty {
			run.Outcome, run.Detail = "empty", r.Name
			return s.record(ctx, run)
		}
		p, err := s.reportPage(r, reader, table, at)
		if err != nil {
			return run, err
		}
		mail, err := s.compose(p, fmt.Sprintf("reports/%s/%s", slot, to), mail.Address{Name: reader.Name, Address: reader.Email()}, r.Owner.Location())
		var refused *addressError
		if errors.As(err, &refused) {
			lost = append(lost, err.Error())
			continue
		} else if err != nil {
			return run, err
		}
		if reader.ID != r.Owner.ID {
			mail.CopyTo = s.opt.SentCopies[r.Owner.Login]
		}
		mails, sent = append(mails, mail), append(sent, reader.Email())
	}
	run.Outcome, run.Detail = "queued", r.Name+": "+strings.Join(sent, ", ")
	if len(lost) > 0 {
		run.Detail += "; not sent: " + strings.Join(lost, "; ")
	}
	if len(sent) == 0 {
		run.Outcome = "failed"
	}
	return s.record(ctx, run, mails...)
}

// tellOwner is the mail to the owner that a report cannot be made any more. No
// mail where there is no address for it: the ledger has it, too.
func (s *Scheduler) tellOwner(r store.SavedReport, slot, reason string, at time.Time) []store.Mail {
	if r.Owner.Email() == "" || strings.HasSuffix(slot, byHand) {
		return nil
	}
	w := writer{voice: voice{lang: r.Owner.Language, loc: r.Owner.Location()}, base: s.opt.PublicURL, at: at}
	name := mailer.OneLine(r.Name, longName)
	p := &page{Lang: r.Owner.Language, Title: w.t("report failed", name), Summary: []string{mailer.OneLine(reason, longError)},
		Advice: []string{w.t("report failed advice")}, Open: link{w.t("saved reports"), w.url("/reports/saved/%d", r.ID)}, Why: []string{w.t("why own report", name)}}
	p.Subject = "Intouch: " + p.Title
	composed, err := s.compose(p, fmt.Sprintf("reports/%s/failed", slot), mail.Address{Name: r.Owner.Name, Address: r.Owner.Email()}, r.Owner.Location())
	if err != nil {
		s.log.Warn("owner of a saved report could not be told", "job", store.SavedReportsJob, "manager", r.Owner.Login, "err", err)
		return nil
	}
	return []store.Mail{composed}
}

// reportPage says a report to one reader; without ID it is nobody of ours, who
// cannot open the pages.
func (s *Scheduler) reportPage(r store.SavedReport, reader store.Manager, t *report.Table, at time.Time) (*page, error) {
	loc := r.Owner.Location()
	w := writer{voice: voice{lang: reader.Language, loc: loc, year: at.In(loc).Year()}, base: s.opt.PublicURL, at: at}
	name := mailer.OneLine(r.Name, longName)
	p := &page{Lang: reader.Language, Title: name, Summary: []string{t.Title}, Wide: len(t.Turned().Columns) > 6}
	p.Subject = strings.ReplaceAll("Intouch: "+name+" — "+w.date(store.DateOf(at, loc)), "\u00a0", " ")
	table, err := s.reportTable(t, r, reader)
	if err != nil {
		return nil, err
	}
	p.Tables = []reportTable{table}
	if r.Attach != "" {
		file, err := reportFile(t, r.Attach, store.DateOf(at, loc))
		if err != nil {
			return nil, err
		}
		if len(file.Data) > largestFile {
			p.Notes = append(p.Notes, w.t("file too large", file.Name))
		} else {
			p.Files = []mailer.File{file}
			p.Notes = append(p.Notes, w.t("file", file.Name))
		}
	}
	owner := mailer.OneLine(r.Owner.Name, longName)
	switch reader.ID {
	case r.Owner.ID:
		p.Why = []string{w.t("why own report", name)}
	default:
		p.Why = []string{w.t("why report", owner), w.t("stop report", owner)}
	}
	// An address beyond ASCII would need a server that takes such header fields.
	ascii := !strings.ContainsFunc(r.Owner.Email(), func(c rune) bool { return c > '~' })
	if r.Owner.Email() != "" && ascii && reader.ID != r.Owner.ID {
		p.ReplyTo = &mail.Address{Name: owner, Address: r.Owner.Email()}
	}
	if reader.ID != 0 {
		p.Open = link{w.t("open report"), w.url("%s", r.Path())}
		p.Settings = link{w.t("saved reports"), w.url("/reports/saved")}
		p.Manager, p.Kind = reader.ID, store.ReportMail
	}
	return p, nil
}

// reportTable is the table of a saved report as a part of a page.
func (s *Scheduler) reportTable(t *report.Table, r store.SavedReport, reader store.Manager) (reportTable, error) {
	opt := report.HTMLOptions{For: report.Mail, Base: s.opt.PublicURL, Request: r.Params, Unlinked: reader.ID == 0 || s.opt.PublicURL == ""}
	return tableFor(link{}, t.Chart(), t.First(savedRows).Turned(), opt)
}

// tableFor writes a table for both forms of a mail, under that heading and the
// chart; without a heading the page has said what it is.
func tableFor(title link, chart *report.Chart, t *report.Table, opt report.HTMLOptions) (out reportTable, err error) {
	var html, text bytes.Buffer
	bare := *t // the chart stands between what it is about and the table
	bare.About = nil
	if err := errors.Join(bare.WriteHTML(&html, opt), t.WriteText(&text)); err != nil {
		return out, err
	}
	out.Title, out.About, out.Chart, out.HTML = title, t.About, pictureOf(chart), template.HTML(html.String()) // escaped by report's own template
	_, rest, _ := strings.Cut(text.String(), "\n")                                                             // behind its own title
	out.Text = strings.TrimLeft(title.Text+"\n", "\n") + strings.TrimRight(rest, "\n")
	return out, nil
}

// reportFile is the whole table as a file. In Russian a CSV is made for Excel
// there.
func reportFile(t *report.Table, format store.ReportFile, day store.Date) (f mailer.File, err error) {
	var data bytes.Buffer
	f.Name = fmt.Sprintf("%s-%s.%s", t.Name, day, format)
	switch format {
	case store.AttachCSV:
		f.Type = "text/csv; charset=utf-8"
		err = t.WriteCSV(&data, t.Lang == store.Russian)
	default:
		f.Type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
		err = t.WriteXLSX(&data)
	}
	f.Data = data.Bytes()
	return f, err
}
