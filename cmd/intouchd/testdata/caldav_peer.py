"""Drives a demo with Debian's python3-caldav: URL LOGIN PASSWORD.

Checks what the library sees, and prints as JSON what must have become of the
contacts: subject -> fields of "intouchd export contacts". The subjects are
those that the demo plans for its English-speaking manager.
"""
import datetime as dt
import json
import sys

import caldav

url, login, password = sys.argv[1:]
UTC = dt.timezone.utc
client = caldav.DAVClient(url, username=login, password=password)
principal = client.principal()
calendars = {c.url.path.rstrip("/").rsplit("/", 1)[-1]: c for c in principal.calendars()}
for slug in "overdue", "current", "postponed", "done", "todo":
    assert slug in calendars, (slug, sorted(calendars))
    assert calendars[slug].get_display_name(), slug
assert calendars["current"].get_supported_components() == ["VEVENT"], calendars["current"].get_supported_components()
assert calendars["todo"].get_supported_components() == ["VTODO"], calendars["todo"].get_supported_components()
overdue, current, postponed, done, todo = (calendars[s] for s in ("overdue", "current", "postponed", "done", "todo"))
want = {}


def title(item):
    return str(item.icalendar_instance.walk(item_kind(item))[0]["SUMMARY"])


def item_kind(item):
    return "VTODO" if isinstance(item, caldav.Todo) else "VEVENT"


def find(calendar, text):
    found = [e for e in calendar.events() if text in title(e)]
    assert len(found) == 1, (text, [title(e) for e in calendar.events()])
    return found[0]


def move(text, source, target):
    """As calendar programs do it: PUT there, then DELETE here."""
    event = find(source, text)
    target.save_event(event.data)
    event.delete()
    assert not [e for e in source.events() if text in title(e)], text
    find(target, text)


# A search by time finds what lies in it, and nothing else.
now = dt.datetime.now(UTC)
week = current.date_search(start=now, end=now + dt.timedelta(days=8), expand=False)
titles = " | ".join(title(e) for e in week)
for text in "Look at their machines", "Congratulate on the opening", "Next year's contract":
    assert text in titles, (text, titles)
assert not current.date_search(start=now + dt.timedelta(days=300), end=now + dt.timedelta(days=301), expand=False)

token = current.objects_by_sync_token(load_objects=False)
assert len(list(token)) >= len(week)

move("Look at their machines", current, postponed)
want["Look at their machines"] = {"state": "postponed", "status": "postponed"}
move("Next year's contract", current, done)
want["Next year's contract"] = {"state": "done", "status": "done"}
move("Come back to the water filters", postponed, current)
want["Come back to the water filters"] = {"state": "planned", "status": "current"}

event = find(current, "Congratulate on the opening")
component = event.icalendar_instance.walk("VEVENT")[0]
assert int(component["PRIORITY"]) > 5, component.get("PRIORITY")  # low
component.pop("PRIORITY")
component.add("PRIORITY", 1)
event.save()
assert int(find(current, "Congratulate on the opening").icalendar_instance.walk("VEVENT")[0]["PRIORITY"]) < 5
want["Congratulate on the opening"] = {"importance": "high", "state": "planned"}

tasks = [t for t in todo.todos() if "Show the samples" in title(t)]
assert len(tasks) == 1, [title(t) for t in todo.todos()]
tasks[0].complete()
assert not [t for t in todo.todos() if "Show the samples" in title(t)]
want["Show the samples"] = {"state": "done", "status": "done"}

find(overdue, "Ask for their decision").delete()
want["Ask for their decision on the contract"] = {"state": "cancelled"}

start = (now + dt.timedelta(days=3)).replace(hour=9, minute=15, second=0, microsecond=0)
new = "Call Harbour Coffee Ltd about the grinder"
current.save_event(f"""BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//intouch//interop test//EN
BEGIN:VEVENT
UID:python-caldav@peer.test
DTSTAMP:20261124T090000Z
DTSTART:{start:%Y%m%dT%H%M%SZ}
DTEND:{start + dt.timedelta(minutes=25):%Y%m%dT%H%M%SZ}
SUMMARY:{new}
END:VEVENT
END:VCALENDAR
""")
assert current.event_by_uid("python-caldav@peer.test").data
want[new] = {"kind": "call", "state": "planned", "minutes": 25, "client_name": "Harbour Coffee Ltd", "start": f"{start:%Y-%m-%dT%H:%M:%SZ}"}

# What the sync token has missed comes, and only that.
news, gone = token.sync()
names = " | ".join(str(o.url) for o in news)
assert len(list(news)) >= 3 and len(list(news)) < len(list(current.events())), names

json.dump(want, sys.stdout)
