package mailer

import (
	"bytes"
	"encoding/base64"
	"flag"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

func sample() Message {
	return Message{
		From:      mail.Address{Name: "Intouch — ООО «Вектор»", Address: "intouch@vector.test"},
		To:        []mail.Address{{Name: "Анна Соколова", Address: "anna@vector.test"}},
		Subject:   "Intouch: 3 просрочено, 5 на сегодня, 12 писем клиентов без ответа — 23 ноября",
		Text:      "Доброе утро!\n\nПросрочено: 3\n.\n..\nFrom here on\n" + strings.Repeat("длинная строка ", 30) + "\n",
		HTML:      "<p>Доброе утро!</p>" + strings.Repeat("<b>x</b>", 300),
		MessageID: MessageID("digest/anna/2026-11-23", "vector.test"),
		Date:      time.Date(2026, 11, 23, 8, 0, 0, 0, time.FixedZone("", 3*3600)),
		Headers: []Header{
			{"Auto-Submitted", "auto-generated"},
			{"List-Unsubscribe", "<mailto:intouch@vector.test?subject=unsubscribe>, <https://crm.vector.test/setup>"},
		},
	}
}

func TestCompose_Golden(t *testing.T) {
	got, err := Compose(sample())
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "sample.eml", got)
	again, _ := Compose(sample())
	if !bytes.Equal(got, again) {
		t.Error("the same message gave other bytes")
	}
	checkShape(t, got)

	m, err := mail.ReadMessage(bytes.NewReader(got))
	if err != nil {
		t.Fatal(err)
	}
	want := sample()
	decoded, _ := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if decoded != want.Subject {
		t.Errorf("subject reads %q", decoded)
	}
	from, err := m.Header.AddressList("From")
	if err != nil || *from[0] != want.From {
		t.Errorf("from reads %v %v", from, err)
	}
	_, params, _ := mime.ParseMediaType(m.Header.Get("Content-Type"))
	parts := multipart.NewReader(m.Body, params["boundary"])
	for _, text := range []string{want.Text, want.HTML + "\r\n"} {
		p, err := parts.NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(quotedprintable.NewReader(p))
		if got := strings.ReplaceAll(string(body), "\r\n", "\n"); got != strings.ReplaceAll(text, "\r\n", "\n") {
			t.Errorf("part reads\n%s", cmp.Diff(text, got))
		}
	}
}

// What strangers type into names must stay within its field.
// A mail with files is read by Go's own readers as a program of mail reads it.
func TestCompose_Files(t *testing.T) {
	m := sample()
	table := bytes.Repeat([]byte("number;sum\r\n"), 1000)
	m.Files = []File{{Name: "open-deals-2026-11-23.csv", Type: "text/csv; charset=utf-8", Data: table}, {Name: "x.xlsx", Type: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", Data: []byte{0, 255, 13}}}
	got, err := Compose(m)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.SplitSeq(got, []byte("\r\n")) {
		if len(line) > 79 { // the longest media type, which cannot be folded
			t.Errorf("line of %d: %q", len(line), line)
		}
	}
	read, err := mail.ReadMessage(bytes.NewReader(got))
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(read.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/mixed" {
		t.Fatal(kind, err)
	}
	parts := multipart.NewReader(read.Body, params["boundary"])
	body, err := parts.NextPart()
	if err != nil {
		t.Fatal(err)
	}
	if kind, inner, err := mime.ParseMediaType(body.Header.Get("Content-Type")); err != nil || kind != "multipart/alternative" || inner["boundary"] == params["boundary"] {
		t.Errorf("body %s %v, %v", kind, inner, err)
	}
	for _, f := range m.Files {
		part, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, part))
		if err != nil || !bytes.Equal(data, f.Data) || part.FileName() != f.Name {
			t.Errorf("file %q of %d bytes, %v", part.FileName(), len(data), err)
		}
	}
	if _, err := parts.NextPart(); err != io.EOF {
		t.Errorf("more parts: %v", err)
	}
	for _, name := range []string{"", "a\r\nBcc: x@y.test", "счёт.csv"} {
		m.Files[0].Name = name
		if _, err := Compose(m); err == nil {
			t.Errorf("a file named %q", name)
		}
	}
}

func TestCompose_Hostile(t *testing.T) {
	long := strings.Repeat("Ъ", 10000)
	for _, text := range []string{
		"a\r\nBcc: victim@example.com", "a\nX: y\n\n<html>", "a\rb", "a\x00b", "\u202egnp.exe", "a\u2028b\u0085c",
		"\xff\xfe broken", long, strings.Repeat("x", 5000), "=?utf-8?q?forged?=", `quote " and \ back`, "<script>alert(1)</script>, b@c",
		"", "  ", "😀" + strings.Repeat("👨‍👩‍👧", 50), strings.Repeat("word ", 300),
	} {
		m := sample()
		m.Subject = text
		m.From.Name, m.To[0].Name = text, text
		got, err := Compose(m)
		if err != nil {
			t.Errorf("%.20q: %v", text, err)
			continue
		}
		checkShape(t, got)
		r, err := mail.ReadMessage(bytes.NewReader(got))
		if err != nil {
			t.Errorf("%.20q: %v", text, err)
			continue
		}
		if len(r.Header) != 9 {
			t.Errorf("%.20q: header has fields %v", text, r.Header)
		}
		to, err := r.Header.AddressList("To")
		if err != nil || len(to) != 1 || to[0].Address != "anna@vector.test" {
			t.Errorf("%.20q: To reads %v, %v in %q", text, to, err, r.Header.Get("To"))
		} else if want := OneLine(text, longestName); to[0].Name != want {
			t.Errorf("%.20q: name reads %q, want %q", text, to[0].Name, want)
		}
		subject, _ := new(mime.WordDecoder).DecodeHeader(r.Header.Get("Subject"))
		if want := OneLine(text, longestSubject); subject != want {
			t.Errorf("%.20q: subject reads %q, want %q", text, subject, want)
		}
	}
}

func TestCompose_Faults(t *testing.T) {
	for name, spoil := range map[string]func(*Message){
		"no recipient":        func(m *Message) { m.To = nil },
		"no date":             func(m *Message) { m.Date = time.Time{} },
		"no text":             func(m *Message) { m.Text = "" },
		"empty address":       func(m *Message) { m.To[0].Address = "" },
		"no address":          func(m *Message) { m.To[0].Address = "anna" },
		"injecting address":   func(m *Message) { m.To[0].Address = "anna@vector.test>\r\nBcc: x@y.test" },
		"address with spaces": func(m *Message) { m.From.Address = "a b@vector.test" },
		"unicode domain":      func(m *Message) { m.From.Address = "anna@вектор.рф" },
		"message-id":          func(m *Message) { m.MessageID = "<a@b>\r\nX: y" },
		"second subject":      func(m *Message) { m.Headers = []Header{{"SUBJECT", "x"}} },
		"header name":         func(m *Message) { m.Headers = []Header{{"X: y\r\nZ", "x"}} },
		"header value":        func(m *Message) { m.Headers = []Header{{"X", "a\r\nBcc: b"}} },
		"header beyond ASCII": func(m *Message) { m.Headers = []Header{{"X", "ы"}} },
		"header too long":     func(m *Message) { m.Headers = []Header{{"X", strings.Repeat("a", 1000)}} },
	} {
		m := sample()
		spoil(&m)
		if got, err := Compose(m); err == nil {
			t.Errorf("%s: composed %.300q", name, got)
		} else if strings.ContainsAny(err.Error(), "\r\n") {
			t.Errorf("%s: the error has line ends: %q", name, err)
		}
	}
}

func TestCheckAddress(t *testing.T) {
	for _, good := range []string{"a@b", "anna.p+x@sub.vector.test", "o'neil@xn--b1agh1afp.xn--p1ai", "x_y=z@1-2.test", "борис.петров@vector.test", "josé@vector.test"} {
		if err := CheckAddress(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "a", "@b", "a@", "a..b@c", ".a@b", "a@b..c", "a@-b", "a@b c", "a@b\r\nX", "a>@b", `"a b"@c`, "a@[1.2.3.4]", "a\u202eb@c.test", "a\xffb@c.test", "a\u00a0b@c.test", "a\u200bb@c.test", "anna@вектор.test",
		strings.Repeat("a", 65) + "@b", "a@" + strings.Repeat("b", 64)} {
		if CheckAddress(bad) == nil {
			t.Errorf("%q passes", bad)
		}
	}
}

func TestMessageID(t *testing.T) {
	a, b := MessageID("digest/anna/1", "vector.test"), MessageID("digest/anna/2", "vector.test")
	if a == b || a != MessageID("digest/anna/1", "vector.test") || checkMessageID(a) != nil {
		t.Error(a, b)
	}
}

func FuzzCompose(f *testing.F) {
	f.Add("Анна\r\nBcc: x", "text\n.\n", "<p>")
	f.Fuzz(func(t *testing.T, name, text, page string) {
		m := sample()
		m.Subject, m.To[0].Name, m.Text, m.HTML = name, name, "."+text, page
		got, err := Compose(m)
		if err != nil {
			t.Fatal(err)
		}
		checkShape(t, got)
		r, err := mail.ReadMessage(bytes.NewReader(got))
		if err != nil {
			t.Fatal(err)
		}
		if want := 9; len(r.Header) != want && page != "" {
			t.Fatalf("header has fields %v", r.Header)
		}
		if to, err := r.Header.AddressList("To"); err != nil || len(to) != 1 || to[0].Name != OneLine(name, longestName) {
			t.Fatalf("To reads %v %v", to, err)
		}
	})
}

// checkShape: CRLF only, no line over 78, ASCII, a header of well-formed fields.
func checkShape(t *testing.T, b []byte) {
	t.Helper()
	head, _, ok := bytes.Cut(b, []byte("\r\n\r\n"))
	if !ok {
		t.Fatal("no end of header")
	}
	for i, line := range strings.Split(string(head), "\r\n") {
		name, _, colon := strings.Cut(line, ":")
		if !strings.HasPrefix(line, " ") && (!colon || strings.Contains(name, " ")) || strings.TrimSpace(line) == "" {
			t.Errorf("header line %d is no field: %q", i, line)
		}
	}
	for _, line := range strings.Split(string(b), "\r\n") {
		if len(line) > 78 || strings.ContainsAny(line, "\r\n\x00") || len(line) != utf8.RuneCountInString(line) {
			t.Errorf("line %q", line)
		}
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
