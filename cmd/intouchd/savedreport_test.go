package main

import (
	"strings"
	"testing"
)

func TestSavedReportCommand(t *testing.T) {
	file := settings(t, "")
	do := func(code int, says, stdin string, args ...string) output {
		t.Helper()
		out := command(t, stdin, append([]string{"--config", file}, args...)...)
		if out.code != code || !strings.Contains(out.stdout+out.stderr, says) {
			t.Fatalf("%v: %+v, want code %d and %q", args, out, code, says)
		}
		return out
	}
	do(exitDone, "", "id,login,name,role,email,language\nm1,hilda,Hilda,head,hilda@vector.test,en\nm2,anna,Anna,manager,anna@vector.test,en\n", "import", "managers", "-")
	do(exitDone, "", "id,name,manager\na,Alpha,anna\nb,Beta,hilda\n", "import", "clients", "-")
	do(exitDone, "", "id,number,client,date,amount,manager\nd1,A-1,a,2026-11-01,100,anna\nd2,B-2,b,2026-11-01,100,hilda\n", "import", "deals", "-")
	saved := func(args ...string) []string { return append([]string{"report", "saved"}, args...) }

	do(exitDone, "#1 deals: saved", "", saved("add", "deals", "open-deals", "--owner", "anna", "--by", "client", "--schedule", "0 8 * * 1", "--recipient", "anna,boss@partner.test")...)
	do(exitFailed, "--replace", "", saved("add", "deals", "open-deals", "--owner", "anna")...)
	do(exitDone, "#1 deals: saved", "", saved("add", "deals", "open-deals", "--owner", "anna", "--replace", "--recipient", "anna", "--attach", "csv", "--send-empty")...)
	do(exitDone, "#2 deals: saved", "", saved("add", "deals", "open-deals", "--owner", "hilda", "--nightly")...)
	list := do(exitDone, "", "", saved("list")...).stdout
	if n := strings.Count(list, "\n"); n != 3 {
		t.Errorf("list of %d lines:\n%s", n, list)
	}
	if own := do(exitDone, "", "", saved("list", "--owner", "anna")...).stdout; strings.Contains(own, "hilda") || !strings.Contains(own, "anna") {
		t.Errorf("Anna's:\n%s", own)
	}

	do(exitUsage, "2 managers have", "", saved("run", "deals")...)
	if got := do(exitDone, "A-1", "", saved("run", "#1", "--format", "csv")...).stdout; strings.Contains(got, "B-2") {
		t.Errorf("Anna's report shows more than she may see:\n%s", got)
	}
	do(exitDone, "B-2", "", saved("run", "deals", "--owner", "hilda")...)
	do(exitDone, "queued", "", saved("run", "#1", "--mail")...)
	do(exitUsage, "no recipients", "", saved("run", "#2", "--mail")...)
	do(exitUsage, "without --mail", "", saved("run", "#1", "--mail", "--format", "csv")...)

	for says, args := range map[string][]string{
		"--owner LOGIN":       {"x", "open-deals"},
		"no manager":          {"x", "open-deals", "--owner", "nobody"},
		"unknown report":      {"x", "nonsense", "--owner", "anna"},
		"has no period":       {"x", "open-deals", "--owner", "anna", "--period", "today"},
		"unknown period":      {"x", "contacts", "--owner", "anna", "--period", "someday"},
		"once an hour":        {"x", "contacts", "--owner", "anna", "--schedule", "*/5 * * * *", "--recipient", "anna"},
		"is not a cron":       {"x", "contacts", "--owner", "anna", "--schedule", "rubbish", "--recipient", "anna"},
		"recipients: are":     {"x", "contacts", "--owner", "anna", "--schedule", "0 8 * * *"},
		"there is no manager": {"x", "contacts", "--owner", "anna", "--recipient", "nobody"},
		"only heads":          {"x", "contacts", "--owner", "anna", "--nightly"},
		"neither xlsx":        {"x", "contacts", "--owner", "anna", "--attach", "exe"},
	} {
		do(exitUsage, says, "", saved(append([]string{"add"}, args...)...)...)
	}
	do(exitDone, "removed", "", saved("remove", "#1")...)
	do(exitUsage, "no saved report", "", saved("remove", "#1")...)
	do(exitUsage, "give one of list", "", saved()...)
	do(exitUsage, "unknown report", "", "report", "save")
}
