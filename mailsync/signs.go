package mailsync

import (
	"regexp"
	"slices"
	"strings"

	"intouch/store"
)

// What letters say beside their text: invitations (invite.go), bounces
// (bounce.go), return dates (away.go), numbers of deals (dealnumber.go). Of a
// letter that is not captured only these few parts cross the wire.

// Bytes that are wanted of such a part.
const (
	maxCalendar = 512 << 10
	maxStatus   = 64 << 10 // message/delivery-status
	maxReturned = 16 << 10 // of the letter that came back: its header is wanted
	maxNotice   = 64 << 10 // text of a bounce or an auto-reply
)

// ExtraParts are the parts to fetch of a letter beside its TextParts, with
// their Limit set.
func ExtraParts(h *Header, d Decision, p *store.Parties, root *Part) []*Part {
	if root == nil {
		return nil
	}
	var out []*Part
	want := func(limit int64, parts ...*Part) {
		for _, part := range parts {
			part.Limit = limit
			out = append(out, part)
		}
	}
	switch sign := tells(h, d, p); {
	case d.Outcome == store.Captured, sign == signAnswer:
		// A file alone may be read as the letter's text already.
		if c := calendarPart(root); c != nil && !slices.Contains(TextParts(root), c) {
			want(maxCalendar, c)
		}
	case sign == signBounce:
		status, returned := bounceParts(root)
		want(maxStatus, status...)
		want(maxReturned, returned...)
		if len(status) == 0 || len(returned) == 0 {
			want(maxNotice, firstParts(TextParts(root), 1)...)
		}
	case sign == signReply:
		want(maxNotice, firstParts(TextParts(root), 2)...)
	}
	return out
}

func firstParts(parts []*Part, n int) []*Part { return parts[:min(n, len(parts))] }

// tells names what a skipped letter may have to say; "" is nothing. A bounce
// counts wherever it comes from, our own server's too, which is internal mail.
// An answer to an invitation counts of us and of clients,
// an auto-reply of people whom we know.
func tells(h *Header, d Decision, p *store.Parties) string {
	if d.Outcome == store.Captured || d.Reason != store.Automatic && d.Reason != store.Internal {
		return ""
	}
	sign := h.Automatic()
	switch {
	case sign == signBounce:
		return sign
	case d.Reason != store.Automatic || len(h.From) == 0:
		return ""
	}
	from := h.From[0].Addr
	clients, how := clientsOf(p, from)
	if sign == signAnswer && (len(clients) > 0 || isOurs(p, from)) || sign == signReply && how == "address" {
		return sign
	}
	return ""
}

// SignReader reads what letters say beside their text.
type SignReader struct {
	// ReadInvitation reads a text/calendar part, transfer encoding undone; an
	// error is no invitation. Nil reads none.
	ReadInvitation func(raw []byte) (store.Invitation, error)
	// DealPattern finds numbers of deals; its one group is the number. Nil is
	// DefaultDealPattern.
	DealPattern *regexp.Regexp
}

// Read notes in l, whose outcome and text are known, what the letter says
// beside its text. bodies hold the parts that ExtraParts picked, still
// transfer-encoded, by Section. It never fails: what cannot be read says
// nothing.
func (r SignReader) Read(l *store.FiledLetter, h *Header, p *store.Parties, root *Part, bodies map[string][]byte) {
	d := Decision{Outcome: l.Outcome, Reason: l.Reason}
	if l.Outcome == store.Captured {
		if l.Direction == store.In && len(h.From) > 0 {
			l.FromAddress = h.From[0].Addr
		}
		l.SubjectNumbers = DealNumbers(r.DealPattern, l.Subject)
		l.TextNumbers = DealNumbers(r.DealPattern, l.Text)
		if in := r.invitation(root, bodies); in != nil && in.Method != store.InvitationReply && obeyed(in, l.Direction, p) {
			l.Invitation = in
		}
		return
	}
	switch tells(h, d, p) {
	case signAnswer:
		if in := r.invitation(root, bodies); in != nil && in.Method == store.InvitationReply {
			l.Invitation = in
		}
	case signBounce:
		l.Bounce = ReadBounce(h, root, bodies)
	case signReply:
		text, _ := ReadText(root, bodies)
		if until := AwayUntil(h.Subject, text, h.Date); until != "" && len(h.From) > 0 {
			l.Away, l.FromAddress = until, h.From[0].Addr
		}
	}
}

// ReadLetter is Read for a letter that was read as a whole.
func (r SignReader) ReadLetter(f *store.FiledLetter, l *Letter, p *store.Parties) {
	r.Read(f, l.Header, p, l.Root, l.bodies)
}

func (r SignReader) invitation(root *Part, bodies map[string][]byte) *store.Invitation {
	part := calendarPart(root)
	if part == nil || r.ReadInvitation == nil {
		return nil
	}
	body, ok := bodies[part.Section()]
	if !ok || len(body) == 0 {
		return nil
	}
	in, err := r.ReadInvitation(calendarBytes(part, body))
	if err != nil {
		return nil
	}
	return &in
}

// obeyed: a letter in cannot plan, move or cancel a meeting to which we
// invited. It hands our own invitation back, or is forged.
func obeyed(in *store.Invitation, direction store.Direction, p *store.Parties) bool {
	return direction == store.Out || in.Organizer == "" || !isOurs(p, in.Organizer)
}

// undone is a part's body without its transfer encoding.
func undone(p *Part, body []byte) []byte {
	switch strings.TrimSpace(p.Encoding) {
	case "base64", "b":
		return decodeBase64(body)
	case "quoted-printable", "q":
		return decodeQuotedPrintable(body)
	}
	return body
}

// tells reports whether a skipped letter, whose structure is not known, may
// have something to say.
func (p *pending) tells() bool {
	return p.parties != nil && tells(p.header, Decision{Outcome: p.filed.Outcome, Reason: p.filed.Reason}, p.parties) != ""
}
