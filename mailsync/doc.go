// Package mailsync brings mail in: it follows mailboxes over IMAP, decides to
// which client each letter belongs (rules.md section 3), fetches the text of
// those that belong to one, and files them in the store, each with exactly one
// outcome.
//
// The package has two halves. The protocol half (syncer, mailbox, session,
// fetch) holds connections and cursors. The pure half turns bytes into a
// decision and a text, and never fails, however broken the letter is: what
// cannot be read is left out. Its way is
//
//	ReadHeader → Decide → TextParts → ReadText
//
// and ReadMessage walks it for a whole letter in memory.
//
// Folders are opened read-only; nothing in them ever changes, but that the
// settings may ask for copies in the Sent folder (sentcopy.go). Composing and
// sending mail is not done here (package mailer), nor are rows written except
// through store.FileLetters.
package mailsync
