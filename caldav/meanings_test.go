package caldav

import (
	"context"
	"strings"

	"intouch/store"
)

// deleting is DELETE; again puts the event back, as a program's undo does.
func deleting(d *desk, path string) { d.o.must(204, "DELETE", d.standing(path), "") }

const meetingAgain = "20261124T100000Z"

// writing makes an event of that title in a calendar.
func writing(calendar, title string, lines ...string) func(*desk, string) {
	return func(d *desk, _ string) {
		d.o.must(201, "PUT", d.calendar(calendar)+"new.ics", meeting("new", title, meetingAgain, lines...), ics, "If-None-Match: *")
	}
}

func deletingNew(d *desk, _ string) { deleting(d, "/new.ics") }

func newTask(lines ...string) string {
	return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VTODO\r\nUID:new\r\nDTSTAMP:20261101T000000Z\r\n" + strings.Join(lines, "\r\n") + "\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"
}

func patching(calendar, set string) func(*desk, string) {
	return func(d *desk, _ string) {
		d.o.must(207, "PROPPATCH", annaHome+calendar+"/", propertyUpdate(set, ""))
	}
}

func unpatching(calendar, remove string) func(*desk, string) {
	return func(d *desk, _ string) {
		d.o.must(207, "PROPPATCH", annaHome+calendar+"/", propertyUpdate("", remove))
	}
}

// series is the weekly event with one occurrence of its own.
func exception(d *desk, path string) {
	r := d.o.must(200, "GET", path, "")
	body := strings.Replace(r.body, "END:VCALENDAR", "BEGIN:VEVENT\r\nUID:weekly\r\nDTSTAMP:20261101T000000Z\r\nRECURRENCE-ID:20261202T100000Z\r\nDTSTART:20261203T120000Z\r\nDURATION:PT1H\r\nSUMMARY:Planning\r\nEND:VEVENT\r\nEND:VCALENDAR", 1)
	d.o.must(204, "PUT", path, body, ics, "If-Match: "+r.header.Get("ETag"))
}

func noException(d *desk, path string) {
	r := d.o.must(200, "GET", path, "")
	at := strings.LastIndex(r.body, "BEGIN:VEVENT")
	d.o.must(204, "PUT", path, r.body[:at]+"END:VCALENDAR\r\n", ics, "If-Match: "+r.header.Get("ETag"))
}

// putBack puts what the program had before the edit, with lines changed.
func putBack(lines ...string) func(*desk, string) {
	return func(d *desk, path string) {
		if r := d.o.do("PUT", path, changed(d.had, lines...), ics); r.status >= 300 {
			d.Errorf("PUT %s: %d\n%s", path, r.status, r.body)
		}
	}
}

// lunch is an event without a client; deferred the meeting, postponed.
func lunch(d *desk) string {
	writing("current", "Обед")(d, "")
	return annaCurrent + "new.ics"
}

func deferred(d *desk) string {
	path := planned(d)
	d.save(path, "STATUS:TENTATIVE")
	return path
}

// noClient is what the page does.
func noClient(d *desk, _ string) {
	none := int64(0)
	if _, err := d.o.st.EditContact(context.Background(), store.Actor{ManagerID: d.o.anna.ID}, 1, 0, store.ContactEdit{ClientID: &none}); err != nil {
		d.Fatal(err)
	}
}

// planAgain moves it from Done into Current.
func planAgain(d *desk, _ string) {
	d.o.must(201, "MOVE", d.find("done", "Договор"), "", "Destination: "+annaCurrent+"again.ics")
}

// meanings are the rows of docs/calendar.md.
var meanings = []meaning{
	{edit: "write an event in Current", sent: "PUT of a VEVENT", undo: "deleting it", once: true,
		do: writing("current", "Обед"), back: deletingNew},
	{edit: "write one about a client, saying what it is", sent: "SUMMARY with the client's name and a word like \"звонок\"", undo: "deleting it", once: true,
		do: writing("current", "Звонок Ромашка"), back: deletingNew},
	{edit: "write an urgent one where there is no field for it", sent: "SUMMARY that begins with \"!\"", undo: "deleting it", once: true,
		do: writing("current", "! Обед"), back: deletingNew},
	{edit: "write one in Postponed", sent: "PUT of a VEVENT", undo: "deleting it", once: true,
		do: writing("postponed", "Обед"), back: deletingNew},
	{edit: "write one in Done (it has happened)", sent: "PUT of a VEVENT", undo: "deleting it", once: true,
		do: writing("done", "Обед"), back: deletingNew},
	{edit: "write one in a calendar of one's own", sent: "PUT of a VEVENT", undo: "deleting it", once: true,
		do: writing("work", "Обед"), back: deletingNew},
	{edit: "write one in a saved filter", sent: "PUT of a VEVENT", undo: "deleting it", once: true,
		do: writing("vip", "Обед"), back: deletingNew},
	{edit: "write a task", sent: "PUT of a VTODO", undo: "deleting it", once: true,
		do: func(d *desk, _ string) {
			d.o.must(201, "PUT", annaHome+"todo/new.ics", newTask("SUMMARY:Обед", "DUE:20261124T100000Z"), ics)
		}, back: deletingNew},
	{edit: "write a task without a date", sent: "VTODO without DUE", undo: "deleting it", once: true,
		do: func(d *desk, _ string) {
			d.o.must(201, "PUT", annaHome+"todo/new.ics", newTask("SUMMARY:Обед"), ics)
		}, back: deletingNew},

	{edit: "rename", sent: "SUMMARY", undo: "renaming", on: planned,
		do: saving("SUMMARY:Счёт"), back: saving("SUMMARY:Договор — ООО «Ромашка»")},
	{edit: "mark as urgent by the title", sent: "SUMMARY that begins with \"!\"", undo: "priority normal", on: planned,
		do: saving("SUMMARY:! Договор — ООО «Ромашка»"), back: saving("SUMMARY:Договор", "PRIORITY:5")},
	{edit: "write a note", sent: "DESCRIPTION", undo: "taking the note away", on: planned,
		do: func(d *desk, path string) { d.note(path, "Взять образцы") }, back: func(d *desk, path string) { d.note(path, "") }},
	{edit: "move to another time (drag)", sent: "DTSTART and DTEND", undo: "moving back", on: planned,
		do: saving("DTSTART:20261126T120000Z", "DTEND:20261126T130000Z"), back: saving("DTSTART:20261124T100000Z", "DTEND:20261124T110000Z")},
	{edit: "snooze what is overdue: move it to a day to come", sent: "DTSTART and DTEND", undo: "moving back", on: late,
		do: saving("DTSTART:20261126T120000Z", "DTEND:20261126T130000Z"), back: saving("DTSTART:20261120T100000Z", "DTEND:20261120T110000Z")},
	{edit: "make longer", sent: "DTEND", undo: "making shorter", on: planned,
		do: saving("DTEND:20261124T130000Z"), back: saving("DTEND:20261124T110000Z")},
	{edit: "make all-day", sent: "DTSTART;VALUE=DATE", undo: "giving it a time", on: planned,
		do: saving("DTSTART;VALUE=DATE:20261124", "DTEND;VALUE=DATE:20261125"), back: saving("DTSTART:20261124T100000Z", "DTEND:20261124T110000Z")},
	{edit: "priority high", sent: "PRIORITY:1 (1 to 4)", undo: "priority normal", on: planned,
		do: saving("PRIORITY:1"), back: saving("PRIORITY:5")},
	{edit: "priority low", sent: "PRIORITY:9 (6 to 9)", undo: "priority \"not specified\": no PRIORITY, or 0", on: planned,
		do: saving("PRIORITY:9"), back: saving("PRIORITY:")},
	{edit: "status tentative", sent: "STATUS:TENTATIVE", undo: "status confirmed", on: planned,
		do: saving("STATUS:TENTATIVE"), back: saving("STATUS:CONFIRMED")},
	{edit: "status tentative", sent: "STATUS:TENTATIVE", undo: "status \"not specified\": no STATUS", on: planned,
		do: saving("STATUS:TENTATIVE"), back: saving("STATUS:")},
	{edit: "status cancelled", sent: "STATUS:CANCELLED", undo: "the program's undo: PUT again", on: planned,
		do: saving("STATUS:CANCELLED"), back: putBack("STATUS:CONFIRMED")},
	{edit: "move what is postponed to a day to come, when it becomes current", sent: "DTSTART and DTEND", undo: "moving back", on: deferred,
		do: saving("DTSTART:20261126T120000Z", "DTEND:20261126T130000Z"), back: saving("DTSTART:20261124T100000Z", "DTEND:20261124T110000Z")},
	{edit: "delete", sent: "DELETE", undo: "the program's undo: PUT again", on: planned,
		do: deleting, back: putBack("STATUS:CONFIRMED")},
	{edit: "move into Postponed", sent: "MOVE, or PUT there and DELETE here", undo: "moving into Current", on: planned,
		do: into("postponed"), back: into("current")},
	{edit: "the same in Thunderbird or iOS", sent: "PUT there, DELETE here", undo: "moving into Current", on: planned,
		do: byPut("postponed"), back: byPut("current")},
	{edit: "move into Done", sent: "MOVE, or PUT there and DELETE here", undo: "moving into Current", on: planned,
		do: into("done"), back: byPut("current")},
	{edit: "move what is not overdue into Overdue", sent: "MOVE, or PUT there and DELETE here", undo: "–", on: planned,
		do: byPut("overdue"), back: func(*desk, string) {}},
	{edit: "move into a saved filter", sent: "PUT there and DELETE here", undo: "priority normal", on: planned,
		do: byPut("vip"), back: saving("PRIORITY:5")},
	{edit: "move into a calendar of one's own", sent: "MOVE, or PUT there and DELETE here", undo: "moving into Current", on: planned,
		do: byPut("work"), back: byPut("current")},
	{edit: "move from one's own calendar to another of them", sent: "MOVE, or PUT there and DELETE here", undo: "moving back", on: own,
		do: byPut("home"), back: into("work")},
	{edit: "copy from one's own calendar to another of them", sent: "COPY", undo: "deleting the copy", on: own,
		do:   func(d *desk, path string) { d.o.must(201, "COPY", path, "", "Destination: "+annaOwn+"copy.ics") },
		back: func(d *desk, _ string) { d.o.must(204, "DELETE", annaOwn+"copy.ics", "") }},
	{edit: "set an alarm", sent: "VALARM", undo: "taking it away", on: planned, keeps: "TRIGGER:-PT3H",
		do: saving("BEGIN:BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:x\r\nTRIGGER:-PT3H\r\nEND:VALARM\r\n"), back: saving("BEGIN:")},
	{edit: "acknowledge an alarm", sent: "X-MOZ-LASTACK, or ACKNOWLEDGED in the VALARM", undo: "–", on: planned, keeps: "X-MOZ-LASTACK",
		do: saving("X-MOZ-LASTACK:20261124T095000Z"), back: saving("X-MOZ-LASTACK:")},
	{edit: "snooze an alarm", sent: "X-MOZ-SNOOZE-TIME", undo: "acknowledging it", on: planned, keeps: "X-MOZ-SNOOZE-TIME",
		do: saving("X-MOZ-SNOOZE-TIME:20261124T101000Z"), back: saving("X-MOZ-SNOOZE-TIME:")},
	{edit: "add a category, place or anything else", sent: "CATEGORIES, LOCATION, X-…", undo: "taking it away", on: planned, keeps: "LOCATION:Room 5",
		do: saving("LOCATION:Room 5"), back: saving("LOCATION:")},
	{edit: "give one event a colour", sent: "COLOR", undo: "taking it away", on: planned, keeps: "COLOR:turquoise",
		do: saving("COLOR:turquoise"), back: saving("COLOR:")},
	{edit: "write one to which a client's person is invited", sent: "ATTENDEE", undo: "deleting it", once: true,
		do: writing("current", "Обед", "ATTENDEE:mailto:ivan@romashka.test"), back: deletingNew},
	{edit: "invite a client's person to one without a client", sent: "ATTENDEE", undo: "choosing the client on the page", on: lunch,
		do: saving("ATTENDEE:mailto:ivan@romashka.test"), back: noClient},
	{edit: "name a client in the title of one without a client", sent: "SUMMARY", undo: "renaming, and choosing the client on the page", on: lunch,
		do: saving("SUMMARY:Обед Ромашка"), back: func(d *desk, path string) {
			d.save(path, "SUMMARY:Обед")
			noClient(d, path)
		}},

	{edit: "repeat", sent: "RRULE", undo: "repeat never: no RRULE", on: planned,
		do: saving("RRULE:FREQ=WEEKLY"), back: saving("RRULE:")},
	{edit: "delete one occurrence", sent: "EXDATE", undo: "taking EXDATE away", on: weekly,
		do: saving("EXDATE:20261202T100000Z"), back: saving("EXDATE:")},
	{edit: "move one occurrence", sent: "a second VEVENT with RECURRENCE-ID", undo: "taking it away", on: weekly,
		do: exception, back: noException},
	{edit: "end a series (\"this and future\", deleted)", sent: "UNTIL in RRULE", undo: "repeating for ever", on: weekly,
		do: saving("RRULE:FREQ=WEEKLY;UNTIL=20261215T235959Z"), back: saving("RRULE:FREQ=WEEKLY")},
	{edit: "change \"this and future\"", sent: "UNTIL in RRULE, and PUT of the rest as a new series", undo: "deleting the rest, repeating for ever", on: weekly, once: true,
		do: func(d *desk, path string) {
			d.save(path, "RRULE:FREQ=WEEKLY;UNTIL=20261215T235959Z")
			d.o.must(201, "PUT", annaCurrent+"rest.ics", meeting("rest", "Planning", "20261216T120000Z", "RRULE:FREQ=WEEKLY"), ics)
		},
		back: func(d *desk, path string) {
			deleting(d, "/rest.ics")
			d.save(path, "RRULE:FREQ=WEEKLY")
		}},

	{edit: "tick a task", sent: "STATUS:COMPLETED, COMPLETED, PERCENT-COMPLETE:100", undo: "moving it from Done into Current", on: task,
		do: saving("STATUS:COMPLETED", "COMPLETED:20261123T090000Z", "PERCENT-COMPLETE:100"), back: planAgain},
	{edit: "tick a task and untick it at once", sent: "STATUS:COMPLETED", undo: "–", on: task,
		do: func(d *desk, path string) {
			d.save(path, "STATUS:COMPLETED", "COMPLETED:20261123T090000Z", "PERCENT-COMPLETE:100")
			d.save(path, "STATUS:", "COMPLETED:", "PERCENT-COMPLETE:")
		}, back: func(*desk, string) {}},
	{edit: "half done", sent: "PERCENT-COMPLETE:50, STATUS:IN-PROCESS", undo: "0 percent", on: task, keeps: "PERCENT-COMPLETE:50",
		do: saving("STATUS:IN-PROCESS", "PERCENT-COMPLETE:50"), back: saving("STATUS:NEEDS-ACTION", "PERCENT-COMPLETE:")},
	{edit: "another due time of a task", sent: "DUE", undo: "the old one", on: task,
		do: saving("DUE:20261126T130000Z"), back: saving("DUE:20261124T110000Z")},
	{edit: "cancel a task", sent: "STATUS:CANCELLED", undo: "the program's undo: PUT again", on: task,
		do: saving("STATUS:CANCELLED"), back: putBack("STATUS:NEEDS-ACTION")},
	{edit: "tick a task of one's own", sent: "STATUS:COMPLETED", undo: "unticking it", on: ownTask,
		do: saving("STATUS:COMPLETED"), back: saving("STATUS:")},
	{edit: "cancel an event of one's own", sent: "STATUS:CANCELLED", undo: "no STATUS, or confirmed", on: own,
		do: saving("STATUS:CANCELLED"), back: saving("STATUS:")},
	{edit: "mark one's own as urgent by the title", sent: "SUMMARY that begins with \"!\"", undo: "taking the \"!\" away", on: own,
		do: saving("SUMMARY:! Dentist"), back: saving("SUMMARY:Dentist")},

	{edit: "move an event of a deal", sent: "DTSTART", undo: "moving back", on: shipment,
		do: saving("DTSTART;VALUE=DATE:20261127", "DTEND;VALUE=DATE:20261128"), back: saving("DTSTART;VALUE=DATE:20261125", "DTEND;VALUE=DATE:20261126")},
	{edit: "write a note on an event of a deal", sent: "DESCRIPTION", undo: "taking the note away", on: shipment,
		do: func(d *desk, path string) { d.note(path, "Позвонить водителю") }, back: func(d *desk, path string) { d.note(path, "") }},
	{edit: "rename an event of a deal", sent: "SUMMARY", undo: "–", on: shipment,
		do: saving("SUMMARY:Моё"), back: func(*desk, string) {}},
	{edit: "delete an event of a deal", sent: "DELETE", undo: "the program's undo: PUT again", on: shipment,
		do: deleting, back: putBack("STATUS:CONFIRMED")},

	{edit: "rename a calendar", sent: "PROPPATCH displayname", undo: "renaming, or removing the property",
		do: patching("current", "<D:displayname>Сейчас</D:displayname>"), back: unpatching("current", "<D:displayname/>")},
	{edit: "recolour a calendar", sent: "PROPPATCH calendar-color", undo: "the old colour, or removing the property",
		do: patching("current", "<A:calendar-color>#2A6BD7FF</A:calendar-color>"), back: unpatching("current", "<A:calendar-color/>")},
	{edit: "make a calendar", sent: "MKCALENDAR, or MKCOL", undo: "deleting it",
		do: func(d *desk, _ string) { d.o.must(201, "MKCALENDAR", annaHome+"third/", "") }, back: func(d *desk, _ string) { d.o.must(204, "DELETE", annaHome+"third/", "") }},
	{edit: "delete a calendar of one's own", sent: "DELETE of the calendar", undo: "making it again, and PUT of what was in it", on: own,
		do: func(d *desk, _ string) { d.o.must(204, "DELETE", annaWork, "") },
		back: func(d *desk, _ string) {
			d.o.must(201, "MKCALENDAR", annaWork, mkcalendar("<D:displayname>Work</D:displayname>"))
			own(d)
		}},
}
