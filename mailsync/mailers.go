package mailsync

import "strings"

// The marks that mail programs put into their HTML. They tell history and
// signature from new text more surely than words do.

// recogniseMailer notes what an element's attributes say about its text.
func recogniseMailer(e *element, attr *attributes) {
	if attr.class == "" && attr.id == "" && !attr.signature {
		return
	}
	words := strings.Fields(strings.ToLower(attr.class))
	has := func(names ...string) bool {
		for _, w := range words {
			w = strings.TrimPrefix(w, "x_") // Outlook on the web renames what it quotes
			for _, n := range names {
				if w == n {
					return true
				}
			}
		}
		return false
	}
	lowID := strings.TrimPrefix(strings.ToLower(attr.id), "x_")
	switch {
	case has("gmail_attr", "moz-cite-prefix", "protonmail_quote_header") || lowID == "reply-intro": // Gmail, Thunderbird, Roundcube
		e.mark = markAttribution
	case has("yahoo_quoted", "protonmail_quote", "zmail_extra") || strings.HasPrefix(lowID, "yahoo_quoted"):
		e.quote++
	case lowID == "divrplyfwdmsg", lowID == "olk_src_body_section", lowID == "mail-editor-reference-message-container",
		has("ms-outlook-mobile-reference-message"):
		e.mark = markHistory
	case has("gmail_signature", "gmail_signature_prefix", "moz-signature", "protonmail_signature_block", "ms-outlook-mobile-signature"),
		lowID == "signature", lowID == "applemailsignature", lowID == "ms-outlook-mobile-signature",
		attr.signature:
		if e.mark == markNone && e.quote == 0 {
			e.mark = markSignature
		}
	}
}
