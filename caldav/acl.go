package caldav

import (
	"encoding/xml"
	"net/http"
	"slices"
	"strings"

	"intouch/store"
)

// WebDAV access control (RFC 3744) as far as there is something to say: what a
// manager may do is fixed by whose a place is, so every ACE is protected and
// nobody has write-acl.

// supported is the tree of privileges (RFC 3744 section 5.3, RFC 4791 section
// 6.1.1).
var supported = []struct {
	name, description string
	parts             []string
}{
	{"D:read", "Read", []string{"D:read-acl", "D:read-current-user-privilege-set", "C:read-free-busy"}},
	{"D:write", "Write", []string{"D:write-properties", "D:write-content", "D:bind", "D:unbind"}},
}

func writeSupportedPrivileges(a *answer, t *target) bool {
	one := func(name, description string) {
		a.str("<D:supported-privilege><D:privilege><", name, "/></D:privilege>",
			`<D:description xml:lang="en">`, description, "</D:description>")
	}
	const end = "</D:supported-privilege>"
	one("D:all", "All")
	for _, p := range supported {
		one(p.name, p.description)
		for _, part := range p.parts {
			_, local, _ := strings.Cut(part, ":")
			one(part, local)
			a.str(end)
		}
		a.str(end)
	}
	a.str(end)
	return true
}

// privileges are what the manager may do. A calendar without any write* is
// read-only to Thunderbird; Apple wants each of them named (clients.md sections
// 7 and 12).
func (t *target) privileges() []string {
	granted := []string{"D:read", "D:read-acl", "D:read-current-user-privilege-set"}
	switch t.kind {
	case principalKind:
		granted = append(granted, "D:write-properties")
	case homeKind:
		granted = append(granted, "C:read-free-busy", "D:write-properties", "D:bind", "D:unbind") // label calendars
	case calendarKind, entryKind:
		granted = append(granted, "C:read-free-busy")
		if !t.col.ReadOnly() {
			granted = append(granted, "D:write", "D:write-properties", "D:write-content", "D:bind", "D:unbind")
		}
	case bookKind, cardKind:
		granted = append(granted, "D:write", "D:write-properties", "D:write-content", "D:bind", "D:unbind")
	}
	return granted
}

func writePrivileges(a *answer, t *target) bool {
	for _, p := range t.privileges() {
		a.str("<D:privilege><", p, "/></D:privilege>")
	}
	return true
}

// writeACL writes the one ACE that there is.
func writeACL(a *answer, t *target) bool {
	who := "<D:property><D:owner/></D:property>"
	if nobodys.has(t.kind) {
		who = "<D:authenticated/>"
	}
	a.str("<D:ace><D:principal>", who, "</D:principal><D:grant>")
	writePrivileges(a, t)
	a.str("</D:grant><D:protected/></D:ace>")
	return true
}

// refuseACL answers the ACL method (RFC 3744 section 8).
func (c *call) refuseACL() error {
	if _, err := c.self(); err != nil {
		return err
	}
	return needPrivilege(c.place.path(), "write-acl")
}

// principalsBelow are the places in which principals are looked for.
var principalsBelow = kinds(rootKind, principalsKind, principalKind)

// me is the manager's principal.
func (c *call) me() *target {
	return &target{kind: principalKind, path: principalPath(c.manager.Login), manager: &c.manager}
}

// askedOfPrincipals reads the D:prop of a report about principals, which has
// depth 0 (RFC 3744 section 9).
func (c *call) askedOfPrincipals(root *element) (*asked, error) {
	if c.depth("0") != "0" {
		return nil, status(http.StatusBadRequest)
	}
	q, err := askedOf(root, c.r)
	if err != nil {
		return nil, err
	}
	if q.mode == askAll {
		q.mode = askNamed // none asked for
	}
	return q, c.readDead(q)
}

// aclPrincipals answers acl-principal-prop-set (RFC 3744 section 9.2): the
// principals that the ACL names.
func (c *call) aclPrincipals(root *element) error {
	q, err := c.askedOfPrincipals(root)
	if err != nil {
		return err
	}
	if _, err := c.self(); err != nil {
		return err
	}
	a := c.startMultistatus(q)
	q.respond(a, c.me())
	return c.finish(a, nil)
}

// principalMatch answers principal-match (RFC 3744 section 9.3): the manager's
// principal below this place, or what stands in this place and names the
// manager in a property. Entries have the owner of their calendar and are not
// listed one by one.
func (c *call) principalMatch(root *element) error {
	q, err := c.askedOfPrincipals(root)
	if err != nil {
		return err
	}
	self, err := c.self()
	if err != nil {
		return err
	}
	property := root.child(nsDAV, "principal-property")
	itself := root.child(nsDAV, "self") != nil
	if itself == (property != nil) || property != nil && len(property.children) != 1 {
		return status(http.StatusBadRequest)
	}
	var found []*target
	switch {
	case itself && principalsBelow.has(c.place.kind):
		found = append(found, c.me())
	case property != nil && leadsTo[property.children[0].Name] == principalKind:
		members, err := c.members()
		if err != nil {
			return err
		}
		for _, t := range append([]*target{self}, members...) {
			if live[property.children[0].Name].on.has(t.kind) {
				found = append(found, t)
			}
		}
	}
	a := c.startMultistatus(q)
	for _, t := range found {
		q.respond(a, t)
	}
	return c.finish(a, nil)
}

// principalSearch answers principal-property-search (RFC 3744 section 9.4):
// a manager finds nobody else here.
func (c *call) principalSearch(root *element) error {
	q, err := c.askedOfPrincipals(root)
	if err != nil {
		return err
	}
	searches, hits := 0, 0
	for _, s := range root.children {
		if !s.is(nsDAV, "property-search") {
			continue
		}
		searches++
		want := strings.ToLower(trimmed(s.child(nsDAV, "match")))
		if prop := s.child(nsDAV, "prop"); prop != nil && slices.ContainsFunc(prop.children, func(p *element) bool {
			return slices.ContainsFunc(searched(p.Name, &c.manager), func(v string) bool {
				return strings.Contains(strings.ToLower(v), want)
			})
		}) {
			hits++
		}
	}
	if searches == 0 {
		return status(http.StatusBadRequest)
	}
	a := c.startMultistatus(q)
	here := principalsBelow.has(c.place.kind) || root.child(nsDAV, "apply-to-principal-collection-set") != nil
	if here && (hits == searches || hits > 0 && root.attr("test") == "anyof") {
		q.respond(a, c.me())
	}
	return c.finish(a, nil)
}

// searched are the texts of a principal's property that can be searched.
func searched(name xml.Name, m *store.Manager) []string {
	switch name {
	case dav("displayname"):
		return []string{m.Name}
	case cs("email-address-set"), caldav("calendar-user-address-set"):
		return m.Emails
	}
	return nil
}

// principalSearchProperties answers principal-search-property-set (RFC 3744
// section 9.5).
func (c *call) principalSearchProperties() error {
	if c.depth("0") != "0" {
		return status(http.StatusBadRequest)
	}
	a := newAnswer(c.w, http.StatusOK)
	a.str(`<?xml version="1.0" encoding="utf-8"?>`, "\n<D:principal-search-property-set", declarations, ">")
	for _, p := range [][2]string{{"D:displayname", "Name"}, {"CS:email-address-set", "E-mail address"}, {"C:calendar-user-address-set", "Calendar address"}} {
		a.str("<D:principal-search-property><D:prop><", p[0], "/></D:prop>",
			`<D:description xml:lang="en">`, p[1], "</D:description></D:principal-search-property>")
	}
	a.str("</D:principal-search-property-set>\n")
	a.close()
	return nil
}
