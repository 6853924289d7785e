package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"intouch/store"
)

// check holds everything that may never be otherwise, while nothing happens.
func (s *soak) check() {
	h := s.h
	h.Helper()
	if got := command(h, "", "--config", h.direct, "job", "statuses"); got.code != exitDone {
		h.Errorf("job statuses: %+v", got)
	}
	contacts := exported(h.T, h.direct, "contacts")
	s.checkLetters(contacts)
	s.checkContacts(contacts)
	s.checkOrders()
	s.checkHistory(contacts)
	s.checkMails(contacts)
	s.checkLists()
	if !h.sqlite {
		s.checkLeases()
	}
}

// checkLetters: every letter has one outcome in each of its mailboxes, and is
// one contact, or none where nobody's.
func (s *soak) checkLetters(contacts []map[string]any) {
	h := s.h
	outcomes := map[string][]string{}
	for _, l := range exported(h.T, h.direct, "letters") {
		key := fmt.Sprint(l["mailbox"], " ", strings.Trim(fmt.Sprint(l["message_id"]), "<>"))
		outcomes[key] = append(outcomes[key], fmt.Sprint(l["outcome"], " ", l["reason"]))
	}
	times := map[string]int{}
	for _, c := range contacts {
		if id := strings.Trim(fmt.Sprint(c["message_id"]), "<>"); id != "" && c["message_id"] != nil {
			times[id]++
		}
	}
	all := 0
	for id, l := range s.carrier.letters {
		id = strings.Trim(id, "<>")
		for _, user := range l.users {
			all++
			got := outcomes[user+" "+id]
			if len(got) != 1 || strings.HasPrefix(got[0], "captured") != l.captured {
				h.Errorf("letter %s in the mailbox of %s, a client's: %v, has the outcomes %q", id, user, l.captured, got)
			}
		}
		want := 0
		if l.captured {
			want = 1
		}
		if times[id] != want {
			h.Errorf("letter %s of %q is %d contacts, want %d", id, l.users, times[id], want)
		}
		delete(times, id)
	}
	for id, n := range times {
		h.Errorf("%d contacts of the letter %s, which nobody sent", n, id)
	}
	if all != len(outcomes) {
		h.Errorf("%d letters have outcomes, %d were delivered", len(outcomes), all)
	}
}

var soakMark = regexp.MustCompile(`\b([a-z]+\d+)r(\d+)\b`)

// checkContacts: what was acknowledged is what the record says, and what each
// calendar shows; a program that followed the changes knows what a listing
// gives.
func (s *soak) checkContacts(contacts []map[string]any) {
	h := s.h
	byMark, byTitle := map[string]map[string]any{}, map[string]map[string]any{}
	for _, c := range contacts {
		subject := fmt.Sprint(c["subject"])
		if m := soakMark.FindStringSubmatch(subject); m != nil {
			if byMark[m[1]] != nil {
				h.Errorf("%s is two contacts: %v and %v", m[1], byMark[m[1]], c)
			}
			byMark[m[1]] = c
		}
		if strings.HasPrefix(subject, "Page ") {
			if byTitle[subject] != nil {
				h.Errorf("%s is two contacts: %v and %v", subject, byTitle[subject], c)
			}
			byTitle[subject] = c
		}
	}
	r := rand.New(rand.NewPCG(h.seed, 99))
	for _, p := range s.programs {
		if err := p.sync(r); err != nil {
			h.Errorf("%s: %v", p.login, err)
		}
		full, err := p.full(r)
		if err != nil {
			h.Errorf("%s: %v", p.login, err)
			continue
		}
		shown := map[string][]string{}
		for calendar, entries := range full {
			mine := p.calendars[calendar]
			if mine == nil {
				h.Errorf("the program of %s does not know %s", p.login, calendar)
				continue
			}
			for href, e := range entries {
				if got := mine.entries[href].etag; got != e.etag {
					h.Errorf("the program of %s has %s with the tag %q, the listing %q", p.login, href, got, e.etag)
				}
				m := soakMark.FindStringSubmatch(titleOf(e.body))
				if m == nil || p.entries[m[1]] == nil {
					continue
				}
				mark := m[1]
				shown[mark] = append(shown[mark], path.Base(strings.TrimSuffix(calendar, "/")))
				c := byMark[mark]
				if c == nil {
					h.Errorf("%s shows %s, which is no contact", href, titleOf(e.body))
					continue
				}
				if said := titleOf(e.body); said != c["subject"] {
					h.Errorf("%s says %q, the record %q", href, said, c["subject"])
				}
				start, err := time.Parse(time.RFC3339, fmt.Sprint(c["start"]))
				if !strings.HasSuffix(calendar, "/todo/") && (err != nil || !strings.Contains(e.body, start.UTC().Format("20060102T150405")) && !strings.Contains(e.body, start.UTC().Format(utcTime))) {
					h.Errorf("%s begins otherwise than the record, %v:\n%s", href, c["start"], e.body)
				}
			}
			for href := range mine.entries {
				if _, ok := entries[href]; !ok {
					h.Errorf("the program of %s holds %s, which is not there", p.login, href)
				}
			}
		}
		for mark, e := range p.entries {
			c, is := byMark[mark], ""
			if c != nil && c["state"] != string(store.Cancelled) {
				is = fmt.Sprint(c["subject"])
			}
			if !slices.Contains(e.may, is) {
				h.Errorf("%s is %q (%v), acknowledged was %q", mark, is, c, e.may)
			}
			var want []string
			if is != "" {
				want = []string{fmt.Sprint(c["status"]), "todo"}
			}
			slices.Sort(shown[mark])
			if !slices.Equal(shown[mark], want) {
				h.Errorf("%s (%v) stands in %q, want %q", mark, c, shown[mark], want)
			}
		}
	}
	for name, e := range s.visitor.entries {
		is := ""
		if c := byTitle[name]; c != nil {
			is = fmt.Sprint(c["state"])
		}
		if !slices.Contains(e.may, is) {
			h.Errorf("%s is %q, acknowledged was %q", name, is, e.may)
		}
	}
}

// checkOrders: every order that 1C was told is taken is there, each once.
func (s *soak) checkOrders() {
	h := s.h
	got := map[string]int{}
	for _, d := range exported(h.T, h.direct, "deals") {
		got[fmt.Sprint(d["id"])]++
	}
	for _, prefix := range s.oneC.taken {
		for i := range ordersOfFile {
			id := fmt.Sprintf("%s-%d", prefix, i)
			if got[id] != 1 {
				h.Errorf("the order %s is there %d times", id, got[id])
			}
		}
	}
}

// checkHistory: every acknowledged edit is a row of the history, what had no
// answer at most one, and each row begins where the one before it ended.
func (s *soak) checkHistory(contacts []map[string]any) {
	h := s.h
	rows, err := h.db.Query(`SELECT what_id, changes FROM history WHERE what = 'contact' ORDER BY id`)
	if err != nil {
		h.Errorf("history: %v", err)
		return
	}
	defer rows.Close()
	type past struct {
		rows     int
		last     map[string]string
		subjects map[string]int
		states   int
	}
	pasts := map[string]*past{}
	for rows.Next() {
		var id int64
		var text string
		if err := rows.Scan(&id, &text); err != nil {
			h.Errorf("history: %v", err)
			return
		}
		p := pasts[fmt.Sprint(id)]
		if p == nil {
			p = &past{last: map[string]string{}, subjects: map[string]int{}}
			pasts[fmt.Sprint(id)] = p
		}
		p.rows++
		var changed map[string][2]string
		if err := json.Unmarshal([]byte(text), &changed); err != nil {
			h.Errorf("history of contact %d: %v", id, err)
			continue
		}
		for field, c := range changed {
			if last, ok := p.last[field]; ok && last != c[0] {
				h.Errorf("history of contact %d: %s was %q, the next row begins with %q", id, field, last, c[0])
			}
			p.last[field] = c[1]
			switch field {
			case "subject":
				p.subjects[c[1]]++
			case "state":
				p.states++
			}
		}
	}
	if err := rows.Err(); err != nil {
		h.Errorf("history: %v", err)
	}
	find := func(id any) *past {
		p := pasts[fmt.Sprint(id)]
		if p == nil {
			h.Errorf("contact %v has no history", id)
			p = &past{}
		}
		return p
	}
	for _, c := range contacts {
		subject := fmt.Sprint(c["subject"])
		if m := soakMark.FindStringSubmatch(subject); m != nil {
			for _, program := range s.programs {
				e := program.entries[m[1]]
				if e == nil {
					continue
				}
				p := find(c["id"])
				for _, name := range e.acked {
					if name != "" && name != title(m[1], 0) && p.subjects[name] != 1 {
						h.Errorf("the edit to %q is %d rows of history", name, p.subjects[name])
					}
				}
				for _, name := range e.tried {
					if p.subjects[name] > 1 {
						h.Errorf("the edit to %q is %d rows of history", name, p.subjects[name])
					}
				}
			}
		}
		if e := s.visitor.entries[subject]; e != nil {
			p := find(c["id"])
			least, most := len(e.acked)-1, len(e.acked)+len(e.tried)-1
			if p.states < least || p.states > most {
				h.Errorf("%s: %d rows of history tell a state, %d to %d buttons were pressed", subject, p.states, least, most)
			}
		}
	}
}

// delivered mail: its text, and how often the server took it.
type delivered struct {
	text  string
	first time.Time       // when
	taken map[string]bool // queue ids
}

var queueID = regexp.MustCompile(`(?s)\bid ([0-9A-Za-z]+)\b`)

// mails are those that Postfix has delivered, by Message-ID.
func (s *soak) mails() map[string]*delivered {
	h := s.h
	if s.read == nil {
		s.read, s.delivered = map[string]bool{}, map[string]*delivered{}
	}
	files, err := filepath.Glob(filepath.Join(h.postfix.Kept, "new", "*"))
	if err != nil {
		h.Fatal(err)
	}
	for _, name := range files {
		if s.read[name] {
			continue
		}
		s.read[name] = true
		raw, err := os.ReadFile(name)
		if err != nil {
			h.Fatal(err)
		}
		m, err := mail.ReadMessage(bytes.NewReader(raw))
		if err != nil {
			h.Errorf("a mail that nobody can read: %v\n%s", err, raw)
			continue
		}
		text, err := plainText(m.Header.Get("Content-Type"), m.Header.Get("Content-Transfer-Encoding"), m.Body)
		if err != nil {
			h.Errorf("a mail that nobody can read: %v\n%s", err, raw)
		}
		id := m.Header.Get("Message-ID")
		d := s.delivered[id]
		if d == nil {
			d = &delivered{text: text, taken: map[string]bool{}}
			if info, err := os.Stat(name); err == nil {
				d.first = info.ModTime()
			}
			s.delivered[id] = d
		}
		if q := queueID.FindStringSubmatch(m.Header.Get("Received")); q != nil {
			d.taken[q[1]] = true
		}
	}
	return s.delivered
}

// plainText is a mail's text part.
func plainText(contentType, encoding string, body io.Reader) (string, error) {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return "", err
	}
	if strings.HasPrefix(kind, "multipart/") {
		parts := multipart.NewReader(body, params["boundary"])
		for {
			p, err := parts.NextRawPart()
			if err == io.EOF {
				return "", nil
			} else if err != nil {
				return "", err
			}
			text, err := plainText(p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"), p)
			if err != nil || text != "" {
				return text, err
			}
		}
	}
	if kind != "text/plain" {
		return "", nil
	}
	if strings.EqualFold(encoding, "quoted-printable") {
		body = quotedprintable.NewReader(body)
	}
	text, err := io.ReadAll(body)
	return string(text), err
}

// checkMails: what is noted as sent was delivered, nothing was made twice, and
// every reminder that was due was sent once. A mail that the server took while
// the connection, the daemon or the database broke is handed over again under
// the same Message-ID: that is the one window, and it is counted.
func (s *soak) checkMails(contacts []map[string]any) {
	h := s.h
	type row struct{ key, state string }
	rows, err := h.db.Query(`SELECT key, message_id, state FROM outbox`)
	if err != nil {
		h.Errorf("outbox: %v", err)
		return
	}
	defer rows.Close()
	outbox := map[string]row{}
	for rows.Next() {
		var r row
		var id string
		if err := rows.Scan(&r.key, &id, &r.state); err != nil {
			h.Errorf("outbox: %v", err)
			return
		}
		id = "<" + strings.Trim(id, "<>") + ">"
		if _, ok := outbox[id]; ok {
			h.Errorf("two mails with the Message-ID %s", id)
		}
		outbox[id] = r
	}
	if err := rows.Err(); err != nil {
		h.Errorf("outbox: %v", err)
	}
	mails := s.mails()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(200 * time.Millisecond) { // Postfix delivers after it answered
		late := false
		for id, r := range outbox {
			late = late || r.state == string(store.Sent) && mails[id] == nil
		}
		if !late {
			break
		}
		mails = s.mails()
	}
	again := 0
	reminded := map[string][]string{} // by mark and start: the mails
	starts := map[string]time.Time{}
	for _, p := range s.programs {
		for _, e := range p.entries {
			maps.Copy(starts, e.starts)
		}
	}
	sent := 0
	for id, r := range outbox {
		d := mails[id]
		switch {
		case d == nil && r.state == string(store.Sent):
			h.Errorf("the mail %s (%s) is noted as sent, and was not delivered", id, r.key)
		case d == nil:
			if r.state == string(store.Failed) {
				h.Errorf("the mail %s (%s) was given up", id, r.key)
			}
			continue
		}
		if d == nil {
			continue
		}
		sent++
		again += max(0, len(d.taken)-1)
		if !strings.HasPrefix(r.key, "reminders/") {
			continue
		}
		seen := map[string]bool{}
		for _, m := range soakMark.FindAllString(d.text, -1) {
			if seen[m] {
				continue
			}
			seen[m] = true
			name := "Plan " + m
			key := fmt.Sprint(soakMark.FindStringSubmatch(m)[1], " ", starts[name].Format(time.RFC3339))
			reminded[key] = append(reminded[key], id+" of "+name)
		}
	}
	for id := range mails {
		if _, ok := outbox[id]; !ok {
			h.Errorf("a mail %s was delivered that the outbox does not know:\n%s", id, mails[id].text)
		}
	}
	for key, ids := range reminded {
		if len(ids) > 1 {
			h.Errorf("reminded of %s more than once: %q", key, ids)
		}
	}
	if s.whole {
		for _, c := range contacts {
			subject := fmt.Sprint(c["subject"])
			m := soakMark.FindStringSubmatch(subject)
			if m == nil || c["state"] != string(store.Planned) {
				continue
			}
			for _, p := range s.programs {
				e := p.entries[m[1]]
				if e == nil || !e.due(h, subject, s.calmed) {
					continue
				}
				if key := fmt.Sprint(m[1], " ", starts[subject].Format(time.RFC3339)); len(reminded[key]) == 0 {
					h.Errorf("not reminded of %s: %v", key, c)
				}
			}
		}
	}
	s.sent, s.again, s.reminded = sent, again, len(reminded)
	if breaks := h.faults.of("kill") + h.faults.of("terminate") + h.faults.of("freeze") + h.faults.of("smtp cut") + h.faults.of("refuse smtp") + h.faults.of("restart Postfix") + s.databaseFaults(); again > breaks {
		h.Errorf("%d mails were handed over again, after %d breaks", again, breaks)
	}
}

// due reports whether a reminder of what has that title must have been sent by
// then: the minute in which it rings was still to come when it was written, and
// is over. A clock that was ahead, where it is not the database's, may have found
// that it was too late for it.
func (e *soakEntry) due(h *soakHouse, name string, by time.Time) bool {
	start := e.starts[name]
	alarm, first := start.Add(-time.Minute), e.written[name]
	for other, at := range e.starts {
		if at.Equal(start) && e.written[other].Before(first) {
			first = e.written[other]
		}
	}
	return first.Add(20*time.Second).Before(alarm.Truncate(time.Minute)) && alarm.Before(by) &&
		!(h.sqlite && h.wrong.touch(first, alarm.Add(2*time.Minute)))
}

// databaseFaults is how often something noted may have been lost with the
// database.
func (s *soak) databaseFaults() (n int) {
	for _, name := range []string{"refuse database", "restart PostgreSQL", "hang PostgreSQL", "terminate backends", "read-only database", "closed database", "slow commits", "slow fsync", "disk full", "database locked", "cut"} {
		n += s.h.faults.of(name)
	}
	return n
}

// checkLists: what lists are read by is what the records say.
func (s *soak) checkLists() {
	const day = `CASE WHEN e.expected <> '' AND e.expect_set >= e.due_set THEN e.expected ELSE e.due END`
	for what, query := range map[string]string{
		"contacts of managers": `SELECT COUNT(*) FROM contact_managers m JOIN contacts c ON c.id = m.contact_id
			WHERE m.start_at <> c.start_at OR COALESCE(m.client_id, 0) <> COALESCE(c.client_id, 0) OR COALESCE(m.listed, '') <>
				CASE WHEN c.state IN ('planned', 'postponed') THEN 'open' WHEN c.state = 'done' AND c.message_key = '' THEN 'done' ELSE '' END`,
		"deals with a day": `SELECT COUNT(*) FROM deals d WHERE d.listed_to <> CASE
				WHEN EXISTS (SELECT 1 FROM deal_events e WHERE e.deal_id = d.id AND e.state IN ('planned', 'postponed')) THEN 'open'
				ELSE COALESCE((SELECT MAX(` + day + `) FROM deal_events e WHERE e.deal_id = d.id), '') END`,
		"documents of deals": `SELECT COUNT(*) FROM deals d WHERE d.shipped <> (SELECT COALESCE(SUM(x.amount), 0) FROM documents x WHERE x.deal_id = d.id AND x.currency = d.currency AND x.kind = 'shipment')
				- (SELECT COALESCE(SUM(x.amount), 0) FROM documents x WHERE x.deal_id = d.id AND x.currency = d.currency AND x.kind = 'return')
			OR d.paid <> (SELECT COALESCE(SUM(x.amount), 0) FROM documents x WHERE x.deal_id = d.id AND x.currency = d.currency AND x.kind = 'payment')`,
		"open deals": `SELECT COUNT(*) FROM deals d WHERE d.open_next NOT IN ('', '2200-12-31') AND
				d.open_next <> (SELECT MIN(` + day + `) FROM deal_events e WHERE e.deal_id = d.id AND e.state IN ('planned', 'postponed') AND ` + day + ` <> '')`,
	} {
		var wrong int
		if err := s.h.db.QueryRow(query).Scan(&wrong); err != nil || wrong > 0 {
			s.h.Errorf("%s: %d are listed otherwise than they are: %v", what, wrong, err)
		}
	}
}

// checkLeases: every mailbox is one living daemon's, and all have their share.
func (s *soak) checkLeases() {
	h := s.h
	rows, err := h.db.Query(`SELECT m.name, m.lease_owner, d.id IS NOT NULL FROM mailboxes m LEFT JOIN daemons d ON d.id = m.lease_owner`)
	if err != nil {
		h.Errorf("leases: %v", err)
		return
	}
	defer rows.Close()
	held := map[string]int{}
	for rows.Next() {
		var name, owner string
		var alive bool
		if err := rows.Scan(&name, &owner, &alive); err != nil {
			h.Errorf("leases: %v", err)
			return
		}
		if owner == "" || !alive {
			h.Errorf("the mailbox %s is held by %q, alive: %v", name, owner, alive)
		}
		held[owner]++
	}
	if err := rows.Err(); err != nil {
		h.Errorf("leases: %v", err)
	}
	if len(held) != len(h.daemons) {
		h.Errorf("the mailboxes are held so: %v", held)
	}
}
