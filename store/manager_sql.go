package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Managers lists all managers by name.
func (s *Store) Managers(ctx context.Context) ([]Manager, error) {
	var out []Manager
	err := s.read(ctx, func(t *tx) (err error) {
		out, err = t.managers("TRUE")
		return err
	})
	return out, err
}

// Manager by id; ErrNotFound.
func (s *Store) Manager(ctx context.Context, id int64) (m Manager, err error) {
	err = s.read(ctx, func(t *tx) error {
		m, err = t.manager("m.id = $1", id)
		return err
	})
	return m, err
}

// ManagerByLogin; ErrNotFound.
func (s *Store) ManagerByLogin(ctx context.Context, login string) (m Manager, err error) {
	err = s.read(ctx, func(t *tx) error {
		m, err = t.manager("m.login = $1", strings.ToLower(login))
		return err
	})
	return m, err
}

func (t *tx) manager(where string, args ...any) (Manager, error) {
	all, err := t.managers(where, args...)
	if err != nil {
		return Manager{}, err
	}
	if len(all) == 0 {
		return Manager{}, ErrNotFound
	}
	return all[0], nil
}

// What is read of managers, of each as many rows as addresses, one after the other.
const (
	managerColumns = `m.id, m.external_id, m.login, m.name, m.role, m.time_zone, m.language, m.created, m.version, m.reminders, m.work_hours, a.address`
	managerTables  = `managers m LEFT JOIN manager_addresses a ON a.manager_id = m.id`
)

// managerRows are managers as they are read.
type managerRows []Manager

// take reads a row of managerColumns and what follows them.
func (all *managerRows) take(scan func(...any) error, more ...any) error {
	var m Manager
	var address, hours string
	if err := scan(append([]any{&m.ID, textInto{&m.ExternalID}, &m.Login, &m.Name, &m.Role, &m.TimeZone, &m.Language,
		timeInto{&m.Created}, &m.Version, jsonInto{&m.Reminders}, &hours, textInto{&address}}, more...)...); err != nil {
		return err
	}
	m.WorkHours, _ = ParseWorkHours(hours) // "" is none
	if n := len(*all); n == 0 || (*all)[n-1].ID != m.ID {
		*all = append(*all, m)
	}
	if address != "" {
		last := &(*all)[len(*all)-1]
		last.Emails = append(last.Emails, address)
	}
	return nil
}

func (t *tx) managers(where string, args ...any) ([]Manager, error) {
	var all managerRows
	err := t.rows(`SELECT `+managerColumns+` FROM `+managerTables+` WHERE `+where+` ORDER BY m.name, m.id, a.position`, args, func(scan func(...any) error) error {
		return all.take(scan)
	})
	return all, err
}

// houseHours takes a manager's own working hours away.
const houseHours = "house"

var loginShape = regexp.MustCompile(`^[a-z0-9][a-z0-9._@-]{0,62}$`)

// check gives the manager that the row describes, with defaults; the first
// fault as *Invalid.
func (row ManagerRow) check() (Manager, error) {
	m := Manager{
		ExternalID: strings.TrimSpace(row.ID), Login: strings.ToLower(strings.TrimSpace(row.Login)),
		Name: strings.TrimSpace(clean(row.Name)), Role: Role(cmp.Or(row.Role, string(RoleManager))),
		TimeZone: cmp.Or(row.TimeZone, "UTC"), Language: Language(cmp.Or(row.Language, string(Russian))),
	}
	if m.Login == "" {
		m.Login = strings.ToLower(m.ExternalID)
	}
	if !loginShape.MatchString(m.Login) {
		return m, invalid("login", "%q: a login has letters a–z, digits and . _ @ -, and begins with a letter or digit", clip(row.Login, 80))
	}
	if m.Name == "" {
		m.Name = m.Login
	}
	if len(m.Name) > 200 {
		return m, invalid("name", "longer than 200 bytes")
	}
	if m.Role != RoleManager && m.Role != RoleHead {
		return m, invalid("role", "%q is neither manager nor head", clip(row.Role, 40))
	}
	if m.Language != Russian && m.Language != English {
		return m, invalid("language", "%q is neither ru nor en", clip(row.Language, 40))
	}
	if _, err := time.LoadLocation(m.TimeZone); err != nil || m.TimeZone == "Local" {
		return m, invalid("time_zone", "%q is not a zone like Europe/Moscow", clip(m.TimeZone, 60))
	}
	if row.WorkHours != "" && row.WorkHours != houseHours {
		var err error
		if m.WorkHours, err = ParseWorkHours(row.WorkHours); err != nil {
			return m, invalid("work_hours", "%v", err)
		}
	}
	for _, e := range row.Emails {
		a, err := Address(e)
		if err != nil {
			return m, invalid("email", "%v", err)
		}
		if !slices.Contains(m.Emails, a) {
			m.Emails = append(m.Emails, a)
		}
	}
	return m, nil
}

// SaveManager makes or changes a manager by ID or Login, with the default
// calendars. What the row leaves empty is kept.
func (s *Store) SaveManager(ctx context.Context, actor Actor, row ManagerRow) (m Manager, change RowChange, err error) {
	err = s.write(ctx, func(t *tx) error {
		var id int64
		if id, change, err = t.saveManager(actor, row); err != nil {
			return err
		}
		m, err = t.manager("m.id = $1", id)
		return err
	})
	return m, change, err
}

// SaveManagers is SaveManager for several, in one transaction.
func (s *Store) SaveManagers(ctx context.Context, actor Actor, rows []ManagerRow) error {
	return s.write(ctx, func(t *tx) error {
		var changed []int64
		for _, row := range rows {
			id, change, err := t.saveManagerRow(actor, row)
			if err != nil {
				return fmt.Errorf("save manager %s: %w", row.Login, err)
			}
			if change != RowUnchanged {
				changed = append(changed, id)
			}
		}
		return t.managersChanged(changed...)
	})
}

func (t *tx) saveManager(actor Actor, row ManagerRow) (int64, RowChange, error) {
	id, change, err := t.saveManagerRow(actor, row)
	if err == nil && change != RowUnchanged {
		err = t.managersChanged(id)
	}
	return id, change, err
}

// managersChanged does what changed managers call for.
func (t *tx) managersChanged(ids ...int64) error {
	if len(ids) == 0 {
		return nil
	}
	if err := t.directoryChanged(); err != nil {
		return err
	}
	for _, id := range ids {
		if err := t.defaultCalendars(id); err != nil {
			return err
		}
	}
	return nil
}

// saveManagerRow saves the manager alone; managersChanged follows.
func (t *tx) saveManagerRow(actor Actor, row ManagerRow) (int64, RowChange, error) {
	old, err := Manager{}, error(ErrNotFound)
	if row.ID != "" {
		old, err = t.manager("m.external_id = $1", strings.TrimSpace(row.ID))
	}
	if errors.Is(err, ErrNotFound) {
		login := cmp.Or(row.Login, row.ID)
		old, err = t.manager("m.login = $1", strings.ToLower(strings.TrimSpace(login)))
	}
	found := err == nil
	if err != nil && !errors.Is(err, ErrNotFound) {
		return 0, "", err
	}
	if found { // what the row does not say stays
		row.ID, row.Login, row.Name = cmp.Or(row.ID, old.ExternalID), cmp.Or(row.Login, old.Login), cmp.Or(row.Name, old.Name)
		row.Role, row.TimeZone, row.Language = cmp.Or(row.Role, string(old.Role)), cmp.Or(row.TimeZone, old.TimeZone), cmp.Or(row.Language, string(old.Language))
		row.WorkHours = cmp.Or(row.WorkHours, old.WorkHours.String())
		if len(row.Emails) == 0 {
			row.Emails = old.Emails
		}
	}
	m, err := row.check()
	if err != nil {
		return 0, "", err
	}
	for _, a := range m.Emails {
		var holder int64
		err := t.row(`SELECT manager_id FROM manager_addresses WHERE address = $1`, []any{a}, &holder)
		if err == nil && holder != old.ID {
			return 0, "", invalid("email", "%s belongs to another manager", a)
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return 0, "", err
		}
	}
	if other, err := t.manager("m.login = $1", m.Login); err == nil && other.ID != old.ID {
		return 0, "", invalid("login", "%s belongs to another manager", m.Login)
	}
	c := changes{}
	c.note("login", old.Login, m.Login)
	c.note("name", old.Name, m.Name)
	c.note("role", string(old.Role), string(m.Role))
	c.note("time_zone", old.TimeZone, m.TimeZone)
	c.note("work_hours", old.WorkHours.String(), m.WorkHours.String())
	c.note("language", string(old.Language), string(m.Language))
	c.note("emails", strings.Join(old.Emails, " "), strings.Join(m.Emails, " "))
	c.note("external_id", old.ExternalID, m.ExternalID)
	if found && len(c) == 0 {
		return old.ID, RowUnchanged, nil
	}
	change, verb := RowChanged, "changed"
	if found {
		m.ID = old.ID
		_, err = t.exec(`UPDATE managers SET external_id = $1, login = $2, name = $3, role = $4, time_zone = $5, language = $6, work_hours = $7, version = version + 1 WHERE id = $8`,
			key(m.ExternalID), m.Login, m.Name, string(m.Role), m.TimeZone, string(m.Language), m.WorkHours.String(), m.ID)
	} else {
		change, verb = RowNew, "created"
		err = t.row(`INSERT INTO managers (external_id, login, name, role, time_zone, language, work_hours, created) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id`,
			[]any{key(m.ExternalID), m.Login, m.Name, string(m.Role), m.TimeZone, string(m.Language), m.WorkHours.String(), t.now.Unix()}, &m.ID)
	}
	if err != nil {
		return 0, "", err
	}
	if _, err := t.exec(`DELETE FROM manager_addresses WHERE manager_id = $1`, m.ID); err != nil {
		return 0, "", err
	}
	for i, a := range m.Emails {
		if _, err := t.exec(`INSERT INTO manager_addresses (address, manager_id, position) VALUES ($1, $2, $3)`, a, m.ID, i); err != nil {
			return 0, "", err
		}
	}
	if err := t.remember(actor, "manager", m.ID, verb, c); err != nil {
		return 0, "", err
	}
	if found && (old.TimeZone != m.TimeZone || old.Language != m.Language || old.Role != m.Role) {
		if err := t.refill("kind IN ('filter', 'team') AND manager_id = $1", m.ID); err != nil { // those that show others' contacts
			return 0, "", err
		}
		if err := t.refreshManager(m.ID); err != nil {
			return 0, "", err
		}
	}
	return m.ID, change, nil
}
