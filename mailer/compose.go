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
	Text      string // plain text, required; lines may end with \n or \r\n
	HTML      string // the same as a page; "" for a mail of plain text only
	MessageID string // with brackets (MessageID makes one)
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

// MessageID makes the Message-ID of the mail with that key: always the same
// for the same key and domain, so that a mail that has to be sent twice can
// be told to be one (RFC 5322 section 3.6.4).
func MessageID(key, domain string) string {
	sum := sha256.Sum256([]byte(key))
	return "<intouch." + hex.EncodeToString(sum[:16]) + "@" + domain + ">"
}

// Compose gives the message as RFC 5322 bytes with CRLF line ends: text
// alone, or multipart/alternative of text and HTML, both quoted-printable in
// UTF-8, so that no line is longer than 78 and any server carries it; files
// stand behind them in a multipart/mixed. The same message gives the same
// bytes. Errors name the field that is at fault.
func Compose(m Message) ([]byte, error) {
	if len(m.To) == 0 {
		return nil, errors.New("compose: no recipient")
	}
	if m.Text == "" {
		return nil, errors.New("compose: no text") // a page alone is unreadable for some
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

	content, err := m.body()
	if err != nil {
		return nil, fmt.Errorf("compose: %w", err)
	}
	if len(m.Files) > 0 {
		if content, err = m.mixed(content); err != nil {
			return nil, fmt.Errorf("compose: %w", err)
		}
	}
	h.fold("Content-Type", strings.Split(content.kind, " "))
	if content.encoding != "" {
		h.fold("Content-Transfer-Encoding", []string{content.encoding})
	}
	return append([]byte(h.String()+"\r\n"), content.data...), nil
}

// entity is a part of a message: what its header says of it, and its bytes.
type entity struct {
	kind     string // Content-Type
	encoding string // "" of a multipart
	data     []byte
}

// body is the message without its files: text alone, or both forms.
func (m *Message) body() (entity, error) {
	parts := []entity{{kind: "text/plain; charset=utf-8", encoding: "quoted-printable", data: quoted(m.Text)}}
	if m.HTML == "" {
		return parts[0], nil
	}
	parts = append(parts, entity{kind: "text/html; charset=utf-8", encoding: "quoted-printable", data: quoted(m.HTML)}) // the best last (RFC 2046 section 5.1.4)
	return m.multipart("alternative", parts)
}

// mixed puts the files behind the body.
func (m *Message) mixed(body entity) (entity, error) {
	parts := []entity{body}
	for _, f := range m.Files {
		if _, _, err := mime.ParseMediaType(f.Type); err != nil || !plain(f.Type) || f.Name == "" || !plain(f.Name) {
			return entity{}, fmt.Errorf("file %q of type %q: not a name or type that a mail can carry", OneLine(f.Name, 80), OneLine(f.Type, 80))
		}
		parts = append(parts, entity{kind: f.Type, encoding: "base64", data: base64Lines(f.Data)})
	}
	return m.multipart("mixed", parts, m.Files...)
}

// multipart joins parts; the last ones are the files. Its boundary begins with
// "=_", which neither quoted-printable text (RFC 2045 section 6.7) nor base64
// can hold, so that no part can hold the boundary.
func (m *Message) multipart(kind string, parts []entity, files ...File) (entity, error) {
	var out bytes.Buffer
	w := multipart.NewWriter(&out)
	seed := m.MessageID
	if len(files) > 0 { // another one than the body's within
		seed += kind
	}
	sum := sha256.Sum256([]byte(seed))
	if err := w.SetBoundary("=_" + hex.EncodeToString(sum[:12])); err != nil {
		return entity{}, err
	}
	for i, p := range parts {
		header := textproto.MIMEHeader{"Content-Type": {p.kind}}
		if p.encoding != "" {
			header["Content-Transfer-Encoding"] = []string{p.encoding}
		}
		if n := i - (len(parts) - len(files)); n >= 0 {
			header["Content-Disposition"] = []string{mime.FormatMediaType("attachment", map[string]string{"filename": files[n].Name})}
		}
		to, err := w.CreatePart(header)
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
	return entity{kind: "multipart/" + kind + `; boundary="` + w.Boundary() + `"`, data: out.Bytes()}, nil
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
