package mailsync

import "strings"

// What says that no person wrote a letter to us (rule 3). The words are kept
// in the log and in Decision.Detail.
const (
	signBounce    = "bounce"
	signReply     = "auto_reply"
	signGenerated = "auto_generated"
	signList      = "list"
	signReceipt   = "receipt"
	signAnswer    = "invitation_answer"
)

// automaticReplySubjects begin the answers of mail servers that set no header.
// A person's "Re: Automatic reply" does not begin so.
var automaticReplySubjects = []string{
	"automatic reply:", "auto-reply:", "autoreply:", "auto reply:", "out of office:", "out of office reply:",
	"автоответ:", "автоматический ответ:", "автоматическое сообщение об отсутствии", "нет на работе:", "вне офиса:",
	"automatische antwort:", "abwesenheitsnotiz:",
}

// automaticSign finds what in the header says that a program wrote it.
func automaticSign(f fields, h *Header) string {
	from := strings.ToLower(f.first("from"))
	returnPath, traced := "", len(f["return-path"]) > 0
	if traced {
		returnPath = strings.Trim(f.first("return-path"), "<> ")
	}
	nobody := traced && (returnPath == "" || strings.HasPrefix(strings.ToLower(returnPath), "mailer-daemon"))
	daemon := strings.Contains(from, "mailer-daemon") || nobody && strings.Contains(from, "postmaster@")
	if h.ContentType == "multipart/report" {
		if strings.EqualFold(h.Params["report-type"], "disposition-notification") {
			return signReceipt // RFC 8098
		}
		return signBounce // RFC 3464, also spam and delay reports
	}
	if daemon || f.first("x-failed-recipients") != "" {
		return signBounce
	}
	if f.first("list-id") != "" || f.first("list-unsubscribe") != "" || f.first("list-post") != "" {
		return signList
	}
	precedence := strings.ToLower(f.first("precedence"))
	// RFC 3834 section 5: "no", "auto-generated", "auto-replied", "auto-notified", maybe with parameters.
	submitted, _, _ := strings.Cut(strings.ToLower(dropComments(f.first("auto-submitted"))), ";")
	submitted = strings.TrimSpace(submitted)
	subject := strings.ToLower(h.Subject)
	for _, p := range automaticReplySubjects {
		if strings.HasPrefix(subject, p) {
			return signReply
		}
	}
	if submitted == "auto-replied" || yes(f.first("x-autoreply")) { // Gmail's says Precedence: bulk, too
		return signReply
	}
	switch precedence {
	case "bulk", "list", "junk":
		return signList
	}
	switch {
	case precedence == "auto_reply", yes(f.first("x-autorespond")):
		return signReply
	case submitted != "" && submitted != "no", nobody:
		return signGenerated
	}
	return ""
}

// yes reports whether a field is there and does not deny itself.
func yes(v string) bool {
	v = strings.ToLower(strings.TrimSpace(v))
	return v != "" && v != "no" && v != "false" && v != "0"
}

// Inspect notes what only the letter's structure tells: the iTIP method of its
// text/calendar part, and a report inside another multipart. Call it before
// Decide when the structure is known.
func (h *Header) Inspect(root *Part) {
	walkParts(root, func(p *Part) bool {
		switch {
		case p.Type == "message/rfc822":
			return false // another letter's
		case p.Type == "text/calendar" && h.Method == "":
			h.Method = strings.ToUpper(strings.TrimSpace(p.Params["method"]))
		case p.Type == "message/delivery-status" && h.automatic == "":
			h.automatic = signBounce
		}
		return true
	})
}

// Automatic says why the letter is automatic, in one word, or "" when a person
// wrote it. An invitation, its update or its cancellation was sent by a person
// even where the calendar server marks it Auto-Submitted, as Google does.
func (h *Header) Automatic() string {
	switch h.Method {
	case "REPLY":
		return signAnswer
	case "REQUEST", "CANCEL", "COUNTER":
		if h.automatic == signGenerated {
			return ""
		}
	}
	return h.automatic
}
