package caldav

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"intouch/store"
)

// The address book of persons, read-only: one card for each person whom the
// manager may see. There is one directory of addresses, and its version is the
// book's ctag; sync-collection is not offered, since persons leave no
// tombstones, and a program then compares ETags when the ctag moves.

// book is the address book as a resource.
type book struct {
	name string
	ctag string
}

func (c *call) book() (*book, error) {
	if c.place.slug != "" && c.place.slug != bookSlug {
		return nil, errNoSuchPlace
	}
	version, err := c.st.PartiesVersion(c.ctx)
	if err != nil {
		return nil, err
	}
	b := &book{name: BookName, ctag: strconv.FormatInt(version, 10)}
	if c.manager.Language == store.Russian {
		b.name = "Контактные лица клиентов"
	}
	return b, nil
}

func (c *call) bookTarget(b *book) *target {
	p := place{kind: bookKind, login: c.manager.Login, slug: bookSlug}
	return &target{kind: bookKind, path: p.path(), manager: &c.manager, book: b}
}

// bookSelf is the book, or one of its cards, as a target.
func (c *call) bookSelf() (*target, error) {
	b, err := c.book()
	if err != nil {
		return nil, err
	}
	if c.place.kind == bookKind {
		return c.bookTarget(b), nil
	}
	var t *target
	err = c.eachCard(func(name string, card []byte) error {
		if name == c.place.name {
			t = c.cardTarget(name, card)
			t.data = nil
		}
		return nil
	})
	if err == nil && t == nil {
		err = errNoSuchPlace
	}
	return t, err
}

// eachCard calls fn for every card, with its name.
func (c *call) eachCard(fn func(name string, card []byte) error) error {
	return c.st.Persons(c.ctx, c.manager, func(p *store.Person, client string) error {
		return fn(fmt.Sprintf("person-%d.vcf", p.ID), vcard(p, client, c.publicURL))
	})
}

func (c *call) cardTarget(name string, card []byte) *target {
	p := place{kind: cardKind, login: c.manager.Login, slug: bookSlug, name: name}
	return &target{kind: cardKind, path: p.path(), manager: &c.manager, etag: cardTag(card), size: int64(len(card)), data: card}
}

func cardTag(card []byte) string {
	sum := sha256.Sum256(card)
	return hex.EncodeToString(sum[:12])
}

// vcard writes a person as vCard 3.0 (RFC 2426), which every program reads.
// The same person always gives the same bytes: the ETag is their hash.
func vcard(p *store.Person, client, publicURL string) []byte {
	w := &writer{}
	name := fitText(oneLine(p.Name))
	w.line("BEGIN:VCARD")
	w.line("VERSION:3.0")
	w.line("PRODID:" + prodID)
	w.line("UID:person-" + strconv.FormatInt(p.ID, 10) + "@intouch")
	w.line("FN:" + escape(name))
	w.line("N:" + escape(name) + ";;;;") // which word is the family name is not known
	if client != "" {
		w.line("ORG:" + escape(oneLine(client)))
	}
	if p.Position != "" {
		w.line("TITLE:" + escape(oneLine(p.Position)))
	}
	for i, email := range p.Emails {
		w.line("EMAIL;TYPE=INTERNET" + preferred(i) + ":" + escape(oneLine(email)))
	}
	for i, phone := range p.Phones {
		w.line("TEL;TYPE=WORK" + preferred(i) + ":" + escape(oneLine(phone)))
	}
	if p.Birthday != "" {
		w.line("BDAY:" + string(p.Birthday))
	}
	if p.ClientID != 0 && publicURL != "" {
		w.line("URL:" + publicURL + "/clients/" + strconv.FormatInt(p.ClientID, 10))
	}
	w.line("END:VCARD")
	return w.Bytes()
}

// preferred marks the first of several.
func preferred(i int) string {
	if i == 0 {
		return ",PREF"
	}
	return ""
}

// propfindCards lists the book and its cards.
func (c *call) propfindCards(q *asked) error {
	b, err := c.book()
	if err != nil {
		return err
	}
	a := c.startMultistatus(q)
	q.respond(a, c.bookTarget(b))
	err = c.eachCard(func(name string, card []byte) error {
		t := c.cardTarget(name, card)
		t.data = nil // address-data is for reports
		q.respond(a, t)
		return a.spill()
	})
	return c.finish(a, err)
}

// getCard answers GET and HEAD of a card.
func (c *call) getCard() error {
	if _, err := c.book(); err != nil {
		return err
	}
	var found []byte
	err := c.eachCard(func(name string, card []byte) error {
		if name == c.place.name {
			found = card
		}
		return nil
	})
	if err != nil {
		return err
	}
	if found == nil {
		return errNoSuchPlace
	}
	c.serve(cardKind, found, cardTag(found), time.Time{})
	return nil
}

// refuseCard answers PUT and DELETE of a card.
func (c *call) refuseCard() error {
	if _, err := c.book(); err != nil {
		return err
	}
	return needPrivilege(c.place.path(), "write-content")
}

// addressbookMultiget answers addressbook-multiget (RFC 6352 section 8.7).
func (c *call) addressbookMultiget(root *element) error {
	q, err := askedOf(root, c.r)
	if err != nil {
		return err
	}
	if _, err := c.book(); err != nil {
		return err
	}
	hrefs := hrefsOf(root)
	if len(hrefs) == 0 || len(hrefs) > maxHrefs {
		return status(http.StatusBadRequest)
	}
	a := c.startMultistatus(q)
	wanted := map[string]string{} // name → href, for what is still missing
	for _, href := range hrefs {
		if p, _, ok := parseHref(href); ok && p.kind == cardKind && p.slug == bookSlug && strings.EqualFold(p.login, c.manager.Login) {
			wanted[p.name] = href
		} else {
			notThere(a, href)
		}
	}
	err = c.eachCard(func(name string, card []byte) error {
		if _, ok := wanted[name]; !ok {
			return nil
		}
		delete(wanted, name)
		q.respond(a, c.cardTarget(name, card))
		return a.spill()
	})
	for _, href := range wanted {
		notThere(a, href)
	}
	return c.finish(a, err)
}

// addressbookQuery answers addressbook-query (RFC 6352 section 8.6).
func (c *call) addressbookQuery(root *element) error {
	q, err := askedOf(root, c.r)
	if err != nil {
		return err
	}
	f, err := cardFilterOf(root.child(nsCardDAV, "filter"))
	if err != nil {
		return err
	}
	limit, err := limitOf(root)
	if err != nil {
		return err
	}
	if _, err := c.book(); err != nil {
		return err
	}
	a := c.startMultistatus(q)
	if c.depth("1") == "0" {
		return c.finish(a, nil)
	}
	found := 0
	err = c.eachCard(func(name string, card []byte) error {
		if !f.match(card) {
			return nil
		}
		if found++; limit > 0 && found > limit {
			if found == limit+1 {
				c.truncated(a)
			}
			return nil
		}
		q.respond(a, c.cardTarget(name, card))
		return a.spill()
	})
	return c.finish(a, err)
}

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
