package store

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// The index of words. Whatever the history remembers of a client, person, deal
// or contact marks it; before the transaction commits, its words are written
// anew (writeWords). What was there before the index is collected by
// IndexWords. The rows that a search finds are read from the tables themselves
// with the rights of the viewer, so the index cannot show what is gone or
// another's.

// indexWords marks a record whose words may have changed.
func (t *tx) indexWords(what string, id int64, c changes) {
	if !slices.Contains(searchedKinds, what) {
		return
	}
	if what == searchedContact && c != nil { // most changes are of other fields
		_, subject := c["subject"]
		if _, client := c["client"]; !subject && !client {
			return
		}
	}
	if t.words == nil {
		t.words = map[string]map[int64]bool{}
	}
	if t.words[what] == nil {
		t.words[what] = map[int64]bool{}
	}
	t.words[what][id] = true
}

// writeWords writes what indexWords marked.
func (t *tx) writeWords() error {
	for what, marked := range t.words {
		if err := t.writeWordsOf(what, slices.Sorted(maps.Keys(marked))); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	t.words = nil
	return nil
}

func (t *tx) writeWordsOf(what string, ids []int64) error {
	words, err := t.wordsOf(what, ids)
	if err != nil {
		return err
	}
	table := "search_" + what + "s"
	if _, err := t.exec(`DELETE FROM `+table+` WHERE rowid IN `+t.s.dialect.ids("$1"), asJSON(ids)); err != nil {
		return err
	}
	rows := make([][2]any, 0, len(ids))
	for _, id := range ids {
		if w := words[id]; len(w) > 0 {
			rows = append(rows, [2]any{id, strings.Join(w, " ")})
		}
	}
	if len(rows) == 0 {
		return nil
	}
	_, err = t.exec(`INSERT INTO `+table+` (rowid, words) `+t.s.dialect.wordRows("$1"), asJSON(rows))
	return err
}

// wordsOf gives the words of records by their id; those that are gone have
// none.
func (t *tx) wordsOf(what string, ids []int64) (map[int64]recordWords, error) {
	words := map[int64]recordWords{}
	add := func(id int64, texts ...string) {
		w := words[id]
		for _, s := range texts {
			w.add(searchWords(s)...)
		}
		words[id] = w
	}
	point := func(id int64, kind, value string) {
		w := words[id]
		if kind == "phone" {
			w.phone(value)
		} else {
			w.add(searchWords(value)...)
		}
		words[id] = w
	}
	in := t.s.dialect.ids("$1")
	rows := func(query string, row func(id int64, a, b string)) error {
		return t.rows(query, []any{asJSON(ids)}, func(scan func(...any) error) error {
			var id int64
			var a, b string
			err := scan(&id, &a, &b)
			row(id, a, b)
			return err
		})
	}
	var err error
	switch what {
	case searchedClient:
		err = rows(`SELECT id, name, '' FROM clients WHERE id IN `+in, func(id int64, name, _ string) { add(id, name) })
		if err == nil {
			err = rows(`SELECT client_id, kind, value FROM client_points WHERE client_id IN `+in, point)
		}
	case searchedPerson:
		err = rows(`SELECT id, name, position FROM persons WHERE merged_into IS NULL AND id IN `+in, func(id int64, name, position string) { add(id, name, position) })
		if err == nil {
			err = rows(`SELECT person_id, kind, value FROM person_points WHERE person_id IN `+in, point)
		}
	case searchedDeal:
		err = rows(`SELECT id, number, '' FROM deals WHERE id IN `+in, func(id int64, number, _ string) {
			var w recordWords
			w.number(number)
			words[id] = w
		})
	case searchedContact:
		err = rows(`SELECT id, subject, client_text FROM contacts WHERE id IN `+in, func(id int64, subject, client string) { add(id, subject, client) })
	}
	return words, err
}

// wordsSetting is how far IndexWords has come: "client 1000", "done".
const wordsSetting = "search words"

// IndexWords collects the words of the records that were there before the
// index was, in batches, so that a large house is not locked meanwhile. It
// goes on where it was interrupted.
func (s *Store) IndexWords(ctx context.Context) error {
	const batch = 1000
	indexed := false
	for done := false; !done; {
		err := s.write(ctx, func(t *tx) error {
			if err := t.alone(wordsWork); err != nil { // other daemons do the same
				return err
			}
			was, err := t.setting(wordsSetting)
			if done = err == nil && was == "done"; err != nil || done {
				return err
			}
			what, last := searchedKinds[0], int64(0)
			if was != "" {
				if _, err := fmt.Sscan(was, &what, &last); err != nil {
					return fmt.Errorf("setting %q is %q: %w", wordsSetting, was, err)
				}
			}
			var ids []int64
			err = t.rows(`SELECT id FROM `+what+`s WHERE id > $1 ORDER BY id LIMIT $2`+s.dialect.forUpdate(), []any{last, batch}, func(scan func(...any) error) error {
				err := scan(&last)
				ids = append(ids, last)
				return err
			})
			if err != nil {
				return err
			}
			if len(ids) > 0 {
				if err := t.writeWordsOf(what, ids); err != nil {
					return err
				}
				return t.set(wordsSetting, fmt.Sprintf("%s %d", what, last))
			}
			if next := slices.Index(searchedKinds, what) + 1; next < len(searchedKinds) {
				return t.set(wordsSetting, searchedKinds[next]+" 0")
			}
			indexed = true
			return t.set(wordsSetting, "done")
		})
		if err != nil {
			return err
		}
	}
	if indexed {
		return s.mergeWords(ctx)
	}
	return nil
}

// mergeWords makes one of the many b-trees into which SQLite writes words as they
// come, and all of which a search reads
// (https://sqlite.org/fts5.html#the_merge_command), some pages at a time, so that
// others write in between.
func (s *Store) mergeWords(ctx context.Context) error {
	if s.dialect == postgresDialect {
		return nil
	}
	const pages = 500
	for _, kind := range searchedKinds {
		table := "search_" + kind + "s"
		step := -pages // all of them, beside those of one level
		for done := false; !done; step = pages {
			err := s.write(ctx, func(t *tx) error {
				var before, after int64
				if err := t.row(`SELECT total_changes()`, nil, &before); err != nil {
					return err
				}
				if _, err := t.exec(`INSERT INTO `+table+` (`+table+`, rank) VALUES ('merge', $1)`, step); err != nil {
					return err
				}
				err := t.row(`SELECT total_changes()`, nil, &after)
				done = after-before < 2 // nothing was left
				return err
			})
			if err != nil {
				return fmt.Errorf("merge the words of %ss: %w", kind, err)
			}
		}
	}
	return nil
}

// Search finds the clients, persons, deals and contacts whose words begin with
// those of text (a single letter before the last word is a whole one), up to
// limit of each kind that the viewer may know of; of others' private threads
// nothing. patient looks through more rows where words are very common.
func (s *Store) Search(ctx context.Context, viewer Manager, text string, limit int, patient bool) (Found, error) {
	limit = min(max(limit, 1), 100)
	q := parseQuery(text)
	found := Found{More: map[string]bool{}}
	if len(q.words) == 0 {
		return found, nil
	}
	err := s.read(ctx, func(t *tx) error {
		state, err := t.setting(wordsSetting)
		if err != nil {
			return err
		}
		found.Partial = state != "done"
		look := search{tx: t, viewer: viewer, q: q, more: found.More, patient: patient}
		if found.Clients, err = look.clients(limit); err != nil {
			return err
		}
		if found.Persons, err = look.persons(limit); err != nil {
			return err
		}
		if found.Deals, err = look.deals(limit); err != nil {
			return err
		}
		found.Contacts, err = look.contacts(limit)
		return err
	})
	return found, err
}

// search is one search under way.
type search struct {
	*tx
	viewer  Manager
	q       query
	more    map[string]bool
	patient bool
}

// Bounds of the rows that are looked at, of those that match: the first for a
// list that follows one's typing, the second for who waits for a page.
var (
	maxCandidates = map[bool]int{false: 1000, true: 8000}
	// maxOthers are clients that are not the viewer's own: whether the viewer
	// took part in their contacts takes much longer to see.
	maxOthers = map[bool]int{false: 40, true: 400}
)

// ranked is how many rows are put into order where the order is not that of
// the ids.
const ranked = 100

// searchBatch is how many rows that match are looked at before it is seen
// whether they are enough; then four times as many, for the index starts anew
// each time.
const searchBatch = 1000

// ids gives up to limit rows of a kind that match and that the viewer may
// know of, newest first. own selects those among the ids of $1 that are the
// viewer's, $2, or that everybody's are shown to; others those that the viewer
// may know of for another reason, "" for none.
func (l *search) ids(kind, own, others string, limit int) ([]int64, error) {
	words := l.q.of(kind)
	if len(words) == 0 {
		return nil, nil
	}
	// What is still being typed is not asked for, else what was looked at is
	// mostly other words: then the letter alone, or the longer words.
	asked, again := l.s.dialect.indexed(words), words
	if last := len(words) - 1; last > 0 && oneLetter(words[last]) {
		asked, again = asked[:last], asked
	}
	out, mine, ended, err := l.matching(kind, asked, words, own, limit)
	if err == nil && !ended && len(out) <= limit && !slices.Equal(asked, again) {
		asked = again
		out, mine, ended, err = l.matching(kind, asked, words, own, limit)
	}
	if err != nil {
		return nil, err
	}
	if !ended {
		l.more[kind] = true
	}
	if others != "" && len(out) <= limit {
		most := maxOthers[l.patient]
		rest, err := l.numbers(l.find(kind, "$1", "$2", "$3"), l.s.dialect.wordQuery(asked), int64(math.MaxInt64), most+1+len(mine))
		if err != nil {
			return nil, err
		}
		rest = slices.DeleteFunc(rest, func(id int64) bool { return slices.Contains(mine, id) })
		if len(rest) > most {
			l.more[kind], rest = true, rest[:most]
		}
		if rest, err = l.having(kind, rest, asked, words); err != nil {
			return nil, err
		}
		if len(rest) > 0 {
			known, err := l.numbers(strings.ReplaceAll(others, "{ids}", l.s.dialect.ids("$1")), asJSON(rest), l.viewer.ID)
			if err != nil {
				return nil, err
			}
			out = append(out, known...)
		}
	}
	slices.SortFunc(out, func(a, b int64) int { return cmp.Compare(b, a) })
	if len(out) > limit {
		l.more[kind], out = true, out[:limit]
	}
	return out, nil
}

// find is a SELECT of the newest rows, as value, before the id of a parameter,
// that the index finds by the words of another; at most as many as the third says.
func (l *search) find(kind, words, before, limit string) string {
	table := "search_" + kind + "s"
	return `SELECT ` + table + `.rowid AS value FROM ` + table + ` WHERE ` + l.s.dialect.matches(table, words) + ` AND ` + table + `.rowid < ` + before + ` ORDER BY ` + table + `.rowid DESC LIMIT ` + limit
}

// matching gives the rows that the index finds by the asked words, that have
// the words, and that own selects: until they are more than limit, from the
// newest. mine are those that own selected, whatever their words; ended: none
// were left out.
func (l *search) matching(kind string, asked, words []string, own string, limit int) (out, mine []int64, ended bool, err error) {
	// What is found stays within the database: of thousands few are the viewer's.
	query := `WITH found AS MATERIALIZED (` + l.find(kind, "$1", "$3", "$4") + `)
		SELECT COUNT(*), COALESCE(MIN(value), 0) FROM found UNION ALL SELECT id, -1 FROM (` + strings.ReplaceAll(own, "{ids}", "(SELECT value FROM found)") + `) mine`
	before, most, batch := int64(math.MaxInt64), maxCandidates[l.patient], searchBatch
	if !slices.Equal(asked, l.s.dialect.indexed(asked)) {
		batch = most // each time all are gathered
	}
	for looked := 0; looked < most && len(out) <= limit && !ended; looked, batch = looked+batch, 4*batch {
		batch = min(batch, most-looked)
		var some []int64
		err := l.rows(query, []any{l.s.dialect.wordQuery(asked), l.viewer.ID, before, batch}, func(scan func(...any) error) error {
			var id, last int64
			err := scan(&id, &last)
			if last < 0 {
				some = append(some, id)
			} else {
				before, ended = last, id < int64(batch)
			}
			return err
		})
		if err != nil {
			return nil, nil, false, err
		}
		mine = append(mine, some...)
		if some, err = l.having(kind, some, asked, words); err != nil {
			return nil, nil, false, err
		}
		out = append(out, some...)
	}
	return out, mine, ended, nil
}

// having leaves of the rows that the index found by the asked words those with
// all of the words.
func (l *search) having(kind string, ids []int64, asked, words []string) ([]int64, error) {
	if len(ids) == 0 || slices.Equal(asked, words) {
		return ids, nil
	}
	of, err := l.wordsOf(kind, ids)
	last := len(words) - 1
	return slices.DeleteFunc(ids, func(id int64) bool {
		for i, w := range words {
			if !slices.ContainsFunc(of[id], func(has string) bool { return has == w || (i == last || !oneLetter(w)) && strings.HasPrefix(has, w) }) {
				return true
			}
		}
		return false
	}), err
}

// ofClients asks for rows by the rights to their clients, cl: rows is a SELECT
// of their ids. mine is a further condition that makes a row the viewer's own.
func (l *search) ofClients(kind, rows, mine string) ([]int64, error) {
	if l.viewer.Role == RoleHead {
		return l.ids(kind, rows+` AND CAST($2 AS BIGINT) IS NOT NULL`, "", ranked)
	}
	return l.ids(kind, rows+` AND (cl.manager_id = $2`+mine+`)`, rows+` AND `+clientSeenBy("$2"), ranked)
}

func (l *search) clients(limit int) ([]Client, error) {
	ids, err := l.ofClients(searchedClient, `SELECT cl.id FROM clients cl WHERE cl.id IN {ids}`, "")
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	out, err := l.tx.clients(`WHERE cl.id IN `+l.s.dialect.ids("$1")+` ORDER BY cl.folded, cl.id`, asJSON(ids))
	slices.SortStableFunc(out, func(a, b Client) int { return cmp.Compare(l.q.closeness(a.Name), l.q.closeness(b.Name)) })
	return first(l, searchedClient, out, limit), err
}

func (l *search) persons(limit int) (out []FoundPerson, err error) {
	ids, err := l.ofClients(searchedPerson, `SELECT p.id FROM persons p JOIN clients cl ON cl.id = p.client_id WHERE p.id IN {ids} AND p.merged_into IS NULL`, "")
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	all, err := l.tx.persons("p.id IN "+l.s.dialect.ids("$1"), "", asJSON(ids))
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, func(a, b Person) int {
		return cmp.Or(cmp.Compare(l.q.closeness(a.Name), l.q.closeness(b.Name)), cmp.Compare(fold(a.Name), fold(b.Name)))
	})
	all = first(l, searchedPerson, all, limit)
	clients := make([]int64, len(all))
	for i, p := range all {
		clients[i] = p.ClientID
	}
	names := map[int64]string{}
	err = l.rows(`SELECT id, name FROM clients WHERE id IN `+l.s.dialect.ids("$1"), []any{asJSON(clients)}, func(scan func(...any) error) error {
		var id int64
		var name string
		err := scan(&id, &name)
		names[id] = name
		return err
	})
	for _, p := range all {
		out = append(out, FoundPerson{Person: p, Client: names[p.ClientID]})
	}
	return out, err
}

func (l *search) deals(limit int) ([]Deal, error) {
	ids, err := l.ofClients(searchedDeal, `SELECT d.id FROM deals d JOIN clients cl ON cl.id = d.client_id WHERE d.id IN {ids}`, ` OR d.manager_id = $2`)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	out, err := l.tx.deals(`WHERE d.id IN `+l.s.dialect.ids("$1")+` ORDER BY d.date DESC, d.id DESC`, asJSON(ids))
	wanted := strings.Join(l.q.of(searchedDeal), "")
	near := func(d Deal) int {
		n := parseDealNumber(d.Number)
		if n.bare == wanted || strings.Join(searchWords(n.plain), "") == wanted || n.full == wanted {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(out, func(a, b Deal) int { return cmp.Compare(near(a), near(b)) })
	return first(l, searchedDeal, out, limit), err
}

func (l *search) contacts(limit int) ([]Contact, error) {
	const tookPart = `EXISTS (SELECT 1 FROM contact_managers cm WHERE cm.contact_id = c.id AND cm.manager_id = $2)`
	ids, seen := "{ids}", `(NOT c.private OR `+tookPart+`)`
	if l.viewer.Role != RoleHead {
		// Most are others': that is told by contact_managers, which has the client too,
		// in a third of the time that the contacts themselves take.
		ids = `(SELECT j.value FROM {ids} AS j LEFT JOIN contact_managers cm ON cm.contact_id = j.value
			WHERE cm.contact_id IS NULL OR cm.manager_id = $2 OR cm.client_id IN (SELECT id FROM clients WHERE manager_id = $2))`
		seen = `(` + tookPart + ` OR NOT c.private AND EXISTS (SELECT 1 FROM clients cl WHERE cl.id = c.client_id AND cl.manager_id = $2))`
	}
	found, err := l.ids(searchedContact, `SELECT c.id FROM contacts c WHERE c.id IN `+ids+` AND c.state <> 'cancelled' AND `+seen, "", limit)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return l.tx.contacts(`WHERE c.id IN `+l.s.dialect.ids("$1")+` ORDER BY c.id DESC`, asJSON(found))
}

// first cuts what was put into order.
func first[T any](l *search, kind string, all []T, limit int) []T {
	if len(all) > limit {
		l.more[kind] = true
		all = all[:limit]
	}
	return all
}
