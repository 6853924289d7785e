package store

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"
)

// How long clients wait for an answer (rules.md section 6.6).

// answerDays is after how many days a letter counts as unanswered for good.
const answerDays = 30

// WorkHours are a manager's working time on working days, by the manager's clock.
// The zero value is none of one's own.
type WorkHours struct{ From, To ClockTime }

// OfficeHours are those of a house that says nothing else.
var OfficeHours = WorkHours{9 * 60, 18 * 60}

// ParseWorkHours reads "09:00-18:00".
func ParseWorkHours(s string) (w WorkHours, err error) {
	from, to, _ := strings.Cut(strings.ReplaceAll(s, "–", "-"), "-")
	if w.From, err = parseClockTime(strings.TrimSpace(from)); err == nil {
		w.To, err = parseClockTime(strings.TrimSpace(to))
	}
	if err == nil && w.To <= w.From {
		err = errors.New("working hours begin before they end, like 09:00-18:00")
	}
	if err != nil {
		return WorkHours{}, err
	}
	return w, nil
}

func (w WorkHours) String() string {
	if w == (WorkHours{}) {
		return ""
	}
	return w.From.String() + "-" + w.To.String()
}

// WorkHoursOf are the manager's own working hours, else the house's.
func (s *Store) WorkHoursOf(m Manager) WorkHours {
	return cmp.Or(m.WorkHours, s.opt.WorkHours, OfficeHours)
}

// Minutes is the working time between two moments, in minutes.
func (w WorkHours) Minutes(from, to time.Time, loc *time.Location, h *Holidays) int64 {
	total := time.Duration(0)
	day := DateOf(from, loc)
	for last := DateOf(to, loc); day <= last; day = day.Add(1) {
		t, err := time.Parse(dateLayout, string(day))
		if err != nil {
			break
		}
		if !h.works(day, t.Weekday()) {
			continue
		}
		begins, ends := w.From.on(day, loc), w.To.on(day, loc)
		if begins.Before(from) {
			begins = from
		}
		if ends.After(to) {
			ends = to
		}
		if ends.After(begins) {
			total += ends.Sub(begins)
		}
	}
	return int64(total / time.Minute)
}

// ResponseGroup is how the letters of clients were answered.
type ResponseGroup struct {
	Owner
	// Waits are the working minutes from the first letter of each that waited
	// for an answer to that answer, in any order.
	Waits      []int64
	Unanswered int64 // letters that nobody answered within answerDays
}

// Quantile is the wait that a share of p (0 to 1) of all did not exceed, by the
// nearest rank; false when there are none.
func (g *ResponseGroup) Quantile(p float64) (int64, bool) {
	if len(g.Waits) == 0 {
		return 0, false
	}
	slices.Sort(g.Waits)
	at := int(p*float64(len(g.Waits)) + 0.999999)
	return g.Waits[min(max(at, 1), len(g.Waits))-1], true
}

// Add takes over what another group has.
func (g *ResponseGroup) Add(o *ResponseGroup) {
	g.Waits = append(g.Waits, o.Waits...)
	g.Unanswered += o.Unanswered
}

// exchanged is one done contact of a client, for responses.
type exchanged struct {
	id        int64
	client    int64
	manager   int64 // the client's or the letter's
	at        time.Time
	letterIn  bool
	dismissed bool
}

// responses follows the done contacts of all clients, in order of time.
type responses struct {
	from, to time.Time             // of the letters that count
	waiting  map[int64][]exchanged // letters in that nobody has answered yet, by client
	answered func(first exchanged, at time.Time)
	given    func(letter exchanged) // up: nobody answers it any more
}

// add takes the next contact. A letter in waits; any other done contact with
// the client answers all that wait (rules.md section 2).
func (r *responses) add(e exchanged) {
	if e.letterIn {
		if !e.dismissed && !e.at.Before(r.from) {
			r.waiting[e.client] = append(r.waiting[e.client], e)
		}
		return
	}
	measured := false
	for _, w := range r.waiting[e.client] {
		switch {
		case !w.at.Before(r.to): // of a later period
		case e.at.Sub(w.at) > answerDays*24*time.Hour:
			r.given(w)
		case !measured:
			measured = true
			r.answered(w, e.at)
		}
	}
	delete(r.waiting, e.client)
}

// end gives up the letters that still wait.
func (r *responses) end() {
	for _, letters := range r.waiting {
		for _, w := range letters {
			if w.at.Before(r.to) {
				r.given(w)
			}
		}
	}
}
