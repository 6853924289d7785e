package mailsync

import "strings"

// encryption notes that nobody but the reader of the mailbox can read a letter,
// in both languages, since it stands in the letter's text: OpenPGP (RFC 3156)
// or S/MIME (RFC 8551); "" where it is neither.
func encryption(root *Part) (note string) {
	walkParts(root, func(p *Part) bool {
		switch p.Type {
		case "multipart/encrypted":
			note = "OpenPGP"
			if strings.Contains(strings.ToLower(p.Params["protocol"]), "pkcs7") {
				note = "S/MIME"
			}
		case "application/pkcs7-mime", "application/x-pkcs7-mime":
			note = "S/MIME"
		}
		return note == ""
	})
	if note == "" {
		return ""
	}
	return "[зашифровано / encrypted: " + note + "]"
}
