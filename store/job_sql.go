package store

import (
	"context"
	"time"
)

// SaveJobs notes the state of all jobs that there are; those of others are
// forgotten. Last is taken where it is newer than what is known, so that
// daemons on one database do not undo one another's, and Panics are added.
func (s *Store) SaveJobs(ctx context.Context, jobs []JobState) error {
	return s.write(ctx, func(t *tx) error {
		known := map[string]bool{}
		for _, j := range jobs {
			known[j.Name] = true
			_, err := t.exec(`INSERT INTO jobs (name, schedule, owners, next_run, started, finished, outcome, detail, panics) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
				ON CONFLICT (name) DO UPDATE SET schedule = excluded.schedule, owners = excluded.owners, next_run = excluded.next_run, panics = jobs.panics + excluded.panics,
				started = CASE WHEN excluded.started >= jobs.started THEN excluded.started ELSE jobs.started END,
				finished = CASE WHEN excluded.started >= jobs.started THEN excluded.finished ELSE jobs.finished END,
				outcome = CASE WHEN excluded.started >= jobs.started THEN excluded.outcome ELSE jobs.outcome END,
				detail = CASE WHEN excluded.started >= jobs.started THEN excluded.detail ELSE jobs.detail END`,
				j.Name, j.Schedule, j.Owners, unix(j.Next), unix(j.Last.Started), unix(j.Last.Finished), j.Last.Outcome, clip(clean(j.Last.Detail), 2000), j.Panics)
			if err != nil {
				return err
			}
		}
		old, err := t.jobStates()
		if err != nil {
			return err
		}
		for _, j := range old {
			if !known[j.Name] {
				if _, err := t.exec(`DELETE FROM jobs WHERE name = $1`, j.Name); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// JobStates lists the jobs that the daemon has told of, by name.
func (s *Store) JobStates(ctx context.Context) (out []JobState, err error) {
	err = s.read(ctx, func(t *tx) (err error) {
		out, err = t.jobStates()
		return err
	})
	return out, err
}

func (t *tx) jobStates() (out []JobState, err error) {
	err = t.rows(`SELECT name, schedule, owners, next_run, started, finished, outcome, detail, panics, asked FROM jobs ORDER BY name`, nil, func(scan func(...any) error) error {
		var j JobState
		if err := scan(&j.Name, &j.Schedule, &j.Owners, timeInto{&j.Next}, timeInto{&j.Last.Started}, timeInto{&j.Last.Finished}, &j.Last.Outcome, &j.Last.Detail, &j.Panics, timeInto{&j.Asked}); err != nil {
			return err
		}
		j.Last.Job = j.Name
		out = append(out, j)
		return nil
	})
	return out, err
}

// AskJob asks the daemon to run a job by hand; ErrNotFound. Only heads may:
// ErrForbidden.
func (s *Store) AskJob(ctx context.Context, who Manager, name string) error {
	if who.Role != RoleHead {
		return ErrForbidden
	}
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec(`UPDATE jobs SET asked = $2 WHERE name = $1`, name, t.now.Unix())
		if err == nil && n == 0 {
			err = ErrNotFound
		}
		return err
	})
}

// TakeAsked are the jobs that somebody asked for, each told to one caller.
func (s *Store) TakeAsked(ctx context.Context) (names []string, err error) {
	states, err := s.JobStates(ctx)
	if err != nil {
		return nil, err
	}
	for _, j := range states {
		if j.Asked.IsZero() {
			continue
		}
		err := s.write(ctx, func(t *tx) error {
			n, err := t.exec(`UPDATE jobs SET asked = 0 WHERE name = $1 AND asked = $2`, j.Name, j.Asked.Unix())
			if err == nil && n > 0 {
				names = append(names, j.Name)
			}
			return err
		})
		if err != nil {
			return names, err
		}
	}
	return names, nil
}

// HoldJob keeps others from running a job of the house for a while; false:
// another holds it. Who runs for longer holds it again, with again set. What is
// held for much longer was held by a clock that was ahead, and counts for nothing.
func (s *Store) HoldJob(ctx context.Context, name string, lease time.Duration, again bool) (held bool, err error) {
	err = s.write(ctx, func(t *tx) error {
		_, err := t.exec(`INSERT INTO jobs (name, schedule) VALUES ($1, '') ON CONFLICT (name) DO NOTHING`, name)
		if err != nil {
			return err
		}
		n, err := t.exec(`UPDATE jobs SET held_until = $2 WHERE name = $1 AND (held_until <= $3 OR held_until > $4 OR $5)`,
			name, t.now.Add(lease).Unix(), t.now.Unix(), t.now.Add(2*lease).Unix(), again)
		held = n > 0
		return err
	})
	return held, err
}

// FreeJob ends HoldJob.
func (s *Store) FreeJob(ctx context.Context, name string) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE jobs SET held_until = 0 WHERE name = $1`, name)
		return err
	})
}
