package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// maxSelected is how many clients one page of a selection may have.
const maxSelected = 1000

// SelectClients gives a page of the clients that the selection picks and the
// viewer may see, by name, those after the client with the id after (0: from
// the first). loc is the zone of LastContactBefore. more reports whether there
// are further ones.
func (s *Store) SelectClients(ctx context.Context, viewer Manager, sel Selection, loc *time.Location, after int64, limit int) (out []SelectedClient, more bool, err error) {
	if limit <= 0 || limit > maxSelected {
		limit = maxSelected
	}
	if sel.Attributes, err = sel.Attributes.tidy(); err != nil {
		return nil, false, err
	}
	err = s.read(ctx, func(t *tx) error {
		ids, err := t.selected(viewer, sel, loc, after, limit+1)
		if err != nil {
			return err
		}
		if more = len(ids) > limit; more {
			ids = ids[:limit]
		}
		if len(ids) == 0 {
			return nil
		}
		in := t.s.dialect.ids("$1")
		clients, err := t.clients(`WHERE cl.id IN `+in+` ORDER BY cl.folded, cl.id`, asJSON(ids))
		if err != nil {
			return err
		}
		type rest struct {
			manager string
			last    time.Time
		}
		known := map[int64]rest{}
		err = t.rows(`SELECT cl.id, COALESCE(m.login, ''), `+lastContact+` FROM clients cl LEFT JOIN managers m ON m.id = cl.manager_id WHERE cl.id IN `+in, []any{asJSON(ids)}, func(scan func(...any) error) error {
			var id int64
			var r rest
			err := scan(&id, &r.manager, timeInto{&r.last})
			known[id] = r
			return err
		})
		for _, c := range clients {
			out = append(out, SelectedClient{Client: c, Manager: known[c.ID].manager, LastContact: known[c.ID].last})
		}
		return err
	})
	return out, more, err
}

// errEnough ends the reading of rows.
var errEnough = errors.New("enough")

// lastContact is when the last done contact of clients cl began, 0 for none.
const lastContact = `COALESCE((SELECT c.start_at FROM contacts c WHERE c.client_id = cl.id AND c.state = 'done' ORDER BY c.start_at DESC LIMIT 1), 0)`

// selected gives the ids of the clients of a page. Attributes are compared
// here, so that a selection and a calendar's filter mean the same: SQLite folds
// no Cyrillic.
func (t *tx) selected(viewer Manager, sel Selection, loc *time.Location, after int64, limit int) (ids []int64, err error) {
	var args []any
	arg := func(v any) string {
		args = append(args, v)
		return fmt.Sprintf("$%d", len(args))
	}
	where := []string{"TRUE"}
	oneOf := func(column string, values []string) {
		if len(values) == 0 {
			return
		}
		list := make([]string, len(values))
		for i, v := range values {
			if list[i] = v; v == NoneOf {
				list[i] = ""
			}
		}
		if len(list) == 1 { // so that the index also sorts
			where = append(where, column+" = "+arg(list[0]))
		} else {
			where = append(where, column+" IN "+t.s.dialect.texts(arg(asJSON(list))))
		}
	}
	oneOf("cl.abc", sel.Classes)
	oneOf("cl.stage", sel.Stages)
	oneOf("cl.xyz", sel.Variations)
	importances := make([]string, len(sel.Importances))
	for i, v := range sel.Importances {
		importances[i] = string(v)
	}
	oneOf("cl.importance", importances)
	if len(sel.Managers) > 0 {
		managers, nobody := []int64{}, false
		for _, login := range sel.Managers {
			if login == NoneOf {
				nobody = true
				continue
			}
			m, err := t.manager("m.login = $1", login)
			if err != nil {
				if ignoreNotFound(err) == nil {
					err = invalid("manager", "there is no manager %q", clip(login, 80))
				}
				return nil, err
			}
			managers = append(managers, m.ID)
		}
		is := "cl.manager_id IN " + t.s.dialect.ids(arg(asJSON(managers)))
		if nobody {
			is += " OR cl.manager_id IS NULL"
		}
		where = append(where, "("+is+")")
	}
	if name := fold(clip(sel.Name, 200)); name != "" {
		where = append(where, `cl.folded LIKE `+arg("%"+likeEscaper.Replace(name)+"%")+` ESCAPE '\'`)
	}
	if sel.LastContactBefore != "" {
		where = append(where, lastContact+" < "+arg(sel.LastContactBefore.In(loc).Unix()))
	}
	seen := conditions{args: args}
	if err := t.seenClients(&seen, viewer); err != nil {
		return nil, err
	}
	where, args = append(where, seen.parts...), seen.args
	if after != 0 {
		where = append(where, `(cl.folded, cl.id) > (SELECT a.folded, a.id FROM clients a WHERE a.id = `+arg(after)+`)`)
	}
	tail := ""
	if len(sel.Attributes) == 0 {
		tail = " LIMIT " + arg(limit)
	} else {
		where = append(where, "cl.attributes <> '{}'")
	}
	err = t.rows(`SELECT cl.id, cl.attributes FROM clients cl WHERE `+strings.Join(where, " AND ")+` ORDER BY cl.folded, cl.id`+tail, args, func(scan func(...any) error) error {
		var id int64
		var attributes string
		if err := scan(&id, &attributes); err != nil {
			return err
		}
		if !sel.Attributes.match(attributes) {
			return nil
		}
		if ids = append(ids, id); len(ids) == limit {
			return errEnough
		}
		return nil
	})
	if err == errEnough {
		err = nil
	}
	return ids, err
}

// likeEscaper takes their meaning from the signs of LIKE.
var likeEscaper = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)
