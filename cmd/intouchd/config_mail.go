package main

import (
	"slices"
	"strings"

	"intouch/mailsync"
	"intouch/store"
)

// The settings of mail: the rules of capture, and the mailboxes.

func (c *reading) mail(t, company *table) {
	m := &c.cfg.Mail
	m.DealPattern = t.text("deal_pattern", mailsync.DefaultDealPattern)
	if _, err := mailsync.CompileDealPattern(m.DealPattern); err != nil {
		t.fault("deal_pattern", "is not a pattern: %v", err)
	}
	blocked := func(t *table) {
		list := t.texts("blocked")
		for _, b := range list {
			if !isAddress(b) && !isDomain(b) {
				t.fault("blocked", "%q is neither an address nor a domain", b)
			}
		}
		m.Blocked = append(m.Blocked, list...)
	}
	blocked(t)
	if company.has("blocked") { // where it stood before there was a table [mail]
		blocked(company)
	}
	m.FreeMail = t.texts("free_mail")
	for _, d := range m.FreeMail {
		if !isDomain(strings.TrimPrefix(d, "-")) {
			t.fault("free_mail", "%q is not a domain like mail.test, or -mail.test to take one off the list", d)
		}
	}
	m.ParentDomains = t.flag("parent_domains", false)
	m.AddPersons = t.flag("add_persons", false)
	if m.AuthservID = t.text("authserv_id", ""); strings.ContainsAny(m.AuthservID, " \t;()\"") {
		t.fault("authserv_id", "%q is not the first word of an Authentication-Results field, like mx.vector.test", m.AuthservID)
	}
}

func (c *reading) mailboxes(root *table) {
	names, dropboxes, copies := unique{}, unique{}, unique{}
	for _, t := range root.list("mailbox") {
		m := MailboxConfig{
			Name:     t.required("name", "logs and the status page name the mailbox by it"),
			Manager:  t.text("manager", ""),
			IMAP:     endpoint(t, "imap", "imap", "993", "143"),
			Username: t.required("username", "the mail server's login"),
			OAuth:    c.oauth2(t),
			Password: c.secret(t, !t.has("oauth2")),
			Folders:  t.texts("folders", "INBOX", `\Sent`),
			Since:    store.Date(t.text("since", "")),
			Exclude:  t.texts("exclude"),
			Include:  t.texts("include"),
			Privacy:  t.text("privacy", "full"),
			Dropbox:  t.text("dropbox", ""),
			SentCopy: t.flag("sent_copy", false),
		}
		if m.Name != "" {
			names.check(t, "name", m.Name)
		}
		if store.IsArchive(m.Name) {
			t.fault("name", `begins with "mbox:", under which imported archives are recorded`)
		}
		shared := t.flag("shared", false)
		switch {
		case shared && m.Manager != "":
			t.fault("shared", "a shared mailbox has no manager; give one or the other")
		case !shared && m.Manager == "":
			t.fault("manager", "is missing: give the login of whose letters these are, or shared = true")
		}
		if m.SentCopy && shared {
			t.fault("sent_copy", "a shared mailbox is nobody's own: nothing is sent in its name")
		} else if m.SentCopy && m.Manager != "" {
			copies.check(t, "sent_copy", strings.ToLower(m.Manager))
		}
		if len(m.Folders) == 0 || slices.Contains(m.Folders, "") {
			t.fault("folders", `must name folders or special uses, like ["INBOX", "\\Sent"]`)
		}
		if m.Since != "" {
			if _, err := store.ParseDate(string(m.Since)); err != nil {
				t.fault("since", "%v", err)
			}
		}
		c.rulesOfMailbox(t, &m, shared, dropboxes)
		c.cfg.Mailboxes = append(c.cfg.Mailboxes, m)
	}
}

// replies reads [replies]: the daemon's own mailbox is one more mailbox, with
// everything that a mailbox has (sync, status, check --online), but nothing in
// it is captured.
func (c *reading) replies(root *table) {
	given := root.has("replies")
	t := root.table("replies")
	if !given {
		return
	}
	r := RepliesConfig{Address: t.required("address", "answers to our mails go there, like intouch@vector.test"), Plus: t.flag("plus", true)}
	switch {
	case r.Address == "":
	case !isAddress(r.Address):
		t.fault("address", "%q is not an address like intouch@vector.test", r.Address)
	case strings.Contains(r.Address, "+"):
		t.fault("address", "%q has a plus: give the address without, we put our own behind it", r.Address)
	}
	for _, m := range c.cfg.Mailboxes {
		if m.Name == repliesMailbox {
			t.fault("imap", "there is a [[mailbox]] with the name %q, which the mailbox of answers has", repliesMailbox)
		}
	}
	c.cfg.Replies = &r
	c.cfg.Mailboxes = append(c.cfg.Mailboxes, MailboxConfig{
		Name:     repliesMailbox,
		IMAP:     endpoint(t, "imap", "imap", "993", "143"),
		Username: t.required("username", "the mail server's login"),
		OAuth:    c.oauth2(t),
		Password: c.secret(t, !t.has("oauth2")),
		Folders:  t.texts("folders", "INBOX"),
		Privacy:  "full",
		Replies:  true,
	})
}

// repliesMailbox is the name of the daemon's own mailbox in logs, on the
// status page and for commands.
const repliesMailbox = "replies"

// rulesOfMailbox checks what a mailbox says about the letters in it.
func (c *reading) rulesOfMailbox(t *table, m *MailboxConfig, shared bool, dropboxes unique) {
	for key, list := range map[string][]string{"exclude": m.Exclude, "include": m.Include} {
		if slices.Contains(list, "") {
			t.fault(key, `must name folders, like ["Private"]`)
		}
	}
	for _, name := range m.Include {
		if slices.ContainsFunc(m.Exclude, func(e string) bool { return strings.EqualFold(e, name) }) {
			t.fault("include", "%q is excluded as well; a folder can do one of the two", name)
		}
	}
	if m.Privacy != "full" && m.Privacy != "subject" {
		t.fault("privacy", `%q is neither "full" nor "subject"`, m.Privacy)
	}
	if m.Dropbox == "" {
		return
	}
	switch {
	case !isAddress(m.Dropbox):
		t.fault("dropbox", "%q is not an address like crm@vector.test", m.Dropbox)
	case strings.Contains(m.Dropbox, "+"):
		t.fault("dropbox", "%q has a plus: the words behind it are what managers write, so give the address without any", m.Dropbox)
	default:
		dropboxes.check(t, "dropbox", m.Dropbox)
	}
	if !shared {
		t.fault("dropbox", "belongs to all managers: it needs shared = true instead of a manager")
	}
	if m.Privacy == "subject" {
		t.fault("privacy", "a dropbox reads what is forwarded to it: leave privacy out")
	}
}
