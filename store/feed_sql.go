package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
)

// Feeds: calendars at secret addresses.

// feedHash is how a secret is kept. It is 130 random bits, so that a plain
// hash is enough, and looking a hash up tells a stranger by its time nothing
// about the secrets that there are.
func feedHash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// MakeFeed gives a calendar of the actor's home a secret address, in place of
// the one that it had. The secret is told this once. ErrNotFound where there
// is no such calendar, *Invalid for one of tasks.
func (s *Store) MakeFeed(ctx context.Context, actor Actor, collectionID int64) (secret string, err error) {
	secret = rand.Text()[:secretSize]
	err = s.write(ctx, func(t *tx) error {
		c, err := t.collection("k.id = $1 AND k.manager_id = $2", collectionID, actor.ManagerID)
		if err != nil {
			return err
		}
		if !c.Component.Holds(VEvent) {
			return invalid("calendar", "holds tasks, which programs that read feeds do not show")
		}
		if _, err := t.exec(`DELETE FROM feeds WHERE collection_id = $1`, c.ID); err != nil {
			return err
		}
		_, err = t.exec(`INSERT INTO feeds (secret_hash, collection_id, made) VALUES ($1, $2, $3)`, feedHash(secret), c.ID, t.now.Unix())
		return err
	})
	return secret, err
}

// RevokeFeed makes a calendar's secret address lead nowhere. ErrNotFound where
// the actor has no such calendar, or it no feed.
func (s *Store) RevokeFeed(ctx context.Context, actor Actor, collectionID int64) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec(`DELETE FROM feeds WHERE collection_id = $1 AND collection_id IN (SELECT id FROM collections WHERE manager_id = $2)`, collectionID, actor.ManagerID)
		if err == nil && n == 0 {
			return ErrNotFound
		}
		return err
	})
}

// Feeds are those of a manager's calendars, by the calendar's id; ID, Made and
// Used are set.
func (s *Store) Feeds(ctx context.Context, managerID int64) (map[int64]Feed, error) {
	feeds := map[int64]Feed{}
	err := s.read(ctx, func(t *tx) error {
		return t.rows(`SELECT f.collection_id, f.made, f.used FROM feeds f JOIN collections k ON k.id = f.collection_id WHERE k.manager_id = $1`,
			[]any{managerID}, func(scan func(...any) error) error {
				var f Feed
				if err := scan(&f.ID, timeInto{&f.Made}, timeInto{&f.Used}); err != nil {
					return err
				}
				feeds[f.ID] = f
				return nil
			})
	})
	return feeds, err
}

// Feed finds a feed by its secret and notes that it was read. ErrNotFound for
// a secret that is none, or no longer.
func (s *Store) Feed(ctx context.Context, secret string) (f Feed, err error) {
	if !isFeedSecret(secret) {
		return f, ErrNotFound
	}
	hash, now := feedHash(secret), s.Now()
	err = s.read(ctx, func(t *tx) error {
		if err := t.row(`SELECT collection_id, made, used FROM feeds WHERE secret_hash = $1`, []any{hash}, &f.ID, timeInto{&f.Made}, timeInto{&f.Used}); err != nil {
			return err
		}
		if f.Collection, err = t.collection("k.id = $1", f.ID); err != nil {
			return err
		}
		if f.Owner, err = t.manager("m.id = $1", f.Collection.ManagerID); err != nil {
			return err
		}
		err := t.row(`SELECT changed FROM entries WHERE collection_id = $1 ORDER BY change DESC LIMIT 1`, []any{f.ID}, timeInto{&f.Changed})
		if ignoreNotFound(err) != nil {
			return err
		}
		err = t.row(`SELECT begins FROM entries WHERE collection_id = $1 AND begins > 0 AND NOT gone ORDER BY begins LIMIT 1`, []any{f.ID}, timeInto{&f.First})
		return ignoreNotFound(err)
	})
	if err != nil || now.Sub(f.Used) < feedUsed {
		return f, err
	}
	f.Used = now
	err = s.write(ctx, func(t *tx) error {
		n, err := t.exec(`UPDATE feeds SET used = $1 WHERE secret_hash = $2`, now.Unix(), hash)
		if err == nil && n == 0 {
			return ErrNotFound // revoked in between
		}
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return Feed{}, err
	}
	return f, err
}
