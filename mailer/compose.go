package mailer

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"
	"time"
	"unicode/utf8"
)

// Message is one mail before it is composed. Names and texts may hold
// anything a stranger typed; addresses must be ones (CheckAddress).
type Message struct {
	From      mail.Address
	To        []mail.Address
	Subject   string
	Text      string  // plain text, required; lines may end with \n or \r\n
	HTML      string  // the same as a page; "" for a mail of plain text only
	Images    []Image // pictures that HTML shows
	MessageID string  // with brackets (MessageID makes one)
	Date      time.Time
	Headers   []Header // Auto-Submitted, List-Unsubscribe, …
	Files     []File   // that come with it
}

// File is an attachment.
type File struct {
	Name string // printable ASCII: "managers-2026-11-23.xlsx"
	Type string // media type
	Data []byte
}

// Header is one field beside those that Compose writes itself.
type Header struct{ Name, Value string }

// ours are the fields that Compose writes; a second one would make the mail
// ambiguous (RFC 5322 section 3.6).
var ours = map[string]bool{
	"from": true, "to": true, "subject": true, "date": true, "message-id": true,
	"mime-version": true, "content-type": true, "content-transfer-encoding": true,
	"sender": true, "cc": true, "bcc": true,
}

// MessageID makes the Message-ID of the mail with that token of hexadecimal
// digits: always the same for the same token and domain, so that a mail that
// has to be sent twice can be told to be one (RFC 5322 section 3.6.4), and so
// that an answer, which names it in References, can be told to be one.
func MessageID(token, domain string) string { return "<intouch." + token + "@" + domain + ">" }

// Compose gives the message as RFC 5322 bytes with CRLF line ends: text
// alone, or multipart/alternative of text and HTML, both quoted-printable in
// UTF-8, so that no line is longer than 78 and any server carries it. HTML with
// pictures is a multipart/related of both (RFC 2387), and files stand behind
// them all in a multipart/mixed. The same message gives the same bytes. Errors
// name the field that is at fault.
func Compose(m Message) ([]byte, error) {
	if len(m.To) == 0 {
		return nil, errors.New("compose: no recipient")
	}
	if m.Text == "" {
		return nil, errors.New("compose: no text") // a page alone is unreadable for some
	}
	if err := checkImages(&m); err != nil {
		return nil, fmt.Errorf("compose: %w", err)
	}
	if m.Date.IsZero() {
		return nil, errors.New("compose: no date")
	}
	if err := checkMessageID(m.MessageID); err != nil {
		return nil, fmt.Errorf("compose: %w", err)
	}
	var h header
	h.fold("Date", []string{m.Date.Format("Mon, 02 Jan 2006 15:04:05 -0700")})
	if err := h.addresses("From", []mail.Address{m.From}); err != nil {
		return nil, fmt.Errorf("compose: %w", err)
	}
	if err := h.addresses("To", m.To); err != nil {
		return nil, fmt.Errorf("compose: %w", err)
	}
	h.fold("Message-ID", []string{m.MessageID})
	h.text("Subject", OneLine(m.Subject, longestSubject))
	for _, f := range m.Headers {
		if ours[strings.ToLower(f.Name)] {
			return nil, fmt.Errorf("compose: header %s is written by Compose", f.Name)
		}
		if err := h.raw(f.Name, f.Value); err != nil {
			return nil, fmt.Errorf("compose: %w", err)
		}
	}
	h.fold("MIME-Version", []string{"1.0"})

	content, err := m.content()
	if err != nil {
		return nil, fmt.Errorf("compose: %w", err)
	}
	h.fold("Content-Type", strings.Split(content.header.Get("Content-Type"), " "))
	if encoding := content.header.Get("Content-Transfer-Encoding"); encoding != "" {
		h.fold("Content-Transfer-Encoding", []string{encoding})
	}
	return append([]byte(h.String()+"\r\n"), content.data...), nil
}

// entity is a part of a message: its header and its bytes.
type entity struct {
	header textproto.MIMEHeader
	data   []byte
}

// content is all that the message says: text alone or text and page, and
// behind them the files.
func (m *Message) content() (entity, error) {
	body := textEntity("text/plain", m.Text)
	if m.HTML != "" {
		page := textEntity("text/html", m.HTML)
		if len(m.Images) > 0 { // the page is the root, and comes first (RFC 2387 section 3.2)
			parts := []entity{page}
			for _, image := range m.Images {
				picture := fileEntity("image/png", "inline", image.Name, image.PNG)
				picture.header.Set("Content-Id", "<"+image.ID+">")
				parts = append(parts, picture)
			}
			var err error
			if page, err = m.multipart(`related; type="text/html"`, parts); err != nil {
				return entity{}, err
			}
		}
		var err error
		if body, err = m.multipart("alternative", []entity{body, page}); err != nil { // the best last (RFC 2046 section 5.1.4)
			return entity{}, err
		}
	}
	if len(m.Files) == 0 {
		return body, nil
	}
	parts := []entity{body}
	for _, f := range m.Files {
		if _, _, err := mime.ParseMediaType(f.Type); err != nil || !printable(f.Type) || f.Name == "" || !printable(f.Name) {
			return entity{}, fmt.Errorf("file %q of type %q: not a name or type that a mail can carry", OneLine(f.Name, 80), OneLine(f.Type, 80))
		}
		parts = append(parts, fileEntity(f.Type, "attachment", f.Name, f.Data))
	}
	return m.multipart("mixed", parts)
}

// printable reports whether the text is printable ASCII.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

func textEntity(kind, text string) entity {
	return entity{textproto.MIMEHeader{"Content-Type": {kind + "; charset=utf-8"}, "Content-Transfer-Encoding": {"quoted-printable"}}, quoted(text)}
}

func fileEntity(kind, disposition, name string, data []byte) entity {
	return entity{textproto.MIMEHeader{
		"Content-Type":              {kind},
		"Content-Transfer-Encoding": {"base64"},
		"Content-Disposition":       {mime.FormatMediaType(disposition, map[string]string{"filename": name})},
	}, base64Lines(data)}
}

// multipart joins parts. Its boundary begins with "=_", which neither
// quoted-printable text (RFC 2045 section 6.7) nor base64 can hold, so that no
// part can hold it, and each kind of multipart has one of its own.
func (m *Message) multipart(kind string, parts []entity) (entity, error) {
	var out bytes.Buffer
	w := multipart.NewWriter(&out)
	sum := sha256.Sum256([]byte(kind + m.MessageID))
	if err := w.SetBoundary("=_" + hex.EncodeToString(sum[:12])); err != nil {
		return entity{}, err
	}
	for _, p := range parts {
		p.header.Set("Content-Type", strings.Replace(p.header.Get("Content-Type"), "; boundary=", ";\r\n boundary=", 1)) // no line too long
		to, err := w.CreatePart(p.header)
		if err != nil {
			return entity{}, err
		}
		if _, err := to.Write(p.data); err != nil {
			return entity{}, err
		}
	}
	if err := w.Close(); err != nil {
		return entity{}, err
	}
	return entity{textproto.MIMEHeader{"Content-Type": {"multipart/" + kind + `; boundary="` + w.Boundary() + `"`}}, out.Bytes()}, nil
}

// base64Lines is base64 in lines of 76 (RFC 2045 section 6.8).
func base64Lines(data []byte) []byte {
	const line = 57 // bytes that make 76 characters
	var out bytes.Buffer
	for len(data) > 0 {
		n := min(line, len(data))
		out.WriteString(base64.StdEncoding.EncodeToString(data[:n]) + "\r\n")
		data = data[n:]
	}
	return out.Bytes()
}

// quoted is the text as quoted-printable. A NUL, which no mail may carry even
// encoded without some server choking on it, is left out.
func quoted(s string) []byte {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\ufffd")
	}
	s = strings.ReplaceAll(s, "\x00", "")
	if !strings.HasSuffix(s, "\n") {
		s += "\n"
	}
	var out bytes.Buffer
	q := quotedprintable.NewWriter(&out)
	q.Write([]byte(s)) // to a buffer: never fails
	q.Close()
	return out.Bytes()
}

// checkMessageID wants "<left@right>" without spaces (RFC 5322 section 3.6.4).
func checkMessageID(id string) error {
	inner, ok := strings.CutPrefix(id, "<")
	inner, ok2 := strings.CutSuffix(inner, ">")
	left, right, ok3 := strings.Cut(inner, "@")
	if !ok || !ok2 || !ok3 || left == "" || right == "" || len(id) > 250 ||
		strings.ContainsFunc(inner, func(r rune) bool { return r <= ' ' || r > '~' || r == '<' || r == '>' }) {
		return fmt.Errorf("%q is not a Message-ID", OneLine(id, 80))
	}
	return nil
}
