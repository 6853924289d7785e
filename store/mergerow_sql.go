package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// What a merge did, row by row: written down as it is done, read to undo it.

// clientRows are the tables whose rows are a client's and go with it. Whatever
// refers to clients must stand here or in clientRest; a test looks at the
// schema.
var clientRows = []clientTable{
	{"persons", "id", true},
	{"deals", "id", true},
	{"documents", "id", true},
	{"settlements", "document_id", false},
	{"contacts", "id", true},
	{"invitations", "uid", false},
	{"invitation_occurrences", "uid", false},
	{"book_entries", "id", false},
	{"merged_clients", "gone_id", false},
}

type clientTable struct {
	name, key string
	versioned bool // whoever reads it by changed and version must see it
}

// give writes the rows of a client that are as where says to another one.
func (r clientTable) give(t *tx, to, from int64, where string, args ...any) error {
	set, args := "", append([]any{to, from}, args...)
	if r.versioned {
		args = append(args, t.now.Unix())
		set = fmt.Sprintf(", changed = $%d, version = version + 1", len(args))
	}
	if _, err := t.exec(`UPDATE `+r.name+` SET client_id = $1`+set+` WHERE client_id = $2 AND `+where, args...); err != nil {
		return fmt.Errorf("%s: %w", r.name, err)
	}
	return nil
}

// clientRest are the other tables that name a client, and where it is said what
// becomes of them.
var clientRest = []string{
	"clients", "client_points", "classifications", // mergeFields
	"book_changes", "card_marks", // logs, told by touchCards
	"contact_managers", // relistMoved
	"merges",           // the trace
}

// noteRow writes down one row of a merge, 0: none; a row that is noted already
// keeps what it said first.
func (t *tx) noteRow(merge int64, what, record string, was any) error {
	if merge == 0 {
		return nil
	}
	text := ""
	if was != nil {
		text = asJSON(was)
	}
	_, err := t.exec(`INSERT INTO merge_rows (merge_id, what, record, was) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`, merge, what, record, text)
	return err
}

// take writes rows down whole and deletes them. keys are the columns of the
// table's key; all names are ours.
func (t *tx) take(merge int64, table string, keys []string, where string, args ...any) error {
	rows, err := t.QueryContext(t.ctx, `SELECT * FROM `+table+` WHERE `+where, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	taken := map[string]map[string]any{}
	for rows.Next() {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		row := map[string]any{}
		for i, name := range columns {
			if b, ok := values[i].([]byte); ok {
				values[i] = string(b)
			}
			row[name] = values[i]
		}
		var id []string
		for _, k := range keys {
			id = append(id, fmt.Sprint(row[k]))
		}
		taken[strings.Join(id, " ")] = row
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for id, row := range taken {
		if err := t.noteRow(merge, "taken "+table, id, row); err != nil {
			return err
		}
	}
	_, err = t.exec(`DELETE FROM `+table+` WHERE `+where, args...)
	return err
}

// giveBack inserts what take took.
func (t *tx) giveBack(merge int64, table string) error {
	return t.merged(merge, "taken "+table, func(_ string, was []byte) error {
		d := json.NewDecoder(bytes.NewReader(was))
		d.UseNumber()
		row := map[string]any{}
		if err := d.Decode(&row); err != nil {
			return err
		}
		var columns, params []string
		var args []any
		for k, v := range row {
			if n, ok := v.(json.Number); ok {
				i, err := n.Int64()
				if err != nil {
					return err
				}
				v = i
			}
			args = append(args, v)
			columns, params = append(columns, k), append(params, fmt.Sprintf("$%d", len(args)))
		}
		_, err := t.ExecContext(t.ctx, `INSERT INTO `+table+` (`+strings.Join(columns, ", ")+`) VALUES (`+strings.Join(params, ", ")+`) ON CONFLICT DO NOTHING`, args...)
		return err
	})
}

// merged calls each for the rows of a merge, in the order of their keys.
func (t *tx) merged(merge int64, what string, each func(row string, was []byte) error) error {
	type one struct{ row, was string }
	var all []one
	err := t.rows(`SELECT record, was FROM merge_rows WHERE merge_id = $1 AND what = $2 ORDER BY record`, []any{merge, what}, func(scan func(...any) error) error {
		var o one
		err := scan(&o.row, &o.was)
		all = append(all, o)
		return err
	})
	for _, o := range all {
		if err != nil {
			return err
		}
		err = each(o.row, []byte(o.was))
	}
	return err
}

// number is the id in a record of merge_rows, which we wrote.
func number(record string) int64 {
	n, _ := strconv.ParseInt(record, 10, 64)
	return n
}
