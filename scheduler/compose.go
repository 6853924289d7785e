package scheduler

import (
	"cmp"
	"context"
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
	token := s.st.MailKey().ReplyToken(key)
	targets := s.answerable(p, token)
	from := s.opt.From
	_, domain, _ := strings.Cut(from.Address, "@")
	id := mailer.MessageID(token, domain)
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
	if p.InReplyTo != "" {
		headers[0].Value = "auto-replied"
		headers = append(headers, mailer.Header{Name: "In-Reply-To", Value: p.InReplyTo}, mailer.Header{Name: "References", Value: strings.Join(p.References, " ")})
	}
	if p.Stop.URL != "" {
		headers = append(headers, mailer.Header{Name: "List-Unsubscribe", Value: "<" + p.Stop.URL + ">"}) // RFC 2369 section 3.2
		if strings.HasPrefix(p.Stop.URL, "https:") {
			headers = append(headers, mailer.Header{Name: "List-Unsubscribe-Post", Value: "List-Unsubscribe=One-Click"}) // RFC 8058 section 3.1
		}
	}
	switch address := s.replyTo(cmp.Or(p.Token, token)); {
	case address != "" && (len(targets) > 0 || p.Token != ""):
		headers = append(headers, mailer.Header{Name: "Reply-To", Value: address})
	case p.ReplyTo != nil:
		headers = append(headers, mailer.Header{Name: "Reply-To", Value: p.ReplyTo.String()}) // as encoded words where ASCII does not do
	}
	bytes, err := mailer.Compose(mailer.Message{
		From: from, To: []mail.Address{to}, Subject: p.Subject, Text: p.text(), HTML: html, Images: images,
		MessageID: id, Date: s.st.Now().In(loc), Headers: headers, Files: p.Files,
	})
	if err != nil {
		return store.Mail{}, &addressError{err}
	}
	return store.Mail{Key: key, MessageID: id, From: from.Address, To: to.Address, Subject: p.Subject, Bytes: bytes,
		ManagerID: p.Manager, Kind: p.Kind, ReplyToken: token, Targets: targets}, nil
}

// unwanted reports whether a manager has turned a kind of mail off; nobody (0)
// has.
func (s *Scheduler) unwanted(ctx context.Context, managerID int64, kind store.MailKind) (bool, error) {
	if managerID == 0 {
		return false, nil
	}
	off, err := s.st.Unsubscribed(ctx, managerID)
	if err != nil {
		return false, fmt.Errorf("unsubscribed: %w", err)
	}
	return !off[kind].IsZero(), nil
}

// notWanted is the detail of a run that was "off".
const notWanted = "the manager does not want it"

// replyTo is where answers to the mail with that token go; "": they are not
// read.
func (s *Scheduler) replyTo(token string) string {
	name, domain, ok := strings.Cut(s.opt.Replies.Address, "@")
	if !ok || !s.opt.Replies.Plus {
		return s.opt.Replies.Address
	}
	return name + "+" + token + "@" + domain
}

// answerable numbers the rows of a page that can be answered, gives them their
// links, and says how to answer and how to turn the mail off. It gives what
// the numbers stand for.
func (s *Scheduler) answerable(p *page, token string) (targets []store.AnswerTarget) {
	if p.Manager == 0 {
		return nil
	}
	v := voice{lang: p.Lang}
	url := func(l store.MailLink) string {
		if s.opt.PublicURL == "" {
			return ""
		}
		l.ManagerID, l.Expires = p.Manager, s.st.Now().Add(store.LinkLife)
		return s.opt.PublicURL + store.LinkPath + s.st.MailKey().Sign(l)
	}
	for i := range p.Sections {
		rows := p.Sections[i].Rows
		for j := range rows {
			r := &rows[j]
			if r.Target == (store.AnswerTarget{}) {
				continue
			}
			targets = append(targets, r.Target)
			r.No = len(targets)
			for _, do := range r.Do {
				l := link{v.t("act " + do), url(store.MailLink{Target: r.Target, Do: do})}
				if l.URL != "" {
					r.Acts = append(r.Acts, l)
				}
			}
		}
	}
	if len(targets) > 0 && s.replyTo(token) != "" {
		p.Reply = []string{v.t("reply many")}
		if len(targets) == 1 {
			p.Reply[0] = v.t("reply one")
		}
	}
	if p.Kind != "" {
		// A list may be left for longer than an item may be changed.
		l := store.MailLink{ManagerID: p.Manager, Stop: p.Kind, Expires: s.st.Now().Add(store.StopLife)}
		if s.opt.PublicURL != "" {
			p.Stop = link{v.t("stop link"), s.opt.PublicURL + store.LinkPath + s.st.MailKey().Sign(l)}
		}
	}
	return targets
}
