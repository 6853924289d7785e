package exchange

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"intouch/store"
)

// Contacts of another system: times as people write them, what they refer to,
// and what a manager did meanwhile.
func TestImport_Contacts(t *testing.T) {
	each(t, func(t *testing.T, st *store.Store) {
		importOffice(t, st, false)
		var got []string
		for line := range strings.Lines(export(t, st, ExportOptions{Kind: Contacts})) {
			var c map[string]any
			if err := json.Unmarshal([]byte(line), &c); err != nil {
				t.Fatal(err)
			}
			var values []string
			for _, name := range []string{"key", "kind", "direction", "state", "importance", "client", "client_name", "managers", "subject", "start", "end", "days", "minutes", "deal", "origin"} {
				values = append(values, string(jsonText(c[name])))
			}
			got = append(got, strings.ReplaceAll(strings.Join(values, " "), `"`, ""))
		}
		want := []string{
			`К-1 call out done high 000001 ООО \Ромашка\ [ivanova] Уточнить \сроки\ 2026-11-20T07:15:00Z 2026-11-20T07:30:00Z  15 УТ-000017 import`,
			`К-2 meeting none planned normal 000002 ИП Петров А. В. [sidorov] Переговоры 2026-11-25T11:00:00Z 2026-11-25T12:30:00Z  90  import`,
			`К-3 visit none postponed low 000003 АО «Вектор-М»\n(бывш. ЗАО «Вектор») [ivanova] Выставка 2026-11-30T21:00:00Z 2026-12-02T21:00:00Z 2026-12-01/2026-12-02 0  import`,
			`К-4 other in planned normal null Кто-то с выставки [ivanova] Знакомство null null  30  import`,
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("contacts (-want +got):\n%s", d)
		}
		// A manager finishes one; the same row does not undo it, a newer one does.
		anna, err := st.ManagerByLogin(t.Context(), "ivanova")
		if err != nil {
			t.Fatal(err)
		}
		done := store.Done
		if _, err := st.EditContact(t.Context(), store.Actor{ManagerID: anna.ID}, 4, 0, store.ContactEdit{State: &done}); err != nil {
			t.Fatal(err)
		}
		row := "key;kind;state;client_name;managers;subject;start\nx1;call;planned;Кто-то;ivanova;Позвонить;24.11.2026 9:00\n"
		for _, want := range []store.RowChange{store.RowNew, store.RowUnchanged} {
			sum := importText(t, st, Contacts, row)
			if n := map[store.RowChange]int{store.RowNew: sum.New, store.RowUnchanged: sum.Unchanged}[want]; n != 1 || sum.Rows() != 1 {
				t.Errorf("%+v, want one %s", sum, want)
			}
		}
		if _, err := st.EditContact(t.Context(), store.Actor{ManagerID: anna.ID}, 5, 0, store.ContactEdit{State: &done}); err != nil {
			t.Fatal(err)
		}
		if sum := importText(t, st, Contacts, row); sum.Unchanged != 1 {
			t.Errorf("the same row: %+v", sum)
		}
		if c, err := st.Contact(t.Context(), anna, 5); err != nil || c.State != store.Done {
			t.Errorf("the manager's edit is gone: %+v, %v", c.State, err)
		}
		if sum := importText(t, st, Contacts, strings.Replace(row, "9:00", "10:00", 1)); sum.Changed != 1 {
			t.Errorf("a newer row: %+v", sum)
		}
		if c, err := st.Contact(t.Context(), anna, 5); err != nil || c.State != store.Planned || c.When.Start.Hour() != 7 {
			t.Errorf("the newer row: %+v, %v", c, err)
		}

		// An export of our own contacts, letters among them, brings nothing twice.
		if _, err := st.PlanContact(t.Context(), store.Actor{ManagerID: anna.ID}, store.ContactDraft{Subject: "Свой"}); err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(export(t, st, ExportOptions{Kind: Contacts}), `"attachments":[]`, `"attachments":[{"name":"a"}]`)
		if sum := importText(t, st, Contacts, text); sum.New != 0 || sum.Refused != 0 {
			t.Errorf("our own export: %+v", sum)
		}

		var faults []string
		for _, f := range importText(t, st, Contacts, "key;kind;client;managers;subject;start;end;source;deal\n"+
			"b1;;;;;;;;\nb2;танцы;;;;;;;\nb3;call;;nobody;;;;;\nb4;call;;;;завтра;;;\nb5;call;;;;24.11.2026;24.11.2026 10:00;;\nb6;call;;;;24.11.2026 10:00;24.11.2026 9:00;;\n"+
			"b7;call;;;;24.11.2026 25:00;;;\nb8;call;;;;;;nowhere;\n;call;;;;;;;\nb9;call;c-unknown;;;;;;\nb10;call;;;;;;;d-unknown\n").Faults {
			faults = append(faults, f.Key+" "+f.Field)
		}
		if d := cmp.Diff([]string{"b1 kind", "b2 kind", "b3 manager", "b4 start", "b5 end", "b6 end", "b7 start", "b8 source", " key"}, faults); d != "" {
			t.Errorf("faults (-want +got):\n%s", d)
		}
		if got := strings.Join(questions(t, st), "\n"); !strings.Contains(got, "contact b9") || !strings.Contains(got, "contact b10") {
			t.Errorf("questions: %s", got)
		}
		importText(t, st, Clients, "id,name\nc-unknown,Теперь известен\n")
		if got := strings.Join(questions(t, st), "\n"); strings.Contains(got, "contact b9") {
			t.Errorf("questions: %s", got)
		}
	})
}

// A line that cannot be cut into cells is not lost.
func TestImport_RefusedLine(t *testing.T) {
	each(t, func(t *testing.T, st *store.Store) {
		for text, want := range map[string]string{
			"id;name\nc1;\"open;x\nc2;B\n": `refused_row` + "\n" + `;;;;;;;;;;clients.csv:2;a quote is opened and not closed;"c1;""open;x"` + "\n",
			"{\"id\":\"c3\"\n":             `refused_row` + "\n" + `;;;;;;;;;;clients.csv:1;the line is not a JSON object;"{""id"":""c3"""` + "\n",
		} {
			var refused bytes.Buffer
			opt := options(Clients)
			opt.Refused = NewRefusedRows(&refused, Clients)
			if _, err := Import(t.Context(), st, opt, strings.NewReader(text)); err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(refused.String(), want) {
				t.Errorf("refused: %q, want it to end with %q", refused.String(), want)
			}
		}
	})
}
