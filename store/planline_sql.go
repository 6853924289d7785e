package store

import (
	"context"
	"slices"
	"strings"
	"time"
)

// alikeOffered is how many clients a line may be about.
const alikeOffered = 8

// PlanReading is what a line was understood as.
type PlanReading struct {
	Draft ContactDraft // its subject is never empty
	// Clients that it may be about, when it is not plain which one; the draft
	// has none then.
	Clients []Client
	// Unsure: no day was said, more than one, or one that has passed.
	Unsure bool
}

// ReadPlan reads a planned contact of one line for a manager, in the manager's
// zone and both languages; nothing is written. client is who it is about, 0 the
// one that the line names. Invalid for an empty line or one above 500 bytes.
func (s *Store) ReadPlan(ctx context.Context, viewer Manager, text string, client int64) (p PlanReading, err error) {
	text = strings.TrimSpace(clean(text))
	switch {
	case text == "":
		return p, invalid("line", "is empty")
	case len(text) > maxPlanLine:
		return p, invalid("line", "is longer than %d bytes", maxPlanLine)
	}
	line := readPlanLine(text, s.Now(), viewer.Location())
	d := ContactDraft{Direction: Out, State: Planned, When: line.when, ClientID: client}
	if line.high {
		d.Importance = High
	}
	if d.When.AllDay {
		d.Minutes = int(line.length.Minutes())
	}
	words := line.words
	err = s.read(ctx, func(t *tx) error {
		ids := []int64{client}
		if client == 0 {
			if ids, err = t.planClients(viewer, strings.Join(words, " ")); err != nil {
				return err
			}
		}
		if len(ids) == 1 {
			c, err := t.client(ids[0])
			if err != nil {
				return err
			}
			if err := t.seesClient(viewer, c); err != nil {
				return err
			}
			d.ClientID = c.ID
			words = without(words, coreName(c.Name))
			return nil
		}
		if len(ids) == 0 {
			if ids, err = t.alikeClients(viewer, words); err != nil {
				return err
			}
		}
		for _, id := range ids[:min(len(ids), alikeOffered)] {
			c, err := t.client(id)
			if err != nil {
				return err
			}
			p.Clients = append(p.Clients, c)
		}
		return nil
	})
	kind := KindIn(strings.Join(words, " "))
	d.Kind, d.Subject = kind, planSubject(words, kind)
	if kind == "" {
		d.Kind = Other
	}
	if d.Subject == "" {
		d.Subject = Word(viewer.Language, "kind."+string(d.Kind))
	}
	p.Draft, p.Unsure = d, line.unsure
	return p, err
}

// planClients are the clients named in a line, as far as the viewer may know
// them.
func (t *tx) planClients(viewer Manager, text string) ([]int64, error) {
	ids, err := t.clientsNamed(text)
	return slices.DeleteFunc(ids, func(id int64) bool {
		c, e := t.client(id)
		return e != nil || t.seesClient(viewer, c) != nil
	}), err
}

// alikeClients are clients whose name is nearly a word of a line: in another
// case, or with more words.
func (t *tx) alikeClients(viewer Manager, words []string) (ids []int64, err error) {
	looked := 0
	for _, w := range coreWords(strings.Join(words, " ")) {
		stem := alikeStem(w)
		if stem == "" || KindIn(w) != "" || looked == 6 {
			continue
		}
		looked++
		found, err := t.selected(viewer, Selection{Name: stem}, time.UTC, 0, 50)
		if err != nil {
			return nil, err
		}
		for _, id := range found {
			c, err := t.client(id)
			if err != nil {
				return nil, err
			}
			if alikeName(coreName(c.Name), w) && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids, nil
}
