package store

import (
	"bufio"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Everything about one person, to be given to them or to be erased. Which
// tables there are is asked of the database, so that a new one is searched, and
// swept, without a word here: what is not is in notSearched, with the reason.

// ErrOneOfUs: the address is a manager's, whose records are the company's own.
var ErrOneOfUs = errors.New("is an address of one of the managers")

// FindSubject finds the persons with an e-mail address or a number, those that
// were merged into them included. An address that is nobody's is a subject,
// too: letters may mention it. ErrNotFound where there is no such number.
func (s *Store) FindSubject(ctx context.Context, who string) (sub Subject, err error) {
	err = s.read(ctx, func(t *tx) error {
		sub, err = t.subject(who)
		return err
	})
	return sub, err
}

func (t *tx) subject(who string) (sub Subject, err error) {
	sub = Subject{Persons: []int64{}, Names: []string{}, Emails: []string{}, Phones: []string{}}
	ids := func(query string, args ...any) error {
		return t.rows(query, args, func(scan func(...any) error) error {
			var id int64
			err := scan(&id)
			if !slices.Contains(sub.Persons, id) {
				sub.Persons = append(sub.Persons, id)
			}
			return err
		})
	}
	if id, numErr := strconv.ParseInt(strings.TrimPrefix(strings.TrimSpace(who), "#"), 10, 64); numErr == nil {
		if err := ids(`SELECT id FROM persons WHERE id = $1 AND (merged_into IS NULL OR merged_into <> id)`, id); err != nil {
			return sub, err
		}
		if len(sub.Persons) == 0 {
			return sub, ErrNotFound
		}
	} else {
		address, err := Address(who)
		if err != nil {
			return sub, invalid("person", "is neither a number nor an address: %v", err)
		}
		sub.Emails = []string{address}
		err = ids(`SELECT person_id FROM person_points WHERE kind = 'email' AND value = $1 ORDER BY person_id`, address)
		if err == nil && len(sub.Persons) == 0 { // it was taken from who has it in an address book, or had it before a merging
			err = ids(`SELECT person_id FROM book_entries WHERE person_id IS NOT NULL AND (said LIKE $1 ESCAPE '\' OR kept LIKE $1 ESCAPE '\') ORDER BY person_id`,
				"%"+likeEscaper.Replace(asJSON(address))+"%")
		}
		if err != nil {
			return sub, err
		}
	}
	for before := -1; before < len(sub.Persons); { // whoever was merged with whom
		before = len(sub.Persons)
		in, of := t.s.dialect.ids("$1"), asJSON(sub.Persons)
		err := errors.Join(ids(`SELECT merged_into FROM persons WHERE id IN `+in+` AND merged_into <> id ORDER BY id`, of),
			ids(`SELECT id FROM persons WHERE merged_into IN `+in+` AND merged_into <> id ORDER BY id`, of))
		if err != nil {
			return sub, err
		}
	}
	if err := t.knownBy(&sub); err != nil {
		return sub, err
	}
	if ours, err := t.ours(sub.Emails); err != nil || ours {
		return sub, cmp.Or(err, ErrOneOfUs)
	}
	if err := t.leaveOthers(&sub); err != nil {
		return sub, err
	}
	if len(sub.Persons)+len(sub.Emails) == 0 {
		return sub, invalid("person", "is an address of a client, not of a person: take it from the client first")
	}
	return sub, nil
}

// leaveOthers takes out by what others would be recognised, too: names that are
// a client's or a manager's, addresses and telephones of clients.
func (t *tx) leaveOthers(sub *Subject) (err error) {
	theirs := func(query string, args ...any) bool {
		var one int
		e := t.row(query, args, &one)
		err = cmp.Or(err, ignoreNotFound(e))
		return e == nil
	}
	sub.Names = slices.DeleteFunc(sub.Names, func(n string) bool {
		return len(strings.Fields(n)) > 1 && theirs(`SELECT 1 FROM clients WHERE folded LIKE $1 ESCAPE '\' LIMIT 1`, "%"+likeEscaper.Replace(fold(n))+"%") ||
			theirs(`SELECT 1 FROM managers WHERE name = $1 LIMIT 1`, n)
	})
	sub.Emails = slices.DeleteFunc(sub.Emails, func(e string) bool {
		return theirs(`SELECT 1 FROM client_points WHERE kind = 'email' AND value = $1 LIMIT 1`, e)
	})
	companies := map[string]bool{}
	if len(sub.Phones) > 0 && err == nil {
		err = t.rows(`SELECT value FROM client_points WHERE kind = 'phone'`, nil, func(scan func(...any) error) error {
			var phone string
			err := scan(&phone)
			companies[phoneKey(phone)] = true
			return err
		})
	}
	sub.Phones = slices.DeleteFunc(sub.Phones, func(p string) bool { return companies[phoneKey(p)] })
	return err
}

// knownBy adds by what the persons can be recognised, as they are and as
// address books called them.
func (t *tx) knownBy(sub *Subject) error {
	add := func(list *[]string, value string) {
		if value = strings.TrimSpace(value); value != "" && !slices.Contains(*list, value) {
			*list = append(*list, value)
		}
	}
	in, of := t.s.dialect.ids("$1"), asJSON(sub.Persons)
	err := t.rows(`SELECT name FROM persons WHERE id IN `+in, []any{of}, func(scan func(...any) error) error {
		var name string
		err := scan(&name)
		if !strings.Contains(name, "@") { // a person without a name is called by the address
			add(&sub.Names, name)
		}
		return err
	})
	if err == nil {
		err = t.rows(`SELECT kind, value FROM person_points WHERE person_id IN `+in+` ORDER BY kind, position`, []any{of}, func(scan func(...any) error) error {
			var kind, value string
			err := scan(&kind, &value)
			if kind == "email" {
				add(&sub.Emails, value)
			} else {
				add(&sub.Phones, value)
			}
			return err
		})
	}
	if err == nil {
		err = t.rows(`SELECT said FROM book_entries WHERE person_id IN `+in, []any{of}, func(scan func(...any) error) error {
			var said BookPerson
			err := scan(jsonInto{&said})
			add(&sub.Names, said.Name)
			for _, e := range said.Emails {
				add(&sub.Emails, e)
			}
			for _, p := range said.Phones {
				add(&sub.Phones, p.Number)
			}
			return err
		})
	}
	if err == nil {
		err = t.rows(`SELECT name FROM correspondents WHERE address IN `+t.s.dialect.texts("$1")+` UNION SELECT name FROM senders WHERE address IN `+t.s.dialect.texts("$1"),
			[]any{asJSON(sub.Emails)}, func(scan func(...any) error) error {
				var name string
				err := scan(&name)
				if !strings.Contains(name, "@") {
					add(&sub.Names, name)
				}
				return err
			})
	}
	return err
}

// contactsOf are the contacts in which the subject took part, as a person or by
// an address of its letters.
func (t *tx) contactsOf(sub *Subject) (contacts []int64, err error) {
	contacts = []int64{}
	take := func(scan func(...any) error) error {
		var id int64
		err := scan(&id)
		contacts = append(contacts, id)
		return err
	}
	err = t.rows(`SELECT contact_id FROM contact_persons WHERE person_id IN `+t.s.dialect.ids("$1"), []any{asJSON(sub.Persons)}, take)
	for _, e := range sub.Emails {
		if err == nil {
			err = t.rows(`SELECT c.id FROM letter_texts lt JOIN contacts c ON c.message_key = lt.message_key AND c.message_key <> '' WHERE lt.parties LIKE $1 ESCAPE '\'`,
				[]any{"%" + likeEscaper.Replace(asJSON(e)) + "%"}, take)
		}
	}
	slices.Sort(contacts)
	return slices.Compact(contacts), err
}

// SubjectRecord is a row of the database that is about the subject, or mentions
// it.
type SubjectRecord struct {
	Table string         `json:"table"`
	Row   map[string]any `json:"row"`
}

// SubjectContact is a contact in which the subject took part.
type SubjectContact struct {
	ID        int64     `json:"id"`
	Kind      Kind      `json:"kind"`
	Direction Direction `json:"direction,omitempty"`
	Client    string    `json:"client"`
	At        time.Time `json:"at"`
	Subject   string    `json:"subject"`
	Text      string    `json:"text"`
	Whole     string    `json:"whole_text,omitempty"` // of a letter, with its quotes
}

// EachAbout gives everything about the subject: its contacts, and each row of
// each table that is about it or mentions it, without the columns of
// notSearched. It reads the whole database. A viewer is not given the texts of
// private threads in which they took no part, and no calendar data, which has
// them, too; nil is the administrator.
func (s *Store) EachAbout(ctx context.Context, viewer *Manager, sub *Subject, contact func(SubjectContact) error, record func(SubjectRecord) error) error {
	tables, err := s.moveTables(ctx)
	if err != nil {
		return err
	}
	return s.read(ctx, func(t *tx) error {
		contacts, err := t.contactsOf(sub)
		if err != nil {
			return err
		}
		hidden, err := t.hiddenFrom(viewer)
		if err != nil {
			return err
		}
		for ids := range slices.Chunk(contacts, cleanBatch) {
			err := t.rows(`SELECT c.id, c.kind, c.direction, COALESCE(cl.name, c.client_text), c.start_at, c.subject, c.body, COALESCE(lt.full_text, '') FROM contacts c
				LEFT JOIN clients cl ON cl.id = c.client_id LEFT JOIN letter_texts lt ON lt.message_key = c.message_key AND c.message_key <> ''
				WHERE c.id IN `+t.s.dialect.ids("$1")+` ORDER BY c.id`, []any{asJSON(ids)}, func(scan func(...any) error) error {
				var c SubjectContact
				if err := scan(&c.ID, &c.Kind, &c.Direction, &c.Client, timeInto{&c.At}, &c.Subject, &c.Text, &c.Whole); err != nil {
					return err
				}
				if hidden.contacts[c.ID] {
					c.Text, c.Whole = "", ""
				}
				return contact(c)
			})
			if err != nil {
				return err
			}
		}
		look := newMentions(sub.wholeNames(), sub.Emails, sub.Phones, "")
		for _, table := range tables {
			if err := t.about(table, sub, look, func(row []any, _ []int) error {
				r := SubjectRecord{Table: table.name, Row: map[string]any{}}
				for i, c := range table.cols {
					v := row[i]
					b, isBytes := v.([]byte)
					if isBytes {
						v = string(b)
					}
					if searched(table.name, c.name) && !(isBytes && viewer != nil) && !table.isMail(i) { // a digest tells of others, too
						r.Row[c.name] = v
					}
				}
				hidden.from(table, row, r.Row)
				return record(r)
			}); err != nil {
				return err
			}
		}
		return nil
	})
}

// hiddenTexts are the contacts, and the letters by key, whose texts somebody may
// not read.
type hiddenTexts struct {
	contacts map[int64]bool
	letters  map[string]bool
}

func (t *tx) hiddenFrom(viewer *Manager) (h hiddenTexts, err error) {
	if viewer == nil {
		return h, nil
	}
	h = hiddenTexts{map[int64]bool{}, map[string]bool{}}
	err = t.rows(`SELECT c.id, c.message_key FROM contacts c WHERE c.private AND NOT EXISTS (SELECT 1 FROM contact_managers cm WHERE cm.contact_id = c.id AND cm.manager_id = $1)`,
		[]any{viewer.ID}, func(scan func(...any) error) error {
			var id int64
			var key string
			err := scan(&id, &key)
			h.contacts[id], h.letters[key] = true, true
			return err
		})
	return h, err
}

// from takes such a text out of what is given of a row.
func (h hiddenTexts) from(table moveTable, row []any, given map[string]any) {
	number := func(name string) int64 { n, _ := table.value(row, name).(int64); return n }
	switch key, _ := table.value(row, "message_key").(string); {
	case h.contacts == nil: // the administrator
	case table.name == "contacts" && h.contacts[number("id")]:
		delete(given, "body")
		delete(given, "attachments")
	case table.name == "letter_texts" && h.letters[key]:
		delete(given, "full_text")
	case table.name == "history" && table.value(row, "what") == "contact" && h.contacts[number("what_id")]:
		delete(given, "changes")
	case table.name == "deliveries" || table.name == "idempotency": // what programs were told, whole
		delete(given, "body")
	}
}

// value is what a row has in the column of that name; nil where there is none.
func (t moveTable) value(row []any, column string) any {
	for i, c := range t.cols {
		if c.name == column {
			return row[i]
		}
	}
	return nil
}

// WriteAbout writes all that EachAbout gives as one JSON object: subject,
// contacts, records.
func (s *Store) WriteAbout(ctx context.Context, w io.Writer, viewer *Manager, sub *Subject) error {
	out := bufio.NewWriterSize(w, 64<<10)
	n := 0
	list := func(v any) error {
		b, err := json.MarshalIndent(v, "    ", "  ")
		if err != nil {
			return err
		}
		if n++; n > 1 {
			out.WriteString(",") // its error comes with the last Flush
		}
		out.WriteString("\n    ")
		_, err = out.Write(b)
		return err
	}
	head, err := json.MarshalIndent(sub, "  ", "  ")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "{\n  \"subject\": %s,\n  \"contacts\": [", head)
	inRecords := false
	begin := func() {
		if !inRecords {
			out.WriteString("],\n  \"records\": [")
			inRecords, n = true, 0
		}
	}
	err = s.EachAbout(ctx, viewer, sub, func(c SubjectContact) error { return list(c) }, func(r SubjectRecord) error {
		begin()
		return list(r)
	})
	if err != nil {
		return err
	}
	begin()
	out.WriteString("]\n}\n")
	return out.Flush()
}

// about gives the rows of a table that name one of the persons or mention the
// subject, and in which columns it is mentioned.
func (t *tx) about(table moveTable, sub *Subject, look mentions, each func(row []any, where []int) error) error {
	if !searched(table.name, "") {
		return nil
	}
	return t.eachRow(table, table.selects(), nil, func(row []any) error {
		where := table.mentioned(row, look)
		if len(where) > 0 || table.namesOne(row, sub.Persons) {
			return each(row, where)
		}
		return nil
	})
}

func (t *tx) eachRow(table moveTable, query string, args []any, each func(row []any) error) error {
	rows, err := t.QueryContext(t.ctx, query, args...)
	if err != nil {
		return err
	}
	return readRows(t.ctx, table, rows, each)
}

// mentioned are the columns of a row in which the subject is mentioned.
func (t moveTable) mentioned(row []any, look mentions) (where []int) {
	for i, c := range t.cols {
		text, isText := row[i].(string)
		if b, ok := row[i].([]byte); ok {
			text, isText = string(b), true
		}
		if !isText || !searched(t.name, c.name) {
			continue
		}
		if t.isMail(i) && look.inMail([]byte(text)) || !t.isMail(i) && look.in(text) {
			where = append(where, i)
		}
	}
	return where
}

// namesOne reports whether a row is one of the persons' or of theirs.
func (t moveTable) namesOne(row []any, persons []int64) bool {
	column := "person_id"
	if t.name == "persons" {
		column = "id"
	}
	id, _ := t.value(row, column).(int64)
	return slices.Contains(persons, id)
}

// Erasure is what was done to forget somebody.
type Erasure struct {
	Subject  Subject
	Contacts int // in which they took part; their letters have no text any more
	Rows     int // others in which they were mentioned
}

// maxSweeps bounds how often the database is gone through: what shows a record
// is made anew from it, and found clean the next time.
const maxSweeps = 6

// Erase forgets somebody: what is known of the persons goes, the texts of
// letters that they wrote or were sent, and each mention of a whole name, an
// address or a telephone in whatever text of whatever table. Contacts, deals
// and sums stay, with "as" in the place of the person, so that reports stay as
// they were. Nothing brings them back by itself: not a mailbox that is read
// again, an import or an address book. Errors as FindSubject.
func (s *Store) Erase(ctx context.Context, actor Actor, who string, as func(number int64) string) (e Erasure, err error) {
	for err = errErasing; errors.Is(err, errErasing); {
		if _, err := s.sweep(ctx); err != nil { // of one that was cut off, or began just now
			return e, err
		}
		err = s.writeAgain(ctx, func(t *tx) error {
			e = Erasure{}
			return t.eraseWho(actor, who, as, &e)
		})
	}
	if err != nil {
		return e, err
	}
	e.Rows, err = s.sweep(ctx)
	return e, err
}

// errErasing: another erasure has not ended.
var errErasing = errors.New("somebody else is being erased")

// eraseWho finds who is meant, forgets what is known of them, and notes whose
// mentions are to be taken out. No letter is filed and nothing imported
// meanwhile: what comes before is seen here, and what comes later is told that
// they were erased.
func (t *tx) eraseWho(actor Actor, who string, as func(number int64) string, e *Erasure) (err error) {
	if err := errors.Join(t.alone(importWork), t.filesAlone()); err != nil {
		return err
	}
	if e.Subject, err = t.subject(who); err != nil {
		return err
	}
	number := int64(0)
	if err := t.row(`SELECT COUNT(*) FROM erased`, nil, &number); err != nil {
		return err
	}
	if number++; len(e.Subject.Persons) > 0 {
		number = e.Subject.Persons[0]
	}
	n, err := t.exec(`INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING`, underErasure, asJSON(erasing{e.Subject, as(number)}))
	if err == nil && n == 0 {
		err = errErasing
	}
	if err == nil {
		e.Contacts, err = t.erase(actor, &e.Subject, as(number))
	}
	return err
}

// underErasure is the setting that keeps whom an erasure that has begun is
// about: it is gone when no mention is left.
const underErasure = "erasing"

// erasing is the value of underErasure.
type erasing struct {
	Subject Subject
	As      string
}

// sweep takes all mentions of whoever is under erasure out of the database, and
// ends the erasure. CleanUp does it for one that was cut off.
func (s *Store) sweep(ctx context.Context) (rows int, err error) {
	var whose erasing
	var noted string
	err = s.read(ctx, func(t *tx) error {
		return t.row(`SELECT value FROM settings WHERE name = $1`, []any{underErasure}, &noted)
	})
	if err == nil {
		err = json.Unmarshal([]byte(noted), &whose)
	}
	if err != nil {
		return 0, ignoreNotFound(err)
	}
	tables, err := s.moveTables(ctx)
	if err != nil {
		return 0, err
	}
	look := newMentions(whose.Subject.wholeNames(), whose.Subject.Emails, whose.Subject.Phones, whose.As)
	for range maxSweeps {
		found := 0
		for _, table := range tables {
			n, err := s.sweepTable(ctx, table, look)
			if err != nil {
				return rows, fmt.Errorf("take the mentions out of %s: %w", table.name, err)
			}
			if table.name != "entries" { // made anew at once; the UID of one may look like an address
				found += n
			}
		}
		if rows += found; found == 0 {
			return rows, s.write(ctx, func(t *tx) error {
				_, err := t.exec(`DELETE FROM settings WHERE name = $1 AND value = $2`, underErasure, noted)
				return err
			})
		}
	}
	return rows, errors.New("mentions come back while they are taken out: the clean-up goes on with it")
}

// erase forgets what is known of the persons themselves.
func (t *tx) erase(actor Actor, sub *Subject, as string) (int, error) {
	contacts, err := t.contactsOf(sub)
	if err != nil {
		return 0, err
	}
	in, of := t.s.dialect.ids("$1"), asJSON(sub.Persons)
	keys := erasedKeys(sub.Emails, sub.Phones)
	key := func(prefix string) func(scan func(...any) error) error {
		return func(scan func(...any) error) error {
			var k string
			err := scan(&k)
			keys = append(keys, prefix+k)
			return err
		}
	}
	var clients []int64
	err = errors.Join(
		t.rows(`SELECT external_id FROM persons WHERE external_id IS NOT NULL AND id IN `+in, []any{of}, key("id ")),
		t.rows(`SELECT book || ' ' || key FROM book_entries WHERE person_id IN `+in, []any{of}, key("book ")),
		t.rows(`SELECT DISTINCT client_id FROM persons WHERE id IN `+in, []any{of}, func(scan func(...any) error) error {
			var id int64
			err := scan(&id)
			clients = append(clients, id)
			return err
		}))
	if err != nil {
		return 0, err
	}
	for _, k := range keys {
		if _, err := t.exec(`INSERT INTO erased (hash, at) VALUES ($1, $2) ON CONFLICT (hash) DO UPDATE SET at = $2`, t.s.erasedHash(k), t.now.Unix()); err != nil {
			return 0, err
		}
	}
	letters, err := t.lettersAmong(contacts)
	if err != nil {
		return 0, err
	}
	for ids := range slices.Chunk(letters, cleanBatch) {
		if err := t.dropTextsOf(ids); err != nil {
			return 0, err
		}
	}
	// Within what they took part in, a single word of their name is theirs, too.
	words := newMentions(ownWords(sub.Names), nil, nil, as)
	for ids := range slices.Chunk(contacts, cleanBatch) {
		if err := errors.Join(t.rewordContacts(ids, words), t.rewordSaid(ids, words)); err != nil {
			return 0, err
		}
	}
	if err := t.rewordNews(contacts, words); err != nil {
		return 0, err
	}
	for _, q := range []string{
		`UPDATE contact_persons SET address = '' WHERE person_id IN `,
		`DELETE FROM person_points WHERE person_id IN `,
		`DELETE FROM book_entries WHERE person_id IN `,
		`UPDATE book_entries SET double_id = NULL WHERE double_id IN `,
		`DELETE FROM cards WHERE person_id IN `,
		`DELETE FROM persons_apart WHERE one IN `,
		`DELETE FROM persons_apart WHERE other IN `,
		`UPDATE history SET changes = '{}' WHERE what = 'person' AND what_id IN `,
	} {
		if _, err := t.exec(q+in, of); err != nil {
			return 0, err
		}
	}
	if _, err := t.exec(`UPDATE persons SET external_id = NULL, name = $2, position = '', birthday = '', away_until = '', merged_into = id, changed = $3, version = version + 1 WHERE id IN `+in,
		of, as, t.now.Unix()); err != nil {
		return 0, err
	}
	// What was sent lies with its readers; here it was kept to be looked at.
	if _, err := t.exec(`UPDATE outbox SET bytes = $1 WHERE state IN ('sent', 'dropped')`, []byte{}); err != nil {
		return 0, err
	}
	for _, id := range sub.Persons {
		if err := t.remember(actor, "person", id, "erased", nil); err != nil {
			return 0, err
		}
	}
	if err := t.touchClient(clients...); err != nil {
		return 0, err
	}
	return len(contacts), t.directoryChanged()
}

// ownWords are the words of names that are long enough to be names.
func ownWords(names []string) (words []string) {
	for _, n := range names {
		for _, w := range strings.Fields(n) {
			if len([]rune(w)) > 2 && !slices.Contains(words, w) {
				words = append(words, w)
			}
		}
	}
	return words
}

// lettersAmong are those of the contacts whose text came by mail: letters, their
// twins at a client that was merged, meetings to which somebody was invited.
func (t *tx) lettersAmong(contacts []int64) ([]int64, error) {
	return t.numbers(`SELECT c.id FROM contacts c WHERE c.id IN `+t.s.dialect.ids("$1")+` AND (c.message_key <> ''
		OR EXISTS (SELECT 1 FROM invitations i WHERE i.contact_id = c.id)
		OR c.id IN (SELECT CAST(record AS BIGINT) FROM merge_rows WHERE what = 'twins')) ORDER BY c.id`, asJSON(contacts))
}

// rewordSaid takes a name out of what is kept beside these contacts: their
// history, and what their invitations said, of which the text goes.
func (t *tx) rewordSaid(contacts []int64, words mentions) error {
	in, of := t.s.dialect.ids("$1"), asJSON(contacts)
	type row struct {
		key  []any
		text string
	}
	var invited, history []row
	err := errors.Join(
		t.rows(`SELECT uid, client_id, said FROM invitations WHERE contact_id IN `+in, []any{of}, func(scan func(...any) error) error {
			var uid string
			var client int64
			var what said
			err := scan(&uid, &client, jsonInto{&what})
			what.Title, what.Body = words.replace(what.Title), ""
			invited = append(invited, row{[]any{uid, client}, asJSON(what)})
			return err
		}),
		t.rows(`SELECT id, changes FROM history WHERE what = 'contact' AND what_id IN `+in, []any{of}, func(scan func(...any) error) error {
			var id int64
			var text string
			err := scan(&id, &text)
			if words.in(text) {
				history = append(history, row{[]any{id}, words.replace(text)})
			}
			return err
		}))
	for _, c := range []struct {
		query string
		rows  []row
	}{
		{`UPDATE invitations SET said = $1 WHERE uid = $2 AND client_id = $3`, invited},
		{`UPDATE history SET changes = $1 WHERE id = $2`, history},
	} {
		for _, r := range c.rows {
			if err == nil {
				_, err = t.exec(c.query, append([]any{r.text}, r.key...)...)
			}
		}
	}
	return err
}

// rewordNews takes a name out of what programs are still to be told of these
// contacts.
func (t *tx) rewordNews(contacts []int64, words mentions) error {
	bodies := map[int64]string{}
	err := t.rows(`SELECT id, body FROM deliveries`, nil, func(scan func(...any) error) error {
		var id int64
		var text string
		if err := scan(&id, &text); err != nil || !words.in(text) {
			return err
		}
		var about struct{ Subject subject }
		if err := json.Unmarshal([]byte(text), &about); err != nil {
			return err
		}
		if about.Subject.Kind == "contact" && slices.Contains(contacts, about.Subject.ID) {
			bodies[id] = words.replace(text)
		}
		return nil
	})
	for id, text := range bodies {
		if err == nil {
			_, err = t.exec(`UPDATE deliveries SET body = $1 WHERE id = $2`, text, id)
		}
	}
	return err
}

// rewordContacts takes a name out of subjects and texts of contacts.
func (t *tx) rewordContacts(ids []int64, words mentions) error {
	type texts struct {
		id                  int64
		subject, bare, body string
	}
	var found []texts
	err := t.rows(`SELECT id, subject, bare_subject, body FROM contacts WHERE id IN `+t.s.dialect.ids("$1"), []any{asJSON(ids)}, func(scan func(...any) error) error {
		var c texts
		err := scan(&c.id, &c.subject, &c.bare, &c.body)
		if words.in(c.subject) || words.in(c.bare) || words.in(c.body) {
			found = append(found, c)
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, c := range found {
		if _, err := t.exec(`UPDATE contacts SET subject = $1, bare_subject = $2, body = $3, version = version + 1, changed = $4 WHERE id = $5`,
			words.replace(c.subject), fold(words.replace(c.bare)), words.replace(c.body), t.now.Unix(), c.id); err != nil {
			return err
		}
		t.indexWords(searchedContact, c.id, nil)
		t.touch(ItemKey{ID: c.id})
	}
	return nil
}

// What is read of a table at once while it is swept, at most: rows, and bytes of
// those with mentions.
const (
	sweepRows  = 5000
	sweepBytes = 2 << 20
)

// sweepTable takes the mentions of the subject out of a table, and gives in how
// many rows there were some. It is read in the order of its key, some rows at
// once and outside the transaction that changes them, so that others write
// meanwhile.
func (s *Store) sweepTable(ctx context.Context, table moveTable, look mentions) (found int, err error) {
	if !searched(table.name, "") {
		return 0, nil
	}
	type hit struct {
		row   []any
		where []int
	}
	enough := errors.New("enough of them")
	for after, more := []any(nil), true; more; {
		var hits []hit
		var last []any
		n, size := 0, int64(0)
		err := s.read(ctx, func(t *tx) error {
			query := table.selects() + table.behind(s.dialect, false, after)
			if len(table.key) > 0 { // without a key it is small, and read whole
				query += " LIMIT " + strconv.Itoa(sweepRows)
			}
			return t.eachRow(table, query, after, func(row []any) error {
				n, last = n+1, row
				if where := table.mentioned(row, look); len(where) > 0 {
					hits = append(hits, hit{row, where})
					if size += sizeOf(row); size > sweepBytes && len(table.key) > 0 {
						return enough
					}
				}
				return nil
			})
		})
		if more = errors.Is(err, enough) || len(table.key) > 0 && n == sweepRows; err != nil && !errors.Is(err, enough) {
			return found, err
		}
		if more {
			after = table.keyValues(last)
		}
		for some := range slices.Chunk(hits, cleanBatch) {
			if err := s.writeAgain(ctx, func(t *tx) error {
				unique, err := t.uniqueColumns(table.name)
				if err != nil {
					return err
				}
				for _, h := range some {
					if err := t.reword(&table, unique, h.row, h.where, look); err != nil {
						return err
					}
				}
				return nil
			}); err != nil {
				return found, err
			}
			found += len(some)
		}
	}
	return found, nil
}

// reword takes the mentions out of one row, and marks what shows it. unique are
// the columns in which another row may not be the same (uniqueColumns).
func (t *tx) reword(table *moveTable, unique []string, row []any, where []int, look mentions) error {
	column := func(name string) any { return table.value(row, name) }
	id, _ := column("id").(int64)
	switch table.name {
	case "entries": // made anew from what it shows
		if item, err := parseItemKey(column("item").(string)); err == nil {
			t.touch(item)
		}
		return nil
	case "cards":
		if column("person_id") != nil {
			break // what a program wrote into another person's
		}
		if _, err := t.exec(`DELETE FROM cards WHERE id = $1`, id); err != nil {
			return err
		}
		manager, _ := column("manager_id").(int64)
		return t.logOwnCard(manager, column("name").(string), "")
	case "contacts":
		t.indexWords(searchedContact, id, nil)
		t.touch(ItemKey{ID: id})
	case "clients":
		t.indexWords(searchedClient, id, nil)
		if err := t.touchClient(id); err != nil {
			return err
		}
	case "persons":
		t.indexWords(searchedPerson, id, nil)
		client, _ := column("client_id").(int64)
		if err := t.touchClient(client); err != nil {
			return err
		}
	case "deals":
		t.indexWords(searchedDeal, id, nil)
		if err := t.touchDeal(id); err != nil {
			return err
		}
	case "deal_events":
		t.touch(ItemKey{Event: true, ID: id})
	case "outbox":
		if i := slices.Index(table.names(), "rcpt_to"); slices.Contains(where, i) { // a mail to whoever is erased
			if _, err := t.exec(`UPDATE outbox SET state = CASE state WHEN 'queued' THEN 'dropped' ELSE state END, bytes = $1, rcpt_to = $2 WHERE id = $3`, []byte{}, look.with, id); err != nil {
				return err
			}
			return nil
		}
	case "overlays":
		if item, err := parseItemKey(column("item").(string)); err == nil {
			t.touch(item)
		}
	}
	key := table.key
	if len(key) == 0 { // the whole row tells it
		for i := range table.cols {
			key = append(key, i)
		}
	}
	var is []string
	var args []any
	arg := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	match := func() string {
		for _, i := range key {
			if row[i] == nil {
				is = append(is, identifier(table.cols[i].name)+" IS NULL")
			} else {
				is = append(is, identifier(table.cols[i].name)+" = "+arg(row[i]))
			}
		}
		return strings.Join(is, " AND ")
	}
	for _, i := range where {
		if rowGoes(table, i) {
			_, err := t.exec(`DELETE FROM `+identifier(table.name)+` WHERE `+match(), args...)
			return err
		}
	}
	var set []string
	for _, i := range where {
		var v any
		switch old := row[i].(type) {
		case string:
			v = look.replace(old)
			if slices.Contains(unique, table.cols[i].name) {
				v = fmt.Sprintf("%s (%s)", v, table.shownKey(row)) // another row may be spelt like that now
			}
		case []byte:
			if table.isMail(i) {
				v = look.replaceMail(old)
			} else {
				v = []byte(look.replace(string(old)))
			}
		}
		set = append(set, identifier(table.cols[i].name)+" = "+arg(v))
		is = append(is, identifier(table.cols[i].name)+" = "+arg(row[i])) // else somebody wrote meanwhile: the next time
	}
	if slices.Contains(table.cols, moveColumn{"version", intColumn}) { // whoever edits an older one is told
		set = append(set, "version = version + 1")
	}
	_, err := t.exec(`UPDATE `+identifier(table.name)+` SET `+strings.Join(set, ", ")+` WHERE `+match(), args...)
	return err
}

// erasedHash is a key of somebody as the table erased has it.
func (s *Store) erasedHash(key string) string {
	mac := hmac.New(sha256.New, s.mailKey.Derive("erased"))
	mac.Write([]byte(key))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// erasedAt is when the last of these was erased on request; zero where none
// was. Keys are as in erase.
func (t *tx) erasedAt(keys ...string) (at time.Time, err error) {
	if t.erased == nil {
		t.erased = map[string]int64{}
		if err := t.rows(`SELECT hash, at FROM erased`, nil, func(scan func(...any) error) error {
			var hash string
			var at int64
			err := scan(&hash, &at)
			t.erased[hash] = at
			return err
		}); err != nil {
			return at, err
		}
	}
	if len(t.erased) == 0 {
		return at, nil
	}
	for _, k := range keys {
		if n := t.erased[t.s.erasedHash(k)]; n > 0 && fromUnix(n).After(at) {
			at = fromUnix(n)
		}
	}
	return at, nil
}

// erasedSince reports whether whoever has the address was erased after a moment.
func (t *tx) erasedSince(address string, moment time.Time) (bool, error) {
	at, err := t.erasedAt("email " + address)
	return !at.IsZero() && moment.Before(at), err
}

// wasErased reports whether the person is one who is not to come back by
// itself.
func (t *tx) wasErased(emails, phones []string, keys ...string) (bool, error) {
	at, err := t.erasedAt(append(keys, erasedKeys(emails, phones)...)...)
	return !at.IsZero(), err
}

// erasedKeys are the keys of addresses and telephones, as erasedHash takes them.
func erasedKeys(emails, phones []string) (keys []string) {
	for _, e := range emails {
		keys = append(keys, "email "+e)
	}
	for _, k := range phoneKeys(phones) {
		keys = append(keys, "phone "+k)
	}
	return keys
}

// takeBack forgets that somebody was erased: a person was added anew by hand.
func (t *tx) takeBack(p *Person) error {
	was, err := t.wasErased(p.Emails, p.Phones)
	if err != nil || !was {
		return err
	}
	hashes := erasedKeys(p.Emails, p.Phones)
	for i, k := range hashes {
		hashes[i] = t.s.erasedHash(k)
	}
	t.erased = nil
	_, err = t.exec(`DELETE FROM erased WHERE hash IN `+t.s.dialect.texts("$1"), asJSON(hashes))
	return err
}
