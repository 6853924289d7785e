package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// PlanByRules plans what the rules ask for on a day: after a worsened stage
// that its classification found, for birthdays, and for clients that have been without a
// contact for too long. say gives the subject and the text in words for the
// manager. Each occasion is planned once, whoever asks how often, in a
// transaction of its own.
func (s *Store) PlanByRules(ctx context.Context, k KeepInTouch, day Date, say func(Manager, Prompt) (subject, body string)) (report PlannedReport, err error) {
	p := planning{s: s, KeepInTouch: k, day: day, say: say, report: &report, managers: map[int64]Manager{}, today: map[roomKey]int{}}
	managers, err := s.Managers(ctx)
	if err != nil {
		return report, fmt.Errorf("read the managers: %w", err)
	}
	if p.holidays, err = s.Holidays(ctx); err != nil {
		return report, fmt.Errorf("read the holidays: %w", err)
	}
	for _, m := range managers {
		p.managers[m.ID] = m
	}
	err = s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT manager_id, rule, COUNT(*) FROM planned_by_rule WHERE day = $1 GROUP BY manager_id, rule`, []any{string(day)}, func(scan func(...any) error) error {
			var r roomKey
			var n int
			err := scan(&r.manager, &r.rule, &n)
			p.today[r] = n
			return err
		})
	})
	if err != nil {
		return report, fmt.Errorf("read what is planned: %w", err)
	}
	// In this order: one call is enough for a client.
	if k.Worsened {
		if err := p.worsened(ctx); err != nil {
			return report, fmt.Errorf("plan after a worsened stage: %w", err)
		}
	}
	if k.BirthdayDays > 0 {
		if err := p.birthdays(ctx); err != nil {
			return report, fmt.Errorf("plan for birthdays: %w", err)
		}
	}
	if len(k.Cadences) > 0 {
		if err := p.cadences(ctx); err != nil {
			return report, fmt.Errorf("plan to keep in touch: %w", err)
		}
	}
	return report, nil
}

type planning struct {
	KeepInTouch
	s        *Store
	day      Date
	say      func(Manager, Prompt) (subject, body string)
	report   *PlannedReport
	managers map[int64]Manager
	holidays *Holidays
	today    map[roomKey]int // planned on the day
}

type roomKey struct {
	manager int64
	rule    Origin
}

// occasion is a contact that a rule asks for.
type occasion struct {
	key     string // once each
	client  int64
	manager int64 // 0: nobody
	person  int64
	on      Date // "" the next working day
	Prompt
}

// plan makes the contact unless the occasion had one; planned reports whether
// it did. also is asked within the transaction, where it is given.
func (p *planning) plan(ctx context.Context, o occasion, also func(*tx, occasion) (bool, error)) (planned bool, err error) {
	m := p.managers[o.manager]
	err = p.s.write(ctx, func(t *tx) error {
		planned = false
		if err := t.lock("clients", o.client); err != nil { // two daemons
			return ignoreNotFound(err)
		}
		err := t.row(`SELECT 1 FROM planned_by_rule WHERE occasion = $1`, []any{o.key}, new(int))
		if err == nil {
			return nil
		}
		if err := ignoreNotFound(err); err != nil {
			return err
		}
		if also != nil {
			if ok, err := also(t, o); err != nil || !ok {
				return err
			}
		}
		on := o.on
		if on == "" {
			on = t.s.WorkHoursOf(m).nextWorkday(t.now, m.Location(), p.holidays)
		}
		subject, body := p.say(m, o.Prompt)
		d := ContactDraft{Kind: Call, Direction: Out, ClientID: o.client, ManagerID: m.ID, Subject: clip(subject, maxSubject), Body: body, When: Days(on, on, m.Location())}
		if o.person != 0 {
			d.Persons = []int64{o.person}
		}
		c, err := t.planContact(Actor{Origin: o.Rule}, d)
		if err != nil {
			return err
		}
		planned = true
		_, err = t.exec(`INSERT INTO planned_by_rule (occasion, rule, day, manager_id, contact_id) VALUES ($1, $2, $3, $4, $5)`,
			o.key, string(o.Rule), string(p.day), m.ID, c.ID)
		return err
	})
	return planned, err
}

// each plans the occasions and counts them. Those of nobody are named, and
// those for which the manager's day has no room wait for another.
func (p *planning) each(ctx context.Context, list []occasion, count *int, also func(*tx, occasion) (bool, error)) error {
	for _, o := range list {
		room := roomKey{o.manager, o.Rule}
		switch {
		case o.manager == 0:
			p.report.nobody(o.Client)
			continue
		case o.Rule != FromBirthday && p.today[room] >= p.PerDay:
			p.report.Waiting++
			continue
		}
		planned, err := p.plan(ctx, o, also)
		if err != nil {
			return fmt.Errorf("%s: %w", o.key, err)
		}
		if planned {
			*count++
			p.today[room]++
		}
	}
	return nil
}

// worsenedDays is for how long a call after a worsened stage waits for room.
const worsenedDays = 7

// worsened plans a call for each client whose stage has gone down and not up
// again.
func (p *planning) worsened(ctx context.Context) error {
	var list []occasion
	err := p.s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT cl.id, cl.name, cl.manager_id, h.day, h.stage, (SELECT b.stage FROM classifications b
				WHERE b.client_id = h.client_id AND b.day < h.day ORDER BY b.day DESC LIMIT 1)
			FROM classifications h JOIN clients cl ON cl.id = h.client_id WHERE h.day > $1 AND h.day <= $2
			AND NOT EXISTS (SELECT 1 FROM classifications n WHERE n.client_id = h.client_id AND n.day > h.day AND n.day <= $2)
			AND NOT EXISTS (SELECT 1 FROM planned_by_rule p WHERE p.occasion = 'worsened ' || CAST(cl.id AS TEXT) || ' ' || h.day)
			ORDER BY h.day, cl.id`, []any{string(p.day.Add(-worsenedDays)), string(p.day)}, func(scan func(...any) error) error {
			o := occasion{Prompt: Prompt{Rule: FromWorsening}}
			var since Date
			if err := scan(&o.client, &o.Client, idInto{&o.manager}, &since, &o.To, textInto{&o.From}); err != nil {
				return err
			}
			if (Position{Stage: o.To}).stageWorsened(Position{Stage: o.From}) {
				o.key = fmt.Sprintf("%s %d %s", o.Rule, o.client, since)
				list = append(list, o)
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	return p.each(ctx, list, &p.report.Worsened, nil)
}

// birthdays plans a call on the birthdays that come within BirthdayDays.
func (p *planning) birthdays(ctx context.Context) error {
	var list []occasion
	err := p.s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT p.id, p.name, p.birthday, cl.id, cl.name, cl.manager_id FROM persons p JOIN clients cl ON cl.id = p.client_id
			WHERE p.birthday <> '' AND p.merged_into IS NULL ORDER BY p.id`, nil, func(scan func(...any) error) error {
			o := occasion{Prompt: Prompt{Rule: FromBirthday}}
			var born Date
			if err := scan(&o.person, &o.Person, &born, &o.client, &o.Client, idInto{&o.manager}); err != nil {
				return err
			}
			today := DateOf(t.now, p.managers[o.manager].Location())
			if o.on, o.Age = nextBirthday(born, today); o.on != "" && today.Days(o.on) <= p.BirthdayDays {
				o.key = fmt.Sprintf("%s %d %s", o.Rule, o.person, o.on[:4])
				list = append(list, o)
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	return p.each(ctx, list, &p.report.Birthday, nil)
}

// cadences plans a call with each client that has been without a done contact
// for longer than its cadence and with which nothing is planned. A call that
// was planned so and cancelled counts as a contact: the manager did not want
// it, and is asked again when the cadence has passed.
func (p *planning) cadences(ctx context.Context) error {
	type candidate struct {
		occasion
		last int64
	}
	var due []candidate
	err := p.s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT cl.id, cl.name, cl.manager_id, cl.importance, cl.abc, cl.stage,
			`+lastContact+`, COALESCE((SELECT MAX(c.changed) FROM contacts c WHERE c.client_id = cl.id AND c.state = 'cancelled' AND c.origin = 'cadence'), 0)
			FROM clients cl WHERE NOT EXISTS (SELECT 1 FROM contacts c WHERE c.client_id = cl.id AND c.state IN ('planned', 'postponed'))
			ORDER BY cl.id`, nil, func(scan func(...any) error) error {
			c := candidate{occasion: occasion{Prompt: Prompt{Rule: FromCadence}}}
			var importance Importance
			var class, stage string
			var refused int64
			if err := scan(&c.client, &c.Client, idInto{&c.manager}, &importance, &class, &stage, &c.last, &refused); err != nil {
				return err
			}
			days := p.days(importance, class, stage)
			if days == 0 {
				return nil
			}
			loc := p.managers[c.manager].Location()
			since := func(at int64) int { return DateOf(time.Unix(at, 0), loc).Days(DateOf(t.now, loc)) }
			if since(max(c.last, refused)) <= days {
				return nil
			}
			c.Days = -1
			if c.last != 0 {
				c.Days = since(c.last)
			}
			c.key = fmt.Sprintf("%s %d %s", c.Rule, c.client, p.day)
			due = append(due, c)
			return nil
		})
	})
	if err != nil {
		return err
	}
	// Who waits longest comes first; clients that nobody ever talked to, last:
	// a house that has just begun has many.
	slices.SortStableFunc(due, func(a, b candidate) int {
		if never := (a.last == 0); never != (b.last == 0) {
			if never {
				return 1
			}
			return -1
		}
		return cmp.Compare(a.last, b.last)
	})
	list := make([]occasion, len(due))
	for i, c := range due {
		list[i] = c.occasion
	}
	return p.each(ctx, list, &p.report.Cadence, (*tx).nothingPlanned)
}

// nothingPlanned reports whether no contact is planned or postponed with the
// client.
func (t *tx) nothingPlanned(o occasion) (bool, error) {
	var open bool
	err := t.row(`SELECT EXISTS (SELECT 1 FROM contacts WHERE client_id = $1 AND state IN ('planned', 'postponed'))`, []any{o.client}, &open)
	return !open, err
}
