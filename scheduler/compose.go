package scheduler

import (
	"fmt"
	"net/mail"
	"strings"
	"time"

	"intouch/mailer"
	"intouch/store"
)

// addressError: the mail cannot be composed for that recipient.
type addressError struct{ err error }

func (e *addressError) Error() string { return e.err.Error() }
func (e *addressError) Unwrap() error { return e.err }

// compose makes a page the mail of that key, dated in the recipient's zone. An
// address that is none gives an *addressError.
func (s *Scheduler) compose(p *page, key string, to mail.Address, loc *time.Location) (store.Mail, error) {
	from := s.opt.From
	_, domain, _ := strings.Cut(from.Address, "@")
	id := mailer.MessageID(key, domain)
	images, err := p.draw(id)
	if err != nil {
		return store.Mail{}, fmt.Errorf("render %s: %w", key, err)
	}
	html, err := p.html()
	if err != nil {
		return store.Mail{}, fmt.Errorf("render %s: %w", key, err)
	}
	headers := []mailer.Header{
		{Name: "Auto-Submitted", Value: "auto-generated"}, // RFC 3834 section 5
		{Name: "X-Auto-Response-Suppress", Value: "All"},  // what Exchange heeds instead
		{Name: "Content-Language", Value: string(p.Lang)},
	}
	if p.Setup != "" {
		headers = append(headers, mailer.Header{Name: "List-Unsubscribe", Value: "<" + p.Setup + ">"}) // RFC 2369 section 3.2
	}
	if p.ReplyTo != nil {
		headers = append(headers, mailer.Header{Name: "Reply-To", Value: p.ReplyTo.String()}) // as encoded words where ASCII does not do
	}
	bytes, err := mailer.Compose(mailer.Message{
		From: from, To: []mail.Address{to}, Subject: p.Subject, Text: p.text(), HTML: html, Images: images,
		MessageID: id, Date: s.st.Now().In(loc), Headers: headers, Files: p.Files,
	})
	if err != nil {
		return store.Mail{}, &addressError{err}
	}
	return store.Mail{Key: key, MessageID: id, From: from.Address, To: to.Address, Subject: p.Subject, Bytes: bytes}, nil
}
