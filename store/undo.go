package store

import (
	"context"
	"time"
)

// Undo is what one decision about a contact or a deal's event replaced: enough
// to bring it back exactly, and no more than what buttons change.
type Undo struct {
	Item    ItemKey
	Version int64 // that the decision made; with another one somebody changed it since

	State      State
	Completed  time.Time  `json:",omitzero"`
	PostponedT time.Time  `json:",omitzero"`
	Importance Importance `json:",omitempty"` // of a contact, as the rest below
	When       Span       `json:",omitzero"`
	Minutes    int        `json:",omitempty"`
	Estimated  bool       `json:",omitempty"`
	Expected   Date       `json:",omitempty"` // of an event
	ExpectSet  time.Time  `json:",omitzero"`
}

// UndoContact is what a decision about c replaces that made this version of it.
func UndoContact(c *Contact, version int64) Undo {
	return Undo{Item: ItemKey{ID: c.ID}, Version: version, State: c.State, Completed: c.Completed, PostponedT: c.PostponedT,
		Importance: c.Importance, When: c.When, Minutes: c.Minutes, Estimated: c.Estimated}
}

// UndoEvent is what a decision about e replaces that made this version of it.
func UndoEvent(e *DealEvent, version int64) Undo {
	return Undo{Item: ItemKey{Event: true, ID: e.ID}, Version: version, State: e.State, Completed: e.Completed, PostponedT: e.PostponedT,
		Expected: e.Expected, ExpectSet: e.ExpectSet}
}

// Undo brings back what it was. ErrStale when anybody changed it since,
// ErrNotFound when the actor may not know of it.
func (s *Store) Undo(ctx context.Context, actor Actor, u Undo) error {
	if u.Item.Event {
		_, err := s.EditEvent(ctx, actor, u.Item.ID, u.Version, EventEdit{State: &u.State, back: &u})
		return err
	}
	_, err := s.EditContact(ctx, actor, u.Item.ID, u.Version,
		ContactEdit{State: &u.State, Importance: &u.Importance, When: &u.When, Minutes: &u.Minutes, back: &u})
	return err
}
