package store

import (
	"slices"
	"time"
)

// ThreadSpan is how far back a subject continues a thread (rules.md section 3).
const ThreadSpan = 30 * 24 * time.Hour

// threadOf is the key of the first letter of the thread: that of a letter it
// answers, else the oldest reference, else its own. Letters that took this
// one for the first of their thread join it: whatever the order in which the
// letters come, the threads are the same.
func (t *filing) threadOf(l *FiledLetter) (string, error) {
	thread := l.Key
	bare := l.bare
	if len(l.References) > 0 {
		thread = l.References[0]
		var first *filedContact
		for _, r := range l.References {
			for i, c := range t.contacts[r] {
				if first == nil || c.start < first.start || c.start == first.start && c.id < first.id {
					first = &t.contacts[r][i]
				}
			}
		}
		if first != nil {
			thread = first.thread
		}
	} else if IsReply(l.Subject) && bare != "" {
		// A reply without References: same bare subject and client, within 30 days.
		err := t.row(`SELECT thread FROM contacts WHERE bare_subject = $1 AND client_id IN `+t.s.dialect.ids("$2")+` AND start_at <= $3 AND start_at > $4 AND message_key <> $5
			ORDER BY start_at DESC, id LIMIT 1`, []any{bare, asJSON(l.Clients), unix(l.Date), unix(l.Date.Add(-ThreadSpan)), l.Key}, &thread)
		if ignoreNotFound(err) != nil {
			return "", err
		}
	}
	if thread != l.Key {
		if err := t.joinThread(l.Key, thread); err != nil {
			return "", err
		}
	}
	for _, c := range t.alone[bare] {
		later := c.start - unix(l.Date)
		if c.key != l.Key && later >= 0 && later < int64(ThreadSpan.Seconds()) && IsReply(c.subject) && slices.Contains(l.Clients, c.client) {
			if err := t.joinThread(c.key, thread); err != nil {
				return "", err
			}
		}
	}
	return thread, nil
}

// joinThread makes a thread part of another.
func (t *filing) joinThread(from, to string) error {
	if from == to || !t.threads[from] {
		return nil
	}
	if _, err := t.exec(`UPDATE contacts SET thread = $1 WHERE thread = $2`, to, from); err != nil {
		return err
	}
	if t.anyPrivate {
		private, err := t.threadPrivate(to)
		if err == nil && private { // whichever of the two it was
			err = t.setPrivate(Actor{Origin: FromMail}, to, true)
		}
		if err != nil {
			return err
		}
	}
	delete(t.threads, from)
	t.threads[to] = true
	for _, list := range t.contacts {
		for i := range list {
			if list[i].thread == from {
				list[i].thread = to
			}
		}
	}
	for s, list := range t.alone {
		t.alone[s] = slices.DeleteFunc(list, func(c filedContact) bool { return c.thread == from })
	}
	return nil
}
