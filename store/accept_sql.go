package store

// A meeting that came by mail and that a manager keeps in a calendar of ours,
// too: one contact, whichever comes first.

// calendarCopy finds the contact under which a manager of the letter keeps the
// same meeting in a calendar; 0: none.
func (t *tx) calendarCopy(r *invitation, managers []int64) (id int64, err error) {
	err = t.row(`SELECT c.id FROM contacts c WHERE c.uid = $1 AND (c.client_id = $2 OR c.client_id IS NULL)
		AND EXISTS (SELECT 1 FROM contact_managers cm WHERE cm.contact_id = c.id AND cm.manager_id IN `+t.s.dialect.ids("$3")+`)
		AND NOT EXISTS (SELECT 1 FROM invitations i WHERE i.contact_id = c.id) ORDER BY c.id LIMIT 1`,
		[]any{r.uid, r.client, asJSON(managers)}, &id)
	return id, ignoreNotFound(err)
}

// adopt takes a calendar's contact for the meeting. What was changed last
// counts: the contact, or the message.
func (t *tx) adopt(r *invitation, id int64, letter *Contact) error {
	c, err := t.contact(id)
	if err != nil {
		return err
	}
	r.contact = id
	e := ContactEdit{ClientID: &r.client}
	if r.request.Stamp.After(c.Changed) {
		e.When, e.Recurrence = &r.said.When, &r.said.Recurrence
	}
	if r.effective() && (c.State == Planned || c.State == Postponed) {
		state := Cancelled
		e.State, r.cancelled = &state, true
	}
	if err := t.editContact(Actor{Origin: FromMail}, c, e); err != nil {
		return err
	}
	return t.joinMeeting(id, letter.Managers)
}

// invitedItem finds the meeting that came by mail and that a manager now puts
// into a calendar of ours under its own UID, as Thunderbird does on "Accept".
// The contact takes that UID; its entries are made anew, since a resource must
// not change its UID.
func (t *tx) invitedItem(actor Actor, col Collection, uid string) (ItemKey, error) {
	var id int64
	err := t.row(`SELECT i.contact_id FROM invitations i JOIN contact_managers cm ON cm.contact_id = i.contact_id
		WHERE i.uid = $1 AND cm.manager_id IN ($2, $3) ORDER BY i.contact_id LIMIT 1`, []any{uid, actor.ManagerID, col.shows(actor)}, &id)
	if err != nil {
		return ItemKey{}, err
	}
	k := ItemKey{ID: id}
	var places []int64
	err = t.rows(`SELECT DISTINCT collection_id FROM entries WHERE item = $1 AND NOT gone ORDER BY collection_id`, []any{k.String()}, func(scan func(...any) error) error {
		var c int64
		err := scan(&c)
		places = append(places, c)
		return err
	})
	if err != nil {
		return k, err
	}
	for _, c := range places {
		number, err := t.nextChange(c)
		if err != nil {
			return k, err
		}
		if _, err := t.exec(`UPDATE entries SET gone = TRUE, change = $1, turns = 0, stays = 0, bytes = NULL, size = 0, changed = $2 WHERE collection_id = $3 AND item = $4 AND NOT gone`,
			number, t.now.Unix(), c, k.String()); err != nil {
			return k, err
		}
	}
	_, err = t.exec(`UPDATE contacts SET uid = $1 WHERE id = $2`, uid, id)
	t.touch(k)
	return k, err
}
