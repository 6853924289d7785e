package store_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"intouch/store"
	"intouch/store/storetest"
)

// stays are the tables whose rows a move is right to leave where they are. A
// table of the schema that is neither here nor carried fails TestMove.
var stays = []string{"daemons", "goose_db_version", "outbox_lock", "search_clients", "search_contacts", "search_deals", "search_persons"}

// moveDB is a database looked into beside the store.
type moveDB struct {
	*sql.DB
	testing.TB
	url      string
	postgres bool
}

func lookInto(t testing.TB, url string) *moveDB {
	t.Helper()
	driver, dsn := "pgx", url
	file, isFile := strings.CutPrefix(url, "sqlite:")
	if isFile {
		driver, dsn = "sqlite", "file:"+file+"?_pragma=busy_timeout(10000)"
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	if !isFile {
		db.SetMaxIdleConns(0) // a move wants nobody else to be connected
	}
	t.Cleanup(func() { db.Close() })
	return &moveDB{db, t, url, !isFile}
}

func (d *moveDB) do(query string, args ...any) {
	d.Helper()
	if _, err := d.Exec(query, args...); err != nil {
		d.Fatalf("%s: %v", query, err)
	}
}

// all are the rows of a query, each as its values.
func (d *moveDB) all(query string, args ...any) (out [][]any) {
	d.Helper()
	rows, err := d.Query(query, args...)
	if err != nil {
		d.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	cols, err := rows.Columns()
	if err != nil {
		d.Fatal(err)
	}
	for rows.Next() {
		row, into := make([]any, len(cols)), make([]any, len(cols))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			d.Fatal(err)
		}
		out = append(out, row)
	}
	if err := rows.Err(); err != nil {
		d.Fatal(err)
	}
	return out
}

func (d *moveDB) tables() (names []string) {
	d.Helper()
	q := `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT LIKE 'search\_%\_%' ESCAPE '\' ORDER BY name`
	if d.postgres {
		q = `SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public' ORDER BY table_name COLLATE "C"`
	}
	for _, row := range d.all(q) {
		names = append(names, row[0].(string))
	}
	return names
}

// hashes are the rows of a table as hashes in order. Column by column their
// values are brought to one form; texts as PostgreSQL can hold them.
func (d *moveDB) hashes(table string, columns, types []string) (out []string) {
	d.Helper()
	for _, row := range d.all(`SELECT ` + strings.Join(columns, ", ") + ` FROM ` + table) {
		var all strings.Builder
		for i, v := range row {
			switch {
			case v == nil:
			case types[i] == "BOOLEAN":
				v = v == true || v == int64(1)
			case types[i] == "TEXT":
				v = strings.ReplaceAll(strings.ToValidUTF8(fmt.Sprintf("%s", v), "\uFFFD"), "\x00", "")
			}
			fmt.Fprintf(&all, "%T %q,", v, fmt.Sprint(v))
		}
		if table == "settings" && strings.Contains(all.String(), `"search words"`) {
			continue
		}
		out = append(out, fmt.Sprintf("%x %.60s", sha256.Sum256([]byte(all.String())), all.String()))
	}
	slices.Sort(out)
	return out
}

// shape is what the schema says beside the tables' rows.
func (d *moveDB) shape() (out []string) {
	d.Helper()
	queries := []string{`SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name`}
	if d.postgres {
		queries = []string{
			`SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1`,
			`SELECT conrelid::regclass::text || ' ' || conname || ' ' || pg_get_constraintdef(oid) || ' ' || convalidated FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1`,
			`SELECT table_name::text || ' ' || column_name || ' ' || data_type || ' ' || is_nullable FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1`,
		}
	}
	for _, q := range queries {
		for _, row := range d.all(q) {
			out = append(out, row[0].(string))
		}
	}
	return out
}

// column of a table in SQLite.
type oddColumn struct {
	name, typ        string
	nullable, refers bool
	key              bool
}

func (d *moveDB) columns(table string) (out []oddColumn) {
	d.Helper()
	refers := map[string]bool{}
	for _, row := range d.all(`SELECT "from" FROM pragma_foreign_key_list($1)`, table) {
		refers[row[0].(string)] = true
	}
	for _, row := range d.all(`SELECT name, type, "notnull", pk FROM pragma_table_info($1)`, table) {
		c := oddColumn{name: row[0].(string), typ: row[1].(string), nullable: row[2] == int64(0) && row[3] == int64(0), key: row[3] != int64(0)}
		c.refers = refers[c.name]
		out = append(out, c)
	}
	return out
}

// oddRows is how many rows fillOddly puts into each table.
const oddRows = 6

// value is what stands in row k, from 1: plain, with bytes that PostgreSQL
// refuses, letters of all kinds, empty, long, NULL.
func (c oddColumn) value(table string, k int) any {
	if k == 6 && c.nullable {
		return nil
	}
	switch c.typ {
	case "BIGINT", "INTEGER":
		switch {
		case c.key || c.refers || c.name == "id":
			return k
		case strings.HasSuffix(c.name, "_id"):
			return 1000 + k
		}
		return []int64{0, -1, math.MaxInt64, math.MinInt64, 253402300800, 1}[k-1]
	case "BOOLEAN":
		return k%2 == 0
	case "TEXT":
		text := fmt.Sprintf("%s %d", c.name, k)
		switch k {
		case 1:
			return []byte(text) // SQLite keeps it as a BLOB
		case 2:
			return text + " \x00 \xff\xfe\xd0 end"
		case 3:
			return text + " Ёлка 🎄 \u0301\u200f \"'\\\\ \t\r\n {}[]"
		case 4:
			return ""
		case 5:
			if c.name == "full_text" || c.name == "body" {
				return strings.Repeat(text+"\n", 30_000)
			}
		}
		return text
	case "BLOB":
		size := 3 * k
		if k == 5 && (table == "outbox" || table == "exchange_chunks") {
			size = 5 << 20 // larger than a batch
		} else if k == 4 {
			size = 0
		}
		b := make([]byte, size)
		for i := range b {
			b[i] = byte(i * 7)
		}
		return b
	}
	panic("column " + table + "." + c.name + " is of type " + c.typ + ": say here what odd values it has")
}

// fillOddly puts odd rows into every table of a SQLite database.
func (d *moveDB) fillOddly() {
	d.Helper()
	d.do("PRAGMA foreign_keys = 0")
	for _, table := range d.tables() {
		if slices.Contains(stays, table) {
			continue
		}
		columns := d.columns(table)
		for k := 1; k <= oddRows; k++ {
			names, params, args := make([]string, len(columns)), make([]string, len(columns)), make([]any, len(columns))
			for i, c := range columns {
				names[i], params[i], args[i] = c.name, fmt.Sprintf("$%d", i+1), c.value(table, k)
			}
			d.do(`INSERT OR IGNORE INTO `+table+` (`+strings.Join(names, ", ")+`) VALUES (`+strings.Join(params, ", ")+`)`, args...)
		}
	}
	if bad := d.all("PRAGMA foreign_key_check"); len(bad) > 0 {
		d.Fatalf("the test's rows refer to %v", bad[0])
	}
}

// like fails where a table of d is not the same in other.
func (d *moveDB) like(other *moveDB, least int) {
	d.Helper()
	lite := d
	if lite.postgres {
		lite = other
	}
	seen := 0
	for _, table := range d.tables() {
		if slices.Contains(stays, table) {
			continue
		}
		seen++
		var names, types []string
		for _, c := range lite.columns(table) {
			names, types = append(names, c.name), append(types, c.typ)
		}
		want, got := d.hashes(table, names, types), other.hashes(table, names, types)
		if len(want) < least {
			d.Errorf("%s has %d rows: that shows too little", table, len(want))
		}
		if !slices.Equal(want, got) {
			d.Errorf("%s: %d rows became %d others:\n%v\n%v", table, len(want), len(got), want, got)
		}
	}
	if a, b := d.tables(), other.tables(); !slices.Equal(a, b) {
		d.Errorf("the tables are %v, were %v", b, a)
	} else if seen+len(stays) != len(a) {
		d.Errorf("%d of %d tables were compared", seen, len(a))
	}
}

func newHouseFile(t testing.TB) (url string) {
	t.Helper()
	url = "sqlite:" + filepath.Join(t.TempDir(), "intouch.db")
	mustOpen(t, url)
	return url
}

func mustOpen(t testing.TB, url string) {
	t.Helper()
	st, err := store.Open(context.Background(), store.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
}

func move(t testing.TB, from, to string) (store.Moved, error) {
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	return store.Move(t.Context(), store.Options{URL: from, Log: log}, store.Options{URL: to, Log: log}, nil)
}

func mustMove(t testing.TB, from, to string) store.Moved {
	t.Helper()
	moved, err := move(t, from, to)
	if err != nil {
		t.Fatal(err)
	}
	return moved
}

// TestMove carries odd rows in every table from SQLite to PostgreSQL, from
// there to another PostgreSQL and back to SQLite, and compares all rows and the
// schema each time.
func TestMove(t *testing.T) {
	fresh := []string{newHouseFile(t), storetest.PostgresURL(t)}
	mustOpen(t, fresh[1])
	first := newHouseFile(t)
	second, third := storetest.PostgresURL(t), storetest.PostgresURL(t)
	fourth := "sqlite:" + filepath.Join(t.TempDir(), "back", "intouch.db")
	a := lookInto(t, first)
	a.fillOddly()

	moved := mustMove(t, first, second)
	b := lookInto(t, second)
	a.like(b, oddRows)
	if len(moved.Tables)+len(stays) != len(b.tables()) {
		t.Errorf("%d tables were moved, %d stay, of %d", len(moved.Tables), len(stays), len(b.tables()))
	}
	texts := 0
	for _, table := range a.tables() {
		for _, c := range a.columns(table) {
			if c.typ == "TEXT" && !slices.Contains(stays, table) {
				texts++
			}
		}
	}
	if len(moved.Changed) != texts {
		t.Errorf("%d columns with changed texts are told, there are %d", len(moved.Changed), texts)
	}
	for _, c := range moved.Changed {
		if c.Rows != 1 || c.First == "" && c.Table != "saved_report_recipients" {
			t.Errorf("told of a changed text: %+v", c)
		}
	}
	sums := map[string]store.MovedTable{}
	for _, m := range moved.Tables {
		sums[m.Name] = m
	}

	if moved := mustMove(t, second, third); len(moved.Changed) > 0 {
		t.Errorf("from one PostgreSQL to another texts change: %+v", moved.Changed)
	}
	c := lookInto(t, third)
	a.like(c, oddRows)
	moved = mustMove(t, third, fourth)
	d := lookInto(t, fourth)
	a.like(d, oddRows)
	for _, m := range moved.Tables {
		if sums[m.Name] != m {
			t.Errorf("checksums of one table on two engines: %+v, %+v", sums[m.Name], m)
		}
	}

	// Indexes and constraints are those of a database that is made anew.
	for i, db := range []*moveDB{d, b, c} {
		want := lookInto(t, fresh[min(i, 1)]).shape()
		got := db.shape()
		if !slices.Equal(got, want) {
			t.Errorf("the schema of %s is another than that of a new database: %d and %d lines\n%v\n%v", db.url, len(got), len(want), got, want)
		}
	}

	// New rows get numbers that no row has had; of clients also none that a
	// merge took away (1006).
	for _, db := range []*moveDB{b, c} {
		for table, want := range map[string]int64{"clients": 1007, "sources": 7} {
			q := `INSERT INTO sources (external_id, name) VALUES ('new', 'n') RETURNING id`
			if table == "clients" {
				q = `INSERT INTO clients (name, folded, core, importance, created, changed) VALUES ('n', 'n', 'n', 'low', 1, 1) RETURNING id`
			}
			var id int64
			if err := db.QueryRow(q).Scan(&id); err != nil || id != want {
				t.Errorf("the next of %s in %s is %d (%v), want %d", table, db.url, id, err, want)
			}
		}
	}

	// Words are found, though each engine has them in its own form.
	for _, url := range []string{second, third, fourth} {
		lookInto(t, url).do(`UPDATE clients SET attributes = '{}'`)
		lookInto(t, url).do(`UPDATE contacts SET attachments = '[]', signs = '[]'`)
		st, err := store.Open(t.Context(), store.Options{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		found, err := st.Search(t.Context(), store.Manager{ID: 1, Role: store.RoleHead}, "ёлка", 10, true)
		if err != nil || found.Partial || len(found.Clients) != 1 || len(found.Contacts) != 1 {
			t.Errorf("the search finds %+v in %s (%v)", found, url, err)
		}
		st.Close()
	}
}

// TestMove_cutOff ends a move many times in the middle of tables of several
// batches. What the source gets and loses between is there in the end.
func TestMove_cutOff(t *testing.T) {
	for name, target := range map[string]func() string{
		"postgres": func() string { return storetest.PostgresURL(t) },
		"sqlite":   func() string { return "sqlite:" + filepath.Join(t.TempDir(), "intouch.db") },
	} {
		t.Run(name, func(t *testing.T) {
			from, to := newHouseFile(t), target()
			db := lookInto(t, from)
			db.do(`INSERT INTO managers (id, login, name, role, time_zone, language, created) VALUES (1, 'anna', 'Anna', 'admin', 'UTC', 'ru', 1)`)
			db.do(`WITH RECURSIVE n (k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < 30000)
				INSERT INTO letter_texts (message_key, message_id, full_text, parties) SELECT printf('%08x', (k * 7919) % 1000003), k, printf('%.200c', 'x'), '' FROM n`)
			db.do(`WITH RECURSIVE n (k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < 20000)
				INSERT INTO senders (address, manager_id, name, letters, first, last, subject) SELECT k % 5000, k / 5000, '', k, 1, 1, '' FROM n`)
			db.do(`INSERT INTO saved_reports (id, owner_id, name, report, params, schedule, since, attach, send_empty, nightly) VALUES (1, 1, 'r', '', '', '', 0, '', false, false)`)
			db.do(`INSERT INTO saved_report_recipients (report_id, address) VALUES (1, 'a'), (1, 'a')`)
			log := slog.New(slog.NewTextHandler(io.Discard, nil))
			cut := 0
			for end := int64(1); ; end += 7000 {
				ctx, stop := context.WithCancel(t.Context())
				seen := map[string]int64{}
				_, err := store.Move(ctx, store.Options{URL: from, Log: log}, store.Options{URL: to, Log: log}, func(table string, rows, _ int64) {
					seen[table] = max(seen[table], rows)
					if seen["letter_texts"]+seen["senders"]+seen["saved_report_recipients"] >= end {
						stop()
					}
				})
				stop()
				if err == nil {
					break
				}
				if !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
				cut++
				if _, err := store.Open(t.Context(), store.Options{URL: to}); !errors.Is(err, store.ErrHalfMoved) {
					t.Fatalf("half of an installation can be opened: %v", err)
				}
				switch cut {
				case 2: // what has come is changed, goes, and comes
					db.do(`UPDATE letter_texts SET full_text = 'changed' WHERE message_key = (SELECT MIN(message_key) FROM letter_texts)`)
				case 3:
					db.do(`DELETE FROM letter_texts WHERE message_key IN (SELECT message_key FROM letter_texts ORDER BY message_key LIMIT 10)`)
				case 4: // killed between the last two commits: source and target know different things
					db.do(`UPDATE outbox_lock SET why = 'moved'`)
				case 5:
					db.do(`INSERT INTO senders (address, manager_id, name, letters, first, last, subject) VALUES ('', 1, 'new', 1, 1, 1, '')`)
				}
			}
			if cut < 5 {
				t.Errorf("it was cut off only %d times", cut)
			}
			db.like(lookInto(t, to), 0)
			if why := lookInto(t, to).all(`SELECT why FROM outbox_lock`); len(why) != 1 || why[0][0] != "" {
				t.Errorf("the lock of the target's outbox: %q", why)
			}
			if got, err := move(t, from, to); err != nil || !got.Before {
				t.Errorf("a move that has ended, once more: %+v %v", got, err)
			}
			if _, err := move(t, from, target()); !errors.Is(err, store.ErrMoved) {
				t.Errorf("what was moved is moved elsewhere: %v", err)
			}
		})
	}
}

// TestMove_locks: after a move the source sends nothing, and the target what
// the source might have sent.
func TestMove_locks(t *testing.T) {
	for _, before := range []store.OutboxLock{"", store.LockRestored} {
		from, to := newHouseFile(t), storetest.PostgresURL(t)
		lookInto(t, from).do(`UPDATE outbox_lock SET why = $1`, string(before))
		mustMove(t, from, to)
		for url, want := range map[string]store.OutboxLock{from: store.LockMoved, to: before} {
			st, err := store.Open(t.Context(), store.Options{URL: url})
			if err != nil {
				t.Fatal(err)
			}
			if why, err := st.OutboxLocked(t.Context()); err != nil || why != want {
				t.Errorf("after a move of a database with lock %q, that of %s is %q (%v), want %q", before, url, why, err, want)
			}
			st.Close()
		}
	}
}

// TestMove_refuses: each with a sentence that says why, and nothing changed.
func TestMove_refuses(t *testing.T) {
	missing := "sqlite:" + filepath.Join(t.TempDir(), "missing.db")
	target := func() string { return storetest.PostgresURL(t) }
	for name, c := range map[string]struct {
		from, to func() string
		says     string
	}{
		"no source":    {func() string { return missing }, target, "no such file"},
		"empty source": {target, func() string { return missing }, "no database of Intouch"},
		"foreign target": {func() string { return newHouseFile(t) }, func() string {
			url := target()
			lookInto(t, url).do(`CREATE TABLE theirs (id INT)`)
			return url
		}, "not ours"},
		"foreign file": {func() string { return newHouseFile(t) }, func() string {
			url := "sqlite:" + filepath.Join(t.TempDir(), "theirs.db")
			lookInto(t, url).do(`CREATE TABLE theirs (id INT)`)
			return url
		}, "not ours"},
		"a full target": {func() string { return newHouseFile(t) }, func() string {
			url := target()
			mustOpen(t, url)
			return url
		}, "holds an installation already"},
		"itself": {func() string { return newHouseFile(t) }, nil, "the source itself"},
		"another's half": {func() string { return newHouseFile(t) }, func() string {
			url := target()
			db := lookInto(t, url)
			db.do(`CREATE TABLE moving (installation TEXT, why TEXT, began BIGINT)`)
			db.do(`INSERT INTO moving VALUES ('theirs', '', 1)`)
			return url
		}, "another installation"},
		"half a source": {func() string {
			url := newHouseFile(t)
			lookInto(t, url).do(`CREATE TABLE moving (installation TEXT, why TEXT, began BIGINT)`)
			return url
		}, target, "not all of it is there"},
		"a newer source": {func() string {
			url := newHouseFile(t)
			lookInto(t, url).do(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9001, TRUE)`)
			return url
		}, target, "schema 9001"},
		"an older source": {func() string {
			url := newHouseFile(t)
			lookInto(t, url).do(`DELETE FROM goose_db_version WHERE version_id > 30`)
			return url
		}, target, "schema 30"},
		"daemons at work": {func() string {
			url := target()
			mustOpen(t, url)
			lookInto(t, url).do(`INSERT INTO daemons (id, until) VALUES ('one', $1)`, time.Now().Unix()+20)
			return url
		}, target, "1 daemons are at work"},
		"somebody connected": {func() string {
			url := target()
			mustOpen(t, url)
			st, err := store.Open(t.Context(), store.Options{URL: url})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { st.Close() })
			return url
		}, target, "others are connected"},
		"left behind": {func() string {
			url := newHouseFile(t)
			mustMove(t, url, target())
			return url
		}, target, "was moved"},
		"a value of no sense": {func() string {
			url := newHouseFile(t)
			lookInto(t, url).do(`INSERT INTO jobs (name, schedule, owners) VALUES ('j', '', 'three')`)
			return url
		}, target, `column owners of the row with key "j"`},
	} {
		t.Run(name, func(t *testing.T) {
			from := c.from()
			to := from
			if c.to != nil {
				to = c.to()
			}
			if _, err := move(t, from, to); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("move says %v, want %q", err, c.says)
			}
		})
	}
}

// TestMove_holds: nobody writes into the source while it is carried.
func TestMove_holds(t *testing.T) {
	for name, from := range map[string]func() string{
		"sqlite": func() string { return newHouseFile(t) },
		"postgres": func() string {
			url := storetest.PostgresURL(t)
			mustOpen(t, url)
			return url
		},
	} {
		t.Run(name, func(t *testing.T) {
			url := from()
			db := lookInto(t, url)
			if db.postgres {
				db = lookInto(t, url+"?lock_timeout=100ms")
			} else {
				db.do(`PRAGMA busy_timeout = 100`)
			}
			asked := false
			log := slog.New(slog.NewTextHandler(io.Discard, nil))
			_, err := store.Move(t.Context(), store.Options{URL: url, Log: log}, store.Options{URL: "sqlite:" + filepath.Join(t.TempDir(), "to.db"), Log: log}, func(string, int64, int64) {
				if asked {
					return
				}
				asked = true
				if _, err := db.Exec(`INSERT INTO blocked (value) VALUES ('late.test')`); err == nil {
					t.Error("somebody writes into the source while it is carried")
				}
			})
			if err != nil || !asked {
				t.Fatal(asked, err)
			}
		})
	}
}
