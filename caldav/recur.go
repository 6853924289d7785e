package caldav

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-ical"
	"github.com/teambition/rrule-go"
)

// Which occurrences of a component fall into a stretch of time (RFC 4791
// section 9.9). Rules are worked out by rrule-go, whose generator neither
// bounds its work nor is safe from panics: what could run long is not worked
// out, but taken to happen all the time between its first and last day, so
// that a query gives an entry too many rather than one too few.

const (
	maxOccurrences = 20_000 // daily for 54 years
	maxRuleList    = 400    // values of one BY… part
	maxTimesOfDay  = 300    // BYHOUR × BYMINUTE × BYSECOND
	maxInterval    = 10_000
	maxExtraDates  = 5_000 // RDATE and EXDATE values
	maxRules       = 3     // of one component; one is usual
	maxAlarms      = 50    // of one component
	maxPositions   = 20    // values of BYSETPOS, each of which sorts a set
)

var (
	distantPast   = time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC)
	distantFuture = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
)

// overlaps reports whether a component of cal overlaps [from, to), a zero
// bound being open. Of a series any occurrence counts that no override of cal
// replaces; the overrides are components of their own. Times without a zone
// are taken in floating.
func overlaps(cal *ical.Calendar, comp *ical.Component, from, to time.Time, floating *time.Location) (hit bool) {
	if from.IsZero() {
		from = distantPast
	}
	if to.IsZero() {
		to = distantFuture
	}
	if floating == nil {
		floating = time.UTC
	}
	defer func() {
		if recover() != nil {
			hit = true
		}
	}()
	z := zonesOf(cal.Component, floating)
	switch comp.Name {
	case ical.CompEvent, ical.CompToDo, ical.CompJournal:
		t := z.timing(comp)
		if !t.start.ok {
			return comp.Name == ical.CompToDo && z.overlapsUndated(comp, t, from, to)
		}
		return z.occurs(cal, comp, t, to, func(start, end time.Time) bool {
			return t.overlaps(comp.Name, start, end, from, to)
		})
	case ical.CompFreeBusy:
		t := z.timing(comp)
		return t.start.ok && t.end.ok && !from.After(t.end.at) && to.After(t.start.at)
	case ical.CompAlarm:
		return z.overlapsAlarm(cal, comp, from, to)
	}
	return false
}

// moment is a DATE or DATE-TIME property.
type moment struct {
	at    time.Time
	stamp stamp
	ok    bool
}

// timing is when a component takes place, as its properties say.
type timing struct {
	start, end moment // DTSTART; DTEND or DUE
	length     length // DURATION, or the day of a DATE
	hasLength  bool   // there is a DURATION
	loc        *time.Location
}

func (z *zones) timing(c *ical.Component) timing {
	endName := ical.PropDateTimeEnd
	if c.Name == ical.CompToDo {
		endName = ical.PropDue
	}
	var t timing
	t.start.at, t.start.stamp, t.start.ok = z.at(c, ical.PropDateTimeStart)
	t.end.at, t.end.stamp, t.end.ok = z.at(c, endName)
	t.loc = z.zoneAt(c, ical.PropDateTimeStart)
	if p := c.Props.Get(ical.PropDuration); p != nil {
		t.length, t.hasLength = parseDuration(p.Value)
	}
	if t.start.ok && t.start.stamp.date && !t.hasLength {
		t.length.days = 1
	}
	return t
}

// endOf is the end of an occurrence that starts at start.
func (t *timing) endOf(start time.Time) time.Time {
	if !t.end.ok {
		return t.length.after(start, t.loc)
	}
	if t.start.stamp.date && t.end.stamp.date {
		return length{days: t.start.stamp.asDate().Days(t.end.stamp.asDate())}.after(start, t.loc)
	}
	return start.Add(t.end.at.Sub(t.start.at))
}

// overlaps holds one occurrence of a component of that name against the tables
// of RFC 4791 section 9.9.
func (t *timing) overlaps(name string, start, end, from, to time.Time) bool {
	inside := from.Before(end) && to.After(start)
	begins := !from.After(start) && to.After(start)
	isDay := t.start.stamp.date
	switch name {
	case ical.CompToDo:
		switch {
		case t.end.ok:
			return (from.Before(end) || !from.After(start)) && (to.After(start) || !to.Before(end))
		case t.hasLength:
			return !from.After(end) && (to.After(start) || !to.Before(end))
		}
	case ical.CompEvent:
		if t.end.ok || t.hasLength && end.After(start) {
			return inside
		}
	}
	if isDay {
		return inside
	}
	return begins
}

// overlapsUndated is the table of a VTODO without DTSTART.
func (z *zones) overlapsUndated(comp *ical.Component, t timing, from, to time.Time) bool {
	if t.end.ok {
		return from.Before(t.end.at) && !to.Before(t.end.at)
	}
	completed, _, done := z.at(comp, ical.PropCompleted)
	created, _, made := z.at(comp, ical.PropCreated)
	switch {
	case done && made:
		return (!from.After(created) || !from.After(completed)) && (!to.Before(created) || !to.Before(completed))
	case done:
		return !from.After(completed) && !to.Before(completed)
	case made:
		return to.After(created)
	}
	return true
}

// overlapsAlarm is the table of VALARM: the times at which it goes off, for
// each occurrence of the component that it belongs to.
func (z *zones) overlapsAlarm(cal *ical.Calendar, alarm *ical.Component, from, to time.Time) bool {
	trigger := alarm.Props.Get(ical.PropTrigger)
	if trigger == nil {
		return false
	}
	repeat, every := 0, length{}
	if p := alarm.Props.Get(ical.PropRepeat); p != nil {
		if n, err := p.Int(); err == nil {
			repeat = max(0, min(n, 1000))
		}
		if p := alarm.Props.Get(ical.PropDuration); p != nil {
			every, _ = parseDuration(p.Value)
		}
	}
	rings := func(first time.Time) bool {
		for i := 0; i <= repeat; i++ {
			if !from.After(first) && to.After(first) {
				return true
			}
			first = every.after(first, time.UTC)
		}
		return false
	}
	if s, ok := parseDateTime(trigger.Value); ok {
		return rings(s.in(time.UTC))
	}
	before, ok := parseDuration(trigger.Value)
	if !ok {
		return false
	}
	for _, parent := range cal.Children {
		if !slices.Contains(parent.Children, alarm) {
			continue
		}
		if len(parent.Children) > maxAlarms {
			return true
		}
		t := z.timing(parent)
		atEnd := strings.EqualFold(trigger.Params.Get("RELATED"), "END")
		if !t.start.ok {
			return t.end.ok && rings(before.after(t.end.at, t.loc))
		}
		// An alarm may ring long before its occurrence.
		horizon := to
		if horizon.Before(distantFuture) {
			horizon = length{-before.days, -before.time}.after(to, time.UTC).AddDate(0, 0, 1)
		}
		return z.occurs(cal, parent, t, horizon, func(start, end time.Time) bool {
			if atEnd {
				start = end
			}
			return rings(before.after(start, t.loc))
		})
	}
	return false
}

// times are moments, and days without a zone.
type times struct {
	at   map[int64]bool
	days map[string]bool
}

func (x *times) add(z *zones, p *ical.Prop) {
	loc := z.find(p.Params.Get(ical.PropTimezoneID))
	for v := range strings.SplitSeq(p.Value, ",") {
		if t, ok := parseDateTime(v); ok && len(x.at)+len(x.days) < maxExtraDates {
			if t.date {
				x.days[string(t.asDate())] = true
			} else {
				x.at[t.in(loc).Unix()] = true
			}
		}
	}
}

func (x *times) has(t time.Time, loc *time.Location) bool {
	return x.at[t.Unix()] || len(x.days) > 0 && x.days[t.In(loc).Format(time.DateOnly)]
}

// split is an override with RANGE=THISANDFUTURE: from an occurrence on, all
// are moved.
type split struct {
	from time.Time
	by   time.Duration
	t    timing
	comp *ical.Component
}

// occurrence is one of a series.
type occurrence struct {
	id, start, end time.Time       // id: when the series has it
	comp           *ical.Component // that says what happens then
	t              timing          // of comp
}

// occurs calls visit for the occurrences of a component that begin before
// horizon until it returns true, and reports whether it did. A rule that is
// not worked out counts as true where it may.
func (z *zones) occurs(cal *ical.Calendar, comp *ical.Component, t timing, horizon time.Time, visit func(start, end time.Time) bool) bool {
	return z.series(cal, comp, t, horizon, func(o occurrence) bool { return visit(o.start, o.end) })
}

// series is occurs with all that there is to know of an occurrence. Where a
// rule was not worked out, z.vague says so.
func (z *zones) series(cal *ical.Calendar, comp *ical.Component, t timing, horizon time.Time, visit func(occurrence) bool) bool {
	rules := comp.Props.Values(ical.PropRecurrenceRule)
	extra := comp.Props.Values(ical.PropRecurrenceDates)
	if len(rules)+len(extra) == 0 || comp.Props.Get(ical.PropRecurrenceID) != nil {
		return visit(occurrence{t.start.at, t.start.at, t.endOf(t.start.at), comp, t})
	}
	not, splits := z.replaced(cal, comp)
	see := func(start, end time.Time) bool {
		if not.has(start, t.loc) {
			return false
		}
		for i := len(splits) - 1; i >= 0; i-- {
			if s := &splits[i]; !start.Before(s.from) {
				moved := start.Add(s.by)
				return visit(occurrence{start, moved, s.t.endOf(moved), s.comp, s.t})
			}
		}
		return visit(occurrence{start, start, end, comp, t})
	}
	// Whatever the rule says, the first occurrence is DTSTART (RFC 5545
	// section 3.8.5.3).
	if see(t.start.at, t.endOf(t.start.at)) {
		return true
	}
	for i := range extra {
		loc := z.find(extra[i].Params.Get(ical.PropTimezoneID))
		for v := range strings.SplitSeq(extra[i].Value, ",") {
			begin, until, period := strings.Cut(v, "/")
			s, ok := parseDateTime(begin)
			if !ok {
				continue
			}
			start := s.in(loc)
			end := t.endOf(start)
			if period {
				if e, ok := parseDateTime(until); ok {
					end = e.in(loc)
				} else if l, ok := parseDuration(until); ok {
					end = l.after(start, loc)
				}
			}
			if see(start, end) {
				return true
			}
		}
	}
	shift := time.Duration(0) // how far splits may bring later occurrences forward
	for _, s := range splits {
		shift = max(shift, -s.by)
	}
	if len(rules) > maxRules {
		z.vague = true
		return t.start.at.Before(horizon)
	}
	for _, p := range rules {
		opt, err := parseRule(p.Value)
		if err != nil {
			z.vague = true
			return t.start.at.Before(horizon)
		}
		last := opt.Until
		if !last.IsZero() {
			last = z.until(p.Value, t.loc)
		}
		opt.Until = last
		opt.Dtstart = t.start.at.In(t.loc)
		if !bounded(opt) {
			if last.IsZero() {
				last = distantFuture
			}
			// All the time between its ends.
			z.vague = true
			return visit(occurrence{t.start.at, t.start.at, t.endOf(last), comp, t}) && t.start.at.Before(horizon)
		}
		rule, err := rrule.NewRRule(*opt)
		if err != nil {
			z.vague = true
			return t.start.at.Before(horizon)
		}
		next := rule.Iterator()
		for n := 0; ; n++ {
			start, ok := next()
			if !ok || start.Add(-shift).After(horizon) {
				break
			}
			if n == maxOccurrences {
				z.vague = true
				return true
			}
			if see(start.UTC(), t.endOf(start.UTC())) {
				return true
			}
		}
	}
	return false
}

// replaced collects what takes single occurrences away: EXDATE, and the
// overrides of the same UID.
func (z *zones) replaced(cal *ical.Calendar, comp *ical.Component) (times, []split) {
	not := times{map[int64]bool{}, map[string]bool{}}
	for i := range comp.Props.Values(ical.PropExceptionDates) {
		not.add(z, &comp.Props[ical.PropExceptionDates][i])
	}
	var splits []split
	uid := uidOf(comp)
	for _, c := range cal.Children {
		p := c.Props.Get(ical.PropRecurrenceID)
		if p == nil || c.Name != comp.Name || uidOf(c) != uid {
			continue
		}
		if strings.EqualFold(p.Params.Get("RANGE"), "THISANDFUTURE") && len(splits) < 100 {
			at, _, ok := z.at(c, ical.PropRecurrenceID)
			if t := z.timing(c); ok && t.start.ok {
				splits = append(splits, split{at, t.start.at.Sub(at), t, c})
			}
		}
		not.add(z, p)
	}
	slices.SortFunc(splits, func(a, b split) int { return a.from.Compare(b.from) })
	return not, splits
}

// until reads the UNTIL of a rule; a day lasts until its end.
func (z *zones) until(rule string, loc *time.Location) time.Time {
	_, v, _ := strings.Cut(strings.ToUpper(rule), "UNTIL=")
	v, _, _ = strings.Cut(v, ";")
	s, ok := parseDateTime(v)
	switch {
	case !ok:
		return time.Time{}
	case s.date:
		return s.asDate().Add(1).In(loc).Add(-time.Second).UTC()
	}
	return s.in(loc)
}

// parseRule reads a RECUR value within bounds.
func parseRule(s string) (opt *rrule.ROption, err error) {
	if len(s) > 4096 {
		return nil, errors.New("rule too long")
	}
	defer func() {
		if recover() != nil {
			opt, err = nil, errors.New("rule not understood")
		}
	}()
	s = strings.Trim(strings.ToUpper(strings.ReplaceAll(s, " ", "")), ";")
	if opt, err = rrule.StrToROption(s); err != nil {
		return nil, err
	}
	opt.Dtstart = time.Time{}
	times := 1
	for _, list := range []*[]int{&opt.Byhour, &opt.Byminute, &opt.Bysecond, &opt.Bysetpos, &opt.Bymonth, &opt.Bymonthday, &opt.Byyearday, &opt.Byweekno} {
		slices.Sort(*list)
		if *list = slices.Compact(*list); len(*list) > maxRuleList {
			return nil, errors.New("rule too large")
		}
	}
	for _, list := range [][]int{opt.Byhour, opt.Byminute, opt.Bysecond} {
		times *= max(1, len(list))
	}
	if times > maxTimesOfDay || len(opt.Byweekday) > maxRuleList || len(opt.Bysetpos) > maxPositions || len(opt.Byeaster) > 0 || opt.Interval > maxInterval {
		return nil, errors.New("rule too large")
	}
	return opt, nil
}

// bounded reports whether rrule-go works the rule out in bounded steps from
// one occurrence to the next. Rules of hours, minutes and seconds with
// conditions, and of days with conditions that may never be met, can keep it
// busy until the year 9999.
func bounded(opt *rrule.ROption) bool {
	days := len(opt.Bymonthday) + len(opt.Byyearday) + len(opt.Byweekno) + len(opt.Bysetpos)
	switch opt.Freq {
	case rrule.SECONDLY, rrule.MINUTELY:
		return false
	case rrule.HOURLY:
		return days+len(opt.Bymonth)+len(opt.Byweekday)+len(opt.Byhour) == 0
	case rrule.DAILY:
		return days == 0 && (opt.Interval <= 1 || len(opt.Bymonth)+len(opt.Byweekday) == 0)
	case rrule.WEEKLY:
		return days == 0 && (opt.Interval <= 1 || len(opt.Bymonth) == 0)
	}
	return true
}
