package exchange

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"intouch/store"
	"intouch/store/storetest"
)

// cardHouse is a CardDAV server that can be made to misbehave.
type cardHouse struct {
	cards  map[string]string // path → vCard
	ctag   string            // it knows no sync-token
	answer func(w http.ResponseWriter, r *http.Request, body string) bool
	asked  []string
}

func (h *cardHouse) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h.asked = append(h.asked, r.Method+" "+r.URL.Path)
	if user, password, _ := r.BasicAuth(); user != "anna" || password != "correct horse" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if h.answer != nil && h.answer(w, r, string(body)) {
		return
	}
	switch depth := r.Header.Get("Depth"); {
	case r.URL.Path == "/.well-known/carddav":
		http.Redirect(w, r, "/dav/", http.StatusMovedPermanently)
	case r.URL.Path == "/dav/":
		multi(w, `<response><href>/dav/</href><propstat><prop><current-user-principal><href>/dav/anna/</href></current-user-principal></prop><status>HTTP/1.1 200 OK</status></propstat></response>`)
	case r.URL.Path == "/dav/anna/":
		multi(w, `<response><href>/dav/anna/</href><propstat><prop><displayname/></prop><status>HTTP/1.1 404 Not Found</status></propstat><propstat><prop><C:addressbook-home-set><href>/dav/home/</href></C:addressbook-home-set></prop><status>HTTP/1.1 200 OK</status></propstat></response>`)
	case r.URL.Path == "/dav/home/":
		multi(w, `<response><href>/dav/home/</href><propstat><prop><resourcetype><collection/></resourcetype></prop><status>HTTP/1.1 200 OK</status></propstat></response>
			<response><href>/dav/home/b%C3%B6ok/</href><propstat><prop><resourcetype><collection/><C:addressbook/></resourcetype><displayname>Book</displayname></prop><status>HTTP/1.1 200 OK</status></propstat></response>`)
	case r.URL.Path == "/dav/home/böok/" && r.Method == "PROPFIND" && depth == "0":
		multi(w, `<response><href>/dav/home/b%C3%B6ok/</href><propstat><prop><resourcetype><collection/><C:addressbook/></resourcetype><displayname>Book</displayname><S:getctag xmlns:S="http://calendarserver.org/ns/">`+h.ctag+`</S:getctag></prop><status>HTTP/1.1 200 OK</status></propstat></response>`)
	case r.URL.Path == "/dav/home/böok/" && r.Method == "PROPFIND":
		var b strings.Builder
		b.WriteString(`<response><href>/dav/home/b%C3%B6ok/</href><propstat><prop><resourcetype><collection/></resourcetype></prop><status>HTTP/1.1 200 OK</status></propstat></response>`)
		for path, card := range h.cards {
			fmt.Fprintf(&b, `<response><href>%s</href><propstat><prop><resourcetype/><getetag>"%d"</getetag></prop><status>HTTP/1.1 200 OK</status></propstat></response>`, path, len(card))
		}
		multi(w, b.String())
	case r.URL.Path == "/dav/home/böok/" && strings.Contains(string(body), "addressbook-multiget"):
		var b strings.Builder
		for path, card := range h.cards {
			if strings.Contains(string(body), "<D:href>"+path+"</D:href>") {
				fmt.Fprintf(&b, `<response><href>%s</href><propstat><prop><C:address-data>%s</C:address-data></prop><status>HTTP/1.1 200 OK</status></propstat></response>`, path, xmlText(card))
			}
		}
		multi(w, b.String())
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func multi(w http.ResponseWriter, responses string) {
	w.Header().Set("Content-Type", "application/xml; charset=utf-8")
	w.WriteHeader(http.StatusMultiStatus)
	fmt.Fprintf(w, `<?xml version="1.0"?><multistatus xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav">%s</multistatus>`, responses)
}

func importCards(t *testing.T, st *store.Store, server *CardServer) (BookSummary, error) {
	t.Helper()
	books, err := server.Books(t.Context())
	if err != nil {
		return BookSummary{}, err
	}
	return ImportCardBook(t.Context(), st, BookOptions{Actor: store.Actor{Origin: store.FromImport}}, books[0], false)
}

func TestCardDAVByCTag(t *testing.T) {
	st := storetest.SQLite(t, testStore)
	importText(t, st, Clients, "id,name,domains\nr,Romashka,romashka.test\n")
	house := &cardHouse{ctag: "1", cards: map[string]string{
		"/dav/home/b%C3%B6ok/a.vcf":      vcardOf("a", "Ann", "ann@romashka.test"),
		"/dav/home/b%C3%B6ok/b.vcf":      "no card at all",
		"/dav/home/b%C3%B6ok/c%26d.vcf":  vcardOf("c", "Carl", "carl@romashka.test"),
		"/dav/home/b%C3%B6ok/photos.vcf": vcardOf("p", "Pavel", "pavel@romashka.test", "NOTE:"+strings.Repeat("long ", maxCardBatch/5)),
	}}
	server := httptest.NewServer(house)
	defer server.Close()
	sum, err := importCards(t, st, annas(server.URL))
	if err != nil || sum.New != 2 || sum.Refused != 2 {
		t.Fatalf("at first: %+v, %v", sum, err)
	}
	reasons := fmt.Sprint(sum.Faults)
	if !strings.Contains(reasons, "b.vcf): this is no vCard file") || !strings.Contains(reasons, "photos.vcf): the card is larger than 16 MB") {
		t.Errorf("faults: %s", reasons)
	}
	house.asked = nil
	if sum, err := importCards(t, st, annas(server.URL)); err != nil || sum.Entries() != 0 {
		t.Errorf("the same ctag: %+v, %v", sum, err)
	}
	if slices.Contains(house.asked, "REPORT /dav/home/böok/") {
		t.Errorf("the same ctag: asked %q", house.asked)
	}
	house.ctag, house.cards["/dav/home/b%C3%B6ok/a.vcf"] = "2", vcardOf("a", "Ann Black", "ann@romashka.test")
	if sum, err := importCards(t, st, annas(server.URL)); err != nil || sum.Changed != 1 || sum.Entries() != 1 {
		t.Errorf("another ctag: %+v, %v", sum, err)
	}
}

// TestCardDAVTurnsAway: what a server may not make us do, or say.
func TestCardDAVTurnsAway(t *testing.T) {
	stranger := ""
	for name, test := range map[string]struct {
		answer func(w http.ResponseWriter, r *http.Request, body string) bool
		want   string
	}{
		"a redirect to a stranger": {func(w http.ResponseWriter, r *http.Request, _ string) bool {
			http.Redirect(w, r, stranger, http.StatusTemporaryRedirect)
			return true
		}, "which is not to be told the password"},
		"a home at a stranger's": {func(w http.ResponseWriter, r *http.Request, _ string) bool {
			multi(w, `<response><href>/</href><propstat><prop><C:addressbook-home-set><href>`+stranger+`</href></C:addressbook-home-set></prop><status>HTTP/1.1 200 OK</status></propstat></response>`)
			return true
		}, "which is not to be told the password"},
		"round and round": {func(w http.ResponseWriter, r *http.Request, _ string) bool {
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
			return true
		}, "more than 5 times"},
		"a page": {func(w http.ResponseWriter, r *http.Request, _ string) bool {
			fmt.Fprint(w, "<html>Welcome</html>")
			return true
		}, "answered PROPFIND / with 200 OK"},
		"no multistatus": {func(w http.ResponseWriter, r *http.Request, _ string) bool {
			w.WriteHeader(http.StatusMultiStatus)
			fmt.Fprint(w, "<html>Welcome</html>")
			return true
		}, "it is <html>, not a multistatus"},
		"half an answer": {func(w http.ResponseWriter, r *http.Request, _ string) bool {
			w.WriteHeader(http.StatusMultiStatus)
			fmt.Fprint(w, `<multistatus xmlns="DAV:"><response><href>/`)
			return true
		}, "cannot be read"},
		"an entity": {func(w http.ResponseWriter, r *http.Request, _ string) bool {
			w.WriteHeader(http.StatusMultiStatus)
			fmt.Fprint(w, `<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><multistatus xmlns="DAV:"><response><href>&a;</href></response></multistatus>`)
			return true
		}, "cannot be read"},
		"an answer without an end": {func(w http.ResponseWriter, r *http.Request, _ string) bool {
			w.WriteHeader(http.StatusMultiStatus)
			fmt.Fprint(w, `<multistatus xmlns="DAV:">`)
			for range (maxListing >> 20) + 1 {
				fmt.Fprint(w, strings.Repeat("<response><href>/</href></response>", 1<<20/35))
			}
			return true
		}, "too large"},
		"an endless name": {func(w http.ResponseWriter, r *http.Request, _ string) bool {
			w.WriteHeader(http.StatusMultiStatus)
			fmt.Fprint(w, `<multistatus xmlns="DAV:"><response><href>/</href><propstat><prop><displayname>`)
			for range (maxListing >> 20) + 1 {
				fmt.Fprint(w, strings.Repeat("x", 1<<20))
			}
			return true
		}, "too large"},
		"no books": {func(w http.ResponseWriter, r *http.Request, _ string) bool {
			multi(w, `<response><href>/</href><propstat><prop><displayname>x</displayname></prop><status>HTTP/1.1 200 OK</status></propstat></response>`)
			return true
		}, "the server shows no address book"},
	} {
		told := false
		other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { told = true }))
		u, _ := url.Parse(other.URL)
		stranger = "http://localhost:" + u.Port() + "/" // another name for the same machine
		server := httptest.NewServer(&cardHouse{answer: test.answer})
		if _, err := annas(server.URL + "/").Books(t.Context()); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
		if told {
			t.Errorf("%s: the stranger was asked", name)
		}
		server.Close()
		other.Close()
	}
}

func TestCheckCardServer(t *testing.T) {
	for address, want := range map[string]string{
		"https://cards.vector.test/":       "",
		"http://127.0.0.1:5232/anna/":      "",
		"http://localhost:5232":            "",
		"http://[::1]:5232/":               "",
		"http://cards.vector.test/":        "https://",
		"https://anna:x@cards.vector.test": "must not hold a login",
		"cards.vector.test":                "not an address like",
		"https://cards.vector.test/?x=1":   "not an address like",
		"ftp://cards.vector.test/":         "https://",
		"":                                 "not an address like",
	} {
		if err := CheckCardServer(address); (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "anna")) {
			t.Errorf("%q: %v, want %q", address, err, want)
		}
	}
}

func TestSameSite(t *testing.T) {
	for pair, want := range map[[2]string]bool{
		{"https://contacts.icloud.com/", "https://p42-contacts.icloud.com:443/x"}: true,
		{"https://a.vector.test/", "https://a.vector.test:8443/"}:                 true,
		{"https://vector.co.uk/", "https://evil.co.uk/"}:                          false,
		{"https://anna.github.io/", "https://evil.github.io/"}:                    false,
		{"https://192.0.2.1/", "https://192.0.3.1/"}:                              false,
		{"https://192.0.2.1/", "https://192.0.2.1/x"}:                             true,
	} {
		a, _ := url.Parse(pair[0])
		b, _ := url.Parse(pair[1])
		if got := sameSite(a, b); got != want {
			t.Errorf("%v: %v", pair, got)
		}
	}
}

// TestCardDAVSyncCut: a server that cuts its answer (RFC 6578 section 3.6) is
// asked on; one that tells of changes without end, or without a token, is not
// believed.
func TestCardDAVSyncCut(t *testing.T) {
	const book = "/dav/home/b%C3%B6ok/"
	response := func(name, status string) string {
		if status != "" {
			return `<response><href>` + book + name + `</href><status>HTTP/1.1 ` + status + `</status></response>`
		}
		return `<response><href>` + book + name + `</href><propstat><prop><getetag>"` + name + `"</getetag></prop><status>HTTP/1.1 200 OK</status></propstat></response>`
	}
	answers := map[string]string{
		"t0":      response("a.vcf", "") + response("gone.vcf", "404 Not Found") + response("", "507 Insufficient Storage") + `<sync-token>t1</sync-token>`,
		"t1":      response("b.vcf", "") + response("a.vcf", "404 Not Found") + response("sub/", "404 Not Found") + `<sync-token>t2</sync-token>`,
		"same":    response("", "507 Insufficient Storage") + `<sync-token>same</sync-token>`,
		"no":      response("a.vcf", ""),
		"outside": `<response><href>https://elsewhere.test/x.vcf</href><status>HTTP/1.1 404 Not Found</status></response><sync-token>x</sync-token>`,
	}
	server := httptest.NewServer(&cardHouse{answer: func(w http.ResponseWriter, r *http.Request, body string) bool {
		_, rest, found := strings.Cut(body, "<D:sync-token>")
		if token, _, _ := strings.Cut(rest, "<"); found && r.Method == "REPORT" {
			multi(w, answers[token])
		}
		return r.Method == "REPORT"
	}})
	defer server.Close()
	d, err := annas(server.URL).open()
	if err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(server.URL + book)
	if err != nil {
		t.Fatal(err)
	}
	news, err := d.changes(t.Context(), at, syncPrefix+"t0")
	if err != nil || fmt.Sprint(news.Changed) != `map[/dav/home/b%C3%B6ok/b.vcf:"b.vcf"]` || len(news.Gone) != 3 || news.Token != syncPrefix+"t2" || news.All {
		t.Errorf("%+v, %v", news, err)
	}
	for token, want := range map[string]string{"same": "without a sync-token", "no": "without a sync-token", "outside": "not to be told the password"} {
		if news, err := d.changes(t.Context(), at, syncPrefix+token); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v", token, news, err)
		}
	}
}

// FuzzMultistatus: whatever a server answers, reading it ends, and names no
// card outside of the server.
func FuzzMultistatus(f *testing.F) {
	f.Add(`<multistatus xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"><response><href>/b/a.vcf</href><propstat><prop><getetag>"1"</getetag><C:address-data>BEGIN:VCARD</C:address-data></prop><status>HTTP/1.1 200 OK</status></propstat></response><sync-token>t</sync-token></multistatus>`)
	f.Add(`<D:multistatus xmlns:D="DAV:"><D:response><D:href>https://x.test/</D:href><D:status>HTTP/1.1 404 Not Found</D:status></D:response></D:multistatus>`)
	f.Fuzz(func(t *testing.T, answer string) {
		d := dav{http: &http.Client{Transport: parrot(answer)}}
		book, err := url.Parse("https://cards.vector.test/b/")
		if err != nil {
			t.Fatal(err)
		}
		news, err := d.syncCollection(t.Context(), book, "t0")
		if err != nil {
			return
		}
		for path := range news.Changed {
			if !strings.HasPrefix(path, "/") {
				t.Errorf("path %q", path)
			}
		}
	})
}

// parrot answers every request alike.
type parrot string

func (s parrot) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusMultiStatus, Body: io.NopCloser(strings.NewReader(string(s))), Request: req}, nil
}
