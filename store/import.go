package store

// The rows that imports give, with the other system's keys. A key makes the
// import repeatable: the same row twice changes nothing.

// Outcome of a row that was taken.
type RowChange string

const (
	RowNew       RowChange = "new"
	RowChanged   RowChange = "changed"
	RowUnchanged RowChange = "unchanged"
)

// ManagerRow is a row of `import managers`, or a [[manager]] of the settings.
// WorkHours are like "09:00-18:00", "house" for none of one's own.
type ManagerRow struct {
	ID, Name, Login, Role, TimeZone, Language, WorkHours string
	Emails                                               []string
}

// ClientRow is a row of `import clients`. Clear names fields that are to be
// emptied, since an empty one keeps what is there: manager, source, stage.
type ClientRow struct {
	ID, Name, Importance, Manager, Source, Stage string
	Domains, Emails, Phones                      []string
	Attributes                                   map[string]string
	Clear                                        []string
}

// PersonRow is a row of `import persons`. Clear names fields that are to be
// emptied: position, birthday.
type PersonRow struct {
	ID, Client, Name, Position string
	ClientID                   int64 // instead of Client
	Clear                      []string
	Emails, Phones             []string
	Birthday                   Date

	// Found in the mail; an export gives them, an import does not set them.
	Bounced []string
	Away    Date
}

// SourceRow is a row of `import sources`.
type SourceRow struct {
	ID, Name, Campaign, Medium string
	From, To                   Date
	Cost                       Money
}

// DealRow is a row of `import deals`. Clear names fields that are to be
// emptied: manager, source, cost.
type DealRow struct {
	ID, Number      string
	Date            Date
	Client, Manager string
	ClientID        int64 // instead of Client
	Clear           []string
	Amount          Money
	Cost            *Money
	ShipDue, PayDue Date
	Status, Source  string
}

// EventRow is a row of `import events`.
type EventRow struct {
	ID, Deal string
	Kind     EventKind
	Due      Date
	Amount   int64 // minor units of the deal's currency
}

// LineRow is a row of `import lines`.
type LineRow struct {
	ID, Deal, Document            string
	Item, Article, Quantity, Unit string
	Price, Amount, Cost           int64
}

// DocumentRow is a row of `import documents`.
type DocumentRow struct {
	ID               string
	Kind             DocumentKind
	Number           string
	Date             Date
	Deal             string
	Client           string
	DealID, ClientID int64 // instead of Deal and Client
	Amount           Money
	Cost             *Money
	Tax              *Money // the part of Amount that is tax; nil: not known
}

// NoteRow is a paper of an accounting system that is none of ours: what it
// says is kept in the history of its deal, or of its client.
type NoteRow struct {
	ID   string // of the paper
	Deal string // its key; "" when the paper names none
	// Client is used without a deal.
	Client string
	Title  string // "Счет-фактура"
	Text   string // number, day and sum
}
