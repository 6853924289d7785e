package caldav

import (
	"context"
	"database/sql"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"intouch/store"
)

// petrov is the address of Иван Петров's card, and the card.
func (o *office) petrov() (path string, card string) {
	o.Helper()
	for href := range o.parse(o.do("PROPFIND", annaBook, propfindOf("<D:getetag/>"), "Depth: 1")).hrefs() {
		if r := o.do("GET", href, ""); strings.Contains(r.body, "FN:Иван Петров") {
			return href, r.body
		}
	}
	o.Fatal("Петров has no card")
	return "", ""
}

// phone is a card as a phone writes it.
func phone(uid string, lines ...string) string {
	return "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:" + uid + "\r\n" + strings.Join(lines, "\r\n") + "\r\nEND:VCARD\r\n"
}

// person is what the store has under the name.
func (o *office) person(name string) (found store.Card) {
	o.Helper()
	if err := o.st.Cards(context.Background(), store.Manager{Role: store.RoleHead}, store.AllBook, func(c *store.Card) error {
		if c.Name == name {
			found = *c
		}
		return nil
	}); err != nil {
		o.Fatal(err)
	}
	return found
}

func TestPutCard_ChangesPerson(t *testing.T) {
	o := newOffice(t)
	directory(o)
	path, card := o.petrov()
	etag := o.etag(path)
	changed := strings.Replace(card, "END:VCARD", "item1.TEL;TYPE=CELL:+7 916 000-00-01\r\nitem1.X-ABLabel:Дача\r\nX-SKYPE:ivan\r\nPHOTO;ENCODING=b;TYPE=JPEG:/9j/4AAQ\r\nADR;TYPE=HOME:;;Лесная\\, 1;Тверь;;170000;Россия\r\nEND:VCARD", 1)
	changed = strings.Replace(changed, "BDAY:1980-05-01", "BDAY:19810602", 1)
	o.must(412, "PUT", path, changed, "Content-Type: text/vcard", `If-Match: "other"`)
	o.must(412, "PUT", path, changed, "Content-Type: text/vcard", `If-None-Match: *`)
	r := o.must(204, "PUT", path, changed, "Content-Type: text/vcard; charset=utf-8", "If-Match: "+etag)
	got := o.must(200, "GET", path, "")
	if got.body != changed || r.header.Get("ETag") != got.header.Get("ETag") || r.header.Get("ETag") == etag {
		t.Errorf("bytes not kept: ETag %q, then %q\n%s", r.header.Get("ETag"), got.header.Get("ETag"), got.body)
	}
	p := o.person("Иван Петров")
	if strings.Join(p.Phones, "|") != "+7 495 123-45-67|+7 916 000-00-01" || p.Birthday != "1981-06-02" || len(p.Emails) != 2 {
		t.Errorf("person is %+v", p)
	}

	// The record changes: what the phone alone knows stays.
	if err := o.st.Import(context.Background(), store.Actor{}, false, func(im *store.Import) error {
		_, err := im.Person(store.PersonRow{ID: "p1", Client: "c1", Name: "Иван Сидоров", Position: "Директор", Emails: []string{"ivan@romashka.test"}, Phones: []string{"+7 495 123-45-67"}})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	got = o.must(200, "GET", path, "")
	for _, want := range []string{"FN:Иван Сидоров\r\n", "N:Иван Сидоров;;;;\r\n", "TITLE:Директор\r\n", "X-SKYPE:ivan", "PHOTO;", "ADR;", "ORG:ООО «Ромашка»\\, Тверь\r\n"} {
		if strings.Count(got.body, want) != 1 {
			t.Errorf("%q is missing in\n%s", want, got.body)
		}
	}
	for _, no := range []string{"Петров", "916", "X-ABLabel", "i@romashka.test"} {
		if strings.Contains(got.body, no) {
			t.Errorf("%q is still in\n%s", no, got.body)
		}
	}

	// The client is the company's matter: an ORG of the phone's does not stay.
	r = o.must(204, "PUT", path, regexp.MustCompile(`ORG:.*\r\n`).ReplaceAllString(got.body, "ORG:Elsewhere\r\n"), "Content-Type: text/vcard")
	if body := o.must(200, "GET", path, "").body; r.header.Get("ETag") != "" || strings.Contains(body, "Elsewhere") || !strings.Contains(body, "ORG:ООО") {
		t.Errorf("ETag %q for\n%s", r.header.Get("ETag"), body)
	}
	o.must(403, "DELETE", path, "")
	o.must(200, "GET", path, "")
}

func TestPutCard_Own(t *testing.T) {
	o := newOffice(t)
	directory(o)
	card := phone("own-1", "FN:Сантехник", "N:Сантехник;;;;", "TEL:+7 916 1", "X-ODD;X=y:1")
	path := annaBook + "own-1.vcf"
	r := o.must(201, "PUT", path, card, "Content-Type: text/vcard", "If-None-Match: *")
	if got := o.must(200, "GET", path, ""); got.body != card || got.header.Get("ETag") != r.header.Get("ETag") {
		t.Errorf("ETag %q, then %q, of\n%s", r.header.Get("ETag"), got.header.Get("ETag"), got.body)
	}
	o.must(412, "PUT", path, card, "Content-Type: text/vcard", "If-None-Match: *")
	group := phone("own-2", "FN:Друзья", "N:Друзья;;;;", "X-ADDRESSBOOKSERVER-KIND:group", "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:own-1")
	o.must(201, "PUT", annaBook+"own-2.vcf", group, "Content-Type: text/vcard")
	if p := o.person("Сантехник"); p.ID != 0 {
		t.Errorf("became a person: %+v", p)
	}
	o.must(412, "DELETE", path, "", `If-Match: "x"`)
	o.must(204, "DELETE", path, "")
	o.must(404, "GET", path, "")
	o.must(404, "DELETE", path, "")
	o.must(201, "PUT", path, card, "Content-Type: text/vcard") // the UID is free again
}

func TestPutCard_Refused(t *testing.T) {
	o := newOffice(t)
	directory(o)
	person, card := o.petrov()
	own := annaBook + "own.vcf"
	o.must(201, "PUT", own, phone("own-uid", "FN:A"), "Content-Type: text/vcard")
	uid := regexp.MustCompile(`UID:(.*)\r\n`).FindStringSubmatch(card)[1]
	for _, tt := range []struct{ name, path, body, kind, want string }{
		{"the UID of another own card", annaBook + "b.vcf", phone("own-uid", "FN:A"), "text/vcard", "<CR:no-uid-conflict><D:href>" + own + "</D:href>"},
		{"the UID of a person", annaBook + "b.vcf", phone(uid, "FN:A"), "text/vcard", "<CR:no-uid-conflict><D:href>" + person + "</D:href>"},
		{"another UID", own, phone("new-uid", "FN:A"), "text/vcard", "<CR:no-uid-conflict>"},
		{"another UID of a person", person, phone("new-uid", "FN:A"), "text/vcard", "<CR:no-uid-conflict>"},
		{"no UID", own, "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:A\r\nEND:VCARD\r\n", "text/vcard", "<CR:valid-address-data/>"},
		{"no name", own, phone("own-uid"), "text/vcard", "<CR:valid-address-data/>"},
		{"two cards", own, phone("own-uid", "FN:A") + phone("x", "FN:B"), "text/vcard", "<CR:valid-address-data/>"},
		{"cut off", own, "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:own-uid\r\nFN:A\r\n", "text/vcard", "<CR:valid-address-data/>"},
		{"no card", own, "hello", "text/vcard", "<CR:valid-address-data/>"},
		{"empty", own, "", "text/vcard", "<CR:valid-address-data/>"},
		{"version 2.1", own, strings.Replace(phone("own-uid", "FN:A"), "3.0", "2.1", 1), "text/vcard", "<CR:supported-address-data/>"},
		{"not vCard by its type", own, phone("own-uid", "FN:A"), "text/calendar", "<CR:supported-address-data/>"},
		{"too large", own, phone("own-uid", "FN:A", "NOTE:"+strings.Repeat("x", maxRequest)), "text/vcard", "<CR:max-resource-size/>"},
		{"the address of a person who is not there", annaBook + "person-999.vcf", phone("x", "FN:A"), "text/vcard", "<D:need-privileges>"},
		{"the address of a person of Boris", annaBook + "person-3.vcf", phone("x", "FN:A"), "text/vcard", "<D:need-privileges>"},
		{"a name without end", person, phone(uid, "FN:"+strings.Repeat("я", 600)), "text/vcard", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := o.must(200, "GET", own, "").body + o.must(200, "GET", person, "").body
			want := 403
			if tt.want == "" {
				want = 204
			}
			r := o.must(want, "PUT", tt.path, tt.body, "Content-Type: "+tt.kind)
			if !strings.Contains(r.body, tt.want) {
				t.Errorf("got %s, want %s", r.body, tt.want)
			}
			if now := o.must(200, "GET", own, "").body + o.must(200, "GET", person, "").body; want == 403 && now != before {
				t.Errorf("changed to %s", now)
			}
		})
	}
	o.must(409, "PUT", "/dav/addressbooks/anna/other/x.vcf", phone("x", "FN:A"), "Content-Type: text/vcard")
	o.must(404, "PUT", "/dav/addressbooks/boris/persons/x.vcf", phone("x", "FN:A"), "Content-Type: text/vcard")
}

func TestSyncBook(t *testing.T) {
	o := newOffice(t)
	directory(o)
	token := ""
	sync := func(more string) map[string]string {
		t.Helper()
		r := o.must(207, "REPORT", annaBook, `<D:sync-collection `+namespaces+`><D:sync-token>`+token+`</D:sync-token><D:sync-level>1</D:sync-level>`+more+`<D:prop><D:getetag/></D:prop></D:sync-collection>`)
		token = regexp.MustCompile(`<D:sync-token>(.*)</D:sync-token>`).FindStringSubmatch(r.body)[1]
		return o.parse(r).hrefs()
	}
	first := sync("")
	if len(first) != 2 || len(sync("")) != 0 {
		t.Fatalf("first %v", first)
	}
	if r := o.must(207, "PROPFIND", annaBook, propfindOf("<D:sync-token/>"), "Depth: 0"); !strings.Contains(r.body, token) {
		t.Errorf("the book has not %s: %s", token, r.body)
	}
	path, card := o.petrov()
	o.must(204, "PUT", path, strings.Replace(card, "END:", "NICKNAME:Ваня\r\nEND:", 1), "Content-Type: text/vcard")
	o.must(201, "PUT", annaBook+"own.vcf", phone("own", "FN:A"), "Content-Type: text/vcard")
	if got := sync(""); len(got) != 2 || got[path] != o.etag(path) || got[annaBook+"own.vcf"] != o.etag(annaBook+"own.vcf") {
		t.Errorf("after two writes: %v", got)
	}
	o.must(204, "DELETE", annaBook+"own.vcf", "")
	// The client goes to Boris, and its persons with it.
	if err := o.st.Import(context.Background(), store.Actor{}, false, func(im *store.Import) error {
		_, err := im.Client(store.ClientRow{ID: "c1", Name: "ООО «Ромашка», Тверь", Manager: "m2"})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	o.must(404, "GET", path, "")
	o.must(403, "PUT", path, card, "Content-Type: text/vcard")
	got := sync("")
	if len(got) != 3 {
		t.Errorf("after all have gone: %v", got)
	}
	for href, status := range got {
		if status != "HTTP/1.1 404 Not Found" {
			t.Errorf("%s: %s", href, status)
		}
	}
	for _, uid := range []string{"b", "c", "d"} {
		o.must(201, "PUT", annaBook+uid+".vcf", phone(uid, "FN:"+uid), "Content-Type: text/vcard")
	}
	seen := map[string]bool{}
	for range 3 {
		page := sync("<D:limit><D:nresults>1</D:nresults></D:limit>")
		for href := range page {
			seen[href] = true
		}
		if len(page) != 2 && len(seen) < 4 {
			t.Errorf("page %v", page)
		}
	}
	if len(seen) != 4 || len(sync("")) != 0 { // three and the book
		t.Errorf("in pages: %v", seen)
	}
	for _, bad := range []string{"x", token + "0", token + ":99999", strings.Replace(token, "book:", "book:7", 1), strings.Replace(token, "book:", "", 1), tokenPrefix + "book:1:1:-1"} {
		r := o.must(403, "REPORT", annaBook, `<D:sync-collection `+namespaces+`><D:sync-token>`+bad+`</D:sync-token><D:sync-level>1</D:sync-level><D:prop/></D:sync-collection>`)
		if !strings.Contains(r.body, "<D:valid-sync-token/>") {
			t.Errorf("%s: %s", bad, r.body)
		}
		o.must(400, "REPORT", annaBook, `<D:sync-collection `+namespaces+`><D:sync-token>`+bad+`</D:sync-token><D:sync-level>1</D:sync-level><D:prop/></D:sync-collection>`,
			"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Thunderbird/153.0")
	}
}

func TestCardNote(t *testing.T) {
	o := newOffice(t)
	directory(o)
	if err := o.st.Import(context.Background(), store.Actor{}, false, func(im *store.Import) error {
		_, err := im.Client(store.ClientRow{ID: "c1", Name: "ООО «Ромашка», Тверь", Manager: "m1", Stage: "regular"})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	note := func(card string) string {
		for rest := []byte(card); len(rest) > 0; {
			var raw []byte
			if raw, rest = cutLine(rest); strings.HasPrefix(string(raw), "NOTE:") {
				return unescape(strings.TrimPrefix(unfold(raw), "NOTE:"))
			}
		}
		return ""
	}
	path, card := o.petrov()
	block := note(card)
	for _, want := range []string{separator, "ООО «Ромашка», Тверь", "постоянный"} {
		if !strings.Contains(block, want) {
			t.Errorf("%q is missing in %q", want, block)
		}
	}
	at := time.Date(2099, 1, 1, 10, 0, 0, 0, time.UTC)
	// What a person writes above our part stays; our part is renewed.
	mine := strings.Replace(card, "NOTE:", "NOTE:Любит рыбалку\\n\\n", 1)
	if !strings.Contains(mine, "рыбалку") {
		t.Fatal(card)
	}
	o.must(204, "PUT", path, mine, "Content-Type: text/vcard")
	known := o.etag(path)
	if got := note(o.must(200, "GET", path, "").body); got != "Любит рыбалку\n\n"+block {
		t.Errorf("note is %q", got)
	}
	if _, err := o.st.PlanContact(context.Background(), store.Actor{ManagerID: o.anna.ID}, store.ContactDraft{
		ClientID: o.person("Иван Петров").ClientID, Subject: "Встреча", When: store.Span{Start: at, End: at.Add(time.Hour)},
	}); err != nil {
		t.Fatal(err)
	}
	if err := o.st.Import(context.Background(), store.Actor{}, false, func(im *store.Import) error {
		_, err := im.Client(store.ClientRow{ID: "c1", Name: "ООО «Ромашка», Тверь", Manager: "m1", Stage: "lost"})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	now := o.must(200, "GET", path, "")
	got := note(now.body)
	if !strings.HasPrefix(got, "Любит рыбалку\n\n"+separator) || !strings.Contains(got, "потерянный") || strings.Contains(got, "постоянный") || !strings.Contains(got, "01.01.2099") {
		t.Errorf("note is now %q", got)
	}
	// Facts of the client make no conflict; another edit does.
	if now.header.Get("ETag") == known {
		t.Error("other bytes, the same ETag")
	}
	mine = strings.Replace(mine, "END:VCARD", "NICKNAME:Ваня\r\nEND:VCARD", 1)
	o.must(204, "PUT", path, mine, "Content-Type: text/vcard", "If-Match: "+known)
	o.must(412, "PUT", path, mine, "Content-Type: text/vcard", "If-Match: "+known)
}

func TestPutCard_NewPerson(t *testing.T) {
	o := newOffice(t)
	directory(o)
	if err := o.st.Import(context.Background(), store.Actor{}, false, func(im *store.Import) error {
		_, err := im.Client(store.ClientRow{ID: "c1", Name: "ООО «Ромашка», Тверь", Manager: "m1", Domains: []string{"romashka.test"}})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	client := o.person("Иван Петров").ClientID
	for i, tt := range []struct {
		name, lines string
		person      bool
	}{
		{"By Domain", "EMAIL:new@romashka.test", true},
		{"By Organisation", "ORG:Ромашка\\, Тверь;Склад", true},
		{"Of Boris", "ORG:Other", false},
		{"By Nothing", "EMAIL:a@elsewhere.test", false},
		{"Known Address", "EMAIL:ivan@romashka.test", false},
		{"Maria", "EMAIL:another@romashka.test", false},
		{"A Group", "ORG:Ромашка\\, Тверь\r\nX-ADDRESSBOOKSERVER-KIND:group", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := annaBook + "new" + strconv.Itoa(i) + ".vcf"
			card := phone("new"+strconv.Itoa(i), "FN:"+tt.name, "N:;;;;", tt.lines, "X-KEPT:1")
			o.must(201, "PUT", path, card, "Content-Type: text/vcard")
			got := o.must(200, "GET", path, "")
			list := o.parse(o.do("PROPFIND", annaBook, propfindOf("<D:getetag/>"), "Depth: 1")).hrefs()
			if list[path] != got.header.Get("ETag") || !strings.Contains(got.body, "X-KEPT:1") {
				t.Errorf("listed with %s, got %s\n%s", list[path], got.header.Get("ETag"), got.body)
			}
			if !tt.person {
				if got.body != card {
					t.Errorf("own card not kept:\n%s", got.body)
				}
				o.must(204, "DELETE", path, "")
				return
			}
			p := o.person(tt.name)
			if p.ClientID != client || !strings.Contains(got.body, "ORG:") {
				t.Errorf("person %+v\n%s", p, got.body)
			}
			if _, twice := list[annaBook+p.File]; twice {
				t.Errorf("%s is listed too", p.File)
			}
			o.must(404, "GET", annaBook+p.File, "")
			o.must(403, "PUT", annaBook+p.File, phone(p.UID, "FN:X"), "Content-Type: text/vcard")
			o.must(204, "PUT", path, strings.Replace(got.body, "END:VCARD", "TITLE:Chief\r\nEND:VCARD", 1), "Content-Type: text/vcard")
			if p := o.person(tt.name); p.Position != "Chief" {
				t.Errorf("not changed: %+v", p)
			}
			o.must(403, "DELETE", path, "")
		})
	}
}

func TestPutCard_Full(t *testing.T) {
	o := newOffice(t)
	db, err := sql.Open("sqlite", "file:"+o.file+"?_pragma=busy_timeout(10000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9999)
		INSERT INTO cards (manager_id, name, uid, bytes) SELECT ` + strconv.FormatInt(o.anna.ID, 10) + `, 'n' || i, 'n' || i, '' FROM n`); err != nil {
		t.Fatal(err)
	}
	o.must(201, "PUT", annaBook+"last.vcf", phone("last", "FN:A"), "Content-Type: text/vcard")
	if r := o.must(507, "PUT", annaBook+"more.vcf", phone("more", "FN:A"), "Content-Type: text/vcard"); !strings.Contains(r.body, "<D:quota-not-exceeded/>") {
		t.Error(r.body)
	}
	o.must(204, "PUT", annaBook+"last.vcf", phone("last", "FN:B"), "Content-Type: text/vcard")
	o.must(204, "DELETE", annaBook+"last.vcf", "")
	o.must(201, "PUT", annaBook+"more.vcf", phone("more", "FN:A"), "Content-Type: text/vcard")
}
