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
	name       string
	notDefined bool
	all        bool
	texts      []*textMatch
	params     []paramFilter
}

func cardFilterOf(e *element) (*cardFilter, error) {
	f := &cardFilter{}
	if e == nil {
		return f, nil
	}
	f.all = e.attr("test") == "allof"
	for _, c := range e.children {
		if !c.is(nsCardDAV, "prop-filter") {
			return nil, violated(http.StatusForbidden, nsCardDAV, "supported-filter")
		}
		p := cardPropFilter{name: strings.ToUpper(c.attr("name")), all: c.attr("test") == "allof", notDefined: c.child(nsCardDAV, "is-not-defined") != nil}
		for _, sub := range c.children {
			switch {
			case sub.is(nsCardDAV, "text-match"):
				m, err := cardTextOf(sub)
				if err != nil {
					return nil, err
				}
				p.texts = append(p.texts, m)
			case sub.is(nsCardDAV, "param-filter"):
				pf := paramFilter{name: strings.ToUpper(sub.attr("name")), notDefined: sub.child(nsCardDAV, "is-not-defined") != nil}
				if tm := sub.child(nsCardDAV, "text-match"); tm != nil {
					m, err := cardTextOf(tm)
					if err != nil {
						return nil, err
					}
					pf.text = m
				}
				p.params = append(p.params, pf)
			}
		}
		f.props = append(f.props, p)
	}
	return f, nil
}

// cardTextOf reads a text-match, whose collation is i;unicode-casemap here
// unless it says otherwise.
func cardTextOf(e *element) (*textMatch, error) {
	if c := e.attr("collation"); c == "" || c == "default" {
		e.attrs = append(slices.Clone(e.attrs), attribute("collation", "i;unicode-casemap"))
	}
	m, err := textMatchOf(e)
	if err != nil {
		return nil, violated(http.StatusForbidden, nsCardDAV, "supported-collation")
	}
	return m, nil
}

// cardLine is one property of a card.
type cardLine struct {
	params map[string][]string
	value  string
}

// match judges a card as we write them.
func (f *cardFilter) match(card []byte) bool {
	lines := map[string][]cardLine{}
	for rest := card; len(rest) > 0; {
		var raw []byte
		raw, rest = cutLine(rest)
		head, value, _ := strings.Cut(unfold(raw), ":")
		name, params, _ := strings.Cut(head, ";")
		l := cardLine{value: unescape(value), params: map[string][]string{}}
		for param := range strings.SplitSeq(params, ";") {
			if k, v, ok := strings.Cut(param, "="); ok {
				l.params[k] = strings.Split(v, ",")
			}
		}
		lines[name] = append(lines[name], l)
	}
	return hold(f.all, len(f.props), func(i int) bool {
		p := &f.props[i]
		have := lines[p.name]
		if p.notDefined || len(have) == 0 {
			return p.notDefined && len(have) == 0
		}
		return slices.ContainsFunc(have, p.match)
	})
}

func (p *cardPropFilter) match(l cardLine) bool {
	return hold(p.all, len(p.texts)+len(p.params), func(i int) bool {
		if i < len(p.texts) {
			return p.texts[i].match(l.value) != p.texts[i].negate
		}
		pf := &p.params[i-len(p.texts)]
		return pf.match(l.params[pf.name])
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
