package mailsync

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// What strangers send goes through these; go test runs the seeds and what lies
// in testdata/fuzz: inputs that once opened new ways through the code.
// go test -fuzz=NAME ./mailsync/ looks for more.

func checkClean(t *testing.T, what, s string, limit int) {
	t.Helper()
	if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		t.Errorf("%s is not clean: %q", what, s)
	}
	if len(s) > limit {
		t.Errorf("%s has %d bytes", what, len(s))
	}
}

func checkHeader(t *testing.T, h *Header) {
	t.Helper()
	checkClean(t, "subject", h.Subject, maxSubject)
	checkClean(t, "key", h.Key, maxKey)
	checkClean(t, "message id", h.MessageID, 998)
	checkClean(t, "content type", h.ContentType, 127)
	if h.Key == "" {
		t.Error("no key")
	}
	if strings.ContainsAny(h.Subject, "\r\n") {
		t.Errorf("subject of several lines: %q", h.Subject)
	}
	if len(h.References) > maxReferences {
		t.Errorf("%d references", len(h.References))
	}
	for _, r := range h.References {
		checkClean(t, "reference", r, maxKey)
	}
	for _, a := range h.Addresses() {
		checkAddress(t, a)
	}
}

func checkAddress(t *testing.T, a Address) {
	t.Helper()
	checkClean(t, "name", a.Name, maxName)
	checkClean(t, "address", a.Addr, 400)
	if NormalizeAddress(a.Addr) != a.Addr {
		t.Errorf("address %q is not normal: %q", a.Addr, NormalizeAddress(a.Addr))
	}
}

func FuzzReadHeader(f *testing.F) {
	letters, _ := filepath.Glob("testdata/letters/*.eml")
	for _, name := range letters {
		if b, err := os.ReadFile(name); err == nil {
			f.Add(b)
		}
	}
	f.Add([]byte("From: =?utf-8?B?0JDQvdC90LA=?= <a@x.test>\nDate: 09.01.2024 08:06 +0300\nReferences: <a@x> <b\n"))
	f.Add([]byte("Message-ID: <\xff@\x00>\nDate: Tue, 9 Jan 2024 8:6:4 -\nSubject: =?utf-7?Q?+?= =?koi8-r?B?!?="))
	f.Fuzz(func(t *testing.T, raw []byte) {
		h := ReadHeader(raw, received)
		checkHeader(t, h)
		if h.Date.IsZero() {
			t.Error("no date")
		}
		if again := ReadHeader(raw, received); again.Key != h.Key {
			t.Errorf("two keys: %q, %q", h.Key, again.Key)
		}
		Decide(h, testParties(), nil)
	})
}

func FuzzAddresses(f *testing.F) {
	for _, s := range []string{`"Smirnova, Anna" <anna@x.test>, tom@y.test (Tom)`, `Team: a@x.test;, <@r:b@y.test>`, `"unclosed <a@b.test>`, "\xc0\xed\xed\xe0 <a@x.test>", `почта@ромашка.рф`, `a@[192.0.2.1]`, `"\"@"@x.test`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, a := range parseAddresses(s) {
			checkAddress(t, a)
		}
	})
}

func FuzzParameters(f *testing.F) {
	f.Add(`attachment; filename*0*=utf-8''%D0%A1; filename*1="x.pdf"`)
	f.Add(`text/plain; charset="utf-8"; name="=?utf-8?B?0KHRh9GR0YI=?="`)
	f.Add(`;=;"";x*=''`)
	f.Fuzz(func(t *testing.T, s string) {
		typ, params := parseMediaType(s)
		checkClean(t, "type", typ, 127)
		checkClean(t, "file name", FileName(params, params), 250)
	})
}

func FuzzReadMessage(f *testing.F) {
	letters, _ := filepath.Glob("testdata/letters/*.eml")
	for _, name := range letters {
		if b, err := os.ReadFile(name); err == nil {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		l := ReadMessage(raw, received)
		checkHeader(t, l.Header)
		checkClean(t, "text", l.Text, maxText)
		checkClean(t, "whole text", l.FullText, maxText)
		for _, a := range l.Attachments {
			checkClean(t, "attachment", a.Name, 250)
			if a.Name == "" || a.Size < 0 {
				t.Errorf("attachment %+v", a)
			}
		}
		for _, p := range TextParts(l.Root) {
			if p.multipart() || p.Section() == "" {
				t.Errorf("part %q of type %s to fetch", p.Section(), p.Type)
			}
		}
	})
}

func fuzzReplies(f *testing.F, ext, typ string) {
	files, _ := filepath.Glob("testdata/reply/*" + ext)
	for _, name := range files {
		if b, err := os.ReadFile(name); err == nil {
			f.Add(string(b))
		}
	}
	f.Fuzz(func(t *testing.T, s string) {
		text, full := readAlone(typ, s, nil)
		checkClean(t, "text", text, maxText)
		checkClean(t, "whole text", full, maxText)
		if len(text) > len(full) {
			t.Errorf("more new text than text:\n%q\n%q", text, full)
		}
	})
}

func FuzzReadText_Plain(f *testing.F) { fuzzReplies(f, ".txt", "text/plain") }
func FuzzReadText_HTML(f *testing.F)  { fuzzReplies(f, ".html", "text/html") }
