package exchange

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"intouch/store"
	"intouch/store/storetest"
)

// TestExport_RoundTrip: what is exported, imported into an empty store and
// exported again is the same, in both formats.
func TestExport_RoundTrip(t *testing.T) {
	each(t, func(t *testing.T, st *store.Store) {
		importOffice(t, st, false)
		// What could go wrong on the way: formulas, quotes, a list in a cell.
		importText(t, st, Clients, `{"id":"-1","name":"=HYPERLINK(\"http://evil.test\")","phones":["+7 495 123-45-67, доб. 5","+7 916 000-00-00"],"domains":["почта.рф"],"a;b":"'@x","Сегмент":"\"q\""}`+"\n")
		importText(t, st, Persons, `{"id":"+2","client":"-1","name":"'-Имя","position":"a\nb","emails":["x@почта.рф","Y@mail.test"]}`+"\n")
		importText(t, st, Rates, "date,currency,rate\n2026-11-01,EUR,100.12345678\n")
		importText(t, st, Deals, "id,date,client,amount,currency,pay_due\nЗ-9,2026-11-02,-1,1000.05,USD,2026-12-01\n")
		importText(t, st, Documents, "id,kind,date,deal,amount,currency,cost,НДС\nП-9,payment,2026-11-05,З-9,40000,RUB,,\nО-9,shipment,2026-11-05,З-9,500,EUR,0,83.33\nО-8,shipment,2026-11-05,З-9,500,EUR,,0\n")
		importText(t, st, Clients, `{"id":"я","name":"Ёлка","attributes":{"Сегмент":"HoReCa","a=b":"1; 2"},"source":"И-1","stage":"lost","importance":"low"}`+"\n")
		anna, err := st.ManagerByLogin(t.Context(), "ivanova")
		if err != nil {
			t.Fatal(err)
		}
		// One that somebody planned, over two days.
		_, err = st.PlanContact(t.Context(), store.Actor{ManagerID: anna.ID, Origin: store.FromImport}, store.ContactDraft{Kind: store.Visit, ClientText: "=Кто-то", ManagerID: anna.ID,
			Subject: "-5", Body: "a\n\"b\"", When: store.Span{AllDay: true, First: "2026-11-24", Last: "2026-11-25"}, State: store.Postponed})
		if err != nil {
			t.Fatal(err)
		}
		want := exportAll(t, st, JSONL)
		for kind, text := range want {
			if text == "" {
				t.Errorf("nothing exported of %s", kind)
			}
		}
		for _, tax := range []string{`"tax":83.33`, `"tax":0.00`, `"tax":null`} {
			if !strings.Contains(want[Documents], tax) {
				t.Errorf("no %s in %s", tax, want[Documents])
			}
		}
		for _, opt := range []ExportOptions{{Format: JSONL}, {Format: CSV}, {Format: CSV, Excel: true}} {
			open := map[bool]func(testing.TB, store.Options) *store.Store{true: storetest.SQLite, false: storetest.Postgres}[strings.HasSuffix(t.Name(), "sqlite")]
			other := open(t, testStore)
			for _, kind := range ImportKinds {
				opt.Kind = kind
				text := export(t, st, opt)
				if sum := importText(t, other, kind, text); sum.Refused > 0 || sum.New != sum.Rows() || len(sum.UnknownColumns) > 0 && opt.Format == CSV {
					t.Errorf("%s %s: %+v", opt.Format, kind, sum)
				}
			}
			if d := cmp.Diff(want, exportAll(t, other, JSONL)); d != "" {
				t.Errorf("%s: the export of the import differs (-want +got):\n%s", opt.Format, d)
			}
		}
	})
}

func TestExport_Contacts(t *testing.T) {
	each(t, func(t *testing.T, st *store.Store) {
		importKinds(t, st, false, ImportKinds[:len(ImportKinds)-1]) // but for contacts
		anna, err := st.ManagerByLogin(t.Context(), "ivanova")
		if err != nil {
			t.Fatal(err)
		}
		clients, err := st.Clients(t.Context(), anna, "Ромашка", 1)
		if err != nil || len(clients) != 1 {
			t.Fatalf("%v, %v", clients, err)
		}
		start := time.Date(2026, 11, 24, 9, 0, 0, 0, time.FixedZone("", 3*3600))
		for _, d := range []store.ContactDraft{
			{UID: "u1", Kind: store.Call, Direction: store.Out, ClientID: clients[0].ID, ManagerID: anna.ID, Subject: "=1+1", Body: "Строка 1\n<b> & \"кавычки\"",
				When: store.Span{Start: start.UTC(), End: start.UTC().Add(30 * time.Minute)}, Minutes: 30},
			{UID: "u2", Kind: store.Meeting, ClientText: "Кто-то с выставки", ManagerID: anna.ID, Subject: "Знакомство"},
		} {
			if _, err := st.PlanContact(t.Context(), store.Actor{ManagerID: anna.ID, Origin: store.FromWeb}, d); err != nil {
				t.Fatal(err)
			}
		}
		want := `{"id":1,"kind":"call","direction":"out","state":"planned","status":"current","importance":"high","client":"000001","client_name":"ООО \"Ромашка\"",` +
			`"persons":[],"managers":["ivanova"],"subject":"=1+1","text":"Строка 1\n<b> & \"кавычки\"","full_text":"","start":"2026-11-24T06:00:00Z","end":"2026-11-24T06:30:00Z",` +
			`"minutes":30,"estimated":false,"deal":"","source":"","message_id":"","thread":"","attachments":[],"origin":"web","key":"u1","days":""}` + "\n" +
			`{"id":2,"kind":"meeting","direction":"none","state":"planned","status":"current","importance":"normal","client":null,"client_name":"Кто-то с выставки",` +
			`"persons":[],"managers":["ivanova"],"subject":"Знакомство","text":"","full_text":"","start":null,"end":null,` +
			`"minutes":0,"estimated":false,"deal":"","source":"","message_id":"","thread":"","attachments":[],"origin":"web","key":"u2","days":""}` + "\n"
		if d := cmp.Diff(want, export(t, st, ExportOptions{Kind: Contacts})); d != "" {
			t.Errorf("contacts differ (-want +got):\n%s", d)
		}
		rows, err := csv.NewReader(strings.NewReader(export(t, st, ExportOptions{Kind: Contacts, Format: CSV}))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(tables[Contacts].columns, rows[0]); d != "" {
			t.Errorf("header differs (-want +got):\n%s", d)
		}
		wantRow := []string{"1", "call", "out", "planned", "current", "high", "000001", `ООО "Ромашка"`, "", "ivanova", "'=1+1", "Строка 1\n<b> & \"кавычки\"", "",
			"2026-11-24T06:00:00Z", "2026-11-24T06:30:00Z", "30", "false", "", "", "", "", "", "web", "u1", ""}
		if d := cmp.Diff(wantRow, rows[1]); d != "" {
			t.Errorf("row differs (-want +got):\n%s", d)
		}
	})
}

func TestExport_Letters(t *testing.T) {
	each(t, func(t *testing.T, st *store.Store) {
		importKinds(t, st, false, ImportKinds[:len(ImportKinds)-1]) // but for contacts
		box, err := st.SaveMailbox(t.Context(), "anna", "ivanova")
		if err != nil {
			t.Fatal(err)
		}
		folder, err := st.OpenFolder(t.Context(), box.ID, "INBOX", 7)
		if err != nil {
			t.Fatal(err)
		}
		anna, err := st.ManagerByLogin(t.Context(), "ivanova")
		if err != nil {
			t.Fatal(err)
		}
		clients, err := st.Clients(t.Context(), anna, "Ромашка", 1)
		if err != nil || len(clients) != 1 {
			t.Fatalf("%v, %v", clients, err)
		}
		date := time.Date(2026, 11, 20, 12, 0, 0, 0, time.FixedZone("", 3*3600))
		_, err = st.FileLetters(t.Context(), folder, store.Batch{Read: store.Cursor{First: 1, Last: 2}, Letters: []store.FiledLetter{
			{UID: 1, Key: "a@romashka.test", MessageID: "<a@romashka.test>", Date: date, Outcome: store.Captured, Direction: store.In, Clients: []int64{clients[0].ID},
				Addresses: []string{"buh@romashka.test", "anna@vector.test"}, Subject: "Счёт", Text: "Оплатили", FullText: "Оплатили\n> когда?",
				Attachments: []store.Attachment{{Name: "счёт.pdf", Type: "application/pdf", Size: 12}}},
			{UID: 2, Key: "hash:1", Date: date, Outcome: store.Skipped, Reason: store.Automatic},
		}})
		if err != nil {
			t.Fatal(err)
		}
		want := `{"mailbox":"anna","folder":"INBOX","uidvalidity":7,"uid":1,"message_id":"<a@romashka.test>","date":"2026-11-20T09:00:00Z","outcome":"captured","reason":"","contacts":[1]}
{"mailbox":"anna","folder":"INBOX","uidvalidity":7,"uid":2,"message_id":"","date":"2026-11-20T09:00:00Z","outcome":"skipped","reason":"automatic","contacts":[]}
`
		if d := cmp.Diff(want, export(t, st, ExportOptions{Kind: Letters})); d != "" {
			t.Errorf("letters differ (-want +got):\n%s", d)
		}
		var contact struct {
			Persons, Managers []string
			Text              string
			FullText          string `json:"full_text"`
			MessageID         string `json:"message_id"`
			Attachments       []map[string]any
		}
		if err := json.Unmarshal([]byte(export(t, st, ExportOptions{Kind: Contacts})), &contact); err != nil {
			t.Fatal(err)
		}
		if len(contact.Persons) != 1 || contact.Persons[0] != "buh@romashka.test" || contact.Text != "Оплатили" || contact.FullText != "Оплатили\n> когда?" ||
			contact.MessageID != "<a@romashka.test>" || len(contact.Attachments) != 1 || contact.Attachments[0]["name"] != "счёт.pdf" || len(contact.Attachments[0]) != 3 {
			t.Errorf("contact of the letter: %+v", contact)
		}
	})
}

func TestExport_WrongUsage(t *testing.T) {
	st := storetest.SQLite(t, testStore)
	for _, opt := range []ExportOptions{{Kind: "birds"}, {Kind: Clients, Format: "xml"}} {
		if err := Export(t.Context(), st, opt, io.Discard); err == nil || !strings.Contains(err.Error(), "it is one of") {
			t.Errorf("%+v: error %v", opt, err)
		}
	}
}
