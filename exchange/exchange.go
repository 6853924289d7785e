// Package exchange is in charge of records that come from other systems and
// go to them: managers, clients, persons, sources, deals, events, lines,
// documents, contacts and rates as CSV or JSONL, in the encodings and spellings in which offices
// write them. Files are streamed: memory does not grow with their length. What
// a row means, and whether it may be written, is the store's business; this
// package reads, names the faults, and writes.
package exchange

import (
	"fmt"
	"slices"
	"strings"
)

// Kind is a kind of record that a file holds, one a file (design.md section 3).
type Kind string

const (
	Managers  Kind = "managers"
	Clients   Kind = "clients"
	Persons   Kind = "persons"
	Sources   Kind = "sources"
	Deals     Kind = "deals"
	Events    Kind = "events"
	Lines     Kind = "lines"
	Documents Kind = "documents"
	Rates     Kind = "rates"
	Contacts  Kind = "contacts"
	Letters   Kind = "letters"   // export only
	Questions Kind = "questions" // export only
)

// ImportKinds are the kinds that Import takes, in the order in which a whole
// company is brought in: each refers only to kinds before it.
var ImportKinds = []Kind{Managers, Rates, Sources, Clients, Persons, Deals, Events, Documents, Lines, Contacts}

// ExportKinds are the kinds that Export gives.
var ExportKinds = []Kind{Contacts, Letters, Clients, Persons, Sources, Deals, Events, Lines, Documents, Managers, Rates, Questions}

// Format of an exported file.
type Format string

const (
	JSONL Format = "jsonl" // one object a line
	CSV   Format = "csv"   // a header line, then one row a record
)

// Formats are what Export writes.
var Formats = []Format{JSONL, CSV}

// KnownKind reports an error that lists the kinds when kind is not among them.
func KnownKind(kind Kind, among []Kind) error {
	if slices.Contains(among, kind) {
		return nil
	}
	return fmt.Errorf("unknown kind %q: it is one of %s", kind, Names(among))
}

// Names joins kinds or formats for help and errors.
func Names[T ~string](all []T) string {
	names := make([]string, len(all))
	for i, one := range all {
		names[i] = string(one)
	}
	return strings.Join(names, ", ")
}
