package mailsync

import (
	"slices"
	"strings"

	"intouch/store"
)

// Attachments lists the letter's files. Pictures that belong to the HTML,
// signatures (S/MIME, PGP), and the invitation that Google attaches once more
// as a file are not among them.
func Attachments(root *Part) []store.Attachment {
	text := map[*Part]bool{}
	for _, r := range readings(root) {
		for _, p := range slices.Concat(r.plain, r.html) {
			text[p] = true
		}
	}
	decoration := map[*Part]bool{}
	invitation := false
	walkParts(root, func(p *Part) bool {
		switch {
		case p.Type == "multipart/related":
			for i, c := range p.Children {
				if i > 0 && strings.HasPrefix(c.Type, "image/") && c.Disposition != "attachment" {
					decoration[c] = true
				}
			}
		case p.Type == "multipart/alternative":
			for _, c := range p.Children { // the same text in other forms
				if strings.HasPrefix(c.Type, "text/") && c.Disposition != "attachment" {
					decoration[c] = true
				}
				invitation = invitation || c.Type == "text/calendar"
			}
		case p.Type == "multipart/report":
			for _, c := range p.Children {
				decoration[c] = true
			}
		}
		return strings.HasPrefix(p.Type, "multipart/")
	})
	var out []store.Attachment
	walkParts(root, func(p *Part) bool {
		if p.multipart() {
			return true
		}
		switch {
		case len(out) == maxAttachments, text[p], decoration[p]:
		case p.Type == "application/pgp-signature", p.Type == "application/pgp-encrypted",
			p.Type == "application/pkcs7-signature", p.Type == "application/x-pkcs7-signature":
		case strings.HasPrefix(p.Type, "text/") && p.Name == "" && p.Disposition != "attachment":
		case invitation && (p.Type == "application/ics" || p.Type == "text/calendar"):
		default:
			out = append(out, store.Attachment{Name: fileNameOf(p), Type: p.Type, Size: decodedSize(p)})
		}
		return false
	})
	return out
}

// fileNameOf names a file that came without a name by its kind.
func fileNameOf(p *Part) string {
	if p.Name != "" {
		return p.Name
	}
	switch p.Type {
	case "application/ms-tnef", "application/vnd.ms-tnef":
		return "winmail.dat"
	case "message/rfc822", "message/global":
		return "message.eml"
	case "application/pkcs7-mime", "application/x-pkcs7-mime":
		return "smime.p7m"
	case "application/pdf":
		return "document.pdf"
	case "image/jpeg":
		return "image.jpg"
	case "image/png":
		return "image.png"
	case "text/calendar":
		return "invite.ics"
	}
	return "attachment"
}

// decodedSize estimates the bytes of a part after its transfer encoding.
func decodedSize(p *Part) int64 {
	if p.Encoding == "base64" { // lines of 76 characters and CRLF hold 57 bytes
		return p.Size * 57 / 78
	}
	return p.Size
}
