package caldav

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"intouch/store"
)

// The address books of persons: one card for each person of the manager's
// clients, and the cards of the manager's own; a head has another with
// everybody's persons. A person stands in both under the same name and UID. A
// book's version, ctag and sync-token, counts the changes of its cards.

// BookName is what an address book is called.
func BookName(m *store.Manager, book string) string {
	return phrase(m.Language, "book "+book)
}

// inBook refuses address books that are not there.
func (c *call) inBook() error {
	if !slices.Contains(store.BooksOf(&c.manager), c.place.slug) {
		return errNoSuchPlace
	}
	return nil
}

// book is one of the manager's address books.
func (c *call) book(name string) (*store.Book, error) {
	b, err := c.st.Book(c.ctx, c.manager, name, c.etag)
	if err != nil {
		return nil, fmt.Errorf("address book %s: %w", name, err)
	}
	return &b, nil
}

// etag is that of a card.
func (c *call) etag(card *store.Card) string { return c.render(card).etag }

func (c *call) bookTarget(b *store.Book) *target {
	p := place{kind: bookKind, login: c.manager.Login, slug: b.Name}
	return &target{kind: bookKind, path: p.path(), manager: &c.manager, book: b}
}

// bookSelf is the book, or one of its cards, as a target.
func (c *call) bookSelf() (*target, error) {
	if c.place.kind == bookKind {
		b, err := c.book(c.place.slug)
		if err != nil {
			return nil, err
		}
		return c.bookTarget(b), nil
	}
	card, err := c.cardHere()
	if err != nil {
		return nil, err
	}
	t := c.cardTarget(card)
	t.data = nil // address-data is for reports
	return t, nil
}

// cardHere is the card at the call's place.
func (c *call) cardHere() (r rendered, err error) {
	if err := c.inBook(); err != nil {
		return r, err
	}
	card, err := c.st.Card(c.ctx, c.manager, c.place.slug, c.place.name)
	if err != nil {
		return r, err
	}
	return c.render(&card), nil
}

// eachCard calls fn for every card.
func (c *call) eachCard(fn func(rendered) error) error {
	return c.st.Cards(c.ctx, c.manager, c.place.slug, func(card *store.Card) error { return fn(c.render(card)) })
}

// eachCardOf calls fn for the cards of those names that are there. Up to some
// number they are read one by one: a book is thousands of cards, and a program
// that has written one asks for that one.
func (c *call) eachCardOf(names map[string]bool, fn func(rendered) error) error {
	if len(names) > 100 {
		return c.eachCard(func(r rendered) error {
			if !names[r.name] {
				return nil
			}
			return fn(r)
		})
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		card, err := c.st.Card(c.ctx, c.manager, c.place.slug, name)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if err := fn(c.render(&card)); err != nil {
			return err
		}
	}
	return nil
}

func (c *call) cardTarget(r rendered) *target {
	return &target{kind: cardKind, path: c.cardPath(r.name), manager: &c.manager, etag: r.etag, size: int64(len(r.body)), data: r.body}
}

// cardPath is the path of a card of the book at the call's place.
func (c *call) cardPath(name string) string {
	return place{kind: cardKind, login: c.manager.Login, slug: c.place.slug, name: name}.path()
}

// rendered is a card as the manager's programs get it. The tag has two halves:
// the state of the record and of what the program put, and the bytes.
type rendered struct {
	name, etag string
	body       []byte
}

func (c *call) render(card *store.Card) rendered {
	body := c.vcard(card)
	state := sha256.New()
	fmt.Fprintf(state, "%d %d %q ", card.ID, card.Version, card.Client.Name)
	state.Write(card.Overlay)
	bytes := sha256.Sum256(body)
	return rendered{card.File, hex.EncodeToString(state.Sum(nil)[:8]) + "-" + hex.EncodeToString(bytes[:8]), body}
}

// stateOfTag is the first half of a card's tag.
func stateOfTag(tag string) string {
	state, _, _ := strings.Cut(tag, "-")
	return state
}

// propfindCards lists the book and its cards.
func (c *call) propfindCards(q *asked) error {
	b, err := c.book(c.place.slug)
	if err != nil {
		return err
	}
	a := c.startMultistatus(q)
	q.respond(a, c.bookTarget(b))
	err = c.eachCard(func(r rendered) error {
		t := c.cardTarget(r)
		t.data = nil // address-data is for reports
		q.respond(a, t)
		return a.spill()
	})
	return c.finish(a, err)
}

// getCard answers GET and HEAD of a card.
func (c *call) getCard() error {
	r, err := c.cardHere()
	if err != nil {
		return err
	}
	// The tag is that of the card whatever version is sent: a program uses it
	// to write the card, whose versions say the same.
	c.w.Header().Set("Vary", "Accept")
	version := acceptedVersion(c.r.Header.Get("Accept"))
	c.serve(cardKind, cardShape{version: version}.of(r.body), r.etag, time.Time{})
	return nil
}

// putCard answers PUT of a card (RFC 6352 section 6.3.2).
func (c *call) putCard() error {
	if err := c.inBook(); err != nil {
		return status(http.StatusConflict) // RFC 4918 section 9.7.1: no parent
	}
	if err := cardType(c.r.Header.Get("Content-Type")); err != nil {
		return err
	}
	body, err := readBody(c.r, maxRequest)
	if errors.Is(err, errTooLarge) {
		c.w.Header().Set("Connection", "close")
		return violated(http.StatusForbidden, nsCardDAV, "max-resource-size")
	}
	if err != nil {
		return err
	}
	write, err := ReadCard(body)
	if err != nil {
		return err
	}
	card, created, err := c.st.PutCard(c.ctx, c.manager, c.place.slug, c.place.name, c.cardCondition, c.etag, write)
	var (
		held *store.UIDConflict
		inv  *store.Invalid
	)
	switch {
	case errors.As(err, &held):
		return c.cardConflict(held.Name)
	case errors.As(err, &inv):
		return errBadCard
	case errors.Is(err, store.ErrForbidden):
		return needPrivilege(BookPath(c.manager.Login, c.place.slug), "bind")
	case errors.Is(err, store.ErrFull):
		return violated(http.StatusInsufficientStorage, nsDAV, "quota-not-exceeded") // RFC 4331 section 6
	case err != nil:
		return err
	}
	now := c.render(&card)
	c.written(store.PutResult{Created: created, Entry: store.Entry{ETag: now.etag, Exact: bytes.Equal(now.body, body)}})
	return nil
}

// cardConflict is no-uid-conflict (RFC 6352 section 6.3.2.1) with the card that
// has the UID, in this book or in the one where it stands.
func (c *call) cardConflict(name string) error {
	p := c.place
	p.name = name
	for _, p.slug = range append([]string{c.place.slug}, store.BooksOf(&c.manager)...) {
		if _, err := c.st.Card(c.ctx, c.manager, p.slug, name); err == nil {
			break
		}
	}
	return &refusal{status: http.StatusForbidden, precondition: carddav("no-uid-conflict"), body: func(a *answer) { a.href(p.path()) }}
}

// cardCondition judges If-Match and If-None-Match by the card that is there,
// nil for none (RFC 9110 section 13.1). What the NOTE tells of the client
// changes with every letter and makes no conflict: If-Match holds for every tag
// of the same state.
func (c *call) cardCondition(card *store.Card) error {
	tag := ""
	if card != nil {
		tag = c.render(card).etag
	}
	if v := c.r.Header.Values("If-Match"); len(v) > 0 && !slices.ContainsFunc(etagsOf(v), func(known string) bool {
		return card != nil && (known == "*" || stateOfTag(known) == stateOfTag(tag))
	}) {
		return store.ErrStale
	}
	if slices.ContainsFunc(etagsOf(c.r.Header.Values("If-None-Match")), func(known string) bool {
		return card != nil && (known == "*" || known == tag)
	}) {
		return store.ErrStale
	}
	return nil
}

// cardType refuses what does not call itself vCard. No type at all is taken
// for it.
func cardType(header string) error {
	t, _, _ := mime.ParseMediaType(header)
	switch t {
	case "", "text/vcard", "text/x-vcard", "text/directory":
		return nil
	}
	return violated(http.StatusForbidden, nsCardDAV, "supported-address-data")
}

// deleteCard answers DELETE of a card. A person is not removed by a program:
// the company's record of a client would lose whom it knows there.
func (c *call) deleteCard() error {
	if err := c.inBook(); err != nil {
		return err
	}
	err := c.st.DeleteCard(c.ctx, c.manager, c.place.slug, c.place.name, func(card *store.Card) error {
		if card == nil {
			return store.ErrNotFound
		}
		return c.cardCondition(card)
	})
	if errors.Is(err, store.ErrForbidden) {
		return needPrivilege(BookPath(c.manager.Login, c.place.slug), "unbind")
	}
	if err == nil {
		c.w.WriteHeader(http.StatusNoContent)
	}
	return err
}

// addressbookMultiget answers addressbook-multiget (RFC 6352 section 8.7).
func (c *call) addressbookMultiget(root *element) error {
	q, err := askedOf(root, c.r)
	if err != nil {
		return err
	}
	if err := c.inBook(); err != nil {
		return err
	}
	hrefs := hrefsOf(root)
	if len(hrefs) == 0 || len(hrefs) > maxHrefs {
		return status(http.StatusBadRequest)
	}
	a := c.startMultistatus(q)
	wanted := map[string]bool{}
	missing := map[string]string{} // name → href
	for _, href := range hrefs {
		if p, _, ok := parseHref(href); ok && p.kind == cardKind && p.slug == c.place.slug && strings.EqualFold(p.login, c.manager.Login) {
			wanted[p.name], missing[p.name] = true, href
		} else {
			notThere(a, href)
		}
	}
	err = c.eachCardOf(wanted, func(r rendered) error {
		delete(missing, r.name)
		q.respond(a, c.cardTarget(r))
		return a.spill()
	})
	for _, href := range missing {
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
	if err := c.inBook(); err != nil {
		return err
	}
	a := c.startMultistatus(q)
	if c.depth("1") == "0" {
		return c.finish(a, nil)
	}
	found := 0
	err = c.eachCard(func(r rendered) error {
		if !f.match(r.body) {
			return nil
		}
		if found++; limit > 0 && found > limit {
			if found == limit+1 {
				c.truncated(a)
			}
			return nil
		}
		q.respond(a, c.cardTarget(r))
		return a.spill()
	})
	return c.finish(a, err)
}
