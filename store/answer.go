package store

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Answering: what a manager does to an item from a mail (rules.md section 7),
// by a signed link or by a reply. The words of replies are read in
// replywords.go.

// AnswerVerb is what an answer asks for.
type AnswerVerb string

const (
	AnswerDone   AnswerVerb = "done"   // of a letter in: it needs no answer
	AnswerMove   AnswerVerb = "move"   // to another time
	AnswerCancel AnswerVerb = "cancel" // of a sender: nobody's
	AnswerNote   AnswerVerb = "note"
	AnswerClient AnswerVerb = "client" // a sender becomes a person of a new client
	AnswerSource AnswerVerb = "source" // the lead source is …
)

// MailAnswer is one thing to do to one target.
type MailAnswer struct {
	Verb AnswerVerb
	// Of AnswerMove: a snooze word, or a day ("" leaves the day, or means the
	// next such time), and a clock time "15:04" ("" leaves it).
	Snooze Snooze
	Day    Date
	Clock  string
	Text   string // the note, the name of a new client, the name of a source
}

// AnswerTarget is what an answer is about: an item, or an unknown sender.
type AnswerTarget struct {
	Item    ItemKey `json:",omitzero"`
	Version int64   `json:",omitzero"` // of the item as the mail showed it; 0: whatever it is
	Sender  string  `json:",omitzero"` // address
}

// Target of an item, as it is now.
func (it *Item) Target() AnswerTarget {
	if it.Event != nil {
		return AnswerTarget{Item: it.Key(), Version: it.Event.Version}
	}
	return AnswerTarget{Item: it.Key(), Version: it.Contact.Version}
}

// MailKind is a kind of mail that a manager may turn off.
type MailKind string

const (
	DigestMail   MailKind = "digest"
	ReminderMail MailKind = "reminder"
	NightlyMail  MailKind = "nightly"
	ReportMail   MailKind = "report"
	AlertsMail   MailKind = "alerts"
)

// MailKinds are all kinds, in the order in which they are shown.
var MailKinds = []MailKind{DigestMail, ReminderMail, NightlyMail, ReportMail, AlertsMail}

// MailLink is what a signed link in a mail stands for: one action, or all that
// there are for a target; or the end of a kind of mail.
type MailLink struct {
	ManagerID int64
	Target    AnswerTarget
	Do        string   // "done", "cancel", "note", a snooze word; "" all of them
	Stop      MailKind // a link to unsubscribe; no target then
	Expires   time.Time
}

// LinkLife is how long a link in a mail may be followed, and a mail answered.
const LinkLife = 30 * 24 * time.Hour

// StopLife is the same of a link that turns a kind of mail off.
const StopLife = 5 * 365 * 24 * time.Hour

// LinkPath is where the pages of links are, before the token.
const LinkPath = "/mail/"

// Errors of a link, beside those of what it does.
var (
	ErrLinkWrong   = errors.New("the link is not one of ours")
	ErrLinkExpired = errors.New("the link has expired")
	ErrLinkUsed    = errors.New("the link has been used")
)

// MailKey signs what mails carry. Printing one shows nothing of it.
type MailKey struct{ secret []byte }

func (MailKey) String() string       { return "(hidden)" }
func (MailKey) GoString() string     { return "(hidden)" }
func (MailKey) LogValue() slog.Value { return slog.StringValue("(hidden)") }

// macSize is how much of the MAC a link carries: 128 bits, so that none is
// ever guessed.
const macSize = 16

// Derive makes a key for another use, the same on each daemon that shares the
// database. 32 bytes.
func (k MailKey) Derive(use string) []byte {
	mac := hmac.New(sha256.New, k.secret)
	fmt.Fprintf(mac, "derived key\x00%s", use)
	return mac.Sum(nil)
}

func (k MailKey) mac(use, text string) []byte {
	mac := hmac.New(sha256.New, k.secret)
	fmt.Fprintf(mac, "%s\x00%s", use, text)
	return mac.Sum(nil)[:macSize]
}

// Sign gives the link's token: URL-safe, at most 500 bytes.
func (k MailKey) Sign(l MailLink) string {
	// The address is last: it alone may hold a space.
	text := fmt.Sprintf("1 %d %s %d %s %s %d %s", l.ManagerID, itemWord(l.Target.Item), l.Target.Version, orDash(l.Do), orDash(string(l.Stop)), l.Expires.Unix(), clip(l.Target.Sender, 254))
	return base64.RawURLEncoding.EncodeToString(append(k.mac("link", text), text...))
}

// Read gives what a token stands for: ErrLinkWrong unless we signed it.
// ErrLinkExpired comes with what it stood for.
func (k MailKey) Read(token string, now time.Time) (l MailLink, err error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) <= macSize || len(raw) > 500 || !hmac.Equal(raw[:macSize], k.mac("link", string(raw[macSize:]))) {
		return l, ErrLinkWrong
	}
	f := strings.SplitN(string(raw[macSize:]), " ", 8)
	if len(f) != 8 || f[0] != "1" {
		return l, ErrLinkWrong
	}
	ids := [3]int64{}
	for i, text := range []string{f[1], f[3], f[6]} {
		if ids[i], err = strconv.ParseInt(text, 10, 64); err != nil {
			return l, ErrLinkWrong
		}
	}
	l = MailLink{ManagerID: ids[0], Target: AnswerTarget{Version: ids[1], Sender: f[7]},
		Do: strings.TrimPrefix(f[4], "-"), Stop: MailKind(strings.TrimPrefix(f[5], "-")), Expires: time.Unix(ids[2], 0).UTC()}
	if f[2] != "-" {
		if l.Target.Item, err = parseItemKey(f[2]); err != nil {
			return l, ErrLinkWrong
		}
	}
	if !now.Before(l.Expires) {
		return l, ErrLinkExpired
	}
	return l, nil
}

// ReplyToken is what the Message-ID and the Reply-To of the mail with that key
// carry, the same on every try: 32 hexadecimal digits.
func (k MailKey) ReplyToken(mailKey string) string {
	return hex.EncodeToString(k.mac("reply", mailKey))
}

// usedMark names a token in the table of used ones, without giving it away.
func usedMark(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:16])
}

func itemWord(k ItemKey) string {
	if k.ID == 0 {
		return "-"
	}
	return k.String()
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// closed: nothing is to be done about it any more. A letter has happened, and
// may still be answered.
func (it *Item) closed() bool { return !it.letter() && (it.State() == Done || it.State() == Cancelled) }

// letter: it is a letter that came or went, not something planned.
func (it *Item) letter() bool { return it.Contact != nil && it.Contact.MessageKey != "" }

// MailReply is a manager's answer by mail to one of our mails, as mailsync read it.
type MailReply struct {
	Key, MessageID string // of the letter
	From           string // address, normalised
	Subject        string
	Sent           time.Time
	Tokens         []string // that its addresses and references carry (ReplyTokens)
	Text           string   // what the author wrote, without quotes and signature
	Quiet          bool     // it asks for no automatic response
}

// ReplyOutcome is what became of one thing that a reply asked for.
type ReplyOutcome string

const (
	ReplyDone    ReplyOutcome = "ok"
	ReplyStale   ReplyOutcome = "stale"   // changed meanwhile; asked again it is done
	ReplyGone    ReplyOutcome = "gone"    // not there any more, or no longer the manager's
	ReplyRefused ReplyOutcome = "refused" // that cannot be done to it
	ReplyUnclear ReplyOutcome = "unclear" // not understood
	ReplyLate    ReplyOutcome = "late"    // the mail is too old to be answered
)

// ReplyResult is one line of the answer to a reply.
type ReplyResult struct {
	No      int        `json:",omitzero"` // of the mail's items; 0: of none
	Kind    string     `json:",omitzero"` // a word: "kind.call", "type.payment"
	Title   string     `json:",omitzero"`
	Verb    AnswerVerb `json:",omitzero"`
	Letter  bool       `json:",omitzero"` // it is a letter, which has happened
	Outcome ReplyOutcome
	When    Span   `json:",omitzero"` // where it is now
	Text    string `json:",omitzero"` // what was written
}

// TakenReply is a reply that was acted on and waits for our answer.
type TakenReply struct {
	ID        int64
	Manager   Manager
	Address   string // to answer to
	MessageID string
	Subject   string
	Token     string // of the mail that it answered; its Message-ID carries it too
	Results   []ReplyResult
	At        time.Time
}

// replyAnswers is how many replies of one manager are answered in 24 hours; the
// others are only acted on.
const replyAnswers = 30

// replyToken finds tokens of ours: behind the plus of an address, or in a
// Message-ID.
var replyToken = regexp.MustCompile(`(?i)(?:\+|<?intouch\.)([0-9a-f]{32})@`)

// ReplyTokens are the tokens that addresses and Message-IDs carry, each once,
// in their order, at most five.
func ReplyTokens(texts ...string) (tokens []string) {
	for _, text := range texts {
		for _, m := range replyToken.FindAllStringSubmatch(clip(text, 10_000), 50) {
			if token := strings.ToLower(m[1]); len(tokens) < 5 && !slices.Contains(tokens, token) {
				tokens = append(tokens, token)
			}
		}
	}
	return tokens
}

// moved is where an answer moves a span; false: that cannot be.
func (a *MailAnswer) moved(s Span, now time.Time, loc *time.Location) (Span, bool) {
	to := s
	switch {
	case a.Snooze != "":
		var ok bool
		if to, ok = s.Snooze(a.Snooze, now, loc); !ok {
			return s, false
		}
	case a.Day != "":
		if s.AllDay || s.IsZero() {
			to = Days(a.Day, a.Day.Add(s.First.Days(s.Last)), loc)
		} else {
			clock := s.Start.In(loc)
			to = s.Move(atClock(a.Day, clock.Hour(), clock.Minute(), loc), loc)
		}
	}
	if a.Clock == "" {
		return to, a.Snooze != "" || a.Day != ""
	}
	clock, err := time.Parse("15:04", a.Clock)
	if err != nil {
		return s, false
	}
	day := DateOf(now, loc)
	if a.Snooze != "" || a.Day != "" {
		day = DateOf(to.Begins(loc), loc)
	}
	start := atClock(day, clock.Hour(), clock.Minute(), loc)
	if a.Snooze == "" && a.Day == "" && !start.After(now) { // a time alone is the next one
		start = atClock(day.Add(1), clock.Hour(), clock.Minute(), loc)
	}
	if s.AllDay || s.IsZero() {
		return Span{Start: start.UTC(), End: start.Add(30 * time.Minute).UTC()}, true
	}
	return to.Move(start, loc), true
}

// Moves reports whether an item can be moved as the answer wants it, for a
// manager in loc.
func (a *MailAnswer) Moves(it *Item, now time.Time, loc *time.Location) bool {
	when := it.WhenIn(loc)
	if it.letter() {
		when = Span{} // what is planned is an answer to it
	}
	_, ok := a.moved(when, now, loc)
	return ok && !it.closed()
}

func atClock(d Date, hour, minute int, loc *time.Location) time.Time {
	t, _ := time.Parse(dateLayout, string(d)) // zero for what is no day; callers give days
	return WallTime(t.Year(), t.Month(), t.Day(), hour, minute, loc)
}
