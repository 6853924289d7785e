package web

import "intouch/store"

// apiClient is a client as answers give it.
type apiClient struct {
	ID         int64             `json:"id"`
	ExternalID *string           `json:"external_id"`
	Name       string            `json:"name"`
	Importance store.Importance  `json:"importance"`
	ABC        *string           `json:"abc"`
	Stage      *string           `json:"stage"`
	XYZ        *string           `json:"xyz"`
	Manager    *string           `json:"manager"`
	Source     *string           `json:"source"`
	Domains    []string          `json:"domains"`
	Emails     []string          `json:"emails"`
	Phones     []string          `json:"phones"`
	Attributes map[string]string `json:"attributes"`
	Created    *instant          `json:"created"`
	Changed    *instant          `json:"changed"`
	Version    int64             `json:"version"`
}

// clientBody is what a request says of a client.
type clientBody struct {
	ExternalID field[string]                   `json:"external_id"`
	Name       field[string]                   `json:"name"`
	Importance field[string]                   `json:"importance"`
	Stage      field[string]                   `json:"stage"`
	Manager    field[string]                   `json:"manager"`
	Source     field[string]                   `json:"source"`
	Domains    field[[]string]                 `json:"domains"`
	Emails     field[[]string]                 `json:"emails"`
	Phones     field[[]string]                 `json:"phones"`
	Attributes field[map[string]field[string]] `json:"attributes"`

	ID      readOnly `json:"id"`
	ABC     readOnly `json:"abc"`
	XYZ     readOnly `json:"xyz"`
	Created readOnly `json:"created"`
	Changed readOnly `json:"changed"`
	Version readOnly `json:"version"`
}

var clientKind = records[store.FullClient, clientBody]{
	name:    "clients",
	filters: []string{"external_id", "manager", "importance", "stage", "email", "domain"},
	list:    (*store.Store).FullClients,
	one:     (*store.Import).FullClient,
	given:   func(b *clientBody) *field[string] { return &b.ExternalID },
	key: func(r *store.FullClient) (store.Ref, int64) {
		return store.Ref{ID: r.ID, ExternalID: r.ExternalID}, r.Version
	},
	show: func(r *store.FullClient) any {
		return &apiClient{r.ID, maybe(r.ExternalID), r.Name, r.Importance, maybe(r.ABC), maybe(r.Stage), maybe(r.XYZ), maybe(r.Manager), maybe(r.Source),
			r.Domains, r.Emails, r.Phones, r.Attributes, when(r.Created), when(r.Changed), r.Version}
	},
	save: saveClient,
}

func saveClient(im *store.Import, key string, old *store.FullClient, b *clientBody) (store.RowChange, int64, error) {
	row := store.ClientRow{ID: key, Name: b.Name.v, Importance: b.Importance.v, Stage: b.Stage.v, Manager: b.Manager.v, Source: b.Source.v,
		Domains: list(b.Domains), Emails: list(b.Emails), Phones: list(b.Phones),
		Clear: cleared(map[string]bool{"stage": b.Stage.null, "manager": b.Manager.null, "source": b.Source.null})}
	for _, phone := range row.Phones {
		if err := fits("phones", phone, 60); err != nil {
			return "", 0, err
		}
	}
	id := int64(0)
	if old != nil {
		id, row.Name = old.ID, or(b.Name, old.Name)
	}
	if b.Importance.null {
		return "", 0, fieldFault("/importance", "cannot be empty")
	}
	if b.Attributes.said {
		row.Attributes = map[string]string{}
		if b.Attributes.null && old != nil {
			for name := range old.Attributes {
				row.Attributes[name] = ""
			}
		}
		for name, v := range b.Attributes.v {
			row.Attributes[name] = v.v // null and "" take it away
		}
	}
	return im.SaveClient(id, row)
}
