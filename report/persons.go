package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-vcard"

	"intouch/store"
)

// personsReport is rules.md section 6.8: any selection of persons.
var personsReport = report{
	name:      "persons",
	about:     "persons with their addresses, birthday and last contact; also as vCard and as CSV for mailing",
	groupings: []string{"client", "manager", "importance", "abc", "xyz", "stage", "source"},
	by:        []string{"client"},
	filters:   []string{"client", "person", "manager", "importance", "abc", "xyz", "stage", "source", "attribute", "text", "before", "since", "birthday", "born"},
	build:     (*run).persons,
}

func (r *run) persons() (*Table, error) {
	f := &r.filter
	q := store.PersonSelection{Viewer: r.Viewer, At: r.Now, Managers: f.managers, Clients: f.clients, Persons: f.persons, Sources: f.sources,
		Importances: f.importances, Classes: f.classes, XYZ: f.xyz, Stages: f.stages, Attributes: f.attributes, Text: f.text, Birthday: f.birthday, Born: f.born}
	if f.before != "" {
		q.Before = f.before.In(r.loc)
	}
	if f.since != "" {
		q.Since = f.since.In(r.loc)
	}
	t := &Table{Columns: []Column{r.column("persons", Count), r.column("client", Text), r.column("position", Text), r.column("emails", Text), r.column("phones", Text),
		r.column("birthday", Day), r.column("last", Moment), r.column("manager", Text)}}
	// On a page the last contacts are read of those persons alone whom it shows:
	// until then each has the own number there, which is never added up.
	const last = 6
	q.NoLast = 0 < r.Most && r.Most <= maxRowsAtOnce && q.Before.IsZero() && q.Since.IsZero()
	all := r.listing(t)
	err := r.st.PersonLines(r.ctx, q, func(l store.PersonLine) error {
		p := &l.Person
		path := r.grouping(func(by string) store.GroupKey {
			switch by {
			case "client":
				return store.GroupKey{ID: p.ClientID, Text: l.Client}
			case "manager":
				return l.Manager
			case "source":
				return l.Source
			case "importance":
				return store.GroupKey{Text: string(l.Importance)}
			case "abc":
				return store.GroupKey{Text: l.Class}
			case "xyz":
				return store.GroupKey{Text: l.XYZ}
			}
			return store.GroupKey{Text: l.Stage}
		})
		emails := slices.Clone(p.Emails)
		for i, address := range emails {
			if slices.Contains(p.Bounced, address) {
				emails[i] = r.t("bounced", address)
			}
		}
		lastContact := moment(l.Last)
		if q.NoLast {
			lastContact = Value{N: p.ID}
		}
		all.add(&record{path: path, own: recordStep(p.ID, p.Name, ""), url: fmt.Sprintf("/clients/%d", p.ClientID), values: []Value{
			count(1), text(l.Client), text(p.Position), inLines(emails), inLines(p.Phones), day(p.Birthday), lastContact, text(l.Manager.Text)}})
		if r.People {
			t.People = append(t.People, l)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := all.rows("person"); err != nil || !q.NoLast {
		return t, err
	}
	var shown []int64
	for i := range t.Rows {
		if t.Rows[i].Leaf {
			shown = append(shown, t.Rows[i].Values[last].N)
		}
	}
	at, err := r.st.LastContacts(r.ctx, shown)
	if err != nil {
		return nil, err
	}
	for i := range t.Rows {
		if t.Rows[i].Leaf {
			t.Rows[i].Values[last] = moment(at[t.Rows[i].Values[last].N])
		}
	}
	return t, nil
}

// moment is a point in time; zero: there was none.
func moment(at time.Time) Value {
	if at.IsZero() {
		return none()
	}
	return Value{N: at.Unix()}
}

// WriteVCard writes the persons of the report persons as vCard 4.0 (RFC 6350).
// Run must have been asked for the People. *Invalid: the report has no persons.
func (t *Table) WriteVCard(w io.Writer) error {
	if t.Name != personsReport.name {
		return invalid("only the report %s is written as vCard", personsReport.name)
	}
	out := vcard.NewEncoder(w)
	for i := range t.People {
		p := &t.People[i].Person
		card := vcard.Card{}
		card.SetValue(vcard.FieldVersion, "4.0")
		card.SetValue(vcard.FieldFormattedName, cmp.Or(p.Name, t.People[i].Client))
		card.SetValue(vcard.FieldOrganization, t.People[i].Client)
		for field, value := range map[string]string{vcard.FieldTitle: p.Position, vcard.FieldBirthday: strings.ReplaceAll(string(p.Birthday), "-", "")} {
			if value != "" {
				card.SetValue(field, value)
			}
		}
		for _, address := range p.Emails {
			card.AddValue(vcard.FieldEmail, address)
		}
		for _, phone := range p.Phones {
			card.AddValue(vcard.FieldTelephone, phone)
		}
		if err := out.Encode(card); err != nil {
			return err
		}
	}
	return nil
}
