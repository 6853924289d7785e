package store

import (
	"maps"
	"slices"
	"time"
)

// Merging makes one client of two, or of a client and what stands in contacts
// as free text (registering). The one that is merged is gone from lists,
// calendars and exports; its number and its key lead to the one that stays.
// What a merge did is written down row by row, so that it can be undone: what
// moved goes back, what came since stays with the client that stayed.

// MergeKind is what became a client's.
type MergeKind string

const (
	MergedClient   MergeKind = "client" // another client
	RegisteredText MergeKind = "text"   // contacts with free text
)

// Merge is one merging or registering, and what it moved.
type Merge struct {
	ID       int64
	At       time.Time
	Kind     MergeKind
	ClientID int64  // who stays
	Client   string // its name now, "" where it was removed again
	Gone     string // name of the merged client, or the free text
	GoneID   int64
	GoneKey  string // external id
	By       int64  // manager, 0: the program or the command line
	Undone   time.Time

	// What moves, or moved.
	Persons, Contacts, Deals, Documents int64
	Doubles                             int64 // letters and meetings that both had
	Made                                bool  // registering made the client
	Conflicts                           []Conflict
	// Balance is what the client that stays owes afterwards; only of a merge
	// that is yet to be done.
	Balance []Money
}

// Conflict is a field in which both clients said something; Kept stays.
type Conflict struct {
	Field string // name, importance, manager, source, stage, or an attribute's name
	Gone  string
	Kept  string
}

// Unmerged is what undoing brought about.
type Unmerged struct {
	Merge Merge
	// Stays: the client that registering had made has got more since, and is
	// still there.
	Stays bool
}

// Registration says whose the contacts become.
type Registration struct {
	ClientID int64  // 0: a new client
	Name     string // of the new client; the free text when empty
	Key      string // external id of the new client; may be empty
	Alike    bool   // also the other contacts with the same free text
	// Address is an e-mail address, or Domain a domain, that is the client's
	// from now on: past letters of it are fetched.
	Address, Domain string
}

// RegistrationOffer is what can be said of a contact that is to be registered.
type RegistrationOffer struct {
	Text      string
	Alike     []Contact // others with the same free text, newest first
	Addresses []string  // of the letter, which nobody has
	Clients   []Client  // whose name is the text, but for legal form and quotes
}

// mergeDid is what the client that stays got, in merges.did.
type mergeDid struct {
	Key       string // of the client that is gone
	Counts    mergeCounts
	Conflicts []Conflict        `json:",omitempty"`
	Took      map[string]string `json:",omitempty"` // field → value that it lacked
	Attrs     map[string]string `json:",omitempty"` // attributes that it lacked
	Stage     string            `json:",omitempty"` // as it was shown before
	Points    []mergedPoint     `json:",omitempty"`
	Made      bool              `json:",omitempty"`
}

type mergeCounts struct{ Persons, Contacts, Deals, Documents, Doubles int64 }

type mergedPoint struct{ Kind, Value string }

// unite works out what the client that stays takes of the one that is gone:
// what it lacks. Where both say something else, its own stays.
func unite(kept, gone *Client, named func(field string, id int64) string) mergeDid {
	did := mergeDid{Key: gone.ExternalID, Stage: kept.Stage, Took: map[string]string{}, Attrs: map[string]string{}}
	field := func(name, have, other, says, otherSays string) {
		switch {
		case other == "" || other == have:
		case have == "":
			did.Took[name] = other
		default:
			did.Conflicts = append(did.Conflicts, Conflict{name, clip(otherSays, 500), clip(says, 500)})
		}
	}
	field("name", kept.Name, gone.Name, kept.Name, gone.Name)
	field("importance", string(kept.Importance), string(gone.Importance), string(kept.Importance), string(gone.Importance))
	field("manager", idText(kept.ManagerID), idText(gone.ManagerID), named("manager", kept.ManagerID), named("manager", gone.ManagerID))
	field("source", idText(kept.SourceID), idText(gone.SourceID), named("source", kept.SourceID), named("source", gone.SourceID))
	field("stage", kept.givenStage, gone.givenStage, kept.givenStage, gone.givenStage)
	if kept.ExternalID == "" && gone.ExternalID != "" {
		did.Took["key"] = gone.ExternalID
	}
	for _, k := range slices.Sorted(maps.Keys(gone.Attributes)) {
		have, there := kept.Attributes[k]
		switch v := gone.Attributes[k]; {
		case !there:
			did.Attrs[k] = v
		case have != v:
			did.Conflicts = append(did.Conflicts, Conflict{k, clip(v, 500), clip(have, 500)})
		}
	}
	for _, p := range []struct {
		kind       string
		have, more []string
	}{{"domain", kept.Domains, gone.Domains}, {"email", kept.Emails, gone.Emails}, {"phone", kept.Phones, gone.Phones}} {
		for _, v := range p.more {
			if !slices.Contains(p.have, v) {
				did.Points = append(did.Points, mergedPoint{p.kind, v})
			}
		}
	}
	return did
}
