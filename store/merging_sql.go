package store

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// clientRows are the tables whose rows are a client's and go with it. Whatever
// refers to clients must stand here or in clientRest; a test looks at the
// schema.
var clientRows = []clientTable{
	{"persons", "id", true},
	{"deals", "id", true},
	{"documents", "id", true},
	{"settlements", "document_id", false},
	{"contacts", "id", true},
	{"invitations", "uid", false},
	{"invitation_occurrences", "uid", false},
	{"book_entries", "id", false},
	{"merged_clients", "gone_id", false},
}

type clientTable struct {
	name, key string
	versioned bool // whoever reads it by changed and version must see it
}

// give writes the rows of a client that are as where says to another one.
func (r clientTable) give(t *tx, to, from int64, where string, args ...any) error {
	set, args := "", append([]any{to, from}, args...)
	if r.versioned {
		args = append(args, t.now.Unix())
		set = fmt.Sprintf(", changed = $%d, version = version + 1", len(args))
	}
	if _, err := t.exec(`UPDATE `+r.name+` SET client_id = $1`+set+` WHERE client_id = $2 AND `+where, args...); err != nil {
		return fmt.Errorf("%s: %w", r.name, err)
	}
	return nil
}

// clientRest are the other tables that name a client: what becomes of them is
// said in one place each.
var clientRest = []string{
	"clients", "client_points", "classifications", // mergeFields
	"book_changes", "card_marks", // logs, told by touchCards
	"merges", // the trace
}

// MergeClients makes one client of two: all that gone has becomes kept's, who
// takes over what it lacks. *Invalid where they are the same or one is merged
// already, ErrNotFound, ErrForbidden where the actor is neither a head nor
// responsible for both.
func (s *Store) MergeClients(ctx context.Context, actor Actor, kept, gone int64) (m Merge, err error) {
	err = s.write(ctx, func(t *tx) error {
		m, err = t.mergeClients(actor, kept, gone)
		return err
	})
	if err == nil {
		_, err = s.fillFilters(ctx)
	}
	return m, err
}

// PreviewMerge is what MergeClients would do.
func (s *Store) PreviewMerge(ctx context.Context, actor Actor, kept, gone int64) (m Merge, err error) {
	err = s.read(ctx, func(t *tx) error {
		k, g, err := t.mergeable(actor, kept, gone)
		if err != nil {
			return err
		}
		did, err := t.planMerge(&k, &g)
		if err != nil {
			return err
		}
		m = Merge{Kind: MergedClient, ClientID: k.ID, Client: k.Name, Gone: g.Name, GoneID: g.ID}
		m.tell(did)
		return t.rows(`SELECT currency, CAST(SUM(amount) AS BIGINT) FROM settlements WHERE client_id IN ($1, $2) GROUP BY currency ORDER BY currency`,
			[]any{k.ID, g.ID}, func(scan func(...any) error) error {
				var sum Money
				err := scan(&sum.Currency, &sum.Minor)
				m.Balance = append(m.Balance, sum)
				return err
			})
	})
	return m, err
}

// tell fills in what the trace says.
func (m *Merge) tell(did mergeDid) {
	m.GoneKey, m.Conflicts, m.Made = did.Key, did.Conflicts, did.Made
	m.Persons, m.Contacts, m.Deals, m.Documents, m.Doubles = did.Counts.Persons, did.Counts.Contacts, did.Counts.Deals, did.Counts.Documents, did.Counts.Doubles
}

// mergeable gives two clients that the actor may merge.
func (t *tx) mergeable(actor Actor, kept, gone int64) (k, g Client, err error) {
	if k, err = t.client(kept); err != nil {
		return k, g, err
	}
	if g, err = t.client(gone); err != nil {
		return k, g, err
	}
	switch {
	case k.ID == g.ID && kept != gone:
		return k, g, invalid("client", "is merged already")
	case k.ID == g.ID:
		return k, g, invalid("client", "cannot be merged with itself")
	}
	return k, g, t.mayMerge(actor, k, g)
}

// mayMerge lets through the program itself, heads, and who is responsible for
// all of those clients that anybody is responsible for.
func (t *tx) mayMerge(actor Actor, clients ...Client) error {
	if actor.ManagerID == 0 {
		return nil
	}
	m, err := t.manager("m.id = $1", actor.ManagerID)
	if err != nil || m.Role == RoleHead {
		return err
	}
	for _, c := range clients {
		if err := t.seesClient(m, c); err != nil {
			return err
		}
		if c.ManagerID != m.ID && c.ManagerID != 0 {
			return ErrForbidden
		}
	}
	return nil
}

// planMerge works out what kept gets of gone.
func (t *tx) planMerge(kept, gone *Client) (did mergeDid, err error) {
	names := func(field string, id int64) (name string) {
		if id == 0 || err != nil {
			return ""
		}
		err = t.row(`SELECT name FROM `+field+`s WHERE id = $1`, []any{id}, &name)
		return name
	}
	did = unite(kept, gone, names)
	if err != nil {
		return did, err
	}
	return did, t.row(`SELECT (SELECT COUNT(*) FROM persons WHERE client_id = $1 AND merged_into IS NULL), (SELECT COUNT(*) FROM contacts WHERE client_id = $1),
		(SELECT COUNT(*) FROM deals WHERE client_id = $1), (SELECT COUNT(*) FROM documents WHERE client_id = $1),
		(SELECT COUNT(*) FROM contacts g JOIN contacts k ON k.message_key = g.message_key AND k.client_id = $2 WHERE g.client_id = $1 AND g.message_key <> '')`,
		[]any{gone.ID, kept.ID}, &did.Counts.Persons, &did.Counts.Contacts, &did.Counts.Deals, &did.Counts.Documents, &did.Counts.Doubles)
}

func (t *tx) mergeClients(actor Actor, keptID, goneID int64) (m Merge, err error) {
	if err := t.filesAlone(); err != nil { // no letter is filed for who goes
		return m, err
	}
	for _, id := range []int64{min(keptID, goneID), max(keptID, goneID)} { // one order for all
		if err := t.lockOut("clients", id); ignoreNotFound(err) != nil {
			return m, err
		}
	}
	kept, gone, err := t.mergeable(actor, keptID, goneID)
	if err != nil {
		return m, err
	}
	did, err := t.planMerge(&kept, &gone)
	if err != nil {
		return m, err
	}
	m = Merge{At: t.now, Kind: MergedClient, ClientID: kept.ID, Client: kept.Name, Gone: gone.Name, GoneID: gone.ID, By: actor.ManagerID}
	if m.ID, err = t.noteMerge(actor, m, did); err != nil {
		return m, err
	}
	m.tell(did)
	if err := t.joinDoubles(m.ID, kept.ID, gone.ID); err != nil {
		return m, err
	}
	// Before they move: what shows the one that goes shows another name then.
	if err := errors.Join(t.touchClient(gone.ID), t.touchClient(kept.ID)); err != nil {
		return m, err
	}
	for _, r := range clientRows {
		if _, err := t.exec(`INSERT INTO merge_rows (merge_id, what, record) SELECT DISTINCT CAST($1 AS BIGINT), '`+r.name+`', CAST(`+r.key+` AS TEXT) FROM `+r.name+` WHERE client_id = $2`, m.ID, gone.ID); err != nil {
			return m, fmt.Errorf("%s: %w", r.name, err)
		}
		if err := r.give(t, kept.ID, gone.ID, "TRUE"); err != nil {
			return m, err
		}
	}
	if err := t.touchMoved(m.ID); err != nil {
		return m, err
	}
	if err := t.mergeFields(m.ID, kept, gone, did); err != nil {
		return m, err
	}
	if err := t.mergeFilters(m.ID, kept.ID, gone.ID); err != nil {
		return m, err
	}
	if err := t.rememberMerge(actor, "merged", m, &did); err != nil {
		return m, err
	}
	return m, t.directoryChanged()
}

// lockOut takes a row so that nothing can begin to refer to it.
func (t *tx) lockOut(table string, id int64) error {
	return t.row(`SELECT id FROM `+table+` WHERE id = $1`+t.s.dialect.lockOut(), []any{id}, &id)
}

func (t *tx) noteMerge(actor Actor, m Merge, did mergeDid) (id int64, err error) {
	err = t.row(`INSERT INTO merges (at, kind, client_id, gone_id, gone, manager_id, origin, did) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id`,
		[]any{t.now.Unix(), string(m.Kind), m.ClientID, ref(m.GoneID), m.Gone, ref(actor.ManagerID), string(actor.Origin), asJSON(did)}, &id)
	return id, err
}

// noteRow writes down one row of a merge, 0: none; a row that is noted already
// keeps what it said first.
func (t *tx) noteRow(merge int64, what, record string, was any) error {
	if merge == 0 {
		return nil
	}
	text := ""
	if was != nil {
		text = asJSON(was)
	}
	_, err := t.exec(`INSERT INTO merge_rows (merge_id, what, record, was) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`, merge, what, record, text)
	return err
}

// double is what a contact said before its twin at the client that stays
// became the one.
type double struct {
	Twin      int64
	Key       string
	State     State
	Completed int64
	Postponed int64
	Deal      bool // the twin had no deal and got this one's
}

// joinDoubles makes one of the letters, and of the meetings from invitations,
// that both clients have: the contact of the one that goes is cancelled and
// lets go of its letter, who took part in it joins the twin.
func (t *tx) joinDoubles(merge, kept, gone int64) error {
	type pair struct {
		id    int64
		deal  int64
		was   double
		twins int64 // deal of the twin
	}
	var pairs []pair
	collect := func(scan func(...any) error) error {
		var p pair
		err := scan(&p.id, &p.was.Twin, &p.was.Key, &p.was.State, &p.was.Completed, &p.was.Postponed, idInto{&p.deal}, idInto{&p.twins})
		pairs = append(pairs, p)
		return err
	}
	err := t.rows(`SELECT g.id, k.id, g.message_key, g.state, g.completed, g.postponed, g.deal_id, k.deal_id FROM contacts g JOIN contacts k
		ON k.message_key = g.message_key AND k.client_id = $1 WHERE g.client_id = $2 AND g.message_key <> '' ORDER BY g.id`, []any{kept, gone}, collect)
	if err != nil {
		return err
	}
	err = t.rows(`SELECT g.id, k.id, g.message_key, g.state, g.completed, g.postponed, g.deal_id, k.deal_id FROM invitations gi JOIN invitations ki ON ki.uid = gi.uid AND ki.client_id = $1
		JOIN contacts g ON g.id = gi.contact_id JOIN contacts k ON k.id = ki.contact_id
		WHERE gi.client_id = $2 AND g.client_id = $2 AND k.client_id = $1 AND g.state IN ('planned', 'postponed') AND k.state IN ('planned', 'postponed') ORDER BY g.id`, []any{kept, gone}, collect)
	if err != nil {
		return err
	}
	for _, p := range pairs {
		p.was.Deal = p.deal != 0 && p.twins == 0
		if err := t.noteRow(merge, "doubles", idText(p.id), p.was); err != nil {
			return err
		}
		if p.was.Deal {
			if _, err := t.exec(`UPDATE contacts SET deal_id = $1 WHERE id = $2`, p.deal, p.was.Twin); err != nil {
				return err
			}
		}
		if _, err := t.exec(`UPDATE contacts SET message_key = '', state = 'cancelled', completed = 0, postponed = 0, changed = $1 WHERE id = $2`, t.now.Unix(), p.id); err != nil {
			return err
		}
		var managers []int64
		err := t.rows(`SELECT manager_id FROM contact_managers WHERE contact_id = $1`, []any{p.id}, func(scan func(...any) error) error {
			var id int64
			err := scan(&id)
			managers = append(managers, id)
			return err
		})
		if err != nil {
			return err
		}
		for _, id := range managers {
			if err := t.joinManager(merge, p.was.Twin, id); err != nil {
				return err
			}
		}
		var persons []PersonRef
		err = t.rows(`SELECT person_id, address FROM contact_persons WHERE contact_id = $1`, []any{p.id}, func(scan func(...any) error) error {
			var r PersonRef
			err := scan(&r.ID, &r.Email)
			persons = append(persons, r)
			return err
		})
		if err != nil {
			return err
		}
		for _, r := range persons {
			if err := t.joinPerson(merge, p.was.Twin, r); err != nil {
				return err
			}
		}
		if _, err := t.exec(`UPDATE contacts SET changed = $1, version = version + 1 WHERE id = $2`, t.now.Unix(), p.was.Twin); err != nil {
			return err
		}
		if err := errors.Join(t.touchShown(ItemKey{ID: p.id}), t.touchShown(ItemKey{ID: p.was.Twin})); err != nil {
			return err
		}
	}
	both := `client_id = $1 AND uid IN (SELECT uid FROM invitations WHERE client_id = $2)`
	return errors.Join(
		t.take(merge, "invitations", []string{"uid", "client_id"}, both, gone, kept),
		t.take(merge, "invitation_occurrences", []string{"uid", "client_id", "occurrence"}, both, gone, kept))
}

// joinManager adds a manager to a contact, and notes that the merge did it.
func (t *tx) joinManager(merge, contact, manager int64) error {
	n, err := t.exec(`INSERT INTO contact_managers (contact_id, manager_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`, contact, manager)
	if err != nil || n == 0 {
		return err
	}
	return t.noteRow(merge, "contact_managers", idText(contact)+" "+idText(manager), nil)
}

func (t *tx) joinPerson(merge, contact int64, p PersonRef) error {
	n, err := t.exec(`INSERT INTO contact_persons (contact_id, person_id, address) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, contact, p.ID, p.Email)
	if err != nil || n == 0 {
		return err
	}
	return t.noteRow(merge, "contact_persons", idText(contact)+" "+idText(p.ID), nil)
}

// touchMoved marks what shows the contacts of a merge, done ones included.
func (t *tx) touchMoved(merge int64) error {
	return t.touchAll(false, `SELECT CAST(r.record AS BIGINT) FROM merge_rows r WHERE r.merge_id = $1 AND r.what = 'contacts'
		AND EXISTS (SELECT 1 FROM entries e WHERE e.item = 'c' || r.record AND NOT e.gone)`, merge)
}

// mergeFields takes the gone client's own row away and gives the one that
// stays what it lacked.
func (t *tx) mergeFields(merge int64, kept, gone Client, did mergeDid) error {
	if err := t.take(merge, "client_points", []string{"client_id", "kind", "value"}, "client_id = $1", gone.ID); err != nil {
		return err
	}
	// Both were classified by what each bought: the next time it is by what both did.
	if err := t.take(merge, "classifications", []string{"client_id", "day"}, "client_id = $1", gone.ID); err != nil {
		return err
	}
	if err := t.take(merge, "clients", []string{"id"}, "id = $1", gone.ID); err != nil {
		return err
	}
	alias := gone.ExternalID
	if did.Took["key"] != "" {
		alias = ""
	}
	if _, err := t.exec(`INSERT INTO merged_clients (gone_id, external_id, client_id) VALUES ($1, $2, $3)`, gone.ID, key(alias), kept.ID); err != nil {
		return err
	}
	given := cmp.Or(kept.givenStage, gone.givenStage)
	attributes := map[string]string{}
	for k, v := range kept.Attributes {
		attributes[k] = v
	}
	for k, v := range did.Attrs {
		attributes[k] = v
	}
	if _, err := t.exec(`UPDATE clients SET external_id = COALESCE(external_id, $1), manager_id = COALESCE(manager_id, $2), source_id = COALESCE(source_id, $3),
		given_stage = $4, stage = $5, attributes = $6, changed = $7, version = version + 1 WHERE id = $8`,
		key(did.Took["key"]), ref(gone.ManagerID), ref(gone.SourceID), given, shownStage(kept.Stage, given, kept.stageFound), asJSON(attributes), t.now.Unix(), kept.ID); err != nil {
		return err
	}
	return t.addPoints(kept.ID, did.Points)
}

// addPoints puts points behind those that a client has.
func (t *tx) addPoints(client int64, points []mergedPoint) error {
	for _, p := range points {
		if _, err := t.exec(`INSERT INTO client_points (client_id, kind, value, position) SELECT $1, $2, $3, COALESCE(MAX(position) + 1, 0) FROM client_points WHERE client_id = $1 AND kind = $2
			ON CONFLICT DO NOTHING`, client, p.Kind, p.Value); err != nil {
			return err
		}
	}
	return nil
}

// mergeFilters makes saved filters that name the client that goes name the
// other one.
func (t *tx) mergeFilters(merge, kept, gone int64) error {
	found, err := t.collections("k.filter LIKE '%\"clients\"%'")
	if err != nil {
		return err
	}
	for _, c := range found {
		if !slices.Contains(c.Filter.Clients, gone) {
			continue
		}
		was := c.Filter
		was.Clients = slices.Clone(was.Clients)
		for i, id := range c.Filter.Clients {
			if id == gone {
				c.Filter.Clients[i] = kept
			}
		}
		c.Filter.Clients = distinct(c.Filter.Clients)
		if err := t.noteRow(merge, "filters", idText(c.ID), [2]Filter{was, c.Filter}); err != nil {
			return err
		}
		if err := t.refilter(c.ID, c.Filter); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) refilter(collection int64, f Filter) error {
	if _, err := t.exec(`UPDATE collections SET filter = $1 WHERE id = $2`, asJSON(f), collection); err != nil {
		return err
	}
	return t.refill("id = $1", collection)
}

// rememberMerge writes the history of both.
func (t *tx) rememberMerge(actor Actor, verb string, m Merge, did *mergeDid) error {
	gone := m.Gone
	if m.GoneKey != "" {
		gone += " (" + m.GoneKey + ")"
	}
	c := changes{}
	if verb == "merged" {
		c.note("merged", "", gone)
		for _, one := range did.Conflicts {
			if one.Field != "name" {
				c[one.Field] = [2]string{one.Gone, one.Kept}
			}
		}
		for k, v := range did.Attrs {
			c.note(k, "", v)
		}
	} else {
		c.note("merged", gone, "")
	}
	if err := t.remember(actor, "client", m.ClientID, verb, c); err != nil || m.GoneID == 0 {
		return err
	}
	c = changes{}
	if verb == "merged" {
		c.note("client", idText(m.GoneID), idText(m.ClientID))
	} else {
		c.note("client", idText(m.ClientID), idText(m.GoneID))
	}
	return t.remember(actor, "client", m.GoneID, verb, c)
}

// take writes rows down whole and deletes them. keys are the columns of the
// table's key; all names are ours.
func (t *tx) take(merge int64, table string, keys []string, where string, args ...any) error {
	rows, err := t.QueryContext(t.ctx, `SELECT * FROM `+table+` WHERE `+where, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	taken := map[string]map[string]any{}
	for rows.Next() {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		row := map[string]any{}
		for i, name := range columns {
			if b, ok := values[i].([]byte); ok {
				values[i] = string(b)
			}
			row[name] = values[i]
		}
		var id []string
		for _, k := range keys {
			id = append(id, fmt.Sprint(row[k]))
		}
		taken[strings.Join(id, " ")] = row
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for id, row := range taken {
		if err := t.noteRow(merge, "taken "+table, id, row); err != nil {
			return err
		}
	}
	_, err = t.exec(`DELETE FROM `+table+` WHERE `+where, args...)
	return err
}

// giveBack inserts what take took.
func (t *tx) giveBack(merge int64, table string) error {
	return t.merged(merge, "taken "+table, func(_ string, was []byte) error {
		d := json.NewDecoder(bytes.NewReader(was))
		d.UseNumber()
		row := map[string]any{}
		if err := d.Decode(&row); err != nil {
			return err
		}
		var columns, params []string
		var args []any
		for k, v := range row {
			if n, ok := v.(json.Number); ok {
				i, err := n.Int64()
				if err != nil {
					return err
				}
				v = i
			}
			args = append(args, v)
			columns, params = append(columns, k), append(params, fmt.Sprintf("$%d", len(args)))
		}
		_, err := t.ExecContext(t.ctx, `INSERT INTO `+table+` (`+strings.Join(columns, ", ")+`) VALUES (`+strings.Join(params, ", ")+`) ON CONFLICT DO NOTHING`, args...)
		return err
	})
}

// merged calls each for the rows of a merge, in the order of their keys.
func (t *tx) merged(merge int64, what string, each func(row string, was []byte) error) error {
	type one struct{ row, was string }
	var all []one
	err := t.rows(`SELECT record, was FROM merge_rows WHERE merge_id = $1 AND what = $2 ORDER BY record`, []any{merge, what}, func(scan func(...any) error) error {
		var o one
		err := scan(&o.row, &o.was)
		all = append(all, o)
		return err
	})
	for _, o := range all {
		if err != nil {
			return err
		}
		err = each(o.row, []byte(o.was))
	}
	return err
}

// number is the id in a record of merge_rows, which we wrote.
func number(record string) int64 {
	n, _ := strconv.ParseInt(record, 10, 64)
	return n
}

// Unmerge undoes a merging or registering: what moved goes back, what came
// since stays. *Invalid where it is undone already, or where later merges of
// the client must be undone first; ErrNotFound, ErrForbidden as MergeClients.
func (s *Store) Unmerge(ctx context.Context, actor Actor, id int64) (u Unmerged, err error) {
	err = s.write(ctx, func(t *tx) error {
		if err := t.filesAlone(); err != nil {
			return err
		}
		found, err := t.merges(`m.id = $1`, id)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return ErrNotFound
		}
		u.Merge = found[0].Merge
		if err := t.lockOut("clients", u.Merge.ClientID); ignoreNotFound(err) != nil {
			return err
		}
		if err := t.undoable(actor, found[0].Merge); err != nil {
			return err
		}
		if u.Merge.Kind == RegisteredText {
			u.Stays, err = t.unregister(actor, found[0].Merge, found[0].did)
		} else {
			err = t.unmerge(actor, found[0].Merge, found[0].did)
		}
		if err != nil {
			return err
		}
		u.Merge.Undone = t.now
		if _, err := t.exec(`UPDATE merges SET undone = $1 WHERE id = $2`, t.now.Unix(), id); err != nil {
			return err
		}
		return t.directoryChanged()
	})
	if err == nil {
		_, err = s.fillFilters(ctx)
	}
	return u, err
}

// undoable says why a merge cannot be undone.
func (t *tx) undoable(actor Actor, m Merge) error {
	if !m.Undone.IsZero() {
		return invalid("merge", "%d is undone already", m.ID)
	}
	later, err := t.merges(`m.undone = 0 AND m.id > $1 AND (m.gone_id = $2 OR m.client_id = $2 AND m.kind = 'client') ORDER BY m.id DESC LIMIT 1`, m.ID, m.ClientID)
	if err != nil {
		return err
	}
	if len(later) > 0 {
		return invalid("merge", "undo %d first, in which %q was merged", later[0].ID, clip(later[0].Gone, 80))
	}
	kept, err := t.client(m.ClientID)
	if err != nil {
		return err
	}
	return t.mayMerge(actor, kept)
}

func (t *tx) unmerge(actor Actor, m Merge, did mergeDid) error {
	if err := errors.Join(t.touchClient(m.ClientID), t.touchMoved(m.ID)); err != nil {
		return err
	}
	kept, err := t.client(m.ClientID)
	if err != nil {
		return err
	}
	if err := t.takeBackFields(kept, did); err != nil {
		return err
	}
	if _, err := t.exec(`DELETE FROM merged_clients WHERE gone_id = $1`, m.GoneID); err != nil {
		return err
	}
	if err := t.giveBack(m.ID, "clients"); err != nil {
		return err
	}
	if n, err := t.exec(`UPDATE clients SET changed = $1, version = version + 1 WHERE id = $2`, t.now.Unix(), m.GoneID); err != nil || n == 0 {
		return cmp.Or(err, invalid("merge", "another client has the key %q of %q now", did.Key, clip(m.Gone, 80)))
	}
	if err := errors.Join(t.giveBack(m.ID, "client_points"), t.giveBack(m.ID, "classifications")); err != nil {
		return err
	}
	for _, r := range clientRows {
		of := `(SELECT record FROM merge_rows WHERE merge_id = $3 AND what = '` + r.name + `')`
		if r.key != "uid" {
			of = `(SELECT CAST(record AS BIGINT) FROM merge_rows WHERE merge_id = $3 AND what = '` + r.name + `')`
		}
		which := r.key + ` IN ` + of
		if r.name == "documents" || r.name == "settlements" { // those of a deal go with it
			which = `(` + which + ` OR deal_id IN (SELECT CAST(record AS BIGINT) FROM merge_rows WHERE merge_id = $3 AND what = 'deals'))`
		}
		if err := r.give(t, m.GoneID, m.ClientID, which, m.ID); err != nil {
			return err
		}
	}
	if err := t.partDoubles(m.ID); err != nil {
		return err
	}
	if err := errors.Join(t.giveBack(m.ID, "invitations"), t.giveBack(m.ID, "invitation_occurrences")); err != nil {
		return err
	}
	err = t.merged(m.ID, "filters", func(row string, was []byte) error {
		var filters [2]Filter
		if err := json.Unmarshal(was, &filters); err != nil {
			return err
		}
		found, err := t.collections("k.id = $1", number(row))
		if err != nil || len(found) == 0 || asJSON(found[0].Filter) != asJSON(filters[1]) {
			return err // somebody changed it since
		}
		return t.refilter(found[0].ID, filters[0])
	})
	if err != nil {
		return err
	}
	if err := t.touchClient(m.GoneID); err != nil {
		return err
	}
	return t.rememberMerge(actor, "unmerged", m, &did)
}

// takeBackFields takes from the client that stays what it got, where it still
// is what it got.
func (t *tx) takeBackFields(kept Client, did mergeDid) error {
	for k, v := range did.Attrs {
		if kept.Attributes[k] == v {
			delete(kept.Attributes, k)
		}
	}
	drop := func(field, now string) bool { return now != "" && did.Took[field] == now }
	given, stage := kept.givenStage, kept.Stage
	if drop("stage", given) {
		given = ""
		if !kept.stageFound {
			stage = did.Stage
		}
	}
	if kept.Attributes == nil {
		kept.Attributes = map[string]string{}
	}
	if _, err := t.exec(`UPDATE clients SET external_id = CASE WHEN $1 THEN NULL ELSE external_id END, manager_id = CASE WHEN $2 THEN NULL ELSE manager_id END,
		source_id = CASE WHEN $3 THEN NULL ELSE source_id END, given_stage = $4, stage = $5, attributes = $6, changed = $7, version = version + 1 WHERE id = $8`,
		drop("key", kept.ExternalID), drop("manager", idText(kept.ManagerID)), drop("source", idText(kept.SourceID)), given, stage,
		asJSON(kept.Attributes), t.now.Unix(), kept.ID); err != nil {
		return err
	}
	for _, p := range did.Points {
		if _, err := t.exec(`DELETE FROM client_points WHERE client_id = $1 AND kind = $2 AND value = $3`, kept.ID, p.Kind, p.Value); err != nil {
			return err
		}
	}
	return nil
}

// partDoubles makes two again of the contacts that joinDoubles made one.
func (t *tx) partDoubles(merge int64) error {
	err := t.merged(merge, "doubles", func(row string, was []byte) error {
		var d double
		if err := json.Unmarshal(was, &d); err != nil {
			return err
		}
		if _, err := t.exec(`UPDATE contacts SET message_key = $1, state = $2, completed = $3, postponed = $4, changed = $5
			WHERE id = $6 AND state = 'cancelled'`, d.Key, string(d.State), d.Completed, d.Postponed, t.now.Unix(), number(row)); err != nil {
			return err
		}
		if d.Deal {
			if _, err := t.exec(`UPDATE contacts SET deal_id = NULL WHERE id = $1 AND deal_id = (SELECT deal_id FROM contacts WHERE id = $2)`, d.Twin, number(row)); err != nil {
				return err
			}
		}
		if _, err := t.exec(`UPDATE contacts SET changed = $1, version = version + 1 WHERE id = $2`, t.now.Unix(), d.Twin); err != nil {
			return err
		}
		t.touch(ItemKey{ID: number(row)})
		return t.touchShown(ItemKey{ID: d.Twin})
	})
	if err != nil {
		return err
	}
	return t.partFromContacts(merge)
}

// partFromContacts takes out of contacts who joined them by the merge.
func (t *tx) partFromContacts(merge int64) error {
	for table, column := range map[string]string{"contact_managers": "manager_id", "contact_persons": "person_id"} {
		err := t.merged(merge, table, func(row string, _ []byte) error {
			contact, one, _ := strings.Cut(row, " ")
			_, err := t.exec(`DELETE FROM `+table+` WHERE contact_id = $1 AND `+column+` = $2`, number(contact), number(one))
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

type storedMerge struct {
	Merge
	did mergeDid
}

func (t *tx) merges(where string, args ...any) (out []storedMerge, err error) {
	err = t.rows(`SELECT m.id, m.at, m.kind, m.client_id, cl.name, m.gone_id, m.gone, m.manager_id, m.did, m.undone FROM merges m LEFT JOIN clients cl ON cl.id = m.client_id WHERE `+where,
		args, func(scan func(...any) error) error {
			var m storedMerge
			err := scan(&m.ID, timeInto{&m.At}, &m.Kind, &m.ClientID, textInto{&m.Client}, idInto{&m.GoneID}, &m.Gone, idInto{&m.By}, jsonInto{&m.did}, timeInto{&m.Undone})
			m.tell(m.did)
			out = append(out, m)
			return err
		})
	return out, err
}

// Merges of a client that stayed, of all for client 0, newest first: undone
// ones too.
func (s *Store) Merges(ctx context.Context, client int64, limit int) (out []Merge, err error) {
	err = s.read(ctx, func(t *tx) error {
		found, err := t.merges(`($1 = 0 OR m.client_id = $1) ORDER BY m.id DESC LIMIT $2`, client, limit)
		for _, m := range found {
			out = append(out, m.Merge)
		}
		return err
	})
	return out, err
}

// survivor is who has what the client had; the same where it is not merged.
func (t *tx) survivor(id int64) (int64, error) {
	err := t.row(`SELECT client_id FROM merged_clients WHERE gone_id = $1`, []any{id}, &id)
	return id, ignoreNotFound(err)
}

// adding leaves of a row of a merged client what its survivor lacks.
func (row *ClientRow) adding(old *Client) {
	row.ID, row.Name, row.Importance, row.Stage = old.ExternalID, old.Name, "", cmp.Or(old.givenStage, row.Stage)
	if old.ManagerID != 0 {
		row.Manager = ""
	}
	if old.SourceID != 0 {
		row.Source = ""
	}
	lacks := map[string]string{}
	for k, v := range row.Attributes {
		if _, has := old.Attributes[clean(k)]; !has && v != "" {
			lacks[k] = v
		}
	}
	row.Attributes = lacks
}

// keepPoints leaves a client what it got by merging or registering, whatever
// lists a file has. Where two keys lead to it, no list of either takes away
// what the other one's gave.
func (t *tx) keepPoints(c, old *Client) error {
	var twoKeys bool
	err := t.row(`SELECT EXISTS (SELECT 1 FROM merged_clients WHERE client_id = $1 AND external_id IS NOT NULL)`, []any{old.ID}, &twoKeys)
	if err != nil {
		return err
	}
	if twoKeys {
		for _, kind := range []string{"domain", "email", "phone"} {
			has := c.pointsOf(kind)
			*has = together(*old.pointsOf(kind), append([]string{}, *has...))
		}
		return nil
	}
	found, err := t.merges(`m.client_id = $1 AND m.undone = 0`, old.ID)
	for _, m := range found {
		for _, p := range m.did.Points {
			had, has := old.pointsOf(p.Kind), c.pointsOf(p.Kind)
			if slices.Contains(*had, p.Value) && !slices.Contains(*has, p.Value) {
				*has = append(*has, p.Value)
			}
		}
	}
	return err
}

func (c *Client) pointsOf(kind string) *[]string {
	switch kind {
	case "domain":
		return &c.Domains
	case "email":
		return &c.Emails
	}
	return &c.Phones
}

// ClientByKey finds a client by its external id, or by its number, written 12
// or #12. What was merged finds the one that stayed; ErrNotFound.
func (s *Store) ClientByKey(ctx context.Context, text string) (c Client, err error) {
	text = strings.TrimSpace(clean(text))
	err = s.read(ctx, func(t *tx) error {
		id, err := t.saved("clients", text)
		if err != nil {
			return err
		}
		if id == 0 {
			id, _ = strconv.ParseInt(strings.TrimPrefix(text, "#"), 10, 64)
		}
		c, err = t.client(id)
		return err
	})
	return c, err
}
