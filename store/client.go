package store

import "time"

// Client is a company or person we sell to (контрагент).
type Client struct {
	ID         int64
	ExternalID string
	Name       string
	Importance Importance
	ABC        string // A, B, C or ""
	Stage      string // potential, one-off, regular, lost or ""
	XYZ        string // X, Y, Z or ""
	ManagerID  int64  // responsible; 0: nobody
	SourceID   int64  // lead source valid now; 0: unknown
	Domains    []string
	Emails     []string
	Phones     []string
	Attributes map[string]string // free-form, "segment": "horeca"
	Created    time.Time
	Changed    time.Time
	Version    int64

	givenStage string // as people or files gave it, see shownStage
	stageFound bool   // Stage is what the documents say
}

// StageGiven reports whether the stage was given by people or files: there is
// no sales document that says another.
func (c *Client) StageGiven() bool { return !c.stageFound && c.givenStage != "" }

// GivenStage is the stage that people or files gave; "" none.
func (c *Client) GivenStage() string { return c.givenStage }

// giveStage sets the stage that people or files give. Without sales documents
// it is the one that is shown; taken back, there is none until the clients are
// classified again.
func (c *Client) giveStage(stage string) {
	if !c.stageFound && (stage != "" || c.givenStage != "") {
		c.Stage = stage
	}
	c.givenStage = stage
}

// Person is someone at a client.
type Person struct {
	ID         int64
	ExternalID string
	ClientID   int64
	Name       string
	Position   string
	Emails     []string
	Phones     []string
	Birthday   Date // "" unknown
	// Bounced are the Emails to which a letter came back for good, and from
	// which none has come since.
	Bounced []string
	// Away is until when the person is away, as an automatic answer of theirs
	// said last; "" nothing known. It may have passed.
	Away    Date
	Version int64
}

// Source is how clients hear of us (источник обращения); it may belong to a
// campaign with a medium, a period and a cost.
type Source struct {
	ID         int64
	ExternalID string
	Name       string
	Campaign   string
	Medium     string
	From, To   Date
	Cost       Money
}
