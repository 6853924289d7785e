package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"
)

// The directory of addresses: who is ours, who is a client. Its version grows
// with every change, so that mailsync can keep a snapshot.

func (t *tx) setting(name string) (string, error) {
	var v string
	err := t.row(`SELECT value FROM settings WHERE name = $1`, []any{name}, &v)
	return v, ignoreNotFound(err)
}

func (t *tx) set(name, value string) error {
	_, err := t.exec(`INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = $2`, name, value)
	return err
}

// directoryChanged makes snapshots of Parties stale.
func (t *tx) directoryChanged() error {
	_, err := t.exec(`INSERT INTO settings (name, value) VALUES ('directory', '1')
		ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(settings.value AS BIGINT) + 1 AS TEXT)`)
	return err
}

// SetCompany keeps the company's own domains and the block list (addresses
// and domains) of the settings.
func (s *Store) SetCompany(ctx context.Context, domains, blocked []string) error {
	own := []string{}
	for _, d := range domains {
		domain, err := Domain(d)
		if err != nil {
			return invalid("domains", "%v", err)
		}
		own = append(own, domain)
	}
	list := []string{}
	for _, b := range blocked {
		v, err := BlockValue(b)
		if err != nil {
			return err
		}
		list = append(list, v)
	}
	slices.Sort(own)
	slices.Sort(list)
	text := asJSON([2][]string{own, list})
	return s.write(ctx, func(t *tx) error {
		was, err := t.setting("company")
		if err != nil || was == text {
			return err
		}
		if _, err := t.exec(`DELETE FROM blocked`); err != nil {
			return err
		}
		for _, v := range slices.Compact(list) {
			if _, err := t.exec(`INSERT INTO blocked (value) VALUES ($1)`, v); err != nil {
				return err
			}
		}
		if err := t.set("company", text); err != nil {
			return err
		}
		return t.directoryChanged()
	})
}

// PartiesVersion is cheap to ask: it differs from Parties.Version when a new
// snapshot is due.
func (s *Store) PartiesVersion(ctx context.Context) (v int64, err error) {
	err = s.read(ctx, func(t *tx) error {
		v, err = t.directoryVersion()
		return err
	})
	return v, err
}

func (t *tx) directoryVersion() (int64, error) {
	text, err := t.setting("directory")
	if err != nil || text == "" {
		return 0, err
	}
	return strconv.ParseInt(text, 10, 64)
}

// Parties is a snapshot of the addresses that decide to whom a letter belongs.
func (s *Store) Parties(ctx context.Context) (*Parties, error) {
	p := &Parties{OwnAddrs: map[string]int64{}, OwnHosts: map[string]bool{}, ByAddr: map[string][]int64{}, ByDomain: map[string][]int64{},
		Blocked: map[string]bool{}, FreeMail: FreeMail(), Zones: map[int64]string{}}
	err := s.read(ctx, func(t *tx) (err error) {
		if p.Version, err = t.directoryVersion(); err != nil {
			return err
		}
		pairs := func(query string, each func(value string, id int64)) {
			if err == nil {
				err = t.rows(query, nil, func(scan func(...any) error) error {
					var value string
					var id int64
					err := scan(&value, idInto{&id})
					each(value, id)
					return err
				})
			}
		}
		add := func(m map[string][]int64) func(string, int64) {
			return func(value string, id int64) {
				if !slices.Contains(m[value], id) {
					m[value] = append(m[value], id)
				}
			}
		}
		pairs(`SELECT address, manager_id FROM manager_addresses`, func(a string, id int64) { p.OwnAddrs[a] = id })
		pairs(`SELECT value, client_id FROM client_points WHERE kind = 'email' ORDER BY client_id`, add(p.ByAddr))
		pairs(`SELECT pp.value, p.client_id FROM person_points pp JOIN persons p ON p.id = pp.person_id WHERE pp.kind = 'email' ORDER BY p.client_id`, add(p.ByAddr))
		pairs(`SELECT value, client_id FROM client_points WHERE kind = 'domain' ORDER BY client_id`, add(p.ByDomain))
		pairs(`SELECT value, 0 FROM blocked UNION ALL SELECT value, 0 FROM blocked_by_hand`, func(v string, _ int64) { p.Blocked[v] = true })
		pairs(`SELECT time_zone, id FROM managers`, func(zone string, id int64) { p.Zones[id] = zone })
		if err != nil {
			return err
		}
		var company [2][]string
		if err := t.row(`SELECT value FROM settings WHERE name = 'company'`, nil, jsonInto{&company}); ignoreNotFound(err) != nil {
			return err
		}
		for _, d := range company[0] {
			p.OwnHosts[d] = true
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read directory: %w", err)
	}
	return p, nil
}
