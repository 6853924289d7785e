// Package mailer is in charge of outgoing mail as such: it composes RFC 5322
// messages and hands them to an SMTP server. It knows nothing of contacts,
// digests or the outbox: what is due, what is tried again and what is given
// up is the scheduler's. It owns go-smtp.
//
//	compose.go  Message → bytes
//	image.go    pictures within a mail
//	header.go   header fields: encoded words, folding, nothing injected
//	smtp.go     one connection to the server: TLS, login, several mails
//	bearer.go   login with an access token
//	refused.go  what a server answered when it did not take a mail
package mailer
