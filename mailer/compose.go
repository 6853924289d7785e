package mailer

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
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
// UTF-8, so that no line is longer than 78 and any server carries it. The
// same message gives the same bytes. Errors name the field that is at fault.
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

	var out bytes.Buffer
	if m.HTML == "" {
		h.fold("Content-Type", []string{"text/plain;", "charset=utf-8"})
		h.fold("Content-Transfer-Encoding", []string{"quoted-printable"})
		out.WriteString(h.String() + "\r\n")
		writeQuoted(&out, m.Text)
		return out.Bytes(), nil
	}
	// "=_" cannot occur in quoted-printable text (RFC 2045 section 6.7), so no
	// part can hold the boundary.
	sum := sha256.Sum256([]byte(m.MessageID))
	parts := multipart.NewWriter(&out)
	if err := parts.SetBoundary("=_" + hex.EncodeToString(sum[:12])); err != nil {
		return nil, fmt.Errorf("compose: %w", err)
	}
	h.fold("Content-Type", []string{"multipart/alternative;", `boundary="` + parts.Boundary() + `"`})
	out.WriteString(h.String() + "\r\n")
	for _, part := range [][2]string{{"text/plain", m.Text}, {"text/html", m.HTML}} { // the best last (RFC 2046 section 5.1.4)
		w, err := parts.CreatePart(textproto.MIMEHeader{
			"Content-Type":              {part[0] + "; charset=utf-8"},
			"Content-Transfer-Encoding": {"quoted-printable"},
		})
		if err != nil {
			return nil, fmt.Errorf("compose: %w", err)
		}
		if err := writeQuoted(w, part[1]); err != nil {
			return nil, fmt.Errorf("compose: %w", err)
		}
	}
	if err := parts.Close(); err != nil {
		return nil, fmt.Errorf("compose: %w", err)
	}
	return out.Bytes(), nil
}

// writeQuoted writes text as quoted-printable. A NUL, which no mail may carry
// even encoded without some server choking on it, is left out.
func writeQuoted(w io.Writer, s string) error {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\ufffd")
	}
	s = strings.ReplaceAll(s, "\x00", "")
	if !strings.HasSuffix(s, "\n") {
		s += "\n"
	}
	q := quotedprintable.NewWriter(w)
	if _, err := q.Write([]byte(s)); err != nil {
		return err
	}
	return q.Close()
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
