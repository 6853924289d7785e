package caldav

import (
	"encoding/xml"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"intouch/store"
)

// Bounds of what a client may leave on a calendar.
const (
	maxDisplayName = 120      // characters
	maxDescription = 4 << 10  // bytes
	maxTimeZone    = 64 << 10 // bytes
	maxDead        = 16 << 10 // bytes of one dead property
	maxDeadCount   = 100
)

// patch is one property of a PROPPATCH and what becomes of it.
type patch struct {
	name   xml.Name
	status int
	reason xml.Name // precondition of a refusal
}

func (p patch) refused() bool { return p.status != http.StatusOK }

// proppatch answers PROPPATCH: all of it happens or nothing (RFC 4918
// section 9.2).
func (c *call) proppatch() error {
	root, _, err := c.readXML()
	if err != nil {
		return err
	}
	if !root.is(nsDAV, "propertyupdate") {
		return status(http.StatusBadRequest)
	}
	self, err := c.self()
	if err != nil {
		return err
	}
	q := &asked{mode: askAll}
	if err := c.readDead(q); err != nil {
		return err
	}
	patches, edit := c.readPatches(root, q.deadOf(self))
	if len(patches) == 0 {
		return status(http.StatusBadRequest)
	}
	if !slices.ContainsFunc(patches, patch.refused) {
		var invalid *store.Invalid
		if c.place.kind == calendarKind {
			err = c.st.EditCollection(c.ctx, c.actor(), self.col.ID, edit)
		} else {
			err = c.st.EditDeadProps(c.ctx, c.manager.ID, self.resource(), edit.Props)
		}
		if errors.As(err, &invalid) { // more than can be kept
			for i := range patches {
				patches[i].status = http.StatusInsufficientStorage
			}
		} else if err != nil {
			return err
		}
	}
	a := c.startMultistatus(nil)
	a.str("<D:response>")
	a.href(c.place.path())
	writePatches(a, patches)
	a.str("</D:response>\n")
	return c.finish(a, nil)
}

// writePatches writes what became of each property: of those that one refused
// took with it, that they depend on it.
func writePatches(a *answer, patches []patch) {
	failed := slices.ContainsFunc(patches, patch.refused)
	for _, p := range patches {
		if failed && !p.refused() {
			p.status = http.StatusFailedDependency
		}
		a.str("<D:propstat><D:prop>")
		a.tag(p.name, true)
		a.str("</D:prop><D:status>HTTP/1.1 ", strconv.Itoa(p.status), " ", http.StatusText(p.status), "</D:status>")
		if p.reason.Local != "" {
			a.str("<D:error>")
			a.tag(p.reason, true)
			a.str("</D:error>")
		}
		a.str("</D:propstat>")
	}
}

// readPatches judges every property in document order. dead are those that
// there are already.
func (c *call) readPatches(root *element, dead map[string]string) (patches []patch, edit store.CollectionEdit) {
	self := target{kind: c.place.kind, path: c.place.path()}
	kept := map[string]bool{} // the dead ones that there are then
	for key := range dead {
		kept[key] = true
	}
	shared := self.kind != calendarKind && self.resource() == ""
	for _, action := range root.children {
		remove := action.is(nsDAV, "remove")
		if !remove && !action.is(nsDAV, "set") {
			continue // unknown elements are ignored, RFC 4918 section 17
		}
		prop := action.child(nsDAV, "prop")
		if prop == nil {
			continue
		}
		for _, e := range prop.children {
			p := patch{name: e.Name, status: http.StatusOK}
			row := live[e.Name]
			switch {
			case shared || !row.deadOn(self.kind) && (!row.settable || self.kind != calendarKind):
				p.status, p.reason = http.StatusForbidden, dav("cannot-modify-protected-property")
			case !row.deadOn(self.kind):
				p.status, p.reason = setLive(&edit, e, remove)
			default:
				key := deadKey(e.Name)
				if !remove && (!kept[key] && len(kept) >= maxDeadCount || len(e.source) > maxDead) {
					p.status = http.StatusForbidden
					break
				}
				if remove {
					delete(kept, key)
				} else {
					kept[key] = true
				}
				setDead(&edit, e, remove)
			}
			patches = append(patches, p)
		}
	}
	return patches, edit
}

func setDead(edit *store.CollectionEdit, e *element, remove bool) {
	if edit.Props == nil {
		edit.Props = map[string]*string{}
	}
	if remove {
		edit.Props[deadKey(e.Name)] = nil
		return
	}
	kept := e.standalone()
	edit.Props[deadKey(e.Name)] = &kept
}

// setLive puts one of our own settable properties into the edit. Removing
// returns to the default.
func setLive(edit *store.CollectionEdit, e *element, remove bool) (int, xml.Name) {
	value := e.text
	if remove {
		value = ""
	}
	refused := func(why xml.Name) (int, xml.Name) { return http.StatusConflict, why }
	if !utf8.ValidString(value) {
		return refused(xml.Name{})
	}
	switch e.Local {
	case "displayname":
		value = strings.Join(strings.Fields(value), " ")
		if utf8.RuneCountInString(value) > maxDisplayName {
			return refused(xml.Name{})
		}
		edit.Name = &value
	case "calendar-color":
		color, ok := normalColor(strings.TrimSpace(value))
		if !ok {
			return refused(xml.Name{})
		}
		edit.Color = &color
	case "calendar-order":
		value = strings.TrimSpace(value)
		n, err := strconv.Atoi(value)
		if value != "" && err != nil || n < -1<<31 || n > 1<<31-1 {
			return refused(xml.Name{})
		}
		edit.Order = &n
	case "calendar-description":
		if len(value) > maxDescription {
			return refused(xml.Name{})
		}
		edit.Description = &value
	case "calendar-timezone":
		value = strings.TrimSpace(value)
		if value != "" && !validTimeZone(value) {
			return http.StatusForbidden, caldav("valid-calendar-data")
		}
		edit.TimeZone = &value
	}
	return http.StatusOK, xml.Name{}
}

// normalColor brings #RGB, #RRGGBB and Apple's #RRGGBBAA to #RRGGBB; "" is
// the default colour.
func normalColor(s string) (string, bool) {
	if s == "" {
		return "", true
	}
	hex, ok := strings.CutPrefix(s, "#")
	if !ok || strings.Trim(hex, "0123456789abcdefABCDEF") != "" {
		return "", false
	}
	switch len(hex) {
	case 3:
		hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
	case 6:
	case 8:
		hex = hex[:6]
	default:
		return "", false
	}
	return "#" + strings.ToUpper(hex), true
}

// validTimeZone reports whether a text is an iCalendar object with exactly
// one VTIMEZONE (RFC 4791 section 5.2.2).
func validTimeZone(text string) bool {
	if len(text) > maxTimeZone {
		return false
	}
	cal, err := decode([]byte(text))
	if err != nil || cal == nil {
		return false
	}
	zones := 0
	for _, comp := range cal.Children {
		if comp.Name == "VTIMEZONE" {
			zones++
		}
	}
	return zones == 1
}
