package mailsync

import (
	"regexp"
	"slices"
	"strings"

	"intouch/store"
)

// Reports of letters that did not arrive. Most servers write RFC 3464; Exim,
// qmail, Exchange of old and some mail services write for people only, and
// their texts are read by what they have in common: a line that is an address,
// below it the server's words with a code, and the letter or its header.

const maxBounced = 50 // recipients of one report

// bounceParts are the machine-readable part and the returned letter.
func bounceParts(root *Part) (status, returned []*Part) {
	walkParts(root, func(p *Part) bool {
		switch p.Type {
		case "message/delivery-status", "message/global-delivery-status":
			if len(status) == 0 {
				status = []*Part{p}
			}
		case "message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers", "text/rfc822-header":
			if len(returned) == 0 {
				returned = []*Part{p}
			}
			return false
		}
		return p.multipart()
	})
	return status, returned
}

// ReadBounce reads a report from the parts that ExtraParts picked. Nil when it
// does not say which letter came back.
func ReadBounce(h *Header, root *Part, bodies map[string][]byte) *store.Bounce {
	status, returned := bounceParts(root)
	b := &store.Bounce{}
	for _, p := range returned {
		b.Key = returnedKey(undone(p, bodies[p.Section()]))
	}
	for _, p := range status {
		b.Recipients = readStatus(decodeBody(p, bodies[p.Section()]))
	}
	if len(status) == 0 && h.ContentType == "multipart/report" && h.Params["report-type"] != "" && !strings.EqualFold(h.Params["report-type"], "delivery-status") {
		return nil // a complaint (RFC 5965), say
	}
	text := ""
	for _, p := range firstParts(TextParts(root), 1) {
		if body, ok := bodies[p.Section()]; ok {
			text = noticeText(p, body)
		}
	}
	notice, letter := splitNotice(text)
	if b.Key == "" {
		b.Key = mentionedKey(letter)
	}
	if b.Key == "" && len(h.References) > 0 {
		b.Key = h.References[len(h.References)-1]
	}
	if b.Key == "" {
		return nil
	}
	if len(status) == 0 {
		b.Recipients = readNotice(h, notice)
	}
	if len(b.Recipients) == 0 {
		return nil // all were delivered, relayed or expanded
	}
	return b
}

// noticeText is a text part as lines.
func noticeText(p *Part, body []byte) string {
	if p.Type != "text/html" {
		return decodeBody(p, body)
	}
	var b strings.Builder
	for _, l := range htmlLines(decodeBody(p, body)) {
		b.WriteString(l.text + "\n")
	}
	return b.String()
}

var returnedFields = map[string]bool{"message-id": true}

// returnedKey is the identity of a returned letter by its header.
func returnedKey(raw []byte) string {
	return keyOf(readFields(raw, returnedFields).first("message-id"))
}

func keyOf(id string) string {
	if !strings.Contains(id, "@") {
		return ""
	}
	return messageKey(clipText(oneLine(guess([]byte(id))), 998))
}

var mentionedID = lazily(`(?im)^[ \t>]*message-id:[ \t]*\r?\n?[ \t]*(<[^<>\s]{3,900}>)`)

// mentionedKey finds the identity of a letter whose header is quoted in a text.
func mentionedKey(text string) string {
	if m := mentionedID().FindStringSubmatch(text); m != nil {
		return keyOf(m[1])
	}
	return ""
}

var statusFields = map[string]bool{"original-recipient": true, "final-recipient": true, "action": true, "status": true, "diagnostic-code": true}

// readStatus reads message/delivery-status: blocks of fields, the first for the
// letter, one for each recipient (RFC 3464 section 2.1).
func readStatus(text string) (out []store.Undelivered) {
	for block := range strings.SplitSeq(text, "\n\n") {
		if len(out) == maxBounced {
			break
		}
		f := readFields([]byte(strings.TrimLeft(block, "\n")), statusFields)
		final, original := typed(f.first("final-recipient")), typed(f.first("original-recipient"))
		action, _, _ := strings.Cut(strings.ToLower(dropComments(f.first("action"))), ";")
		switch strings.TrimSpace(action) {
		case "delivered", "relayed", "expanded":
			continue
		case "":
			if final == "" && original == "" {
				continue
			}
		}
		u := store.Undelivered{Address: NormalizeAddress(original), Failed: strings.TrimSpace(action) != "delayed",
			Reason: clipText(oneLine(guess([]byte(typed(f.first("diagnostic-code"))))), 300)}
		if u.Address == "" {
			u.Address = NormalizeAddress(final)
		}
		u.Status = statusOf(f.first("status"), u.Reason)
		out = append(out, u)
	}
	return out
}

// typed is what follows the type of a field: "rfc822; a@x.test", "smtp; 550 …".
func typed(s string) string {
	if _, after, ok := strings.Cut(s, ";"); ok {
		s = after
	}
	return strings.Trim(strings.TrimSpace(s), "<>")
}

var (
	enhancedCode = regexp.MustCompile(`(?:^|[^\d.])([245]\.\d{1,3}\.\d{1,3})(?:$|[^\d.]|\.(?:$|\D))`)
	replyCode    = regexp.MustCompile(`(?:^|[^\d.])([45])\d\d(?:$|[ \-:])`)
	fullMailbox  = regexp.MustCompile(`(?i)quota|mailbox (?:is )?full|full mailbox|insufficient (?:system )?storage|переполнен`)
	suspected    = regexp.MustCompile(`(?i)\bspam|blacklist|blocklist|block list|reputation|\bpolicy\b|dnsbl|rbl\b|\bdmarc\b|\bspf\b|спам`)
)

// statusOf is the enhanced status code (RFC 3463) of a recipient. Where the
// report has only a general one, the server's words may say more.
func statusOf(status, words string) string {
	find := func(s string) string {
		if m := enhancedCode.FindStringSubmatch(s); m != nil {
			return m[1]
		}
		return ""
	}
	code := find(status)
	if general(code) {
		if c := find(words); c != "" {
			code = c
		} else if m := replyCode.FindStringSubmatch(words); m != nil && code == "" {
			code = m[1] + ".0.0"
		}
	}
	if strings.HasPrefix(code, "5.") && (general(code) || code == "5.1.1" || code == "5.2.0") {
		switch {
		case fullMailbox.MatchString(words):
			return "5.2.2"
		case suspected.MatchString(words) && general(code):
			return "5.7.1"
		}
	}
	return code
}

func general(code string) bool { return code == "" || strings.HasSuffix(code, ".0.0") }

const maxNoticeLines = 500

// letterBelow begins the returned letter in a text: Exim's "------ This is a
// copy of the message, …", qmail's "--- Below this line is a copy of the
// message.", sendmail's "----- Original message follows -----".
var letterBelow = regexp.MustCompile(`(?i)^[ \t>]*[-=*_]{2,}.*(?:copy of|original message|below this line|message headers?|returned message|unsent message|исходно|копия|заголов)|^\*{10,}\s*$`)

// splitNotice parts the server's words from the letter below them.
func splitNotice(text string) (notice, letter string) {
	at, n := 0, 0
	for l := range strings.SplitAfterSeq(text, "\n") {
		if n++; n > maxNoticeLines {
			break
		}
		if letterBelow.MatchString(l) {
			return text[:at], text[at:]
		}
		at += len(l)
	}
	return text[:at], text
}

// addressLine is a line that names a recipient, with what follows it.
var addressLine = lazily(`^[ \t]*<?([^\s<>@:;,"]{1,64}@[^\s<>@:;,"]{3,253})>?(?:[ \t]*$|:[ \t]*(.*)|[ \t]+\((.*))`)

// delayed says that the server has not given up.
var delayed = lazily(`(?i)\bdelay|\bwarning\b|not yet been delivered|still be(?:ing)? tr|will be re-?tried|keep trying|задерж|не удал\pL* пока|попытки .*продолж`)

// readNotice reads who was not reached, and why, from a text for people.
func readNotice(h *Header, notice string) (out []store.Undelivered) {
	failed := !delayed().MatchString(h.Subject) && (!delayed().MatchString(notice) || permanent.MatchString(notice))
	words := []string{}
	end := func() {
		if len(out) > 0 {
			u := &out[len(out)-1]
			all := oneLine(strings.Join(words, " "))
			u.Status, u.Reason = statusOf("", all), clipText(all, 300)
		}
		words = words[:0]
	}
	for l := range strings.SplitSeq(notice, "\n") {
		m := addressLine().FindStringSubmatch(l)
		if m == nil || len(out) == maxBounced {
			if len(words) < 20 {
				words = append(words, l)
			}
			continue
		}
		address := NormalizeAddress(m[1])
		if address == "" || slices.ContainsFunc(h.To, func(a Address) bool { return a.Addr == address }) ||
			slices.ContainsFunc(out, func(u store.Undelivered) bool { return u.Address == address }) {
			words = append(words, l)
			continue
		}
		end()
		out = append(out, store.Undelivered{Address: address, Failed: failed})
		words = append(words, m[2]+m[3])
	}
	end()
	whole := oneLine(clipText(notice, 8<<10))
	for _, a := range h.failed {
		if len(out) < maxBounced && !slices.ContainsFunc(out, func(u store.Undelivered) bool { return u.Address == a.Addr }) {
			out = append(out, store.Undelivered{Address: a.Addr, Status: statusOf("", whole), Failed: failed})
		}
	}
	if len(out) == 0 && strings.TrimSpace(notice) != "" {
		out = append(out, store.Undelivered{Status: statusOf("", whole), Failed: failed})
	}
	// A text with no code at all may be about anything: no address is marked
	// for it. "failed permanently" is as good as one.
	for i := range out {
		if out[i].Status == "" && out[i].Failed {
			out[i].Status = "4.0.0"
			if permanent.MatchString(notice) {
				out[i].Status = "5.0.0"
			}
		}
	}
	return out
}

var permanent = regexp.MustCompile(`(?i)permanent|unknown user|user unknown|no such user|does not exist|invalid mailbox|нет такого|не существует|постоянн`)
