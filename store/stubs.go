package store

import (
	"context"
	"errors"
	"time"
)

// Being written: each of these moves to its room's *_sql.go.

var errStub = errors.New("store: not written yet")

func Open(ctx context.Context, opt Options) (*Store, error) { return nil, errStub }

type loginCache struct{}

// --- managers ---

// Managers lists all managers by name.
func (s *Store) Managers(ctx context.Context) ([]Manager, error) { return nil, errStub }

// Manager by id; ErrNotFound.
func (s *Store) Manager(ctx context.Context, id int64) (Manager, error) { return Manager{}, errStub }

// ManagerByLogin; ErrNotFound.
func (s *Store) ManagerByLogin(ctx context.Context, login string) (Manager, error) {
	return Manager{}, errStub
}

// SaveManager makes or changes a manager by ID or Login, with the default calendars.
func (s *Store) SaveManager(ctx context.Context, actor Actor, row ManagerRow) (Manager, RowChange, error) {
	return Manager{}, "", errStub
}

// SetPassword replaces the password (argon2id); at least 8 characters.
func (s *Store) SetPassword(ctx context.Context, managerID int64, password string) error {
	return errStub
}

// CheckLogin verifies a password: ErrBadLogin, ErrTooManyLogins. remote is the
// client's IP address. Verified logins are cached for some minutes.
func (s *Store) CheckLogin(ctx context.Context, login, password, remote string) (Manager, error) {
	return Manager{}, errStub
}

// --- import and export ---

// Import is one transaction of imported rows. A *Invalid from a row method
// means that row was refused and nothing of it written; any other error ends
// the import.
type Import struct{ t *tx }

// Import runs fn in one transaction and renews the calendars that its rows
// touched. With dry, everything is rolled back at the end.
func (s *Store) Import(ctx context.Context, actor Actor, dry bool, fn func(*Import) error) error {
	return errStub
}

func (im *Import) Manager(row ManagerRow) (RowChange, error)   { return "", errStub }
func (im *Import) Client(row ClientRow) (RowChange, error)     { return "", errStub }
func (im *Import) Person(row PersonRow) (RowChange, error)     { return "", errStub }
func (im *Import) Source(row SourceRow) (RowChange, error)     { return "", errStub }
func (im *Import) Deal(row DealRow) (RowChange, error)         { return "", errStub }
func (im *Import) Event(row EventRow) (RowChange, error)       { return "", errStub }
func (im *Import) Line(row LineRow) (RowChange, error)         { return "", errStub }
func (im *Import) Document(row DocumentRow) (RowChange, error) { return "", errStub }

// EachContact calls fn for every contact, by id, for `export contacts`.
func (s *Store) EachContact(ctx context.Context, fn func(*Exported) error) error { return errStub }

// EachLetter calls fn for every letter seen, for `export letters`.
func (s *Store) EachLetter(ctx context.Context, fn func(*SeenLetter) error) error { return errStub }

// The rows as they were imported, in the order of their ids, for `export`.
func (s *Store) EachManager(ctx context.Context, fn func(*ManagerRow) error) error   { return errStub }
func (s *Store) EachClient(ctx context.Context, fn func(*ClientRow) error) error     { return errStub }
func (s *Store) EachPerson(ctx context.Context, fn func(*PersonRow) error) error     { return errStub }
func (s *Store) EachDeal(ctx context.Context, fn func(*DealRow) error) error         { return errStub }
func (s *Store) EachEvent(ctx context.Context, fn func(*EventRow) error) error       { return errStub }
func (s *Store) EachLine(ctx context.Context, fn func(*LineRow) error) error         { return errStub }
func (s *Store) EachDocument(ctx context.Context, fn func(*DocumentRow) error) error { return errStub }

// --- contacts, deals, clients: reading for pages and digests ---

// AgendaQuery selects items for the user calendar (rules.md section 6.1).
type AgendaQuery struct {
	Viewer   Manager   // sees only what Manager.Sees allows; statuses in its zone
	Filter   Filter    // Managers empty: the viewer's own
	From, To time.Time // by start; zero: unbounded
	Limit    int       // 500 when 0
}

// Agenda gives planned contacts and deal events, sorted by status, then time.
func (s *Store) Agenda(ctx context.Context, q AgendaQuery) ([]Item, error) { return nil, errStub }

// Contact by id; ErrNotFound also where viewer may not know of it.
func (s *Store) Contact(ctx context.Context, viewer Manager, id int64) (Contact, error) {
	return Contact{}, errStub
}

// Contacts of a client, a deal or a thread, newest first.
func (s *Store) Contacts(ctx context.Context, viewer Manager, q ContactQuery) ([]Contact, error) {
	return nil, errStub
}

// Client's page; ErrNotFound where the viewer neither is responsible nor took
// part in one of its contacts nor is a head.
func (s *Store) Client(ctx context.Context, viewer Manager, id int64) (ClientCard, error) {
	return ClientCard{}, errStub
}

// Clients whose name contains text (case-insensitive), by name.
func (s *Store) Clients(ctx context.Context, viewer Manager, text string, limit int) ([]Client, error) {
	return nil, errStub
}

// Deal's page.
func (s *Store) Deal(ctx context.Context, viewer Manager, id int64) (DealCard, error) {
	return DealCard{}, errStub
}

// UnansweredLetters of clients of that manager, oldest first.
func (s *Store) UnansweredLetters(ctx context.Context, managerID int64, limit int) ([]Unanswered, error) {
	return nil, errStub
}

// UnknownSenders who wrote to that manager since a moment, newest first.
func (s *Store) UnknownSenders(ctx context.Context, managerID int64, since time.Time, limit int) ([]Sender, error) {
	return nil, errStub
}

// ContactFigures counts done contacts by kind and direction in [from, to) for
// a manager's digest.
func (s *Store) ContactFigures(ctx context.Context, managerID int64, from, to time.Time) (Figures, error) {
	return Figures{}, errStub
}

// Figures of a period (rules.md section 7, morning digest).
type Figures struct {
	LettersIn, LettersOut, Calls, Meetings, Others int64
	Minutes                                        int64
	Payments, Shipments                            []Money // one per currency
}

// MovedEvents are deal events of that manager whose day changed since a moment.
func (s *Store) MovedEvents(ctx context.Context, managerID int64, since time.Time) ([]Item, error) {
	return nil, errStub
}

// History of a contact, client, deal or event, newest first. what is
// "contact", "client", "deal", "event".
func (s *Store) History(ctx context.Context, what string, id int64, limit int) ([]HistoryRow, error) {
	return nil, errStub
}

// --- contacts: writing ---

// PlanContact makes a contact.
func (s *Store) PlanContact(ctx context.Context, actor Actor, d ContactDraft) (Contact, error) {
	return Contact{}, errStub
}

// EditContact changes a contact; version 0 means whatever it is now, else
// ErrStale when it differs.
func (s *Store) EditContact(ctx context.Context, actor Actor, id, version int64, e ContactEdit) (Contact, error) {
	return Contact{}, errStub
}

// EditEvent changes a deal's event.
func (s *Store) EditEvent(ctx context.Context, actor Actor, id, version int64, e EventEdit) (DealEvent, error) {
	return DealEvent{}, errStub
}

// TurnStatuses moves the entries whose status has changed by time alone
// between calendars; it returns how many items it renewed. Call it each minute.
func (s *Store) TurnStatuses(ctx context.Context) (int, error) { return 0, errStub }

// --- calendars ---

// Collections of a manager's home, by order.
func (s *Store) Collections(ctx context.Context, managerID int64) ([]Collection, error) {
	return nil, errStub
}

// Collection by its slug in a manager's home; ErrNotFound.
func (s *Store) Collection(ctx context.Context, managerID int64, slug string) (Collection, error) {
	return Collection{}, errStub
}

// EditCollection keeps what a PROPPATCH sets.
func (s *Store) EditCollection(ctx context.Context, actor Actor, id int64, e CollectionEdit) error {
	return errStub
}

// Entries calls each for every entry of a collection, by name. from and to
// bound the entry's time (zero: unbounded; repeating entries always pass);
// bytes says whether Entry.Bytes is wanted. head sees the collection as of the
// same moment, first.
func (s *Store) Entries(ctx context.Context, collectionID int64, from, to time.Time, bytes bool, head func(Collection) error, each func(*Entry) error) error {
	return errStub
}

// Entry by name; ErrNotFound.
func (s *Store) Entry(ctx context.Context, collectionID int64, name string) (Entry, error) {
	return Entry{}, errStub
}

// EntriesNamed calls each for the entries that exist among names, in the
// order of names.
func (s *Store) EntriesNamed(ctx context.Context, collectionID int64, names []string, each func(*Entry) error) error {
	return errStub
}

// Changes calls each for what changed after the change number since, in the
// order of numbers, at most limit (0: all). since 0 lists all present entries
// and no gone ones. ErrStale when since is older than the tombstones or newer
// than the collection (a restored copy).
func (s *Store) Changes(ctx context.Context, collectionID, since int64, limit int, head func(Collection) error, each func(Change) error) error {
	return errStub
}

// PutResult of a calendar write.
type PutResult struct {
	Entry   Entry
	Created bool
}

// PutEntry applies a PUT: makes a contact, or changes the contact or event of
// the entry of that name. ErrStale when the condition does not hold,
// ErrConflict when another entry of the collection has the UID,
// ErrForbidden, *Invalid.
func (s *Store) PutEntry(ctx context.Context, actor Actor, collectionID int64, name string, cond Condition, w *CalendarWrite) (PutResult, error) {
	return PutResult{}, errStub
}

// DeleteEntry cancels the contact or event of that entry. ErrNotFound, ErrStale.
func (s *Store) DeleteEntry(ctx context.Context, actor Actor, collectionID int64, name string, cond Condition) error {
	return errStub
}

// MoveEntry moves an entry into another collection of the same home: the verb
// of that collection applies. It returns the name there. overwrite false:
// ErrConflict where the name is taken.
func (s *Store) MoveEntry(ctx context.Context, actor Actor, fromID int64, name string, toID int64, toName string, overwrite bool, cond Condition) (PutResult, error) {
	return PutResult{}, errStub
}

// --- mailboxes ---

// SaveMailbox makes sure that the mailbox has a row, by name. manager is a
// login, "" for a shared one.
func (s *Store) SaveMailbox(ctx context.Context, name, manager string) (Mailbox, error) {
	return Mailbox{}, errStub
}

// MailboxStates lists all mailboxes.
func (s *Store) MailboxStates(ctx context.Context) ([]MailboxState, error) { return nil, errStub }

// MailboxOutcome notes a pass that succeeded (err nil) or failed.
func (s *Store) MailboxOutcome(ctx context.Context, mailboxID int64, err error) error {
	return errStub
}

// OpenFolder gives the folder's cursor for that UIDVALIDITY. A changed one
// starts a new cursor at 0: the letters are then recognised by their keys.
func (s *Store) OpenFolder(ctx context.Context, mailboxID int64, name string, uidValidity uint32) (Folder, error) {
	return Folder{}, errStub
}

// FileLetters writes the outcomes of a batch, the contacts of the captured
// ones and the folder's cursor in one transaction. A letter whose key is
// known joins the contacts that exist.
func (s *Store) FileLetters(ctx context.Context, f Folder, lastUID uint32, letters []FiledLetter) (Filed, error) {
	return Filed{}, errStub
}

// LetterKeys tells which of the keys were captured, with the clients of their
// contacts: rule 6 (thread), and letters that need no second fetch.
func (s *Store) LetterKeys(ctx context.Context, keys []string) (map[string][]int64, error) {
	return nil, errStub
}

// ThreadBySubject finds clients of captured letters with the same bare subject
// and a shared party within 30 days before date.
func (s *Store) ThreadBySubject(ctx context.Context, bareSubject string, addresses []string, date time.Time) ([]int64, error) {
	return nil, errStub
}

// Parties is the snapshot of addresses; PartiesVersion is cheap to ask.
func (s *Store) Parties(ctx context.Context) (*Parties, error)                   { return nil, errStub }
func (s *Store) PartiesVersion(ctx context.Context) (int64, error)               { return 0, errStub }
func (s *Store) SetCompany(ctx context.Context, domains, blocked []string) error { return errStub }

// --- ledger and outbox ---

// RecordRun writes the run and its mails in one transaction. ErrAlreadyRan
// when the ledger has that job, owner and slot; then nothing is written.
func (s *Store) RecordRun(ctx context.Context, r Run, mails ...Mail) error { return errStub }

// Ran reports whether the ledger has a run for that job, owner and slot.
func (s *Store) Ran(ctx context.Context, job string, ownerID int64, slot string) (bool, error) {
	return false, errStub
}

// Runs lists the newest runs.
func (s *Store) Runs(ctx context.Context, limit int) ([]Run, error) { return nil, errStub }

// ClaimMails takes up to limit due mails for delivery and keeps others from
// them until the lease ends.
func (s *Store) ClaimMails(ctx context.Context, limit int, lease time.Duration) ([]OutboxMail, error) {
	return nil, errStub
}

// MailSent, MailRetry and MailFailed note the outcome of one delivery.
func (s *Store) MailSent(ctx context.Context, id int64) error { return errStub }
func (s *Store) MailRetry(ctx context.Context, id int64, next time.Time, reason string) error {
	return errStub
}
func (s *Store) MailFailed(ctx context.Context, id int64, reason string) error { return errStub }

// NextMail is when the next queued mail is due; zero when none is queued.
func (s *Store) NextMail(ctx context.Context) (time.Time, error) { return time.Time{}, errStub }

// Outbox summarises the outbox with its newest mails.
func (s *Store) Outbox(ctx context.Context, limit int) (OutboxSummary, error) {
	return OutboxSummary{}, errStub
}
