package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// What still names a client that was merged finds the one that stayed.

// survivor is who has what the client had; the same where it is not merged.
func (t *tx) survivor(id int64) (int64, error) {
	err := t.row(`SELECT client_id FROM merged_clients WHERE gone_id = $1`, []any{id}, &id)
	return id, ignoreNotFound(err)
}

// holdClient keeps a client from being merged until what refers to it is
// written; where it just was, id becomes who has stayed. On PostgreSQL each
// statement sees its own moment: a merge that is undone between the two shows the
// client in neither, so both are asked once more.
func (t *tx) holdClient(id *int64) error {
	if *id == 0 {
		return nil
	}
	into := *id
	for looks := 0; into == *id; looks++ {
		err := t.row(`SELECT id FROM clients WHERE id = $1`+t.s.dialect.hold(), []any{*id}, id)
		if !errors.Is(err, ErrNotFound) {
			return err
		}
		if into, err = t.survivor(*id); err != nil {
			return err
		}
		if into == *id && looks > 0 {
			return fmt.Errorf("client %d: %w", *id, ErrNotFound)
		}
	}
	*id = into
	return t.holdClient(id)
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
