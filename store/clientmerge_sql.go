package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

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
	return k, g, t.mayChange(actor, k, g)
}

// mayChange lets through the program itself, heads, and who is responsible for
// all of those clients that anybody is responsible for.
func (t *tx) mayChange(actor Actor, clients ...Client) error {
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
	if err := t.joinTwins(m.ID, kept.ID, gone.ID); err != nil {
		return m, err
	}
	if err := t.takeInvitations(m.ID, kept.ID, gone.ID); err != nil {
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
	if err := errors.Join(t.relistMoved(m.ID), t.touchMoved(m.ID)); err != nil {
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

// takeInvitations takes away what is known of meetings to which both were
// invited: the one that stays knows as much.
func (t *tx) takeInvitations(merge, kept, gone int64) error {
	both := `client_id = $1 AND uid IN (SELECT uid FROM invitations WHERE client_id = $2)`
	return errors.Join(
		t.take(merge, "invitation_occurrences", []string{"uid", "client_id", "occurrence"}, both, gone, kept),
		t.take(merge, "invitations", []string{"uid", "client_id"}, both, gone, kept))
}

// touchMoved marks what shows the contacts of a merge, done ones included.
func (t *tx) touchMoved(merge int64) error {
	return t.touchAll(false, `SELECT CAST(r.record AS BIGINT) FROM merge_rows r WHERE r.merge_id = $1 AND r.what = 'contacts'
		AND EXISTS (SELECT 1 FROM entries e WHERE e.item = 'c' || r.record AND NOT e.gone)`, merge)
}

// relistMoved is relist for the contacts of a merge.
func (t *tx) relistMoved(merge int64) error {
	return t.relist(`(SELECT CAST(record AS BIGINT) FROM merge_rows WHERE merge_id = $1 AND what = 'contacts')`, merge)
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
	return t.mayChange(actor, kept)
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
	if err := errors.Join(t.relistMoved(m.ID), t.partTwins(m.ID)); err != nil {
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
