package store

import (
	"strconv"
	"strings"
	"time"
)

// Keeping in touch: the contacts that the program itself plans (rules.md
// section 5). Each is a call with the client's manager, for whom the origin
// tells which rule planned it.

const (
	FromCadence   Origin = "cadence"  // too long without a contact
	FromBirthday  Origin = "birthday" // of a person
	FromWorsening Origin = "worsened" // the client's stage went down
)

// KeepInTouch are the rules. The zero value plans nothing.
type KeepInTouch struct {
	Cadences []Cadence // the first that fits a client is the client's
	// PerDay is how many contacts cadences, and as many worsened stages, plan
	// for one manager on one day, those first who wait longest. The rest waits:
	// hundreds of calls for tomorrow help nobody.
	PerDay       int
	BirthdayDays int // how many days ahead; 0 never
	Worsened     bool
}

// MaxBirthdayDays keeps a birthday from being planned for two years at once.
const MaxBirthdayDays = 60

// Cadence is how many days a client may be without a done contact. What is
// empty fits every client.
type Cadence struct {
	Importance Importance
	Class      string // A, B, C
	Stage      string
	Days       int
}

func (c Cadence) fits(importance Importance, class, stage string) bool {
	return (c.Importance == "" || c.Importance == importance) && (c.Class == "" || c.Class == class) && (c.Stage == "" || c.Stage == stage)
}

// days is the cadence of such a client; 0: it has none.
func (k *KeepInTouch) days(importance Importance, class, stage string) int {
	for _, c := range k.Cadences {
		if c.fits(importance, class, stage) {
			return c.Days
		}
	}
	return 0
}

// Prompt is why a contact is planned, for the words that its manager reads.
type Prompt struct {
	Rule   Origin
	Client string
	Days   int    // cadence: since the last done contact; -1 there was none
	Person string // birthday
	Age    int    // birthday: what the person becomes; 0 unknown
	From   string // worsened: the stages
	To     string
}

// PlannedReport is what the rules have planned.
type PlannedReport struct {
	Cadence, Birthday, Worsened int
	Waiting                     int      // their managers have enough for the day
	Nobody                      int      // clients to call who have no manager: not planned
	NobodyNames                 []string // of some of them
}

// maxNobody is how many clients without a manager a report names.
const maxNobody = 20

func (r *PlannedReport) nobody(client string) {
	if r.Nobody++; len(r.NobodyNames) < maxNobody {
		r.NobodyNames = append(r.NobodyNames, client)
	}
}

// String is the report in one line; "" where there is nothing to tell.
func (r *PlannedReport) String() string {
	var parts []string
	say := func(n int, what string) {
		if n > 0 {
			parts = append(parts, strconv.Itoa(n)+" "+what)
		}
	}
	say(r.Cadence, "to keep in touch")
	say(r.Birthday, "for birthdays")
	say(r.Worsened, "after a worsened stage")
	if len(parts) > 0 {
		parts = []string{"planned: " + strings.Join(parts, ", ")}
	}
	say(r.Waiting, "clients wait for another day")
	if r.Nobody > 0 {
		names := strings.Join(r.NobodyNames, ", ")
		if r.Nobody > len(r.NobodyNames) {
			names += ", …"
		}
		say(r.Nobody, "clients to call have no manager: "+names)
	}
	return strings.Join(parts, "; ")
}

// nextBirthday is the first birthday on or after a day, and what the person
// becomes: 0 where the year of birth is not known (--05-01). Who was born on 29
// February has it on the 28th in other years. "" where b is no birthday.
func nextBirthday(b, from Date) (day Date, age int) {
	text, known := string(b), true
	if rest, ok := strings.CutPrefix(text, "--"); ok {
		text, known = "2000-"+rest, false // a leap year
	}
	born, err := time.Parse(dateLayout, text)
	first, err2 := time.Parse(dateLayout, string(from))
	if err != nil || err2 != nil || known && born.After(first) {
		return "", 0
	}
	for year := first.Year(); ; year++ {
		at := time.Date(year, born.Month(), born.Day(), 0, 0, 0, 0, time.UTC)
		if at.Day() != born.Day() {
			at = at.AddDate(0, 0, -1)
		}
		if !at.Before(first) {
			if known {
				age = year - born.Year()
			}
			return DateOf(at, time.UTC), age
		}
	}
}

// nextWorkday is the first working day after that of t in loc: the rules are
// asked in the evening. Of a year of holidays it is the next day.
func (w WorkHours) nextWorkday(t time.Time, loc *time.Location, h *Holidays) Date {
	next := DateOf(t, loc).Add(1)
	for day, tries := next, 0; tries < 366; day, tries = day.Add(1), tries+1 {
		if w.Works(day, h) {
			return day
		}
	}
	return next
}
