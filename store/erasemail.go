package store

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"slices"
	"strings"
)

// Mails that wait to be sent mention people as other rows do, but encoded
// (RFC 2045, RFC 2047). They are ours, made by mailer, so that what is read here
// is no more than what it writes; of what it does not write nothing is changed.

// mailColumns are those that hold mails.
var mailColumns = []string{"outbox.bytes", "sent_copies.bytes"}

func (t moveTable) isMail(column int) bool {
	return slices.Contains(mailColumns, t.name+"."+t.cols[column].name)
}

func (m mentions) inMail(raw []byte) bool {
	_, found := m.entity(raw)
	return found
}

func (m mentions) replaceMail(raw []byte) []byte {
	changed, _ := m.entity(raw)
	return changed
}

// entity is a mail, or a part of one, without the subject, and whether it was
// mentioned in it.
func (m mentions) entity(raw []byte) (out []byte, found bool) {
	head, body, ok := bytes.Cut(raw, []byte("\r\n\r\n"))
	if after, empty := bytes.CutPrefix(raw, []byte("\r\n")); empty {
		head, body = nil, after
	} else if !ok {
		return raw, false
	}
	var fields []string // folded ones whole
	for line := range strings.SplitSeq(string(head), "\r\n") {
		if n := len(fields); n > 0 && (strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t")) {
			fields[n-1] += "\r\n" + line
		} else {
			fields = append(fields, line)
		}
	}
	kind, encoding := "text/plain", ""
	var params map[string]string
	for i, field := range fields {
		name, value, _ := strings.Cut(field, ":")
		value = strings.TrimSpace(strings.ReplaceAll(value, "\r\n", ""))
		switch strings.ToLower(name) {
		case "content-type":
			kind, params, _ = mime.ParseMediaType(value)
		case "content-transfer-encoding":
			encoding = strings.ToLower(value)
		}
		if now, was := m.field(strings.ToLower(name), value); was {
			fields[i], found = name+": "+now, true
		}
	}
	if now, was := m.body(body, kind, params["boundary"], encoding); was {
		body, found = now, true
	}
	if !found {
		return raw, false
	}
	return slices.Concat([]byte(strings.Join(fields, "\r\n")), []byte("\r\n\r\n"), body), true
}

// field is the value of a header field without the subject.
func (m mentions) field(name, value string) (string, bool) {
	var words mime.WordDecoder
	text, err := words.DecodeHeader(value)
	if err != nil {
		text = value
	}
	if !m.in(text) {
		return value, false
	}
	switch name {
	case "message-id", "in-reply-to", "references":
		return value, false // as those columns
	case "content-type", "content-disposition":
		kind, params, err := mime.ParseMediaType(value)
		if err != nil {
			return kind, true
		}
		for key, text := range params {
			params[key] = m.replace(text)
		}
		return mime.FormatMediaType(kind, params), true
	case "from", "to", "cc", "sender", "reply-to":
		all, err := mail.ParseAddressList(value)
		if err != nil {
			break
		}
		var left []string
		for _, a := range all {
			if !m.in(a.Address) {
				a.Name = m.replace(a.Name)
				left = append(left, a.String())
			}
		}
		if len(left) == 0 {
			return "undisclosed-recipients:;", true
		}
		return strings.Join(left, ",\r\n "), true
	}
	return strings.ReplaceAll(mime.QEncoding.Encode("utf-8", m.replace(text)), "?= =?", "?=\r\n =?"), true
}

// body is what stands behind a header, without the subject.
func (m mentions) body(body []byte, kind, boundary, encoding string) (out []byte, found bool) {
	if strings.HasPrefix(kind, "multipart/") && boundary != "" {
		parts := bytes.Split(append([]byte("\r\n"), body...), []byte("\r\n--"+boundary))
		for i, part := range parts {
			if part, inside := bytes.CutPrefix(part, []byte("\r\n")); inside && i > 0 {
				if now, was := m.entity(part); was {
					parts[i], found = append([]byte("\r\n"), now...), true
				}
			}
		}
		return bytes.Join(parts, []byte("\r\n--"+boundary))[len("\r\n"):], found
	}
	plain, err := decoded(body, encoding)
	if err != nil {
		return body, false
	}
	switch {
	case strings.HasPrefix(kind, "text/"):
		if found = m.in(string(plain)); found {
			plain = []byte(m.replace(string(plain)))
		}
	case bytes.HasPrefix(plain, []byte("PK\x03\x04")): // a workbook
		plain, found = m.archive(plain)
	}
	if !found {
		return body, false
	}
	return encoded(plain, encoding), true
}

func decoded(body []byte, encoding string) ([]byte, error) {
	switch encoding {
	case "quoted-printable":
		return io.ReadAll(quotedprintable.NewReader(bytes.NewReader(body)))
	case "base64":
		return io.ReadAll(base64.NewDecoder(base64.StdEncoding, bytes.NewReader(body)))
	}
	return body, nil
}

func encoded(plain []byte, encoding string) []byte {
	var out bytes.Buffer
	switch encoding {
	case "quoted-printable":
		q := quotedprintable.NewWriter(&out)
		q.Write(plain) // to a buffer: never fails
		q.Close()
	case "base64":
		for line := range slices.Chunk(plain, 57) { // bytes that make 76 characters
			out.WriteString(base64.StdEncoding.EncodeToString(line) + "\r\n")
		}
	default:
		return plain
	}
	return out.Bytes()
}

// maxPacked is more than what a file of a mail of ours has unpacked.
const maxPacked = 256 << 20

// archive is a ZIP file, as a workbook is one, without the subject.
func (m mentions) archive(raw []byte) (out []byte, found bool) {
	from, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return raw, false
	}
	var to bytes.Buffer
	w := zip.NewWriter(&to)
	for _, file := range from.File {
		r, err := file.Open()
		if err != nil {
			return raw, false
		}
		data, err := io.ReadAll(io.LimitReader(r, maxPacked))
		r.Close()
		if err != nil || len(data) == maxPacked {
			return raw, false
		}
		if text := string(data); m.in(text) {
			data, found = []byte(m.replace(text)), true
		}
		if packed, err := w.Create(file.Name); err == nil {
			packed.Write(data) // to a buffer: never fails
		}
	}
	if err := w.Close(); err != nil || !found {
		return raw, false
	}
	return to.Bytes(), true
}
