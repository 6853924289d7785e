package web

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"intouch/store"
)

// The pages of the signed links in mails. The token is all that a visitor
// shows: there is no session, and the page says no more than the mail did.
// Mail scanners open links, so that GET changes nothing; a form does, once.

// LogPath is a request's path as it may stand in a log: a link's token is a
// secret.
func LogPath(path string) string {
	if strings.HasPrefix(path, store.LinkPath) {
		return store.LinkPath + "…"
	}
	return path
}

// byLink wraps a page that a token opens. A form of another site cannot know
// the token, and the POST of RFC 8058 comes from a mail provider without
// cookie or Origin, so that origins are not compared.
func (s *server) byLink(h func(*visit) error) http.Handler {
	return s.guard(s.around(func(v *visit) error {
		v.w.Header().Set("Referrer-Policy", "no-referrer") // the address is the secret
		return h(v)
	}))
}

// linkView is the page of a link: what it is about, and what can be done.
type linkView struct {
	Row    *row         // the item; nil
	Sender *senderFacts // who wrote; nil
	Action string       // where the forms go
	Only   option       // the one button of a link for one action; Value "" offers all
	More   string       // the page of all actions

	Buttons []option // done, cancel, …
	Snoozes []option
	Sources []option
	Note    bool
	Name    string // of a new client
}

type senderFacts struct{ Name, Address, Subject, Last string }

// linkNews says what became of a link, or why nothing did.
type linkNews struct {
	Good    bool
	Heading string
	Text    string
	Row     *row
	Again   string // a page on which it can be done all the same; "" none
	Off, On string // the form that turns a kind of mail on again, or off: its value
	Action  string
	Button  string
}

func (s *server) linkPage(v *visit) error {
	token := v.PathValue("token")
	link, err := s.st.Link(v.ctx, token)
	s.speakTo(v, link.Manager)
	switch {
	case err != nil:
		return s.linkFault(v, link, err)
	case link.Link.Stop != "":
		off, err := s.st.Unsubscribed(v.ctx, link.Manager.ID)
		if err != nil {
			return err
		}
		return s.stopPage(v, link.Link.Stop, !off[link.Link.Stop].IsZero())
	case link.Stale:
		return s.linkFault(v, link, store.ErrStale)
	}
	view := newLinkView(v.say, &link)
	view.Action = v.URL.Path
	if view.Only.Value != "" {
		view.More = s.freshLink(&link)
	}
	title := v.say.t("link.title")
	return s.show(v, http.StatusOK, "link.html", title, view)
}

// speakTo takes on the language and zone of the link's manager.
func (s *server) speakTo(v *visit, m store.Manager) {
	if m.ID != 0 {
		v.say = voice{who: m, lang: m.Language, loc: m.Location(), now: s.st.Now()}
	}
}

// freshLink leads to all actions for the item as it is now, for as long as the
// link in the mail would have.
func (s *server) freshLink(v *store.LinkView) string {
	l := v.Link
	l.Do = ""
	if v.Item != nil {
		l.Target = v.Item.Target()
	}
	return store.LinkPath + s.st.MailKey().Sign(l)
}

func newLinkView(say voice, link *store.LinkView) linkView {
	var view linkView
	button := func(do string) option { return option{Value: do, Label: say.t("link." + do)} }
	if x := link.Sender; x != nil {
		view.Sender = &senderFacts{Name: clip(200, cmp.Or(x.Name, x.Address)), Address: x.Address, Subject: clip(300, x.Subject), Last: say.moment(x.Last)}
		view.Name = clip(200, x.Name)
		if _, domain, ok := strings.Cut(x.Address, "@"); ok && view.Name == "" {
			view.Name = domain
		}
		view.Buttons = []option{button("refuse")}
		return view
	}
	it := link.Item
	r := itemRow(say, it, nil, "")
	view.Row = &r
	for _, word := range store.Snoozes {
		a := store.MailAnswer{Verb: store.AnswerMove, Snooze: word}
		if a.Moves(it, say.now, say.loc) {
			view.Snoozes = append(view.Snoozes, option{string(word), say.t("snooze." + string(word)), word == "tomorrow"})
		}
	}
	for _, do := range doable(it) {
		view.Buttons = append(view.Buttons, button(do))
	}
	for _, x := range link.Sources {
		if it.Contact != nil {
			view.Sources = append(view.Sources, option{x.ExternalID, x.Name, x.ID == it.Contact.SourceID})
		}
	}
	view.Note = true
	switch do := link.Link.Do; {
	case do == "":
	case said("snooze." + do):
		view.Only = option{Value: do, Label: say.t("link.move", say.t("snooze."+do))}
	case said("link." + do):
		view.Only = button(do)
	}
	return view
}

// doable are the buttons for an item: a letter has happened, and needs no
// answer at most.
func doable(it *store.Item) []string {
	if it.Contact != nil && it.Contact.MessageKey != "" {
		return []string{"read"}
	}
	return []string{"done", "cancel"}
}

// linkAnswer is what the form of a link asks for. A link for one action does
// no other.
func linkAnswer(l store.MailLink, form func(string) string) (a store.MailAnswer, ok bool) {
	do := form("do")
	if l.Do != "" && l.Do != "client" && do != l.Do {
		return a, false
	}
	switch do {
	case "done", "read":
		return store.MailAnswer{Verb: store.AnswerDone}, true
	case "cancel", "refuse":
		return store.MailAnswer{Verb: store.AnswerCancel}, true
	case "note":
		return store.MailAnswer{Verb: store.AnswerNote, Text: form("note")}, true
	case "client":
		return store.MailAnswer{Verb: store.AnswerClient, Text: form("name")}, true
	case "source":
		return store.MailAnswer{Verb: store.AnswerSource, Text: form("source")}, true
	case "snooze":
		do = form("value")
	}
	return store.MailAnswer{Verb: store.AnswerMove, Snooze: store.Snooze(do)}, said("snooze." + do)
}

func (s *server) followLink(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	token := v.PathValue("token")
	link, err := s.st.Link(v.ctx, token)
	s.speakTo(v, link.Manager)
	if err != nil {
		return s.linkFault(v, link, err)
	}
	if kind := link.Link.Stop; kind != "" {
		off := v.PostFormValue("do") != "on" // RFC 8058's form has no "do"
		if err := s.st.Unsubscribe(v.ctx, link.Manager.ID, kind, off); err != nil {
			return err
		}
		return s.stopPage(v, kind, off)
	}
	answer, ok := linkAnswer(link.Link, v.PostFormValue)
	if !ok {
		return s.linkFault(v, link, &store.Invalid{})
	}
	done, err := s.st.FollowLink(v.ctx, token, answer)
	if err != nil {
		if done.Manager.ID == 0 {
			done = link
		}
		return s.linkFault(v, done, err)
	}
	news := linkNews{Good: true, Heading: v.say.t("link.ok." + string(answer.Verb))}
	if done.Item != nil {
		r := itemRow(v.say, done.Item, nil, "")
		r.CanDo = false
		news.Row = &r
	}
	return s.show(v, http.StatusOK, "linknews.html", news.Heading, news)
}

// linkFault says why a link does nothing.
func (s *server) linkFault(v *visit, link store.LinkView, err error) error {
	var bad *store.Invalid
	code, key := 0, ""
	switch {
	case errors.Is(err, store.ErrLinkWrong):
		code, key = http.StatusNotFound, "link.wrong"
	case errors.Is(err, store.ErrLinkExpired):
		code, key = http.StatusGone, "link.expired"
	case errors.Is(err, store.ErrLinkUsed):
		code, key = http.StatusGone, "link.used"
	case errors.Is(err, store.ErrNotFound):
		code, key = http.StatusNotFound, "link.gone"
	case errors.Is(err, store.ErrStale):
		code, key = http.StatusConflict, "link.stale"
	case errors.As(err, &bad):
		code, key = http.StatusUnprocessableEntity, "link.refused"
	default:
		return err
	}
	news := linkNews{Heading: v.say.t(key), Text: v.say.t(key + ".text")}
	if link.Item != nil && (code == http.StatusConflict || code == http.StatusUnprocessableEntity) {
		r := itemRow(v.say, link.Item, nil, "")
		r.CanDo = false
		news.Row, news.Again = &r, s.freshLink(&link)
	}
	return s.show(v, code, "linknews.html", news.Heading, news)
}

// stopPage says whether a kind of mail is sent, and offers the other.
func (s *server) stopPage(v *visit, kind store.MailKind, off bool) error {
	what := v.say.t("mail." + string(kind))
	news := linkNews{Heading: v.say.t("stop.ask", what), Text: v.say.t("stop.ask.text"), Off: "off", Button: v.say.t("stop.do"), Action: v.URL.Path}
	if off {
		news = linkNews{Good: true, Heading: v.say.t("stop.off", what), Text: v.say.t("stop.off.text"), On: "on", Button: v.say.t("stop.undo"), Action: v.URL.Path}
	} else if v.Method == http.MethodPost {
		news.Good, news.Heading, news.Text = true, v.say.t("stop.on", what), ""
	}
	return s.show(v, http.StatusOK, "linknews.html", news.Heading, news)
}

// said reports whether there is a text with that key.
func said(key string) bool {
	_, ok := texts[key]
	return ok
}

// mailSwitch is a kind of mail on the set-up page.
type mailSwitch struct {
	Kind, What string
	Off        bool
	Since      string // "" where the settings turn it off
}

// mailSwitches are all kinds of mail that a manager may turn off.
func (s *server) mailSwitches(v *visit) (out []mailSwitch, err error) {
	off, err := s.st.Unsubscribed(v.ctx, v.who.ID)
	if err != nil {
		return nil, err
	}
	for _, kind := range store.MailKinds {
		m := mailSwitch{Kind: string(kind), What: v.say.t("mail." + string(kind))}
		if at := off[kind]; !at.IsZero() {
			m.Off, m.Since = true, v.say.moment(at)
		}
		if kind == store.ReminderMail && !s.st.RemindersOf(v.who).Mail {
			m.Off = true
		}
		out = append(out, m)
	}
	return out, nil
}

// switchMail turns a kind of mail off or on.
func (s *server) switchMail(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	kinds := chosen([]string{v.PostFormValue("kind")}, store.MailKinds)
	if len(kinds) != 1 {
		return errBadForm
	}
	if err := s.st.Unsubscribe(v.ctx, v.who.ID, kinds[0], v.PostFormValue("do") == "off"); err != nil {
		return fmt.Errorf("switch mail: %w", err)
	}
	return v.back("/setup", "saved")
}
