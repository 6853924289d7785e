package store

import (
	"cmp"
	"errors"
	"slices"
	"strings"
)

// bookEntry is a row of book_entries.
type bookEntry struct {
	id       int64
	state    string // taken, offered, refused
	personID int64
	merged   int64 // when
	why      OfferReason
	book     string
	key      string
	clientID int64
	doubleID int64
	managing int64 // whose book it is
	by       int64 // who merged it, 0: the program
	said     BookPerson
	gave     given
	kept     keptPerson
}

// given is what of a person comes from an entry.
type given struct {
	Name     string   `json:"name,omitempty"`
	Position string   `json:"position,omitempty"`
	Birthday Date     `json:"birthday,omitempty"`
	Emails   []string `json:"emails,omitempty"`
	Phones   []string `json:"phones,omitempty"`
}

const (
	taken   = "taken"
	offered = "offered"
	refused = "refused"
)

// place is whose person an entry is, as far as it can be told.
type place struct {
	clientID int64
	person   *Person     // who it surely is
	double   int64       // who it may be
	why      OfferReason // "": it can be taken
}

// BookPerson takes an entry of an address book. Whose person it is: its
// addresses tell, else their domains, else its organisation. It becomes a
// person of that client; or is merged into the one whom it surely means, where
// it fills what is empty and changes only what it gave itself; or is offered,
// for a manager to decide. The same entry again changes nothing.
func (im *Import) BookPerson(opt BookOptions, b BookPerson) (RowChange, error) {
	t := im.t
	key := b.Identity()
	said, err := b.Tidied()
	if err != nil {
		return "", err
	}
	said.Key = key
	p := said.person()
	if erased, err := t.wasErased(p.Emails, p.Phones, "book "+opt.Book+" "+key); err != nil || erased {
		return RowUnchanged, err
	}
	old, err := t.bookEntry("e.book = $1 AND e.key = $2", opt.Book, key)
	if ignoreNotFound(err) != nil {
		return "", err
	}
	same := old.id != 0 && asJSON(old.said) == asJSON(said)
	settled := old.state == taken || old.state == refused || old.why == Undone // somebody decided
	switch {
	case settled && same:
		return RowUnchanged, nil
	case old.state == taken:
		return im.done(t.resay(im.actor, old, said))
	case settled:
		return RowUnchanged, t.sayAgain(old.id, said)
	}
	if ours, err := t.ours(p.Emails); err != nil || ours {
		return RowOurs, err
	}
	at, err := im.place(opt, &said, &p)
	if err != nil {
		return "", err
	}
	if opt.OfferOnly && at.person == nil {
		at.why = cmp.Or(at.why, Correspondent)
	}
	e := newEntry{opt: opt, key: key, said: said, at: at}
	if at.why != "" {
		moved, err := t.saveEntry(&e)
		if err != nil || !moved {
			return RowUnchanged, err
		}
		return RowOffered, nil
	}
	if at.person != nil {
		return im.done(t.mergeEntry(im.actor, &e, *at.person))
	}
	p.ClientID = at.clientID
	if _, err := t.writePerson(im.actor, &Person{}, &p); err != nil {
		return "", err
	}
	e.gave, e.personID = given{p.Name, p.Position, p.Birthday, p.Emails, p.Phones}, p.ID
	_, err = t.saveEntry(&e)
	return im.done(RowNew, err)
}

// newEntry is what becomes a row of book_entries.
type newEntry struct {
	opt      BookOptions
	key      string
	said     BookPerson
	at       place
	personID int64 // 0: it is offered
	merged   bool  // into a person who was there
	by       int64 // the manager who said so, 0: the program
	gave     given
}

// saveEntry writes the entry, and reports whether that changed anything.
func (t *tx) saveEntry(e *newEntry) (bool, error) {
	state, when := offered, int64(0)
	if e.personID != 0 {
		state, e.at = taken, place{}
	}
	if e.merged {
		when = t.now.Unix()
	}
	n, err := t.exec(`INSERT INTO book_entries (book, key, state, person_id, merged, why, client_id, double_id, manager_id, said, gave, changed, merged_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
		ON CONFLICT (book, key) DO UPDATE SET state = $3, person_id = $4, merged = $5, merged_by = $13, why = $6, client_id = $7, double_id = $8, said = $10, gave = $11, changed = $12
		WHERE book_entries.state <> $3 OR book_entries.why <> $6 OR book_entries.said <> $10
			OR COALESCE(book_entries.client_id, 0) <> COALESCE($7, 0) OR COALESCE(book_entries.double_id, 0) <> COALESCE($8, 0)`,
		e.opt.Book, e.key, state, ref(e.personID), when, string(e.at.why), ref(e.at.clientID), ref(e.at.double), ref(e.opt.ManagerID), asJSON(e.said), asJSON(e.gave), t.now.Unix(), ref(e.by))
	return n > 0, err
}

func (t *tx) bookEntry(where string, args ...any) (e bookEntry, err error) {
	found, err := t.bookEntries("WHERE "+where, args...)
	if err == nil && len(found) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return e, err
	}
	return found[0], nil
}

func (t *tx) bookEntries(tail string, args ...any) (out []bookEntry, err error) {
	err = t.rows(`SELECT e.id, e.book, e.key, e.state, e.person_id, e.merged, e.why, e.client_id, e.double_id, e.manager_id, e.merged_by, e.said, e.gave, e.kept FROM book_entries e `+tail, args,
		func(scan func(...any) error) error {
			var e bookEntry
			err := scan(&e.id, &e.book, &e.key, &e.state, idInto{&e.personID}, &e.merged, &e.why, idInto{&e.clientID}, idInto{&e.doubleID}, idInto{&e.managing}, idInto{&e.by},
				jsonInto{&e.said}, jsonInto{&e.gave}, jsonInto{&e.kept})
			out = append(out, e)
			return err
		})
	return out, err
}

func (t *tx) sayAgain(id int64, said BookPerson) error {
	_, err := t.exec(`UPDATE book_entries SET said = $1, changed = $2 WHERE id = $3`, asJSON(said), t.now.Unix(), id)
	return err
}

// ours reports whether all addresses are of managers or of our own domains.
func (t *tx) ours(emails []string) (bool, error) {
	if len(emails) == 0 {
		return false, nil
	}
	var company [2][]string // domains, blocked
	if err := t.row(`SELECT value FROM settings WHERE name = 'company'`, nil, jsonInto{&company}); ignoreNotFound(err) != nil {
		return false, err
	}
	for _, email := range emails {
		if _, domain, _ := strings.Cut(email, "@"); slices.Contains(company[0], domain) {
			continue
		}
		var id int64
		if err := t.row(`SELECT manager_id FROM manager_addresses WHERE address = $1`, []any{email}, &id); err != nil {
			return false, ignoreNotFound(err)
		}
	}
	return true, nil
}

// mergeEntry merges an entry into a person.
func (t *tx) mergeEntry(actor Actor, e *newEntry, old Person) (RowChange, error) {
	now := e.said.person()
	p := old.copied()
	absorb(&p, &Person{}, &now, &e.gave, nil)
	change, err := t.writePerson(actor, &old, &p)
	if err != nil {
		return "", err
	}
	e.personID, e.merged, e.by = old.ID, true, actor.ManagerID
	if _, err := t.saveEntry(e); err != nil {
		return "", err
	}
	c := changes{}
	c.note("entry", "", e.opt.Book+": "+now.Name)
	return change, t.remember(actor, "person", old.ID, "merged", c)
}

// resay takes what an entry that is a person's says now.
func (t *tx) resay(actor Actor, e bookEntry, said BookPerson) (RowChange, error) {
	found, err := t.persons("p.id = $1", "", e.personID)
	if err != nil || len(found) == 0 {
		return "", cmp.Or(err, ErrNotFound)
	}
	others, err := t.othersSay(e)
	if err != nil {
		return "", err
	}
	old := found[0]
	p := old.copied()
	before, now := e.said.person(), said.person()
	absorb(&p, &before, &now, &e.gave, others)
	change, err := t.writePerson(actor, &old, &p)
	if err != nil {
		return "", err
	}
	_, err = t.exec(`UPDATE book_entries SET said = $1, gave = $2, changed = $3 WHERE id = $4`, asJSON(said), asJSON(e.gave), t.now.Unix(), e.id)
	return change, err
}

// othersSay are the addresses and phones that the person's other entries say,
// but for those that came with this one.
func (t *tx) othersSay(e bookEntry) ([]string, error) {
	var out []string
	err := t.rows(`SELECT said FROM book_entries WHERE person_id = $1 AND id NOT IN `+t.s.dialect.ids("$2"), []any{e.personID, asJSON(append([]int64{e.id}, e.kept.Entries...))}, func(scan func(...any) error) error {
		var b BookPerson
		if err := scan(jsonInto{&b}); err != nil {
			return err
		}
		p := b.person()
		out = append(append(out, p.Emails...), p.Phones...)
		return nil
	})
	return out, err
}

// absorb changes a person as an entry says now, which said before otherwise
// (an empty person: it is new). gave is what of the person the entry gave: only
// that may it change or take away; what a person typed, and what somebody
// cleared, stays. What an entry leaves out altogether it does not deny: another
// program's export may not have it.
func absorb(p, before, now *Person, gave *given, others []string) {
	if strings.Contains(p.Name, "@") && !strings.Contains(now.Name, "@") {
		p.Name, gave.Name = now.Name, now.Name // an address stood for it
	}
	day, gaveDay := string(p.Birthday), string(gave.Birthday)
	for _, f := range []struct {
		field       *string
		before, now string
		gave        *string
	}{{&p.Name, before.Name, now.Name, &gave.Name}, {&p.Position, before.Position, now.Position, &gave.Position}, {&day, string(before.Birthday), string(now.Birthday), &gaveDay}} {
		free := *f.field == "" && f.before == "" || *f.gave != "" && *f.field == *f.gave
		if f.now != "" && f.now != f.before && free {
			*f.field, *f.gave = f.now, f.now
		}
	}
	p.Birthday, gave.Birthday = Date(day), Date(gaveDay)
	same := func(a, b string) bool { return a == b }
	absorbList(&p.Emails, before.Emails, now.Emails, &gave.Emails, others, same)
	absorbList(&p.Phones, before.Phones, now.Phones, &gave.Phones, others, samePhone)
}

func absorbList(list *[]string, before, now []string, gave *[]string, others []string, same func(a, b string) bool) {
	in := func(list []string, v string) bool {
		return slices.ContainsFunc(list, func(o string) bool { return same(v, o) })
	}
	if len(now) > 0 {
		*gave = slices.DeleteFunc(slices.Clone(*gave), func(v string) bool {
			gone := !in(now, v)
			if gone && !in(others, v) {
				*list = slices.DeleteFunc(*list, func(have string) bool { return have == v })
			}
			return gone
		})
	}
	for _, v := range now {
		if !in(before, v) && !in(*list, v) {
			*list, *gave = append(*list, v), append(*gave, v)
		}
	}
}

// place finds whose person an entry is.
func (im *Import) place(opt BookOptions, b *BookPerson, p *Person) (place, error) {
	t := im.t
	clients, err := t.clientsOf(p.Emails, b.Company)
	if err != nil {
		return place{}, err
	}
	if opt.ClientID != 0 && (len(clients) == 0 || slices.Contains(clients, opt.ClientID)) {
		clients = []int64{opt.ClientID}
	}
	switch {
	case len(clients) > 1:
		return place{why: SeveralClients}, nil
	case len(clients) == 0 && opt.MakeClients && coreName(b.Company) != "":
		id, err := im.makeClient(opt, b, p)
		return place{clientID: id}, err
	case len(clients) == 0:
		return place{why: UnknownClient}, nil
	}
	at := place{clientID: clients[0]}
	near, err := t.nearPersons(at.clientID, p)
	if err != nil {
		return at, err
	}
	var sure []*Person
	for i := range near {
		switch alikePersons(p, &near[i]) {
		case certain:
			sure = append(sure, &near[i])
		case doubtful:
			at.double = cmp.Or(at.double, near[i].ID)
		}
	}
	switch {
	case len(sure) == 1:
		at.person, at.double = sure[0], 0
	case len(sure) > 1:
		at.double, at.why = sure[0].ID, MaybeDouble
	case at.double != 0:
		at.why = MaybeDouble
	}
	return at, nil
}

// maxNear bounds the persons of a client that an entry is compared with one by
// one. In a client that has more, doubles are found by address and by the very
// same name.
const maxNear = 300

// nearPersons are the persons of a client who may be p.
func (t *tx) nearPersons(clientID int64, p *Person) ([]Person, error) {
	all, err := t.persons("p.client_id = $1", "LIMIT $2", clientID, maxNear+1)
	if err != nil || len(all) <= maxNear {
		return all, err
	}
	return t.persons(`p.client_id = $1 AND (p.name = $2 OR p.id IN (SELECT person_id FROM person_points WHERE kind = 'email' AND value IN `+t.s.dialect.texts("$3")+`))`, "LIMIT $4",
		clientID, p.Name, asJSON(append([]string{}, p.Emails...)), maxNear)
}

// clientsOf are the clients of addresses: those that have one of them, or a
// person who has; else those of their domains, free mail aside; else those of
// the organisation's name. Several by the first two that the name tells apart
// are one.
func (t *tx) clientsOf(emails []string, company string) ([]int64, error) {
	var domains []string
	free := FreeMail()
	for _, email := range emails {
		if _, domain, _ := strings.Cut(email, "@"); !free[domain] && !slices.Contains(domains, domain) {
			domains = append(domains, domain)
		}
	}
	core := clip(coreName(company), 500)
	type found struct {
		id   int64
		core string
	}
	find := func(where string, args ...any) (out []found, err error) {
		err = t.rows(`SELECT cl.id, cl.core FROM clients cl WHERE `+where+` ORDER BY cl.id LIMIT 10`, args, func(scan func(...any) error) error {
			var one found
			err := scan(&one.id, &one.core)
			out = append(out, one)
			return err
		})
		return out, err
	}
	texts := t.s.dialect.texts("$1")
	var all []found
	var err error
	if len(emails) > 0 {
		all, err = find(`cl.id IN (SELECT client_id FROM client_points WHERE kind = 'email' AND value IN `+texts+`)
			OR cl.id IN (SELECT p.client_id FROM person_points pp JOIN persons p ON p.id = pp.person_id WHERE pp.kind = 'email' AND pp.value IN `+texts+`)`, asJSON(emails))
	}
	if err == nil && len(all) == 0 && len(domains) > 0 {
		all, err = find(`cl.id IN (SELECT client_id FROM client_points WHERE kind = 'domain' AND value IN `+texts+`)`, asJSON(domains))
	}
	if err == nil && len(all) == 0 && core != "" {
		all, err = find(`cl.core = $1`, core)
	}
	if err != nil {
		return nil, err
	}
	if named := slices.DeleteFunc(slices.Clone(all), func(f found) bool { return f.core != core }); len(named) == 1 {
		all = named
	}
	var ids []int64
	for _, f := range all {
		ids = append(ids, f.id)
	}
	return ids, nil
}

// makeClient makes a client of an entry's organisation, whose key is made of
// its name.
func (im *Import) makeClient(opt BookOptions, b *BookPerson, p *Person) (int64, error) {
	row := ClientRow{ID: clip("book:"+coreName(b.Company), 200), Name: b.Company}
	if opt.ManagerID != 0 {
		m, err := im.t.manager("m.id = $1", opt.ManagerID)
		if err != nil {
			return 0, err
		}
		row.Manager = m.Login
	}
	free := FreeMail()
	for _, email := range p.Emails {
		if _, domain, _ := strings.Cut(email, "@"); !free[domain] {
			row.Domains = append(row.Domains, domain)
		}
	}
	var invalid *Invalid
	if _, err := im.Client(row); err != nil && !errors.As(err, &invalid) {
		return 0, err
	} else if err != nil {
		return 0, &Invalid{Field: "organisation", Reason: invalid.Reason}
	}
	return im.t.saved("clients", row.ID)
}
