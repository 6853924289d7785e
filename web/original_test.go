package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"intouch/store"
)

var gif = []byte("GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;")

// TestShowOriginal: what lays a letter out stays, and what could load, run or
// send something does not.
func TestShowOriginal(t *testing.T) {
	say := voice{lang: store.English}
	letter := store.Original{Pictures: map[string][]byte{"logo@vector.test": gif}, HTML: `<html><head><title>no</title><style>p{color:red}</style><base href="http://evil.test/"></head><body onload="x()">
<p style="color: #c00; background-image: url(http://evil.test/t.gif); position: fixed">Hello <b>Anna</b></p>
<table border="1" cellpadding="4"><tr><td bgcolor="#eeeeee" background="http://evil.test/b.gif">12,50</td></tr></table>
<a href="https://shop.test/order?a=1&b=2" onclick="x()">order</a> <a href="javascript:x()">no</a> <a href="mailto:bob@shop.test">bob</a>
<img src="cid:logo@vector.test" alt="logo"> <img src="cid:other" alt="other"> <img src="http://evil.test/pixel.gif" alt="pixel"> <img src="//evil.test/p2.gif"> <img src="data:image/svg+xml;base64,PHN2Zz4=">
<form action="http://evil.test"><input name="password"><button>go</button></form><iframe src="http://evil.test"></iframe><script>x()</script><svg onload="x()"></svg></body></html>`}
	got := showOriginal(say, letter)
	for _, want := range []string{"color: #c00", "<b>Anna</b>", `bgcolor="#eeeeee"`, "12,50", `href="https://shop.test/order?a=1&amp;b=2"`, "noreferrer", "noopener", `target="_blank"`,
		`href="mailto:bob@shop.test"`, `src="data:image/gif;base64,`, `alt="other"`, "not shown: 1."} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %s", want, got)
		}
	}
	for _, bad := range []string{"evil.test", "script", "url(", "fixed", "x()", "<form", "<input", "<svg", "<style", "<base", "<title", "p{"} {
		if strings.Contains(got, bad) {
			t.Errorf("%q in %s", bad, got)
		}
	}
}

// FuzzShowOriginal: of whatever a stranger writes nothing remains that a
// browser would run or fetch.
func FuzzShowOriginal(f *testing.F) {
	for _, s := range []string{hostile, "", "<p>a", `<img src=x:x onerror=alert(1)>`, `<a href="jav&#x09;ascript:alert(1)">x`, `<svg/onload=alert(1)>`, `<math><mi//xlink:href="data:x,<script>alert(4)</script>">`,
		`<noscript><p title="</noscript><img src=x onerror=alert(1)>">`, `<div style="background:url(javascript:alert(1))">`, `<p style="color:expression(alert(1))">`, `<img src="http://evil.test">`, `<table background="//evil.test"><td>`,
		`<!--[if gte IE 4]><script>alert(1)</script><![endif]-->`, `<textarea><img src=x onerror=alert(1)></textarea>`, `<a href="data:text/html,<script>alert(1)</script>">x</a>`, `<style>@import "http://evil.test"</style>`, `<link rel=stylesheet href=//evil.test>`,
		`<meta http-equiv=refresh content="0;url=http://evil.test">`, `<object data=//evil.test>`, `<img srcset="http://evil.test 2x" src=cid:a>`, `<body background=http://evil.test>`, `<xmp><img src=x onerror=alert(1)></xmp>`, `<template><script>x</script></template>`} {
		f.Add(s)
	}
	allowed := map[string]bool{"href": true, "src": true, "alt": true, "style": true, "rel": true, "target": true, "class": true, "dir": true, "type": true, "value": true, "align": true, "valign": true, "width": true, "height": true,
		"border": true, "cellpadding": true, "cellspacing": true, "bgcolor": true, "color": true, "face": true, "size": true, "summary": true, "span": true, "abbr": true, "colspan": true, "rowspan": true, "headers": true, "scope": true, "nowrap": true}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 1<<16 {
			return
		}
		got := showOriginal(voice{lang: store.English}, store.Original{HTML: s, Pictures: map[string][]byte{"a": gif}})
		doc, err := html.Parse(strings.NewReader(got))
		if err != nil {
			t.Fatal(err)
		}
		for n := range doc.Descendants() {
			if n.Type != html.ElementNode {
				continue
			}
			switch n.Data {
			case "script", "style", "iframe", "object", "embed", "form", "input", "link", "meta", "base", "svg", "math", "template", "noscript":
				t.Errorf("<%s> remains of %q: %s", n.Data, s, got)
			}
			for _, a := range n.Attr {
				value := strings.ToLower(strings.TrimSpace(a.Val))
				switch {
				case !allowed[a.Key]:
					t.Errorf("%s=%q remains of %q", a.Key, a.Val, s)
				case a.Key == "src" && value != "" && !strings.HasPrefix(value, "data:image/"):
					t.Errorf("%q would be loaded of %q", a.Val, s)
				case a.Key == "href" && !strings.HasPrefix(value, "http:") && !strings.HasPrefix(value, "https:") && !strings.HasPrefix(value, "mailto:") && !strings.HasPrefix(value, "tel:") && !strings.HasPrefix(value, "cid:") && !strings.HasPrefix(value, "data:image/"):
					t.Errorf("a link to %q remains of %q", a.Val, s)
				case a.Key == "style" && strings.Contains(value, "url("):
					t.Errorf("style %q remains of %q", a.Val, s)
				}
			}
		}
	})
}

// TestOriginal_Page: the frame's page may be shown by our own pages alone, says
// in words what is not there, and gives another manager nothing.
func TestOriginal_Page(t *testing.T) {
	var asked [][]store.LetterPlace
	var fault error
	h := newHouse(t, Options{Original: func(_ context.Context, places []store.LetterPlace) (store.Original, error) {
		asked = append(asked, places)
		return store.Original{HTML: hostile + "<p>Прайс</p>"}, fault
	}})
	rows, err := h.st.Contacts(t.Context(), h.manager("anna"), store.ContactQuery{ClientID: h.ids["Ромашка"], Limit: 100})
	h.check(err)
	var letter, planned string
	for _, c := range rows {
		if c.MessageKey != "" {
			letter = fmt.Sprintf("/contacts/%d", c.ID)
		} else {
			planned = fmt.Sprintf("/contacts/%d", c.ID)
		}
	}
	anna := h.login("anna")
	anna.get(letter).has(t, `<iframe class="original" src="`+letter+`/original"`, `sandbox="allow-popups allow-popups-to-escape-sandbox" loading="lazy"`)
	anna.get(planned).lacks(t, "<iframe")
	if len(asked) != 0 {
		t.Error("a page fetches a letter that nobody asked for")
	}

	got := anna.get(letter + "/original")
	got.has(t, "<p>Прайс</p>", `lang="ru"`)
	got.lacks(t, "<script", "onerror=")
	if got.code != http.StatusOK || got.header.Get("Content-Security-Policy") != originalPolicy || got.header.Get("X-Frame-Options") != "SAMEORIGIN" || got.header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("%d %v", got.code, got.header)
	}
	if len(asked) != 1 || len(asked[0]) != 1 || asked[0][0].Mailbox != "anna" || asked[0][0].Folder != "INBOX" || asked[0][0].UIDValidity != 7 {
		t.Errorf("asked for %+v", asked)
	}
	for want, err := range map[int]error{http.StatusNotFound: store.ErrNoOriginal, http.StatusBadGateway: errors.New("connect: refused by 10.0.0.7")} {
		fault = err
		got := anna.get(letter + "/original")
		got.lacks(t, "10.0.0.7", "Прайс")
		if got.code != want || !strings.Contains(got.body, `class="note"`) || got.header.Get("Content-Security-Policy") != originalPolicy {
			t.Errorf("%v: %d %s", err, got.code, got.body)
		}
	}
	asked, fault = nil, nil
	if got := h.login("clara").get(letter + "/original"); got.code != http.StatusNotFound || len(asked) != 0 || got.header.Get("Content-Security-Policy") == originalPolicy {
		t.Errorf("another manager: %d, %d letters fetched", got.code, len(asked))
	}

	id, err := strconv.ParseInt(strings.TrimPrefix(letter, "/contacts/"), 10, 64)
	h.check(err)
	h.check(h.st.SetPrivate(t.Context(), store.Actor{ManagerID: h.ids["anna"], Origin: store.FromWeb}, id, true))
	if places, err := h.st.LetterPlaces(t.Context(), store.Manager{ID: h.ids["clara"], Role: store.RoleHead}, id); err != nil || len(places) != 0 {
		t.Errorf("a head learns where a private letter lies: %v %v", places, err)
	}
}
