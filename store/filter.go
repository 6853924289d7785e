package store

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// Filter selects items: what is empty does not restrict. A calendar is a
// saved Filter (design.md).
type Filter struct {
	Managers    []int64      `json:"managers,omitempty"`
	Statuses    []Status     `json:"statuses,omitempty"`
	Types       []ItemType   `json:"types,omitempty"`
	Kinds       []Kind       `json:"kinds,omitempty"` // of contacts; events pass
	Importances []Importance `json:"importances,omitempty"`
	Clients     []int64      `json:"clients,omitempty"`
	// Classes (ABC), Stages, Variations (XYZ) and Attributes are the client's;
	// what has no client does not pass where they are given. What is done is not
	// looked at again when only the client changes (touchClient).
	Classes    []string   `json:"classes,omitempty"`
	Stages     []string   `json:"stages,omitempty"`
	Variations []string   `json:"variations,omitempty"`
	Attributes Attributes `json:"attributes,omitempty"`
	// Words must all occur in the subject, the text that the owner may see or
	// the client's name, in any case.
	Words string `json:"words,omitempty"`
	// DoneDays hides what was done longer ago.
	DoneDays int `json:"done_days,omitempty"`
	// NoLetters hides captured letters, which would drown a calendar.
	NoLetters bool `json:"no_letters,omitempty"`
	// Labelled also shows what lies in the label calendars of the owner.
	Labelled bool `json:"labelled,omitempty"`
}

// Match reports whether the item, having that status at the moment at,
// passes the filter.
func (f *Filter) Match(it *Item, status Status, at time.Time) bool {
	if status == StatusCancelled || !among(f.Statuses, status) || !among(f.Types, it.Type) ||
		!among(f.Importances, it.Importance) || !among(f.Clients, it.ClientID) ||
		!among(f.Classes, it.Class) || !among(f.Stages, it.Stage) || !among(f.Variations, it.Variation) ||
		!f.Attributes.match(it.attributes) || !f.saysWords(it) {
		return false
	}
	if len(f.Managers) > 0 && !slices.ContainsFunc(it.Managers, func(m int64) bool { return slices.Contains(f.Managers, m) }) {
		return false
	}
	if it.Contact != nil {
		if !among(f.Kinds, it.Contact.Kind) || f.NoLetters && it.Contact.MessageKey != "" {
			return false
		}
	}
	if status == StatusDone && f.DoneDays > 0 {
		if end := f.doneUntil(it); end.IsZero() || !at.Before(end) {
			return false
		}
	}
	return true
}

// doneUntil is when a done item leaves the filter by age; zero: it is not
// done, or the filter has no such limit.
func (f *Filter) doneUntil(it *Item) time.Time {
	completed := time.Time{}
	if it.Event != nil {
		completed = it.Event.Completed
	} else {
		completed = it.Contact.Completed
	}
	if f.DoneDays == 0 || completed.IsZero() {
		return time.Time{}
	}
	return completed.AddDate(0, 0, f.DoneDays)
}

// saysWords reports whether all words occur in what the item says.
func (f *Filter) saysWords(it *Item) bool {
	if f.Words == "" {
		return true
	}
	said := it.ClientName + "\n"
	if it.Contact != nil {
		said += it.Contact.ClientText + "\n" + it.Contact.Subject + "\n" + it.Contact.Body
	} else {
		said += it.Deal.Number + "\n" + it.Event.Note
	}
	said = strings.ToLower(said)
	for word := range strings.FieldsSeq(strings.ToLower(f.Words)) {
		if !strings.Contains(said, word) {
			return false
		}
	}
	return true
}

// Bounds of a saved filter.
const (
	maxFilters     = 50 // of one manager
	maxFilterNames = 200
	maxFilterList  = 100
	maxDoneDays    = 366
	filterOrder    = 100 // behind those that come with the manager, before the labels
	filterColor    = "#6A1B9A"
)

// What the lists of a filter may hold.
var (
	filterStatuses = []Status{StatusOverdue, StatusCurrent, StatusPostponed, StatusDone}
	filterTypes    = []ItemType{ContactItem, ShipmentItem, PaymentItem}
	filterKinds    = []Kind{Call, Meeting, Visit, Letter, Other}
)

// savedFor is the filter as it is kept for its owner, or what is wrong with
// it. A head may look at anybody; no managers means everybody. A manager sees
// the own contacts alone. What is done is shown for 90 days where no other
// number is given.
func (f Filter) savedFor(owner Manager) (Filter, error) {
	var faults []error
	f.Statuses = sortedList("status", f.Statuses, filterStatuses, &faults)
	f.Types = sortedList("type", f.Types, filterTypes, &faults)
	f.Kinds = sortedList("kind", f.Kinds, filterKinds, &faults)
	f.Importances = sortedList("importance", f.Importances, Importances, &faults)
	f.Classes = sortedList("class", f.Classes, Classes, &faults)
	f.Stages = sortedList("stage", f.Stages, Stages, &faults)
	f.Variations = sortedList("xyz", f.Variations, Variations, &faults)
	var fault error
	if f.Attributes, fault = f.Attributes.tidy(); fault != nil {
		faults = append(faults, fault)
	}
	if len(faults) > 0 {
		return f, faults[0]
	}
	f.Managers, f.Clients = sortedIDs(f.Managers), sortedIDs(f.Clients)
	if len(f.Managers) > maxFilterList || len(f.Clients) > maxFilterList {
		return f, invalid("filter", "more than %d managers or clients", maxFilterList)
	}
	if owner.Role != RoleHead {
		if len(f.Managers) > 1 || len(f.Managers) == 1 && f.Managers[0] != owner.ID {
			return f, ErrForbidden
		}
		f.Managers = []int64{owner.ID}
	}
	f.Words = strings.Join(strings.Fields(clean(f.Words)), " ")
	if len(f.Words) > maxFilterNames {
		return f, invalid("words", "longer than %d bytes", maxFilterNames)
	}
	if f.DoneDays == 0 {
		f.DoneDays = doneDays
	}
	if f.DoneDays < 1 || f.DoneDays > maxDoneDays {
		return f, invalid("done_days", "%d is not within 1 and %d", f.DoneDays, maxDoneDays)
	}
	return f, nil
}

// sortedList keeps each known value once, in the order of all.
func sortedList[T ~string](field string, given, all []T, faults *[]error) (list []T) {
	for _, v := range given {
		if !slices.Contains(all, v) {
			*faults = append(*faults, invalid(field, "%q is none of %v", clip(string(v), 40), all))
		}
	}
	for _, v := range all {
		if slices.Contains(given, v) {
			list = append(list, v)
		}
	}
	return list
}

func sortedIDs(ids []int64) []int64 {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	return slices.Compact(ids)
}

// showsOne is the manager whose items alone a filter shows; 0: it shows those
// of several.
func (f *Filter) showsOne() int64 {
	if len(f.Managers) == 1 {
		return f.Managers[0]
	}
	return 0
}

// hexColor is how a page and the command line give a calendar's colour.
var hexColor = regexp.MustCompile(`^#[0-9A-Fa-f]{6}$`)

// ReadOnly reports whether a calendar only shows: a head sees what managers of
// the team have planned, and leaves the planning to them.
func (c *Collection) ReadOnly() bool {
	switch c.Kind {
	case TeamCalendar:
		return true
	case FilterCalendar:
		return c.Filter.showsOne() != c.ManagerID
	}
	return false
}

// takes reports whether such an item may be put into the calendar: a contact
// never becomes a payment, and a program that was told 201 takes it ill when
// what it wrote is gone.
func (c *Collection) takes(t ItemType) bool {
	return c.Kind != FilterCalendar || among(c.Filter.Types, t)
}

// adopt gives a contact that is put into a saved filter what the filter asks
// for where it leaves one answer, so that it stays where it was put: an event
// written into "VIP" is important. The words of a filter cannot be
// given to it; such an event lingers (lingering) and is then in the calendar
// of its status.
func (c *Collection) adopt(kind *Kind, importance *Importance, client *int64) {
	if c.Kind != FilterCalendar {
		return
	}
	if len(c.Filter.Kinds) == 1 && !slices.Contains(c.Filter.Kinds, *kind) {
		*kind = c.Filter.Kinds[0]
	}
	if len(c.Filter.Importances) == 1 {
		*importance = c.Filter.Importances[0]
	}
	if len(c.Filter.Clients) == 1 && *client == 0 {
		*client = c.Filter.Clients[0]
	}
}

// adopting is an edit of a contact that also does what adopt says.
func (c *Collection) adopting(was Contact, e ContactEdit) ContactEdit {
	kind, importance, client := was.Kind, was.Importance, was.ClientID
	if e.Importance != nil {
		importance = *e.Importance
	}
	if e.ClientID != nil {
		client = *e.ClientID
	}
	c.adopt(&kind, &importance, &client)
	if c.Kind == FilterCalendar {
		e.Kind, e.Importance, e.ClientID = &kind, &importance, &client
	}
	return e
}
