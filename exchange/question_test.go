package exchange

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"intouch/store"
)

// questions lists what is open, in words.
func questions(t testing.TB, st *store.Store) []string {
	t.Helper()
	all, err := st.Questions(t.Context(), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, q := range all {
		taken := ""
		if q.Taken {
			taken = ", taken"
		}
		out = append(out, fmt.Sprintf("%s %s%s: %s (%s:%d)", q.Kind, q.Key, taken, q.Text(store.English), q.File, q.Line))
	}
	return out
}

func wantQuestions(t testing.TB, st *store.Store, when string, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, questions(t, st)); d != "" {
		t.Errorf("questions %s (-want +got):\n%s", when, d)
	}
}

// Files that come in the wrong order: what refers to something that is not
// there yet waits for it, and nothing is lost.
func TestQuestions_ApplyThemselves(t *testing.T) {
	each(t, func(t *testing.T, st *store.Store) {
		for kind, text := range map[Kind]string{
			Lines:     "id,deal,document,item,amount\nl1,d1,,Болт,60\nl2,,s1,Болт,40\n",
			Documents: "id,kind,date,deal,client,amount,currency\ns1,shipment,2026-11-05,d1,,40,\np1,payment,2026-11-06,d1,,1,USD\np2,payment,2026-11-06,,c1,5,\n",
			Events:    "id,deal,kind,due,amount\ne1,d1,payment,2026-12-01,60\n",
			Deals:     "id,date,client,amount\nd1,2026-11-01,c1,60\n",
		} {
			sum := importText(t, st, kind, text)
			if sum.Kept != sum.Rows() {
				t.Errorf("%s: %+v, want all kept apart", kind, sum)
			}
			if again := importText(t, st, kind, text); again.Kept != again.Rows() {
				t.Errorf("%s again: %+v, want all kept apart", kind, again)
			}
		}
		if n := len(questions(t, st)); n != 7 {
			t.Errorf("%d questions, want 7: %q", n, questions(t, st))
		}
		// A newer row of the same record replaces the one that is kept.
		importText(t, st, Documents, "id,kind,date,deal,amount\ns1,shipment,2026-11-05,d1,45\n")
		// The client brings the deal, that its event, documents and line, and
		// the document its line.
		importText(t, st, Clients, "id,name\nc1,Ромашка\n")
		wantQuestions(t, st, "with the client",
			"document p1: there is no rate of USD on 2026-11-06 (documents.csv:3)",
			"document s1, taken: the sum is ₽45.00, but the lines make ₽40.00 (lines.csv:3)")
		importText(t, st, Rates, "date,currency,rate\n2026-11-07,USD,60\n")
		wantQuestions(t, st, "with a rate of a later day",
			"document p1: there is no rate of USD on 2026-11-06 (documents.csv:3)",
			"document s1, taken: the sum is ₽45.00, but the lines make ₽40.00 (lines.csv:3)")
		importText(t, st, Rates, "Дата;Валюта;Курс;Номинал\n01.11.2026;доллар США;600;10\n")
		importText(t, st, Lines, "id,document,item,amount\nl2,s1,Болт,45\n")
		wantQuestions(t, st, "at the end")
		if got, want := dealEvents(t, st, "d1"), "payment 2026-12-01 6000/6000 done known=true"; got != want {
			t.Errorf("events: %s, want %s", got, want)
		}
		// A rate that was wrong is made right.
		importText(t, st, Rates, "date,currency,rate\n2026-11-01,USD,30\n")
		if got, want := dealEvents(t, st, "d1"), "payment 2026-12-01 3000/6000 planned known=true"; got != want {
			t.Errorf("events: %s, want %s", got, want)
		}
		for kind, n := range map[Kind]int{Deals: 1, Events: 1, Documents: 3, Lines: 2} {
			if got := strings.Count(export(t, st, ExportOptions{Kind: kind}), "\n"); got != n {
				t.Errorf("%d %s, want %d", got, kind, n)
			}
		}
	})
}

// What lacked something and turns out to be wrong stays, with the reason.
func TestQuestions_NotApplied(t *testing.T) {
	each(t, func(t *testing.T, st *store.Store) {
		importText(t, st, Clients, "id,name\nc1,A\nc2,B\n")
		importText(t, st, Documents, "id,kind,date,deal,client,amount\np1,payment,2026-11-05,d1,c2,40\n")
		importText(t, st, Deals, "id,date,client,amount\nd1,2026-11-01,c1,60\n")
		wantQuestions(t, st, "about another client", `document p1: not taken: client: is not the client of the deal "d1" (documents.csv:2)`)
		taken, left, err := st.ApplyQuestions(t.Context(), store.Actor{})
		if taken != 0 || left != 1 || err != nil {
			t.Errorf("applied %d, left %d, %v", taken, left, err)
		}
		all, _ := st.Questions(t.Context(), 0, 0)
		if len(all) != 1 || all[0].Given != `{"amount":"40","client":"c2","date":"2026-11-05","deal":"d1","id":"p1","kind":"payment"}` {
			t.Fatalf("questions: %+v", all)
		}
		if err := st.DropQuestion(t.Context(), store.Actor{}, all[0].ID); err != nil {
			t.Fatal(err)
		}
		wantQuestions(t, st, "after the drop")
		if err := st.DropQuestion(t.Context(), store.Actor{}, all[0].ID); err == nil {
			t.Error("dropped twice")
		}
		h, err := st.History(t.Context(), "question", all[0].ID, 1)
		if err != nil || len(h) != 1 || h[0].Changes["row"][0] != all[0].Given {
			t.Errorf("history: %+v, %v", h, err)
		}
	})
}

// The same through CommerceML: a payment before its order, an older state of
// it after, and its withdrawal.
func TestQuestions_CommerceML(t *testing.T) {
	pay := func(sum string) string {
		return `<Документ><Ид>p-1</Ид><Номер>1</Номер><Дата>2026-11-05</Дата><ХозОперация>Выплата безналичных денег</ХозОперация><Валюта>RUB</Валюта><Сумма>` + sum + `</Сумма><Основание>o-1</Основание></Документ>`
	}
	note := `<Документ><Ид>n-1</Ид><Номер>7</Номер><Дата>2026-11-04</Дата><ХозОперация>Счет-фактура</ХозОперация><Сумма>100</Сумма><Валюта>RUB</Валюта><Основание>o-1</Основание></Документ>`
	each(t, func(t *testing.T, st *store.Store) {
		if sum := importCML(t, st, cml(5, pay("40"), note)); sum.Kept() != 2 || sum.Refused() != 0 {
			t.Errorf("kept %d, refused %d, want 2 and 0", sum.Kept(), sum.Refused())
		}
		importCML(t, st, cml(4, pay("30"))) // older
		if sum := importCML(t, st, cml(6, cmlOrder(""))); sum.Orders.New != 1 {
			t.Errorf("%s", tally(sum))
		}
		wantQuestions(t, st, "after the order")
		if got, want := dealEvents(t, st, "5"), "payment 2026-11-10 4000/10000 planned known=false"; got != want {
			t.Errorf("events: %s, want %s", got, want)
		}
		for range 2 {
			importCML(t, st, cml(7, note))
		}
		card, err := st.Deal(t.Context(), store.Manager{Role: store.RoleHead}, 1)
		if err != nil || len(card.Notes) != 1 || card.Notes[0].Title != "Счет-фактура" || card.Notes[0].Text != "7 2026-11-04 100 RUB" {
			t.Errorf("notes: %+v, %v", card.Notes, err)
		}
		gone := strings.Replace(pay("50"), "</Документ>", requisites("ПометкаУдаления", "true")+"</Документ>", 1)
		importCML(t, st, cml(8, strings.ReplaceAll(pay("50"), "1</", "2</")))
		importCML(t, st, cml(9, strings.ReplaceAll(gone, "1</", "2</")))
		wantQuestions(t, st, "after the withdrawal")
	})
}

// All or none.
func TestImport_Atomic(t *testing.T) {
	each(t, func(t *testing.T, st *store.Store) {
		opt := options(Clients)
		opt.Atomic = true
		sum, err := Import(t.Context(), st, opt, strings.NewReader("id,name\nc1,A\nc2,\nc3,C\n"))
		if err == nil || !strings.Contains(err.Error(), "nothing was taken") || sum.New != 0 || sum.Refused != 1 {
			t.Errorf("%+v, %v", sum, err)
		}
		if got := export(t, st, ExportOptions{Kind: Clients}); got != "" {
			t.Errorf("clients: %s", got)
		}
		sum, err = Import(t.Context(), st, opt, strings.NewReader("id,name\nc1,A\nc2,B\n"))
		if err != nil || sum.New != 2 {
			t.Errorf("%+v, %v", sum, err)
		}
		bad := strings.Replace(cmlOrder(""), "2026-11-02", "2026-13-32", 1)
		cmlSum, err := ImportCommerceML(t.Context(), st, CommerceMLOptions{Atomic: true}, strings.NewReader(cml(1, cmlOrder(""), strings.ReplaceAll(bad, "o-1", "o-2"))))
		if err == nil || cmlSum.Refused() != 1 || cmlSum.Orders.New != 0 {
			t.Errorf("%s, %v", tally(cmlSum), err)
		}
		if got := export(t, st, ExportOptions{Kind: Deals}); got != "" {
			t.Errorf("deals: %s", got)
		}
	})
}
