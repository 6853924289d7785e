package scheduler

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"regexp"
	"strings"
	"time"

	"intouch/mailer"
	"intouch/store"
)

// The answers to replies by mail. What a reply asked for has been done when it
// was filed (Store.FileLetters); here it is said, once: the answer and the note
// that it was given are one transaction. Which replies are obeyed, and how many
// are answered a day, is the store's; a program's reply is neither.

const repliesJob = "replies"

// repliesAtOnce bounds one round.
const repliesAtOnce = 100

// dueReplies queues an answer to each reply that has none.
func (s *Scheduler) dueReplies(ctx context.Context, _ time.Time, _ []store.Manager) (results []Result, err error) {
	replies, err := s.st.UntoldReplies(ctx, repliesAtOnce)
	if err != nil {
		return nil, fmt.Errorf("replies: %w", err)
	}
	for _, r := range replies {
		m, err := s.compose(replyPage(&r, s.opt), fmt.Sprintf("reply/%d", r.ID), mail.Address{Name: r.Manager.Name, Address: r.Address}, r.Manager.Location())
		var refused *addressError
		if errors.As(err, &refused) { // nobody can be told; what was asked for is done
			if err := s.st.TellReply(ctx, r.ID); err != nil {
				return results, err
			}
			results = append(results, Result{Manager: r.Manager.Login, Outcome: "failed", Detail: err.Error()})
			continue
		}
		if err == nil {
			err = s.st.TellReply(ctx, r.ID, m)
		}
		if err != nil {
			return results, err
		}
		results = append(results, Result{Manager: r.Manager.Login, Outcome: "queued", Detail: r.Address})
	}
	return results, nil
}

// plainID is a Message-ID that may be named in our header as it is.
var plainID = regexp.MustCompile(`^<[^<>\s\x00-\x20\x7f-\x{10ffff}]{3,240}>$`)

// replyPage says what became of a reply; what was not understood comes with
// what would be.
func replyPage(r *store.TakenReply, opt Options) *page {
	loc := r.Manager.Location()
	w := writer{voice: voice{lang: r.Manager.Language, loc: loc, year: r.At.In(loc).Year()}, base: opt.PublicURL, at: r.At, today: store.DateOf(r.At, loc)}
	p := &page{Lang: r.Manager.Language, Manager: r.Manager.ID, Token: r.Token, Open: link{w.t("open"), w.url("/")}, Why: []string{w.t("why reply")}}
	p.Subject = "Re: " + mailer.OneLine(store.BareSubject(r.Subject), longSubject)
	_, domain, _ := strings.Cut(opt.From.Address, "@")
	p.References = []string{mailer.MessageID(r.Token, domain)}
	if plainID.MatchString(r.MessageID) {
		p.References = append(p.References, r.MessageID)
	}
	p.InReplyTo = p.References[len(p.References)-1]

	done := section{Title: w.t("reply done"), Color: store.StatusDone.Color()}
	not := section{Title: w.t("reply not done"), Color: store.StatusOverdue.Color()}
	for i := range r.Results {
		x := &r.Results[i]
		row := row{When: w.t("number", x.No), Title: link{Text: w.replied(x)}}
		switch {
		case x.Outcome == store.ReplyLate:
			row.When, row.Title.Text = "—", w.t("reply late")
		case x.Outcome == store.ReplyUnclear:
			row.When, row.Title.Text = "?", w.t("reply unclear", mailer.OneLine(x.Text, longSubject))
			if x.Text == "" {
				row.Title.Text = w.t("reply empty")
			}
		case x.Outcome == store.ReplyDone:
			row.Meta = []link{{Text: w.outcome(x)}}
			done.Rows = append(done.Rows, row)
			continue
		default:
			row.Meta = []link{{Text: w.t("reply "+string(x.Outcome), w.span(x.When))}}
		}
		not.Rows = append(not.Rows, row)
	}
	for _, s := range []section{done, not} {
		if s.Count = fmt.Sprint(len(s.Rows)); len(s.Rows) > 0 {
			p.Sections = append(p.Sections, s)
		}
	}
	p.Title = w.t("replied", len(done.Rows))
	if len(not.Rows) > 0 {
		p.Title = w.t("replied in part", len(done.Rows), len(not.Rows))
		p.Advice = []string{w.t("reply words")}
	}
	return p
}

// replied is the item that a result is about.
func (w *writer) replied(x *store.ReplyResult) string {
	title := mailer.OneLine(x.Title, longSubject)
	if x.Kind == "" {
		return title
	}
	if title == "" {
		return store.Word(w.lang, x.Kind)
	}
	return store.Word(w.lang, x.Kind) + ": " + title
}

// outcome is what was done.
func (w *writer) outcome(x *store.ReplyResult) string {
	switch {
	case x.Letter && x.Verb == store.AnswerMove:
		return w.t("replied plan")
	case x.Letter && (x.Verb == store.AnswerDone || x.Verb == store.AnswerCancel):
		return w.t("replied read")
	case x.Verb == store.AnswerMove:
		return w.t("replied move", w.span(x.When))
	}
	return w.t("replied " + string(x.Verb))
}

// span is "24 ноября, 10:00–10:30" or a day; "" of none.
func (w *writer) span(s store.Span) string {
	switch {
	case s.IsZero():
		return "—"
	case s.AllDay:
		return w.date(s.First)
	}
	text := w.date(store.DateOf(s.Start, w.loc)) + ", " + w.clock(s.Start)
	if s.End.After(s.Start) && store.DateOf(s.End, w.loc) == store.DateOf(s.Start, w.loc) {
		text += "–" + w.clock(s.End)
	}
	return text
}
