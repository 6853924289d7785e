package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"intouch/mailsync/mailtest"
	"intouch/store"
)

// mailHouse is a settings file for mailgen's company, whose mailboxes Dovecot
// serves, with its people imported. The database is empty of letters.
func mailHouse(t *testing.T, server *mailtest.Dovecot, more string) (config string) {
	t.Helper()
	var text strings.Builder
	domains := map[string]bool{}
	managers := mailtest.Table(t, server.Mail, "managers.csv")
	for _, m := range managers {
		domains[m["domain"]] = true
	}
	quoted, err := json.Marshal(slices.Sorted(maps.Keys(domains)))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&text, "[company]\ndomains = %s\n[store]\nurl = \"sqlite:intouch.db\"\n%s\n", quoted, more)
	for _, m := range managers {
		fmt.Fprintf(&text, "[[mailbox]]\nname = %[1]q\nmanager = %[1]q\nimap = \"imaps://%s\"\nusername = %[1]q\npassword = \"secret\"\nsince = \"2024-01-01\"\n",
			m["manager_id"], server.TLSAddr)
	}
	config = settings(t, text.String())
	for _, kind := range []string{"managers", "clients", "persons"} {
		if got := command(t, "", "--config", config, "import", kind, filepath.Join(server.Mail, "import", kind+".csv")); got.code != exitDone {
			t.Fatalf("import %s: %+v", kind, got)
		}
	}
	return config
}

// filed is how many letters the database of a settings file knows.
func filed(t *testing.T, st *store.Store) (n int64) {
	t.Helper()
	states, err := st.MailboxStates(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range states {
		n += s.Letters
	}
	return n
}

// TestInterop_KilledSync: sync is killed ten times in the middle of its pass.
// In the end the database holds what an undisturbed pass leaves, and that is
// what the letters' generator knows: no contact twice, none missing.
func TestInterop_KilledSync(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: short")
	}
	server := mailtest.StartDovecot(t)
	mailtest.Mailgen(t, server.Mail, "-n", "2000", "-seed", "20261125", "-per-manager")
	server.Own(t)
	trust := []string{"SSL_CERT_FILE=" + server.CertFile}
	sync := func(config string) {
		t.Helper()
		if d := startDaemonIn(t, trust, "--config", config, "sync"); d.wait(t) != exitDone {
			t.Fatalf("sync: exit %d\n%s", d.cmd.ProcessState.ExitCode(), d.stderr)
		}
	}
	calm, killed := mailHouse(t, server, ""), mailHouse(t, server, "")
	sync(calm)
	answers := mailtest.Answers(t, server.Mail)
	letters := int64(0)
	for _, a := range answers {
		letters += int64(len(a.Mailboxes))
	}
	if n := len(exported(t, calm, "letters")); int64(n) != letters {
		t.Errorf("%d letters of %d were read", n, letters)
	}

	const kills = 10
	var hit []int64
	for k := range kills {
		d := startDaemonIn(t, trust, "--config", killed, "sync")
		// One share stays for after the last kill.
		n := killMidway(t, d, killed, letters, kills-k+1)
		if n < letters {
			hit = append(hit, n)
		}
	}
	t.Logf("of %d letters in mailboxes these were filed when sync was killed: %v", letters, hit)
	if len(hit) < kills/2 {
		t.Errorf("only %d of %d kills came before the pass was over", len(hit), kills)
	}
	sync(killed)

	compareExports(t, calm, killed)
	compareWithTruth(t, killed, answers)
}

// killMidway kills a sync at a random moment after some more letters have
// been filed: at most one of so many shares of those left. It returns how many
// were filed.
func killMidway(t *testing.T, d *daemon, config string, all int64, shares int) int64 {
	t.Helper()
	st, err := store.Open(t.Context(), store.Options{URL: "sqlite:" + filepath.Join(filepath.Dir(config), "intouch.db")})
	if err != nil {
		t.Fatal(err)
	}
	before := filed(t, st)
	target := before + rand.Int64N(max(1, (all-before)/int64(shares)))
	for end := time.Now().Add(time.Minute); filed(t, st) < target; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("sync has not filed %d letters after a minute", target)
		}
	}
	time.Sleep(rand.N(10 * time.Millisecond))
	// Stopped first, so that the pass gets no further while the database is
	// closed here: the next sync must be the one that recovers its journal.
	if err := d.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	n := filed(t, st)
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	d.cmd.Wait()
	return n
}

// contactKeys gives the key of each exported contact by its id, and complains
// of two with one.
func contactKeys(t *testing.T, contacts []map[string]any) map[any]string {
	t.Helper()
	keys, seen := map[any]string{}, map[string]bool{}
	for _, c := range contacts {
		client, _ := c["client"].(string)
		messageID, _ := c["message_id"].(string)
		start, err := time.Parse(time.RFC3339, fmt.Sprint(c["start"]))
		if err != nil {
			t.Fatal(err)
		}
		key := mailtest.Key(client, messageID, start)
		if seen[key] {
			t.Errorf("%s is two contacts", key)
		}
		seen[key], keys[c["id"]] = true, key
	}
	return keys
}

// compareExports holds the contacts and letters of two databases against each
// other. Their ids and order are those in which letters happened to be filed.
func compareExports(t *testing.T, want, got string) {
	t.Helper()
	normal := func(config string) (lines []string) {
		contacts := exported(t, config, "contacts")
		keys := contactKeys(t, contacts)
		for _, c := range contacts {
			delete(c, "id")
			delete(c, "key") // made anew in each store
			lines = append(lines, "contact "+asJSON(t, c))
		}
		for _, l := range exported(t, config, "letters") {
			ids, _ := l["contacts"].([]any)
			var of []string
			for _, id := range ids {
				of = append(of, keys[id])
			}
			slices.Sort(of)
			l["contacts"] = of
			lines = append(lines, "letter "+asJSON(t, l))
		}
		slices.Sort(lines)
		return lines
	}
	calm, killed := normal(want), normal(got)
	missing, surplus := without(calm, killed), without(killed, calm)
	for _, l := range missing[:min(5, len(missing))] {
		t.Errorf("only undisturbed: %s", l)
	}
	for _, l := range surplus[:min(5, len(surplus))] {
		t.Errorf("only when killed: %s", l)
	}
	t.Logf("%d lines of contacts and letters, %d differ", len(calm), len(missing)+len(surplus))
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// without gives the lines of a that b lacks, each as often as it does.
func without(a, b []string) (only []string) {
	count := map[string]int{}
	for _, l := range b {
		count[l]++
	}
	for _, l := range a {
		if count[l]--; count[l] < 0 {
			only = append(only, l)
		}
	}
	return only
}

// compareWithTruth holds the contacts that letters are against the letters'
// generator. The meetings to which some of them invite are contacts beside
// them.
func compareWithTruth(t *testing.T, config string, answers []mailtest.Answer) {
	t.Helper()
	want := mailtest.Contacts(answers)
	all, surplus := len(want), 0
	letters := slices.DeleteFunc(exported(t, config, "contacts"), func(c map[string]any) bool { return c["kind"] == string(store.Meeting) && c["message_id"] == "" })
	for _, key := range contactKeys(t, letters) {
		if want[key] == nil {
			surplus++
			t.Errorf("%s should not be a contact", key)
		}
		delete(want, key)
	}
	for key := range want {
		t.Errorf("%s is missing", key)
	}
	t.Logf("%d contacts expected, %d missing, %d surplus", all, len(want), surplus)
}
