package scheduler

import (
	"context"
	"errors"
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

// house is the zone of the jobs that are nobody's own.
func (s *Scheduler) house() *time.Location {
	if loc, err := time.LoadLocation(s.opt.TimeZone); err == nil {
		return loc
	}
	return time.UTC
}

// tickClassify classifies the clients when the slot has come and the ledger
// does not have it.
func (s *Scheduler) tickClassify(ctx context.Context) {
	slot, ok := s.classify.latest(s.house(), s.st.Now(), classifyLate)
	if !ok || s.known(0) == slot.name {
		return
	}
	ran, err := s.st.Ran(ctx, classifyJob, 0, slot.name)
	if err == nil && !ran {
		var detail string
		if detail, err = s.runClassify(ctx, slot.name, slot.at); err == nil {
			s.log.Info("clients classified", "job", classifyJob, "slot", slot.name, "result", detail)
		}
	}
	if err != nil {
		if ctx.Err() == nil { // the next minute tries again
			s.log.Error("clients could not be classified", "job", classifyJob, "slot", slot.name, "err", err)
		}
		return
	}
	s.know(0, slot.name)
}

// jobClassify classifies by hand, however often: the same documents give the
// same result, and what is planned is planned once.
func (s *Scheduler) jobClassify(ctx context.Context, at time.Time, managers []store.Manager) ([]Result, error) {
	all, err := s.st.Managers(ctx)
	if err != nil {
		return nil, err
	}
	if len(managers) != len(all) {
		return nil, errors.New("clients are classified for the whole house, not for one manager")
	}
	slot := string(store.DateOf(at, s.house()))
	detail, err := s.runClassify(ctx, slot, at)
	if err != nil {
		return []Result{{Slot: slot, Outcome: "failed", Detail: err.Error()}}, err
	}
	return []Result{{Slot: slot, Outcome: "done", Detail: detail}}, nil
}

// runClassify classifies for the day of at and tells what it found. Contacts
// are planned only when that is the present: what a past day would have asked
// for is too late.
func (s *Scheduler) runClassify(ctx context.Context, slot string, at time.Time) (string, error) {
	started, loc := s.st.Now(), s.house()
	day, today := store.DateOf(at, loc), store.DateOf(started, loc)
	if day > today {
		return "", fmt.Errorf("%s has not come yet: clients are classified by what has happened", day)
	}
	report, err := s.st.Classify(ctx, s.opt.Classification, day, loc)
	if err != nil {
		return "", err
	}
	detail := report.String()
	if report.Current && day >= today.Add(-1) {
		planned, err := s.st.PlanByRules(ctx, s.opt.KeepInTouch, day, prompt)
		if err != nil {
			return "", err
		}
		if text := planned.String(); text != "" {
			detail += "; " + text
		}
	}
	err = s.st.RecordRun(ctx, store.Run{Job: classifyJob, Slot: slot, Started: started, Outcome: "done", Detail: detail})
	if errors.Is(err, store.ErrAlreadyRan) { // by hand, or another daemon
		err = nil
	}
	return detail, err
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
