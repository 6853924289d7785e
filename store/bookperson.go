package store

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"unicode"
)

// BookPerson is one entry of an address book (a vCard, a row of a mail
// program's export) as its reader understood it. Texts may be as long and as
// dirty as they come: the store bounds and cleans them.
type BookPerson struct {
	// Key is the entry's own key in its book (a UID); "" when it has none.
	Key string `json:"key,omitempty"`
	// Name as it is shown; where it is "" the parts make it.
	Name       string      `json:"name,omitempty"`
	Prefix     string      `json:"prefix,omitempty"`
	Given      string      `json:"given,omitempty"`
	Middle     string      `json:"middle,omitempty"` // a patronymic
	Family     string      `json:"family,omitempty"`
	Suffix     string      `json:"suffix,omitempty"`
	Company    string      `json:"company,omitempty"`
	Department string      `json:"department,omitempty"`
	Position   string      `json:"position,omitempty"`
	Emails     []string    `json:"emails,omitempty"`   // the preferred first
	Phones     []BookPhone `json:"phones,omitempty"`   // the preferred first
	Birthday   Date        `json:"birthday,omitempty"` // "" unknown, or a day without its year
	Note       string      `json:"note,omitempty"`
	Addresses  []string    `json:"addresses,omitempty"` // postal, one line each
	URLs       []string    `json:"urls,omitempty"`
}

// BookPhone is a phone of an entry. Faxes and pagers are kept with the entry,
// but are no phones of the person.
type BookPhone struct {
	Number string `json:"number"`
	Type   string `json:"type,omitempty"` // work, cell, home, fax, pager, "" not said
}

// BookOptions say how the entries of a book are taken.
type BookOptions struct {
	// Book is what the entries' keys are compared within: "vcard",
	// "thunderbird", the address of a server.
	Book string
	// ManagerID is whose book it is, 0: nobody's. What is offered is shown to
	// that manager and to heads.
	ManagerID int64
	// MakeClients makes a client of an organisation that is none yet.
	MakeClients bool
	// ClientID is whose persons the entries are where their addresses do not
	// tell another client, 0: not known.
	ClientID int64
	// OfferOnly takes nobody new without asking.
	OfferOnly bool
}

// What else may become of an entry, beside the outcomes of a row.
const (
	RowOffered RowChange = "offered" // kept apart until somebody decides
	RowOurs    RowChange = "ours"    // of a manager, so nobody at a client
)

// Why an entry is offered and not taken.
type OfferReason string

const (
	UnknownClient  OfferReason = "unknown-client"  // neither an address nor the organisation says whose person it is
	SeveralClients OfferReason = "several-clients" // they say several
	MaybeDouble    OfferReason = "double"          // it may be a person who is there
	Correspondent  OfferReason = "correspondent"   // counted in a mailbox, never entered by anybody
	Undone         OfferReason = "undone"          // it was taken, and somebody undid that
)

const (
	maxBookList = 50    // addresses, phones of one entry
	maxBookNote = 4_000 // bytes of its note
)

// Tidied is the entry cleaned and bounded, with a name where its parts make one.
// *Invalid: it says nobody.
func (b BookPerson) Tidied() (BookPerson, error) {
	for _, s := range []*string{&b.Name, &b.Prefix, &b.Given, &b.Middle, &b.Family, &b.Suffix, &b.Company, &b.Department, &b.Position} {
		*s = clip(strings.Join(strings.Fields(clean(*s)), " "), 500)
	}
	b.Note = clip(strings.TrimSpace(strings.ReplaceAll(clean(b.Note), "\r\n", "\n")), maxBookNote)
	b.Addresses, b.URLs = fewer(tidy(b.Addresses, 500)), fewer(tidy(b.URLs, 500))
	var emails []string
	for _, s := range b.Emails {
		// What is no address stays with the entry as it is: Exchange's
		// "/o=Example/cn=…" names a person, too.
		s = clip(strings.TrimSpace(clean(s)), 320)
		if a, err := Address(s); err == nil {
			s = a
		}
		if s != "" && !slices.Contains(emails, s) {
			emails = append(emails, s)
		}
	}
	b.Emails = fewer(emails)
	var phones []BookPhone
	for _, p := range b.Phones {
		p.Number = Phone(strings.Join(strings.Fields(clean(p.Number)), " "))
		p.Type = clip(clean(p.Type), 40)
		if p.Number != "" && !slices.ContainsFunc(phones, func(have BookPhone) bool { return samePhone(have.Number, p.Number) }) {
			phones = append(phones, p)
		}
	}
	b.Phones = phones[:min(len(phones), maxBookList)]
	if b.Birthday != "" {
		if _, err := ParseDate(string(b.Birthday)); err != nil {
			return b, invalid("birthday", "%v", err)
		}
	}
	b.Name = cmp.Or(b.Name, b.joined())
	if b.Name == "" && len(b.Emails) == 0 && len(b.Phones) == 0 {
		return b, invalid("name", "is missing, and so are an e-mail address and a phone")
	}
	return b, nil
}

func fewer(list []string) []string { return list[:min(len(list), maxBookList)] }

// joined is the name that the parts make: as Russians write it in full where
// there is a patronymic, else given name first.
func (b *BookPerson) joined() string {
	parts := []string{b.Given, b.Middle, b.Family}
	if b.Middle != "" && strings.ContainsFunc(b.Middle, func(r rune) bool { return unicode.Is(unicode.Cyrillic, r) }) {
		parts = []string{b.Family, b.Given, b.Middle}
	}
	return PersonText(strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " "))
}

// person is what a person has of a tidied entry.
func (b *BookPerson) person() Person {
	p := Person{Name: b.Name, Position: b.Position, Birthday: b.Birthday}
	for _, s := range b.Emails {
		if _, err := Address(s); err == nil {
			p.Emails = append(p.Emails, s)
		}
	}
	for _, phone := range b.Phones {
		if phone.Type != "fax" && phone.Type != "pager" {
			p.Phones = append(p.Phones, phone.Number)
		}
	}
	if p.Name == "" && len(p.Emails) > 0 {
		p.Name = p.Emails[0]
	} else if p.Name == "" {
		p.Name = cmp.Or(b.Company, b.firstPhone())
	}
	return p
}

// firstPhone is the preferred number, "" for none.
func (b *BookPerson) firstPhone() string {
	if len(b.Phones) == 0 {
		return ""
	}
	return b.Phones[0].Number
}

// Identity is the key by which the entry is known again at the next import:
// its own, or one made of what hardly changes.
func (b BookPerson) Identity() string {
	b, _ = b.Tidied() // a fault stays for the import to tell
	id := strings.TrimSpace(clean(b.Key))
	if id == "" {
		name := fold(b.Name)
		switch {
		case len(b.Emails) > 0:
			id = "mail:" + b.Emails[0] + "|" + name
		case name != "":
			id = "name:" + name + "|" + coreName(b.Company)
		default:
			id = "phone:" + phoneKey(b.firstPhone())
		}
	}
	if len(id) > 200 {
		id = hashed(id)
	}
	return id
}

// Twin is the key of an entry in whose book another one has the same Identity:
// it is made of all that the entry says.
func (b BookPerson) Twin() string { return hashed(asJSON(b)) }

func hashed(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256:" + hex.EncodeToString(sum[:])
}
