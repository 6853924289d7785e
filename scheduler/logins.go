package scheduler

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"time"

	"intouch/mailer"
	"intouch/store"
)

// The mail about mailboxes that cannot be read, most often because the login
// fails. Which are due is a query; who was told of which on which day is the
// ledger's.
const (
	loginsJob = "logins"
	// tellAfter is how long a mailbox must have been failing, tellAgain when
	// somebody is told of it again.
	tellAfter = time.Hour
	tellAgain = 24 * time.Hour
)

// dueLogins queues a mail for everybody who is to be told of failing
// mailboxes today and has not been; only those managers, and not the
// administrator, where some are given.
func (s *Scheduler) dueLogins(ctx context.Context, at time.Time, only []store.Manager) (results []Result, err error) {
	boxes, err := s.st.FailingMailboxes(ctx, tellAfter)
	if err != nil || len(boxes) == 0 {
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
		told, tellErr := s.tell(ctx, r, boxes, at)
		results = append(results, told...)
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
	all           bool // of all mailboxes, not only of the own one
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

// tell queues one mail with all mailboxes that the reader is due to hear of;
// it and the ledger's row of each are one transaction.
func (s *Scheduler) tell(ctx context.Context, r reader, boxes []store.FailingMailbox, at time.Time) ([]Result, error) {
	news := loginNews{Reader: r.Manager, At: at}
	var runs []store.Run
	for _, b := range boxes {
		if !r.all && (r.ID == 0 || b.ManagerID != r.ID) {
			continue
		}
		slot := loginSlot(store.DateOf(at, r.Location()), b.Name)
		told, err := s.told(ctx, r, b.Name, at)
		if err != nil {
			return nil, err
		}
		if told {
			continue
		}
		news.Boxes = append(news.Boxes, b)
		runs = append(runs, store.Run{Job: loginsJob, OwnerID: r.ID, Slot: slot, Started: s.st.Now(), Outcome: "queued", Detail: r.Email()})
	}
	if len(runs) == 0 {
		return nil, nil
	}
	var mails []store.Mail
	failed := "the manager has no e-mail address"
	if r.Email() != "" {
		composed, err := s.compose(news.page(s.opt.PublicURL), "logins/"+r.name()+"/"+runs[0].Slot, mail.Address{Name: r.Name, Address: r.Email()}, r.Location())
		var refused *addressError
		switch {
		case err == nil:
			mails, failed = []store.Mail{composed}, ""
		case errors.As(err, &refused):
			failed = err.Error()
		default:
			return nil, err
		}
	}
	results := make([]Result, len(runs))
	for i := range runs {
		if failed != "" {
			runs[i].Outcome, runs[i].Detail = "failed", failed
		}
		results[i] = Result{Manager: r.Login, Slot: runs[i].Slot, Outcome: runs[i].Outcome, Detail: runs[i].Detail}
	}
	if err := s.st.RecordRuns(ctx, runs, mails...); errors.Is(err, store.ErrAlreadyRan) {
		return nil, nil // another daemon was quicker; the next minute tells what is left
	} else if err != nil {
		return nil, fmt.Errorf("record runs: %w", err)
	}
	log := s.log.With("job", loginsJob, "manager", r.Login, "mailboxes", len(runs))
	if failed != "" {
		log.Warn("failing mailboxes not told", "reason", failed)
	} else {
		log.Info("failing mailboxes told", "to", r.Email())
	}
	return results, nil
}

// loginSlot is the ledger's slot of one mailbox on one day.
func loginSlot(day store.Date, mailbox string) string { return string(day) + " " + mailbox }

// told reports whether the reader has heard of the mailbox on that day, or
// less than a day ago: a mail before midnight and one after it are too many,
// also when the mailbox worked for a moment in between.
func (s *Scheduler) told(ctx context.Context, r reader, mailbox string, at time.Time) (bool, error) {
	today := store.DateOf(at, r.Location())
	if ran, err := s.st.Ran(ctx, loginsJob, r.ID, loginSlot(today, mailbox)); err != nil || ran {
		return ran, err
	}
	last, err := s.st.RanAt(ctx, loginsJob, r.ID, loginSlot(today.Add(-1), mailbox))
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && at.Sub(last) < tellAgain, err
}

// loginNews is what somebody is told of failing mailboxes: facts, in no
// language yet.
type loginNews struct {
	Reader store.Manager
	At     time.Time
	Boxes  []store.FailingMailbox
}

// Bounds of what servers wrote, in runes.
const (
	longError   = 400
	longMailbox = 60
)

// page says the news in the reader's language and zone.
func (n *loginNews) page(publicURL string) *page {
	loc := n.Reader.Location()
	w := writer{voice: voice{lang: n.Reader.Language, loc: loc, year: n.At.In(loc).Year()}, base: publicURL, at: n.At}
	p := &page{Lang: n.Reader.Language, Summary: []string{w.t("nothing lost")}, Open: link{w.t("open status"), w.url("/status")}, Why: []string{w.t("why told"), w.t("told daily")}}
	if len(n.Boxes) == 1 {
		b := n.Boxes[0]
		p.Title = w.t("unread box", mailer.OneLine(b.Name, longMailbox))
		p.Subject = "Intouch: " + w.t("unread since", mailer.OneLine(b.Name, longMailbox), w.moment(b.ErrorSince))
	} else {
		p.Title = w.count(len(n.Boxes), "boxes")
		p.Subject = "Intouch: " + p.Title
	}
	p.Subject = strings.ReplaceAll(p.Subject, "\u00a0", " ")
	passwords := false
	s := section{Title: w.t("not read"), Count: fmt.Sprint(len(n.Boxes)), Color: store.StatusOverdue.Color()}
	for i, b := range n.Boxes {
		name := mailer.OneLine(b.Name, longMailbox)
		passwords = passwords || !b.OAuth
		if i == most {
			s.More = w.t("more boxes")
			break
		}
		r := row{When: w.t("since", w.moment(b.ErrorSince)), Title: link{name, w.url("/status")}, Meta: []link{{Text: w.t("never read")}}}
		if !b.LastSuccess.IsZero() {
			r.Meta[0].Text = w.t("last read", w.moment(b.LastSuccess))
		}
		r.Meta = append(r.Meta, link{Text: w.t("error", mailer.OneLine(b.LastError, longError))})
		if again := "intouchd mailbox login " + name; b.OAuth && !strings.Contains(b.LastError, again) {
			r.Meta = append(r.Meta, link{Text: w.t("log in anew", again)})
		}
		s.Rows = append(s.Rows, r)
	}
	p.Sections = []section{s}
	if passwords {
		p.Advice = append(p.Advice, w.t("new password"))
	}
	p.Advice = append(p.Advice, w.t("check online"))
	return p
}

// moment is "22 ноября, 08:12".
func (w *writer) moment(t time.Time) string {
	return w.date(store.DateOf(t, w.loc)) + ", " + w.clock(t)
}
