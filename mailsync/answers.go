package mailsync

import (
	"strings"

	"intouch/store"
)

// The daemon's own mailbox, to which managers answer our mails. Nothing in it
// is ever captured: a letter either carries a token of one of our mails and
// comes from an address of ours, or is skipped. What it asks for happens in
// the transaction that files it, so once; what the words mean is the store's
// (store/replywords.go).

// suppressField is what Exchange heeds instead of RFC 3834: where a letter
// asks for no automatic response it gets none.
const suppressField = "X-Auto-Response-Suppress"

var wantedReply = map[string]bool{"return-path": true, strings.ToLower(suppressField): true}

// readReply is a letter in that mailbox as an answer; nil where it is none.
// Its text is read later.
func readReply(h *Header, raw []byte, p *store.Parties) *store.MailReply {
	if len(h.From) != 1 || h.Automatic() != "" {
		return nil
	}
	f := readFields(raw, wantedReply)
	if path := f["return-path"]; len(path) > 0 && strings.Trim(path[0], "<> ") == "" {
		return nil // a bounce, whatever else it says
	}
	from := h.From[0].Addr
	if p.OwnAddrs[from] == 0 {
		if from = withoutTag(from); p.OwnAddrs[from] == 0 {
			return nil
		}
	}
	var carried []string // where the token may be, the surest first
	for _, list := range [][]Address{h.To, h.Cc, readTrace(raw).recipients} {
		for _, a := range list {
			carried = append(carried, a.Addr)
		}
	}
	for i := range h.References { // In-Reply-To is last
		carried = append(carried, h.References[len(h.References)-1-i]+" ")
	}
	tokens := store.ReplyTokens(carried...)
	if len(tokens) == 0 {
		return nil
	}
	return &store.MailReply{Key: h.Key, MessageID: h.MessageID, From: from, Subject: h.Subject, Sent: h.Date, Tokens: tokens, Quiet: f.first(strings.ToLower(suppressField)) != ""}
}

// readReplyText reads what the author of an answer wrote.
func (m *mailbox) readReplyText(s *session, p *pending, bodies map[string][]byte, how detail) error {
	switch {
	case p.env.Root != nil:
		p.reply.Text, _ = ReadText(p.env.Root, bodies)
	case how == withWhole:
		raw, err := s.whole(p.env.UID)
		if err != nil {
			return err
		}
		p.reply.Text = ReadMessage(raw, p.env.Internal).Text
	}
	return nil
}

// ownMail is the outcome of a letter in the daemon's own mailbox, whatever the
// rules say: neither a contact nor a new person comes of it.
func ownMail(d Decision) Decision {
	if d.Outcome == store.Skipped && d.Reason == store.Automatic {
		return d
	}
	return Decision{Outcome: store.Skipped, Reason: store.Internal, Direction: d.Direction}
}
