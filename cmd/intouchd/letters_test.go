package main

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"net/mail"
	"slices"
	"strings"
	"testing"
	"time"

	"intouch/store"
)

// TestCompany is the same on every machine, and as large as promised.
func TestCompany(t *testing.T) {
	a, b := newCompany("2026-11-23"), newCompany("2026-11-23")
	for i := range a.files {
		if !bytes.Equal(a.files[i].csv, b.files[i].csv) {
			t.Errorf("%s differs from one making to the next", a.files[i].kind)
		}
	}
	persons, emails := 0, map[string]bool{}
	for _, c := range a.clients {
		for _, p := range c.Persons {
			persons++
			if emails[p.Email] {
				t.Errorf("two persons have the address %s", p.Email)
			}
			emails[p.Email] = true
		}
	}
	if len(a.clients) != 40 || persons != 80 || bytes.Count(a.files[2].csv, []byte("\n")) != demoDeals+1 {
		t.Errorf("%d clients, %d persons", len(a.clients), persons)
	}
}

// TestCorrespondence: every letter is one that mail programs can read, has a
// Message-ID of its own, and lies in no future.
func TestCorrespondence(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)
	c := newCompany(store.DateOf(now, time.UTC))
	w := &correspondence{c: c, rng: c.rng, name: "past"}
	letters := w.past(now)
	if len(letters) < 200 {
		t.Fatalf("only %d letters", len(letters))
	}
	ids, forms := map[string]bool{}, map[letterForm]bool{}
	for _, a := range letters {
		l := a.letter
		m, err := mail.ReadMessage(bytes.NewReader(l.Bytes()))
		if err != nil {
			t.Fatalf("%s: %v", l.MessageID, err)
		}
		date, err := m.Header.Date()
		if err != nil || date.After(now) {
			t.Errorf("%s: date %v, %v", l.MessageID, date, err)
		}
		words := &mime.WordDecoder{CharsetReader: func(name string, r io.Reader) (io.Reader, error) {
			_, e := l.Form.charset()
			if e == nil {
				return nil, fmt.Errorf("unexpected charset %s", name)
			}
			return e.NewDecoder().Reader(r), nil
		}}
		if _, err := (&mail.AddressParser{WordDecoder: words}).ParseList(m.Header.Get("To")); err != nil {
			t.Errorf("%s: To: %v", l.MessageID, err)
		}
		if ids[l.MessageID] {
			t.Errorf("%s twice", l.MessageID)
		}
		ids[l.MessageID], forms[l.Form] = true, true
		subject, err := words.DecodeHeader(m.Header.Get("Subject"))
		want := l.Subject
		if l.Form == plainKOI8R {
			want = plainer.Replace(want)
		}
		if err != nil || subject != want {
			t.Errorf("%s: subject %q, want %q (%v)", l.MessageID, subject, want, err)
		}
		if l.Form == plainUTF8 {
			body, err := io.ReadAll(m.Body)
			if err != nil || l.Attachment == "" && strings.ReplaceAll(strings.TrimSpace(string(body)), "\r\n", "\n") != strings.TrimSpace(l.Text) {
				t.Errorf("%s: text %q", l.MessageID, body)
			}
		}
		for line := range bytes.Lines(l.Bytes()) {
			if len(line) > 1000 {
				t.Errorf("%s: a line of %d bytes (RFC 5322 section 2.1.1)", l.MessageID, len(line))
			}
		}
	}
	if len(forms) != int(htmlOnly)+1 {
		t.Errorf("only %d of %d forms", len(forms), int(htmlOnly)+1)
	}
	if !slices.IsSortedFunc(letters, func(a, b addressed) int { return a.letter.Date.Compare(b.letter.Date) }) {
		t.Error("not in the order of time")
	}
}
