package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Renewing calendars: written once, served many times. Whatever changes an
// item (or something that its entries show) marks it; before the transaction
// commits, every entry of the marked items is rendered again. The ETag is the
// hash of the bytes, so an entry that still looks the same keeps its ETag and
// its change number, and no calendar program is told of it.

// dirt is what the transaction has marked.
type dirt struct {
	items map[ItemKey]bool
	order []ItemKey
	put   map[putKey]putAt // entries that a calendar program just wrote
	cards map[int64]bool   // clients of whom cards may show something else
	deals map[int64]bool   // of which something else than the row itself changed
}

type putKey struct {
	collection int64
	item       ItemKey
}

// putAt is the name under which an entry was written, and until when it stays
// in that calendar.
type putAt struct {
	name  string
	stays time.Time
}

// item is how an item is written in rows: c12, e7.
func (k ItemKey) String() string {
	if k.Event {
		return "e" + strconv.FormatInt(k.ID, 10)
	}
	return "c" + strconv.FormatInt(k.ID, 10)
}

func parseItemKey(s string) (ItemKey, error) {
	if len(s) < 2 || s[0] != 'c' && s[0] != 'e' {
		return ItemKey{}, fmt.Errorf("item key %q", s)
	}
	id, err := strconv.ParseInt(s[1:], 10, 64)
	return ItemKey{Event: s[0] == 'e', ID: id}, err
}

func (t *tx) touch(keys ...ItemKey) {
	for _, k := range keys {
		if !t.dirty.items[k] {
			if t.dirty.items == nil {
				t.dirty.items = map[ItemKey]bool{}
			}
			t.dirty.items[k] = true
			t.dirty.order = append(t.dirty.order, k)
		}
	}
}

// touchAll marks the items whose keys a query gives: ids of contacts or of
// events.
func (t *tx) touchAll(event bool, query string, args ...any) error {
	return t.rows(query, args, func(scan func(...any) error) error {
		var id int64
		if err := scan(&id); err != nil {
			return err
		}
		t.touch(ItemKey{Event: event, ID: id})
		return nil
	})
}

// touchClient marks all that shows something of the client: the cards of its
// persons, what is planned with it, and the events of its deals.
func (t *tx) touchClient(ids ...int64) error {
	if len(ids) == 0 {
		return nil
	}
	t.touchCards(ids...)
	in := t.s.dialect.ids("$1")
	if err := t.touchAll(false, `SELECT id FROM contacts WHERE client_id IN `+in+` AND state IN ('planned', 'postponed')`, asJSON(ids)); err != nil {
		return err
	}
	return t.touchAll(true, `SELECT e.id FROM deal_events e JOIN deals d ON d.id = e.deal_id WHERE d.client_id IN `+in+` AND e.state IN ('planned', 'postponed')`, asJSON(ids))
}

func (t *tx) touchDeal(id int64) error {
	t.changedDeal(id)
	if err := t.touchAll(false, `SELECT id FROM contacts WHERE deal_id = $1 AND state IN ('planned', 'postponed')`, id); err != nil {
		return err
	}
	return t.touchAll(true, `SELECT id FROM deal_events WHERE deal_id = $1`, id)
}

// changedDeal marks a deal of which a line, an event or a document changed: to
// those who ask what has changed, that is a change of the deal.
func (t *tx) changedDeal(id int64) {
	if t.dirty.deals == nil {
		t.dirty.deals = map[int64]bool{}
	}
	t.dirty.deals[id] = true
}

// markDeals writes what changedDeal marked.
func (t *tx) markDeals() error {
	if len(t.dirty.deals) == 0 {
		return nil
	}
	ids := slices.Sorted(maps.Keys(t.dirty.deals))
	t.dirty.deals = nil
	if err := t.lockAll("deals", ids...); err != nil { // as placeDeal does
		return err
	}
	_, err := t.exec(`UPDATE deals SET changed = $1, version = version + 1, `+dealPlace+` WHERE id IN `+t.s.dialect.ids("$2"), t.now.Unix(), asJSON(ids))
	return err
}

// refreshManager marks all that stands in calendars that show this manager.
func (t *tx) refreshManager(id int64) error {
	done := t.now.AddDate(0, 0, -doneDays).Unix()
	if err := t.touchAll(false, `SELECT c.id FROM contacts c JOIN contact_managers cm ON cm.contact_id = c.id
		WHERE cm.manager_id = $1 AND (c.state IN ('planned', 'postponed') OR c.state = 'done' AND c.completed > $2 AND c.message_key = '')`, id, done); err != nil {
		return err
	}
	return t.touchAll(true, `SELECT e.id FROM deal_events e JOIN deals d ON d.id = e.deal_id JOIN clients cl ON cl.id = d.client_id
		WHERE COALESCE(d.manager_id, cl.manager_id) = $1 AND (e.state IN ('planned', 'postponed') OR e.state = 'done' AND e.completed > $2)`, id, done)
}

// RenewAll renders every entry again when mark differs from the one of the
// last time: a new version of the renderer, another public address. It works
// in batches, so that a large house is not locked meanwhile.
func (s *Store) RenewAll(ctx context.Context, mark string) error {
	last := ""
	for {
		n := 0
		err := s.write(ctx, func(t *tx) error {
			was, err := t.setting("rendered")
			if err != nil || was == mark {
				return err
			}
			err = t.rows(`SELECT DISTINCT item FROM entries WHERE item > $1 AND NOT gone ORDER BY item LIMIT 500`, []any{last}, func(scan func(...any) error) error {
				if err := scan(&last); err != nil {
					return err
				}
				k, err := parseItemKey(last)
				t.touch(k)
				n++
				return err
			})
			if err != nil || n > 0 {
				return err
			}
			return t.set("rendered", mark)
		})
		if err != nil || n == 0 {
			return err
		}
	}
}

// renew renders what was marked.
func (t *tx) renew() error {
	if len(t.dirty.order) > 0 && t.s.opt.Render == nil {
		return errors.New("this store was opened for reading only: it has no renderer")
	}
	r := renewal{t: t, byShows: map[int64][]*ownedCollection{}, clients: map[int64]*clientContext{}, deals: map[int64]*DealCard{}, managers: map[int64]*Manager{}}
	for len(t.dirty.order) > 0 {
		order := t.dirty.order
		t.dirty.order, t.dirty.items = nil, nil
		for _, k := range order {
			if err := r.item(k); err != nil {
				return fmt.Errorf("%s: %w", k, err)
			}
		}
	}
	t.dirty.put = nil
	return nil
}

// renewal keeps what several items of one transaction have in common.
type renewal struct {
	t        *tx
	byShows  map[int64][]*ownedCollection
	clients  map[int64]*clientContext
	deals    map[int64]*DealCard // sums, events and documents alone
	managers map[int64]*Manager
	anyLabel *bool // whether anything is labelled; nil: not asked yet
}

type ownedCollection struct {
	Collection
	owner *Manager
}

// holding is the collection as one that holds only the item's component.
func (c *ownedCollection) holding(it *Item) *ownedCollection {
	if c.Component != EventsAndTodos {
		return c
	}
	own := *c
	own.Component = it.component()
	return &own
}

// may reports whether the owner may look at the item: one who was a head when
// the calendar was made may be none now.
func (c *ownedCollection) may(it *Item) bool {
	return c.owner.Role == RoleHead || slices.Contains(it.Managers, c.ManagerID)
}

// clientContext is what entries show of a client.
type clientContext struct {
	client  Client
	persons []Person
	recent  []Contact
}

// present is an entry of the item that is there now.
type present struct {
	name, etag string
	version    int64
	former     string
	stays      time.Time
	turns      int64
	begins     int64
}

// maxFormer is how many earlier ETags of one version of a record are kept.
const maxFormer = 20

func (r *renewal) item(k ItemKey) error {
	t := r.t
	it, err := t.item(k)
	if err != nil {
		return err
	}
	here := map[int64]present{}
	err = t.rows(`SELECT collection_id, name, etag, version, former, stays, turns, begins FROM entries WHERE item = $1 AND NOT gone`, []any{k.String()}, func(scan func(...any) error) error {
		var id int64
		var p present
		if err := scan(&id, &p.name, &p.etag, &p.version, &p.former, timeInto{&p.stays}, &p.turns, &p.begins); err != nil {
			return err
		}
		here[id] = p
		return nil
	})
	if err != nil {
		return err
	}
	labels, err := r.labels(k)
	if err != nil {
		return err
	}
	collections := map[int64]*ownedCollection{}
	for _, m := range append([]int64{0}, it.Managers...) {
		cols, err := r.shows(m)
		if err != nil {
			return err
		}
		for _, c := range cols {
			collections[c.ID] = c
		}
	}
	// Also where a changed manager no longer belongs, and where it is labelled.
	for _, id := range append(sortedKeys(here), sortedKeys(labels)...) {
		if collections[id] == nil {
			c, err := r.collection(id)
			if err != nil {
				return err
			}
			collections[id] = c
		}
	}
	labelledBy := map[int64]bool{}
	for id := range labels {
		labelledBy[collections[id].ManagerID] = true
	}
	for _, id := range sortedKeys(collections) { // one order, so that daemons do not deadlock
		was, isHere := here[id]
		c := collections[id]
		belongs := true
		switch c.Kind {
		case LabelCalendar:
			belongs = labels[id]
		case StatusCalendar, TodoList:
			belongs = !labelledBy[c.ManagerID]
		case TeamCalendar:
			belongs = c.may(&it)
		case FilterCalendar:
			belongs = c.may(&it) && (c.Filter.Labelled || !labelledBy[c.ManagerID])
		}
		if err := r.entry(it, k, c, was, isHere, belongs); err != nil {
			return err
		}
	}
	return r.reminders(&it, k)
}

// labels are the label calendars that the item was put into.
func (r *renewal) labels(k ItemKey) (map[int64]bool, error) {
	if r.anyLabel == nil { // most houses have none: one query a transaction
		var any bool
		if err := r.t.row(`SELECT EXISTS (SELECT 1 FROM labels)`, nil, &any); err != nil {
			return nil, err
		}
		r.anyLabel = &any
	}
	if !*r.anyLabel {
		return nil, nil
	}
	ids, err := r.t.labels(k)
	labels := map[int64]bool{}
	for _, id := range ids {
		labels[id] = true
	}
	return labels, err
}

// entry puts the item into one collection, renews it there, or takes it out.
// may false keeps it out whatever the filter says.
func (r *renewal) entry(it Item, k ItemKey, c *ownedCollection, was present, isHere, may bool) error {
	t, loc := r.t, c.owner.Location()
	c = c.holding(&it)
	if it.Contact != nil && it.Contact.Private {
		own := *it.Contact
		own.hideFrom(c.owner.ID)
		it.Contact = &own
	}
	it.When = it.WhenIn(loc)
	it.Status = it.StatusAt(loc, t.now)
	belongs := may && (c.Kind == LabelCalendar ||
		c.Filter.Match(&it, it.Status, t.now) && (c.Component == VTodo || !it.When.IsZero()))
	stays := was.stays
	put, justPut := t.dirty.put[putKey{c.ID, k}]
	if justPut {
		stays = put.stays
	}
	if !stays.After(t.now) {
		stays = time.Time{}
	}
	lingers := !belongs && !stays.IsZero()
	switch {
	case !belongs && !lingers && !isHere:
		return nil
	case !belongs && !lingers:
		number, err := t.nextChange(c.ID)
		if err != nil {
			return err
		}
		_, err = t.exec(`UPDATE entries SET gone = TRUE, change = $1, turns = 0, stays = 0, bytes = NULL, size = 0, changed = $2 WHERE collection_id = $3 AND name = $4`,
			number, t.now.Unix(), c.ID, was.name)
		return err
	}
	view, err := r.view(&it, k, c)
	if err != nil {
		return err
	}
	body := t.s.opt.Render(view)
	sum := sha256.Sum256(body)
	etag := hex.EncodeToString(sum[:12])
	turns := stays
	if c.Kind != LabelCalendar { // there time changes nothing
		turns = earliest(it.turns(loc, t.now), stays, c.Filter.doneUntil(&it))
	}
	begins, ends := it.When.Begins(loc), it.When.Ends(loc)
	if it.Contact != nil && it.Contact.Recurrence != "" || it.When.IsZero() {
		begins, ends = time.Time{}, time.Time{}
	}
	if isHere && was.etag == etag {
		if unix(turns) == was.turns && unix(begins) == was.begins && stays.Equal(was.stays) {
			return nil
		}
		_, err := t.exec(`UPDATE entries SET turns = $1, stays = $2, begins = $3, ends = $4 WHERE collection_id = $5 AND name = $6`,
			unix(turns), unix(stays), unix(begins), unix(ends), c.ID, was.name)
		return err
	}
	former := ""
	if isHere && !justPut && was.version == view.Version {
		tags := append(strings.Fields(was.former), was.etag)
		former = strings.Join(tags[max(0, len(tags)-maxFormer):], " ")
	}
	name := was.name
	if justPut && !isHere {
		name = put.name
	} else if !isHere {
		if name, err = r.freeName(&it, k, c); err != nil {
			return err
		}
	}
	number, err := t.nextChange(c.ID)
	if err != nil {
		return err
	}
	_, err = t.exec(`INSERT INTO entries (collection_id, name, item, uid, etag, change, gone, begins, ends, turns, stays, changed, size, bytes, version, former)
		VALUES ($1, $2, $3, $4, $5, $6, FALSE, $7, $8, $9, $10, $11, $12, $13, $14, $15)
		ON CONFLICT (collection_id, name) DO UPDATE SET item = $3, uid = $4, etag = $5, change = $6, gone = FALSE,
		begins = $7, ends = $8, turns = $9, stays = $10, changed = $11, size = $12, bytes = $13, version = $14, former = $15, moved = entries.moved AND NOT entries.gone`,
		c.ID, name, k.String(), view.UID, etag, number, unix(begins), unix(ends), unix(turns), unix(stays), t.now.Unix(), len(body), body, view.Version, former)
	return err
}

func (t *tx) nextChange(collectionID int64) (n int64, err error) {
	t.s.entries.forget(collectionID)
	err = t.row(`UPDATE collections SET change = change + 1 WHERE id = $1 RETURNING change`, []any{collectionID}, &n)
	return n, err
}

// entryUID is the UID under which an item stands in a calendar. The To do
// list shows as VTODO what was written as VEVENT: two components with one UID
// would be one item to some programs.
func entryUID(it *Item, c Component) string {
	uid := ""
	if it.Event != nil {
		uid = it.Event.UID
	} else {
		uid = it.Contact.UID
	}
	if c == it.component() {
		return uid
	}
	return strings.ToLower(string(c[1:])) + "-" + uid
}

// bareUID is the inverse of entryUID's prefix.
func bareUID(uid string) string {
	uid, _ = strings.CutPrefix(uid, "todo-")
	uid, _ = strings.CutPrefix(uid, "event-")
	return uid
}

// freeName is the resource name of a new entry that no calendar program
// named: made from the UID.
func (r *renewal) freeName(it *Item, k ItemKey, c *ownedCollection) (string, error) {
	name := resourceName(entryUID(it, c.Component))
	for _, n := range []string{name, k.String() + "-" + name} {
		var item string
		err := r.t.row(`SELECT item FROM entries WHERE collection_id = $1 AND name = $2 AND NOT gone`, []any{c.ID, n}, &item)
		if errors.Is(err, ErrNotFound) || err == nil && item == k.String() {
			return n, nil
		}
		if err != nil {
			return "", err
		}
	}
	return k.String() + ".ics", nil
}

// resourceName makes a path segment of a UID as Thunderbird does: everything
// outside A-Z a-z 0-9 _ . - becomes _ (clients.md section 5).
func resourceName(uid string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '.', r == '-':
			return r
		}
		return '_'
	}, clip(uid, 200)) + ".ics"
}

func (r *renewal) view(it *Item, k ItemKey, c *ownedCollection) (*EntryView, error) {
	rules := r.t.s.opt.Reminders.With(c.owner.Reminders)
	v := &EntryView{Item: it, UID: entryUID(it, c.Component), Collection: &c.Collection, Owner: c.owner, Alarms: rules.Offsets(it)}
	if it.Contact != nil {
		v.Changed, v.Version = it.Contact.Changed, it.Contact.Version
	} else {
		v.Version = it.Event.Version
		if err := r.t.row(`SELECT changed FROM deal_events WHERE id = $1`, []any{it.Event.ID}, timeInto{&v.Changed}); err != nil {
			return nil, err
		}
	}
	if it.Contact != nil && it.Contact.DealID != 0 {
		d, err := r.t.deal(it.Contact.DealID)
		if err != nil {
			return nil, err
		}
		it.Deal = &d
	}
	if it.Deal != nil {
		deal, err := r.dealContext(it.Deal)
		if err != nil {
			return nil, err
		}
		debt := deal.Debt(c.owner.Location(), r.t.now)
		v.Totals, v.Debt = &deal.Totals, &debt
	}
	if it.ClientID != 0 {
		cc, err := r.clientContext(it.ClientID)
		if err != nil {
			return nil, err
		}
		v.Client, v.Persons, v.Recent = &cc.client, cc.persons, cc.recent
		if it.Contact != nil && len(it.Contact.Persons) > 0 {
			v.Persons = involved(cc.persons, it.Contact.Persons)
		}
	}
	err := r.t.row(`SELECT bytes FROM overlays WHERE item = $1 AND manager_id = $2 AND component = $3`,
		[]any{k.String(), c.ManagerID, string(c.Component)}, &v.Overlay)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	return v, nil
}

// dealContext is what the entries of a deal show of it.
func (r *renewal) dealContext(d *Deal) (*DealCard, error) {
	if card := r.deals[d.ID]; card != nil {
		return card, nil
	}
	card := &DealCard{Deal: *d}
	var err error
	if card.Totals, err = r.t.dealTotals(d); err != nil {
		return nil, err
	}
	if card.Documents, err = r.t.documents("deal_id = $1 ORDER BY date, id", d.ID); err != nil {
		return nil, err
	}
	items, err := r.t.eventItems("WHERE e.deal_id = $1 AND e.state <> 'cancelled' ORDER BY e.due, e.id", d.ID)
	for _, it := range items {
		card.Events = append(card.Events, *it.Event)
	}
	r.deals[d.ID] = card
	return card, err
}

// involved puts the persons who take part first.
func involved(all []Person, refs []PersonRef) []Person {
	var out, rest []Person
	for _, p := range all {
		in := false
		for _, ref := range refs {
			in = in || ref.ID == p.ID
		}
		if in {
			out = append(out, p)
		} else {
			rest = append(rest, p)
		}
	}
	return append(out, rest...)
}

// recentShown is how many of a client's last contacts an entry shows.
const recentShown = 3

func (r *renewal) clientContext(id int64) (*clientContext, error) {
	if cc := r.clients[id]; cc != nil {
		return cc, nil
	}
	cc := &clientContext{}
	var err error
	if cc.client, err = r.t.client(id); err != nil {
		return nil, err
	}
	if cc.persons, err = r.t.persons("p.client_id = $1", "LIMIT 10", id); err != nil {
		return nil, err
	}
	today := string(DateOf(r.t.now, time.UTC))
	for i := range cc.persons {
		if string(cc.persons[i].Away) < today { // is back
			cc.persons[i].Away = ""
		}
	}
	cc.recent, err = r.t.contacts(`WHERE c.client_id = $1 AND c.state = 'done' ORDER BY c.start_at DESC, c.id DESC LIMIT $2`, id, recentShown)
	r.clients[id] = cc
	return cc, err
}

// shows gives the collections that show one manager's items; 0: those that
// show anybody's.
func (r *renewal) shows(manager int64) ([]*ownedCollection, error) {
	if cols, ok := r.byShows[manager]; ok {
		return cols, nil
	}
	where, args := "k.shows = $1", []any{manager}
	if manager == 0 {
		where, args = "k.shows IS NULL", nil
	}
	cols, err := r.owned(where, args...)
	r.byShows[manager] = cols
	return cols, err
}

func (r *renewal) collection(id int64) (*ownedCollection, error) {
	cols, err := r.owned("k.id = $1", id)
	if err == nil && len(cols) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return cols[0], nil
}

func (r *renewal) owned(where string, args ...any) ([]*ownedCollection, error) {
	cols, err := r.t.collections(where, args...)
	if err != nil {
		return nil, err
	}
	out := make([]*ownedCollection, len(cols))
	for i, c := range cols {
		m, err := r.manager(c.ManagerID)
		if err != nil {
			return nil, err
		}
		out[i] = &ownedCollection{c, m}
	}
	return out, nil
}

func (r *renewal) manager(id int64) (*Manager, error) {
	if r.managers[id] == nil {
		m, err := r.t.manager("m.id = $1", id)
		if err != nil {
			return nil, err
		}
		r.managers[id] = &m
	}
	return r.managers[id], nil
}

func earliest(times ...time.Time) (first time.Time) {
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}
