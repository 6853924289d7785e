package store

// ContactRow is a row of `import contacts`: a past or planned contact that
// another system, or another Intouch, knows.
type ContactRow struct {
	ID         string // key; of an export external_id or the UID
	Kind       Kind
	Direction  Direction  // none when ""
	State      State      // planned when ""
	Importance Importance // the client's when ""
	Client     string     // key; "" for someone not registered
	ClientText string     // then who it is
	Persons    []string   // e-mail addresses; those of nobody here are left out
	Managers   []string   // keys or logins, the responsible one first
	Subject    string
	Text       string
	When       Span // of whole days First and Last alone
	Minutes    int  // 0: as long as it lasted
	Estimated  bool
	Deal       string // key, else number
	Source     string // key, else name
}
