package exchange

import (
	"compress/gzip"
	"context"
	"database/sql"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// unpacked writes files of testdata, which Thunderbird 153 of Debian wrote
// (its own code made the cards, in a fresh profile), into a directory.
func unpacked(t *testing.T, dir string, names map[string]string) {
	t.Helper()
	for from, to := range names {
		f, err := os.Open(filepath.Join("testdata", from+".gz"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, to), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// database writes an SQLite file.
func database(t *testing.T, file string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func thunderbird(t *testing.T, path string) string {
	t.Helper()
	book, err := Thunderbird(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	return told(t, book)
}

func TestThunderbird(t *testing.T) {
	t.Run("profile", func(t *testing.T) {
		dir := t.TempDir()
		unpacked(t, dir, map[string]string{"thunderbird-153-abook.sqlite": "abook.sqlite", "thunderbird-153-history.sqlite": "history.sqlite", "thunderbird-153-abook-1.sqlite": "abook-1.sqlite"})
		if err := os.WriteFile(filepath.Join(dir, "abook.mab"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		golden(t, "thunderbird-profile", thunderbird(t, dir))
	})
	t.Run("open", func(t *testing.T) { // all cards are still in the log beside the book
		dir := t.TempDir()
		unpacked(t, dir, map[string]string{"thunderbird-153-open.sqlite": "abook.sqlite", "thunderbird-153-open.sqlite-wal": "abook.sqlite-wal"})
		got := thunderbird(t, filepath.Join(dir, "abook.sqlite"))
		for _, want := range []string{"p.ivanov@romashka.test", "ola@romashka.test", "mailing lists:1"} {
			if !strings.Contains(got, want) {
				t.Errorf("without %s:\n%s", want, got)
			}
		}
		left, err := os.ReadDir(dir)
		if err != nil || len(left) != 2 {
			t.Errorf("beside the book there is now %v, %v", left, err)
		}
	})
	t.Run("old schema", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "old book #1?.sqlite")
		database(t, strings.NewReplacer("#", "%23", "?", "%3f").Replace(file), `PRAGMA user_version = 1`, `CREATE TABLE properties (card TEXT, name TEXT, value TEXT)`,
			`CREATE TABLE lists (uid TEXT PRIMARY KEY, localId INTEGER, name TEXT, nickName TEXT, description TEXT)`,
			`INSERT INTO properties VALUES ('a', 'PrimaryEmail', 'olga@romashka.test'), ('b', 'DisplayName', 'Пётр Иванов'), ('a', 'FirstName', 'Ольга'), ('a', 'LastName', 'Петрова'),
				('a', 'SecondEmail', ''), ('a', 'BirthYear', '1980'), ('a', 'BirthMonth', '5'), ('a', 'BirthDay', '1'), ('a', 'WorkPhone', '+7 495 000-00-01'), ('a', 'CellularNumber', '8 916 000-00-01'),
				('a', 'FaxNumber', '+7 495 000-00-02'), ('a', 'Company', 'Ромашка'), ('a', 'JobTitle', 'Закупки'), ('a', 'WorkAddress', 'ул. Мира, 5'), ('a', 'WorkCity', 'Тверь'), ('a', 'PhotoURI', 'x'),
				('c', 'PreferMailFormat', '0'), ('d', 'NickName', ''), ('e', 'Notes', 'nobody'), ('b', 'DisplayName', 'twice'), (NULL, 'DisplayName', 'x'), ('b', 'BirthYear', '80')`)
		golden(t, "thunderbird-old", thunderbird(t, file))
	})
	t.Run("faults", func(t *testing.T) {
		dir := t.TempDir()
		file := func(name string) string { return filepath.Join(dir, name) }
		database(t, file("other.sqlite"), `CREATE TABLE x (y)`)
		database(t, file("view.sqlite"), `CREATE VIEW properties AS WITH RECURSIVE n(card) AS (SELECT 1 UNION ALL SELECT card + 1 FROM n) SELECT card, 'DisplayName' AS name, 'x' AS value FROM n`)
		if err := os.WriteFile(file("text.sqlite"), []byte("BEGIN:VCARD\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		unpacked(t, dir, map[string]string{"thunderbird-153-abook.sqlite": "cut.sqlite"})
		if err := os.Truncate(file("cut.sqlite"), 100_000); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{
			"other.sqlite": "ended: other.sqlite: this is no address book of Thunderbird",
			"view.sqlite":  "ended: view.sqlite: this is no address book of Thunderbird",
			"text.sqlite":  "ended: text.sqlite: it cannot be read as an SQLite database",
			"cut.sqlite":   "ended: cut.sqlite: it ",
		} {
			if got := thunderbird(t, file(name)); !strings.HasPrefix(got, want) {
				t.Errorf("%s: %s", name, got)
			}
		}
		profile := t.TempDir()
		unpacked(t, profile, map[string]string{"thunderbird-153-abook.sqlite": "abook.sqlite", "thunderbird-153-history.sqlite": "history.sqlite"})
		if err := os.Truncate(filepath.Join(profile, "abook.sqlite"), 100_000); err != nil {
			t.Fatal(err)
		}
		if got := thunderbird(t, profile); !strings.HasPrefix(got, `line 0 "": abook.sqlite: it `) || !strings.Contains(got, "collected@romashka.test") {
			t.Error(got)
		}
		if _, err := Thunderbird(context.Background(), t.TempDir()); err == nil || !strings.Contains(err.Error(), "has no abook.sqlite") {
			t.Error(err)
		}
		if _, err := Thunderbird(context.Background(), file("none")); !os.IsNotExist(err) {
			t.Error(err)
		}
	})
}
