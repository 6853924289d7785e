package store

import (
	"strings"
	"time"
)

// bounce keeps what a report says, the newest for each recipient, and notes it
// on the contacts of the letter that came back, if that has been read.
func (t *tx) bounce(b *Bounce, at time.Time) error {
	key := clip(clean(b.Key), 1000)
	if key == "" {
		return nil
	}
	for _, u := range b.Recipients[:min(len(b.Recipients), maxUndelivered)] {
		address, err := Address(u.Address)
		if err != nil {
			address = ""
		}
		if gone, err := t.erasedSince(address, at); err != nil {
			return err
		} else if gone {
			continue
		}
		_, err = t.exec(`INSERT INTO bounces (message_key, address, status, reason, failed, dead, at) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (message_key, address) DO UPDATE SET status = $3, reason = $4, failed = $5, dead = $6, at = $7
			WHERE bounces.at < $7 OR bounces.at = $7 AND NOT bounces.failed`, // a warning and the end of it within one second
			key, clean(address), clip(clean(u.Status), 20), clip(strings.TrimSpace(clean(u.Reason)), 300), u.Failed, u.Dead(), unix(at))
		if err != nil {
			return err
		}
	}
	return t.bouncedLetter(key)
}

// bouncedLetter notes the reports of a letter on its contacts, and marks the
// addresses that are dead on their persons. Only who was among the letter's
// parties is marked: a report is as easily forged as any letter.
func (t *tx) bouncedLetter(key string) error {
	contacts, err := t.numbers(`SELECT id FROM contacts WHERE message_key = $1 AND message_key <> '' AND direction = 'out' ORDER BY id`, key)
	if err != nil || len(contacts) == 0 {
		return err
	}
	for _, id := range contacts {
		if err := t.resign(id); err != nil {
			return err
		}
	}
	var parties []string
	err = t.row(`SELECT parties FROM letter_texts WHERE message_key = $1`, []any{key}, jsonInto{&parties})
	if err != nil {
		return ignoreNotFound(err)
	}
	type mark struct {
		address string
		at      int64
	}
	var dead []mark
	err = t.rows(`SELECT address, at FROM bounces WHERE message_key = $1 AND dead AND address IN `+t.s.dialect.texts("$2"), []any{key, asJSON(parties)}, func(scan func(...any) error) error {
		var m mark
		err := scan(&m.address, &m.at)
		dead = append(dead, m)
		return err
	})
	if err != nil {
		return err
	}
	for _, m := range dead {
		err := t.pointChanged(`UPDATE person_points SET bounced = $1 WHERE kind = 'email' AND value = $2 AND bounced < $1 RETURNING person_id, bounced > heard`, m.at, m.address)
		if err != nil {
			return err
		}
	}
	return nil
}

// bounceSigns are what the reports say of a letter.
func (t *tx) bounceSigns(key string) (signs []Sign, err error) {
	err = t.rows(`SELECT address, status, reason, failed, at FROM bounces WHERE message_key = $1 ORDER BY at DESC, address LIMIT $2`, []any{key, maxSigns}, func(scan func(...any) error) error {
		s := Sign{Kind: SignDelayed}
		var status, reason string
		var failed bool
		if err := scan(&s.Who, &status, &reason, &failed, &s.At); err != nil {
			return err
		}
		if failed {
			s.Kind = SignBounced
		}
		if !strings.Contains(reason, status) {
			reason = status + " " + reason
		}
		s.What = clip(strings.TrimSpace(reason), 200)
		signs = append(signs, s)
		return nil
	})
	return signs, err
}

// bounced calls each for the addresses of persons that are marked.
func (t *tx) bounced(persons []int64, each func(id int64, address string)) error {
	return t.rows(`SELECT person_id, value FROM person_points WHERE person_id IN `+t.s.dialect.ids("$1")+` AND kind = 'email' AND bounced > heard ORDER BY person_id, position`,
		[]any{asJSON(persons)}, func(scan func(...any) error) error {
			var id int64
			var address string
			err := scan(&id, &address)
			each(id, address)
			return err
		})
}
