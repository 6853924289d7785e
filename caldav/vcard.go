package caldav

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"intouch/store"
)

// The vCard half of the address book: vCard 3.0 (RFC 2426) and 4.0 (RFC 6350)
// are read into what a person has, and what a person has is put into the bytes
// of the program that wrote the card.

var errBadCard = violated(http.StatusForbidden, nsCardDAV, "valid-address-data")

// readCard reads one vCard within the bounds of parse; lines are those between
// BEGIN and END too.
func readCard(body []byte) ([]line, error) {
	if len(body) > maxObject {
		return nil, violated(http.StatusForbidden, nsCardDAV, "max-resource-size")
	}
	var lines []line
	for rest := bytes.TrimPrefix(body, bom); len(rest) > 0; {
		var raw []byte
		raw, rest = cutLine(rest)
		if len(bytes.TrimSpace(raw)) == 0 {
			continue
		}
		l, err := parseLine(raw)
		if err != nil || len(lines) == maxLines {
			return nil, errBadCard
		}
		l.group, l.name = cutGroup(l.name)
		if as := string(raw[:len(l.group)]); strings.EqualFold(as, l.group) {
			l.group = as // item1, as careless readers need it again
		}
		lines = append(lines, l)
	}
	return lines, lintCard(lines)
}

// cutGroup takes the group off a property's name: item1.TEL.
func cutGroup(name string) (group, rest string) {
	i := strings.LastIndexByte(name, '.')
	return name[:max(i, 0)], name[i+1:]
}

// lintCard refuses what is not one whole card of a version that we know
// (RFC 6352 sections 5.1 and 6.3.2.1).
func lintCard(lines []line) error {
	count := map[string]int{}
	version := ""
	for i, l := range lines {
		v := strings.ToUpper(strings.TrimSpace(l.value))
		switch l.name {
		case "BEGIN":
			if i != 0 || v != "VCARD" {
				return errBadCard
			}
		case "END":
			if i != len(lines)-1 || v != "VCARD" {
				return errBadCard
			}
		case "VERSION":
			version = v
		}
		count[l.name]++
	}
	switch {
	case count["BEGIN"] != 1 || count["END"] != 1 || count["VERSION"] != 1 || count["UID"] != 1 || count["FN"] == 0:
		return errBadCard
	case version != vcard3 && version != vcard4:
		return violated(http.StatusForbidden, nsCardDAV, "supported-address-data")
	}
	return nil
}

// ReadCard reads a card that a program put: 403 with a precondition of
// RFC 6352 section 6.3.2.1 where it cannot be one.
func ReadCard(body []byte) (*store.CardWrite, error) {
	body = clean(body)
	lines, err := readCard(body)
	if err != nil {
		return nil, err
	}
	w := &store.CardWrite{Bytes: body}
	for i := range lines {
		l := &lines[i]
		switch value := known(l); {
		case l.name == "UID":
			w.UID = strings.TrimSpace(unescape(l.value))
		case value == "":
		case l.name == "FN" && w.Name == "":
			w.Name = value
		case l.name == "ORG" && w.Company == "":
			w.Company = value
		case l.name == "KIND" || l.name == groupKind:
			w.Group = strings.EqualFold(value, "group")
		case l.name == "TITLE" && w.Position == "":
			w.Position = value
		case l.name == "BDAY" && w.Birthday == "":
			w.Birthday = store.Date(value)
		case l.name == "EMAIL" && !slices.Contains(w.Emails, value):
			w.Emails = preferredFirst(w.Emails, value, l)
		case l.name == "TEL" && !slices.Contains(w.Phones, value):
			w.Phones = preferredFirst(w.Phones, value, l)
		}
	}
	if w.Name == "" || w.UID == "" || len(w.UID) > 255 {
		return nil, errBadCard
	}
	return w, nil
}

// preferredFirst adds a value, the preferred one first (TYPE=PREF in 3.0, PREF=1 in 4.0).
func preferredFirst(list []string, value string, l *line) []string {
	pref := slices.ContainsFunc(l.params["TYPE"], func(s string) bool { return strings.EqualFold(s, "pref") })
	if pref || slices.Contains(l.params["PREF"], "1") {
		return slices.Insert(list, 0, value)
	}
	return append(list, value)
}

// known is what a line says of a person, as the store keeps it; "" where it
// says nothing that we have a place for: an address without @, a birthday
// without its year. Such lines stay with the program's bytes.
func known(l *line) string {
	value := unescape(l.value)
	switch l.name {
	case "FN", "TITLE":
		return store.PersonText(oneLine(value))
	case "ORG": // units after the name
		return oneLine(unescape(firstComponent(l.value)))
	case "EMAIL":
		address, err := store.Address(value)
		if err != nil {
			return ""
		}
		return address
	case "TEL":
		// RFC 6350 section 6.4.1: a URI in version 4.0.
		if len(value) > 4 && strings.EqualFold(value[:4], "tel:") {
			value, _, _ = strings.Cut(value[4:], ";")
		}
		return store.Phone(oneLine(value))
	case "BDAY":
		return birthday(l, value)
	case "NOTE", "KIND", groupKind:
		return value
	}
	return ""
}

// firstComponent is the first component of a structured value, still escaped.
func firstComponent(s string) string {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case ';':
			return s[:i]
		}
	}
	return s
}

// birthday reads 1980-05-01, 19800501 and either with a time after it.
func birthday(l *line, value string) string {
	if l.params["X-APPLE-OMIT-YEAR"] != nil {
		return ""
	}
	day, _, _ := strings.Cut(strings.TrimSpace(value), "T")
	if len(day) == 8 && !strings.Contains(day, "-") {
		day = day[:4] + "-" + day[4:6] + "-" + day[6:]
	}
	d, err := store.ParseDate(day)
	if err != nil {
		return ""
	}
	return string(d)
}

// vcard is a card as the manager's programs get it. The same card always gives
// the same bytes: the ETag is their hash.
func (c *call) vcard(card *store.Card) []byte {
	switch {
	case card.ID == 0:
		return card.Overlay
	case card.Overlay != nil:
		return mergeCard(card, cardBlock(card, c.manager.Language))
	}
	return writeCard(card, c.publicURL, cardBlock(card, c.manager.Language))
}

// cardBlock is our part of a person's NOTE.
func cardBlock(card *store.Card, lang store.Language) string {
	lines := []string{clientLine(lang, &card.Client)}
	if card.Client.Stage != "" {
		lines = append(lines, phrase(lang, "stage", phrase(lang, card.Client.Stage)))
	}
	for _, m := range card.Balance {
		lines = append(lines, store.Word(lang, "balance")+": "+m.Format(lang))
	}
	if card.Last != "" {
		lines = append(lines, phrase(lang, "last contact", dayText(lang, card.Last)))
	}
	if card.Next != "" {
		lines = append(lines, phrase(lang, "next contact", dayText(lang, card.Next)))
	}
	for i := range lines {
		lines[i] = oneLine(lines[i])
	}
	return strings.Join(lines, "\n")
}

// writeCard writes a person as vCard 3.0 (RFC 2426), which every program reads.
func writeCard(p *store.Card, publicURL, block string) []byte {
	w := &writer{}
	name := fitText(oneLine(p.Name))
	w.line("BEGIN:VCARD")
	w.line("VERSION:" + vcard3)
	w.line("PRODID:" + prodID)
	w.line("UID:" + p.UID)
	w.line("FN:" + escape(name))
	w.line("N:" + escape(name) + ";;;;") // which word is the family name is not known
	w.line("ORG:" + escape(oneLine(p.Client.Name)))
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
	if publicURL != "" {
		w.line("URL:" + publicURL + "/clients/" + strconv.FormatInt(p.ClientID, 10))
	}
	w.line("NOTE:" + escape(describe("", block)))
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

// modelled are the properties that the record has a place for, in the order in
// which they are written. Of those said once only the first line counts.
var (
	modelled = []string{"FN", "ORG", "TITLE", "EMAIL", "TEL", "BDAY", "NOTE"}
	saidOnce = []string{"FN", "ORG", "TITLE", "BDAY", "NOTE"}
)

// mergeCard puts what the person has into the bytes that a program of this
// manager wrote. Where they say the same, they stay byte for byte.
func mergeCard(card *store.Card, block string) []byte {
	lines, err := readCard(card.Overlay)
	if err != nil {
		return nil
	}
	wanted := map[string][]string{
		"FN": some(store.PersonText(oneLine(card.Name))), "ORG": some(oneLine(card.Client.Name)), "TITLE": some(store.PersonText(oneLine(card.Position))),
		"EMAIL": slices.Clone(card.Emails), "TEL": slices.Clone(card.Phones), "BDAY": some(string(card.Birthday)),
	}
	named := slices.ContainsFunc(lines, func(l line) bool { return l.name == "FN" && slices.Contains(wanted["FN"], known(&l)) })
	wanted["NOTE"] = []string{describe(ownNote(lines), block)}
	seen := map[string]bool{}
	left := map[string]bool{} // groups whose line was dropped
	var kept []line
	for _, l := range lines {
		if l.name == "N" && !named {
			continue // of the former name
		}
		if slices.Contains(modelled, l.name) && !(slices.Contains(saidOnce, l.name) && seen[l.name]) {
			value := known(&l)
			at := slices.Index(wanted[l.name], value)
			switch {
			case at >= 0:
				wanted[l.name] = slices.Delete(wanted[l.name], at, at+1)
			case value != "" || len(wanted[l.name]) > 0 && slices.Contains(saidOnce, l.name):
				left[strings.ToUpper(l.group)] = true
				continue
			}
			seen[l.name] = value != ""
		}
		kept = append(kept, l)
	}
	delete(left, "")
	kept = slices.DeleteFunc(kept, func(l line) bool { return l.name == "X-ABLABEL" && left[strings.ToUpper(l.group)] })
	w := &writer{}
	if !named {
		w.line("N:" + escape(fitText(oneLine(card.Name))) + ";;;;")
	}
	for _, name := range modelled {
		for _, value := range wanted[name] {
			w.line(name + ":" + escape(value))
		}
	}
	if w.Len() == 0 && len(kept) == len(lines) {
		return card.Overlay
	}
	return splice(kept, w.Bytes())
}

// ownNote is what people wrote of a card's note, above our part of it.
func ownNote(lines []line) string {
	for i := range lines {
		if lines[i].name == "NOTE" {
			own, _ := splitNote(unescape(lines[i].value))
			return own
		}
	}
	return ""
}

// some is a list of what is not empty.
func some(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// splice writes lines, and more before the last of them.
func splice(lines []line, more []byte) []byte {
	w := &writer{}
	for i, l := range lines {
		if i == len(lines)-1 {
			w.Write(more)
		}
		w.asReceived(l.raw)
	}
	return w.Bytes()
}
