package web

import "intouch/store"

// apiPerson is a person as answers give it.
type apiPerson struct {
	ID         int64       `json:"id"`
	ExternalID *string     `json:"external_id"`
	Client     *recordRef  `json:"client"`
	Name       string      `json:"name"`
	Position   string      `json:"position"`
	Birthday   *store.Date `json:"birthday"`
	Emails     []string    `json:"emails"`
	Phones     []string    `json:"phones"`
	Bounced    []string    `json:"bounced"`
	Away       *store.Date `json:"away"`
	Changed    *instant    `json:"changed"`
	Version    int64       `json:"version"`
}

// personBody is what a request says of a person.
type personBody struct {
	ExternalID field[string]    `json:"external_id"`
	Client     field[recordRef] `json:"client"`
	Name       field[string]    `json:"name"`
	Position   field[string]    `json:"position"`
	Birthday   field[isoDay]    `json:"birthday"`
	Emails     field[[]string]  `json:"emails"`
	Phones     field[[]string]  `json:"phones"`

	ID      readOnly `json:"id"`
	Bounced readOnly `json:"bounced"`
	Away    readOnly `json:"away"`
	Changed readOnly `json:"changed"`
	Version readOnly `json:"version"`
}

var personKind = records[store.FullPerson, personBody]{
	name:    "persons",
	filters: []string{"external_id", "client", "client_id", "email"},
	list:    (*store.Store).FullPersons,
	one:     (*store.Import).FullPerson,
	given:   func(b *personBody) *field[string] { return &b.ExternalID },
	key: func(r *store.FullPerson) (store.Ref, int64) {
		return store.Ref{ID: r.ID, ExternalID: r.ExternalID}, r.Version
	},
	show: func(r *store.FullPerson) any {
		return &apiPerson{r.ID, maybe(r.ExternalID), refTo(r.Client), r.Name, r.Position, maybe(r.Birthday), r.Emails, r.Phones, r.Bounced, maybe(r.Away),
			when(r.Changed), r.Version}
	},
	save: savePerson,
}

func savePerson(im *store.Import, key string, old *store.FullPerson, b *personBody) (store.RowChange, int64, error) {
	client := b.Client.v.ref()
	row := store.PersonRow{ID: key, Client: client.ExternalID, ClientID: client.ID, Name: b.Name.v, Position: b.Position.v, Birthday: store.Date(b.Birthday.v),
		Emails: list(b.Emails), Phones: list(b.Phones),
		Clear: cleared(map[string]bool{"position": b.Position.said && b.Position.v == "", "birthday": b.Birthday.null})}
	if err := fits("position", row.Position, 500); err != nil {
		return "", 0, err
	}
	for _, phone := range row.Phones {
		if err := fits("phones", phone, 60); err != nil {
			return "", 0, err
		}
	}
	id := int64(0)
	if old != nil {
		id, row.Name = old.ID, or(b.Name, old.Name)
		if !b.Client.said {
			row.ClientID = old.ClientID
		}
	}
	return im.SavePerson(id, row)
}
