package store_test

import (
	"context"
	"database/sql"
	"path/filepath"
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
