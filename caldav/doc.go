// Package caldav is the CalDAV and CardDAV server: contacts and deal events
// as calendars that Thunderbird, Apple Calendar and phones subscribe to, and
// persons as an address book. It speaks the protocols and reads and writes
// iCalendar; what an edit means for a contact is decided in store.
//
// The protocol half (this file's neighbours):
//
//	handler     routing: path → resource, method → function; refusals
//	path        the addresses of principals, homes, calendars and entries
//	auth        Basic credentials
//	xml         the bounded reader of request bodies, the streaming writer
//	props       the property table: which property which resource has
//	propfind    PROPFIND        proppatch  PROPPATCH
//	report      REPORT          filter     calendar-query's filter
//	shape       the part of an object that a report asks for
//	expand      the occurrences of a series, for a report
//	freebusy    free-busy-query
//	sync        sync-collection object     GET, PUT, POST, DELETE, MOVE, COPY
//	kept        answers given again as long as nothing has changed
//	collection  what a calendar is to a client: tokens; MKCALENDAR
//	acl         privileges, and the reports about principals
//	carddav     address books: reading and writing cards, their reports
//	booksync    sync-collection on them
//	cardshape   the part and the version of a card that is asked for
//	cardfilter  the filter of addressbook-query
//	vcard       a card as bytes, and what a program put as a card
//	feed        a calendar at a secret address, as one iCalendar file
//	quirks      what particular programs need beyond the RFCs
//
// The iCalendar half: ical (bounded decoding, folded writing), event, todo and
// describe (contact → bytes), merge (ours into the client's bytes), edit
// (bytes → edit), when, recur, zone, zone_write, windowszones, lang.
//
// RFC 4918 (WebDAV), 4791 (CalDAV), 6352 (CardDAV), 6578 (sync-collection),
// 3744 (privileges), 5995 (add-member), 5397 (current-user-principal), 6764 (well-known).
package caldav
