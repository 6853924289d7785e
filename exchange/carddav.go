package exchange

import (
	"cmp"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"intouch/store"
)

// A CardDAV server (RFC 6352) as a source of persons. What has changed in a
// book is told by sync-collection (RFC 6578) where the server knows it, else
// by getctag and the cards' ETags; only changed cards travel.

const (
	maxBooks      = 100     // of one login
	maxBookCards  = 200_000 // of one book
	cardsAtOnce   = 50
	maxSyncRounds = 1000 // answers of one sync-collection that the server cuts
)

// CardBook is an address book on a server.
type CardBook struct {
	URL  string
	Name string // as the server shows it, "" for none

	at *url.URL
	d  *dav
}

// ImportCardBook takes what has changed in an address book since it was read
// last, or all of it where whole is set. The book's keys are those of its
// cards. A card that has gone from the server changes nothing here: nobody
// said that the person is gone.
func ImportCardBook(ctx context.Context, st *store.Store, opt BookOptions, book CardBook, whole bool) (BookSummary, error) {
	token, etags, err := st.CardBook(ctx, book.URL)
	if err != nil {
		return BookSummary{}, err
	}
	since := token
	if whole {
		since, etags = "", nil
	}
	news, err := book.d.changes(ctx, book.at, since)
	if err != nil {
		return BookSummary{}, err
	}
	var paths []string
	for path, etag := range news.Changed {
		if etag == "" || etags[path] != etag {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	opt.Book = book.URL
	sum, err := ImportBook(ctx, st, opt, book.entries(ctx, paths))
	if err != nil || opt.DryRun || news.Token == token && len(news.Changed)+len(news.Gone) == 0 {
		return sum, err
	}
	return sum, st.SaveCardBook(ctx, book.URL, news)
}

// entries are the entries of some of the book's cards, by their paths.
func (b CardBook) entries(ctx context.Context, paths []string) *Book {
	book := &Book{LeftOut: map[string]int{}}
	book.Entries = func(yield func(store.BookPerson, error) bool) {
		for some := range slices.Chunk(paths, cardsAtOnce) {
			texts, faults, err := b.d.cards(ctx, b.at, some)
			if err != nil {
				yield(store.BookPerson{}, err)
				return
			}
			for _, path := range some {
				if reason := faults[path]; reason != "" {
					if !yield(store.BookPerson{}, &EntryFault{Key: path, Reason: reason}) {
						return
					}
				}
				if texts[path] != "" && !b.card(path, texts[path], book.LeftOut, yield) { // one without a text has gone meanwhile
					return
				}
			}
		}
	}
	return book
}

// card hands on what a card says.
func (b CardBook) card(path, text string, leftOut map[string]int, yield func(store.BookPerson, error) bool) bool {
	card, err := VCards(strings.NewReader(text))
	if err != nil {
		return yield(store.BookPerson{}, &EntryFault{Key: path, Reason: err.Error()})
	}
	for said, err := range card.Entries {
		var fault *EntryFault
		switch {
		case errors.As(err, &fault):
			err = &EntryFault{Key: path, Reason: fault.Reason} // its line is of no file
		case err != nil:
			err = &EntryFault{Key: path, Reason: err.Error()}
		}
		said.Key = cmp.Or(said.Key, path)
		if !yield(said, err) {
			return false
		}
	}
	for what, n := range card.LeftOut {
		leftOut[what] += n
	}
	return true
}

// Books finds the address books of a login, from the address of one of them,
// of the principal, or of the server itself (RFC 6764).
func (s *CardServer) Books(ctx context.Context) ([]CardBook, error) {
	d, err := s.open()
	if err != nil {
		return nil, err
	}
	return d.books(ctx)
}

const whoAmI = `<D:resourcetype/><D:displayname/><D:current-user-principal/><C:addressbook-home-set/>`

func (d *dav) books(ctx context.Context) ([]CardBook, error) {
	wellKnown, root := *d.start, *d.start
	wellKnown.Path, wellKnown.RawPath = "/.well-known/carddav", ""
	root.Path, root.RawPath = "/", ""
	var first error
	for _, door := range []*url.URL{d.start, &wellKnown, &root} {
		books, err := d.booksFrom(ctx, door)
		if len(books) > 0 {
			return books, nil
		}
		if statusOf(err) == http.StatusUnauthorized || statusOf(err) == 0 && err != nil {
			return nil, err
		}
		if first == nil {
			first = err
		}
	}
	if first != nil {
		return nil, first
	}
	return nil, errors.New("the server shows no address book to this user")
}

// booksFrom looks at one address: it is a book, or tells of the principal, or
// of the home of books.
func (d *dav) booksFrom(ctx context.Context, door *url.URL) (books []CardBook, err error) {
	var homes []*url.URL
	for range 2 { // the door, and the principal that it names
		principal := (*url.URL)(nil)
		err = d.propfind(ctx, door, "0", whoAmI, func(at *url.URL, r *davResponse) error {
			p := r.prop()
			if p.Type.Book != nil {
				book, err := resolve(at, r.Href) // not as it was asked for: its key is one
				if err != nil {
					return err
				}
				books = append(books, CardBook{book.String(), clean(p.Name), book, d})
			}
			for _, href := range p.Homes.Hrefs[:min(len(p.Homes.Hrefs), 10)] {
				home, err := resolve(at, href)
				if err != nil {
					return err
				}
				homes = append(homes, home)
			}
			if p.Principal.Href != "" {
				principal, err = resolve(at, p.Principal.Href)
			}
			return err
		})
		if err != nil || len(books) > 0 {
			return books, err
		}
		if len(homes) > 0 || principal == nil {
			break
		}
		door = principal
	}
	for _, home := range homes {
		err = d.propfind(ctx, home, "1", `<D:resourcetype/><D:displayname/>`, func(at *url.URL, r *davResponse) error {
			p := r.prop()
			if p.Type.Book == nil || len(books) == maxBooks {
				return nil
			}
			book, err := resolve(at, r.Href)
			if err != nil {
				return err
			}
			books = append(books, CardBook{book.String(), clean(p.Name), book, d})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return books, nil
}

// A token of the store is a sync-token or a ctag; these tell them apart.
const (
	syncPrefix = "sync "
	ctagPrefix = "ctag "
)

// changes asks what has changed since token; "" for all.
func (d *dav) changes(ctx context.Context, book *url.URL, token string) (store.CardBookNews, error) {
	if since, ok := strings.CutPrefix(token, syncPrefix); ok {
		found, err := d.syncCollection(ctx, book, since)
		// A token that the server has forgotten is 403 or 409 (RFC 6578
		// section 3.2), and each has its own idea of what else it may be.
		if status := statusOf(err); err == nil || status < 400 || status > 499 || status == http.StatusUnauthorized {
			return found, err
		}
	}
	// First the token, then the list: what changes in between comes twice.
	found := store.CardBookNews{Changed: map[string]string{}, All: true}
	err := d.propfind(ctx, book, "0", `<D:sync-token/><S:getctag/>`, func(_ *url.URL, r *davResponse) error {
		switch p := r.prop(); {
		case p.SyncToken != "":
			found.Token = syncPrefix + p.SyncToken
		case p.CTag != "":
			found.Token = ctagPrefix + p.CTag
		}
		return nil
	})
	if err != nil {
		return found, err
	}
	if strings.HasPrefix(token, ctagPrefix) && found.Token == token {
		return store.CardBookNews{Token: token}, nil
	}
	return found, d.propfind(ctx, book, "1", `<D:resourcetype/><D:getetag/>`, func(at *url.URL, r *davResponse) error {
		return noteCard(&found, book, at, r)
	})
}

// syncCollection asks by a sync-token, again as long as the server cuts its
// answer (507).
func (d *dav) syncCollection(ctx context.Context, book *url.URL, since string) (store.CardBookNews, error) {
	found := store.CardBookNews{Changed: map[string]string{}}
	for range maxSyncRounds {
		cut := false
		body := `<D:sync-collection ` + davSpaces + `><D:sync-token>` + xmlText(since) + `</D:sync-token><D:sync-level>1</D:sync-level><D:prop><D:resourcetype/><D:getetag/></D:prop></D:sync-collection>`
		token, err := d.multistatus(ctx, "REPORT", book, "0", body, maxListing, func(at *url.URL, r *davResponse) error {
			cut = cut || r.is(" 507 ")
			return noteCard(&found, book, at, r)
		})
		if err != nil {
			return found, err
		}
		if token == "" || cut && token == since {
			return found, errors.New("the server tells changes without a sync-token")
		}
		if since = token; !cut {
			break
		}
	}
	found.Token = syncPrefix + since
	return found, nil
}

// noteCard keeps what a response says of a card below the book.
func noteCard(news *store.CardBookNews, book, at *url.URL, r *davResponse) error {
	u, err := resolve(at, r.Href)
	if err != nil {
		return err
	}
	path := u.EscapedPath()
	p := r.prop()
	if u.Host != book.Host || strings.Trim(path, "/") == strings.Trim(book.EscapedPath(), "/") || p.Type.Collection != nil || r.is(" 507 ") {
		return nil
	}
	if r.is(" 404 ") || r.is(" 410 ") {
		delete(news.Changed, path)
		news.Gone = append(news.Gone, path)
	} else {
		news.Changed[path] = p.ETag
	}
	if len(news.Changed)+len(news.Gone) > maxBookCards {
		return fmt.Errorf("the book has more than %d cards", maxBookCards)
	}
	return nil
}

// cards fetches the cards of some paths, at most cardsAtOnce. An answer that
// is too large is asked for in halves, down to the one card that is, which
// comes as a fault.
func (d *dav) cards(ctx context.Context, book *url.URL, paths []string) (texts map[string]string, faults map[string]string, err error) {
	texts, faults = map[string]string{}, map[string]string{}
	hrefs := strings.Builder{}
	for _, p := range paths {
		hrefs.WriteString(`<D:href>` + xmlText(p) + `</D:href>`)
	}
	body := `<C:addressbook-multiget ` + davSpaces + `><D:prop><C:address-data/></D:prop>` + hrefs.String() + `</C:addressbook-multiget>`
	_, err = d.multistatus(ctx, "REPORT", book, "1", body, maxCardBatch, func(at *url.URL, r *davResponse) error {
		u, err := resolve(at, r.Href)
		if err != nil {
			return err
		}
		if path := u.EscapedPath(); slices.Contains(paths, path) {
			texts[path] = r.prop().Card
		}
		return nil
	})
	switch {
	case errors.Is(err, errLargeAnswer) && len(paths) == 1:
		return map[string]string{}, map[string]string{paths[0]: fmt.Sprintf("the card is larger than %d MB", maxCardBatch>>20)}, nil
	case errors.Is(err, errLargeAnswer):
		texts, faults = map[string]string{}, map[string]string{}
		for half := range slices.Chunk(paths, (len(paths)+1)/2) {
			some, bad, err := d.cards(ctx, book, half)
			if err != nil {
				return nil, nil, err
			}
			for path, text := range some {
				texts[path] = text
			}
			for path, fault := range bad {
				faults[path] = fault
			}
		}
	case err != nil:
		return nil, nil, err
	}
	return texts, faults, nil
}

func xmlText(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s)) // a Builder takes everything
	return b.String()
}
