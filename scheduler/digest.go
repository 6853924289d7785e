package scheduler

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"sync"
	"time"

	"intouch/store"
)

// Digest is what a manager is told in the morning (rules.md section 7): facts
// of the moment At, in no language yet.
type Digest struct {
	Manager store.Manager
	At      time.Time

	Overdue    []store.Item
	Today      []store.Item // current, and today is among its days
	Returned   []store.Item // postponed to today
	Unanswered []store.Unanswered
	Senders    []store.Sender // unknown people who wrote since the last digest
	Moved      []store.Item   // deal events whose date moved since then
	// Unlinked were written into a calendar since then and found no client.
	Unlinked []store.Contact
	Periods  []Period
}

// Period is figures of a stretch of days beside those of the one before it
// and of the same one a year ago.
type Period struct {
	Now, Before, YearAgo days
	Figures              [3]store.Figures // of Now, Before, YearAgo
	Answers              [3]answers
}

// days is a stretch of days, both included.
type days struct{ First, Last store.Date }

// Empty: there is nothing to act on. Figures alone are no reason for a mail.
func (d *Digest) Empty() bool {
	return len(d.Overdue)+len(d.Today)+len(d.Returned)+len(d.Unanswered)+len(d.Senders)+len(d.Moved)+len(d.Unlinked) == 0
}

// most of a list is shown; the page has the rest. One more is read, to know
// that there is a rest.
const most = 30

// sortOut puts an agenda into the digest's lists.
func (d *Digest) sortOut(agenda []store.Item) {
	loc := d.Manager.Location()
	today := store.DateOf(d.At, loc)
	for _, it := range agenda {
		it.Status = it.StatusAt(loc, d.At)
		it.When = it.WhenIn(loc)
		switch {
		case it.Status == store.StatusOverdue:
			d.Overdue = append(d.Overdue, it)
		case it.Status != store.StatusCurrent || it.When.IsZero() || today < firstDay(it.When, loc) || today > lastDay(it.When, loc):
		case it.State() == store.Postponed:
			d.Returned = append(d.Returned, it)
		default:
			d.Today = append(d.Today, it)
		}
	}
	for _, list := range [][]store.Item{d.Overdue, d.Today, d.Returned} {
		slices.SortStableFunc(list, func(a, b store.Item) int { return a.When.Begins(loc).Compare(b.When.Begins(loc)) })
	}
}

func firstDay(w store.Span, loc *time.Location) store.Date {
	if w.AllDay {
		return w.First
	}
	return store.DateOf(w.Start, loc)
}

// lastDay of a span; one that ends at midnight does not reach into that day.
func lastDay(w store.Span, loc *time.Location) store.Date {
	if w.AllDay {
		return w.Last
	}
	if w.End.After(w.Start) {
		return store.DateOf(w.End.Add(-time.Second), loc)
	}
	return store.DateOf(w.Start, loc)
}

// periods of a digest on that day: yesterday, and the month of yesterday up
// to it, so that all three columns of each have the same length.
func periods(today store.Date) []Period {
	y := today.Add(-1)
	yesterday := Period{Now: days{y, y}, Before: days{y.Add(-1), y.Add(-1)}, YearAgo: days{shift(y, -1, 0), shift(y, -1, 0)}}
	first := y[:8] + "01"
	month := Period{Now: days{first, y}, Before: days{shift(first, 0, -1), shift(y, 0, -1)}, YearAgo: days{shift(first, -1, 0), shift(y, -1, 0)}}
	return []Period{yesterday, month}
}

// shift moves a day by years and months; a day that the month there does not
// have becomes its last (31 March → 28 February).
func shift(d store.Date, years, months int) store.Date {
	t, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return ""
	}
	first := time.Date(t.Year()+years, t.Month()+time.Month(months), 1, 0, 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return store.Date(first.AddDate(0, 0, min(t.Day(), last)-1).Format(time.DateOnly))
}

// collect reads a manager's digest. since is when the one before was due.
func (s *Scheduler) collect(ctx context.Context, m store.Manager, since, at time.Time) (*Digest, error) {
	d := &Digest{Manager: m, At: at}
	loc := m.Location()
	today := store.DateOf(at, loc)
	// Many, since what is overdue comes first and must not push out today.
	agenda, err := s.st.Agenda(ctx, store.AgendaQuery{Viewer: m, To: today.Add(1).In(loc), Limit: 2000,
		Filter: store.Filter{Managers: []int64{m.ID}, Statuses: []store.Status{store.StatusOverdue, store.StatusCurrent, store.StatusPostponed}}})
	if err != nil {
		return nil, fmt.Errorf("agenda: %w", err)
	}
	d.sortOut(agenda)
	if d.Unanswered, err = s.st.UnansweredLetters(ctx, m.ID, most+1); err != nil {
		return nil, fmt.Errorf("unanswered letters: %w", err)
	}
	if d.Senders, err = s.st.UnknownSenders(ctx, m.ID, since, most+1); err != nil {
		return nil, fmt.Errorf("unknown senders: %w", err)
	}
	if d.Moved, err = s.st.MovedEvents(ctx, m.ID, since); err != nil {
		return nil, fmt.Errorf("moved events: %w", err)
	}
	if d.Unlinked, err = s.st.UnlinkedEntries(ctx, m.ID, since, most+1); err != nil {
		return nil, fmt.Errorf("entries without a client: %w", err)
	}
	if d.Empty() {
		return d, nil
	}
	d.Periods = periods(today)
	for i := range d.Periods {
		p := &d.Periods[i]
		for j, span := range []days{p.Now, p.Before, p.YearAgo} {
			if p.Figures[j], err = s.st.ContactFigures(ctx, m.ID, span.First, span.Last); err != nil {
				return nil, fmt.Errorf("figures: %w", err)
			}
			if p.Answers[j], err = s.answersOf(ctx, m, span); err != nil {
				return nil, fmt.Errorf("answers: %w", err)
			}
		}
	}
	return d, nil
}

// answers are how the letters of a manager's clients were answered in a stretch
// of days, in minutes of working time.
type answers struct {
	First           int64 // letters whose answer is measured
	Median, Slowest int64 // of the waits: that of half, of 90 % of them
	Unanswered      int64
}

// answered reports whether the figures tell how long clients waited.
func (d *Digest) answered() bool {
	return slices.ContainsFunc(d.Periods, func(p Period) bool {
		return p.Answers[0].First+p.Answers[1].First+p.Answers[2].First > 0
	})
}

// answersRead keeps the answers to all letters of a stretch of time for a
// moment: the digests of one morning ask for the same few.
type answersRead struct {
	mu   sync.Mutex
	read time.Time
	of   map[[2]time.Time]map[int64]answers // from and to → manager
}

// answersOf are a manager's answers. What is read serves all managers whose
// digests are made within the next minutes.
func (s *Scheduler) answersOf(ctx context.Context, m store.Manager, d days) (answers, error) {
	a := &s.answers
	a.mu.Lock()
	defer a.mu.Unlock()
	if now := s.st.Now(); a.of == nil || now.Sub(a.read).Abs() > 5*time.Minute {
		a.read, a.of = now, map[[2]time.Time]map[int64]answers{}
	}
	span := store.Days(d.First, d.Last, m.Location())
	key := [2]time.Time{span.Start, span.End}
	all, known := a.of[key]
	if !known {
		all = map[int64]answers{}
		err := s.st.ResponseGroups(ctx, store.SaleSelection{}, span.Start, span.End, func(g *store.ResponseGroup) error {
			of := answers{First: int64(len(g.Waits)), Unanswered: g.Unanswered}
			of.Median, _ = g.Quantile(0.5)
			of.Slowest, _ = g.Quantile(0.9)
			all[g.Manager] = of
			return nil
		})
		if err != nil {
			return answers{}, err
		}
		a.of[key] = all
	}
	return all[m.ID], nil
}

// runDigest makes a manager's digest for a slot and queues it. What cannot be
// mailed is recorded as failed with the reason.
func (s *Scheduler) runDigest(ctx context.Context, m store.Manager, slot string, at time.Time) (store.Run, error) {
	run := store.Run{Job: "digest", OwnerID: m.ID, Slot: slot, Started: s.st.Now()}
	if m.Email() == "" {
		run.Outcome, run.Detail = "failed", "the manager has no e-mail address"
		return s.record(ctx, run)
	}
	if off, err := s.unwanted(ctx, m.ID, store.DigestMail); err != nil {
		return run, err
	} else if off {
		run.Outcome, run.Detail = "off", notWanted
		return s.record(ctx, run)
	}
	d, err := s.collect(ctx, m, s.lastSlot("digest", m, at), at)
	if err != nil {
		return run, err
	}
	if d.Empty() {
		run.Outcome = "empty"
		return s.record(ctx, run)
	}
	composed, err := s.compose(d.page(s.opt.PublicURL), fmt.Sprintf("digest/%s/%s", m.Login, slot), mail.Address{Name: m.Name, Address: m.Email()}, m.Location())
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

// lastSlot is when the slot of a job before the one at a moment was due: the
// news of a digest begin there. At least a day, at most a week.
func (s *Scheduler) lastSlot(job string, m store.Manager, at time.Time) time.Time {
	day := at.Add(-24 * time.Hour)
	if slot, ok := s.jobs[job].latest(m.Location(), day, 6*24*time.Hour); ok {
		return slot.at
	}
	return day
}
