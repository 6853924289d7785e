package mailsync

import (
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
)

func TestDecodeWords(t *testing.T) {
	check := func(in, want string) {
		t.Helper()
		if got := decodeWords(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	check("plain", "plain")
	check("=?utf-8?B?0KHRh9GR0YI=?=", "Счёт")
	check("=?UTF-8?q?Hello_=2C_world?=", "Hello , world")
	check("=?windows-1251?B?0ffl8g==?=", "Счет")
	check("=?win-1251?Q?=D1=F7=E5=F2?=", "Счет")
	check("=?koi8r?Q?=F3=DE=C5=D4?=", "Счет")
	check("=?utf-8?B?0KHRh9GR?= =?utf-8?B?0YI=?=", "Счёт")                        // no space between neighbours
	check("Re: =?utf-8?B?0KHRh9GR0YI=?= 5", "Re: Счёт 5")                         // but around words
	check("=?utf-8?B?0KHRh9E=?=\r\n =?utf-8?B?kdGC?=", "Счёт")                    // a character cut in two
	check("=?utf-8?B?0KHRh9E?==?utf-8?B?kdGC?=", "Счёт")                          // … without padding or space
	check("=?utf-8?Q?=D0=A1=D1=87 5?=", "Сч 5")                                   // a space inside
	check("=?utf-8*ru?B?0KHRh9GR0YI=?=", "Счёт")                                  // RFC 2231 language
	check("=?nonsense?B?0KHRh9GR0YI=?=", "Счёт")                                  // unknown charset
	check("=?us-ascii?Q?=D1=F7=E5=F2?=", "Счет")                                  // wrong label
	check("=?utf-7?Q?+BCEERwQ1BEI-?=", "Счет")                                    // UTF-7
	check("\xd1\xf7\xe5\xf2 \xed\xe0 \xee\xef\xeb\xe0\xf2\xf3", "Счет на оплату") // raw windows-1251
	check("\xf3\xde\xc5\xd4 \xce\xc1 \xcf\xd0\xcc\xc1\xd4\xd5", "Счет на оплату") // raw koi8-r
	check("=?utf-8?X?abc?=", "=?utf-8?X?abc?=")
	check("=?utf-8?B?", "=?utf-8?B?")
	check("a =? b ?= c", "a =? b ?= c")
	check("a\r\n\tb\x00c", "a bc")
}

func TestToUTF8(t *testing.T) {
	const text = "Добрый день! Счёт на оплату во вложении, ждём подтверждения. ООО РОМАШКА, Г. МОСКВА"
	encode := func(cm *charmap.Charmap, s string) []byte {
		b, err := cm.NewEncoder().Bytes([]byte(s))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	cp1251, koi8 := encode(charmap.Windows1251, text), encode(charmap.KOI8R, text)
	for _, c := range []struct {
		label string
		data  []byte
		want  string
	}{
		{"windows-1251", cp1251, text}, {"cp1251", cp1251, text}, {"CP-1251", cp1251, text}, {"win-1251", cp1251, text}, {`"windows-1251"`, cp1251, text},
		{"koi8-r", koi8, text}, {"KOI8-R", koi8, text}, {"koi8r", koi8, text}, {"cp866", encode(charmap.CodePage866, text), text},
		{"", cp1251, text}, {"us-ascii", koi8, text}, {"unknown-8bit", cp1251, text}, {"no-such", koi8, text},
		{"utf-8", cp1251, text}, {"iso-8859-1", cp1251, text}, {"", []byte(text), text}, {"windows-1252", []byte(text), text},
		{"iso-8859-1", encode(charmap.Windows1252, "Grüße aus München, déjà vu"), "Grüße aus München, déjà vu"},
		{"", encode(charmap.Windows1252, "Grüße aus München"), "Grüße aus München"},
		{"utf-8", []byte("Счёт\xd0"), "Счёт"},
		{"utf-7", []byte("1 +- 1 = 2, +BCEERwQ1BEI-!"), "1 + 1 = 2, Счет!"},
		{"", append([]byte{0xFF, 0xFE}, "a\x00b\x00"...), "ab"},
		{"utf-8", []byte("\xef\xbb\xbfabc"), "abc"},
		{"iso-2022-jp", []byte("\x1b$B$3\x1b(B"), "こ"},
	} {
		if got := cleanText(toUTF8(c.data, c.label)); got != c.want {
			t.Errorf("%s: got %q, want %q", c.label, got, c.want)
		}
	}
}

func TestTransferEncodings(t *testing.T) {
	check := func(f func([]byte) []byte, in, want string) {
		t.Helper()
		if got := string(f([]byte(in))); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	check(decodeBase64, "SGVsbG8=", "Hello")
	check(decodeBase64, "SGVs\r\nbG8", "Hello")
	check(decodeBase64, "SG=VsbG8*!", "H\x56\xc6\xc6")
	check(decodeBase64, "SGVsbG8=SGVsbG8=", "HelloHello") // two encoded pieces in a row
	check(decodeBase64, "SGVsbG8\n-- \nfooter of a list", string(decodeBase64([]byte("SGVsbG8footerofalist"))))
	check(decodeQuotedPrintable, "a=3Db=\r\nc=\nd= \t\r\ne", "a=bcde")
	check(decodeQuotedPrintable, "100=% =ZZ =d0=90=", "100=% =ZZ А")
}

func TestCleanText(t *testing.T) {
	check := func(in, want string) {
		t.Helper()
		if got := cleanText(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	check("a\r\nb\rc\n", "a\nb\nc\n")
	check("a\x00b\x07c\xffd", "abcd")
	check("1\u00a0234\u202f567 руб.", "1 234 567 руб.")
	check("zero\u200b\u200c\ufeffwidth\u00ad", "zerowidth")
	check("\uFFFD", "\uFFFD")
	check(strings.Repeat("ж", 10), strings.Repeat("ж", 10))
}
