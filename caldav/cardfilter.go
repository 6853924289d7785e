package caldav

import (
	"net/http"
	"slices"
	"strings"
)

// cardFilter is CR:filter (RFC 6352 section 10.5).
type cardFilter struct {
	all   bool // test="allof"
	props []cardPropFilter
}

type cardPropFilter struct {
	group      string // item1 of item1.TEL; "" any
	name       string
	notDefined bool
	all        bool
	texts      []*textMatch
	params     []paramFilter
}

var errCardFilter = violated(http.StatusForbidden, nsCardDAV, "supported-filter")

func cardFilterOf(e *element) (*cardFilter, error) {
	f := &cardFilter{}
	if e == nil {
		return f, nil
	}
	var err error
	if f.all, err = testAll(e); err != nil {
		return nil, err
	}
	for _, c := range e.children {
		if !c.is(nsCardDAV, "prop-filter") {
			return nil, errCardFilter
		}
		p, err := cardPropFilterOf(c)
		if err != nil {
			return nil, err
		}
		f.props = append(f.props, p)
	}
	return f, nil
}

func cardPropFilterOf(e *element) (p cardPropFilter, err error) {
	p.group, p.name = cutGroup(strings.ToUpper(e.attr("name")))
	if p.all, err = testAll(e); err != nil {
		return p, err
	}
	for _, c := range e.children {
		switch {
		case c.is(nsCardDAV, "is-not-defined"):
			p.notDefined = true
		case c.is(nsCardDAV, "text-match"):
			m, err := cardTextOf(c)
			if err != nil {
				return p, err
			}
			p.texts = append(p.texts, m)
		case c.is(nsCardDAV, "param-filter"):
			pf := paramFilter{name: strings.ToUpper(c.attr("name")), notDefined: c.child(nsCardDAV, "is-not-defined") != nil}
			if tm := c.child(nsCardDAV, "text-match"); tm != nil {
				if pf.text, err = cardTextOf(tm); err != nil {
					return p, err
				}
			}
			if pf.name == "" {
				return p, errCardFilter
			}
			p.params = append(p.params, pf)
		default:
			return p, errCardFilter
		}
	}
	if p.name == "" || p.notDefined && len(e.children) > 1 {
		return p, errCardFilter
	}
	return p, nil
}

// testAll reads the attribute test, anyof or allof.
func testAll(e *element) (bool, error) {
	switch e.attr("test") {
	case "", "anyof":
		return false, nil
	case "allof":
		return true, nil
	}
	return false, errCardFilter
}

// cardTextOf reads a text-match, whose collation is i;unicode-casemap here
// unless it says otherwise.
func cardTextOf(e *element) (*textMatch, error) {
	switch c := e.attr("collation"); {
	case c == "" || c == "default":
		e.attrs = append(slices.Clone(e.attrs), attribute("collation", "i;unicode-casemap"))
	case !slices.Contains(collations, c):
		return nil, violated(http.StatusForbidden, nsCardDAV, "supported-collation")
	}
	m, err := textMatchOf(e)
	if err != nil {
		return nil, errCardFilter
	}
	return m, nil
}

// match judges a card.
func (f *cardFilter) match(card []byte) bool {
	if len(f.props) == 0 {
		return true
	}
	lines, err := readCard(card)
	if err != nil {
		return false // ours cannot fail
	}
	return hold(f.all, len(f.props), func(i int) bool {
		p := &f.props[i]
		have := false
		for j := range lines {
			if l := &lines[j]; l.name == p.name && (p.group == "" || strings.EqualFold(l.group, p.group)) {
				have = true
				if !p.notDefined && p.match(l) {
					return true
				}
			}
		}
		return p.notDefined && !have
	})
}

func (p *cardPropFilter) match(l *line) bool {
	return hold(p.all, len(p.texts)+len(p.params), func(i int) bool {
		if i < len(p.texts) {
			return p.texts[i].match(unescape(l.value)) != p.texts[i].negate
		}
		pf := &p.params[i-len(p.texts)]
		return pf.match(paramValues(l, pf.name))
	})
}

// hold reports whether all, or any, of n tests pass; none at all pass.
func hold(all bool, n int, test func(int) bool) bool {
	for i := range n {
		if test(i) != all {
			return !all
		}
	}
	return all || n == 0
}

// paramValues are the values of a parameter, also of TYPE="cell,voice", which
// is a list in version 4.0.
func paramValues(l *line, name string) (values []string) {
	for _, v := range l.params[name] {
		values = append(values, strings.Split(v, ",")...)
	}
	return values
}
