package scheduler

import (
	"context"
	"fmt"
	"time"

	"intouch/store"
)

const (
	classifyJob    = "classify"
	birthdaysJob   = "birthdays"
	keepInTouchJob = "keep-in-touch"
	// classifyLate is how old a missed slot may be: a day that is older is
	// left out, since the next one finds the same changes.
	classifyLate = 24 * time.Hour
)

// runClassify classifies for the day of the slot, plans contacts with clients
// whose stage went down, and tells what it found.
func (s *Scheduler) runClassify(ctx context.Context, m store.Manager, slot string, _ time.Time) (store.Run, error) {
	run, loc := store.Run{Job: classifyJob, Slot: slot, Started: s.st.Now(), Outcome: "done"}, m.Location()
	day := slotDay(slot)
	if day > store.DateOf(run.Started, loc) {
		return run, fmt.Errorf("%s has not come yet: clients are classified by what has happened", day)
	}
	report, err := s.st.Classify(ctx, s.opt.Classification, day, loc)
	if err != nil {
		return run, err
	}
	run.Detail = report.String()
	if report.Current {
		rule := store.KeepInTouch{Worsened: s.opt.KeepInTouch.Worsened, PerDay: s.opt.KeepInTouch.PerDay}
		text, err := s.plan(ctx, rule, day, loc)
		if err != nil {
			return run, err
		}
		if text != "" {
			run.Detail += "; " + text
		}
	}
	if _, err := s.record(ctx, run); err != nil {
		return run, err
	}
	return run, nil // also when the ledger has it, by hand or of another daemon
}

// runBirthdays plans contacts for the birthdays that are coming.
func (s *Scheduler) runBirthdays(ctx context.Context, m store.Manager, slot string, _ time.Time) (store.Run, error) {
	return s.runRule(ctx, birthdaysJob, m, slot, store.KeepInTouch{BirthdayDays: s.opt.KeepInTouch.BirthdayDays})
}

// runKeepInTouch plans contacts with clients that have been without one for
// too long.
func (s *Scheduler) runKeepInTouch(ctx context.Context, m store.Manager, slot string, _ time.Time) (store.Run, error) {
	return s.runRule(ctx, keepInTouchJob, m, slot, store.KeepInTouch{Cadences: s.opt.KeepInTouch.Cadences, PerDay: s.opt.KeepInTouch.PerDay})
}

func (s *Scheduler) runRule(ctx context.Context, name string, m store.Manager, slot string, rule store.KeepInTouch) (store.Run, error) {
	run := store.Run{Job: name, Slot: slot, Started: s.st.Now(), Outcome: "done"}
	day := slotDay(slot)
	if day > store.DateOf(run.Started, m.Location()) {
		return run, fmt.Errorf("%s has not come yet: what is planned depends on what has happened", day)
	}
	text, err := s.plan(ctx, rule, day, m.Location())
	if err != nil {
		return run, err
	}
	if run.Detail = text; text == "" {
		run.Outcome = "empty"
	}
	return run, s.st.RecordQuietRun(ctx, run)
}

// plan plans by a rule on a day. That is only done at present: what a past day
// would have asked for is too late.
func (s *Scheduler) plan(ctx context.Context, rule store.KeepInTouch, day store.Date, loc *time.Location) (string, error) {
	if day < store.DateOf(s.st.Now(), loc).Add(-1) {
		return "", nil
	}
	planned, err := s.st.PlanByRules(ctx, rule, day, prompt)
	return planned.String(), err
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
