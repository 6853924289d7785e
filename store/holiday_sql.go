package store

import (
	"context"
	"slices"
)

// SaveHolidays replaces what was fetched from an address, and reports how many
// days are new or different, or gone.
func (s *Store) SaveHolidays(ctx context.Context, source string, days []Holiday) (changed int, err error) {
	err = s.write(ctx, func(t *tx) error {
		changed = 0
		old := map[Date]Holiday{}
		all, err := t.holidays()
		if err != nil {
			return err
		}
		for _, d := range all[source] {
			old[d.Day] = d
		}
		for _, d := range days[:min(len(days), MaxHolidays)] {
			d.Name = clip(clean(d.Name), 200)
			if old[d.Day] != d {
				changed++
				_, err := t.exec(`INSERT INTO holidays (source, day, working, name) VALUES ($1, $2, $3, $4)
					ON CONFLICT (source, day) DO UPDATE SET working = $3, name = $4`, source, string(d.Day), d.Working, d.Name)
				if err != nil {
					return err
				}
			}
			delete(old, d.Day)
		}
		changed += len(old)
		for day := range old {
			if _, err := t.exec(`DELETE FROM holidays WHERE source = $1 AND day = $2`, source, string(day)); err != nil {
				return err
			}
		}
		return nil
	})
	return changed, err
}

// KeepHolidays forgets what came from other addresses than these.
func (s *Store) KeepHolidays(ctx context.Context, sources []string) error {
	return s.write(ctx, func(t *tx) error {
		all, err := t.holidays()
		if err != nil {
			return err
		}
		for source := range all {
			if !slices.Contains(sources, source) {
				if _, err := t.exec(`DELETE FROM holidays WHERE source = $1`, source); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// Holidays are the days of the addresses that the store was opened for, in
// their order, and those of the settings, which win.
func (s *Store) Holidays(ctx context.Context) (h *Holidays, err error) {
	err = s.read(ctx, func(t *tx) error {
		h, err = t.allHolidays()
		return err
	})
	return h, err
}

func (t *tx) allHolidays() (*Holidays, error) {
	opt := &t.s.opt.Holidays
	calendars := [][]Holiday{opt.Shipped}
	fetched, err := t.holidays()
	for _, source := range opt.Addresses {
		calendars = append(calendars, fetched[source])
	}
	return NewHolidays(append(calendars, opt.Own)...), err
}

// holidays are all that was fetched, by address.
func (t *tx) holidays() (map[string][]Holiday, error) {
	out := map[string][]Holiday{}
	err := t.rows(`SELECT source, day, working, name FROM holidays ORDER BY source, day`, nil, func(scan func(...any) error) error {
		var source string
		var d Holiday
		err := scan(&source, &d.Day, &d.Working, &d.Name)
		out[source] = append(out[source], d)
		return err
	})
	return out, err
}
