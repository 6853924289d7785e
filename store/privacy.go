package store

import "slices"

// A private thread: the text of its letters is shown only to the managers who
// took part in them, in pages and calendars alike, and not in exports, which
// are made to be passed on; of later letters of the thread no text is kept.
// That the letters exist, with whom and when, stays visible: a client's page
// that hid them would count wrong. A letter makes its thread private by the
// keyword "private" in the mailbox, a manager who took part by a button.

// hidesFrom reports whether that manager may not read the text. 0 is nobody:
// a reader without a name.
func (c *Contact) hidesFrom(managerID int64) bool {
	return c.Private && !slices.Contains(c.Managers, managerID)
}

// hideFrom takes out what that manager may not read: the text, and the names
// of the attachments.
func (c *Contact) hideFrom(managerID int64) {
	if c.hidesFrom(managerID) {
		c.Body, c.Attachments, c.Hidden = "", nil, true
	}
}
