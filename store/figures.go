package store

import (
	"fmt"
	"strings"
	"time"
)

// Figures are what reports are made of: numbers and sums of records, grouped
// by the database.

// Grouping is something that contacts are grouped by (rules.md section 6.4).
type Grouping string

const (
	ByClient     Grouping = "client"
	ByImportance Grouping = "importance"
	ByState      Grouping = "state"
	ByKind       Grouping = "kind"
	ByDirection  Grouping = "direction"
	ByPerson     Grouping = "person"  // of several the one that was registered first
	ByManager    Grouping = "manager" // the responsible one
	BySource     Grouping = "source"  // the contact's, else the client's
	ByDay        Grouping = "day"
)

// ContactSelection selects contacts for a report. Empty lists and zero values
// select all.
type ContactSelection struct {
	Viewer   Manager   // a manager sees the own ones, a head all
	From, To time.Time // by start, To excluded
	Managers []int64   // responsible
	Clients  []int64   // 0: without a client
	// Unregistered are the free texts of contacts without a client; "" has none.
	Unregistered []string
	Persons      []int64 // who took part; 0: nobody
	Counted      []int64 // the person at whom ByPerson counts it
	Sources      []int64 // 0: without one
	Deals        []int64
	Kinds        []Kind
	Directions   []Direction
	States       []State // empty: all but cancelled
	Importances  []Importance
}

// ContactGroup is one group of contacts with its figures.
type ContactGroup struct {
	Keys     []GroupKey // one for each Grouping
	Contacts int64
	Minutes  int64 // time spent on those that are done
	// Estimated is how many of the minutes are an estimate (rules.md section 2).
	Estimated int64
}

// GroupKey names a group: a record by its ID and name, a word by its text. Of
// days Text is the ISO day. Both empty: what has none.
type GroupKey struct {
	ID   int64
	Text string
}

// localDay is an SQL expression of the day, counted from 1970-01-01, on which
// the moments between from and to that column holds fall in loc. The zone's
// changes between them are in it, since the database knows none.
func localDay(column string, loc *time.Location, from, to time.Time) string {
	var b strings.Builder
	at := from
	for range maxZoneChanges {
		_, offset := at.In(loc).Zone()
		_, end := at.In(loc).ZoneBounds()
		if end.IsZero() || !end.Before(to) {
			fmt.Fprintf(&b, "(%s + %d) / 86400", column, offset)
			break
		}
		fmt.Fprintf(&b, "CASE WHEN %s < %d THEN (%s + %d) / 86400 ELSE ", column, end.Unix(), column, offset)
		at = end
	}
	text := b.String()
	return "(" + text + strings.Repeat(" END", strings.Count(text, "CASE")) + ")"
}

// maxZoneChanges bounds the CASE of localDay: a century of summer times.
const maxZoneChanges = 200

// dayFrom1970 is the day of a number as localDay gives it.
func dayFrom1970(n int64) Date { return DateOf(time.Unix(n*86400, 0), time.UTC) }

// asTexts gives words as plain strings.
func asTexts[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = string(v)
	}
	return out
}
