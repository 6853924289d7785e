package store

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// AddAppPassword makes one for a manager's device and tells it, this once.
// *Invalid for a name that is empty, too long or taken, and beyond
// maxAppPasswords.
func (s *Store) AddAppPassword(ctx context.Context, actor Actor, managerID int64, name string) (p AppPassword, password string, err error) {
	p.Name = strings.Join(strings.Fields(clean(name)), " ")
	if err := required("name", p.Name, 100); err != nil {
		return p, "", err
	}
	password = newAppPassword()
	bare, _ := bareAppPassword(password)
	err = s.write(ctx, func(t *tx) error {
		good, err := t.appPasswords("manager_id = $1 AND revoked = 0", managerID)
		if err != nil {
			return err
		}
		for _, other := range good {
			if other.Name == p.Name {
				return invalid("name", "%q has an app password already", clip(p.Name, 60))
			}
		}
		if len(good) >= maxAppPasswords {
			return invalid("name", "there are %d app passwords already", maxAppPasswords)
		}
		if _, err := t.exec(`DELETE FROM app_passwords WHERE manager_id = $1 AND revoked > 0 AND revoked < $2`, managerID, t.now.Add(-revokedAppsKept).Unix()); err != nil {
			return err
		}
		p.Created = t.now
		if err := t.row(`INSERT INTO app_passwords (manager_id, name, hash, created) VALUES ($1, $2, $3, $4) RETURNING id`,
			[]any{managerID, p.Name, tokenHash(bare), t.now.Unix()}, &p.ID); err != nil {
			return err
		}
		return t.remember(actor, "manager", managerID, "changed", changes{"app_password": {"", p.Name}})
	})
	if err != nil {
		return AppPassword{}, "", err
	}
	return p, password, nil
}

// RevokeAppPassword makes one open nothing any more, at once and in every
// daemon. ErrNotFound where the manager has no such good one.
func (s *Store) RevokeAppPassword(ctx context.Context, actor Actor, managerID, id int64) error {
	return s.write(ctx, func(t *tx) error {
		var name string
		if err := t.row(`UPDATE app_passwords SET revoked = $1 WHERE id = $2 AND manager_id = $3 AND revoked = 0 RETURNING name`,
			[]any{t.now.Unix(), id, managerID}, &name); err != nil {
			return err
		}
		return t.remember(actor, "manager", managerID, "changed", changes{"app_password": {name, ""}})
	})
}

// AppPasswords are the good ones of a manager, the oldest first.
func (s *Store) AppPasswords(ctx context.Context, managerID int64) (out []AppPassword, err error) {
	err = s.read(ctx, func(t *tx) error {
		out, err = t.appPasswords("manager_id = $1 AND revoked = 0", managerID)
		return err
	})
	return out, err
}

func (t *tx) appPasswords(where string, args ...any) (out []AppPassword, err error) {
	err = t.rows(`SELECT id, name, created, revoked, used, used_from FROM app_passwords WHERE `+where+` ORDER BY id`, args, func(scan func(...any) error) error {
		var p AppPassword
		err := scan(&p.ID, &p.Name, timeInto{&p.Created}, timeInto{&p.Revoked}, timeInto{&p.Used}, &p.UsedFrom)
		out = append(out, p)
		return err
	})
	return out, err
}

// CheckDevice verifies what a program sends for calendars and address books:
// an app password, else the login's own (CheckLogin, with its errors). A right
// app password is let in whatever others try, and a revoked one, which a
// forgotten phone sends for months, is refused without being taken for a guess.
func (s *Store) CheckDevice(ctx context.Context, login, password, remote string) (Manager, error) {
	bare, ok := bareAppPassword(password)
	if !ok || !isLogin(login) {
		return s.CheckLogin(ctx, login, password, remote)
	}
	login = strings.ToLower(login)
	now := s.now()
	// The key of no login: no login holds a NUL, so that pages never find it.
	k := s.logins.key("device\x00"+login, bare)
	at, told := s.Generation(ctx)
	if told {
		if m, ok := s.logins.manager(k, at, now); ok {
			return m, nil
		}
	}
	var p AppPassword
	var found managerRows
	err := s.glances(ctx, `SELECT `+managerColumns+`, p.id, p.revoked, p.used FROM `+managerTables+`
		JOIN app_passwords p ON p.manager_id = m.id WHERE p.hash = $1 AND m.login = $2 ORDER BY a.position`, []any{tokenHash(bare), login}, func(scan func(...any) error) error {
		return found.take(scan, &p.ID, timeInto{&p.Revoked}, timeInto{&p.Used})
	})
	switch {
	case err != nil:
		return Manager{}, fmt.Errorf("check app password: %w", err)
	case len(found) == 0: // a login's own password may look like that, too
		return s.CheckLogin(ctx, login, password, remote)
	case !p.Revoked.IsZero():
		s.refused(login, remote, "app password was revoked")
		return Manager{}, ErrBadLogin
	}
	m := found[0]
	if told {
		s.logins.put(k, "", now)
		s.logins.read(k, at, m)
	}
	if now.Sub(p.Used) >= appUsed {
		s.noteUse(p.ID, deviceUse{at: now.Truncate(appUsed), from: clip(remote, 60)})
	}
	return m, nil
}

// deviceUses are uses of app passwords to be noted, by id. No device waits for
// that, and those that come meanwhile are written together: at each full hour
// all devices of a fleet come.
type deviceUses struct {
	mu      sync.Mutex
	waiting map[int64]deviceUse // not nil: they are being written
	writing sync.WaitGroup
}

type deviceUse struct {
	at   time.Time
	from string
}

func (s *Store) noteUse(id int64, use deviceUse) {
	u := &s.uses
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.waiting == nil {
		u.waiting = map[int64]deviceUse{}
		u.writing.Go(s.writeUses)
	}
	u.waiting[id] = use
}

// writeUses writes what waits until nothing does.
func (s *Store) writeUses() {
	u := &s.uses
	for {
		u.mu.Lock()
		uses := u.waiting
		if u.waiting = nil; len(uses) > 0 {
			u.waiting = map[int64]deviceUse{}
		}
		u.mu.Unlock()
		if len(uses) == 0 {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		err := s.write(ctx, func(t *tx) error {
			for _, id := range sortedKeys(uses) { // in one order, whatever others write
				if _, err := t.exec(`UPDATE app_passwords SET used = $1, used_from = $2 WHERE id = $3`, uses[id].at.Unix(), uses[id].from, id); err != nil {
					return err
				}
			}
			return nil
		})
		cancel()
		if err != nil { // a full disk keeps nobody from reading a calendar
			s.log.Warn("the use of app passwords was not noted", "passwords", len(uses), "err", err)
		}
	}
}
