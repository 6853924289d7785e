package mailsync

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// describe shows a part tree in one line.
func describe(p *Part) string {
	s := p.Section() + " " + p.Type
	if p.Disposition != "" {
		s += " " + p.Disposition
	}
	if p.Name != "" {
		s += " " + p.Name
	}
	if len(p.Children) > 0 {
		var c []string
		for _, q := range p.Children {
			c = append(c, describe(q))
		}
		s += " (" + strings.Join(c, ", ") + ")"
	}
	return strings.TrimSpace(s)
}

func sections(parts []*Part) string {
	var s []string
	for _, p := range parts {
		s = append(s, p.Section())
	}
	return strings.Join(s, " ")
}

// TestReadMessage_Files reads the letters in testdata/letters; each .eml has a
// .want with its structure, parts to fetch, attachments, text and whole text.
// UPDATE_GOLDEN=1 writes them anew.
func TestReadMessage_Files(t *testing.T) {
	files, err := filepath.Glob("testdata/letters/*.eml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			raw, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			l := ReadMessage(raw, received)
			var got strings.Builder
			fmt.Fprintf(&got, "structure: %s\nfetch: %s\n", describe(l.Root), sections(TextParts(l.Root)))
			fmt.Fprintf(&got, "from: %v\nsubject: %s\nautomatic: %s\n", l.Header.From, l.Header.Subject, l.Header.Automatic())
			for _, a := range l.Attachments {
				fmt.Fprintf(&got, "attachment: %s, %s, %d\n", a.Name, a.Type, a.Size)
			}
			fmt.Fprintf(&got, "\n%s\n---- whole\n%s\n", l.Text, l.FullText)
			golden := strings.TrimSuffix(name, ".eml") + ".want"
			if os.Getenv("UPDATE_GOLDEN") != "" {
				if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != string(want) {
				t.Errorf("got\n%s\n--- want\n%s", got.String(), want)
			}
		})
	}
}

func TestTextParts(t *testing.T) {
	leaf := func(typ string, size int64, path ...int) *Part { return &Part{Path: path, Type: typ, Size: size} }
	alternative := func(plain, html int64) *Part {
		return &Part{Type: "multipart/alternative", Children: []*Part{leaf("text/plain", plain, 1), leaf("text/html", html, 2)}}
	}
	for _, c := range []struct {
		name, want string
		root       *Part
	}{
		{"no structure", "", nil},
		{"plain", "1", leaf("text/plain", 5, 1)},
		{"plain rather than HTML", "1", alternative(1000, 5000)},
		{"HTML too beside next to nothing", "1 2", alternative(40, 5000)},
		{"short, but in both", "1", alternative(40, 200)},
		{"empty plain", "1 2", alternative(0, 5000)},
		{"a picture", "", leaf("image/png", 5, 1)},
		{"a text file alone is the text", "1", &Part{Path: []int{1}, Type: "text/plain", Name: "letter.txt"}},
		{"an attached text is not", "", &Part{Path: []int{1}, Type: "text/plain", Disposition: "attachment"}},
		{"text, file, text", "1 3", &Part{Type: "multipart/mixed", Children: []*Part{leaf("text/plain", 5, 1), {Path: []int{2}, Type: "text/plain", Name: "log.txt"}, leaf("text/plain", 5, 3)}}},
		{"another's letter", "1", &Part{Type: "multipart/mixed", Children: []*Part{leaf("text/plain", 5, 1), {Path: []int{2}, Type: "message/rfc822", Children: []*Part{leaf("text/plain", 5, 2, 1)}}}}},
		{"signed", "1", &Part{Type: "multipart/signed", Children: []*Part{leaf("text/plain", 5, 1), leaf("application/pgp-signature", 5, 2)}}},
		{"encrypted", "", &Part{Type: "multipart/encrypted", Children: []*Part{leaf("application/pgp-encrypted", 5, 1), leaf("application/octet-stream", 5, 2)}}},
	} {
		if got := sections(TextParts(c.root)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestFileName(t *testing.T) {
	check := func(field, want string) {
		t.Helper()
		_, params := parseMediaType("attachment; " + field)
		if got := FileName(params, nil); got != want {
			t.Errorf("%s: %q, want %q", field, got, want)
		}
	}
	check(`filename=a.pdf`, "a.pdf")
	check(`filename="a b.pdf"`, "a b.pdf")
	check(`FileName = "a.pdf" ; size=5`, "a.pdf")
	check(`filename="a;b.pdf"`, "a;b.pdf")
	check(`filename="a \"b\".pdf"`, `a "b".pdf`)
	check(`filename="unclosed.pdf`, "unclosed.pdf")
	check(`filename=a b.pdf`, "a b.pdf")
	check(`filename*=utf-8''%D0%A1%D1%87%D1%91%D1%82%205.pdf`, "Счёт 5.pdf")
	check(`filename*=koi8-r'ru'%F3%DE%C5%D4.pdf`, "Счет.pdf")
	check(`filename="=?utf-8?B?0KHRh9GR0YI=?= 5.pdf"`, "Счёт 5.pdf")
	check(`filename*0*=utf-8''%D0%A1%D1%87; filename*1*=%D1%91%D1%82; filename*2=" 5.pdf"`, "Счёт 5.pdf")
	check(`filename*0="long "; filename*1="name.pdf"`, "long name.pdf")
	check(`filename*0="=?utf-8?B?0KHR"; filename*1="h9GR0YI=?=.pdf"`, "Счёт.pdf") // both at once, as Outlook Express did
	check(`filename="%D0%A1%D1%87%D1%91%D1%82.pdf"`, "Счёт.pdf")
	check("filename=\"\xd1\xf7\xe5\xf2 \xed\xe0 \xee\xef\xeb\xe0\xf2\xf3.pdf\"", "Счет на оплату.pdf")
	check(`filename="C:\\Users\\anna\\a.pdf"`, "a.pdf")
	check(`filename="../../etc/passwd"`, "passwd")
	check("filename=\"a\x00b\nc.pdf\"", "ab c.pdf")
	check(`filename=`, "")
	check(`=;;;=x;filename`, "")
	if got := FileName(nil, map[string]string{"name": "b.pdf"}); got != "b.pdf" {
		t.Error(got)
	}
}

// worstLetters are raw letters made to cost their reader dearly.
func worstLetters() map[string]string {
	deep := func(levels int) string {
		var b strings.Builder
		for i := range levels {
			fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
		}
		return b.String() + "Content-Type: text/plain\r\n\r\nthe bottom\r\n"
	}
	same := strings.Repeat("Content-Type: multipart/mixed; boundary=b\n\n--b\n", 1000)
	return map[string]string{
		"deep":          deep(1000),
		"one boundary":  same,
		"many parts":    "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n\nx\n", 100_000),
		"no line ends":  "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b", 1_000_000),
		"only openings": "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n", 500_000),
		"quotes":        "Subject: x\n\n" + strings.Repeat(">", 1_000_000),
		"quote lines":   "Subject: x\n\n" + strings.Repeat("> a\nb:\n", 100_000),
		"colons":        "Subject: x\n\n" + strings.Repeat("From: a\n", 100_000),
		"On wrote":      "Subject: x\n\n" + strings.Repeat("On 1.1.2024 10:11 a@b wrote:\n", 30_000),
		"closings":      "Subject: x\n\n" + strings.Repeat("С уважением,\n", 50_000),
		"dashes":        "Subject: x\n\n" + strings.Repeat("--\n", 300_000),
		"rules":         "Subject: x\n\n" + strings.Repeat("______\n\n", 100_000) + "From: a\nTo: b\nSubject: c\n",
		"legal":         "Subject: x\n\n" + strings.Repeat("confidential intended solely ", 30_000),
		"divs":          "Content-Type: text/html\n\n" + strings.Repeat("<div>", 200_000),
		"tables":        "Content-Type: text/html\n\n" + strings.Repeat("<table><tr><td>a", 60_000),
		"cells":         "Content-Type: text/html\n\n<table>" + strings.Repeat("<td>a", 200_000),
		"lists":         "Content-Type: text/html\n\n" + strings.Repeat("<ol><li>a", 100_000),
		"links":         "Content-Type: text/html\n\n" + strings.Repeat("<a href=http://x.test>a", 40_000),
		"blockquotes":   "Content-Type: text/html\n\n" + strings.Repeat("<blockquote>a<br>", 60_000),
		"end tags":      "Content-Type: text/html\n\n" + strings.Repeat("<b>", 200) + strings.Repeat("</i>", 250_000),
		"attributes":    "Content-Type: text/html\n\n<div " + strings.Repeat("a=b ", 250_000) + ">x",
		"styles":        "Content-Type: text/html\n\n" + strings.Repeat(`<p style="`+strings.Repeat("a:b;", 400)+`">x`, 500),
		"entities":      "Content-Type: text/html\n\n" + strings.Repeat("&nbsp;&amp", 100_000),
	}
}

// Structures without end cost bounded depth, parts and text. What they cost in
// time is BenchmarkReadMessage_Worst's; a hang is the test's own time limit's.
func TestReadMessage_Bounded(t *testing.T) {
	for name, raw := range worstLetters() {
		t.Run(name, func(t *testing.T) {
			l := ReadMessage([]byte(raw), received)
			if len(l.Text) > maxText || len(l.FullText) > maxText {
				t.Errorf("%d and %d bytes of text", len(l.Text), len(l.FullText))
			}
			depth, parts := 0, 0
			walkParts(l.Root, func(p *Part) bool {
				depth, parts = max(depth, len(p.Path)), parts+1
				return true
			})
			if depth > MaxDepth+1 || parts > MaxParts+1 {
				t.Errorf("depth %d, %d parts", depth, parts)
			}
		})
	}
}

// To be at most 100 ms each.
func BenchmarkReadMessage_Worst(b *testing.B) {
	for name, raw := range worstLetters() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ReadMessage([]byte(raw), received)
			}
		})
	}
}
