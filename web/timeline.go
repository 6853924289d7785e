package web

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"time"

	"intouch/store"
)

// timeline draws what was expected of a deal and what happened, day by day. It
// is SVG without styles of its own, so that the policy of content takes it;
// lengths are those of its viewBox.
type timeline struct {
	Width, Height float64
	Top, Bottom   float64 // between which the days' lines go
	Left          float64
	Drawn         string // what it shows, in words
	Lanes         []lane
	Ticks         []tick
	Today         *tick // nil: outside of it
	Steps         []step
}

// lane is shipments, payments or contacts.
type lane struct {
	Name             string
	TextY, LineY     float64
	Expected, Real   []mark
	ExpectedY, RealY float64
	Moves            []move
}

// mark is a day in a lane.
type mark struct {
	X      float64
	Status store.Status
	Hint   string
}

// move leads from the day that was left to the one that is expected now.
type move struct{ From, To float64 }

type tick struct {
	X    float64
	Text string
}

// step is a mark in words.
type step struct {
	Day, What, Amount string
	Status            store.Status
	Notes             []string
	Link              string

	day store.Date
}

const (
	timelineWidth = 640
	timelineLeft  = 92
	laneHeight    = 46
	stepsShown    = 300
	labelWidth    = 62
)

// newTimeline gives nil where nothing has a day.
func newTimeline(say voice, card *store.DealCard, contacts []store.Contact) *timeline {
	t := &timeline{Width: timelineWidth, Left: timelineLeft}
	type dated struct {
		day, from store.Date
		real      bool
		lane      int
		step
	}
	var all []dated
	sum := func(m store.Money) string { return m.Format(say.lang) }
	laneOf := map[string]int{"shipment": 0, "return": 0, "payment": 1}
	for i := range card.Events {
		e := &card.Events[i]
		if e.Day() == "" || e.State == store.Cancelled {
			continue
		}
		r := eventRow(say, e, &card.Deal, nil, "")
		d := dated{day: e.Day(), lane: laneOf[string(e.Kind)], step: step{What: r.What + ": " + say.t("deal.expected"), Amount: r.Title, Status: r.Status, Notes: r.Notes}}
		if e.Moved() {
			d.from = e.MovedFrom()
		}
		all = append(all, d)
	}
	for _, doc := range card.Documents {
		if n, ok := laneOf[string(doc.Kind)]; ok && doc.Date != "" {
			all = append(all, dated{day: doc.Date, real: true, lane: n, step: step{What: store.Word(say.lang, "document."+string(doc.Kind)) + " " + doc.Number,
				Amount: sum(doc.Amount), Status: store.StatusDone}})
		}
	}
	for i := range contacts {
		c := &contacts[i]
		if c.When.IsZero() {
			continue
		}
		status := c.Status(say.loc, say.now)
		all = append(all, dated{day: store.DateOf(c.When.Begins(say.loc), say.loc), real: c.State == store.Done, lane: 2,
			step: step{What: store.Word(say.lang, "kind."+string(c.Kind)) + ": " + subject(say, c), Status: status, Link: here(c.ID)}})
	}
	if len(all) == 0 {
		return nil
	}
	slices.SortStableFunc(all, func(a, b dated) int { return cmp.Compare(a.day, b.day) })
	all = all[:min(len(all), stepsShown)]
	first, last := all[0].day, all[len(all)-1].day
	if card.Deal.Date != "" {
		first, last = min(first, card.Deal.Date), max(last, card.Deal.Date)
	}
	for _, d := range all {
		if d.from != "" {
			first, last = min(first, d.from), max(last, d.from)
		}
	}
	if card.Open { // how far it is to what comes
		first, last = min(first, say.today()), max(last, say.today())
	}
	days := float64(max(1, first.Days(last)))
	x := func(d store.Date) float64 {
		at := timelineLeft + 12 + float64(first.Days(d))/days*(timelineWidth-timelineLeft-24)
		return math.Round(at*10) / 10
	}
	t.Drawn = say.t("deal.drawn", say.date(first), say.date(last))
	for i, name := range []string{"deal.shipments", "deal.payments", "client.contacts"} {
		y := float64(i * laneHeight)
		t.Lanes = append(t.Lanes, lane{Name: say.t(name), TextY: y + 27, LineY: y + laneHeight, ExpectedY: y + 14, RealY: y + 32})
	}
	for _, d := range all {
		d.step.day, d.step.Day = d.day, say.date(d.day)
		hint := d.Day + " · " + d.What
		if d.Amount != "" {
			hint += " · " + d.Amount
		}
		of := &t.Lanes[d.lane]
		m := mark{X: x(d.day), Status: d.step.Status, Hint: hint}
		if d.real {
			of.Real = append(of.Real, m)
		} else {
			of.Expected = append(of.Expected, m)
		}
		if d.from != "" {
			of.Moves = append(of.Moves, move{x(d.from), m.X})
		}
		t.Steps = append(t.Steps, d.step)
	}
	t.Bottom = float64(len(t.Lanes) * laneHeight)
	t.Height = t.Bottom + 22
	t.Ticks = ticks(say, first, last, x)
	if today := say.today(); today >= first && today <= last {
		t.Today = &tick{X: x(today), Text: say.t("deal.today")}
	}
	return t
}

// ticks are the days under the lanes, as many as there is room for: days,
// weeks, then months.
func ticks(say voice, first, last store.Date, x func(store.Date) float64) []tick {
	var out []tick
	room := float64(timelineWidth-timelineLeft) / labelWidth
	days := float64(first.Days(last) + 1)
	at := first.In(time.UTC)
	switch months := math.Ceil(days / 31 / room); {
	case days <= 8*room:
		step := int(math.Ceil(days / room))
		for d := first; d <= last; d = d.Add(step) {
			out = append(out, tick{x(d), say.date(d)})
		}
	default:
		for m := time.Date(at.Year(), at.Month()+1, 1, 0, 0, 0, 0, time.UTC); store.DateOf(m, time.UTC) <= last; m = m.AddDate(0, int(months), 0) {
			text := monthsAlone[say.lang.Index()][m.Month()-1]
			if m.Month() == time.January || len(out) == 0 {
				text += " " + strconv.Itoa(m.Year())
			}
			out = append(out, tick{x(store.DateOf(m, time.UTC)), text})
		}
	}
	return out
}
