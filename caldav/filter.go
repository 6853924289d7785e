package caldav

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"time"

	"intouch/store"

	"github.com/emersion/go-ical"
)

// compFilter is C:comp-filter (RFC 4791 section 9.7.1).
type compFilter struct {
	name       string
	notDefined bool
	between    *timeRange
	props      []propFilter
	comps      []compFilter
}

// propFilter is C:prop-filter (section 9.7.2), paramFilter C:param-filter.
type propFilter struct {
	name       string
	notDefined bool
	between    *timeRange
	text       *textMatch
	params     []paramFilter
}

type paramFilter struct {
	name       string
	notDefined bool
	text       *textMatch
}

// timeRange is [from, to); a zero bound is open.
type timeRange struct{ from, to time.Time }

// textMatch is C:text-match with the match types of RFC 6352, which CalDAV
// clients send too.
type textMatch struct {
	text   string // folded by the collation
	fold   func(string) string
	how    string
	negate bool
}

func badFilter() error { return violated(http.StatusForbidden, nsCalDAV, "valid-filter") }

// filterOf reads C:filter. Its root must be VCALENDAR.
func filterOf(e *element) (*compFilter, error) {
	if e == nil || len(e.children) != 1 || !e.children[0].is(nsCalDAV, "comp-filter") {
		return nil, badFilter()
	}
	f, err := compFilterOf(e.children[0])
	if err != nil {
		return nil, err
	}
	if f.name != ical.CompCalendar {
		return nil, badFilter()
	}
	return &f, nil
}

// timed are the components whose time can be asked for (section 9.9).
var timed = []string{ical.CompEvent, ical.CompToDo, ical.CompJournal, ical.CompFreeBusy, ical.CompAlarm}

func compFilterOf(e *element) (f compFilter, err error) {
	if f.name = strings.ToUpper(e.attr("name")); f.name == "" {
		return f, badFilter()
	}
	for _, c := range e.children {
		if c.Space != nsCalDAV {
			continue
		}
		switch c.Local {
		case "is-not-defined":
			f.notDefined = true
		case "time-range":
			if !slices.Contains(timed, f.name) {
				return f, badFilter()
			}
			if f.between, err = timeRangeOf(c); err != nil {
				return f, err
			}
		case "prop-filter":
			p, err := propFilterOf(c)
			if err != nil {
				return f, err
			}
			f.props = append(f.props, p)
		case "comp-filter":
			sub, err := compFilterOf(c)
			if err != nil {
				return f, err
			}
			if sub.name == ical.CompCalendar {
				return f, badFilter() // it is the outermost
			}
			f.comps = append(f.comps, sub)
		default:
			return f, violated(http.StatusForbidden, nsCalDAV, "supported-filter")
		}
	}
	if f.notDefined && (f.between != nil || f.props != nil || f.comps != nil) {
		return f, badFilter()
	}
	return f, nil
}

func propFilterOf(e *element) (f propFilter, err error) {
	if f.name = strings.ToUpper(e.attr("name")); f.name == "" {
		return f, badFilter()
	}
	for _, c := range e.children {
		if c.Space != nsCalDAV {
			continue
		}
		switch c.Local {
		case "is-not-defined":
			f.notDefined = true
		case "time-range":
			f.between, err = timeRangeOf(c)
		case "text-match":
			f.text, err = textMatchOf(c)
		case "param-filter":
			p := paramFilter{name: strings.ToUpper(c.attr("name"))}
			if p.name == "" {
				return f, badFilter()
			}
			p.notDefined = c.child(nsCalDAV, "is-not-defined") != nil
			if tm := c.child(nsCalDAV, "text-match"); tm != nil {
				p.text, err = textMatchOf(tm)
			}
			if p.notDefined && p.text != nil {
				return f, badFilter()
			}
			f.params = append(f.params, p)
		default:
			err = violated(http.StatusForbidden, nsCalDAV, "supported-filter")
		}
		if err != nil {
			return f, err
		}
	}
	if f.notDefined && (f.between != nil || f.text != nil || f.params != nil) || f.between != nil && f.text != nil {
		return f, badFilter()
	}
	return f, nil
}

// timeRangeOf reads C:time-range: UTC, at least one bound, in order
// (section 9.9).
func timeRangeOf(e *element) (*timeRange, error) {
	var tr timeRange
	for _, b := range []struct {
		name string
		to   *time.Time
	}{{"start", &tr.from}, {"end", &tr.to}} {
		v := e.attr(b.name)
		if v == "" {
			continue
		}
		t, err := time.Parse(utcTime, v)
		if err != nil {
			return nil, badFilter()
		}
		*b.to = t
	}
	if tr.from.IsZero() && tr.to.IsZero() || !tr.from.IsZero() && !tr.to.IsZero() && !tr.from.Before(tr.to) {
		return nil, badFilter()
	}
	return &tr, nil
}

func textMatchOf(e *element) (*textMatch, error) {
	m := &textMatch{negate: strings.EqualFold(e.attr("negate-condition"), "yes"), how: e.attr("match-type")}
	switch e.attr("collation") {
	case "", "default", "i;ascii-casemap":
		m.fold = foldASCII
	case "i;unicode-casemap":
		m.fold = strings.ToLower
	case "i;octet":
		m.fold = func(s string) string { return s }
	default:
		return nil, violated(http.StatusForbidden, nsCalDAV, "supported-collation")
	}
	switch m.how {
	case "", "contains", "equals", "starts-with", "ends-with":
	default:
		return nil, badFilter()
	}
	m.text = m.fold(e.text)
	return m, nil
}

// foldASCII is i;ascii-casemap (RFC 4790 section 9.2).
func foldASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// match reports whether a text matches, before negation.
func (m *textMatch) match(s string) bool {
	s = m.fold(s)
	switch m.how {
	case "equals":
		return s == m.text
	case "starts-with":
		return strings.HasPrefix(s, m.text)
	case "ends-with":
		return strings.HasSuffix(s, m.text)
	}
	return strings.Contains(s, m.text)
}

// span is the time that every match must touch, for the index; zero bounds
// are open.
func (f *compFilter) span() (from, to time.Time) {
	for _, c := range f.comps {
		if c.between != nil {
			return c.between.from, c.between.to
		}
	}
	return from, to
}

// surely reports whether an entry passes by its beginning alone: only a time
// range is asked, and that it begins at least a day within it, so that no
// zone matters. Most entries of a month need no reading then.
func (f *compFilter) surely(e *store.Entry) bool {
	if e.Begins.IsZero() || f.between != nil || len(f.props) > 0 || len(f.comps) != 1 {
		return false
	}
	c := &f.comps[0]
	if c.name != ical.CompEvent || c.between == nil || len(c.props) > 0 || len(c.comps) > 0 {
		return false
	}
	const day = 24 * time.Hour
	return !e.Begins.Add(-day).Before(orPast(c.between.from)) && e.Begins.Add(day).Before(orFuture(c.between.to)) &&
		bytes.Contains(e.Bytes, []byte("\r\nBEGIN:VEVENT\r\n")) // no to-do
}

// needsBytes reports whether an entry must be read to judge it. A calendar
// holds one component, so asking for just that one passes all.
func (f *compFilter) needsBytes(component store.Component) bool {
	plain := func(c *compFilter) bool {
		return !c.notDefined && c.between == nil && len(c.props) == 0
	}
	if !plain(f) || len(f.comps) > 1 {
		return true
	}
	for i := range f.comps {
		c := &f.comps[i]
		if component != store.Component(c.name) || !plain(c) || len(c.comps) > 0 {
			return true
		}
	}
	return false
}

// matchBytes judges an entry; what cannot be read does not match.
func (f *compFilter) matchBytes(body []byte, floating *time.Location) bool {
	cal, err := decode(body)
	if err != nil || cal == nil {
		return false
	}
	return f.match(cal, cal.Component, floating)
}

// match reports whether a component of the right name passes.
func (f *compFilter) match(cal *ical.Calendar, comp *ical.Component, floating *time.Location) bool {
	if f.notDefined {
		return false // it is there
	}
	if f.between != nil && !overlaps(cal, comp, orPast(f.between.from), orFuture(f.between.to), floating) {
		return false
	}
	for i := range f.props {
		if !f.props[i].match(comp, floating) {
			return false
		}
	}
	for i := range f.comps {
		sub := &f.comps[i]
		present, passed := false, false
		for _, child := range comp.Children {
			if strings.EqualFold(child.Name, sub.name) {
				present = true
				if passed = !sub.notDefined && sub.match(cal, child, floating); passed {
					break
				}
			}
		}
		if sub.notDefined == present || !sub.notDefined && !passed {
			return false
		}
	}
	return true
}

// Open ends of a time range. iCalendar years have four digits.
func orPast(t time.Time) time.Time {
	if t.IsZero() {
		return time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC)
	}
	return t
}

func orFuture(t time.Time) time.Time {
	if t.IsZero() {
		return time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
	}
	return t
}

// match reports whether one of the component's properties of that name passes.
func (f *propFilter) match(comp *ical.Component, floating *time.Location) bool {
	props := comp.Props.Values(f.name)
	if f.notDefined || len(props) == 0 {
		return f.notDefined && len(props) == 0
	}
	for i := range props {
		if f.matchOne(&props[i], floating) {
			return true
		}
	}
	return false
}

func (f *propFilter) matchOne(p *ical.Prop, floating *time.Location) bool {
	if f.between != nil {
		at, err := p.DateTime(floating)
		if err != nil || at.Before(orPast(f.between.from)) || !at.Before(orFuture(f.between.to)) {
			return false
		}
	}
	if f.text != nil && f.text.match(unescape(p.Value)) == f.text.negate {
		return false
	}
	for i := range f.params {
		if !f.params[i].match(p.Params[f.params[i].name]) {
			return false
		}
	}
	return true
}

func (f *paramFilter) match(values []string) bool {
	if f.notDefined || len(values) == 0 {
		return f.notDefined && len(values) == 0
	}
	if f.text == nil {
		return true
	}
	for _, v := range values {
		if f.text.match(v) != f.text.negate {
			return true
		}
	}
	return false
}
