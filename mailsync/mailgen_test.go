package mailsync

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"intouch/mailsync/mailtest"
	"intouch/store"
)

// TestMailgen reads whole mailboxes made by mailgen and holds what comes out
// against what was put in.
func TestMailgen(t *testing.T) {
	seeds, n := []int{3, 11, 42}, 2000
	if s := os.Getenv("MAILGEN_SEEDS"); s != "" { // MAILGEN_SEEDS=1,2,3 MAILGEN_N=20000
		seeds = nil
		for _, w := range strings.Split(s, ",") {
			v, err := strconv.Atoi(w)
			if err != nil {
				t.Fatal(err)
			}
			seeds = append(seeds, v)
		}
	}
	if s := os.Getenv("MAILGEN_N"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			dir := t.TempDir()
			mailtest.Mailgen(t, dir, "-n", strconv.Itoa(n), "-seed", strconv.Itoa(seed), "-odd", "0.06")
			checkMailbox(t, dir)
		})
	}
}

func checkMailbox(t *testing.T, dir string) {
	parties, clientIDs := mailgenParties(t, dir)
	letters := mailgenLetters(t, dir)
	captured := map[string][]int64{} // key → clients
	type bySubject struct {
		when    time.Time
		parties []string
		clients []int64
	}
	subjects := map[string][]bySubject{}
	fault := func(tr *mailtest.Answer, what string, got, want any) {
		t.Errorf("letter %d (%s, %s, odd %q): %s %v, want %v", tr.ID, tr.Kind, tr.Structure, tr.Odd, what, got, want)
	}
	compared, same, shown := 0, 0, 0
	for _, tr := range mailtest.Answers(t, dir) {
		raw, ok := letters[tr.ID]
		if !ok {
			t.Fatalf("letter %d is not in the Maildir", tr.ID)
		}
		l := ReadMessage(raw, tr.Date)
		h := l.Header
		d := Decide(h, parties, func() []int64 {
			for i := len(h.References) - 1; i >= 0; i-- {
				if c := captured[h.References[i]]; c != nil {
					return c
				}
			}
			if len(h.References) == 0 && store.IsReply(h.Subject) {
				for _, s := range subjects[store.BareSubject(h.Subject)] {
					if h.Date.Sub(s.when) < 30*24*time.Hour && slices.ContainsFunc(Outsiders(h, parties), func(a string) bool { return slices.Contains(s.parties, a) }) {
						return s.clients
					}
				}
			}
			return nil
		})
		key := h.HashKey(l.FullText)
		_, before := captured[key]
		if got := d.Outcome == store.Captured && !before; got != tr.Capture {
			fault(&tr, "captured", fmt.Sprint(got, " ", d.Reason, " ", d.Detail), fmt.Sprint(tr.Capture, " ", tr.Reason))
		}
		if want := map[string]store.Reason{"internal_only": store.Internal, "no_client_address": store.Unknown, "bulk_list": store.Automatic,
			"auto_reply": store.Automatic, "auto_generated": store.Automatic, "bounce": store.Automatic, "calendar_reply": store.Automatic}[tr.Reason]; d.Reason != want &&
			!(tr.Kind == "calendar_reply" && d.Reason == store.Internal) && !(tr.Kind == "robot" && d.Reason == store.Automatic) {
			fault(&tr, "reason", d.Reason, want)
		}
		if !h.Date.Equal(tr.Date) {
			fault(&tr, "date", h.Date, tr.Date)
		}
		if squeeze(h.Subject) != squeeze(tr.Subject) {
			fault(&tr, "subject", h.Subject, tr.Subject)
		}
		if d.Outcome == store.Captured && !before {
			captured[key] = d.Clients
			b := store.BareSubject(h.Subject)
			subjects[b] = append(subjects[b], bySubject{h.Date, Outsiders(h, parties), d.Clients})
		}
		if !tr.Capture {
			continue
		}
		if string(d.Direction) != tr.Direction {
			fault(&tr, "direction", d.Direction, tr.Direction)
		}
		var want []int64
		for _, c := range tr.Clients {
			want = append(want, clientIDs[c])
		}
		if !slices.Equal(sorted(d.Clients), sorted(want)) {
			fault(&tr, "clients", d.Clients, want)
		}
		if tr.MessageID != "" && h.MessageID != tr.MessageID {
			fault(&tr, "message id", h.MessageID, tr.MessageID)
		}
		if tr.InReplyTo != "" && (len(h.References) == 0 || h.References[len(h.References)-1] != strings.Trim(tr.InReplyTo, "<>")) {
			fault(&tr, "references", h.References, tr.InReplyTo)
		}
		var names, wantNames []string
		for i, a := range l.Attachments {
			names = append(names, a.Name)
			if i < len(tr.Attachments) {
				if size := tr.Attachments[i].Size; a.Size < size*9/10-4 || a.Size > size*11/10+4 {
					fault(&tr, "attachment size", a.Size, size)
				}
			}
		}
		for _, a := range tr.Attachments {
			wantNames = append(wantNames, a.Name)
		}
		if !slices.Equal(names, wantNames) {
			fault(&tr, "attachments", names, wantNames)
		}
		compared++
		if squeeze(l.Text) == squeeze(tr.Body) {
			same++
		} else if shown++; shown <= 5 {
			t.Logf("letter %d (%s, %s, odd %q) text differs\n--- got\n%s\n--- want\n%s\n--- whole\n%.1500s", tr.ID, tr.Kind, tr.Structure, tr.Odd, l.Text, tr.Body, l.FullText)
		}
	}
	agree := 100 * float64(same) / float64(compared)
	t.Logf("%d captured letters, text agrees in %.2f %%", compared, agree)
	if agree < 99 {
		t.Errorf("text agrees in %.2f %%, want 99", agree)
	}
}

// squeeze collapses white space: wrapping and format=flowed differ.
func squeeze(s string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(s, "\u00a0", " ")), " ")
}

func sorted(s []int64) []int64 {
	s = slices.Clone(s)
	slices.Sort(s)
	return s
}

// mailgenLetters are the raw letters by X-Mailgen-Id.
func mailgenLetters(t *testing.T, dir string) map[int][]byte {
	files, err := filepath.Glob(filepath.Join(dir, "Maildir", "cur", "*"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[int][]byte{}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		id, err := strconv.Atoi(readFields(raw, map[string]bool{"x-mailgen-id": true}).first("x-mailgen-id"))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out[id] = raw
	}
	return out
}

func mailgenParties(t testing.TB, dir string) (*store.Parties, map[string]int64) {
	p := &store.Parties{OwnAddrs: map[string]int64{}, OwnHosts: map[string]bool{}, ByAddr: map[string][]int64{},
		ByDomain: map[string][]int64{}, Blocked: map[string]bool{}, FreeMail: map[string]bool{}}
	ids := map[string]int64{}
	for i, row := range mailtest.Table(t, dir, "import/managers.csv") {
		a := NormalizeAddress(row["email"])
		p.OwnAddrs[a] = int64(i + 1)
		p.OwnHosts[domainOf(a)] = true
	}
	for i, row := range mailtest.Table(t, dir, "import/clients.csv") {
		id := int64(i + 1)
		ids[row["id"]] = id
		for _, d := range strings.Fields(row["domains"]) {
			p.ByDomain[d] = append(p.ByDomain[d], id)
		}
	}
	for _, row := range mailtest.Table(t, dir, "import/persons.csv") {
		a := NormalizeAddress(row["emails"])
		p.ByAddr[a] = append(p.ByAddr[a], ids[row["client"]])
	}
	return p, ids
}
