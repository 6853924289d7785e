package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"intouch/store"
	"intouch/store/storetest"
)

// empty gives fn the address of a database that is not there yet, on each
// engine, and the driver and address with which to look into it.
func empty(t *testing.T, fn func(t *testing.T, url, driver, dsn string)) {
	t.Run("sqlite", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "intouch.db")
		fn(t, "sqlite:"+file, "sqlite", file)
	})
	t.Run("postgres", func(t *testing.T) {
		url := storetest.PostgresURL(t)
		fn(t, url, "pgx", url)
	})
}

// TestOpen_together starts several daemons on a database that none has made:
// one makes it, the others wait and find it.
func TestOpen_together(t *testing.T) {
	empty(t, func(t *testing.T, url, driver, dsn string) {
		var all sync.WaitGroup
		for range 6 {
			all.Go(func() {
				st, err := store.Open(context.Background(), store.Options{URL: url})
				if err != nil {
					t.Error(err)
					return
				}
				if err := st.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()

		db, err := sql.Open(driver, dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		var twice int
		err = db.QueryRow("SELECT COUNT(*) FROM (SELECT version_id FROM goose_db_version GROUP BY version_id HAVING COUNT(*) > 1) AS v").Scan(&twice)
		if err != nil || twice != 0 {
			t.Errorf("%d migrations were done twice (%v)", twice, err)
		}
	})
}

// TestOpen_newerSchema: an older program leaves the database of a newer one
// alone, and says why.
func TestOpen_newerSchema(t *testing.T) {
	empty(t, func(t *testing.T, url, driver, dsn string) {
		st, err := store.Open(context.Background(), store.Options{URL: url})
		if err != nil {
			t.Fatal(err)
		}
		st.Close()
		db, err := sql.Open(driver, dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9001, TRUE)"); err != nil {
			t.Fatal(err)
		}
		_, err = store.Open(context.Background(), store.Options{URL: url})
		if err == nil || !strings.Contains(err.Error(), "schema 9001") || !strings.Contains(err.Error(), "newer intouchd") {
			t.Errorf("an older program opens a newer database: %v", err)
		}
	})
}

// plainRows is how many rows fillPlainly puts into each table.
const plainRows = 2

// fillPlainly puts rows that refer to each other into tables whose columns are
// those given, as SQLite describes them.
func (d *moveDB) fillPlainly(tables map[string][]oddColumn) {
	d.Helper()
	tx, err := d.Begin()
	if err != nil {
		d.Fatal(err)
	}
	defer tx.Rollback()
	if d.postgres { // so that the order of the tables does not matter
		if _, err := tx.Exec("SET LOCAL session_replication_role = replica"); err != nil {
			d.Fatal(err)
		}
	}
	for table, columns := range tables {
		for k := 1; k <= plainRows; k++ {
			names, params, args := make([]string, len(columns)), make([]string, len(columns)), make([]any, len(columns))
			for i, c := range columns {
				names[i], params[i] = c.name, fmt.Sprintf("$%d", i+1)
				switch {
				case c.typ == "BOOLEAN":
					args[i] = k == 1
				case c.typ == "BLOB":
					args[i] = []byte{byte(k), 0, 255}
				case c.typ == "TEXT":
					args[i] = fmt.Sprintf("%s %d", c.name, k)
				case c.key || c.refers || c.name == "id" || strings.HasSuffix(c.name, "_id"):
					args[i] = k
				default:
					args[i] = 1_700_000_000 + k
				}
			}
			query := `INSERT INTO ` + table + ` (` + strings.Join(names, ", ") + `) VALUES (` + strings.Join(params, ", ") + `)`
			if _, err := tx.Exec(query, args...); err != nil {
				d.Fatalf("%s: %v", query, err)
			}
		}
	}
	if err := tx.Commit(); err != nil {
		d.Fatal(err)
	}
}

// TestOpen_olderSchema upgrades the filled database of each version that there
// was, on both engines: every row of every table is there afterwards, with what
// stood in it, and the schema is the one that a new database gets.
func TestOpen_olderSchema(t *testing.T) {
	versions, err := store.Schemas(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	versions = versions[:len(versions)-1]
	if testing.Short() {
		versions = []int64{versions[0], versions[len(versions)/2], versions[len(versions)-1]}
	}
	now := lookInto(t, newHouseFile(t))
	empty(t, func(t *testing.T, fresh, _, _ string) {
		mustOpen(t, fresh)
		wanted := lookInto(t, fresh).shape()
		growing, postgres := "", strings.HasPrefix(fresh, "postgres")
		if postgres {
			growing = storetest.PostgresURL(t)
		}
		for _, version := range versions {
			t.Run(strconv.FormatInt(version, 10), func(t *testing.T) {
				url := "sqlite:" + filepath.Join(t.TempDir(), "intouch.db")
				if err := store.MakeSchema(t.Context(), url, version); err != nil {
					t.Fatal(err)
				}
				lite := lookInto(t, url)
				tables := map[string][]oddColumn{}
				for _, table := range lite.tables() {
					if !slices.Contains(stays, table) {
						tables[table] = lite.columns(table)
					}
				}
				if postgres {
					if err := store.MakeSchema(t.Context(), growing, version); err != nil {
						t.Fatal(err)
					}
					url = storetest.PostgresCopy(t, growing)
				}
				db := lookInto(t, url)
				rows := func(table string) []string {
					var names, types []string
					for _, c := range now.columns(table) {
						if slices.ContainsFunc(tables[table], func(old oddColumn) bool { return old.name == c.name }) {
							names, types = append(names, c.name), append(types, c.typ)
						}
					}
					return db.hashes(table, names, types)
				}
				db.fillPlainly(tables)
				before := map[string][]string{}
				for table := range tables {
					before[table] = rows(table)
				}
				mustOpen(t, url)
				for table, was := range before {
					after := rows(table)
					lost := slices.ContainsFunc(was, func(row string) bool { return !slices.Contains(after, row) })
					if len(was) < plainRows || lost {
						t.Errorf("%s:\n%v became\n%v", table, was, after)
					}
				}
				if !slices.Equal(db.shape(), wanted) {
					t.Error("the schema is not that of a new database")
				}
			})
		}
	})
}
