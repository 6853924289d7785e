package caldav

import (
	"bytes"
	"net/http"
	"strings"
	"time"

	"github.com/emersion/go-ical"
)

// shape is which part of an object a C:calendar-data asks for (RFC 4791
// section 9.6); nil is all of it.
type shape struct {
	name  string
	whole bool            // all properties and components
	all   bool            // all properties
	props map[string]bool // by name; true: without its value
	any   bool            // all components, whole
	comps []*shape

	// Of the outermost: which occurrences of a series, nil for all as they
	// are; the zone of times without one; how much may still be expanded.
	expand, limit *timeRange
	floating      *time.Location
	left          int
}

// shapeOf reads C:calendar-data of a report.
func shapeOf(e *element) (*shape, error) {
	if t := e.attr("content-type"); t != "" && !strings.EqualFold(t, "text/calendar") {
		return nil, violated(http.StatusForbidden, nsCalDAV, "supported-calendar-data")
	}
	if v := e.attr("version"); v != "" && v != "2.0" {
		return nil, violated(http.StatusForbidden, nsCalDAV, "supported-calendar-data")
	}
	s := &shape{whole: true}
	if comp := e.child(nsCalDAV, "comp"); comp != nil {
		if s = compShape(comp); s.name != ical.CompCalendar {
			return nil, status(http.StatusBadRequest) // section 9.6.1: the outermost
		}
	}
	if err := s.readWindow(e); err != nil {
		return nil, err
	}
	s.left, s.floating = maxExpandedAll, time.UTC
	return s, nil
}

// in sets the zone of times without one.
func (s *shape) in(floating *time.Location) {
	if s != nil {
		s.floating = floating
	}
}

func compShape(e *element) *shape {
	s := &shape{name: strings.ToUpper(e.attr("name")), whole: len(e.children) == 0, props: map[string]bool{}}
	for _, c := range e.children {
		if c.Space != nsCalDAV {
			continue
		}
		switch c.Local {
		case "allprop":
			s.all = true
		case "allcomp":
			s.any = true
		case "prop":
			s.props[strings.ToUpper(c.attr("name"))] = strings.EqualFold(c.attr("novalue"), "yes")
		case "comp":
			s.comps = append(s.comps, compShape(c))
		}
	}
	if s.name == "VCALENDAR" && len(s.props) == 0 {
		s.all = true // without VERSION and PRODID it is no iCalendar
	}
	return s
}

// inside is the shape of a component within this one, nil where it is left out.
func (s *shape) inside(name string) *shape {
	if s.whole || s.any {
		return &shape{name: name, whole: true}
	}
	for _, c := range s.comps {
		if c.name == name {
			return c
		}
	}
	return nil
}

// of gives what the shape asks for of an object. The error is errExpanded, or
// that of an object that cannot be read.
func (s *shape) of(body []byte) (_ []byte, err error) {
	if s == nil {
		return body, nil
	}
	switch {
	case s.expand != nil:
		if s.left <= 0 {
			return nil, errExpanded
		}
		var all []byte
		if all, err = expand(body, s.expand, s.floating); err != nil {
			s.left -= costOfFailure
		}
		s.left -= max(0, len(all)-len(body))
		body = all
	case s.limit != nil:
		body, err = limitOverrides(body, s.limit, s.floating)
	}
	if err != nil {
		return nil, err
	}
	return s.cut(body), nil
}

// cut gives the lines of an object that the shape asks for, as they are.
func (s *shape) cut(body []byte) []byte {
	if s.whole {
		return body
	}
	out := make([]byte, 0, len(body))
	stack := []*shape{{comps: []*shape{s}}}
	left := 0 // depth inside a component that is left out
	keep := false
	for line := range bytes.Lines(body) {
		if line[0] == ' ' || line[0] == '\t' { // folded
			if keep {
				out = append(out, line...)
			}
			continue
		}
		end := bytes.IndexAny(line, ";:")
		if end < 0 {
			end = len(bytes.TrimRight(line, "\r\n"))
		}
		name := strings.ToUpper(string(line[:end]))
		top := stack[len(stack)-1]
		switch {
		case name == "BEGIN":
			sub := (*shape)(nil)
			if left == 0 {
				sub = top.inside(strings.ToUpper(string(bytes.Trim(line[end:], ":\r\n "))))
			}
			if keep = sub != nil; keep {
				stack = append(stack, sub)
			} else {
				left++
			}
		case name == "END" && left > 0:
			left--
			keep = false
		case name == "END":
			if keep = len(stack) > 1; keep {
				stack = stack[:len(stack)-1]
			}
		case left > 0:
			keep = false
		default:
			bare, named := top.props[name]
			keep = top.whole || top.all || named && !bare
			if named && bare && !top.all {
				out = append(append(out, line[:end]...), ":\r\n"...)
			}
		}
		if keep {
			out = append(out, line...)
		}
	}
	return out
}
