"""Drives a demo with Evolution's data server: HOME-URL LOGIN PASSWORD.

The calendar backends are those of Evolution and GNOME Calendar, without their
windows. Checks what they hold, and prints as JSON what must have become of the
contacts, like caldav_peer.py. Wants a D-Bus session of its own
(dbus-run-session) and a HOME that may be thrown away.
"""
import datetime as dt
import json
import sys
import time
import urllib.parse

import gi

gi.require_version("EDataServer", "1.2")
gi.require_version("ECal", "2.0")
gi.require_version("ICalGLib", "3.0")
from gi.repository import ECal, EDataServer, ICalGLib

home, login, password = sys.argv[1:]
registry = EDataServer.SourceRegistry.new_sync(None)


def open_calendar(slug, extension, kind):
    """Opens a calendar of the home as File > New > Calendar does."""
    url = urllib.parse.urlparse(f"{home}{slug}/")
    source = EDataServer.Source.new(None, None)
    source.set_display_name(slug)
    source.set_parent("caldav-stub")
    source.get_extension(extension).set_backend_name("caldav")
    auth = source.get_extension(EDataServer.SOURCE_EXTENSION_AUTHENTICATION)
    auth.set_host(url.hostname)
    auth.set_port(url.port)
    auth.set_user(login)
    auth.set_method("plain/password")
    source.get_extension(EDataServer.SOURCE_EXTENSION_WEBDAV_BACKEND).set_resource_path(url.path)
    source.get_extension(EDataServer.SOURCE_EXTENSION_SECURITY).set_secure(False)
    uid = source.get_uid()
    registry.commit_source_sync(source, None)
    source = eventually(lambda: registry.ref_source(uid), f"the source {slug}")
    client = ECal.Client.connect_sync(source, kind, 5, None)
    credentials = EDataServer.NamedParameters.new()
    credentials.set(EDataServer.SOURCE_CREDENTIAL_USERNAME, login)
    credentials.set(EDataServer.SOURCE_CREDENTIAL_PASSWORD, password)
    source.invoke_authenticate_sync(credentials, None)
    eventually(lambda: held(client), f"something in {slug}")
    assert not client.is_readonly(), slug
    return client


def eventually(look, what):
    """Evolution fetches in its own time."""
    for _ in range(200):
        found = look()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{what}: not after 20 seconds")


def held(client):
    """Summary -> component, of all that the backend holds."""
    _, found = client.get_object_list_as_comps_sync("#t", None)
    return {c.get_summary().get_value(): c for c in found}


def find(client, word):
    def look():
        return [c for summary, c in held(client).items() if word in summary]

    return eventually(look, word)[0]


def gone(client, word):
    def look():
        client.refresh_sync(None)
        return not [s for s in held(client) if word in s]

    eventually(look, f"{word} gone")


def utc(at):
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def when(at):
    t = ICalGLib.Time.new_from_string(f"{at:%Y%m%dT%H%M%SZ}")
    t.set_timezone(ICalGLib.Timezone.get_utc_timezone())
    return ECal.ComponentDateTime.new(t, "UTC")


def save(client, component):
    client.modify_object_sync(component.get_icalcomponent(), ECal.ObjModType.ALL, ECal.OperationFlags.NONE, None)


want = {}
events = open_calendar("current", EDataServer.SOURCE_EXTENSION_CALENDAR, ECal.ClientSourceType.EVENTS)
tasks = open_calendar("todo", EDataServer.SOURCE_EXTENSION_TASK_LIST, ECal.ClientSourceType.TASKS)
now = dt.datetime.now(dt.timezone.utc)
start = (now + dt.timedelta(days=7)).replace(hour=9, minute=15, second=0, microsecond=0)

# Written there: it comes back with its client.
new = "Call Harbour Coffee Ltd about the grinder"
events.create_object_sync(ICalGLib.Component.new_from_string(f"""BEGIN:VEVENT
UID:evolution@peer.test
DTSTAMP:20261124T090000Z
DTSTART:{start:%Y%m%dT%H%M%SZ}
DTEND:{start + dt.timedelta(minutes=25):%Y%m%dT%H%M%SZ}
SUMMARY:{new}
END:VEVENT
"""), ECal.OperationFlags.NONE, None)
component = find(events, new)
assert "Calls" in (component.get_categories_list() or []), component.get_as_string()
want[new] = {"kind": "call", "state": "planned", "minutes": 25, "client_name": "Harbour Coffee Ltd", "start": utc(start)}

component = find(events, "Look at their machines")
component.set_dtstart(when(start + dt.timedelta(hours=2)))
component.set_dtend(when(start + dt.timedelta(hours=3)))
save(events, component)
want["Look at their machines"] = {"state": "planned", "start": utc(start + dt.timedelta(hours=2)), "minutes": 60}

component = find(events, "Congratulate on the opening")
component.set_priority(1)
save(events, component)
want["Congratulate on the opening"] = {"importance": "high", "state": "planned"}

component = find(events, "Next year's contract")
events.remove_object_sync(component.get_uid(), None, ECal.ObjModType.ALL, ECal.OperationFlags.NONE, None)
gone(events, "Next year's contract")
want["Next year's contract"] = {"state": "cancelled"}

component = find(tasks, "Show the samples")
component.set_status(ICalGLib.PropertyStatus.COMPLETED)
component.set_percent_complete(100)
component.set_completed(when(now).get_value())
save(tasks, component)
want["Show the samples"] = {"state": "done", "status": "done"}

json.dump(want, sys.stdout)
