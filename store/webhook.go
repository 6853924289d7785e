package store

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Webhooks tell other programs what happens, as Standard Webhooks 1.0 says
// (standardwebhooks.com). An event is written down for each webhook in the
// transaction that caused it, and delivered by the scheduler.

// EventType is something that a webhook may be told.
type EventType string

const (
	ContactCaptured  EventType = "contact.captured" // a letter, not older than freshLetter
	ContactPlanned   EventType = "contact.planned"
	ContactDone      EventType = "contact.done"
	ContactPostponed EventType = "contact.postponed"
	ContactMoved     EventType = "contact.moved" // to another time
	ContactCancelled EventType = "contact.cancelled"
	DealChanged      EventType = "deal.changed" // made or changed, or its shipments and payments

	// WebhookTest is sent by hand alone.
	WebhookTest EventType = "webhook.test"
)

// EventTypes are those that a webhook can be told.
var EventTypes = []EventType{ContactCaptured, ContactPlanned, ContactDone, ContactPostponed, ContactMoved, ContactCancelled, DealChanged}

// freshLetter is how old a letter may be that is told: the past that a new
// mailbox brings is no news.
const freshLetter = 48 * time.Hour

// Webhook is an address that is told of some events.
type Webhook struct {
	ID       int64
	URL      string
	Events   []EventType
	Created  time.Time
	Disabled time.Time // zero: it is told
	Waiting  int64     // events
	Sent     int64
	Failed   int64 // given up
	LastSent time.Time
	// LastError is what went wrong last, "" since something was taken.
	LastError string
	// Troubles is how often, one after the other, it did not answer.
	Troubles int64

	secret string
}

// Delivery is one event for one webhook.
type Delivery struct {
	ID      int64
	EventID string // the same for all webhooks and tries
	Body    []byte // JSON
	Tries   int    // this one included
	Created time.Time
}

// secretPrefix begins a secret, as Standard Webhooks has it.
const secretPrefix = "whsec_"

// Sign is the webhook-signature of a body that is sent at a moment.
func (w *Webhook) Sign(eventID string, at time.Time, body []byte) string {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(w.secret, secretPrefix))
	if err != nil {
		panic(err) // we made it
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%d.", eventID, at.Unix())
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// ParseEventType knows the types by name.
func ParseEventType(name string) (EventType, error) {
	e := EventType(strings.TrimSpace(name))
	if !slices.Contains(EventTypes, e) {
		return "", invalid("events", "there is no event %q; there are %s", clip(name, 80), joined(EventTypes))
	}
	return e, nil
}

func joined[T ~string](all []T) string {
	var out []string
	for _, one := range all {
		out = append(out, string(one))
	}
	return strings.Join(out, ", ")
}

// WebhookURL checks the address of a webhook: https, or http to this machine
// itself, named as such.
func WebhookURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case len(text) > 2000:
		return nil, invalid("url", "is longer than 2000 bytes")
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		return nil, invalid("url", "is not an address like https://shop.example.com/hook")
	case u.User != nil:
		return nil, invalid("url", "has a name or password in it")
	case u.Fragment != "":
		return nil, invalid("url", "ends in a fragment (#), which is never sent")
	case u.Scheme == "https" || u.Scheme == "http" && IsLoopbackHost(u.Hostname()):
	default:
		return nil, invalid("url", "must begin with https:// (http:// only to 127.0.0.1, ::1 or localhost)")
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 {
			return nil, invalid("url", "%q is no port", clip(p, 20))
		}
	}
	return u, nil
}

// IsLoopbackHost reports whether a host's name says that it is this machine.
func IsLoopbackHost(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// happened is one event of a transaction.
type happened struct {
	Type EventType
	what string // contact, deal, event (of a deal)
	id   int64
	by   Origin
}

// eventOf says what a row of history means for webhooks, "" nothing. Of what
// was created it is not known yet: "created".
func eventOf(what, verb string, c changes) EventType {
	switch what {
	case "deal", "event":
		return DealChanged
	case "contact":
		_, moved := c["start"]
		switch {
		case verb == "created":
			return "created"
		case verb == "moved" || verb == "changed" && moved:
			return ContactMoved
		}
		return stateEvents[State(verb)]
	}
	return ""
}

var stateEvents = map[State]EventType{Planned: ContactPlanned, Done: ContactDone, Postponed: ContactPostponed, Cancelled: ContactCancelled}

// envelope is the body of what is sent.
type envelope struct {
	ID       string    `json:"id"`
	Type     EventType `json:"type"`
	Occurred string    `json:"occurred"` // RFC 3339, UTC
	Origin   Origin    `json:"origin,omitempty"`
	Subject  subject   `json:"subject"`
	Data     any       `json:"data"`
}

type subject struct {
	Kind       string  `json:"kind"` // contact, deal
	ID         int64   `json:"id"`
	ExternalID *string `json:"external_id"`
}

// record names another record.
type record struct {
	ID         int64   `json:"id"`
	ExternalID *string `json:"external_id"`
}

// contactNews is a contact as webhooks tell it: as the JSON API gives it, but
// for the text, which is read there.
type contactNews struct {
	Kind       Kind       `json:"kind"`
	Direction  Direction  `json:"direction"`
	State      State      `json:"state"`
	Importance Importance `json:"importance"`
	Client     *record    `json:"client"`
	ClientText string     `json:"client_text"`
	Manager    *string    `json:"manager"` // login
	Deal       *record    `json:"deal"`
	Subject    string     `json:"subject"` // "" of a private thread
	Start      *string    `json:"start"`
	End        *string    `json:"end"`
	FirstDay   *string    `json:"first_day"` // whole days
	LastDay    *string    `json:"last_day"`
	Minutes    int        `json:"minutes"`
	Version    int64      `json:"version"`
}

// dealNews is a deal as webhooks tell it.
type dealNews struct {
	Number  string    `json:"number"`
	Date    Date      `json:"date"`
	Client  *record   `json:"client"`
	Manager *string   `json:"manager"`
	Amount  moneyNews `json:"amount"`
	Status  string    `json:"status"`
	Version int64     `json:"version"`
}

type moneyNews struct {
	Minor    int64  `json:"minor"`
	Currency string `json:"currency"`
}

func maybeText[T ~string](s T) *string {
	if s == "" {
		return nil
	}
	text := string(s)
	return &text
}

func maybeTime(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	return maybeText(t.UTC().Format(time.RFC3339))
}

func maybeRecord(id int64, externalID string) *record {
	if id == 0 {
		return nil
	}
	return &record{id, maybeText(externalID)}
}
