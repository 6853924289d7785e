package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"time"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
)

// letter is one letter of the demo before it is written as bytes.
type letter struct {
	From       mail.Address
	To         []mail.Address
	Subject    string
	Date       time.Time
	MessageID  string // with brackets
	InReplyTo  string
	References []string
	Text       string // with quotes and signature
	Form       letterForm
	Headers    []string // further lines
	Attachment string   // name of a small file that comes along; "" for none
}

// letterForm is how a mail program puts the text into bytes.
type letterForm int

const (
	plainUTF8   letterForm = iota // 8bit
	plainBase64                   // as Russian webmail does
	plainQP
	plainKOI8R  // base64, older mail programs
	plainCP1251 // 8bit, Outlook Express and its kin
	alternative // text and HTML
	htmlOnly    // as some CRMs and phones do
)

// charset is the charset of a form; nil for UTF-8.
func (f letterForm) charset() (string, encoding.Encoding) {
	switch f {
	case plainKOI8R:
		return "koi8-r", charmap.KOI8R
	case plainCP1251:
		return "windows-1251", charmap.Windows1251
	}
	return "utf-8", nil
}

// Bytes is the letter as RFC 5322 bytes with CRLF line ends.
func (l *letter) Bytes() []byte {
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\r\n", args...) }
	line("Date: %s", l.Date.Format("Mon, 02 Jan 2006 15:04:05 -0700"))
	line("From: %s", l.address(l.From))
	var to []string
	for _, a := range l.To {
		to = append(to, l.address(a))
	}
	line("To: %s", strings.Join(to, ",\r\n "))
	line("Message-ID: %s", l.MessageID)
	if l.InReplyTo != "" {
		line("In-Reply-To: %s", l.InReplyTo)
		line("References: %s", strings.Join(l.References, "\r\n "))
	}
	line("Subject: %s", l.word(l.Subject))
	for _, h := range l.Headers {
		line("%s", h)
	}
	line("MIME-Version: 1.0")
	if l.Attachment == "" {
		l.body(&b)
		return b.Bytes()
	}
	boundary := "=_demo_" + strings.Trim(l.MessageID, "<>")[:8]
	line("Content-Type: multipart/mixed; boundary=\"%s\"", boundary)
	line("")
	line("--%s", boundary)
	l.body(&b)
	line("")
	line("--%s", boundary)
	line("Content-Type: application/pdf; name=\"%s\"", l.Attachment)
	line("Content-Disposition: attachment; filename=\"%s\"", l.Attachment)
	line("Content-Transfer-Encoding: base64")
	line("")
	writeBase64(&b, bytes.Repeat([]byte("%PDF-1.4 demo\n"), 300))
	line("--%s--", boundary)
	return b.Bytes()
}

// body writes the headers of the text's part and the text.
func (l *letter) body(b *bytes.Buffer) {
	line := func(format string, args ...any) { fmt.Fprintf(b, format+"\r\n", args...) }
	name, _ := l.Form.charset()
	text := []byte(strings.ReplaceAll(l.encode(l.Text), "\n", "\r\n"))
	part := func(kind, transfer string) {
		line("Content-Type: text/%s; charset=%s", kind, name)
		line("Content-Transfer-Encoding: %s", transfer)
		line("")
	}
	switch l.Form {
	case plainBase64, plainKOI8R:
		part("plain", "base64")
		writeBase64(b, text)
	case plainQP:
		part("plain", "quoted-printable")
		writeQP(b, text)
	case alternative:
		const boundary = "=_alternative_demo"
		line("Content-Type: multipart/alternative; boundary=\"%s\"", boundary)
		line("")
		line("--%s", boundary)
		part("plain", "quoted-printable")
		writeQP(b, text)
		line("--%s", boundary)
		part("html", "base64")
		writeBase64(b, []byte(asHTML(l.Text)))
		line("--%s--", boundary)
	case htmlOnly:
		part("html", "quoted-printable")
		writeQP(b, []byte(asHTML(l.Text)))
	default:
		part("plain", "8bit")
		b.Write(text)
		line("")
	}
}

// plainer is what mail programs write for signs that KOI8-R lacks.
var plainer = strings.NewReplacer("«", `"`, "»", `"`, "№", "N", "—", "-", "–", "-")

// encode puts text into the form's charset.
func (l *letter) encode(text string) string {
	_, e := l.Form.charset()
	if e == nil {
		return text
	}
	if l.Form == plainKOI8R {
		text = plainer.Replace(text)
	}
	out, err := encoding.ReplaceUnsupported(e.NewEncoder()).String(text)
	if err != nil {
		return text
	}
	return out
}

// word is a header text as encoded words (RFC 2047), folded between them.
func (l *letter) word(text string) string {
	name, _ := l.Form.charset()
	return strings.ReplaceAll(mime.BEncoding.Encode(name, l.encode(text)), "?= =?", "?=\r\n =?")
}

func (l *letter) address(a mail.Address) string {
	if a.Name == "" {
		return a.Address
	}
	return l.word(a.Name) + " <" + a.Address + ">"
}

func writeBase64(b *bytes.Buffer, data []byte) {
	text := base64.StdEncoding.EncodeToString(data)
	for len(text) > 76 {
		b.WriteString(text[:76] + "\r\n")
		text = text[76:]
	}
	b.WriteString(text + "\r\n")
}

func writeQP(b *bytes.Buffer, data []byte) {
	w := quotedprintable.NewWriter(b) // into memory
	w.Write(data)
	w.Close()
	b.WriteString("\r\n")
}

// asHTML is a text as a mail program would send it: quoted lines in a
// blockquote.
func asHTML(text string) string {
	var b strings.Builder
	b.WriteString("<html><head><style>p{margin:0}</style></head><body>")
	quoted := false
	for line := range strings.SplitSeq(text, "\n") {
		rest, isQuote := strings.CutPrefix(line, "> ")
		if isQuote != quoted {
			quoted = isQuote
			b.WriteString(map[bool]string{true: "<blockquote type=\"cite\">", false: "</blockquote>"}[quoted])
		}
		if rest == "" {
			rest = "\u00a0"
		}
		b.WriteString("<p>" + html.EscapeString(rest) + "</p>\r\n")
	}
	if quoted {
		b.WriteString("</blockquote>")
	}
	b.WriteString("</body></html>")
	return b.String()
}

// quote is a letter's text as the next one in the thread carries it.
func (l *letter) quote(russian bool) string {
	who := l.From.Name + " <" + l.From.Address + ">"
	head := fmt.Sprintf("On %s, %s wrote:", l.Date.Format("Mon, 2 Jan 2006 at 15:04"), who)
	if russian {
		head = fmt.Sprintf("%s, %s пишет:", l.Date.Format("02.01.2006 15:04"), who)
	}
	return head + "\n> " + strings.ReplaceAll(l.Text, "\n", "\n> ")
}

// reply starts an answer to the letter.
func (l *letter) reply(from mail.Address, date time.Time, id, text, signature string, russian bool) *letter {
	subject := l.Subject
	if !strings.HasPrefix(subject, "Re: ") {
		subject = "Re: " + subject
	}
	return &letter{
		From: from, To: []mail.Address{l.From}, Subject: subject, Date: date, MessageID: id,
		InReplyTo: l.MessageID, References: append(append([]string(nil), l.References...), l.MessageID),
		Text: text + "\n\n-- \n" + signature + "\n\n" + l.quote(russian),
		Form: l.Form,
	}
}
