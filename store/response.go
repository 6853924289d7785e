package store

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// How long clients wait for an answer (rules.md section 6.6).

// answerDays is after how many days a letter counts as unanswered for good.
const answerDays = 30

// WorkHours are a manager's working time on working days, by the manager's clock.
// The zero value is none of one's own.
type WorkHours struct {
	From, To ClockTime
	// Days are the working days of the week, a bit each from Monday; 0 are those
	// of the house: Monday to Friday, and what the calendar of holidays makes
	// working days. A holiday is one whatever the days of the week are.
	Days uint8
}

// OfficeHours are those of a house that says nothing else.
var OfficeHours = WorkHours{From: 9 * 60, To: 18 * 60}

// workDayNames are the days of the week from Monday.
var workDayNames = [2][7]string{{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}, {"пн", "вт", "ср", "чт", "пт", "сб", "вс"}}

// parseWorkDays reads "tue-sat" or "mon,wed,fri".
func parseWorkDays(s string) (days uint8, err error) {
	day := func(name string) int {
		for _, names := range workDayNames {
			if i := slices.Index(names[:], strings.ToLower(strings.TrimSpace(name))); i >= 0 {
				return i
			}
		}
		err = fmt.Errorf("%q is no day of the week like mon", clip(name, 40))
		return 0
	}
	for part := range strings.SplitSeq(s, ",") {
		first, last, stretch := strings.Cut(strings.ReplaceAll(part, "–", "-"), "-")
		from, to := day(first), day(first)
		if stretch {
			to = day(last)
		}
		if err == nil && to < from {
			err = fmt.Errorf("%q: the days of a week begin with mon", clip(part, 40))
		}
		for i := from; i <= to; i++ {
			days |= 1 << i
		}
	}
	return days, err
}

// ParseWorkHours reads "09:00-18:00", with days before them where they are not
// those of the house: "tue-sat 10:00-19:00".
func ParseWorkHours(s string) (w WorkHours, err error) {
	s = strings.TrimSpace(s)
	if days, hours, own := strings.Cut(s, " "); own && !strings.ContainsAny(days, "0123456789") {
		if w.Days, err = parseWorkDays(days); err != nil {
			return WorkHours{}, err
		}
		s = strings.TrimSpace(hours)
	}
	w.From, w.To, err = parseClockTimes(strings.ReplaceAll(s, "–", "-"))
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
	hours := w.From.String() + "-" + w.To.String()
	if w.Days == 0 {
		return hours
	}
	var days []string
	for i := 0; i < 7; i++ {
		first := i
		for i < 7 && w.Days>>i&1 == 1 {
			i++
		}
		names := workDayNames[0]
		switch i - first {
		case 0:
		case 1:
			days = append(days, names[first])
		default:
			days = append(days, names[first]+"-"+names[i-1])
		}
	}
	return strings.Join(days, ",") + " " + hours
}

// Works reports whether that is a working day.
func (w WorkHours) Works(d Date, h *Holidays) bool {
	t, err := time.Parse(dateLayout, string(d))
	return err == nil && w.works(d, t.Weekday(), h)
}

func (w WorkHours) works(d Date, weekday time.Weekday, h *Holidays) bool {
	if w.Days == 0 {
		return h.works(d, weekday)
	}
	return w.Days>>((weekday+6)%7)&1 == 1 && !h.free(d)
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
		if !w.works(day, t.Weekday(), h) {
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
