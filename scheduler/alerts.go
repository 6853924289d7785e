package scheduler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/mail"
	"slices"
	"strings"
	"time"

	"intouch/mailer"
	"intouch/store"
)

// Alerts: what somebody must mend is told the administrator, and a mailbox's
// trouble its manager too, as is that a mail in a manager's name was refused, in one mail for each problem and day, and one more
// when it is over. What is wrong now is a query; who was told of what on which
// day is the ledger's.
const (
	alertsJob = "alerts"
	// tellAfter is how long a mailbox must have been failing, or a mail have
	// waited; tellAgain when somebody is told of it again.
	tellAfter = time.Hour
	tellAgain = 24 * time.Hour
	// toldBack is how long a problem is remembered for the mail that it is
	// over, refusedBack how long a refused mail is one.
	toldBack    = 8 * 24 * time.Hour
	refusedBack = 3 * 24 * time.Hour
	mostRefused = 100
	// backupJob is the one whose failure is told.
	backupJob = "backups"
)

// problemKind is what is wrong.
type problemKind string

const (
	failingMailbox problemKind = "mailbox"
	stuckOutbox    problemKind = "outbox"
	refusedMail    problemKind = "mail"
	fullDisk       problemKind = "disk"
	failedBackup   problemKind = "backup"
)

// problem is one thing that is wrong. Its kind and name tell it from others.
type problem struct {
	kind   problemKind
	name   string // of the mailbox, address of the recipient; "" where there is only one
	since  time.Time
	cause  string
	owners []int64 // managers who are told too

	box      *store.FailingMailbox // of a mailbox
	subjects map[int64]string      // of a refused mail, of each owner's
	subject  string                // that of the reader's, "" where it was not theirs
	count    int64                 // of mails that wait
	free     int64                 // bytes on the disk
}

// key is "mailbox anna" or "disk".
func (p *problem) key() string { return strings.TrimSpace(string(p.kind) + " " + p.name) }

// health is what is wrong at a moment, and since when the rest is well.
type health struct {
	problems []problem
	// well says since when a problem of that key is known to be over; what is
	// in neither was taken out of the settings, or is too old to know.
	well map[string]time.Time
}

// check asks for all that may be wrong.
func (s *Scheduler) check(ctx context.Context, at time.Time) (h health, err error) {
	h.well = map[string]time.Time{}
	boxes, err := s.st.FailingMailboxes(ctx, tellAfter)
	if err != nil {
		return h, fmt.Errorf("failing mailboxes: %w", err)
	}
	for _, b := range boxes {
		h.problems = append(h.problems, problem{kind: failingMailbox, name: b.Name, since: b.ErrorSince, cause: b.LastError, owners: []int64{b.ManagerID}, box: &b})
	}
	states, err := s.st.MailboxStates(ctx)
	if err != nil {
		return h, fmt.Errorf("mailboxes: %w", err)
	}
	for _, b := range states {
		if b.LastSuccess.After(b.ErrorSince) || b.LastError == "" {
			h.well[(&problem{kind: failingMailbox, name: b.Name}).key()] = b.LastSuccess
		}
	}

	if s.opt.SMTP != nil {
		waiting, err := s.st.WaitingMails(ctx, at.Add(-tellAfter))
		if err != nil {
			return h, fmt.Errorf("waiting mails: %w", err)
		}
		if waiting.Count > 0 {
			h.problems = append(h.problems, problem{kind: stuckOutbox, since: waiting.Oldest, cause: waiting.LastError, count: waiting.Count})
		} else {
			h.well[string(stuckOutbox)] = at
		}
		refused, err := s.st.RefusedRecipients(ctx, at.Add(-refusedBack), mostRefused)
		if err != nil {
			return h, fmt.Errorf("refused mails: %w", err)
		}
		for _, r := range refused {
			p := problem{kind: refusedMail, name: r.Address, since: r.At, cause: r.Reason, owners: slices.Collect(maps.Keys(r.Owners)), subjects: r.Owners}
			if r.Delivered {
				h.well[p.key()] = at
			} else {
				h.problems = append(h.problems, p)
			}
		}
	}

	switch disk := s.st.Disk(); {
	case disk.Low():
		h.problems = append(h.problems, problem{kind: fullDisk, since: at, free: disk.Free})
	case disk.Free > disk.Limit()*6/5: // not by a file that comes and goes
		h.well[string(fullDisk)] = at
	}

	backups, err := s.st.RunsOf(ctx, backupJob, at.Add(-toldBack))
	if err != nil {
		return h, fmt.Errorf("backups: %w", err)
	}
	if n := len(backups); n > 0 {
		if last := backups[n-1]; last.Outcome == "failed" {
			h.problems = append(h.problems, problem{kind: failedBackup, since: last.Started, cause: last.Detail})
		} else {
			h.well[string(failedBackup)] = last.Started
		}
	}
	return h, nil
}

// dueAlerts queues a mail for everybody who is to be told of something today
// and has not been, or that it is over; only those managers, and not the
// administrator, where some are given.
func (s *Scheduler) dueAlerts(ctx context.Context, at time.Time, only []store.Manager) (results []Result, err error) {
	h, err := s.check(ctx, at)
	if err != nil {
		return nil, err
	}
	told, err := s.told(ctx, at)
	if err != nil || len(h.problems) == 0 && len(told) == 0 {
		return nil, err
	}
	managers, err := s.st.Managers(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range s.readers(managers) {
		if only != nil && !slices.ContainsFunc(only, func(m store.Manager) bool { return m.ID == r.ID }) {
			continue
		}
		done, tellErr := s.tell(ctx, r, &h, told[r.ID], at)
		results = append(results, done...)
		if tellErr != nil { // the next minute tries again
			err = errors.Join(err, fmt.Errorf("tell %s: %w", r.name(), tellErr))
		}
	}
	return results, err
}

// reader is somebody who may be told: a manager, or an administrator who is
// none.
type reader struct {
	store.Manager      // without ID: the administrator
	all           bool // of everything, not only of the own mailbox
}

func (r *reader) name() string {
	if r.ID == 0 {
		return "admin"
	}
	return r.Login
}

func (s *Scheduler) readers(managers []store.Manager) (out []reader) {
	admin := strings.ToLower(s.opt.Admin)
	known := admin == ""
	for _, m := range managers {
		r := reader{Manager: m, all: admin == "" && m.Role == store.RoleHead}
		if admin != "" && slices.Contains(m.Emails, admin) {
			r.all, known = true, true
		}
		out = append(out, r)
	}
	if !known {
		out = append(out, reader{all: true, Manager: store.Manager{Emails: []string{s.opt.Admin}, Language: s.opt.Language, TimeZone: s.opt.TimeZone}})
	}
	return out
}

// telling is what a reader was told of one problem last.
type telling struct {
	at     time.Time
	slot   string // of the ledger: "2026-11-23 mailbox anna"
	mailed bool   // not failed for want of an address
	over   bool   // and that it is over
}

// overSlot is the slot of the mail that what was told is over.
func overSlot(slot string) string {
	day, key, _ := strings.Cut(slot, " ")
	return day + " over " + key
}

// told reads the ledger: reader → problem's key → what was told last.
func (s *Scheduler) told(ctx context.Context, at time.Time) (map[int64]map[string]telling, error) {
	runs, err := s.st.RunsOf(ctx, alertsJob, at.Add(-toldBack))
	if err != nil {
		return nil, fmt.Errorf("alerts: %w", err)
	}
	out := map[int64]map[string]telling{}
	over := map[int64]map[string]bool{}
	for _, r := range runs { // oldest first
		if out[r.OwnerID] == nil {
			out[r.OwnerID], over[r.OwnerID] = map[string]telling{}, map[string]bool{}
		}
		_, key, _ := strings.Cut(r.Slot, " ")
		if strings.HasPrefix(key, "over ") {
			over[r.OwnerID][r.Slot] = true
			continue
		}
		out[r.OwnerID][key] = telling{at: r.Started, slot: r.Slot, mailed: r.Outcome != "failed"}
	}
	for owner, list := range out {
		for key, t := range list {
			t.over = over[owner][overSlot(t.slot)]
			list[key] = t
		}
	}
	return out, nil
}

// tell queues one mail with all that the reader is due to hear of; it and the
// ledger's row of each are one transaction.
func (s *Scheduler) tell(ctx context.Context, r reader, h *health, told map[string]telling, at time.Time) ([]Result, error) {
	news := alert{Reader: r.Manager, At: at}
	var slots []string
	today := string(store.DateOf(at, r.Location()))
	present := map[string]bool{}
	for _, p := range h.problems {
		present[p.key()] = true
		if !r.all && (r.ID == 0 || !slices.Contains(p.owners, r.ID)) || p.kind == refusedMail && strings.EqualFold(p.name, r.Email()) {
			continue
		}
		// A mail before midnight and one after it are too many, unless it was
		// told to be over: who believes that all is well hears of it on the next
		// day.
		last, was := told[p.key()]
		slot := today + " " + p.key()
		if was && (last.slot == slot || !last.over && at.Sub(last.at) < tellAgain) {
			continue
		}
		p.subject = p.subjects[r.ID]
		news.Problems = append(news.Problems, p)
		slots = append(slots, slot)
	}
	for _, key := range slices.Sorted(maps.Keys(told)) {
		t, since := told[key], h.well[key]
		if t.over || !t.mailed || present[key] || !since.After(t.at) {
			continue
		}
		kind, name, _ := strings.Cut(key, " ")
		news.Over = append(news.Over, problem{kind: problemKind(kind), name: name, since: t.at})
		slots = append(slots, overSlot(t.slot))
	}
	if len(slots) == 0 {
		return nil, nil
	}
	outcome, detail := "queued", r.Email()
	var mails []store.Mail
	off, err := s.unwanted(ctx, r.ID, store.AlertsMail)
	switch {
	case err != nil:
		return nil, err
	case off: // recorded, so that nothing old is told once it is turned on again
		outcome, detail = "off", notWanted
	case r.Email() == "":
		outcome, detail = "failed", noAddress
	default:
		composed, err := s.compose(news.page(s.opt.PublicURL), alertsJob+"/"+r.name()+"/"+slots[0], mail.Address{Name: r.Name, Address: r.Email()}, r.Location())
		var refused *addressError
		switch {
		case err == nil:
			mails = []store.Mail{composed}
		case errors.As(err, &refused):
			outcome, detail = "failed", err.Error()
		default:
			return nil, err
		}
	}
	runs, results := make([]store.Run, len(slots)), make([]Result, len(slots))
	for i, slot := range slots {
		runs[i] = store.Run{Job: alertsJob, OwnerID: r.ID, Slot: slot, Started: s.st.Now(), Outcome: outcome, Detail: detail}
		results[i] = Result{Manager: r.Login, Slot: slot, Outcome: outcome, Detail: detail}
	}
	if err := s.st.RecordRuns(ctx, runs, mails...); errors.Is(err, store.ErrAlreadyRan) {
		return nil, nil // another daemon was quicker; the next minute tells what is left
	} else if err != nil {
		return nil, fmt.Errorf("record runs: %w", err)
	}
	// The log too: while no mail leaves, or nobody has an address, it is what
	// is read.
	for _, p := range news.Problems {
		s.log.Error("problem", "job", alertsJob, "problem", p.key(), "since", p.since, "told", r.name(), "outcome", outcome, "detail", detail, "err", p.cause)
	}
	for _, p := range news.Over {
		s.log.Info("problem is over", "job", alertsJob, "problem", p.key(), "told", r.name(), "outcome", outcome)
	}
	return results, nil
}

// alert is what somebody is told: facts, in no language yet.
type alert struct {
	Reader   store.Manager
	At       time.Time
	Problems []problem
	Over     []problem // since is when they were told
}

// Bounds of what servers wrote, in runes.
const (
	longError   = 400
	longMailbox = 60
)

// page says the news in the reader's language and zone.
func (a *alert) page(publicURL string) *page {
	loc := a.Reader.Location()
	w := writer{voice: voice{lang: a.Reader.Language, loc: loc, year: a.At.In(loc).Year()}, base: publicURL, at: a.At}
	p := &page{Lang: a.Reader.Language, Open: link{w.t("open status"), w.url("/status")}, Why: []string{w.t("why told"), w.t("told daily")}, Manager: a.Reader.ID, Kind: store.AlertsMail}
	var boxes, others []problem
	for _, b := range a.Problems {
		if b.kind == failingMailbox {
			boxes = append(boxes, b)
		} else {
			others = append(others, b)
		}
	}
	// One is named, several are counted.
	switch {
	case len(a.Problems) == 0 && len(a.Over) == 1:
		p.Title = w.over(&a.Over[0])
		p.Subject = p.Title
	case len(a.Problems) == 0:
		p.Title = w.count(len(a.Over), "over")
		p.Subject = p.Title
	case len(a.Problems) == 1 && len(boxes) == 1:
		p.Title = w.t("unread box", mailer.OneLine(boxes[0].name, longMailbox))
		p.Subject = w.t("unread since", mailer.OneLine(boxes[0].name, longMailbox), w.moment(boxes[0].since))
	case len(a.Problems) == 1:
		p.Title = w.wrong(&others[0])
		p.Subject = p.Title
	case len(others) == 0:
		p.Title = w.count(len(boxes), "boxes")
		p.Subject = p.Title
	default:
		p.Title = w.count(len(a.Problems), "problems")
		p.Subject = p.Title
	}
	p.Subject = strings.ReplaceAll("Intouch: "+p.Subject, "\u00a0", " ")
	if len(boxes) > 0 {
		p.Summary = append(p.Summary, w.t("nothing lost"))
	}
	section := func(title, color string, list []problem, row func(*problem) row) {
		if len(list) == 0 {
			return
		}
		s := section{Title: w.t(title), Count: fmt.Sprint(len(list)), Color: color}
		for i := range list[:min(len(list), most)] {
			s.Rows = append(s.Rows, row(&list[i]))
		}
		if len(list) > most {
			s.More = w.t("more boxes")
		}
		p.Sections = append(p.Sections, s)
	}
	section("not read", store.StatusOverdue.Color(), boxes, w.mailboxRow)
	section("to mend", store.StatusOverdue.Color(), others, func(o *problem) row {
		r := row{When: w.t("since", w.moment(o.since)), Title: link{w.wrong(o), w.url("/status")}}
		if o.subject != "" {
			r.Meta = append(r.Meta, link{Text: mailer.OneLine(o.subject, longSubject)})
		}
		if o.cause != "" {
			r.Meta = append(r.Meta, link{Text: w.t("error", mailer.OneLine(o.cause, longError))})
		}
		return r
	})
	section("is over", store.StatusDone.Color(), a.Over, func(o *problem) row {
		return row{When: w.t("told on", w.moment(o.since)), Title: link{w.over(o), w.url("/status")}}
	})
	// What can be done about it, once for each kind.
	advise := func(key string, is func(*problem) bool) {
		if slices.ContainsFunc(a.Problems, func(p problem) bool { return is(&p) }) {
			p.Advice = append(p.Advice, w.t(key))
		}
	}
	advise("new password", func(p *problem) bool { return p.box != nil && !p.box.OAuth })
	advise("check online", func(p *problem) bool { return p.kind == failingMailbox || p.kind == stuckOutbox })
	advise("see refused", func(p *problem) bool { return p.kind == refusedMail })
	advise("make room", func(p *problem) bool { return p.kind == fullDisk })
	advise("back up again", func(p *problem) bool { return p.kind == failedBackup })
	return p
}

func (w *writer) mailboxRow(b *problem) row {
	name := mailer.OneLine(b.name, longMailbox)
	r := row{When: w.t("since", w.moment(b.since)), Title: link{name, w.url("/status")}, Meta: []link{{Text: w.t("never read")}}}
	if !b.box.LastSuccess.IsZero() {
		r.Meta[0].Text = w.t("last read", w.moment(b.box.LastSuccess))
	}
	r.Meta = append(r.Meta, link{Text: w.t("error", mailer.OneLine(b.cause, longError))})
	if again := "intouchd mailbox login " + name; b.box.OAuth && !strings.Contains(b.cause, again) {
		r.Meta = append(r.Meta, link{Text: w.t("log in anew", again)})
	}
	return r
}

// wrong names a problem that is not a mailbox's.
func (w *writer) wrong(p *problem) string {
	switch p.kind {
	case stuckOutbox:
		return w.t("outbox stuck", w.count(int(p.count), "letters"))
	case refusedMail:
		return w.t("mail refused", mailer.OneLine(p.name, longName))
	case fullDisk:
		return w.t("disk low", p.free>>20)
	}
	return w.t("backup failed")
}

// over says that a problem is none any more.
func (w *writer) over(p *problem) string {
	switch p.kind {
	case failingMailbox:
		return w.t("box reads", mailer.OneLine(p.name, longMailbox))
	case stuckOutbox:
		return w.t("outbox goes")
	case refusedMail:
		return w.t("mail arrives", mailer.OneLine(p.name, longName))
	case fullDisk:
		return w.t("disk has room")
	}
	return w.t("backup made")
}

// moment is "22 ноября, 08:12".
func (w *writer) moment(t time.Time) string {
	return w.date(store.DateOf(t, w.loc)) + ", " + w.clock(t)
}
