package caldav

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
)

func TestParseXML_Bounds(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("<a>", n) + strings.Repeat("</a>", n) }
	for _, tt := range []struct {
		name, body string
		ok         bool
	}{
		{"plain", `<a xmlns="DAV:"><b/></a>`, true},
		{"empty", "", true},
		{"blank", " \n", true},
		{"byte order mark", "\xef\xbb\xbf<a/>", true},
		{"comments and instructions", `<?xml version="1.0"?><!-- x --><a><?y?></a>`, true},
		{"deepest", deep(maxNesting), true},
		{"too deep", deep(maxNesting + 1), false},
		{"ten thousand deep", deep(10_000), false},
		{"most elements", "<a>" + strings.Repeat("<b/>", maxElements-1) + "</a>", true},
		{"too many elements", "<a>" + strings.Repeat("<b/>", maxElements) + "</a>", false},
		{"two roots", "<a/><b/>", false},
		{"not closed", "<a><b></a>", false},
		{"cut off", "<a><b>", false},
		{"no element", "hello", false},
		{"document type", `<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`, false},
		{"unknown entity", `<a>&nbsp;</a>`, false},
		{"not UTF-8", "<a>\xff</a>", false},
		{"other charset", `<?xml version="1.0" encoding="koi8-r"?><a/>`, false},
	} {
		_, err := parseXML([]byte(tt.body))
		if (err == nil) != tt.ok {
			t.Errorf("%s: error %v, want ok %v", tt.name, err, tt.ok)
		}
		if err != nil && !errors.Is(err, errBadXML) {
			t.Errorf("%s: %v is not errBadXML", tt.name, err)
		}
	}
}

func TestParseXML_NamespacesAndText(t *testing.T) {
	root, err := parseXML([]byte(`<D:propfind xmlns:D='DAV:' xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop> a<!--x-->b <C:calendar-data content-type="text/calendar"/></D:prop></D:propfind>`))
	if err != nil {
		t.Fatal(err)
	}
	prop := root.child(nsDAV, "prop")
	if !root.is(nsDAV, "propfind") || trimmed(prop) != "ab" {
		t.Errorf("got %v, text %q", root.Name, trimmed(prop))
	}
	if got := prop.child(nsCalDAV, "calendar-data").attr("content-type"); got != "text/calendar" {
		t.Errorf("attribute %q", got)
	}
}

// A dead property keeps its XML: attributes, children, language, prefixes
// (clients.md section 13), and means the same outside of its request.
func TestElement_Standalone(t *testing.T) {
	root, err := parseXML([]byte(`<D:propertyupdate xmlns:D="DAV:" xmlns:x="urn:x" xml:lang="ru"><D:set><D:prop xmlns="urn:y&amp;z"><x:author kind="1"><name>Анна</name></x:author></D:prop></D:set></D:propertyupdate>`))
	if err != nil {
		t.Fatal(err)
	}
	e := root.children[0].children[0].children[0]
	again, err := parseXML([]byte(e.standalone()))
	if err != nil {
		t.Fatalf("%s: %v", e.standalone(), err)
	}
	if again.Name != (xml.Name{Space: "urn:x", Local: "author"}) || again.attr("kind") != "1" || again.children[0].Space != "urn:y&z" || again.children[0].text != "Анна" {
		t.Errorf("got %s", e.standalone())
	}
	if !strings.Contains(e.standalone(), `xml:lang="ru"`) || strings.Count(e.standalone(), "xmlns:D=") != 1 {
		t.Errorf("got %s", e.standalone())
	}
}

func TestReadBody_TooLarge(t *testing.T) {
	body := bytes.Repeat([]byte("x"), maxRequest+1)
	for _, length := range []int64{int64(len(body)), -1} {
		src := &counter{r: bytes.NewReader(body)}
		r := httptest.NewRequest("PUT", "/", src)
		r.ContentLength = length
		if _, err := readBody(r, maxRequest); !errors.Is(err, errTooLarge) {
			t.Errorf("length %d: %v", length, err)
		}
		if length > 0 && src.n > 0 {
			t.Errorf("read %d bytes of a body that says it is too large", src.n)
		}
	}
	r := httptest.NewRequest("PUT", "/", bytes.NewReader(body[:maxRequest]))
	if b, err := readBody(r, maxRequest); err != nil || len(b) != maxRequest {
		t.Errorf("largest body: %d bytes, %v", len(b), err)
	}
}

type counter struct {
	r io.Reader
	n int
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

func TestAppendText(t *testing.T) {
	for in, want := range map[string]string{
		"plain":               "plain",
		"a<b>&\"c\"":          "a&lt;b&gt;&amp;&quot;c&quot;",
		"line\r\nnext\tone":   "line&#13;\nnext\tone",
		"Анна ☃ 𝄞":            "Анна ☃ 𝄞",
		"bell\x07 nul\x00":    "bell\uFFFD nul\uFFFD",
		"broken \xff\xc3 end": "broken \uFFFD\uFFFD end",
		"\uFFFE\uFFFF\uFFFD":  "\uFFFD\uFFFD\uFFFD",
		"":                    "",
	} {
		if got := string(appendText(nil, in)); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
		if got := string(appendText(nil, []byte(in))); got != want {
			t.Errorf("bytes %q: got %q, want %q", in, got, want)
		}
	}
}

// A long listing leaves in pieces: memory does not grow with it.
func TestAnswer_Streams(t *testing.T) {
	w := &discard{h: http.Header{}}
	a := newAnswer(w, 207)
	row := strings.Repeat("x", 1000)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 20_000 {
		a.el("D:href", row)
		if err := a.spill(); err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	a.close()
	if w.n < 20_000_000 || w.status != 207 {
		t.Fatalf("wrote %d bytes, status %d", w.n, w.status)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 4<<20 {
		t.Errorf("allocated %d bytes for a listing of %d", grown, w.n)
	}
	if w.h.Get("Content-Length") != "" {
		t.Error("a streamed answer has a length")
	}
}

type discard struct {
	h      http.Header
	status int
	n      int
}

func (d *discard) Header() http.Header         { return d.h }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(b []byte) (int, error) { d.n += len(b); return len(b), nil }

func FuzzParseXML(f *testing.F) {
	f.Add([]byte(`<D:propfind xmlns:D="DAV:"><D:prop><D:getetag/></D:prop></D:propfind>`))
	f.Add([]byte(`<a xmlns="x" xml:lang="en"><b:c xmlns:b="y" d="e">f<g/></b:c></a>`))
	f.Add([]byte(strings.Repeat("<a>", 40)))
	f.Add([]byte("\xef\xbb\xbf<?xml version='1.0'?><a/>"))
	f.Fuzz(func(t *testing.T, body []byte) {
		root, err := parseXML(body)
		if err != nil || root == nil {
			return
		}
		var walk func(e *element, depth int)
		walk = func(e *element, depth int) {
			if depth > maxNesting {
				t.Fatal("deeper than the bound")
			}
			for _, c := range e.children {
				walk(c, depth+1)
			}
		}
		walk(root, 1)
		for _, c := range root.children {
			again, err := parseXML([]byte(c.standalone()))
			if err != nil {
				t.Fatalf("a property kept by itself cannot be read: %v\n%q", err, c.standalone())
			}
			if again.Name != c.Name {
				t.Fatalf("kept as %v, was %v", again.Name, c.Name)
			}
		}
		_, _ = filterOf(root)
	})
}

// A prefix must be bound, and to something (Namespaces in XML 1.0).
func TestXML_Prefixes(t *testing.T) {
	for body, good := range map[string]bool{
		`<D:propfind xmlns:D="DAV:"><D:prop><b:x xmlns:b="urn:b"/></D:prop></D:propfind>`: true,
		`<propfind xmlns="DAV:"><prop><x xmlns=""/></prop></propfind>`:                    true,
		`<D:propfind xmlns:D="DAV:"><D:prop><b:x xmlns:b=""/></D:prop></D:propfind>`:      false,
		`<D:propfind xmlns:D="DAV:"><D:prop><b:x/></D:prop></D:propfind>`:                 false,
		`<D:propfind><D:allprop/></D:propfind>`:                                           false,
	} {
		if _, err := parseXML([]byte(body)); (err == nil) != good {
			t.Errorf("%s: %v", body, err)
		}
	}
}
