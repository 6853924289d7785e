package store

import (
	"context"
	"errors"
	"net/url"
	"strings"
)

// SaveReport keeps a report for its owner: a new one where id is 0, else that
// one is changed. *Invalid where something of it is not right, ErrConflict
// where the owner has another one of that name, ErrForbidden where the actor
// is neither the owner nor a head, ErrNotFound where there is no such report.
// Whether the report and its parameters can be computed and the schedule be
// kept is the caller's to ask.
func (s *Store) SaveReport(ctx context.Context, actor Actor, owner, id int64, edit SavedReportEdit) (saved SavedReport, err error) {
	err = s.write(ctx, func(t *tx) error {
		if id != 0 {
			old, err := t.ownSavedReport(actor, id)
			if err != nil {
				return err
			}
			owner = old.Owner.ID
			saved = old
		}
		m, err := t.manager("m.id = $1", owner)
		if err != nil {
			return err
		}
		e, err := edit.check(m)
		if err != nil {
			return err
		}
		if err := t.lock("managers", owner); err != nil {
			return err
		}
		var others, same int
		if err := t.row(`SELECT COUNT(*), COUNT(*) FILTER (WHERE name = $3) FROM saved_reports WHERE owner_id = $1 AND id <> $2`,
			[]any{owner, id, e.Name}, &others, &same); err != nil {
			return err
		}
		if same > 0 {
			return ErrConflict
		}
		if others >= maxSavedReports {
			return invalid("name", "%s has %d saved reports already", m.Login, others)
		}
		since := t.now
		if id != 0 && saved.Schedule == e.Schedule {
			since = saved.Since
		}
		if id == 0 {
			err = t.row(`INSERT INTO saved_reports (owner_id, name, report, params, schedule, since, attach, send_empty, nightly) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id`,
				[]any{owner, e.Name, e.Report, e.Params.Encode(), e.Schedule, since.Unix(), string(e.Attach), e.SendEmpty, e.Nightly}, &id)
		} else {
			_, err = t.exec(`UPDATE saved_reports SET name = $2, report = $3, params = $4, schedule = $5, since = $6, attach = $7, send_empty = $8, nightly = $9, version = version + 1 WHERE id = $1`,
				id, e.Name, e.Report, e.Params.Encode(), e.Schedule, since.Unix(), string(e.Attach), e.SendEmpty, e.Nightly)
		}
		if err != nil {
			return err
		}
		if err := t.saveRecipients(id, e.Recipients); err != nil {
			return err
		}
		saved, err = t.savedReport(id)
		return err
	})
	return saved, err
}

// saveRecipients gives a report those recipients and no others. An address of
// one of ours is that manager.
func (t *tx) saveRecipients(report int64, names []string) error {
	if _, err := t.exec(`DELETE FROM saved_report_recipients WHERE report_id = $1`, report); err != nil {
		return err
	}
	known := map[string]bool{}
	for _, name := range names {
		to := Recipient{}
		m, err := t.manager("m.login = $1", name)
		if errors.Is(err, ErrNotFound) && strings.Contains(name, "@") {
			if to.Address, err = Address(name); err != nil {
				return invalid("recipients", "%v", err)
			}
			m, err = t.manager("m.id = (SELECT manager_id FROM manager_addresses WHERE address = $1)", to.Address)
		}
		var manager any
		switch {
		case err == nil:
			to, manager = Recipient{Manager: m}, m.ID
		case !errors.Is(err, ErrNotFound):
			return err
		case to.Address == "":
			return invalid("recipients", "there is no manager %q", clip(name, 80))
		}
		if known[to.String()] {
			continue
		}
		known[to.String()] = true
		if _, err := t.exec(`INSERT INTO saved_report_recipients (report_id, manager_id, address) VALUES ($1, $2, $3)`, report, manager, to.Address); err != nil {
			return err
		}
	}
	return nil
}

// DropSavedReport takes a saved report away; errors as SaveReport.
func (s *Store) DropSavedReport(ctx context.Context, actor Actor, id int64) error {
	return s.write(ctx, func(t *tx) error {
		if _, err := t.ownSavedReport(actor, id); err != nil {
			return err
		}
		if err := t.saveRecipients(id, nil); err != nil {
			return err
		}
		_, err := t.exec(`DELETE FROM saved_reports WHERE id = $1`, id)
		return err
	})
}

// ownSavedReport is the report if the actor may change it: the owner, a head,
// or the command line.
func (t *tx) ownSavedReport(actor Actor, id int64) (SavedReport, error) {
	saved, err := t.savedReport(id)
	if err != nil || actor.ManagerID == 0 {
		return saved, err
	}
	who, err := t.manager("m.id = $1", actor.ManagerID)
	if err == nil && !who.Sees(saved.Owner.ID) {
		err = ErrForbidden
	}
	return saved, err
}

// SavedReports are those of the viewer, of all managers for a head, by owner
// and name, each with its last run.
func (s *Store) SavedReports(ctx context.Context, viewer Manager) (out []SavedReport, err error) {
	err = s.read(ctx, func(t *tx) error {
		if viewer.Role == RoleHead {
			out, err = t.savedReports("TRUE")
		} else {
			out, err = t.savedReports("r.owner_id = $1", viewer.ID)
		}
		for i := range out {
			if err == nil {
				err = ignoreNotFound(t.lastRun(&out[i]))
			}
		}
		return err
	})
	return out, err
}

// lastRun reads the newest run with the report's schedule. Older ones may be
// of a report that is gone: SQLite gives the last number again.
func (t *tx) lastRun(r *SavedReport) error {
	first := SavedReportSlot(r.ID, "") // "#5 ", and "!" comes behind " "
	return t.row(`SELECT slot, started, finished, outcome, detail FROM runs WHERE job = $1 AND owner_id = $2 AND slot >= $3 AND slot < $4 AND started >= $5 ORDER BY slot DESC LIMIT 1`,
		[]any{SavedReportsJob, r.Owner.ID, first, first[:len(first)-1] + "!", unix(r.Since)}, &r.Last.Slot, timeInto{&r.Last.Started}, timeInto{&r.Last.Finished}, &r.Last.Outcome, &r.Last.Detail)
}

// SavedReport by its number, for one who may see it; else ErrNotFound.
func (s *Store) SavedReport(ctx context.Context, viewer Manager, id int64) (saved SavedReport, err error) {
	err = s.read(ctx, func(t *tx) error {
		if saved, err = t.savedReport(id); err == nil && !viewer.Sees(saved.Owner.ID) {
			err = ErrNotFound
		}
		return err
	})
	return saved, err
}

// ScheduledReports are all saved reports that have a schedule.
func (s *Store) ScheduledReports(ctx context.Context) (out []SavedReport, err error) {
	err = s.read(ctx, func(t *tx) error {
		out, err = t.savedReports("r.schedule <> ''")
		return err
	})
	return out, err
}

func (t *tx) savedReport(id int64) (SavedReport, error) {
	all, err := t.savedReports("r.id = $1", id)
	if err == nil && len(all) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return SavedReport{}, err
	}
	return all[0], nil
}

func (t *tx) savedReports(where string, args ...any) ([]SavedReport, error) {
	var out []SavedReport
	at := map[int64]int{}
	err := t.rows(`SELECT r.id, r.owner_id, r.name, r.report, r.params, r.schedule, r.since, r.attach, r.send_empty, r.nightly, r.version
		FROM saved_reports r JOIN managers m ON m.id = r.owner_id WHERE `+where+` ORDER BY m.name, m.id, r.name`, args, func(scan func(...any) error) error {
		var r SavedReport
		var params string
		if err := scan(&r.ID, &r.Owner.ID, &r.Name, &r.Report, &params, &r.Schedule, timeInto{&r.Since}, &r.Attach, &r.SendEmpty, &r.Nightly, &r.Version); err != nil {
			return err
		}
		var err error
		if r.Params, err = url.ParseQuery(params); err != nil {
			return err
		}
		at[r.ID] = len(out)
		out = append(out, r)
		return nil
	})
	if err != nil || len(out) == 0 {
		return nil, err
	}
	known := map[int64]Manager{}
	managers, err := t.managers("TRUE")
	if err != nil {
		return nil, err
	}
	for _, m := range managers {
		known[m.ID] = m
	}
	for i := range out {
		out[i].Owner = known[out[i].Owner.ID]
	}
	err = t.rows(`SELECT p.report_id, COALESCE(p.manager_id, 0), p.address FROM saved_report_recipients p
		JOIN saved_reports r ON r.id = p.report_id LEFT JOIN managers m ON m.id = p.manager_id
		WHERE `+where+` ORDER BY p.report_id, CASE WHEN p.manager_id IS NULL THEN 1 ELSE 0 END, m.login, p.address`, args, func(scan func(...any) error) error {
		var report, manager int64
		var p Recipient
		if err := scan(&report, &manager, &p.Address); err != nil {
			return err
		}
		p.Manager = known[manager]
		out[at[report]].Recipients = append(out[at[report]].Recipients, p)
		return nil
	})
	return out, err
}
