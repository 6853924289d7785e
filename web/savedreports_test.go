package web

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"intouch/store"
)

// From the page of a report to a saved one, changed, sent and deleted; others
// see and touch it as far as they may.
func TestSavedReports_Pages(t *testing.T) {
	var sent []string
	mail := &ReportMail{
		Check: func(cron string) error {
			if cron != "" && len(strings.Fields(cron)) != 5 {
				return errors.New("no cron expression")
			}
			return nil
		},
		Send: func(_ context.Context, r store.SavedReport) (store.Run, error) {
			sent = append(sent, r.Name)
			return store.Run{Outcome: "queued"}, nil
		},
	}
	h := newHouse(t, Options{Currency: "RUB", ReportMail: mail})
	anna, boris, clara := h.login("anna"), h.login("boris"), h.login("clara")
	boris.get("/reports/saved").has(t, "No report is saved yet")
	boris.get("/reports/open-deals?by=client&by=&by=status&stage=none").has(t, `href="/reports/saved/new?by=client%2Cstatus&amp;report=open-deals&amp;stage=none"`)
	form := boris.get("/reports/saved/new?by=client,status&report=open-deals&stage=none")
	form.has(t, "Current deals", "By: Client, Status", `value="by=client%2Cstatus&amp;stage=none"`, `value="boris" checked`)
	form.lacks(t, "nightly report", "does not move")
	boris.get("/reports/saved/new?report=contacts&from=2026-11-01&to=2026-11-20").has(t, "does not move with time")
	for path, code := range map[string]int{"/reports/saved/new?report=nothing": 404, "/reports/saved/new": 404, "/reports/saved/1": 404, "/reports/saved/x": 404} {
		if got := boris.get(path); got.code != code {
			t.Errorf("%s: %d", path, got.code)
		}
	}
	boris.get("/reports/saved/new?report=open-deals&by=nonsense").has(t, "unknown grouping")

	name := "Deals " + hostile
	good := func() url.Values {
		return url.Values{"do": {"save"}, "report": {"open-deals"}, "params": {"by=client%2Cstatus&stage=none"}, "name": {name}, "when": {"weekly"}, "at": {"07:30"},
			"manager": {"boris", "anna"}, "addresses": {"boss@partner.test, second@partner.test"}, "file": {"xlsx"}, "empty": {"1"}}
	}
	for what, change := range map[string]struct {
		field, value, says string
		code               int
	}{
		"no name":           {"name", "", "Give it a name", 422},
		"no such report":    {"report", "nothing", "", 404},
		"no such filter":    {"params", "nonsense=1", "unknown filter", 422},
		"no query":          {"params", "%zz", "", 400},
		"no time":           {"at", "25:00", "There is no such time", 422},
		"no cron":           {"when", "cron", "no cron expression", 422},
		"no such when":      {"when", "often", "There is no such time", 422},
		"no address":        {"addresses", "boss@", "will not do", 422},
		"head's digest":     {"nightly", "1", "only heads", 422},
		"unknown file":      {"file", "exe", "neither xlsx nor csv", 422},
		"too long a name":   {"name", strings.Repeat("x", 300), "longer", 422},
		"a stranger's name": {"manager", "nobody", "there is no manager", 422},
	} {
		f := good()
		f.Set(change.field, change.value)
		if what == "no cron" {
			f.Set("cron", "rubbish")
		}
		got := boris.post("/reports/saved", f)
		if got.code != change.code {
			t.Errorf("%s: %d", what, got.code)
		}
		got.has(t, change.says)
	}
	f := good()
	f.Del("manager")
	f.Del("addresses")
	boris.post("/reports/saved", f).has(t, "Choose whom it is mailed to")

	if got := boris.post("/reports/saved", good()); got.header.Get("Location") != "/reports/saved?said=saved" {
		t.Fatalf("%d\n%s", got.code, main(got.body))
	}
	boris.post("/reports/saved", good()).has(t, "There is a report of that name already")
	list := boris.get("/reports/saved")
	list.has(t, "on Mondays, 07:30", "boss@partner.test", "Анна Орлова", "By: Client, Status", "/reports/open-deals?by=client%2Cstatus&amp;stage=none", "Send now")
	list.lacks(t, "<script>alert(1)")

	// Whose it is.
	clara.get("/reports/saved").lacks(t, "boss@partner.test")
	anna.get("/reports/saved").has(t, "Boris Field", "по понедельникам, 07:30")
	at := ""
	all, err := h.st.SavedReports(t.Context(), h.manager("boris"))
	h.check(err)
	at = fmt.Sprintf("/reports/saved/%d", all[0].ID)
	for _, do := range []string{"save", "delete", "send"} {
		f := good()
		f.Set("do", do)
		if got := clara.post(at, f); got.code != 404 {
			t.Errorf("%s by another manager: %d", do, got.code)
		}
	}

	// It comes back into the form as it was, and another schedule is kept.
	edit := anna.get(at)
	edit.has(t, "Boris Field", `value="weekly" selected`, `value="07:30"`, `value="boss@partner.test, second@partner.test"`, `value="anna" checked`, `value="xlsx" selected`, `name="empty" value="1" checked`)
	edit.lacks(t, `value="clara" checked`)
	f = good()
	f.Set("when", "cron")
	f.Set("cron", "0 9 */2 * *")
	f.Set("name", "Deals")
	if got := anna.post(at, f); got.header.Get("Location") != "/reports/saved?said=saved" {
		t.Fatalf("changed by the head: %d\n%s", got.code, main(got.body))
	}
	boris.get(at).has(t, `value="cron" selected`, `value="0 9 */2 * *"`)
	boris.get("/reports/saved").has(t, "0 9 */2 * *")

	if got := boris.post(at, url.Values{"do": {"send"}}); got.header.Get("Location") != "/reports/saved?said=reportsent" || len(sent) != 1 || sent[0] != "Deals" {
		t.Errorf("sent: %d %s %v", got.code, got.header.Get("Location"), sent)
	}
	if got := boris.post(at, url.Values{"do": {"dance"}}); got.code != 400 {
		t.Errorf("unknown button: %d", got.code)
	}
	if got := boris.post(at, url.Values{"do": {"delete"}}); got.header.Get("Location") != "/reports/saved?said=reportdeleted" {
		t.Errorf("deleted: %d", got.code)
	}
	boris.get("/reports/saved").has(t, "No report is saved yet")
}

// A form from another site saves and sends nothing.
func TestSavedReports_OtherSite(t *testing.T) {
	h := newHouse(t, Options{})
	boris := h.login("boris")
	boris.header.Set("Sec-Fetch-Site", "cross-site")
	if got := boris.post("/reports/saved", url.Values{"report": {"calendar"}, "name": {"x"}, "when": {"never"}}); got.code != 403 {
		t.Errorf("%d", got.code)
	}
	all, err := h.st.SavedReports(t.Context(), h.manager("boris"))
	h.check(err)
	if len(all) != 0 {
		t.Error("saved")
	}
}

func TestPlainTimes(t *testing.T) {
	for cron, want := range map[string]string{"": "never 08:00", "30 7 * * *": "daily 07:30", "5 23 * * 1-5": "workdays 23:05", "0 8 * * 1": "weekly 08:00", "0 8 1 * *": "monthly 08:00", "0 8 2 * *": "cron 08:00", "0 8,9 * * *": "cron 08:00"} {
		when, at := plainTimes(cron)
		if got := when + " " + at; got != want {
			t.Errorf("%q: %s, want %s", cron, got, want)
		}
		if when == "cron" {
			continue
		}
		f := savedReportForm{when: when, At: at}
		if back, err := f.cron(); err != nil || back != cron {
			t.Errorf("%q comes back as %q, %v", cron, back, err)
		}
	}
}
