package mailsync

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"intouch/store"
)

func TestDecide_Configured(t *testing.T) {
	p := testParties()
	p.ByDomain["two.test"] = []int64{18, 10}
	r := Rules{ParentDomains: true, FreeMail: []string{"shared.test", "-gmail.com"}, Own: []string{"CRM@Elsewhere.test"}}
	r.apply(p)
	for _, c := range []struct{ name, want, sender string }{
		{"new@blue.test", "captured  [18] in", "18 new@blue.test"},
		{"new@mail.blue.test", "captured  [18] in", "18 new@mail.blue.test"},
		{"new+news@a.b.blue.test", "captured  [18] in", "18 new@a.b.blue.test"},
		{"new@notblue.test", "skipped unknown [] in", ""},
		{"new@blue.test.evil.test", "skipped unknown [] in", ""},
		{"new@two.test", "captured  [18 10] in", ""}, // of which of them?
		{"petr@romashka.test", "captured  [10] in", ""},
		{"somebody@gmail.com", "captured  [16] in", "16 somebody@gmail.com"},
		{"crm@elsewhere.test", "skipped internal [] in", ""},
		{"lawyer+x@law.test", "skipped blocked [] in", ""},
	} {
		d := Decide(header("From: "+c.name, "To: anna@vector.test"), p, nil)
		got, sender := fmt.Sprint(d.Outcome, " ", d.Reason, " ", d.Clients, " ", d.Direction), ""
		if d.Sender != nil {
			sender = fmt.Sprint(d.Sender.ClientID, " ", d.Sender.Address)
		}
		if strings.HasPrefix(c.want, "skipped internal") {
			got = strings.Replace(got, " out", " in", 1)
		}
		if got != c.want || sender != c.sender {
			t.Errorf("%s: %s, sender %q; want %s, %q", c.name, got, sender, c.want, c.sender)
		}
	}
	// Out: those who are written to are not added by themselves.
	if d := Decide(header("From: anna@vector.test", "To: new@blue.test"), p, nil); d.Sender != nil {
		t.Errorf("%+v", d.Sender)
	}
}

func TestSyncer_Pass_AddPersons(t *testing.T) {
	srv := newMemServer(t, nil)
	u := srv.addUser(t, "anna", "INBOX", "Sent")
	for i := range 3 {
		deliver(t, u, "INBOX", plainLetter(i, "Vera Vidal <Vera+orders@acme.test>", anna, fmt.Sprint("letter ", i), "x"), letterDay)
	}
	st := newStore(t)
	cfg := boxConfig(srv.Addr, "anna")
	opt := testOptions(t)
	opt.Rules.AddPersons = true
	if _, err := New(st, []Config{cfg}, opt).Pass(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := st.EachPerson(t.Context(), func(p *store.PersonRow) error {
		got = append(got, fmt.Sprint(p.Client, " ", p.Name, " ", p.Emails))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, []string{"c1 Bob [bob@freemail.test]", "c1 Vera Vidal [vera@acme.test]"}) {
		t.Errorf("persons %q", got)
	}
}

func outcomes(t testing.TB, st *store.Store) string {
	var out []string
	for _, l := range letters(t, st) {
		out = append(out, fmt.Sprintf("%s/%s %s %s", l.Folder, strings.TrimSuffix(l.MessageID, "@letters.test>"), l.Outcome, l.Reason))
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

func TestSyncer_Pass_ExcludingFolder(t *testing.T) {
	srv := newMemServer(t, nil)
	a := srv.addUser(t, "anna", "INBOX", "Sent", "Private", "Private/2025", "Drafts", "Clients/Acme", "Clients/Other", "Trash")
	b := srv.addUser(t, "boris", "INBOX", "Sent")
	private := plainLetter(1, bob, "anna@vector.test, boris@vector.test", "private", "x")
	deliver(t, a, "INBOX", private, letterDay)
	deliver(t, a, "Private", private, letterDay)
	deliver(t, a, "Private", plainLetter(2, "boris@vector.test", anna, "lunch", "x"), letterDay)
	deliver(t, a, "Private/2025", plainLetter(3, bob, anna, "older", "x"), letterDay)
	deliver(t, a, "Drafts", plainLetter(4, anna, bob, "not sent", "x"), letterDay)
	deliver(t, a, "Trash", plainLetter(5, bob, anna, "thrown away", "x"), letterDay)
	deliver(t, a, "Clients/Acme", plainLetter(6, bob, anna, "business", "x"), letterDay)
	st := newStore(t)
	ca := boxConfig(srv.Addr, "anna")
	ca.Manager, ca.Folders, ca.Exclude = "anna", []string{"*"}, []string{"Private"}
	onePass(t, st, ca)
	want := "Clients/Acme/<6 captured \nINBOX/<1 skipped blocked\nPrivate/2025/<3 skipped blocked\nPrivate/<1 skipped blocked\nPrivate/<2 skipped internal"
	if got := outcomes(t, st); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	// In a mailbox that does not exclude it the letter is captured.
	deliver(t, b, "INBOX", private, letterDay)
	cb := boxConfig(srv.Addr, "boris")
	cb.Manager = "boris"
	onePass(t, st, cb)
	if got := subjects(t, st); got != "business,private" {
		t.Errorf("captured %s", got)
	}
	// A folder that is to exclude must be there: a misspelt one would protect nothing.
	ca.Exclude = []string{"Privat"}
	if _, err := New(st, []Config{ca}, testOptions(t)).Pass(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "Privat") {
		t.Errorf("a missing excluded folder: %v", err)
	}
}

func TestSyncer_Pass_IncludingFolder(t *testing.T) {
	srv := newMemServer(t, nil)
	u := srv.addUser(t, "anna", "INBOX", "Sent", "CRM")
	lead := plainLetter(1, "Lea Lead <lea@lead.test>", anna, "Question", "How much?")
	deliver(t, u, "INBOX", lead, letterDay)
	st := newStore(t)
	cfg := boxConfig(srv.Addr, "anna")
	cfg.Manager, cfg.Include = "anna", []string{"CRM"}
	onePass(t, st, cfg)
	deliver(t, u, "CRM", lead, letterDay)
	deliver(t, u, "CRM", lead, letterDay)
	deliver(t, u, "CRM", plainLetter(2, "robot@shop.test", anna, "Order 5", "five", "Auto-Submitted: auto-generated"), letterDay)
	deliver(t, u, "CRM", plainLetter(3, "News <news@acme.test>", anna, "List", "x", "List-Id: <x>"), letterDay)
	deliver(t, u, "CRM", plainLetter(4, "boris@vector.test", anna, "among us", "x"), letterDay)
	deliver(t, u, "INBOX", plainLetter(5, anna, "lea@lead.test", "Re: Question", "5 each", "In-Reply-To: <1@letters.test>"), letterDay)
	onePass(t, st, cfg)
	show := func() string {
		var out []string
		for _, c := range contacts(t, st) {
			out = append(out, fmt.Sprintf("%s|%s%s|%s|%v|%d", c.Subject, c.ClientName, c.ClientText, c.Body, c.ManagerLogins, len(c.Persons)))
		}
		slices.Sort(out)
		return strings.Join(out, "\n")
	}
	want := `List|Acme|x|[anna]|0
Order 5|robot@shop.test|five|[anna]|0
Question|Lea Lead <lea@lead.test>|How much?|[anna]|0
Re: Question|lea@lead.test|5 each|[anna]|0`
	if got := show(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	// Registered later, by a person and by a domain.
	err := st.Import(t.Context(), store.Actor{Origin: store.FromImport}, false, func(im *store.Import) error {
		if _, err := im.Client(store.ClientRow{ID: "c2", Name: "Lead", Manager: "boris"}); err != nil {
			return err
		}
		if _, err := im.Person(store.PersonRow{ID: "p2", Client: "c2", Name: "Lea", Emails: []string{"lea@lead.test"}}); err != nil {
			return err
		}
		_, err := im.Client(store.ClientRow{ID: "c3", Name: "Shop", Domains: []string{"shop.test"}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want = `List|Acme|x|[anna]|0
Order 5|Shop|five|[anna]|0
Question|Lead|How much?|[anna]|1
Re: Question|Lead|5 each|[anna]|1`
	if got := show(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	// Once more from another folder: it is known with its client.
	deliver(t, u, "Sent", lead, letterDay)
	onePass(t, st, cfg)
	if got := show(); got != want {
		t.Errorf("read again: got\n%s\nwant\n%s", got, want)
	}
}

func TestSyncer_Pass_SubjectOnly(t *testing.T) {
	srv := newMemServer(t, nil)
	u := srv.addUser(t, "anna", "INBOX", "Sent")
	deliver(t, u, "INBOX", plainLetter(1, bob, anna, "Salary", "secret-words"), letterDay)
	st := newStore(t)
	cfg := boxConfig(srv.Addr, "anna")
	cfg.SubjectOnly = true
	wire := ""
	p := newProxy(t, srv.Addr, func(_ int, line string) (string, bool) {
		wire += line
		return line, false
	})
	cfg.Addr = p.Addr
	onePass(t, st, cfg)
	all := contacts(t, st)
	if len(all) != 1 || all[0].Subject != "Salary" || all[0].Body+all[0].FullText != "" {
		t.Errorf("%+v", all)
	}
	if strings.Contains(wire, "secret-words") {
		t.Error("the text was fetched")
	}
}

func TestSyncer_Pass_PrivateThread(t *testing.T) {
	srv := newMemServer(t, nil)
	u := srv.addUser(t, "anna", "INBOX", "Sent")
	deliver(t, u, "INBOX", plainLetter(1, bob, anna, "Offer", "the first"), letterDay)
	st := newStore(t)
	cfg := boxConfig(srv.Addr, "anna")
	cfg.Manager = "anna"
	onePass(t, st, cfg)
	raw := plainLetter(2, bob, anna, "Re: Offer", "the second", "In-Reply-To: <1@letters.test>")
	if _, err := u.Append("INBOX", literal{strings.NewReader(raw), int64(len(raw))}, &imap.AppendOptions{Flags: []imap.Flag{"Private"}, Time: time.Time{}}); err != nil {
		t.Fatal(err)
	}
	deliver(t, u, "Sent", plainLetter(3, anna, bob, "Re: Offer", "the third", "References: <1@letters.test> <2@letters.test>"), letterDay)
	deliver(t, u, "INBOX", plainLetter(4, bob, anna, "Other", "the fourth"), letterDay)
	onePass(t, st, cfg)

	logins := map[string]store.Manager{}
	for _, login := range []string{"anna", "boris"} {
		m, err := st.ManagerByLogin(t.Context(), login)
		if err != nil {
			t.Fatal(err)
		}
		logins[login] = m
	}
	boris := logins["boris"]
	boris.Role = store.RoleHead
	seen := func(m store.Manager) string {
		var out []string
		for _, c := range contacts(t, st) {
			c, err := st.Contact(t.Context(), m, c.ID)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, c.Body)
		}
		return strings.Join(out, ",")
	}
	if got := seen(logins["anna"]); got != "the first,the second,the fourth," {
		t.Errorf("who took part sees %q", got)
	}
	if got := seen(boris); got != ",,the fourth," {
		t.Errorf("the head sees %q", got)
	}
	for _, c := range contacts(t, st) {
		if (c.Body+c.FullText != "") != (c.Subject == "Other") {
			t.Errorf("the export shows %q of %s", c.Body+c.FullText, c.Subject)
		}
	}
}
