package store

import "strings"

// titleDash stands between a contact's subject and its client's name where
// one line shows both: a calendar entry's SUMMARY.
const titleDash = " — "

// TitleWithClient is the one-line title of a contact: its subject, and the
// client's name unless there is none or the subject names the client already.
func TitleWithClient(subject, client string) string {
	client = strings.Join(strings.Fields(client), " ")
	switch {
	case client == "" || strings.Contains(strings.ToLower(subject), strings.ToLower(client)):
		return subject
	case strings.TrimSpace(subject) == "":
		return client
	}
	return subject + titleDash + client
}

// TrimClient takes off a title what TitleWithClient has put there: it gives
// the subject that a calendar program means when it sends the title back.
func TrimClient(title, client string) string {
	client = strings.Join(strings.Fields(client), " ")
	if client == "" {
		return title
	}
	subject, ok := strings.CutSuffix(title, titleDash+client)
	if !ok || strings.TrimSpace(subject) == "" {
		return title
	}
	return subject
}
