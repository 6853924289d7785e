package mailtest

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Mailgen writes mailboxes with known answers into a directory (see
// ../shared/bench/README.md).
func Mailgen(t testing.TB, dir string, args ...string) {
	t.Helper()
	// Tests run in the directory of their package, at any depth of the module.
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for !exists(filepath.Join(root, "go.mod")) && root != filepath.Dir(root) {
		root = filepath.Dir(root)
	}
	source := filepath.Join(root, "..", "shared", "bench", "mailgen")
	if !exists(filepath.Join(source, "main.go")) {
		t.Skip("SKIPPED, NOT PROVED: ../shared/bench/mailgen is not here; the letters with known answers come from it")
	}
	program := filepath.Join(t.TempDir(), "mailgen")
	if out, err := exec.Command("go", "build", "-C", source, "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("build mailgen: %v\n%s", err, out)
	}
	if out, err := exec.Command(program, append(args, "-out", dir)...).CombinedOutput(); err != nil {
		t.Fatalf("run mailgen: %v\n%s", err, out)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Answer is a line of mailgen's truth.jsonl: all there is to know of a letter.
type Answer struct {
	ID          int       `json:"id"` // X-Mailgen-Id
	MessageID   string    `json:"message_id"`
	Kind        string    `json:"kind"`
	Date        time.Time `json:"date"`
	Direction   string    `json:"direction"`
	Clients     []string  `json:"clients"` // their ids in import/clients.csv
	Capture     bool      `json:"should_capture"`
	Reason      string    `json:"reason"`
	Subject     string    `json:"subject"`
	InReplyTo   string    `json:"in_reply_to"`
	ThreadRoot  string    `json:"thread_root"` // Message-ID of the first letter
	Body        string    `json:"body"`        // without history and signature
	Structure   string    `json:"structure"`
	Odd         string    `json:"odd"`
	Mailboxes   []string  `json:"mailboxes"` // "login:folder"
	Attachments []struct {
		Name string `json:"name"`
		Type string `json:"type"`
		Size int64  `json:"size"`
	} `json:"attachments"`
}

// Answers of the letters in a directory, oldest first.
func Answers(t testing.TB, dir string) (all []Answer) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "truth.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for dec := json.NewDecoder(bytes.NewReader(b)); dec.More(); {
		var a Answer
		if err := dec.Decode(&a); err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	return all
}

// Key tells the letters of one place (a folder, a client) apart: by Message-ID,
// or by date where there is none.
func Key(place, messageID string, date time.Time) string {
	if messageID == "" {
		return place + " " + date.UTC().Format(time.RFC3339)
	}
	return place + " " + strings.Trim(messageID, "<>")
}

// Key of the letter, as it can be seen in the mailbox: some have lost their
// Message-ID.
func (a *Answer) Key(place string) string {
	if a.Odd == "no-message-id" {
		return Key(place, "", a.Date)
	}
	return Key(place, a.MessageID, a.Date)
}

// Contacts are those that the letters must become, by Key of the client.
func Contacts(all []Answer) map[string]*Answer {
	want := map[string]*Answer{}
	for i := range all {
		if a := &all[i]; a.Capture && len(a.Mailboxes) > 0 {
			for _, client := range a.Clients {
				want[a.Key(client)] = a
			}
		}
	}
	return want
}

// Table reads a CSV file of mailgen, like import/clients.csv, by its columns.
func Table(t testing.TB, dir, name string) (rows []map[string]string) {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range all[1:] {
		row := map[string]string{}
		for i, v := range line {
			row[all[0][i]] = v
		}
		rows = append(rows, row)
	}
	return rows
}
