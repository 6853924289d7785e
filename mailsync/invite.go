package mailsync

import "strings"

// calendarPart is the part that holds a letter's invitation: the text/calendar
// form that stands beside the text (RFC 6047), else an attached .ics. Nil: none
// that would be read.
func calendarPart(root *Part) *Part {
	var inline, file *Part
	walkParts(root, func(p *Part) bool {
		ics := strings.HasSuffix(strings.ToLower(p.Name), ".ics")
		switch {
		case p.multipart():
			return true
		case p.Size > maxCalendar:
		case p.Type == "text/calendar" && p.Disposition != "attachment":
			if inline == nil {
				inline = p
			}
		case p.Type == "text/calendar", p.Type == "application/ics",
			ics && (p.Type == "application/octet-stream" || p.Type == "text/plain" || p.Type == "text/x-vcalendar"):
			if file == nil {
				file = p
			}
		}
		return false
	})
	if inline != nil {
		return inline
	}
	return file
}

// calendarBytes undoes transfer encoding and charset. UTF-8, the default (RFC
// 5545 section 3.1.4), stays byte for byte: a fold may stand within a
// character, which only its reader can mend.
func calendarBytes(p *Part, body []byte) []byte {
	body = undone(p, body)
	switch strings.ToLower(strings.TrimSpace(p.Params["charset"])) {
	case "", "utf-8", "utf8", "us-ascii":
		return body
	}
	return []byte(toUTF8(body, p.Params["charset"]))
}
