package main

import (
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"intouch/caldav"
	"intouch/exchange"
	"intouch/mailsync"
	"intouch/scheduler"
	"intouch/store"
	"intouch/store/storetest"
	"intouch/web"
)

// hostileTexts are what strangers write where a name or a text is expected.
// Most are of the cheat sheets of OWASP and PortSwigger.
var hostileTexts = []string{
	`<script>alert(1)</script>`,
	`"><script src=https://evil.test/x.js></script>`,
	`'"><img src=x onerror=alert(1)>`,
	`<svg/onload=alert(1)>`,
	`<svg><script>alert&#40;1&#41;</script></svg>`,
	`<iframe srcdoc="<script>alert(1)</script>"></iframe>`,
	`<a href="javascript:alert(1)">click</a>`,
	`javascript:alert(1)//https://evil.test/`,
	`<math><mi xlink:href="data:x,<script>alert(1)</script>">`,
	`</title></textarea></style><body onload=alert(1)>`,
	`" autofocus onfocus=alert(1) x="`,
	`<style>@import 'https://evil.test/x.css';</style>`,
	`<form action=https://evil.test><button formaction=javascript:alert(1)>go`,
	`{{.Who}}{{printf "%s" "x"}}<% %>${alert(1)}`,
	`<meta http-equiv=refresh content="0;url=https://evil.test">`,
	`https://evil.test/"onmouseover="alert(1) http://x@evil.test/ data:text/html,<script>alert(1)</script>`,
	"<scr\u0000ipt>alert(1)</scr\u0000ipt>\u202e<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
	`+ADw-script+AD4-alert(1)+ADw-/script+AD4-`,
	`<!--><img src=x onerror=alert(1)>-->]]><x>`,
	`<base href=https://evil.test/><link rel=stylesheet href=//evil.test/x.css>`,
}

// hostileLetter is a letter that says a text wherever a letter says anything.
func hostileLetter(i int, text string) string {
	word := func(s string) string { return mime.BEncoding.Encode("utf-8", s) }
	body := "<html><head><title>" + text + "</title><style>*{background:url(https://evil.test/1.gif)}</style></head><body onload=alert(1)>" + text +
		`<table onclick=alert(1)><tr><td style="x:expression(alert(1))">` + text + `</td><td><a href="javascript:alert(1)">` + text + `</a> <a href="https://good.test/` + fmt.Sprint(i) + `">good</a></td></tr></table>` +
		`<img src="https://evil.test/pixel.gif"><object data=x></object><blockquote>` + text + "</blockquote></body></html>"
	return fmt.Sprintf("From hostile Wed Nov 25 10:00:00 2026\nMessage-ID: <hostile-%d@x%d.test>\nDate: Wed, 25 Nov 2026 10:%02d:00 +0000\nFrom: %s <a@x%d.test>\nTo: %s <olga@vector.test>\nSubject: %s\n"+
		"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: base64\n\n%s\n"+
		"--b\nContent-Type: application/pdf; name=\"%s\"\nContent-Disposition: attachment; filename=\"%s\"\nContent-Transfer-Encoding: base64\n\nQUJD\n--b--\n\n",
		i, i, i, word(text), i, word(text), word(text), base64.StdEncoding.EncodeToString([]byte(body)), word(text+".pdf"), word(text+".pdf"))
}

// TestHostileTexts sends hostile texts the ways that texts come in, as names in
// files and as letters, then goes through all pages and all mails: nothing of
// them may be more than text.
func TestHostileTexts(t *testing.T) {
	quiet := slog.New(slog.DiscardHandler)
	now := time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)
	st := storetest.SQLite(t, store.Options{Render: caldav.NewRenderer("http://crm.vector.test"), Now: func() time.Time { return now }, Log: quiet})
	olga, _, err := st.SaveManager(t.Context(), store.Actor{}, store.ManagerRow{ID: "m1", Login: "olga", Name: hostileTexts[2], Role: "head", TimeZone: "Europe/Moscow", Language: "ru", Emails: []string{"olga@vector.test"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.SetPassword(t.Context(), olga.ID, "a password for the test"); err != nil {
		t.Fatal(err)
	}
	files := map[exchange.Kind][][]string{
		exchange.Sources:   {{"id", "name", "campaign", "medium"}},
		exchange.Clients:   {{"id", "name", "manager", "domains", "phones", "source", "attribute segment"}},
		exchange.Persons:   {{"id", "client", "name", "position", "emails", "phones", "birthday"}},
		exchange.Deals:     {{"id", "number", "date", "client", "amount", "status", "ship_due", "pay_due"}},
		exchange.Lines:     {{"id", "deal", "item", "article", "quantity", "unit", "price", "amount"}},
		exchange.Documents: {{"id", "kind", "number", "date", "client", "deal", "amount"}},
		exchange.Contacts:  {{"key", "kind", "subject", "text", "client", "start", "state"}},
	}
	for i, text := range hostileTexts {
		id := fmt.Sprint("h", i)
		for kind, row := range map[exchange.Kind][]string{
			exchange.Sources:   {id, text, text, text},
			exchange.Clients:   {id, text, "olga", fmt.Sprintf("x%d.test", i), text, id, text},
			exchange.Persons:   {id, id, text, text, fmt.Sprintf("a@x%d.test", i), text, "1980-11-27"},
			exchange.Deals:     {id, text, "2026-11-20", id, "100", text, "2026-11-25", "2026-11-26"},
			exchange.Lines:     {id, id, text, text, "2", text, "50", "100"},
			exchange.Documents: {id, "shipment", text, "2026-11-24", id, id, "40"},
			exchange.Contacts:  {id, "call", text, text, id, "2026-11-26 15:00", "planned"},
		} {
			files[kind] = append(files[kind], row)
		}
	}
	// Rows that wait as questions, with hostile texts in them.
	files[exchange.Documents] = append(files[exchange.Documents], []string{"q", "payment", hostileTexts[3], "2026-11-24", hostileTexts[4], hostileTexts[5], "1"})
	for _, kind := range []exchange.Kind{exchange.Sources, exchange.Clients, exchange.Persons, exchange.Deals, exchange.Lines, exchange.Documents, exchange.Contacts} {
		var file bytes.Buffer
		if err := csv.NewWriter(&file).WriteAll(files[kind]); err != nil {
			t.Fatal(err)
		}
		sum, err := exchange.Import(t.Context(), st, exchange.ImportOptions{Kind: kind, Name: hostileTexts[0] + ".csv", Actor: store.Actor{Origin: store.FromImport}, TimeZone: "Europe/Moscow", Language: "ru"}, &file)
		if err != nil || sum.Refused > 0 || sum.New < len(hostileTexts) {
			t.Fatalf("%s: %d new, %d refused %v, %v", kind, sum.New, sum.Refused, sum.Faults, err)
		}
	}
	var box strings.Builder
	for i, text := range hostileTexts {
		box.WriteString(hostileLetter(i, text))
		box.WriteString(strings.NewReplacer(fmt.Sprintf("hostile-%d@", i), fmt.Sprintf("unknown-%d@", i), fmt.Sprintf("<a@x%d.test>", i), fmt.Sprintf("<who@nobody%d.test>", i)).Replace(hostileLetter(i, text)))
	}
	sum, err := mailsync.ImportMbox(t.Context(), st, mailsync.ArchiveOptions{Manager: "olga", Folder: hostileTexts[1], Log: quiet}, strings.NewReader(box.String()))
	if err != nil || sum.Captured != len(hostileTexts) {
		t.Fatalf("%d letters captured of %d, %v %v", sum.Captured, sum.Letters, sum.Faults, err)
	}

	jobs, err := scheduler.New(st, scheduler.Options{PublicURL: "http://crm.vector.test", Admin: "admin@vector.test", Currency: "RUB", Classification: store.DefaultClassification, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(web.New(st, web.Options{Secret: []byte("a secret for the tests, 32 bytes"), Log: quiet, Currency: "RUB",
		CalendarPath: caldav.CalendarPath, BookPath: caldav.BookPath, PrincipalPath: caldav.PrincipalPath, FeedPath: caldav.FeedPath}))
	defer srv.Close()

	texts := crawl(t, srv)
	seen := strings.Join(texts, "\n")
	for _, text := range hostileTexts {
		if want := strings.ReplaceAll(text, "\x00", ""); !strings.Contains(seen, want) {
			t.Errorf("no page shows %q: it was not put to the test", want)
		}
	}

	for _, job := range []string{"classify", "digest", "nightly", "reminders"} {
		if _, err := jobs.RunJob(t.Context(), job, now, ""); err != nil {
			t.Fatalf("%s: %v", job, err)
		}
	}
	mails, err := st.ClaimMails(t.Context(), 100, time.Minute)
	if err != nil || len(mails) < 2 {
		t.Fatalf("%d mails, %v", len(mails), err)
	}
	told := 0 // hostile mails
	for _, m := range mails {
		for _, page := range mailPages(t, m.Bytes) {
			if bytes.Contains(page, []byte("&lt;")) {
				told++
			}
			for _, bad := range executable(page, true) {
				t.Errorf("mail %s: %s", m.Subject, bad)
			}
		}
	}
	if told < 2 {
		t.Errorf("%d mails say what strangers wrote", told)
	}
}

var digits = regexp.MustCompile(`\d+`)

// crawl goes from the first page through all links, and gives the texts of all
// pages. Of pages that differ in numbers alone, and in what they are asked, it
// visits some.
func crawl(t *testing.T, srv *httptest.Server) (texts []string) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Jar: jar, Timeout: time.Minute}
	req, _ := http.NewRequest("POST", srv.URL+"/login", strings.NewReader(url.Values{"login": {"olga"}, "password": {"a password for the test"}}.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	if res, err := c.Do(req); err != nil || res.StatusCode != http.StatusOK {
		t.Fatal(res, err)
	}
	todo := []string{"/", "/nowhere/" + url.PathEscape(hostileTexts[0])}
	for _, text := range hostileTexts { // what they put into addresses
		q := url.QueryEscape(text)
		todo = append(todo, "/clients?name="+q+"&attributes="+q+"&before="+q, "/persons/list?text="+q+"&since="+q, "/deals?text="+q+"&after="+q, "/?client="+q+"&from="+q+"&said="+q, "/login?next="+q,
			"/reports/contacts?by="+q, "/reports/open-deals?client="+q)
	}
	known, alike := map[string]bool{}, map[string]int{}
	pages := 0
	for len(todo) > 0 {
		at := todo[0]
		todo = todo[1:]
		if known[at] {
			continue
		}
		known[at] = true
		res, err := c.Get(srv.URL + at)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode >= 500 {
			t.Errorf("%s: %d %v", at, res.StatusCode, err)
			continue
		}
		if res.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: a browser may take it for something else", at)
		}
		if !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
			continue
		}
		pages++
		for _, bad := range executable(body, false) {
			t.Errorf("%s: %s", at, bad)
		}
		if policy := res.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy %q", at, policy)
		}
		doc, err := html.Parse(bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for n := range doc.Descendants() {
			if n.Type == html.TextNode {
				texts = append(texts, n.Data)
			}
			for _, a := range n.Attr {
				if n.Data == "input" && a.Key == "value" {
					texts = append(texts, a.Val)
				}
				if n.Data != "a" || a.Key != "href" {
					continue
				}
				u, err := url.Parse(a.Val)
				if err != nil || u.Host != "" || u.Scheme != "" {
					continue
				}
				base, _ := url.Parse(at)
				u = base.ResolveReference(u)
				u.Fragment = ""
				keys := []string{}
				for k := range u.Query() {
					keys = append(keys, k)
				}
				slices.Sort(keys)
				like := digits.ReplaceAllString(u.Path, "#") + "?" + strings.Join(keys, "&")
				most := 4
				if !strings.Contains(like, "&") && len(keys) == 0 {
					most = len(hostileTexts) + 5
				}
				if next := u.String(); !known[next] && alike[like] < most {
					alike[like]++
					todo = append(todo, next)
				}
			}
		}
	}
	t.Logf("%d pages", pages)
	if pages < 100 {
		t.Errorf("only %d pages", pages)
	}
	return texts
}

// pageElements are those of our templates; what else stands in a page came
// from somebody's text. A mail has further ones, for programs that know no
// style sheets.
var pageElements = strings.Fields(`html head meta title link body header nav main footer section article aside div p span a ul ol li dl dt dd h1 h2 h3 h4 strong em i b small br hr del ins
	code pre time table caption colgroup col thead tbody tfoot tr th td form fieldset legend label input select optgroup option textarea button details summary progress datalist output dialog
	svg g path rect line circle text tspan desc script img figure figcaption kbd mark template`)

// executable says what of a page could do more than be read.
func executable(page []byte, isMail bool) (bad []string) {
	doc, err := html.Parse(bytes.NewReader(page))
	if err != nil {
		return []string{err.Error()}
	}
	note := func(format string, args ...any) { bad = append(bad, fmt.Sprintf(format, args...)) }
	for n := range doc.Descendants() {
		if n.Type == html.CommentNode && !isMail {
			note("comment %q", n.Data)
		}
		if n.Type != html.ElementNode {
			continue
		}
		if !slices.Contains(pageElements, n.Data) && !(isMail && n.Data == "style") {
			note("element <%s>", n.Data)
		}
		if n.Data == "script" && (isMail || n.FirstChild != nil || !slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == "src" && strings.HasPrefix(a.Val, "/static/") })) {
			note("script of somebody else: %v", n.Attr)
		}
		for _, a := range n.Attr {
			value := strings.ToLower(strings.TrimSpace(a.Val))
			switch key := strings.ToLower(a.Key); {
			case strings.HasPrefix(key, "on"), key == "srcdoc", key == "http-equiv" && !isMail, key == "style" && !isMail, key == "background", key == "ping":
				note("attribute %s=%q of <%s>", a.Key, a.Val, n.Data)
			case key == "style" && strings.Contains(value, "url("):
				note("style %q", a.Val)
			case key == "src" && isMail:
				if !strings.HasPrefix(value, "cid:") {
					note("picture from elsewhere: %q", a.Val)
				}
			case key == "href" || key == "src" || key == "action" || key == "formaction" || key == "xlink:href" || key == "data" || key == "poster":
				u, err := url.Parse(a.Val)
				ok := err == nil && slices.Contains([]string{"", "http", "https", "mailto", "tel"}, u.Scheme)
				if key != "href" || n.Data != "a" { // what is fetched, or sent a form
					ok = ok && u.Scheme == "" && u.Host == "" && (strings.HasPrefix(a.Val, "/") || strings.HasPrefix(a.Val, "?") || strings.HasPrefix(a.Val, "#"))
				}
				if ok && u.Host != "" && !isMail {
					rel := ""
					for _, b := range n.Attr {
						if b.Key == "rel" {
							rel = b.Val
						}
					}
					ok = strings.Contains(rel, "noopener") && strings.Contains(rel, "noreferrer") && u.User == nil
				}
				if !ok {
					note("%s=%q of <%s>", a.Key, a.Val, n.Data)
				}
			}
		}
	}
	return bad
}

// mailPages are the HTML parts of a mail.
func mailPages(t *testing.T, raw []byte) (pages [][]byte) {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	var walk func(kind, encoding string, r io.Reader)
	walk = func(kind, encoding string, r io.Reader) {
		media, params, err := mime.ParseMediaType(kind)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(media, "multipart/") {
			parts := multipart.NewReader(r, params["boundary"])
			for {
				p, err := parts.NextRawPart()
				if err == io.EOF {
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				walk(p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"), p)
			}
		}
		if media != "text/html" {
			return
		}
		switch strings.ToLower(encoding) {
		case "base64":
			r = base64.NewDecoder(base64.StdEncoding, r)
		case "quoted-printable":
			r = quotedprintable.NewReader(r)
		}
		page, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, page)
	}
	walk(m.Header.Get("Content-Type"), m.Header.Get("Content-Transfer-Encoding"), m.Body)
	return pages
}
