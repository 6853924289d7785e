package scheduler

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"time"

	"intouch/mailer"
	"intouch/store"
)

const remindersJob = "reminders"

// dueReminders mails what is due now, one mail for each manager. The store
// decides in the transaction that queues the mail; one manager's failure is
// not the others'.
func (s *Scheduler) dueReminders(ctx context.Context, _ time.Time, only []store.Manager) (results []Result, err error) {
	due, err := s.st.RemindersDue(ctx)
	if err != nil {
		return nil, err
	}
	var faults []error
	for _, m := range due {
		if ctx.Err() != nil {
			return results, ctx.Err()
		}
		if only != nil && !slices.ContainsFunc(only, func(o store.Manager) bool { return o.ID == m.ID }) {
			continue
		}
		r, err := s.remind(ctx, m)
		if err != nil {
			faults = append(faults, fmt.Errorf("reminders of %s: %w", m.Login, err))
		}
		if r.Outcome != "" {
			results = append(results, r)
		}
	}
	return results, errors.Join(faults...)
}

// remind mails what is due for one manager. What cannot be mailed, since there
// is no address that can, is not tried again: its time is over by then.
func (s *Scheduler) remind(ctx context.Context, m store.Manager) (Result, error) {
	result, total := Result{Manager: m.Login}, 0
	off, err := s.unwanted(ctx, m.ID, store.ReminderMail)
	if err != nil {
		return result, err
	}
	for more := true; more; {
		var n int
		var err error
		n, more, err = s.st.Remind(ctx, m, func(list []store.Reminder) (mail *store.Mail, err error) {
			if off { // its time passes all the same
				return nil, nil
			}
			defer func() {
				if r := recover(); r != nil {
					s.panicked(s.jobs[remindersJob], m, r)
					mail, err = nil, errors.New(internalError)
				}
			}()
			mail, refused, err := s.reminderMail(m, list)
			if refused != "" {
				result.Outcome, result.Detail = "failed", refused
				s.log.Warn("reminders not sent", "job", remindersJob, "manager", m.Login, "reminders", len(list), "reason", refused)
			}
			return mail, err
		})
		if err != nil {
			return result, err
		}
		total += n
	}
	if total > 0 && off {
		result.Outcome, result.Detail = "off", notWanted
	}
	if total > 0 && result.Outcome == "" {
		result.Outcome, result.Detail = "queued", fmt.Sprintf("%d to %s", total, m.Email())
		s.log.Info("reminders queued", "job", remindersJob, "manager", m.Login, "reminders", total)
	}
	return result, nil
}

// reminderMail is the mail of what is due for a manager; refused says why there
// can be none.
func (s *Scheduler) reminderMail(m store.Manager, list []store.Reminder) (_ *store.Mail, refused string, err error) {
	if m.Email() == "" {
		return nil, noAddress, nil
	}
	news := reminderNews{Reader: m, At: s.st.Now(), List: list}
	composed, err := s.compose(news.page(s.opt.PublicURL), news.key(), mail.Address{Name: m.Name, Address: m.Email()}, m.Location())
	var bad *addressError
	if errors.As(err, &bad) {
		return nil, err.Error(), nil
	}
	return &composed, "", err
}

const noAddress = "the manager has no e-mail address"

// reminderNews is what a manager is reminded of: facts, in no language yet.
type reminderNews struct {
	Reader store.Manager
	At     time.Time
	List   []store.Reminder
}

// key names the mail by what it reminds of: the same items at the same times
// are one mail.
func (n *reminderNews) key() string {
	sum := sha256.New()
	for _, r := range n.List {
		fmt.Fprintln(sum, r.Item.Key(), r.At.Unix())
	}
	return fmt.Sprintf("%s/%s/%s", remindersJob, n.Reader.Login, hex.EncodeToString(sum.Sum(nil)[:12]))
}

// page says the reminders in the manager's language and zone, by time.
func (n *reminderNews) page(publicURL string) *page {
	loc := n.Reader.Location()
	w := writer{voice: voice{lang: n.Reader.Language, loc: loc, year: n.At.In(loc).Year()}, base: publicURL, at: n.At, today: store.DateOf(n.At, loc)}
	p := &page{Lang: n.Reader.Language, Open: link{w.t("open"), w.url("/")}, Why: []string{w.t("why remind", n.Reader.Login), w.t("stop remind")}, Manager: n.Reader.ID, Kind: store.ReminderMail}
	p.Settings = link{w.t("setup remind"), w.url("/reminders")}

	slices.SortStableFunc(n.List, func(a, b store.Reminder) int {
		return a.Item.When.Begins(loc).Compare(b.Item.When.Begins(loc))
	})
	sections := map[store.Status]*section{}
	for i := range n.List {
		r := &n.List[i]
		s := sections[r.Item.Status]
		if s == nil {
			title := "upcoming"
			if r.Item.Status == store.StatusOverdue {
				title = "overdue"
			}
			s = &section{Title: w.t(title), Color: r.Item.Status.Color()}
			sections[r.Item.Status] = s
		}
		s.Rows = append(s.Rows, w.reminder(r))
	}
	for _, status := range []store.Status{store.StatusOverdue, store.StatusCurrent, store.StatusPostponed} {
		if s := sections[status]; s != nil {
			s.Count = fmt.Sprint(len(s.Rows))
			p.Sections = append(p.Sections, *s)
		}
	}

	first := &n.List[0]
	when := w.until(first.Item.When) + " — " + w.place(first.Item.When)
	if len(n.List) == 1 {
		p.Title, p.Summary = w.headline(first, longSubject), []string{when}
		p.Subject = w.headline(first, 90) + ", " + when
	} else {
		p.Title = w.count(len(n.List), "reminders")
		p.Summary = []string{w.headline(first, longSubject) + ", " + when}
		p.Subject = p.Title + ": " + w.headline(first, 90) + ", " + when
	}
	p.Subject = strings.ReplaceAll(p.Subject, "\u00a0", " ")
	return p
}

// headline is "Звонок: Обсудить договор, ООО «Вектор»", within a bound that
// leaves the time in sight.
func (w *writer) headline(r *store.Reminder, most int) string {
	said := w.item(&r.Item)
	s := mailer.OneLine(said.Title.Text, most)
	if len(said.Meta) == 0 || r.Item.ClientName != "" && store.TitleWithClient(s, r.Item.ClientName) == s { // named already
		return s
	}
	return s + ", " + mailer.OneLine(said.Meta[0].Text, most/2)
}

// until is "через 30 минут", "завтра", "через 3 дня" or "уже началось".
func (w *writer) until(when store.Span) string {
	begins := when.Begins(w.loc)
	days := w.today.Days(firstDay(when, w.loc))
	left := begins.Sub(w.at)
	switch minutes := int((left + 59*time.Second) / time.Minute); {
	case when.AllDay && days == 0:
		return w.t("on today")
	case days == 1 && (when.AllDay || left > 3*time.Hour):
		return w.t("tomorrow")
	case days > 1:
		return w.t("in", w.count(days, "days"))
	case left <= -time.Minute:
		return w.t("began")
	case left <= 0:
		return w.t("now")
	case minutes < 60:
		return w.t("in", w.count(minutes, "minutes"))
	case minutes%60 == 0:
		return w.t("in", w.count(minutes/60, "hours"))
	default:
		return w.t("in", w.count(minutes/60, "hours")+" "+w.count(minutes%60, "minutes"))
	}
}

// place is when it is: "14:30", or with the day when that is another.
func (w *writer) place(when store.Span) string {
	day := firstDay(when, w.loc)
	switch {
	case when.AllDay:
		return w.date(day)
	case day == w.today:
		return w.clock(when.Start)
	}
	return w.date(day) + ", " + w.clock(when.Start)
}

// reminder is an item with what is worth knowing of its client.
func (w *writer) reminder(r *store.Reminder) row {
	out := w.item(&r.Item)
	out.When, out.Color = w.place(r.Item.When), r.Item.Status.Color()
	out.Meta = append(out.Meta, link{Text: w.until(r.Item.When)})
	fact := func(parts ...string) {
		parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
		if len(parts) > 0 {
			out.Facts = append(out.Facts, strings.Join(parts, ", "))
		}
	}
	if c := r.Client; c != nil {
		class, stage, owes := "", "", ""
		if c.ABC+c.XYZ != "" {
			class = w.t("class", c.ABC+c.XYZ)
		}
		if c.Stage != "" {
			stage = store.Word(w.lang, "stage."+c.Stage)
		}
		for _, m := range r.Balance {
			if m.Minor > 0 && owes == "" {
				owes = w.t("owes", m.Format(w.lang))
			}
		}
		fact(class, stage, owes)
	}
	for _, p := range r.Persons[:min(2, len(r.Persons))] {
		phone := ""
		if len(p.Phones) > 0 {
			phone = strings.ReplaceAll(mailer.OneLine(p.Phones[0], 40), " ", "\u00a0") // of a number no part alone
		}
		fact(mailer.OneLine(p.Name, longName), mailer.OneLine(p.Position, longName), phone)
	}
	if t := r.Totals; t != nil && r.Item.Event != nil {
		ship, pay := "", ""
		if t.ShippedKnown {
			ship = w.t("left to ship", store.Money{Minor: t.LeftToShip, Currency: t.Currency}.Format(w.lang))
		}
		if t.PaidKnown {
			pay = w.t("left to pay", store.Money{Minor: t.LeftToPay, Currency: t.Currency}.Format(w.lang))
		}
		fact(ship, pay)
	}
	if len(r.Recent) > 0 {
		c := &r.Recent[0]
		said := w.date(firstDay(c.When, w.loc)) + ", " + strings.ToLower(store.Word(w.lang, "kind."+string(c.Kind)))
		if subject := mailer.OneLine(c.Subject, longName); subject != "" {
			said += ": " + subject
		}
		fact(w.t("last contact", said))
	}
	switch c := r.Item.Contact; {
	case c != nil && c.Recurrence != "":
		out.Do = doMoved // what a link does, it does to the whole series: one should see it first
	case !r.Item.When.AllDay:
		out.Do = doReminder
	}
	return out
}
