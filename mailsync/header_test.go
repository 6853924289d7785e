package mailsync

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

var received = time.Date(2024, 3, 12, 8, 0, 0, 0, time.UTC)

func header(lines ...string) *Header {
	return ReadHeader([]byte(strings.Join(lines, "\r\n")+"\r\n\r\n"), received)
}

func TestReadHeader(t *testing.T) {
	h := header(
		"From anna@x.test Tue Mar 12 10:11:00 2024",
		"Return-Path: <anna@x.test>",
		"words without a colon",
		" folded below them",
		"From: =?utf-8?B?0JDQvdC90LA=?= <Anna@X.test>",
		"To: Tom <tom@y.test>,",
		"\tLaura <laura@y.test>",
		"TO: peter@y.test",
		"Subject: =?utf-8?B?0KHRh9E=?=",
		" =?utf-8?B?kdGC?= 5",
		"subject: the second does not count",
		"Date: Tue, 12 Mar 2024 10:11:00 +0300 (MSK)",
		"Message-ID:",
		" <Abc.123@Mail.X.Test>",
		"In-Reply-To: <two@y.test>",
		"References: <one@y.test>",
		"  <two@y.test>",
		"Content-Type: Text/Plain; charset=\"utf-8\"",
	)
	if h.Key != "Abc.123@mail.x.test" || h.MessageID != "<Abc.123@Mail.X.Test>" {
		t.Errorf("key %q, id %q", h.Key, h.MessageID)
	}
	if got := fmt.Sprint(h.From, h.To); got != "[{Анна anna@x.test}] [{Tom tom@y.test} {Laura laura@y.test} { peter@y.test}]" {
		t.Error(got)
	}
	if h.Subject != "Счёт 5" {
		t.Errorf("subject %q", h.Subject)
	}
	if want := time.Date(2024, 3, 12, 7, 11, 0, 0, time.UTC); h.Date != want {
		t.Errorf("date %v", h.Date)
	}
	if got := fmt.Sprint(h.References); got != "[one@y.test two@y.test]" {
		t.Error(got)
	}
	if h.ContentType != "text/plain" || h.Params["charset"] != "utf-8" {
		t.Errorf("%q %v", h.ContentType, h.Params)
	}
}

func TestReadHeader_Raw8Bit(t *testing.T) {
	for name, s := range map[string]string{"windows-1251": "\xd1\xf7\xe5\xf2 \xed\xe0 \xee\xef\xeb\xe0\xf2\xf3", "koi8-r": "\xf3\xde\xc5\xd4 \xce\xc1 \xcf\xd0\xcc\xc1\xd4\xd5", "utf-8": "Счет на оплату"} {
		if h := header("Subject: " + s); h.Subject != "Счет на оплату" {
			t.Errorf("%s: %q", name, h.Subject)
		}
	}
}

func TestReadHeader_Poor(t *testing.T) {
	for _, raw := range []string{"", "\r\n\r\n", ":", "Subject", "\x00\x01", "From anna Tue\n", " folded", "Date: nonsense\nFrom: nobody\n\n"} {
		h := ReadHeader([]byte(raw), received)
		if h.Date != received || !strings.HasPrefix(h.Key, "hash:") || len(h.Addresses()) != 0 || h.ContentType != "text/plain" {
			t.Errorf("%q: %+v", raw, h)
		}
	}
}

func TestReadHeader_AbsurdDate(t *testing.T) {
	for _, d := range []string{"Tue, 12 Mar 2054 10:11:00 +0300", "Thu, 01 Jan 1970 00:00:00 +0000"} {
		if h := header("Date: " + d); h.Date != received {
			t.Errorf("%s: %v", d, h.Date)
		}
	}
}

func TestReadHeader_Bounded(t *testing.T) {
	for _, s := range []string{"To: a@b.test\n", "X: y\n", "Subject: =?utf-8?q?", "References: <a@b>\n", "To: <", " x\n", "To:,\n"} {
		ReadHeader([]byte("Subject: x\n"+strings.Repeat(s, (5<<20)/len(s))), received)
	}
	h := header("Subject: " + strings.Repeat("ж", 100_000))
	if len(h.Subject) > maxSubject {
		t.Errorf("subject of %d bytes", len(h.Subject))
	}
	h = header("Message-ID: <" + strings.Repeat("a", 5000) + "@x.test>")
	if len(h.Key) > maxKey {
		t.Errorf("key of %d bytes", len(h.Key))
	}
	h = header("References: <first@x>" + strings.Repeat(" <a@b>", 10) + func() (s string) {
		for i := range 500 {
			s += fmt.Sprintf("\r\n <r%d@x>", i)
		}
		return s
	}())
	if n := len(h.References); n != maxReferences || h.References[0] != "first@x" || h.References[n-1] != "r499@x" {
		t.Errorf("%d references, %q … %q", n, h.References[0], h.References[n-1])
	}
}

func TestMessageKey(t *testing.T) {
	for in, want := range map[string]string{
		"<a@B.test>": "a@b.test", "a@b.TEST": "a@b.test", " <A@b.test> (comment)": "A@b.test", "< a @b.test>": "a@b.test",
		"<a@b.test": "a@b.test", "no-at-sign": "no-at-sign", "<>": "", "": "",
	} {
		if got := messageKey(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestReferences(t *testing.T) {
	check := func(refs, reply, want string) {
		t.Helper()
		if got := strings.Join(references(refs, reply), " "); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	check("<a@x> <b@x>", "<c@x>", "a@x b@x c@x")
	check("<a@x> <b@x>", "<a@x>", "a@x b@x")
	check("", "<c@x>", "c@x")
	check("<a@x><b@x>,<c@x>", "", "a@x b@x c@x")
	check("a@x b@x", "", "a@x b@x")
	check("", "Message from Anna of 12 March <c@x>", "c@x")
	check("<a@x", "your letter", "a@x")
}

// The identity of a letter without Message-ID is the same in every mailbox and
// differs where the letter does.
func TestHashKey(t *testing.T) {
	lines := []string{"From: a@x.test", "To: b@y.test", "Subject: Bill", "Date: Tue, 12 Mar 2024 10:11:00 +0300"}
	h := header(lines...)
	if !strings.HasPrefix(h.Key, "hash:") || h.HashKey("") != h.Key {
		t.Fatal(h.Key)
	}
	later := ReadHeader([]byte(strings.Join(append([]string{"Received: elsewhere"}, lines...), "\n")+"\n\n"), received.Add(time.Hour))
	if later.HashKey("text \r\n one") != h.HashKey("text one") {
		t.Error("the same letter has two keys")
	}
	for i := range lines {
		other := append([]string(nil), lines...)
		other[i] = strings.NewReplacer("a@", "c@", "b@", "d@", "Bill", "Bell", "10:11", "10:12").Replace(other[i])
		if header(other...).HashKey("text") == h.HashKey("text") {
			t.Errorf("%q makes no difference", lines[i])
		}
	}
	if h.HashKey("one") == h.HashKey("two") {
		t.Error("the text makes no difference")
	}
	if h := header("Message-ID: <a@x.test>"); h.HashKey("text") != "a@x.test" {
		t.Error(h.HashKey("text"))
	}
}

func TestParseDate(t *testing.T) {
	want := time.Date(2024, 1, 9, 5, 6, 48, 0, time.UTC)
	for _, s := range []string{
		"Tue, 09 Jan 2024 08:06:48 +0300", "Tue, 9 Jan 2024 08:06:48 +0300 (MSK)", "9 Jan 24 08:06:48 +0300", "Tue,9 Jan 2024 08:06:48 MSK",
		"Tue Jan  9 08:06:48 2024 +0300", "Tue Jan 9 08:06:48 MSK 2024", "2024-01-09T08:06:48+03:00", "2024-01-09 08:06:48 +0300", "09.01.2024 08:06:48 +0300",
		"Tue, 9 Jan 2024 05:06:48 GMT", "Tue, 9 Jan 2024 05:06:48", "Tue, 9 January 2024 08:06:48 GMT+3", "Вт, 9 янв. 2024 08:06:48 +0300", "9-Jan-2024 08:06:48 +03:00",
		"Tue, 9 Jan 2024 00:06:48 EST", "(a) Tue, 9 (b (c)) Jan 2024 08:06:48 +0300", "Tue, 9 Jan 2024 8:06:48 AM +0300", "Tue, 9 Jan 2024 05:06:48 +9999",
	} {
		if got, ok := parseDate(s); !ok || !got.Equal(want) {
			t.Errorf("%q: %v %v", s, got, ok)
		}
	}
	for _, s := range []string{"", "now", "Tue", "99 Jan 2024", "9 Foo 2024", "12:00", "-", "+", "9 Jan 2024 25:61:00", "1-2-3-4", "0-0-0", "::", "--"} {
		if got, ok := parseDate(s); ok && got.Year() > 2100 {
			t.Errorf("%q: %v", s, got)
		}
	}
}
