package caldav

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"intouch/store"

	"github.com/emersion/go-webdav"
	client "github.com/emersion/go-webdav/carddav"
)

const annaBook = "/dav/addressbooks/anna/persons/"

// directory gives Anna a client with two persons, and Boris one.
func directory(o *office) {
	o.Helper()
	err := o.st.Import(context.Background(), store.Actor{}, false, func(im *store.Import) error {
		for _, c := range []store.ClientRow{{ID: "c1", Name: "ООО «Ромашка», Тверь", Manager: "m1"}, {ID: "c2", Name: "Other", Manager: "m2"}} {
			if _, err := im.Client(c); err != nil {
				return err
			}
		}
		for _, p := range []store.PersonRow{
			{ID: "p1", Client: "c1", Name: "Иван Петров", Position: "Директор; владелец", Emails: []string{"ivan@romashka.test", "i@romashka.test"}, Phones: []string{"+7 495 123-45-67"}, Birthday: "1980-05-01"},
			{ID: "p2", Client: "c1", Name: "Maria", Emails: []string{"maria@romashka.test"}},
			{ID: "p3", Client: "c2", Name: "Stranger"},
		} {
			if _, err := im.Person(p); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		o.Fatal(err)
	}
}

func TestCardDAV(t *testing.T) {
	o := newOffice(t)
	directory(o)
	// As Thunderbird goes (clients.md section 9).
	o.must(207, "PROPFIND", "/dav/", `<propfind xmlns="DAV:"><prop><current-user-principal/></prop></propfind>`, "Depth: 0")
	if r := o.must(207, "PROPFIND", "/dav/principals/anna/", propfindOf("<CR:addressbook-home-set/>"), "Depth: 0"); !strings.Contains(r.body, "/dav/addressbooks/anna/<") {
		t.Fatal(r.body)
	}
	home := o.parse(o.do("PROPFIND", "/dav/addressbooks/anna/", propfindOf("<D:resourcetype/><D:displayname/><D:current-user-privilege-set/>"), "Depth: 1"))
	for _, r := range home.Responses {
		if r.Propstats[0].Status != "HTTP/1.1 200 OK" {
			t.Errorf("%s: first status %q hides the address book", r.Href, r.Propstats[0].Status)
		}
		if strings.Contains(r.Propstats[0].Prop.Inner, "write") != (r.Href == annaBook) {
			t.Errorf("%s: privileges %s", r.Href, r.Propstats[0].Prop.Inner)
		}
	}
	list := o.parse(o.do("PROPFIND", annaBook, propfindOf("<D:resourcetype/><D:getetag/><CS:getctag/>"), "Depth: 1"))
	cards := list.hrefs()
	delete(cards, annaBook)
	if len(cards) != 2 {
		t.Fatalf("Anna sees %v", cards)
	}
	hrefs := ""
	for href := range cards {
		hrefs += "<D:href>" + href + "</D:href>"
	}
	body := `<CR:addressbook-multiget ` + namespaces + `><D:prop><D:getetag/><CR:address-data/></D:prop>` + hrefs + `<D:href>` + annaBook + `none.vcf</D:href></CR:addressbook-multiget>`
	r := o.must(207, "REPORT", annaBook, body, "Depth: 1")
	for _, want := range []string{"FN:Иван Петров", "ORG:ООО «Ромашка»\\, Тверь", "TITLE:Директор\\; владелец", "EMAIL;TYPE=INTERNET,PREF:ivan@romashka.test", "TEL;TYPE=WORK,PREF:+7 495 123-45-67", "BDAY:1980-05-01", "404 Not Found"} {
		if !strings.Contains(strings.ReplaceAll(r.body, "&#13;\n ", ""), want) {
			t.Errorf("%s is missing in\n%s", want, r.body)
		}
	}
	for href, etag := range cards {
		got := o.must(200, "GET", href, "")
		if got.header.Get("ETag") != etag || got.header.Get("Content-Type") != "text/vcard;charset=utf-8" {
			t.Errorf("%s: %v, listed with %s", href, got.header, etag)
		}
		if r := o.must(204, "PUT", href, got.body, "Content-Type: text/vcard"); r.header.Get("ETag") == "" || r.header.Get("ETag") != o.etag(href) {
			t.Errorf("%s: unchanged, ETag %q, now %s", href, r.header.Get("ETag"), o.etag(href))
		}
		o.must(403, "DELETE", href, "")
		o.must(207, "PROPFIND", href, propfindOf("<D:getetag/>"), "Depth: 0")
	}
	o.must(404, "GET", annaBook+"none.vcf", "")
	o.must(404, "PROPFIND", "/dav/addressbooks/anna/other/", "", "Depth: 0")
	o.must(404, "PROPFIND", "/dav/addressbooks/boris/persons/", "", "Depth: 0")
	ctag := func() string {
		return o.must(207, "PROPFIND", annaBook, propfindOf("<CS:getctag/>"), "Depth: 0").body
	}
	before := ctag()
	if err := o.st.Import(context.Background(), store.Actor{}, false, func(im *store.Import) error {
		_, err := im.Person(store.PersonRow{ID: "p2", Client: "c1", Name: "Maria", Phones: []string{"+7 495 765-43-21"}})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if ctag() == before {
		t.Error("a new phone did not move the ctag")
	}
}

func TestAddressbookQuery(t *testing.T) {
	o := newOffice(t)
	directory(o)
	for _, tt := range []struct{ name, filter, want string }{
		{"all", ``, "Maria, Иван Петров"},
		{"name, case folded", `<CR:prop-filter name="FN"><CR:text-match>иван</CR:text-match></CR:prop-filter>`, "Иван Петров"},
		{"starts with", `<CR:prop-filter name="EMAIL"><CR:text-match match-type="starts-with">i@</CR:text-match></CR:prop-filter>`, "Иван Петров"},
		{"equals", `<CR:prop-filter name="FN"><CR:text-match match-type="equals">mar</CR:text-match></CR:prop-filter>`, ""},
		{"no phone", `<CR:prop-filter name="TEL"><CR:is-not-defined/></CR:prop-filter>`, "Maria"},
		{"any of two", `<CR:prop-filter name="FN"><CR:text-match>maria</CR:text-match></CR:prop-filter><CR:prop-filter name="TEL"/>`, "Maria, Иван Петров"},
		{"parameter", `<CR:prop-filter name="TEL"><CR:param-filter name="TYPE"><CR:text-match>work</CR:text-match></CR:param-filter></CR:prop-filter>`, "Иван Петров"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := o.must(207, "REPORT", annaBook, `<CR:addressbook-query `+namespaces+`><D:prop><CR:address-data/></D:prop><CR:filter>`+tt.filter+`</CR:filter></CR:addressbook-query>`)
			got := []string{}
			for _, name := range []string{"Maria", "Иван Петров"} {
				if strings.Contains(r.body, "FN:"+name) {
					got = append(got, name)
				}
			}
			if strings.Join(got, ", ") != tt.want {
				t.Errorf("got %v, want %s", got, tt.want)
			}
		})
	}
	all := `<CR:addressbook-query ` + namespaces + `><D:prop><D:getetag/></D:prop><CR:filter test="allof"><CR:prop-filter name="FN"><CR:text-match>maria</CR:text-match></CR:prop-filter><CR:prop-filter name="TEL"/></CR:filter></CR:addressbook-query>`
	if m := o.parse(o.do("REPORT", annaBook, all)); len(m.Responses) != 0 {
		t.Errorf("all of two: %v", m.hrefs())
	}
	limited := `<CR:addressbook-query ` + namespaces + `><D:prop><D:getetag/></D:prop><CR:filter/><CR:limit><CR:nresults>1</CR:nresults></CR:limit></CR:addressbook-query>`
	if m := o.parse(o.do("REPORT", annaBook, limited)); len(m.Responses) != 2 || m.hrefs()[annaBook] != "HTTP/1.1 507 Insufficient Storage" {
		t.Errorf("limit: %v", m.hrefs())
	}
}

func TestConformance_GoWebdavCardClient(t *testing.T) {
	o := newOffice(t)
	directory(o)
	ctx := context.Background()
	c, err := client.NewClient(webdav.HTTPClientWithBasicAuth(http.DefaultClient, "anna", password), o.srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	principal, err := c.FindCurrentUserPrincipal(ctx)
	if err != nil {
		t.Fatal(err)
	}
	home, err := c.FindAddressBookHomeSet(ctx, principal)
	if err != nil {
		t.Fatal(err)
	}
	books, err := c.FindAddressBooks(ctx, home)
	if err != nil || len(books) != 1 || books[0].Path != annaBook || books[0].Name != "Контактные лица моих клиентов" {
		t.Fatalf("books %+v: %v", books, err)
	}
	found, err := c.QueryAddressBook(ctx, annaBook, &client.AddressBookQuery{DataRequest: client.AddressDataRequest{AllProp: true}})
	if err != nil || len(found) != 2 {
		t.Fatalf("query: %+v %v", found, err)
	}
	one, err := c.GetAddressObject(ctx, found[0].Path)
	if err != nil || one.ETag != found[0].ETag || one.Card.Value("FN") == "" {
		t.Errorf("get: %+v %v", one, err)
	}
}

// TestBooks_OfHead: a head has a book of the own clients' persons and one of
// everybody's, each with its log.
func TestBooks_OfHead(t *testing.T) {
	o := newOffice(t)
	directory(o)
	const home, own, all = "/dav/addressbooks/boris/", "/dav/addressbooks/boris/persons/", "/dav/addressbooks/boris/all/"
	const asBoris = "as: boris"
	r := o.must(207, "PROPFIND", home, propfindOf("<D:displayname/>"), "Depth: 1", asBoris)
	for _, want := range []string{own, all, "<D:displayname>My clients: persons</D:displayname>", "<D:displayname>All clients: persons</D:displayname>"} {
		if !strings.Contains(r.body, want) {
			t.Errorf("no %s in %s", want, r.body)
		}
	}
	o.must(404, "PROPFIND", "/dav/addressbooks/anna/all/", propfindOf("<D:displayname/>"), "Depth: 0")
	tokens := map[string]string{}
	sync := func(book string) map[string]string {
		t.Helper()
		r := o.must(207, "REPORT", book, `<D:sync-collection `+namespaces+`><D:sync-token>`+tokens[book]+`</D:sync-token><D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>`, asBoris)
		tokens[book] = regexp.MustCompile(`<D:sync-token>(.*)</D:sync-token>`).FindStringSubmatch(r.body)[1]
		return o.parse(r).hrefs()
	}
	if a, mine := sync(all), sync(own); len(a) != 3 || len(mine) != 1 {
		t.Errorf("all has %v, own %v", a, mine)
	}
	if tokens[all] == tokens[own] {
		t.Error("two books have one token", tokens)
	}
	o.must(403, "REPORT", own, `<D:sync-collection `+namespaces+`><D:sync-token>`+tokens[all]+`</D:sync-token><D:sync-level>1</D:sync-level><D:prop/></D:sync-collection>`, asBoris)
	path, card := o.petrov()
	file := strings.TrimPrefix(path, annaBook)
	o.must(404, "GET", own+file, "", asBoris)
	o.must(204, "PUT", all+file, strings.Replace(card, "END:", "TEL:+7 999\r\nEND:", 1), "Content-Type: text/vcard", asBoris)
	if got := sync(all); len(got) != 1 || got[all+file] == "" || len(sync(own)) != 0 {
		t.Errorf("after a write: %v", got)
	}
	if !strings.Contains(o.must(200, "GET", path, "").body, "+7 999") {
		t.Error("the person has not the phone")
	}
	r = o.must(403, "PUT", all+"nobody.vcf", phone("nobody", "FN:Plumber"), "Content-Type: text/vcard", asBoris)
	if !strings.Contains(r.body, "<D:need-privileges><D:resource><D:href>"+all+"</D:href><D:privilege><D:bind/>") {
		t.Errorf("a card of nobody among everybody's: %s", r.body)
	}
	o.must(201, "PUT", own+"nobody.vcf", phone("nobody", "FN:Plumber"), "Content-Type: text/vcard", asBoris)
	o.must(404, "GET", all+"nobody.vcf", "", asBoris)
	if r := o.must(403, "PUT", all+"x.vcf", phone("nobody", "FN:Plumber", "ORG:Other"), "Content-Type: text/vcard", asBoris); !strings.Contains(r.body, "<CR:no-uid-conflict><D:href>"+own+"nobody.vcf</D:href>") {
		t.Errorf("the UID of a card in the other book: %s", r.body)
	}
	if got := sync(own); len(got) != 1 || got[own+"nobody.vcf"] == "" || len(sync(all)) != 0 {
		t.Errorf("after an own card: %v", got)
	}
	give := func(manager string) {
		t.Helper()
		if err := o.st.Import(context.Background(), store.Actor{}, false, func(im *store.Import) error {
			_, err := im.Client(store.ClientRow{ID: "c1", Name: "ООО «Ромашка», Тверь", Manager: manager})
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	give("m2")
	if got := sync(own); len(got) != 2 || got[own+file] == "" || len(sync(all)) != 0 {
		t.Errorf("a client has come: %v", got)
	}
	give("m1")
	if got := sync(own); len(got) != 2 || got[own+file] != "HTTP/1.1 404 Not Found" || len(sync(all)) != 0 {
		t.Errorf("a client has gone: %v", got)
	}
}
