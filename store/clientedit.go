package store

import (
	"slices"
	"strings"
)

// Bounds of what a person types of a client or a person.
const (
	maxAttributes = 100
	maxPoints     = 200 // addresses, phones or domains
)

// ClientEdit is a client as a person typed it: all of it, so that what is
// empty is emptied.
type ClientEdit struct {
	Name       string
	Importance Importance
	Stage      string // given, see Client.StageGiven; "" none
	ManagerID  int64  // responsible; only a head gives a client to another
	SourceID   int64  // lead source; 0 unknown
	Domains    []string
	Emails     []string
	Phones     []string
	Attributes map[string]string
}

// Edit is the client as an edit that changes nothing.
func (c *Client) Edit() ClientEdit {
	return ClientEdit{Name: c.Name, Importance: c.Importance, Stage: c.givenStage, ManagerID: c.ManagerID, SourceID: c.SourceID,
		Domains: c.Domains, Emails: c.Emails, Phones: c.Phones, Attributes: c.Attributes}
}

// of is old as the edit says it. *Invalid names the field.
func (e *ClientEdit) of(old *Client) (c Client, err error) {
	c = *old
	c.Name = strings.TrimSpace(clean(e.Name))
	if err := firstFault(required("name", c.Name, 500), few("domains", e.Domains), few("emails", e.Emails), few("phones", e.Phones)); err != nil {
		return c, err
	}
	if c.Importance = e.Importance; c.Importance != High && c.Importance != Normal && c.Importance != Low {
		return c, invalid("importance", "%q is none of high, normal, low", clip(string(e.Importance), 40))
	}
	if e.Stage != "" && !slices.Contains(stageScale, e.Stage) {
		return c, invalid("stage", "%q is none of potential, one-off, regular, lost", clip(e.Stage, 40))
	}
	c.giveStage(e.Stage)
	c.ManagerID, c.SourceID = e.ManagerID, e.SourceID
	if c.Domains, err = domains(e.Domains); err != nil {
		return c, err
	}
	if c.Emails, err = addresses("emails", append([]string{}, e.Emails...)); err != nil {
		return c, err
	}
	c.Phones = tidy(append([]string{}, e.Phones...), 60)
	c.Attributes = map[string]string{}
	for name, value := range e.Attributes {
		name, value = strings.TrimSpace(clean(name)), strings.TrimSpace(clean(value))
		if name == "" || len(name) > 200 || len(value) > 10_000 || len(c.Attributes) == maxAttributes {
			return c, invalid("attributes", "more than %d, without a name, or longer than 10000 bytes", maxAttributes)
		}
		if value != "" {
			c.Attributes[name] = value
		}
	}
	return c, nil
}

// few bounds a list that a person typed.
func few(field string, list []string) error {
	if len(list) > maxPoints {
		return invalid(field, "more than %d", maxPoints)
	}
	return nil
}

// PersonEdit is a person as somebody typed it, or a program of theirs: all of
// it, so that what is empty is emptied.
type PersonEdit struct {
	Name     string
	Position string
	Emails   []string
	Phones   []string
	Birthday Date // "" unknown
}

// Edit is the person as an edit that changes nothing.
func (p *Person) Edit() PersonEdit {
	return PersonEdit{p.Name, p.Position, p.Emails, p.Phones, p.Birthday}
}

// of is old as the edit says it. *Invalid names the field.
func (e *PersonEdit) of(old *Person) (Person, error) {
	p := *old
	p.Name, p.Position, p.Birthday = PersonText(e.Name), PersonText(e.Position), e.Birthday
	if err := firstFault(required("name", p.Name, 500), few("emails", e.Emails), few("phones", e.Phones)); err != nil {
		return p, err
	}
	if e.Birthday != "" {
		if _, err := ParseDate(string(e.Birthday)); err != nil {
			return p, invalid("birthday", "%v", err)
		}
	}
	var err error
	if p.Emails, err = addresses("emails", append([]string{}, e.Emails...)); err != nil {
		return p, err
	}
	p.Phones = tidy(append([]string{}, e.Phones...), 60)
	return p, nil
}
