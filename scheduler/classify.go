package scheduler

import (
	"context"
	"fmt"
	"time"

	"intouch/store"
)

const (
	classifyJob = "classify"
	// classifyLate is how old a missed slot may be: a day that is older is
	// left out, since the next one finds the same changes.
	classifyLate = 24 * time.Hour
)

// runClassify classifies for the day of the slot and tells what it found.
// Contacts are planned only when that is the present: what a past day would
// have asked for is too late.
func (s *Scheduler) runClassify(ctx context.Context, m store.Manager, slot string, _ time.Time) (store.Run, error) {
	run, loc := store.Run{Job: classifyJob, Slot: slot, Started: s.st.Now(), Outcome: "done"}, m.Location()
	day, today := slotDay(slot), store.DateOf(run.Started, loc)
	if day > today {
		return run, fmt.Errorf("%s has not come yet: clients are classified by what has happened", day)
	}
	report, err := s.st.Classify(ctx, s.opt.Classification, day, loc)
	if err != nil {
		return run, err
	}
	run.Detail = report.String()
	if report.Current && day >= today.Add(-1) {
		planned, err := s.st.PlanByRules(ctx, s.opt.KeepInTouch, day, prompt)
		if err != nil {
			return run, err
		}
		if text := planned.String(); text != "" {
			run.Detail += "; " + text
		}
	}
	if _, err := s.record(ctx, run); err != nil {
		return run, err
	}
	return run, nil // also when the ledger has it, by hand or of another daemon
}

// oldest is the age beyond which a year of birth is taken for a mistake.
const oldest = 110

// prompt puts into words why the program plans a contact.
func prompt(m store.Manager, p store.Prompt) (subject, body string) {
	v := voice{lang: m.Language}
	switch p.Rule {
	case store.FromBirthday:
		subject = v.t("congratulate", p.Person)
		if p.Age > 0 && p.Age <= oldest {
			subject += ", " + v.count(p.Age, "years")
		}
	case store.FromWorsening:
		subject = v.t("stage worse", store.Word(m.Language, "stage."+p.From), store.Word(m.Language, "stage."+p.To))
	default:
		subject = v.t("never in touch")
		if p.Days >= 0 {
			subject = v.t("not in touch", v.count(p.Days, "days"))
		}
	}
	return subject, v.t("why " + string(p.Rule))
}
