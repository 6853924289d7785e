package caldav

import "net/http"

// book is the address book of persons.
type book struct {
	name string
	ctag string
}

func (c *call) book() (*book, error) { return &book{}, nil }

func (c *call) bookTarget(b *book) *target {
	p := place{kind: bookKind, login: c.manager.Login, slug: bookSlug}
	return &target{kind: bookKind, path: p.path(), manager: &c.manager, book: b}
}

func (c *call) bookSelf() (*target, error)              { return nil, errNoSuchPlace }
func (c *call) propfindCards(q *asked) error            { return errNoSuchPlace }
func (c *call) addressbookQuery(root *element) error    { return errNoSuchPlace }
func (c *call) addressbookMultiget(root *element) error { return errNoSuchPlace }
func (c *call) getCard() error                          { return errNoSuchPlace }
func (c *call) refuseCard() error                       { return status(http.StatusForbidden) }
