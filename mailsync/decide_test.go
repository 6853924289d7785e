package mailsync

import (
	"fmt"
	"testing"

	"intouch/store"
)

func testParties() *store.Parties {
	return &store.Parties{
		OwnAddrs: map[string]int64{"anna@vector.test": 1, "vector.office@gmail.com": 2},
		OwnHosts: map[string]bool{"vector.test": true},
		ByAddr: map[string][]int64{"petr@romashka.test": {10}, "ivan@gmail.com": {11}, "both@holding.test": {12, 13}, "anna@vector.test": {14},
			"tagged+orders@shop.test": {15}},
		ByDomain: map[string][]int64{"romashka.test": {10}, "gmail.com": {16}, "vector.test": {17}, "blue.test": {18}},
		Blocked:  map[string]bool{"lawyer@law.test": true, "spam.test": true},
		FreeMail: map[string]bool{"gmail.com": true},
	}
}

func TestDecide(t *testing.T) {
	thread := func() []int64 { return []int64{20} }
	never := func() []int64 { t.Error("thread was asked"); return nil }
	for _, c := range []struct {
		name   string
		thread func() []int64
		want   string
		lines  []string
	}{
		{"internal", never, "skipped internal [] out", []string{"From: anna@vector.test", "To: boss@vector.test", "Cc: vector.office@gmail.com"}},
		{"internal with a tag", never, "skipped internal [] out", []string{"From: anna@vector.test", "To: vector.office+crm@gmail.com"}},
		{"client in", never, "captured  [10] in", []string{"From: Petr@Romashka.test", "To: anna@vector.test"}},
		{"client out", never, "captured  [10] out", []string{"From: anna@vector.test", "To: petr@romashka.test"}},
		{"client in copy", never, "captured  [10] in", []string{"From: x@stranger.test", "To: anna@vector.test", "Cc: petr@romashka.test"}},
		{"client in Reply-To", never, "captured  [10] in", []string{"From: robot@service.test", "Reply-To: petr@romashka.test", "To: anna@vector.test"}},
		{"client in Bcc", never, "captured  [11] out", []string{"From: anna@vector.test", "Bcc: ivan@gmail.com"}},
		{"plus tag", never, "captured  [11] in", []string{"From: ivan+work@gmail.com", "To: anna@vector.test"}},
		{"registered with a tag", never, "captured  [15] in", []string{"From: tagged+orders@shop.test", "To: anna@vector.test"}},
		{"two clients of one address", never, "captured  [12 13] in", []string{"From: both@holding.test", "To: anna@vector.test"}},
		{"two clients", never, "captured  [18 10] out", []string{"From: anna@vector.test", "To: new@blue.test, petr@romashka.test"}},
		{"domain", never, "captured  [18] in", []string{"From: new@blue.test", "To: anna@vector.test"}},
		{"subdomain is not the domain", nil, "skipped unknown [] in", []string{"From: new@mail.blue.test", "To: anna@vector.test"}},
		{"look-alike domain", nil, "skipped unknown [] in", []string{"From: new@blue.test.evil.test", "To: anna@vector.test"}},
		{"look-alike prefix", nil, "skipped unknown [] in", []string{"From: new@notblue.test", "To: anna@vector.test"}},
		{"free mail is no domain", nil, "skipped unknown [] in", []string{"From: somebody@gmail.com", "To: anna@vector.test"}},
		{"own address is nobody's client", nil, "skipped unknown [] out", []string{"From: anna@vector.test", "To: x@stranger.test"}},
		{"name of a client", nil, "skipped unknown [] in", []string{`From: "petr@romashka.test" <x@stranger.test>`, "To: anna@vector.test"}},
		{"blocked address", never, "skipped blocked [] in", []string{"From: petr@romashka.test", "To: anna@vector.test", "Cc: lawyer@law.test"}},
		{"blocked domain", never, "skipped blocked [] in", []string{"From: x@spam.test", "To: petr@romashka.test"}},
		{"list of a client", never, "skipped automatic [] in", []string{"From: news@blue.test", "To: anna@vector.test", "List-Id: <news.blue.test>"}},
		{"internal before automatic", never, "skipped internal [] out", []string{"From: robot@vector.test", "To: anna@vector.test", "Auto-Submitted: auto-generated"}},
		{"thread", thread, "captured  [20] in", []string{"From: x@stranger.test", "To: anna@vector.test"}},
		{"no thread", func() []int64 { return nil }, "skipped unknown [] in", []string{"From: x@stranger.test", "To: anna@vector.test"}},
		{"no address at all", nil, "skipped unknown [] in", []string{"Subject: x"}},
	} {
		d := Decide(header(c.lines...), testParties(), c.thread)
		if got := fmt.Sprint(d.Outcome, " ", d.Reason, " ", d.Clients, " ", d.Direction); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// An empty set of own addresses must not make everything internal, nor an
// empty set of clients everything captured.
func TestDecide_NobodyKnown(t *testing.T) {
	d := Decide(header("From: a@x.test", "To: b@y.test"), &store.Parties{}, nil)
	if d.Outcome != store.Skipped || d.Reason != store.Unknown || d.Direction != store.In {
		t.Errorf("%+v", d)
	}
	p := &store.Parties{OwnAddrs: map[string]int64{"": 1}, OwnHosts: map[string]bool{"": true}, ByAddr: map[string][]int64{"": {1}}, ByDomain: map[string][]int64{"": {1}}, Blocked: map[string]bool{"": true}}
	if d := Decide(header("From: a@x.test", "To: b@y.test"), p, nil); d.Reason != store.Unknown {
		t.Errorf("%+v", d)
	}
}

func TestOutsiders(t *testing.T) {
	h := header("From: anna@vector.test", "To: petr@romashka.test, x@stranger.test", "Cc: boss@vector.test")
	if got := fmt.Sprint(Outsiders(h, testParties())); got != "[petr@romashka.test x@stranger.test]" {
		t.Error(got)
	}
}

func TestAutomatic(t *testing.T) {
	for _, c := range []struct {
		want  string
		lines []string
	}{
		{"", []string{"From: a@x.test", "Return-Path: <a@x.test>"}},
		{"", []string{"Auto-Submitted: no"}},
		{"", []string{"Precedence: first-class"}},
		{"", []string{"Subject: Re: Automatic reply: holiday"}},
		{"", []string{"From: postmaster@x.test", "Return-Path: <postmaster@x.test>"}},
		{"", []string{"X-Auto-Response-Suppress: All"}}, // Exchange sets it on people's letters too
		{"auto_generated", []string{"Auto-Submitted: auto-generated"}},
		{"auto_generated", []string{"Auto-Submitted: auto-notified; owner-email=\"a@x.test\""}},
		{"auto_reply", []string{"Auto-Submitted: Auto-Replied (vacation)"}},
		{"auto_reply", []string{"X-Autoreply: yes"}},
		{"auto_reply", []string{"Precedence: auto_reply"}},
		{"auto_reply", []string{"Subject: =?utf-8?B?0JDQstGC0L7QvtGC0LLQtdGCOiDQsNC60YI=?="}}, // Автоответ: акт
		{"list", []string{"List-Id: <x.test>"}},
		{"list", []string{"List-Unsubscribe: <https://x.test>"}},
		{"list", []string{"Precedence: BULK"}},
		{"bounce", []string{"Content-Type: multipart/report; report-type=delivery-status; boundary=x"}},
		{"bounce", []string{"From: Mail Delivery Subsystem <MAILER-DAEMON@x.test>"}},
		{"bounce", []string{"From: MAILER-DAEMON (Mail Delivery System)"}},
		{"bounce", []string{"From: postmaster@x.test", "Return-Path: <>"}},
		{"auto_generated", []string{"From: a@x.test", "Return-Path: <>"}},
		{"receipt", []string{"Content-Type: multipart/report; report-type=disposition-notification; boundary=x"}},
		{"invitation_answer", []string{"Content-Type: text/calendar; method=reply"}},
		{"", []string{"Content-Type: text/calendar; method=REQUEST", "Auto-Submitted: auto-generated"}},
	} {
		if got := header(c.lines...).Automatic(); got != c.want {
			t.Errorf("%q: %q, want %q", c.lines, got, c.want)
		}
	}
}

func TestInspect(t *testing.T) {
	for want, tree := range map[string]*Part{
		"invitation_answer": {Type: "multipart/alternative", Children: []*Part{{Type: "text/plain"}, {Type: "text/calendar", Params: map[string]string{"method": "REPLY"}}}},
		"bounce":            {Type: "multipart/mixed", Children: []*Part{{Type: "text/plain"}, {Type: "message/delivery-status"}}},
		"":                  {Type: "multipart/mixed", Children: []*Part{{Type: "message/rfc822", Children: []*Part{{Type: "message/delivery-status"}}}}},
	} {
		h := header("From: a@x.test")
		h.Inspect(tree)
		if got := h.Automatic(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	header("From: a@x.test").Inspect(nil)
}
