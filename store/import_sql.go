package store

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Import is one transaction of imported rows. A *Invalid from a row method
// means that row was refused and nothing of it written; any other error ends
// the import.
type Import struct {
	t      *tx
	actor  Actor
	whole  bool             // inside Each
	broken bool             // the transaction failed inside Each
	given  *Given           // where the row came from; nil: what lacks something is refused
	sums   map[sumKey]Given // to be compared with their lines at the end
	rates  map[string]bool  // currencies whose rates changed
	// How many more orders are open whose lines make another sum.
	differing int
}

// renewEvery bounds how many items wait for their calendars in one import.
const renewEvery = 2000

var errDryRun = errors.New("dry run")

// Import runs fn in one transaction and renews the calendars that its rows
// touched. With PostgreSQL imports wait for each other: each must see what the
// other kept apart or brought. With dry, everything is rolled back at the end.
func (s *Store) Import(ctx context.Context, actor Actor, dry bool, fn func(*Import) error) error {
	err := s.write(ctx, func(t *tx) error {
		if err := t.alone(importWork); err != nil {
			return err
		}
		im := &Import{t: t, actor: actor}
		if err := fn(im); err != nil {
			return err
		}
		if err := im.finish(); err != nil {
			return err
		}
		if dry {
			return errDryRun
		}
		return nil
	})
	if errors.Is(err, errDryRun) {
		return nil
	}
	return err
}

// finish looks at what only all rows together say.
func (im *Import) finish() error {
	if _, err := im.CheckSums(); err != nil {
		return err
	}
	return im.coverForeign()
}

// done ends a row: what it touched is renewed in batches.
func (im *Import) done(c RowChange, err error) (RowChange, error) {
	if err == nil && !im.whole && len(im.t.dirty.order) > renewEvery {
		err = im.t.renew()
	}
	return c, err
}

// saved finds a row by its external key, 0 when there is none. The key of a
// merged client finds the one that stayed.
func (t *tx) saved(table, externalID string) (id int64, err error) {
	if externalID == "" {
		return 0, nil
	}
	err = t.row(`SELECT id FROM `+table+` WHERE external_id = $1`, []any{externalID}, &id)
	if table == "clients" && errors.Is(err, ErrNotFound) {
		err = t.row(`SELECT client_id FROM merged_clients WHERE external_id = $1`, []any{externalID}, &id)
	}
	return id, ignoreNotFound(err)
}

// named finds the row that another row refers to; an empty reference is 0, an
// unknown one a fault of that field.
func (t *tx) named(table, field, externalID string) (int64, error) {
	id, err := t.saved(table, externalID)
	if err != nil || id != 0 || externalID == "" {
		return id, err
	}
	switch table {
	case "deals":
		return 0, lacking(AboutDeal, LacksDeal, externalID)
	case "clients":
		return 0, lacking(AboutClient, LacksClient, externalID)
	case "documents":
		return 0, lacking(AboutDocument, LacksDocument, externalID)
	}
	return 0, invalid(field, "unknown %s %q", field, clip(externalID, 80))
}

// clientOf is the client that a row must name, by key or by number.
func (t *tx) clientOf(externalID string, id int64) (int64, error) {
	id, err := t.referred("clients", "client", Ref{id, externalID})
	if err == nil && id == 0 {
		err = invalid("client", "is missing")
	}
	return id, err
}

// mayTake checks the key that a record is to have: a new one needs one that no
// other has.
func (t *tx) mayTake(table string, id int64, externalID string) error {
	if err := mayTakeKey(externalID); err != nil {
		return err
	}
	other, err := t.saved(table, externalID)
	if err == nil && other != 0 && other != id {
		err = invalid("id", "%q belongs to another record", clip(externalID, 80))
	}
	return err
}

// mayTakeKey checks a key that no other record has.
func mayTakeKey(externalID string) error {
	if len(externalID) > 200 {
		return required("id", externalID, 200)
	}
	return nil
}

// managerNamed finds a manager by id or login.
func (t *tx) managerNamed(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	m, err := t.manager("m.external_id = $1 OR m.login = $2", s, strings.ToLower(s))
	if errors.Is(err, ErrNotFound) {
		return 0, invalid("manager", "unknown manager %q", clip(s, 80))
	}
	return m.ID, err
}

// firstFault is the first error among several checks of a row.
func firstFault(faults ...error) error {
	for _, err := range faults {
		if err != nil {
			return err
		}
	}
	return nil
}

func required(field, v string, most int) error {
	switch {
	case v == "":
		return invalid(field, "is missing")
	case len(v) > most:
		return invalid(field, "is longer than %d bytes", most)
	}
	return nil
}

// addresses normalises a list; nil, which says nothing, stays nil.
func addresses(field string, list []string) ([]string, error) {
	if list == nil {
		return nil, nil
	}
	out := []string{}
	for _, s := range list {
		a, err := Address(s)
		if err != nil {
			return nil, invalid(field, "%v", err)
		}
		if !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out, nil
}

// domains normalises a list.
func domains(list []string) (out []string, err error) {
	for _, d := range list {
		domain, err := Domain(strings.TrimPrefix(strings.TrimSpace(d), "@"))
		if err != nil {
			return nil, invalid("domains", "%v", err)
		}
		if !slices.Contains(out, domain) {
			out = append(out, domain)
		}
	}
	return out, nil
}

// tidy cleans a list of texts; nil, which says nothing, stays nil.
func tidy(list []string, most int) []string {
	if list == nil {
		return nil
	}
	out := []string{}
	for _, s := range list {
		if s = clip(strings.TrimSpace(clean(s)), most); s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// Manager makes or changes a manager by ID or Login.
func (im *Import) Manager(row ManagerRow) (RowChange, error) {
	if row.ID == "" && row.Login == "" {
		return "", invalid("id", "is missing")
	}
	_, c, err := im.t.saveManager(im.actor, row)
	return im.done(c, err)
}

// Client makes or changes a client by ID. Empty importance, stage, source and
// manager, and nil lists, keep what is there; attributes are merged. By the ID
// of a client that was merged into it, it only gets what it lacks.
func (im *Import) Client(row ClientRow) (RowChange, error) {
	row.ID = strings.TrimSpace(clean(row.ID))
	if err := required("id", row.ID, 200); err != nil {
		return "", err
	}
	id, err := im.t.saved("clients", row.ID)
	if err != nil {
		return "", err
	}
	change, _, err := im.SaveClient(id, row)
	return change, err
}

// SaveClient is Client for the one with that number, which gets the row's ID,
// or keeps its own where the row has none; 0 makes a new one. It gives the
// client's number.
func (im *Import) SaveClient(id int64, row ClientRow) (RowChange, int64, error) {
	change, id, err := im.saveClient(id, row)
	change, err = im.done(change, err)
	return change, id, err
}

func (im *Import) saveClient(id int64, row ClientRow) (RowChange, int64, error) {
	t := im.t
	row.ID, row.Name = strings.TrimSpace(clean(row.ID)), strings.TrimSpace(clean(row.Name))
	if err := firstFault(required("name", row.Name, 500), t.mayTake("clients", id, row.ID)); err != nil {
		return "", 0, err
	}
	var err error
	old := Client{Importance: Normal}
	if id != 0 {
		if old, err = t.client(id); err != nil {
			return "", 0, err
		}
	}
	if id != 0 && row.ID != "" && old.ExternalID != row.ID {
		if of, err := t.saved("clients", row.ID); err != nil {
			return "", 0, err
		} else if of == id {
			row.adding(&old)
		}
	}
	c := old
	c.ExternalID, c.Name = cmp.Or(row.ID, old.ExternalID), row.Name
	c.Importance = Importance(cmp.Or(row.Importance, string(old.Importance)))
	if c.Importance != High && c.Importance != Normal && c.Importance != Low {
		return "", 0, invalid("importance", "%q is none of high, normal, low", clip(row.Importance, 40))
	}
	if row.Stage != "" && !slices.Contains(stageScale, row.Stage) {
		return "", 0, invalid("stage", "%q is none of potential, one-off, regular, lost", clip(row.Stage, 40))
	}
	stage := cmp.Or(row.Stage, old.givenStage)
	m, err := t.managerNamed(row.Manager)
	if err != nil {
		return "", 0, err
	}
	c.ManagerID = cmp.Or(m, old.ManagerID)
	src, err := t.named("sources", "source", row.Source)
	if err != nil {
		return "", 0, err
	}
	c.SourceID = cmp.Or(src, old.SourceID)
	for _, field := range row.Clear {
		switch field {
		case "stage":
			stage = ""
		case "manager":
			c.ManagerID = 0
		case "source":
			c.SourceID = 0
		}
	}
	c.giveStage(stage)
	if row.Domains != nil { // nil: the file has no such column
		if c.Domains, err = domains(row.Domains); err != nil {
			return "", 0, err
		}
	}
	if row.Emails != nil {
		if c.Emails, err = addresses("emails", row.Emails); err != nil {
			return "", 0, err
		}
	}
	if row.Phones != nil {
		c.Phones = tidy(row.Phones, 60)
	}
	if id != 0 {
		if err := t.keepPoints(&c, &old); err != nil {
			return "", 0, err
		}
	}
	c.Attributes = maps.Clone(old.Attributes)
	if c.Attributes == nil {
		c.Attributes = map[string]string{}
	}
	for k, v := range row.Attributes {
		if len(c.Attributes) > 100 || len(k) > 200 || len(v) > 10_000 {
			return "", 0, invalid("attributes", "more than 100, or longer than 10000 bytes")
		}
		if v = clean(v); v == "" {
			delete(c.Attributes, clean(k))
		} else {
			c.Attributes[clean(k)] = v
		}
	}
	change, err := t.writeClient(im.actor, &old, &c)
	if err == nil && change == RowNew {
		err = im.arrived(AboutClient, row.ID)
	}
	return change, c.ID, err
}

// writeClient makes a client what c says, whole, and tells c its ID. An old one
// without ID is none.
func (t *tx) writeClient(actor Actor, old, c *Client) (RowChange, error) {
	id := old.ID
	c.ID = id
	d := changes{}
	d.note("external_id", old.ExternalID, c.ExternalID)
	d.note("name", old.Name, c.Name)
	d.note("importance", string(old.Importance), string(c.Importance))
	d.note("stage", old.givenStage, c.givenStage)
	d.note("manager", idText(old.ManagerID), idText(c.ManagerID))
	d.note("source", idText(old.SourceID), idText(c.SourceID))
	d.note("domains", strings.Join(old.Domains, " "), strings.Join(c.Domains, " "))
	d.note("emails", strings.Join(old.Emails, " "), strings.Join(c.Emails, " "))
	d.note("phones", strings.Join(old.Phones, ", "), strings.Join(c.Phones, ", "))
	if !maps.Equal(old.Attributes, c.Attributes) {
		d.note("attributes", asJSON(old.Attributes), asJSON(c.Attributes))
	}
	if id != 0 && len(d) == 0 {
		return RowUnchanged, nil
	}
	var err error
	change, verb := RowChanged, "changed"
	args := []any{key(c.ExternalID), c.Name, clip(fold(c.Name), 500), clip(coreName(c.Name), 500), string(c.Importance), c.Stage, ref(c.ManagerID), ref(c.SourceID),
		asJSON(c.Attributes), t.now.Unix(), c.givenStage}
	if id == 0 {
		change, verb = RowNew, "created"
		id, err = t.insert(`INSERT INTO clients (id, external_id, name, folded, core, importance, stage, manager_id, source_id, attributes, created, changed, given_stage)
			VALUES (`+t.s.dialect.newClientID()+`, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11)`, args...)
	} else {
		_, err = t.exec(`UPDATE clients SET external_id = $1, name = $2, folded = $3, core = $4, importance = $5, stage = $6, manager_id = $7, source_id = $8,
			attributes = $9, changed = $10, given_stage = $11, version = version + 1 WHERE id = $12`, append(args, id)...)
	}
	if err != nil {
		return "", err
	}
	c.ID = id
	if err := t.setPoints("client_points", "client_id", id, change == RowNew, map[string][]string{"domain": c.Domains, "email": c.Emails, "phone": c.Phones}); err != nil {
		return "", err
	}
	if err := t.remember(actor, "client", id, verb, d); err != nil {
		return "", err
	}
	if err := t.linkLetters(actor, id, c.Emails, c.Domains); err != nil {
		return "", err
	}
	if change == RowChanged {
		if err := t.touchClient(id); err != nil {
			return "", err
		}
	}
	return change, t.directoryChanged()
}

// Person makes or changes a person by ID; without one, by client and first
// address, or by client and name where it has no address. Empty position and
// birthday, and nil lists, keep what is there.
func (im *Import) Person(row PersonRow) (RowChange, error) {
	t := im.t
	row.ID = strings.TrimSpace(clean(row.ID))
	id, err := t.saved("persons", row.ID)
	if err != nil {
		return "", err
	}
	if row.ID == "" {
		emails, err := addresses("emails", row.Emails)
		if err != nil {
			return "", err
		}
		if row.ClientID, err = t.clientOf(row.Client, row.ClientID); err != nil {
			return "", err
		}
		if len(emails) > 0 {
			err = t.row(`SELECT p.id FROM persons p JOIN person_points pp ON pp.person_id = p.id
				WHERE pp.kind = 'email' AND pp.value = $1 AND p.client_id = $2 ORDER BY p.id LIMIT 1`, []any{emails[0], row.ClientID}, &id)
		} else {
			err = t.row(`SELECT id FROM persons WHERE client_id = $1 AND name = $2 ORDER BY id LIMIT 1`, []any{row.ClientID, strings.TrimSpace(clean(row.Name))}, &id)
		}
		if ignoreNotFound(err) != nil {
			return "", err
		}
	}
	change, _, err := im.keyedPerson(id, row)
	return change, err
}

// SavePerson is Person for the one with that number, which gets the row's ID,
// or keeps its own where the row has none; 0 makes a new one. It gives the
// person's number.
func (im *Import) SavePerson(id int64, row PersonRow) (RowChange, int64, error) {
	row.ID = strings.TrimSpace(clean(row.ID))
	merged, err := im.t.mergedPerson(row.ID, id)
	if err != nil {
		return "", 0, err
	}
	if merged != 0 {
		id = merged // who said it is an entry of the one into whom
	}
	if err := im.t.mayTake("persons", id, row.ID); err != nil {
		return "", 0, err
	}
	return im.keyedPerson(id, row)
}

// keyedPerson is SavePerson for a person who has the row's key, or may have it.
func (im *Import) keyedPerson(id int64, row PersonRow) (RowChange, int64, error) {
	t := im.t
	row.Name = strings.TrimSpace(clean(row.Name))
	client, err := t.clientOf(row.Client, row.ClientID)
	if err != nil {
		return "", 0, err
	}
	if err := firstFault(required("name", row.Name, 500), mayTakeKey(row.ID)); err != nil {
		return "", 0, err
	}
	p := Person{ExternalID: row.ID, ClientID: client, Name: row.Name, Position: clip(strings.TrimSpace(clean(row.Position)), 500), Birthday: row.Birthday}
	if p.Emails, err = addresses("emails", row.Emails); err != nil {
		return "", 0, err
	}
	p.Phones = tidy(row.Phones, 60)
	if id == 0 {
		if erased, err := t.wasErased(p.Emails, p.Phones, "id "+row.ID); err != nil {
			return "", 0, err
		} else if erased {
			return "", 0, ErrErased
		}
	}
	change, err := im.done(t.savePerson(im.actor, id, &p, row.Clear...))
	return change, p.ID, err
}

// savePerson writes a person of whom not everything may be said; id 0 makes a
// new one, and p is told its ID. clear names what is to be emptied: position,
// birthday.
func (t *tx) savePerson(actor Actor, id int64, p *Person, clear ...string) (RowChange, error) {
	old := Person{}
	if id != 0 {
		found, err := t.persons("p.id = $1", "", id)
		if err != nil {
			return "", err
		}
		if len(found) == 0 {
			return t.saveMerged(actor, id, p)
		}
		old = found[0]
		p.ExternalID, p.Position, p.Birthday = cmp.Or(p.ExternalID, old.ExternalID), cmp.Or(p.Position, old.Position), cmp.Or(p.Birthday, old.Birthday)
		if p.Emails == nil { // not said, as against an empty list
			p.Emails = old.Emails
		}
		if p.Phones == nil {
			p.Phones = old.Phones
		}
	}
	if slices.Contains(clear, "position") {
		p.Position = ""
	}
	if slices.Contains(clear, "birthday") {
		p.Birthday = ""
	}
	return t.writePerson(actor, &old, p)
}

// writePerson makes a person what p says, whole, and tells p its ID. An old
// one without ID is none.
func (t *tx) writePerson(actor Actor, old, p *Person) (RowChange, error) {
	id := old.ID
	d := changes{}
	d.note("external_id", old.ExternalID, p.ExternalID)
	d.note("client", idText(old.ClientID), idText(p.ClientID))
	d.note("name", old.Name, p.Name)
	d.note("position", old.Position, p.Position)
	d.note("birthday", string(old.Birthday), string(p.Birthday))
	d.note("emails", strings.Join(old.Emails, " "), strings.Join(p.Emails, " "))
	d.note("phones", strings.Join(old.Phones, ", "), strings.Join(p.Phones, ", "))
	p.ID = id
	if id != 0 && len(d) == 0 {
		return RowUnchanged, nil
	}
	change, verb := RowChanged, "changed"
	var err error
	if id == 0 {
		change, verb = RowNew, "created"
		if err := t.takeBack(p); err != nil {
			return "", err
		}
		id, err = t.insert(`INSERT INTO persons (external_id, client_id, name, position, birthday, created, changed) VALUES ($1, $2, $3, $4, $5, $6, $6)`,
			key(p.ExternalID), p.ClientID, p.Name, p.Position, string(p.Birthday), t.now.Unix())
	} else {
		_, err = t.exec(`UPDATE persons SET external_id = $1, client_id = $2, name = $3, position = $4, birthday = $5, changed = $6, version = version + 1 WHERE id = $7`,
			key(p.ExternalID), p.ClientID, p.Name, p.Position, string(p.Birthday), t.now.Unix(), id)
	}
	if err != nil {
		return "", err
	}
	p.ID = id
	if err := t.setPoints("person_points", "person_id", id, change == RowNew, map[string][]string{"email": p.Emails, "phone": p.Phones}); err != nil {
		return "", err
	}
	if err := t.remember(actor, "person", id, verb, d); err != nil {
		return "", err
	}
	if err := errors.Join(t.linkLetters(actor, p.ClientID, p.Emails, nil), t.forgetOffered(p.Emails)); err != nil {
		return "", err
	}
	if err := t.touchClient(p.ClientID); err != nil {
		return "", err
	}
	if old.ClientID != 0 && old.ClientID != p.ClientID {
		if err := t.touchClient(old.ClientID); err != nil {
			return "", err
		}
	}
	return change, t.directoryChanged()
}

// Source makes or changes a lead source by ID.
func (im *Import) Source(row SourceRow) (RowChange, error) {
	t := im.t
	row.ID, row.Name = strings.TrimSpace(clean(row.ID)), strings.TrimSpace(clean(row.Name))
	if err := firstFault(required("id", row.ID, 200), required("name", row.Name, 500)); err != nil {
		return "", err
	}
	if row.Cost.Minor < 0 {
		return "", invalid("cost", "is negative")
	}
	if row.From != "" && row.To != "" && row.To < row.From {
		return "", invalid("to", "is before from")
	}
	new := Source{ExternalID: row.ID, Name: row.Name, Campaign: clip(clean(row.Campaign), 500), Medium: clip(clean(row.Medium), 500), From: row.From, To: row.To, Cost: row.Cost}
	old, err := t.source("external_id = $1", row.ID)
	if errors.Is(err, ErrNotFound) {
		_, err = t.exec(`INSERT INTO sources (external_id, name, campaign, medium, from_date, to_date, cost, currency) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			new.ExternalID, new.Name, new.Campaign, new.Medium, string(new.From), string(new.To), new.Cost.Minor, new.Cost.Currency)
		return RowNew, err
	}
	if err != nil {
		return "", err
	}
	new.ID = old.ID
	if new == old {
		return RowUnchanged, nil
	}
	_, err = t.exec(`UPDATE sources SET name = $1, campaign = $2, medium = $3, from_date = $4, to_date = $5, cost = $6, currency = $7 WHERE id = $8`,
		new.Name, new.Campaign, new.Medium, string(new.From), string(new.To), new.Cost.Minor, new.Cost.Currency, new.ID)
	return RowChanged, err
}

// Deal makes or changes a deal by ID. ShipDue and PayDue make its one shipment
// and one payment of the whole sum.
func (im *Import) Deal(row DealRow) (RowChange, error) {
	row.ID = strings.TrimSpace(clean(row.ID))
	if err := required("id", row.ID, 200); err != nil {
		return "", err
	}
	return im.keep(AboutDeal, row.ID, row, func() (RowChange, error) {
		client, err := im.t.clientOf(row.Client, row.ClientID)
		if err != nil {
			return "", err
		}
		change, err := im.deal(row, client, map[EventKind]bool{Shipment: true, Payment: true})
		if err == nil && change == RowChanged {
			id, err := im.t.saved("deals", row.ID)
			if err != nil {
				return "", err
			}
			im.addUp(AboutDeal, id)
		}
		return change, err
	})
}

// deal is Deal for a client found already; known says of which events it is
// known whether they happened.
func (im *Import) deal(row DealRow, client int64, known map[EventKind]bool) (RowChange, error) {
	t := im.t
	row.ID = strings.TrimSpace(clean(row.ID))
	if client == 0 {
		return "", invalid("client", "is missing")
	}
	if err := firstFault(required("id", row.ID, 200), required("date", string(row.Date), 10)); err != nil {
		return "", err
	}
	if row.Amount.Minor < 0 {
		return "", invalid("amount", "is negative")
	}
	if row.Cost != nil && row.Cost.Minor < 0 {
		return "", invalid("cost", "is negative")
	}
	manager, err := t.managerNamed(row.Manager)
	if err != nil {
		return "", err
	}
	source, err := t.named("sources", "source", row.Source)
	if err != nil {
		return "", err
	}
	id, err := t.saved("deals", row.ID)
	if err != nil {
		return "", err
	}
	var old Deal
	if id != 0 {
		if old, err = t.deal(id); err != nil {
			return "", err
		}
	}
	d := old
	d.ExternalID, d.Number, d.Date, d.ClientID = row.ID, clip(cmp.Or(strings.TrimSpace(clean(row.Number)), old.Number, row.ID), 200), row.Date, client
	d.ManagerID, d.SourceID = cmp.Or(manager, old.ManagerID), cmp.Or(source, old.SourceID)
	d.Amount = Money{row.Amount.Minor, cmp.Or(row.Amount.Currency, t.s.opt.Currency)}
	d.Status = clip(strings.TrimSpace(clean(row.Status)), 100)
	if row.Cost != nil {
		d.Cost, d.CostKnown = row.Cost.Minor, true
	}
	for _, field := range row.Clear {
		switch field {
		case "manager":
			d.ManagerID = 0
		case "source":
			d.SourceID = 0
		case "cost":
			d.Cost, d.CostKnown = 0, false
		}
	}
	d.ShipmentKnown, d.PaymentKnown = old.ShipmentKnown || known[Shipment], old.PaymentKnown || known[Payment] // what was known stays so
	ch := changes{}
	ch.note("number", old.Number, d.Number)
	ch.note("date", string(old.Date), string(d.Date))
	ch.note("client", idText(old.ClientID), idText(d.ClientID))
	ch.note("manager", idText(old.ManagerID), idText(d.ManagerID))
	ch.note("amount", old.Amount.Plain()+" "+old.Amount.Currency, d.Amount.Plain()+" "+d.Amount.Currency)
	ch.note("cost", costText(old), costText(d))
	ch.note("status", old.Status, d.Status)
	ch.note("source", idText(old.SourceID), idText(d.SourceID))
	change, verb := RowChanged, "changed"
	var cost any
	if d.CostKnown {
		cost = d.Cost
	}
	args := []any{d.ExternalID, d.Number, string(d.Date), d.ClientID, ref(d.ManagerID), d.Amount.Minor, d.Amount.Currency, cost, d.Status, ref(d.SourceID), t.now.Unix(),
		d.ShipmentKnown, d.PaymentKnown}
	learnt := d.ShipmentKnown != old.ShipmentKnown || d.PaymentKnown != old.PaymentKnown
	switch {
	case id == 0:
		change, verb = RowNew, "created"
		err = t.row(`INSERT INTO deals (external_id, number, date, client_id, manager_id, amount, currency, cost, status, source_id, created, changed, shipment_known, payment_known)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $12, $13) RETURNING id`, args, &id)
	case len(ch) == 0 && !learnt:
		change = RowUnchanged
	default:
		_, err = t.exec(`UPDATE deals SET external_id = $1, number = $2, date = $3, client_id = $4, manager_id = $5, amount = $6, currency = $7, cost = $8,
			status = $9, source_id = $10, changed = $11, shipment_known = $12, payment_known = $13, version = version + 1 WHERE id = $14`, append(args, id)...)
	}
	if err != nil {
		return "", err
	}
	if change == RowNew || len(ch) > 0 {
		if err := t.remember(im.actor, "deal", id, verb, ch); err != nil {
			return "", err
		}
		if old.ClientID != 0 && old.ClientID != d.ClientID { // the settlements are the new client's
			for _, table := range []string{"documents", "settlements"} {
				if _, err := t.exec(`UPDATE `+table+` SET client_id = $1 WHERE deal_id = $2`, d.ClientID, id); err != nil {
					return "", err
				}
			}
		}
	}
	if old.Amount.Currency != "" && old.Amount.Currency != d.Amount.Currency {
		if _, err := t.exec(`UPDATE documents SET foreign_sum = (currency <> $1) WHERE deal_id = $2`, d.Amount.Currency, id); err != nil {
			return "", err
		}
	}
	moved := false
	dues := map[EventKind]Date{Shipment: row.ShipDue, Payment: row.PayDue}
	for _, kind := range []EventKind{Shipment, Payment} { // their numbers follow each other alike
		m, err := t.saveDue(im.actor, id, kind, dues[kind], d.Amount.Minor, known[kind])
		if err != nil {
			return "", err
		}
		moved = moved || m
	}
	if d.Status == "cancelled" != (old.Status == "cancelled") {
		to, from := Cancelled, Planned
		if d.Status != "cancelled" {
			to, from = Planned, Cancelled
		}
		if _, err := t.exec(`UPDATE deal_events SET state = $1, changed = $2, version = version + 1 WHERE deal_id = $3 AND state = $4
			AND (external_id IS NOT NULL OR NOT EXISTS (SELECT 1 FROM deal_events o WHERE o.deal_id = $3 AND o.kind = deal_events.kind AND o.external_id IS NOT NULL))`,
			string(to), t.now.Unix(), id, string(from)); err != nil {
			return "", err
		}
		moved = true
	}
	if change == RowUnchanged && !moved {
		return RowUnchanged, nil
	}
	if change == RowUnchanged {
		change = RowChanged
	}
	if err := t.cover(id); err != nil {
		return "", err
	}
	if change == RowNew {
		err = im.arrived(AboutDeal, row.ID)
	}
	return im.done(change, err)
}

func costText(d Deal) string {
	if !d.CostKnown {
		return ""
	}
	return strconv.FormatInt(d.Cost, 10)
}

// saveDue keeps the one event that ship_due or pay_due makes. Where events of
// that kind were given one by one, those stand instead.
func (t *tx) saveDue(actor Actor, dealID int64, kind EventKind, due Date, amount int64, known bool) (bool, error) {
	// The key is looked at here: SQLite would take its index to find the events
	// without one, which are nearly all.
	found, err := t.eventItems(`WHERE e.deal_id = $1 AND e.kind = $2`, dealID, string(kind))
	if err != nil || slices.ContainsFunc(found, func(it Item) bool { return it.Event.ExternalID != "" }) {
		return false, err
	}
	if len(found) == 0 {
		if due == "" {
			return false, nil
		}
		return true, t.insertEvent(DealEvent{UID: newUID(), DealID: dealID, Kind: kind, Due: due, Amount: amount, Known: known, State: Planned})
	}
	e := *found[0].Event
	learnt := known && !e.Known // what was known stays so
	if learnt {
		if _, err := t.exec(`UPDATE deal_events SET known = $1, changed = $2, version = version + 1 WHERE id = $3`, true, t.now.Unix(), e.ID); err != nil {
			return false, err
		}
	}
	changed, err := t.changeEvent(actor, e, due, amount)
	return changed || learnt, err
}

func (t *tx) insertEvent(e DealEvent) error {
	_, err := t.exec(`INSERT INTO deal_events (uid, external_id, deal_id, kind, due, due_set, amount, known, state, changed) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $6)`,
		e.UID, key(e.ExternalID), e.DealID, string(e.Kind), string(e.Due), t.now.Unix(), e.Amount, e.Known, string(e.State))
	return err
}

// changeEvent keeps what the accounting system says of an event: an empty due
// leaves the one that is there.
func (t *tx) changeEvent(actor Actor, e DealEvent, due Date, amount int64) (bool, error) {
	due = cmp.Or(due, e.Due)
	if due == e.Due && amount == e.Amount {
		return false, nil
	}
	c := changes{}
	c.note("due", string(e.Due), string(due))
	c.note("amount", strconv.FormatInt(e.Amount, 10), strconv.FormatInt(amount, 10))
	set, before := e.DueSet, e.DueBefore
	if due != e.Due {
		set, before = t.now, e.Due
	}
	if _, err := t.exec(`UPDATE deal_events SET due = $1, due_set = $2, due_before = $3, amount = $4, changed = $5, version = version + 1 WHERE id = $6`,
		string(due), unix(set), string(before), amount, t.now.Unix(), e.ID); err != nil {
		return false, err
	}
	return true, t.remember(actor, "event", e.ID, "changed", c)
}

// Event makes or changes one planned shipment or payment of a deal by ID. The
// first one of its kind replaces the event that the deal's own date made.
func (im *Import) Event(row EventRow) (RowChange, error) {
	row.ID = strings.TrimSpace(clean(row.ID))
	return im.keep(AboutEvent, row.ID, row, func() (RowChange, error) { return im.event(row) })
}

func (im *Import) event(row EventRow) (RowChange, error) {
	t := im.t
	if err := firstFault(required("id", row.ID, 200), required("deal", row.Deal, 200), required("due", string(row.Due), 10)); err != nil {
		return "", err
	}
	if row.Kind != Shipment && row.Kind != Payment {
		return "", invalid("kind", "%q is neither shipment nor payment", clip(string(row.Kind), 40))
	}
	if row.Amount < 0 {
		return "", invalid("amount", "is negative")
	}
	deal, err := t.named("deals", "deal", row.Deal)
	if err != nil {
		return "", err
	}
	id, err := t.saved("deal_events", row.ID)
	if err != nil {
		return "", err
	}
	if id != 0 {
		it, err := t.item(ItemKey{Event: true, ID: id})
		if err != nil {
			return "", err
		}
		if it.Event.DealID != deal || it.Event.Kind != row.Kind {
			return "", invalid("id", "belongs to an event of another deal or kind")
		}
		changed, err := t.changeEvent(im.actor, *it.Event, row.Due, row.Amount)
		if err != nil || !changed {
			return RowUnchanged, err
		}
		return im.done(RowChanged, t.cover(deal))
	}
	if err := t.insertEvent(DealEvent{UID: newUID(), ExternalID: row.ID, DealID: deal, Kind: row.Kind, Due: row.Due, Amount: row.Amount, Known: true, State: Planned}); err != nil {
		return "", err
	}
	if _, err := t.exec(`UPDATE deal_events SET state = 'cancelled', changed = $1, version = version + 1 WHERE deal_id = $2 AND kind = $3 AND external_id IS NULL AND state <> 'cancelled'`,
		t.now.Unix(), deal, string(row.Kind)); err != nil {
		return "", err
	}
	return im.done(RowNew, t.cover(deal))
}

// Line makes or changes a line of a deal or document by ID.
func (im *Import) Line(row LineRow) (RowChange, error) {
	row.ID = strings.TrimSpace(clean(row.ID))
	return im.keep(AboutLine, row.ID, row, func() (RowChange, error) { return im.line(row) })
}

func (im *Import) line(row LineRow) (RowChange, error) {
	t := im.t
	if err := firstFault(required("id", row.ID, 200), required("item", strings.TrimSpace(row.Item), 1000)); err != nil {
		return "", err
	}
	if (row.Deal == "") == (row.Document == "") {
		return "", invalid("deal", "a line belongs to one deal or to one document")
	}
	if row.Price < 0 || row.Amount < 0 || row.Cost < 0 {
		return "", invalid("amount", "is negative")
	}
	deal, err := t.named("deals", "deal", row.Deal)
	if err != nil {
		return "", err
	}
	document, err := t.named("documents", "document", row.Document)
	if err != nil {
		return "", err
	}
	l := Line{ExternalID: row.ID, DealID: deal, DocumentID: document, Item: strings.TrimSpace(clean(row.Item)), Article: clip(clean(row.Article), 200),
		Quantity: clip(clean(row.Quantity), 40), Unit: clip(clean(row.Unit), 40), Price: row.Price, Amount: row.Amount, Cost: row.Cost}
	found, err := t.lines("external_id = $1", row.ID)
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		if l.ID = found[0].ID; l == found[0] {
			return RowUnchanged, nil
		}
	}
	if deal != 0 {
		t.changedDeal(deal)
	}
	args := []any{l.ExternalID, ref(l.DealID), ref(l.DocumentID), l.Item, l.Article, l.Quantity, l.Unit, l.Price, l.Amount, l.Cost}
	belongs := func(l Line) {
		if l.DealID != 0 {
			im.addUp(AboutDeal, l.DealID)
		} else {
			im.addUp(AboutDocument, l.DocumentID)
		}
	}
	if len(found) == 0 {
		belongs(l)
		_, err := t.exec(`INSERT INTO lines (external_id, deal_id, document_id, item, article, quantity, unit, price, amount, cost) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, args...)
		return RowNew, err
	}
	belongs(found[0])
	belongs(l)
	_, err = t.exec(`UPDATE lines SET external_id = $1, deal_id = $2, document_id = $3, item = $4, article = $5, quantity = $6, unit = $7, price = $8, amount = $9, cost = $10 WHERE id = $11`, append(args, l.ID)...)
	return RowChanged, err
}

// Document makes or changes a document by ID, its settlement, and the events
// of its deal that it fills.
func (im *Import) Document(row DocumentRow) (RowChange, error) {
	row.ID = strings.TrimSpace(clean(row.ID))
	return im.keep(AboutDocument, row.ID, row, func() (RowChange, error) { return im.document(row) })
}

func (im *Import) document(row DocumentRow) (RowChange, error) {
	t := im.t
	if err := firstFault(required("id", row.ID, 200), required("date", string(row.Date), 10)); err != nil {
		return "", err
	}
	switch row.Kind {
	case InvoiceDoc, ShipmentDoc, PaymentDoc, ReturnDoc:
	default:
		return "", invalid("kind", "%q is none of invoice, shipment, payment, return", clip(string(row.Kind), 40))
	}
	if row.Amount.Minor < 0 {
		return "", invalid("amount", "is negative")
	}
	if row.Cost != nil && row.Cost.Minor < 0 {
		return "", invalid("cost", "is negative")
	}
	if row.Tax != nil && (row.Tax.Minor < 0 || row.Tax.Minor > row.Amount.Minor) {
		return "", invalid("tax", "is not between nothing and the sum that contains it")
	}
	deal, err := t.referred("deals", "deal", Ref{row.DealID, row.Deal})
	if err != nil {
		return "", err
	}
	client, err := t.referred("clients", "client", Ref{row.ClientID, row.Client})
	if err != nil {
		return "", err
	}
	d := Document{ExternalID: row.ID, Kind: row.Kind, Number: clip(clean(row.Number), 200), Date: row.Date, DealID: deal, ClientID: client,
		Amount: Money{row.Amount.Minor, row.Amount.Currency}}
	foreign := false // its sum must be converted to count for the deal
	if deal != 0 {
		of, err := t.deal(deal)
		if err != nil {
			return "", err
		}
		if client != 0 && client != of.ClientID {
			return "", invalid("client", "is not the client of the deal %q", clip(row.Deal, 80))
		}
		d.ClientID = of.ClientID
		d.Amount.Currency = cmp.Or(d.Amount.Currency, of.Amount.Currency)
		if foreign = d.Amount.Currency != of.Amount.Currency; foreign {
			if _, err := t.convert(d.Amount, of.Amount.Currency, d.Date); err != nil {
				return "", err
			}
		}
	}
	if d.ClientID == 0 {
		return "", invalid("client", "is missing, and so is the deal")
	}
	d.Amount.Currency = cmp.Or(d.Amount.Currency, t.s.opt.Currency)
	var cost, tax any
	if row.Cost != nil {
		d.Cost, d.CostKnown = row.Cost.Minor, true
		cost = d.Cost
	}
	if row.Tax != nil {
		d.Tax, d.TaxKnown = row.Tax.Minor, true
		tax = d.Tax
	}
	found, err := t.documents("external_id = $1", row.ID)
	if err != nil {
		return "", err
	}
	change := RowNew
	args := []any{d.ExternalID, string(d.Kind), d.Number, string(d.Date), ref(d.DealID), d.ClientID, d.Amount.Minor, d.Amount.Currency, cost, tax, foreign, t.now.Unix()}
	touched := []int64{d.DealID}
	if len(found) == 0 {
		err = t.row(`INSERT INTO documents (external_id, kind, number, date, deal_id, client_id, amount, currency, cost, tax, foreign_sum, changed)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING id`, args, &d.ID)
	} else {
		old := found[0]
		if d.ID = old.ID; d == old {
			return RowUnchanged, nil
		}
		change = RowChanged
		if old.DealID != d.DealID {
			touched = append(touched, old.DealID)
		}
		t.touchCards(old.ClientID)
		_, err = t.exec(`UPDATE documents SET external_id = $1, kind = $2, number = $3, date = $4, deal_id = $5, client_id = $6, amount = $7, currency = $8, cost = $9,
			tax = $10, foreign_sum = $11, changed = $12, version = version + 1 WHERE id = $13`, append(args, d.ID)...)
		im.addUp(AboutDocument, d.ID)
	}
	if err != nil {
		return "", err
	}
	if err := t.settleDocument(d); err != nil {
		return "", err
	}
	for _, id := range touched {
		if id != 0 {
			if err := t.cover(id); err != nil {
				return "", err
			}
		}
	}
	if change == RowNew {
		err = im.arrived(AboutDocument, row.ID)
	}
	return im.done(change, err)
}

// settleDocument writes the document's movement of debt; an invoice moves
// none.
func (t *tx) settleDocument(d Document) error {
	if _, err := t.exec(`DELETE FROM settlements WHERE document_id = $1`, d.ID); err != nil || d.Kind == InvoiceDoc {
		return err
	}
	t.touchCards(d.ClientID)
	_, err := t.exec(`INSERT INTO settlements (document_id, client_id, deal_id, date, amount, currency) VALUES ($1, $2, $3, $4, $5, $6)`,
		d.ID, d.ClientID, ref(d.DealID), string(d.Date), d.Movement().Minor, d.Amount.Currency)
	return err
}
