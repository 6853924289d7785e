package store

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Dropped is what a letter that a manager sent to the dropbox asks for, beside
// the letter that is captured.
type Dropped struct {
	// Key is the identity of the letter that the manager sent, MessageID as
	// in its header. They differ from the captured letter's where that is the
	// original of a forward.
	Key, MessageID string
	ManagerID      int64     // who sent it
	Sent           time.Time // when
	Words          []DropWord
	Note           string // what the manager wrote above a forward
	Subject        string // of the contacts that are planned
	// Approximate: the captured letter was read out of a forward's text,
	// without its Message-ID and with its date to the minute. It is the same
	// as one of that client, subject and direction at that time.
	Approximate bool
	// Clients of the thread, where the letter itself names none.
	Clients []int64
	// Party is who it is about where no client is known.
	Party string
}

// DropVerb is what a plus-word of a dropbox's address asks for.
type DropVerb string

const (
	DropPlan    DropVerb = "plan"   // crm+3d@, crm+tomorrow@
	DropDone    DropVerb = "done"   // crm+done@
	DropSource  DropVerb = "source" // crm+src-expo@
	DropCall    DropVerb = "call"   // crm+3d+call@: what is planned is a call
	DropUnknown DropVerb = ""
)

// DropWord is one plus-word.
type DropWord struct {
	Text string // as it stands in the address, lower case
	Verb DropVerb
	// Of DropPlan: a snooze word, or the step counted in days or months.
	Snooze       Snooze
	Days, Months int
	Source       string // of DropSource: an external id or a name, as SourceSlug gives it
}

// Bounds of a step: about three years.
const (
	maxDropDays   = 1100
	maxDropMonths = 36
	maxDropWord   = 60 // bytes
)

var dropStep = regexp.MustCompile(`^([1-9][0-9]{0,3})([dwm])$`)

// ParseDropWord reads one plus-word; a word that says nothing has the verb
// DropUnknown.
func ParseDropWord(text string) DropWord {
	w := DropWord{Text: clip(strings.ToLower(clean(text)), maxDropWord)}
	switch w.Text {
	case "done":
		w.Verb = DropDone
		return w
	case "call":
		w.Verb = DropCall
		return w
	case "tomorrow", "monday", "month":
		w.Verb, w.Snooze = DropPlan, Snooze(w.Text)
		return w
	}
	if source, ok := strings.CutPrefix(w.Text, "src-"); ok && SourceSlug(source) != "" {
		w.Verb, w.Source = DropSource, SourceSlug(source)
		return w
	}
	m := dropStep.FindStringSubmatch(w.Text)
	if m == nil {
		return w
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return w
	}
	switch m[2] {
	case "d":
		w.Days = n
	case "w":
		w.Days = 7 * n
	case "m":
		w.Months = n
	}
	if w.Days <= maxDropDays && w.Months <= maxDropMonths {
		w.Verb = DropPlan
	}
	return w
}

// Day is the day that a word of DropPlan names, as seen at a moment in loc.
func (w DropWord) Day(at time.Time, loc *time.Location) Date {
	if w.Snooze != "" {
		span, _ := Span{}.Snooze(w.Snooze, at, loc)
		return span.First
	}
	return Date(laterDay(at.In(loc), w.Months, w.Days).Format(dateLayout))
}

// SourceSlug is the form in which a lead source is named in an address: lower
// case, and "-" for each run of what is neither a letter nor a digit, so that
// "Expo 2026" is crm+src-expo-2026@.
func SourceSlug(s string) string {
	words := strings.FieldsFunc(fold(s), func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r > 127)
	})
	return strings.Join(words, "-")
}

// dropOrder is the order in which words act: what is open is completed before
// something new is planned.
var dropOrder = []DropVerb{DropSource, DropDone, DropPlan, DropCall, DropUnknown}

func sortDropWords(words []DropWord) []DropWord {
	words = slices.Clone(words)
	slices.SortStableFunc(words, func(a, b DropWord) int {
		return slices.Index(dropOrder, a.Verb) - slices.Index(dropOrder, b.Verb)
	})
	return words
}

// dropWordsAct is how old a letter may be for its words to be obeyed. Whoever
// connects a dropbox that has been in use does not mean to plan the past.
const dropWordsAct = 30 * 24 * time.Hour
