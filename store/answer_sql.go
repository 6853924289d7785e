package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"
)

// loadMailKey reads what signs mails; the first one makes it.
func (s *Store) loadMailKey(ctx context.Context) error {
	if err := s.read(ctx, func(t *tx) error {
		return ignoreNotFound(t.row(`SELECT secret FROM mail_key WHERE id = 1`, nil, &s.mailKey.secret))
	}); err != nil || len(s.mailKey.secret) > 0 {
		return err
	}
	return s.write(ctx, func(t *tx) error {
		secret := make([]byte, 32)
		rand.Read(secret) // never fails
		if _, err := t.exec(`INSERT INTO mail_key (id, secret) VALUES (1, $1) ON CONFLICT (id) DO NOTHING`, secret); err != nil {
			return err
		}
		return t.row(`SELECT secret FROM mail_key WHERE id = 1`, nil, &s.mailKey.secret)
	})
}

// MailKey signs the links of mails: one for all daemons on a database.
func (s *Store) MailKey() MailKey { return s.mailKey }

// LinkView is what the page of a link shows.
type LinkView struct {
	Link    MailLink
	Manager Manager
	Item    *Item   // as it is now; nil where it is about a sender or mails
	Sender  *Sender // nil where it is about something else
	Sources []LeadSource
	Stale   bool // the item was changed since the mail
}

// LeadSource is a lead source to choose from.
type LeadSource struct {
	ID         int64
	ExternalID string
	Name       string
}

// Link looks at a link's token without changing anything. ErrLinkWrong,
// ErrLinkExpired, ErrLinkUsed; ErrNotFound: what it is about is gone, or no
// longer the manager's. With the last three the view says whose it was.
func (s *Store) Link(ctx context.Context, token string) (v LinkView, err error) {
	err = s.read(ctx, func(t *tx) error {
		v, err = t.link(token)
		return err
	})
	return v, err
}

func (t *tx) link(token string) (v LinkView, err error) {
	link, fault := t.s.mailKey.Read(token, t.now)
	if errors.Is(fault, ErrLinkWrong) {
		return v, fault
	}
	v.Link = link
	if v.Manager, err = t.manager("m.id = $1", link.ManagerID); errors.Is(err, ErrNotFound) {
		return LinkView{}, ErrLinkWrong
	} else if err != nil {
		return v, err
	}
	if fault != nil || link.Stop != "" {
		return v, fault
	}
	var one int
	if err = t.row(`SELECT 1 FROM used_links WHERE token = $1`, []any{usedMark(token)}, &one); err == nil {
		return v, ErrLinkUsed
	} else if ignoreNotFound(err) != nil {
		return v, err
	}
	if link.Target.Sender != "" {
		x, err := t.unknownSender(v.Manager, link.Target.Sender)
		v.Sender = &x
		return v, err
	}
	it, err := t.item(link.Target.Item)
	if err == nil {
		err = t.mayEdit(Actor{ManagerID: v.Manager.ID}, &it)
	}
	if err != nil {
		return v, err
	}
	if it.Contact != nil {
		it.Contact.hideFrom(v.Manager.ID)
	}
	it.Status = it.StatusAt(v.Manager.Location(), t.now)
	v.Item, v.Stale = &it, link.Target.Version != 0 && it.Target().Version != link.Target.Version
	return v, t.rows(`SELECT id, external_id, name FROM sources ORDER BY name, id LIMIT 500`, nil, func(scan func(...any) error) error {
		var x LeadSource
		err := scan(&x.ID, textInto{&x.ExternalID}, &x.Name)
		v.Sources = append(v.Sources, x)
		return err
	})
}

// FollowLink does what a link is for, once. Errors as Link; ErrStale: the item
// was changed since the mail; *Invalid: that cannot be done to it.
func (s *Store) FollowLink(ctx context.Context, token string, a MailAnswer) (v LinkView, err error) {
	err = s.writeAgain(ctx, func(t *tx) error {
		if v, err = t.link(token); err != nil {
			return err
		}
		if v.Link.Stop != "" {
			return ErrLinkWrong
		}
		var it *Item
		it, err = t.answerTo(v.Manager, FromLink, v.Link.Target, a)
		if err != nil {
			return err
		}
		v.Item = it
		if _, err := t.exec(`DELETE FROM used_links WHERE expires < $1`, t.now.Unix()); err != nil {
			return err
		}
		n, err := t.exec(`INSERT INTO used_links (token, at, expires) VALUES ($1, $2, $3) ON CONFLICT (token) DO NOTHING`, usedMark(token), t.now.Unix(), v.Link.Expires.Unix())
		if err == nil && n == 0 { // somebody followed it at the same moment
			err = ErrLinkUsed
		}
		return err
	})
	return v, err
}

// answerTo does one thing to one target, as its manager; it gives the item as it
// is then, nil for a sender. A target with another version than the item's is
// ErrStale, unless nothing can be overwritten by the answer.
func (t *tx) answerTo(who Manager, origin Origin, to AnswerTarget, a MailAnswer) (*Item, error) {
	actor := Actor{ManagerID: who.ID, Origin: origin}
	if to.Sender != "" {
		return nil, t.answerSender(who, actor, to.Sender, a)
	}
	table := "contacts"
	if to.Item.Event {
		table = "deal_events"
	}
	if err := t.lock(table, to.Item.ID); err != nil {
		return nil, err
	}
	it, err := t.item(to.Item)
	if err == nil {
		err = t.mayEdit(actor, &it)
	}
	if err != nil {
		return nil, err
	}
	adds := a.Verb == AnswerNote || a.Verb == AnswerSource
	if !adds && to.Version != 0 && to.Version != it.Target().Version {
		return &it, ErrStale
	}
	switch {
	case a.Verb == AnswerSource:
		err = t.answerSource(actor, &it, a.Text)
	case it.Event != nil:
		err = t.answerEvent(who, actor, it, a)
	case it.letter():
		err = t.answerLetter(who, actor, it.Contact, a)
	default:
		err = t.answerContact(who, actor, it.Contact, a)
	}
	if err != nil {
		return &it, err
	}
	if it, err = t.item(to.Item); err != nil {
		return nil, err
	}
	it.Status = it.StatusAt(who.Location(), t.now)
	return &it, nil
}

// maxNote bounds a note, in bytes.
const maxNote = 10_000

// noted is a text with a note below it: when it was made, and by whom.
func (t *tx) noted(text string, who Manager, note string) (string, error) {
	note = strings.TrimSpace(clip(clean(note), maxNote))
	if note == "" {
		return "", invalid("note", "is empty")
	}
	head := t.now.In(who.Location()).Format("02.01.2006 15:04")
	if who.Language != Russian {
		head = t.now.In(who.Location()).Format("2006-01-02 15:04")
	}
	return strings.TrimSpace(text + "\n\n" + head + ", " + who.Name + ": " + note), nil
}

// answeredState is what something is by an answer that closes it.
var answeredState = map[AnswerVerb]State{AnswerDone: Done, AnswerCancel: Cancelled}

func (t *tx) answerContact(who Manager, actor Actor, c *Contact, a MailAnswer) (err error) {
	var e ContactEdit
	state := answeredState[a.Verb]
	switch a.Verb {
	case AnswerDone, AnswerCancel:
		e.State = &state
	case AnswerMove:
		it := contactAsItem(c)
		when, ok := a.moved(it.WhenIn(who.Location()), t.now, who.Location())
		if !ok || it.closed() {
			return invalid("when", "cannot be moved there")
		}
		e.When = &when
		if planned := Planned; c.State == Postponed {
			e.State = &planned
		}
	case AnswerNote:
		body, err := t.noted(c.Body, who, a.Text)
		if err != nil {
			return err
		}
		e.Body = &body
	default:
		return invalid("", "a contact cannot do that: %s", a.Verb)
	}
	return t.editContact(actor, *c, e)
}

// answerLetter: a letter has happened. What is done about it is that it needs
// no answer, or that a new contact says something of it.
func (t *tx) answerLetter(who Manager, actor Actor, c *Contact, a MailAnswer) error {
	draft := ContactDraft{Kind: Letter, Direction: Out, ClientID: c.ClientID, ClientText: c.ClientText, DealID: c.DealID, Importance: c.Importance, Subject: c.Subject}
	for _, p := range c.Persons[:min(len(c.Persons), 20)] {
		draft.Persons = append(draft.Persons, p.ID)
	}
	switch a.Verb {
	case AnswerDone, AnswerCancel:
		if c.Dismissed {
			return nil
		}
		if _, err := t.exec(`UPDATE contacts SET dismissed = TRUE WHERE id = $1`, c.ID); err != nil {
			return err
		}
		return t.remember(actor, "contact", c.ID, "changed", changes{"dismissed": {"", "yes"}})
	case AnswerMove:
		when, ok := a.moved(Span{}, t.now, who.Location())
		if !ok {
			return invalid("when", "cannot be planned then")
		}
		draft.When = when
	case AnswerNote:
		body, err := t.noted("", who, a.Text)
		if err != nil {
			return err
		}
		draft.Kind, draft.Direction, draft.State, draft.Body = Other, NoDirection, Done, body
		draft.When = Span{Start: t.now, End: t.now}
	default:
		return invalid("", "a letter cannot do that: %s", a.Verb)
	}
	_, err := t.planContact(actor, draft)
	return err
}

func (t *tx) answerEvent(who Manager, actor Actor, it Item, a MailAnswer) error {
	var e EventEdit
	state := answeredState[a.Verb]
	switch a.Verb {
	case AnswerDone, AnswerCancel:
		e.State = &state
	case AnswerMove:
		loc := who.Location()
		a.Clock = "" // a deal's event has a day
		when, ok := a.moved(it.WhenIn(loc), t.now, loc)
		if !ok || it.closed() {
			return invalid("when", "cannot be moved there")
		}
		day := DateOf(when.Begins(loc), loc)
		e.Expected = &day
		if planned := Planned; it.Event.State == Postponed {
			e.State = &planned
		}
	case AnswerNote:
		note, err := t.noted(it.Event.Note, who, a.Text)
		if err != nil {
			return err
		}
		e.Note = &note
	default:
		return invalid("", "a deal's event cannot do that: %s", a.Verb)
	}
	_, err := t.editEvent(actor, it, e)
	return err
}

// answerSource sets the lead source of a contact and of its client.
func (t *tx) answerSource(actor Actor, it *Item, name string) error {
	if it.Contact == nil {
		return invalid("source", "a deal's event has none")
	}
	source, names, err := t.sourceNamed(SourceSlug(name))
	if err != nil {
		return err
	}
	if source == 0 {
		return invalid("source", "there is no lead source %q", clip(name, 100))
	}
	var clients []int64
	if it.ClientID != 0 {
		clients = append(clients, it.ClientID)
	}
	return t.setSource(actor, []int64{it.Contact.ID}, clients, source, names)
}

// answerSender makes an unknown sender a person of a new client, or nobody's.
func (t *tx) answerSender(who Manager, actor Actor, address string, a MailAnswer) error {
	if a.Verb != AnswerClient && a.Verb != AnswerCancel {
		return invalid("", "a sender who is nobody's cannot do that: %s", a.Verb)
	}
	x, err := t.unknownSender(who, address)
	if err != nil {
		return err
	}
	id, err := t.offerSender(who, address)
	if err != nil {
		return err
	}
	if a.Verb == AnswerCancel {
		return t.refuseOffer(who, id)
	}
	_, domain, _ := strings.Cut(address, "@")
	name := cmp.Or(strings.TrimSpace(clean(a.Text)), heardName(x.Name), domain)
	_, err = t.acceptOffer(who, actor, id, Acceptance{NewClient: clip(name, maxSubject)})
	return err
}

// Unsubscribe turns a kind of mail off for a manager, or on again; doing so
// twice changes nothing. Mailed reminders are a setting of the manager, which
// the page of reminders shows, too.
func (s *Store) Unsubscribe(ctx context.Context, managerID int64, kind MailKind, off bool) error {
	actor := Actor{ManagerID: managerID, Origin: FromLink}
	if kind == ReminderMail {
		mail := "off"
		if !off && s.opt.Reminders.Mail {
			mail = "" // as the settings say
		} else if !off {
			mail = "on"
		}
		return s.SetReminders(ctx, actor, managerID, map[string]string{"mail": mail})
	}
	return s.write(ctx, func(t *tx) error {
		changed, err := t.unsubscribe(managerID, kind, off)
		if err != nil || !changed {
			return err
		}
		was, is := "on", "off"
		if !off {
			was, is = is, was
		}
		return t.remember(actor, "manager", managerID, "changed", changes{"mail_" + string(kind): {was, is}})
	})
}

// unsubscribe notes that a manager does not want a kind of mail, or does again.
func (t *tx) unsubscribe(managerID int64, kind MailKind, off bool) (changed bool, err error) {
	query := `DELETE FROM unsubscribed WHERE manager_id = $1 AND kind = $2`
	args := []any{managerID, string(kind)}
	if off {
		query = `INSERT INTO unsubscribed (manager_id, kind, at) VALUES ($1, $2, $3) ON CONFLICT (manager_id, kind) DO NOTHING`
		args = append(args, t.now.Unix())
	}
	n, err := t.exec(query, args...)
	return n > 0, err
}

// Unsubscribed are the kinds of mail that a manager has turned off, and when.
func (s *Store) Unsubscribed(ctx context.Context, managerID int64) (off map[MailKind]time.Time, err error) {
	off = map[MailKind]time.Time{}
	err = s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT kind, at FROM unsubscribed WHERE manager_id = $1`, []any{managerID}, func(scan func(...any) error) error {
			var kind MailKind
			var at time.Time
			err := scan(&kind, timeInto{&at})
			off[kind] = at
			return err
		})
	})
	return off, err
}

// wanted reports whether the manager of a mail wants its kind.
func (t *tx) wanted(m Mail) (bool, error) {
	if m.ManagerID == 0 || m.Kind == "" {
		return true, nil
	}
	var one int
	err := t.row(`SELECT 1 FROM unsubscribed WHERE manager_id = $1 AND kind = $2`, []any{m.ManagerID, string(m.Kind)}, &one)
	return errors.Is(err, ErrNotFound), ignoreNotFound(err)
}

// saveSheet keeps what the numbers of a mail stand for, for answers to it.
func (t *tx) saveSheet(m Mail) error {
	if m.ReplyToken == "" || len(m.Targets) == 0 {
		return nil
	}
	if _, err := t.exec(`DELETE FROM answer_sheets WHERE expires < $1`, t.now.Add(-LinkLife).Unix()); err != nil { // older ones are answered that they are too old
		return err
	}
	_, err := t.exec(`INSERT INTO answer_sheets (token, manager_id, subject, targets, created, expires) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (token) DO NOTHING`,
		m.ReplyToken, m.ManagerID, clip(clean(m.Subject), 500), asJSON(m.Targets), t.now.Unix(), t.now.Add(LinkLife).Unix())
	return err
}

// takeReply does what a reply asks for, once for each letter. One that carries
// no token of ours, or comes from an address that is not the manager's, is
// nobody's: nothing is done and nothing is answered.
func (t *tx) takeReply(r *MailReply) error {
	var sheet struct {
		token   string
		who     int64
		targets []AnswerTarget
		expires time.Time
	}
	err := t.row(`SELECT s.token, s.manager_id, s.targets, s.expires FROM answer_sheets s JOIN manager_addresses a ON a.manager_id = s.manager_id
		WHERE a.address = $1 AND s.token IN `+t.s.dialect.texts("$2")+` ORDER BY s.created DESC LIMIT 1`, []any{r.From, asJSON(r.Tokens)},
		&sheet.token, &sheet.who, jsonInto{&sheet.targets}, timeInto{&sheet.expires})
	if errors.Is(err, ErrNotFound) {
		t.s.log.Warn("a reply carries no token of a mail to its sender and is not obeyed", "from", r.From)
		return nil
	}
	if err != nil {
		return err
	}
	who, err := t.manager("m.id = $1", sheet.who)
	if err != nil {
		return err
	}
	id, err := t.newReply(r, who.ID, sheet.token)
	if err != nil || id == 0 {
		return err
	}
	var results []ReplyResult
	if !t.now.Before(sheet.expires) {
		results = []ReplyResult{{Outcome: ReplyLate}}
	} else if results, err = t.obeyReply(who, r, sheet.targets); err != nil {
		return err
	}
	if _, err := t.exec(`UPDATE answer_sheets SET targets = $1 WHERE token = $2`, asJSON(sheet.targets), sheet.token); err != nil {
		return err
	}
	var before int
	if err := t.row(`SELECT COUNT(*) FROM replies WHERE manager_id = $1 AND at > $2`, []any{who.ID, t.now.Add(-24 * time.Hour).Unix()}, &before); err != nil {
		return err
	}
	told := int64(0)
	if r.Quiet {
		told = t.now.Unix()
	}
	if before > replyAnswers {
		t.s.log.Warn("a reply was obeyed but is not answered: there were many today", "manager", who.Login)
		told = t.now.Unix()
	}
	_, err = t.exec(`UPDATE replies SET results = $1, told = $2 WHERE id = $3`, asJSON(results), told, id)
	return err
}

// newReply notes a reply; 0 when it was there.
func (t *tx) newReply(r *MailReply, managerID int64, token string) (id int64, err error) {
	if n, err := t.exec(`INSERT INTO replies (message_key, manager_id, sheet, address, message_id, subject, results, at) VALUES ($1, $2, $3, $4, $5, $6, '[]', $7) ON CONFLICT (message_key) DO NOTHING`,
		clip(clean(r.Key), 1000), managerID, token, r.From, clip(clean(r.MessageID), 1000), clip(clean(r.Subject), 500), t.now.Unix()); err != nil || n == 0 {
		return 0, err
	}
	return id, t.row(`SELECT id FROM replies WHERE message_key = $1`, []any{clip(clean(r.Key), 1000)}, &id)
}

// obeyReply acts line by line; one that fails holds up no other. The targets
// learn the versions that were made or seen: who asks again for what was
// changed meanwhile has been told of it.
func (t *tx) obeyReply(who Manager, r *MailReply, targets []AnswerTarget) (results []ReplyResult, err error) {
	acts, unclear := ReadReply(r.Text, targets, cmp.Or(r.Sent, t.now), who.Location())
	for _, n := range acts {
		to := &targets[n.No-1]
		out := ReplyResult{No: n.No, Verb: n.Verb, Text: clip(n.Text, 300), Outcome: ReplyDone}
		it, err := t.answerTo(who, FromReply, *to, n.MailAnswer)
		var bad *Invalid
		switch {
		case errors.Is(err, ErrStale):
			out.Outcome = ReplyStale
		case errors.Is(err, ErrNotFound):
			out.Outcome = ReplyGone
		case errors.As(err, &bad):
			out.Outcome = ReplyRefused
		case err != nil:
			return nil, fmt.Errorf("answer %d: %w", n.No, err)
		}
		if it != nil {
			to.Version = it.Target().Version
			out.When, out.Letter = it.WhenIn(who.Location()), it.letter()
			if it.Event != nil {
				out.Kind = "type." + string(it.Type)
				if it.Deal != nil {
					out.Title = it.Deal.Number
				}
			} else {
				out.Kind, out.Title = "kind."+string(it.Contact.Kind), it.Contact.Subject
			}
		} else {
			out.Title = to.Sender
		}
		out.Title = clip(clean(out.Title), 300)
		results = append(results, out)
	}
	for _, text := range unclear {
		results = append(results, ReplyResult{Outcome: ReplyUnclear, Text: clip(clean(text), 300)})
	}
	return results, nil
}

// UntoldReplies are the replies that were acted on and wait for our answer,
// oldest first.
func (s *Store) UntoldReplies(ctx context.Context, limit int) (out []TakenReply, err error) {
	err = s.read(ctx, func(t *tx) error {
		var managers []int64
		err := t.rows(`SELECT id, manager_id, sheet, address, message_id, subject, results, at FROM replies WHERE told = 0 ORDER BY id LIMIT $1`, []any{limit}, func(scan func(...any) error) error {
			var r TakenReply
			var manager int64
			err := scan(&r.ID, &manager, &r.Token, &r.Address, &r.MessageID, &r.Subject, jsonInto{&r.Results}, timeInto{&r.At})
			out, managers = append(out, r), append(managers, manager)
			return err
		})
		for i := range out {
			if err == nil {
				out[i].Manager, err = t.manager("m.id = $1", managers[i])
			}
		}
		return err
	})
	return out, err
}

// TellReply queues our answer to a reply, once; without a mail it only notes
// that there is none.
func (s *Store) TellReply(ctx context.Context, id int64, mails ...Mail) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec(`UPDATE replies SET told = $1 WHERE id = $2 AND told = 0`, t.now.Unix(), id)
		if err != nil || n == 0 {
			return err
		}
		for _, m := range mails {
			if err := t.putMail(m); err != nil {
				return err
			}
		}
		return nil
	})
}
