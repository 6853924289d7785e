package web

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"intouch/store"
)

const (
	runsShown    = 20
	mailsShown   = 20
	filesShown   = 10
	sendersShown = 50
	senderDays   = 14
)

type statusView struct {
	Head      bool
	Time      string
	Version   string
	Mailboxes []mailboxRow
	Jobs      []jobRow
	Runs      []runRow
	Outbox    outboxView
	Senders   []senderRow
	Days      int
	Files     []fileRow // that an accounting system sent
	Disk      string    // that it is nearly full
	Questions int       // open ones of imports; heads see them
}

type mailboxRow struct {
	Name, Owner, Success, State, Error string
	Letters, Captured                  int64
	OK, Broken                         bool
}

type runRow struct {
	Job, Slot, Who, Started, Outcome, Detail string
	Failed                                   bool
}

// jobRow is a job: when it comes next, how it went last.
type jobRow struct {
	Key, Job, Schedule, Owners, Next, Last, Took, Outcome, Detail string
	Cron, Failed, Asked                                           bool
}

type outboxView struct {
	Queued, Sent, Failed int64
	Oldest               string
	Locked               string    // why nothing is sent
	Mails                []mailRow // a manager sees the own ones that were not delivered
}

type mailRow struct {
	ID                                    int64
	CanRetry                              bool // a head may send it again or drop it
	To, Subject, When, State, Error, Next string
	Failed                                bool
}

type fileRow struct {
	Name, Integration, Came, State, Told string
	Failed                               bool
}

type senderRow struct {
	Name, Address, Subject, Last string
	Link                         string // where it is decided whose person that is
	Letters                      int64
	last                         time.Time
}

func mailboxRows(say voice, boxes []store.MailboxState) []mailboxRow {
	var out []mailboxRow
	for _, b := range boxes {
		r := mailboxRow{
			Name: b.Name, Owner: b.ManagerLogin, Success: say.moment(b.LastSuccess), Letters: b.Letters, Captured: b.Captured,
			Error: clip(500, b.LastError), Broken: b.LastError != "", OK: b.LastError == "" && !b.LastSuccess.IsZero(),
		}
		if b.ManagerID == 0 {
			r.Owner = say.t("status.shared")
		}
		if r.Success == "" {
			r.Success = say.t("status.never")
		}
		switch {
		case r.Broken && !b.ErrorSince.IsZero():
			r.State = say.t("status.broken", say.moment(b.ErrorSince))
		case r.Broken:
			r.State = say.t("outcome.failed")
		case r.OK:
			r.State = say.t("status.ok")
		default:
			r.State = say.t("status.waiting")
		}
		out = append(out, r)
	}
	return out
}

func jobRows(say voice, jobs []store.JobState) []jobRow {
	var out []jobRow
	for _, j := range jobs {
		r := jobRow{
			Key: j.Name, Job: known(say, "job.", j.Name), Schedule: j.Schedule, Owners: say.t("status.house"), Next: say.moment(j.Next),
			Last: say.moment(j.Last.Started), Outcome: known(say, "outcome.", j.Last.Outcome), Detail: clip(500, j.Last.Detail),
			Failed: j.Last.Outcome == "failed", Asked: !j.Asked.IsZero(),
		}
		switch j.Schedule {
		case store.EachMinute, store.Always, store.Never:
			r.Schedule, r.Next = say.t("schedule."+j.Schedule), ""
		default:
			r.Cron = true
		}
		if j.Owners > 0 {
			r.Owners = say.count(int64(j.Owners), "manager")
		}
		if !j.Last.Started.IsZero() {
			r.Took = say.t("status.seconds", int64(j.Last.Finished.Sub(j.Last.Started).Seconds()))
		}
		if j.Panics > 0 {
			r.Detail = strings.TrimPrefix(r.Detail+"; "+say.t("status.panics", j.Panics), "; ")
		}
		out = append(out, r)
	}
	return out
}

// askJob asks the daemon for a run by hand.
func (s *server) askJob(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	if err := s.st.AskJob(v.ctx, v.who, v.PathValue("name")); err != nil {
		return err
	}
	return v.back("/status", "asked")
}

// decideMail sends a stuck mail again, or drops it.
func (s *server) decideMail(v *visit) error {
	if v.who.Role != store.RoleHead {
		return store.ErrNotFound
	}
	id, err := v.number("id")
	if err != nil {
		return err
	}
	if err := v.form(); err != nil {
		return err
	}
	decide, said := s.st.RetryMails, "mailretried"
	switch v.PostFormValue("do") {
	case "retry":
	case "drop":
		decide, said = s.st.DropMails, "maildropped"
	default:
		return errBadForm
	}
	n, err := decide(v.ctx, []int64{id})
	switch {
	case err != nil:
		return err
	case n == 0: // it was sent meanwhile, or never was
		said = "stale"
	}
	return v.back("/status#outbox", said)
}

func runRows(say voice, runs []store.Run, names map[int64]string) []runRow {
	var out []runRow
	for _, run := range runs {
		r := runRow{
			Job: known(say, "job.", run.Job), Slot: slot(say, run.Slot), Who: names[run.OwnerID], Started: say.moment(run.Started),
			Outcome: known(say, "outcome.", run.Outcome), Detail: clip(500, run.Detail), Failed: run.Outcome == "failed",
		}
		if run.OwnerID == 0 {
			r.Who = say.t("status.house")
		}
		out = append(out, r)
	}
	return out
}

func fileRows(say voice, files []store.ExchangeFile) []fileRow {
	var out []fileRow
	for _, f := range files {
		out = append(out, fileRow{
			Name: clip(200, f.Name), Integration: f.Integration, Came: say.moment(f.Created), State: known(say, "exchange.", string(f.State)),
			Told: clip(500, f.Report.Message), Failed: f.State == store.ExchangeFailed || f.Report.Refused() > 0,
		})
	}
	return out
}

// slot makes a run's slot readable: the intended local day or minute, behind
// the number of a saved report.
func slot(say voice, s string) string {
	if number, rest, ok := strings.Cut(s, " "); ok && strings.HasPrefix(s, "#") {
		return number + " " + slot(say, rest)
	}
	day, clock, _ := strings.Cut(s, "T")
	if d, err := store.ParseDate(day); err == nil {
		s = say.day(d)
		if clock != "" {
			s += ", " + clock
		}
	}
	return clip(60, s)
}

func newOutboxView(say voice, o *store.OutboxSummary) outboxView {
	view := outboxView{Queued: o.Queued, Sent: o.Sent, Failed: o.Failed, Mails: mailRows(say, o.Recent)}
	for i, m := range o.Recent {
		view.Mails[i].CanRetry = m.State == store.Failed || m.State == store.Queued && m.Tries > 0 && !m.ClaimedUntil.After(say.now)
	}
	if o.Locked != "" {
		view.Locked = say.t("status.locked." + string(o.Locked))
	}
	if o.Queued > 0 && !o.OldestQueued.IsZero() {
		view.Oldest = say.t("status.oldest", say.moment(o.OldestQueued))
	}
	return view
}

func mailRows(say voice, mails []store.OutboxMail) (out []mailRow) {
	for _, m := range mails {
		r := mailRow{
			ID: m.ID, To: m.To, Subject: clip(200, m.Subject), When: say.moment(m.Created), State: known(say, "outbox.", string(m.State)),
			Error: clip(500, m.LastError), Failed: m.State == store.Failed,
		}
		if m.State == store.Sent {
			r.When = say.moment(m.SentAt)
		}
		if m.State == store.Queued && m.Tries > 0 {
			r.State += ", " + say.count(int64(m.Tries), "try")
			r.Next = say.t("status.nexttry", say.moment(m.NextTry))
		}
		out = append(out, r)
	}
	return out
}

// senderRows joins what several mailboxes saw of one address, newest first.
func senderRows(say voice, lists ...[]store.Sender) []senderRow {
	sum := map[string]store.Sender{}
	for _, list := range lists {
		for _, s := range list {
			if old, ok := sum[s.Address]; ok {
				s.Letters += old.Letters
				if old.Last.After(s.Last) {
					s.Last, s.Subject, s.Name = old.Last, old.Subject, old.Name
				}
			}
			sum[s.Address] = s
		}
	}
	var out []senderRow
	for _, s := range sum {
		out = append(out, senderRow{
			Name: s.Name, Address: s.Address, Link: senderPath(s.Address), Subject: clip(200, s.Subject), Letters: s.Letters,
			Last: say.moment(s.Last), last: s.Last,
		})
	}
	slices.SortFunc(out, func(a, b senderRow) int {
		return cmp.Or(b.last.Compare(a.last), cmp.Compare(a.Address, b.Address))
	})
	return out[:min(len(out), sendersShown)]
}

// known is the text of prefix+word, or the word itself when there is none.
func known(say voice, prefix, word string) string {
	if _, ok := texts[prefix+word]; ok {
		return say.t(prefix + word)
	}
	return word
}

// status shows a head the whole daemon, a manager the own mailboxes.
func (s *server) status(v *visit) error {
	v.name = "status"
	head := v.who.Role == store.RoleHead
	view := statusView{Head: head, Time: v.say.moment(v.say.now), Version: s.opt.Version, Days: senderDays}
	boxes, err := s.st.MailboxStates(v.ctx)
	if err != nil {
		return err
	}
	if !head {
		boxes = slices.DeleteFunc(boxes, func(b store.MailboxState) bool { return b.ManagerID != v.who.ID })
	}
	view.Mailboxes = mailboxRows(v.say, boxes)

	names, err := s.names(v)
	if err != nil {
		return err
	}
	if head {
		jobs, err := s.st.JobStates(v.ctx)
		if err != nil {
			return err
		}
		view.Jobs = jobRows(v.say, jobs)
		runs, err := s.st.Runs(v.ctx, runsShown)
		if err != nil {
			return err
		}
		view.Runs = runRows(v.say, runs, names)
		outbox, err := s.st.Outbox(v.ctx, mailsShown)
		if err != nil {
			return err
		}
		view.Outbox = newOutboxView(v.say, &outbox)
		if disk := s.st.Disk(); disk.Low() {
			view.Disk = v.say.t("status.disk", disk.Free>>20)
		}
		files, err := s.st.ExchangeFiles(v.ctx, filesShown)
		if err != nil {
			return err
		}
		view.Files = fileRows(v.say, files)
		if view.Questions, err = s.st.QuestionCount(v.ctx); err != nil {
			return err
		}
	}
	if !head {
		mails, err := s.st.UndeliveredMails(v.ctx, v.who.ID, v.say.now.AddDate(0, 0, -senderDays), mailsShown)
		if err != nil {
			return err
		}
		view.Outbox.Mails = mailRows(v.say, mails)
	}
	if view.Senders, err = s.unknownSenders(v, names); err != nil {
		return err
	}
	return s.show(v, http.StatusOK, "status.html", v.say.t("status"), view)
}

// unknownSenders are those of the viewer's mailboxes and the shared ones; of a
// head those of all of managers.
func (s *server) unknownSenders(v *visit, managers map[int64]string) ([]senderRow, error) {
	owners := []int64{v.who.ID}
	if v.who.Role == store.RoleHead {
		owners = []int64{0} // the shared mailboxes
		for id := range managers {
			owners = append(owners, id)
		}
	}
	var lists [][]store.Sender
	for _, id := range owners {
		list, err := s.st.UnknownSenders(v.ctx, id, v.say.now.AddDate(0, 0, -senderDays), sendersShown)
		if err != nil {
			return nil, err
		}
		lists = append(lists, list)
	}
	return senderRows(v.say, lists...), nil
}
