package main

import (
	"regexp"
	"strings"
	"testing"
)

func TestCalendarCommand(t *testing.T) {
	file := settings(t, "")
	do := func(args ...string) output {
		t.Helper()
		return command(t, "", append([]string{"--config", file}, args...)...)
	}
	must := func(args ...string) string {
		t.Helper()
		got := do(args...)
		if got.code != exitDone {
			t.Fatalf("%v: %+v", args, got)
		}
		return got.stdout
	}
	refused := func(says string, args ...string) {
		t.Helper()
		if got := do(args...); got.code != exitUsage || !strings.Contains(got.stderr, says) {
			t.Errorf("%v: %+v", args, got)
		}
	}
	must("manager", "add", "anna", "--name", "Anna", "--language", "en", "--email", "anna@vector.test")
	must("manager", "add", "boris", "--name", "Boris", "--role", "head", "--email", "boris@vector.test")

	address := must("calendar", "add", "anna", "VIP calls", "--importance", "high", "--kind", "call", "--words", "new price", "--color", "#112233")
	slug := regexp.MustCompile(`/dav/calendars/anna/(filter-[a-z2-7]{8})/\n$`).FindStringSubmatch(address)
	if slug == nil {
		t.Fatalf("address %q", address)
	}
	list := must("calendar", "list", "anna")
	if !strings.Contains(list, `--kind call --importance high --words "new price" --done-days 90`) || !strings.Contains(list, "#112233") {
		t.Errorf("list:\n%s", list)
	}
	must("calendar", "change", "anna", "vip calls", "--name", "Calls", "--importance", "", "--status", "overdue,current")
	if list = must("calendar", "list", "anna"); !strings.Contains(list, `--status overdue,current --kind call --words "new price"`) || strings.Contains(list, "--importance") {
		t.Errorf("changed:\n%s", list)
	}

	feed := must("calendar", "feed", "anna", slug[1])
	if !regexp.MustCompile(`^http://127\.0\.0\.1:8080/feed/[A-Z2-7]{26}\.ics\n$`).MatchString(feed) {
		t.Errorf("feed %q", feed)
	}
	if list = must("calendar", "list", "anna"); !strings.Contains(list, "never read") || strings.Contains(list, "/feed/") {
		t.Errorf("with a feed:\n%s", list)
	}
	must("calendar", "revoke", "anna", "Calls")
	refused("has no feed", "calendar", "revoke", "anna", "Calls")
	refused("tasks", "calendar", "feed", "anna", "todo")
	must("calendar", "delete", "anna", "Calls")
	refused("no calendar", "calendar", "delete", "anna", "Calls")
	refused("not a saved filter", "calendar", "delete", "anna", "current")
	refused("for heads", "calendar", "add", "anna", "x", "--manager", "boris")
	refused("for heads", "calendar", "add", "anna", "x", "--manager", "all")
	refused("telepathy", "calendar", "add", "anna", "x", "--kind", "telepathy")
	refused("no client", "calendar", "add", "anna", "x", "--client", "Nobody")
	refused("add, change", "calendar")
	if list = must("calendar", "list", "boris"); strings.Contains(list, "filter-") {
		t.Errorf("before:\n%s", list)
	}
	must("calendar", "add", "boris", "Everybody", "--manager", "all", "--type", "payment")
	if list = must("calendar", "list", "boris"); !strings.Contains(list, "--type payment --manager all") {
		t.Errorf("a head's:\n%s", list)
	}
}
