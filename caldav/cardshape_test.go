package caldav

import (
	"bytes"
	"strings"
	"testing"

	"intouch/store"
)

const card3 = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:u\r\nFN:Ann\r\nN:Ann;;;;\r\n" +
	"EMAIL;TYPE=PREF,INTERNET:a@x.test\r\nitem1.TEL;TYPE=CELL,PREF:+7 916\r\nitem1.X-ABLABEL:Car\r\n" +
	"PHOTO;ENCODING=b;TYPE=JPEG:/9j/4AAQ\r\nBDAY:1980-05-01\r\nX-ADDRESSBOOKSERVER-KIND:group\r\nX-ADDRESSBOOKSERVER-MEMBER:urn:uuid:b\r\nREV:2026-01-02T03:04:05Z\r\nEND:VCARD\r\n"

const card4 = "BEGIN:VCARD\r\nVERSION:4.0\r\nUID:u\r\nFN:Ann\r\nN:Ann;;;;\r\n" +
	"EMAIL;PREF=1:a@x.test\r\nitem1.TEL;PREF=1;TYPE=CELL:+7 916\r\nitem1.X-ABLABEL:Car\r\n" +
	"PHOTO:data:image/jpeg;base64,/9j/4AAQ\r\nBDAY:19800501\r\nKIND:group\r\nMEMBER:urn:uuid:b\r\nREV:20260102T030405Z\r\nEND:VCARD\r\n"

func TestCardShape_Version(t *testing.T) {
	back := strings.NewReplacer("EMAIL;TYPE=PREF,INTERNET", "EMAIL;TYPE=pref", "TYPE=CELL,PREF", "TYPE=CELL,pref").Replace(card3)
	for _, tt := range []struct{ name, version, card, want string }{
		{"3.0 in 4.0", vcard4, card3, card4},
		{"4.0 in 3.0", vcard3, card4, back},
		{"as it is", "", card4, card4},
		{"the same version", vcard3, card3, card3},
	} {
		if got := string(cardShape{version: tt.version}.of([]byte(tt.card))); got != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", tt.name, got, tt.want)
		}
	}
	one := func(version, from, line string) string {
		card := "BEGIN:VCARD\r\nVERSION:" + from + "\r\nUID:u\r\nFN:A\r\nN:A;;;;\r\n" + line + "\r\nEND:VCARD\r\n"
		got := cardShape{version: version}.of([]byte(card))
		_, after, _ := strings.Cut(string(got), "N:A;;;;\r\n")
		return strings.TrimSuffix(after, "\r\nEND:VCARD\r\n")
	}
	for _, tt := range []struct{ version, from, line, want string }{
		{vcard3, vcard4, `TEL;VALUE=uri;TYPE="cell,voice":tel:+7-916;ext=1`, `TEL;TYPE=cell,voice:+7-916`},
		{vcard3, vcard4, `BDAY:--0229`, `BDAY;X-APPLE-OMIT-YEAR=1604:1604-02-29`},
		{vcard4, vcard3, `BDAY;X-APPLE-OMIT-YEAR=1604:1604-02-29`, `BDAY:--0229`},
		{vcard3, vcard4, `PHOTO:https://x.test/a.jpg`, `PHOTO;VALUE=uri:https://x.test/a.jpg`},
		{vcard3, vcard4, `PHOTO:data:;base64,AAAA`, `PHOTO;ENCODING=b:AAAA`},
		{vcard4, vcard3, `PHOTO;ENCODING=BASE64:AA AA`, `PHOTO:data:application/octet-stream;base64,AAAA`},
		{vcard3, vcard4, `KIND:individual`, `KIND:individual`},
		{vcard3, vcard4, `BDAY:1980`, `BDAY:1980`},
		{vcard4, vcard3, `ADR;TYPE=home:;;Street\, 1;Tver;;;`, `ADR;TYPE=home:;;Street\, 1;Tver;;;`},
	} {
		if got := one(tt.version, tt.from, tt.line); got != tt.want {
			t.Errorf("%s in %s: %s, want %s", tt.line, tt.version, got, tt.want)
		}
	}
}

func TestCardVersions(t *testing.T) {
	o := newOffice(t)
	directory(o)
	path := annaBook + "u.vcf"
	r := o.must(201, "PUT", path, card4, "Content-Type: text/vcard; charset=utf-8; version=4.0")
	etag := r.header.Get("ETag")
	for accept, want := range map[string]string{
		"":    card4,
		"*/*": card4,
		"text/vcard;version=4.0, text/vcard;version=3.0": card4,
		"text/vcard;version=3.0":                         string(cardShape{version: vcard3}.of([]byte(card4))),
	} {
		if got := o.must(200, "GET", path, "", "Accept: "+accept); got.body != want || got.header.Get("ETag") != etag {
			t.Errorf("Accept %q: ETag %s of %s\n%s", accept, etag, got.header.Get("ETag"), got.body)
		}
	}
	multiget := func(data string) string {
		r := o.must(207, "REPORT", annaBook, `<CR:addressbook-multiget `+namespaces+`><D:prop>`+data+`</D:prop><D:href>`+path+`</D:href></CR:addressbook-multiget>`)
		return strings.ReplaceAll(r.body, "&#13;", "\r")
	}
	if got := multiget(`<CR:address-data/>`); !strings.Contains(got, "VERSION:3.0\r\n") || !strings.Contains(got, "PHOTO;ENCODING=b;TYPE=JPEG:") {
		t.Errorf("without a version: %s", got)
	}
	if got := multiget(`<CR:address-data content-type="text/vcard" version="4.0"/>`); !strings.Contains(got, card4) {
		t.Errorf("4.0: %s", got)
	}
	part := multiget(`<CR:address-data version="4.0"><CR:prop name="FN"/><CR:prop name="tel" novalue="yes"/></CR:address-data>`)
	if want := ">BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Ann\r\nitem1.TEL;PREF=1;TYPE=CELL:\r\nEND:VCARD\r\n<"; !strings.Contains(part, want) {
		t.Errorf("partly: %s", part)
	}
	for _, bad := range []string{`<CR:address-data version="2.1"/>`, `<CR:address-data content-type="application/vcard+xml"/>`} {
		r := o.must(403, "REPORT", annaBook, `<CR:addressbook-multiget `+namespaces+`><D:prop>`+bad+`</D:prop><D:href>`+path+`</D:href></CR:addressbook-multiget>`)
		if !strings.Contains(r.body, "<CR:supported-address-data/>") {
			t.Errorf("%s: %s", bad, r.body)
		}
	}
	if r := o.must(207, "PROPFIND", annaBook, propfindOf("<CR:supported-address-data/><CR:supported-collation-set/>"), "Depth: 0"); !strings.Contains(r.body, `version="4.0"`) || !strings.Contains(r.body, "<CR:supported-collation>i;unicode-casemap<") {
		t.Error(r.body)
	}
}

func TestCardFilter(t *testing.T) {
	card := []byte(strings.Replace(card3, "END:", "item2.TEL;TYPE=\"home,voice\":+7 495\r\nNOTE:Straße\r\nEND:", 1))
	prop := func(name, inner string) string {
		return `<CR:prop-filter name="` + name + `">` + inner + `</CR:prop-filter>`
	}
	text := func(attrs, s string) string { return `<CR:text-match ` + attrs + `>` + s + `</CR:text-match>` }
	for _, tt := range []struct {
		name, test, filter string
		want               bool
	}{
		{"defined", "", prop("PHOTO", ""), true},
		{"not defined", "", prop("PHOTO", "<CR:is-not-defined/>"), false},
		{"names fold", "", prop("fn", text("", "ANN")), true},
		{"octets", "", prop("FN", text(`collation="i;octet"`, "ANN")), false},
		{"unicode", "", prop("NOTE", text("", "STRAß")), true},
		{"equals", "", prop("FN", text(`match-type="equals"`, "an")), false},
		{"ends with", "", prop("EMAIL", text(`match-type="ends-with"`, "@x.test")), true},
		{"negated", "", prop("FN", text(`negate-condition="yes"`, "ann")), false},
		{"any of two phones", "", prop("TEL", text("", "495")), true},
		{"of a group", "", prop("item1.TEL", text("", "495")), false},
		{"of the other group", "", prop("ITEM2.tel", text("", "495")), true},
		{"parameter in a quoted list", "", prop("TEL", `<CR:param-filter name="TYPE">`+text(`match-type="equals"`, "voice")+`</CR:param-filter>`), true},
		{"no parameter", "", prop("FN", `<CR:param-filter name="TYPE"><CR:is-not-defined/></CR:param-filter>`), true},
		{"all of two", "allof", prop("FN", "") + prop("NICKNAME", ""), false},
		{"any of two", "anyof", prop("FN", "") + prop("NICKNAME", ""), true},
		{"all within a property", "", `<CR:prop-filter name="TEL" test="allof">` + text("", "7") + text("", "999") + `</CR:prop-filter>`, false},
		{"any within a property", "", `<CR:prop-filter name="TEL" test="anyof">` + text("", "7") + text("", "999") + `</CR:prop-filter>`, true},
	} {
		root, err := parseXML([]byte(`<CR:filter ` + namespaces + ` test="` + tt.test + `">` + tt.filter + `</CR:filter>`))
		if err != nil {
			t.Fatal(tt.name, err)
		}
		f, err := cardFilterOf(root)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		} else if f.match(card) != tt.want {
			t.Errorf("%s: %v", tt.name, !tt.want)
		}
	}
	for _, tt := range []struct{ filter, want string }{
		{prop("FN", text(`collation="i;ascii-numeric"`, "1")), "supported-collation"},
		{prop("FN", text(`match-type="like"`, "1")), "supported-filter"},
		{prop("FN", "<CR:time-range/>"), "supported-filter"},
		{`<CR:prop-filter name="FN" test="some"/>`, "supported-filter"},
		{"<CR:comp-filter/>", "supported-filter"},
		{prop("", ""), "supported-filter"},
	} {
		root, err := parseXML([]byte(`<CR:filter ` + namespaces + `>` + tt.filter + `</CR:filter>`))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cardFilterOf(root); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.filter, err)
		}
	}
}

// FuzzCard: whatever is taken for a card can be kept, merged, filtered and
// written in both versions, and is then still a card of the same person.
func FuzzCard(f *testing.F) {
	f.Add([]byte(card3))
	f.Add([]byte(card4))
	f.Add([]byte("\ufeffBEGIN:VCARD\nVERSION:4.0\nUID:x\nFN:\v\n a\nTEL;VALUE=uri:tel:;\nPHOTO;X=\"a,b\":data:;base64,\nBDAY:--0230\nEND:VCARD"))
	f.Add([]byte(strings.Replace(card3, "END", "NOTE:a\\n— Intouch —\\nb\r\nA.B.ORG:x\\;y;z\r\nEND", 1)))
	f.Fuzz(func(t *testing.T, body []byte) {
		w, err := ReadCard(body)
		if err != nil {
			return
		}
		for _, version := range []string{vcard3, vcard4} {
			out := cardShape{version: version}.of(w.Bytes)
			again, err := ReadCard(out)
			if err != nil {
				t.Fatalf("%v in %s:\n%s", err, version, out)
			}
			if again.UID != w.UID || again.Name != w.Name || len(again.Emails) != len(w.Emails) || again.Birthday != w.Birthday {
				t.Fatalf("%+v became %+v in %s:\n%s", w, again, version, out)
			}
		}
		p := personCard(w)
		merged := mergeCard(&p, "x")
		if _, err := ReadCard(merged); err != nil && len(merged) <= maxObject {
			t.Fatalf("%v:\n%s", err, merged)
		}
		p.Overlay = merged
		if again := mergeCard(&p, "x"); !bytes.Equal(again, merged) && len(merged) <= maxObject {
			t.Fatalf("merged again:\n%s\nwas\n%s", again, merged)
		}
	})
}

// personCard is a person who became what a program wrote.
func personCard(w *store.CardWrite) (c store.Card) {
	c.ID, c.UID, c.Overlay, c.Client.Name = 1, w.UID, w.Bytes, "Client"
	c.Name, c.Position, c.Emails, c.Phones, c.Birthday = w.Name, w.Position, w.Emails, w.Phones, w.Birthday
	return c
}
