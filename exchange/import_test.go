package exchange

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"intouch/store"
	"intouch/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// each runs a test on an empty store of each engine. Its clock stands at
// 2026-11-23 10:00 in Moscow.
func each(t *testing.T, fn func(*testing.T, *store.Store)) {
	storetest.Each(t, testStore, fn)
}

var testStore = store.Options{
	Render: func(v *store.EntryView) []byte { return []byte(v.UID) },
	Now:    func() time.Time { return time.Date(2026, 11, 23, 7, 0, 0, 0, time.UTC) },
}

func importText(t testing.TB, st *store.Store, kind Kind, text string) Summary {
	t.Helper()
	sum, err := Import(t.Context(), st, options(kind), strings.NewReader(text))
	if err != nil {
		t.Fatalf("import %s: %v", kind, err)
	}
	return sum
}

func options(kind Kind) ImportOptions {
	return ImportOptions{Kind: kind, Name: string(kind) + ".csv", Actor: store.Actor{Origin: store.FromImport}, Currency: "RUB", TimeZone: "Europe/Moscow", Language: "ru"}
}

// office is a company as its files in testdata describe it, by kind.
var office = map[Kind]string{
	Managers: "managers.csv", Rates: "rates-1251.csv", Sources: "sources-utf8.csv", Clients: "clients-1251.csv", Persons: "persons-utf16.csv",
	Deals: "deals-utf8-bom.csv", Events: "events-utf8.csv", Documents: "documents-1251.csv", Lines: "lines-1251.csv", Contacts: "contacts-1251.csv",
}

func importOffice(t testing.TB, st *store.Store, dry bool) map[Kind]Summary {
	t.Helper()
	return importKinds(t, st, dry, ImportKinds)
}

func importKinds(t testing.TB, st *store.Store, dry bool, kinds []Kind) map[Kind]Summary {
	t.Helper()
	all := map[Kind]Summary{}
	for _, kind := range kinds {
		f, err := os.Open(filepath.Join("testdata", office[kind]))
		if err != nil {
			t.Fatal(err)
		}
		opt := options(kind)
		opt.DryRun = dry
		sum, err := Import(t.Context(), st, opt, f)
		f.Close()
		if err != nil {
			t.Fatalf("import %s: %v", kind, err)
		}
		all[kind] = sum
	}
	return all
}

func export(t testing.TB, st *store.Store, opt ExportOptions) string {
	t.Helper()
	var b bytes.Buffer
	if err := Export(t.Context(), st, opt, &b); err != nil {
		t.Fatalf("export %s: %v", opt.Kind, err)
	}
	return b.String()
}

func exportAll(t testing.TB, st *store.Store, format Format) map[Kind]string {
	t.Helper()
	all := map[Kind]string{}
	for _, kind := range ImportKinds {
		all[kind] = export(t, st, ExportOptions{Kind: kind, Format: format})
	}
	return all
}

func TestImport_OfficeFiles(t *testing.T) {
	each(t, func(t *testing.T, st *store.Store) {
		want := map[Kind]int{Managers: 2, Rates: 3, Sources: 2, Clients: 3, Persons: 2, Deals: 3, Events: 3, Documents: 4, Lines: 2, Contacts: 4}
		for kind, sum := range importOffice(t, st, false) {
			if sum.New != want[kind] || sum.Rows() != want[kind] {
				t.Errorf("%s: %+v, want %d new", kind, sum, want[kind])
			}
		}
		first := exportAll(t, st, JSONL)
		for kind, sum := range importOffice(t, st, false) {
			if sum.Unchanged != want[kind] || sum.Rows() != want[kind] {
				t.Errorf("%s again: %+v, want %d unchanged", kind, sum, want[kind])
			}
		}
		if d := cmp.Diff(first, exportAll(t, st, JSONL)); d != "" {
			t.Errorf("the second import changed something (-want +got):\n%s", d)
		}
	})
}

func TestImport_DryRunChangesNothing(t *testing.T) {
	each(t, func(t *testing.T, st *store.Store) {
		if sum := importOffice(t, st, true)[Managers]; sum.New != 2 {
			t.Errorf("managers: %+v, want 2 new", sum)
		}
		for kind, text := range exportAll(t, st, JSONL) {
			if text != "" {
				t.Errorf("%s after a dry run: %s", kind, text)
			}
		}
		importOffice(t, st, false)
		before := exportAll(t, st, JSONL)
		opt := options(Clients)
		opt.DryRun = true
		sum, err := Import(t.Context(), st, opt, strings.NewReader("id,name\n000001,Another name\nnew,New\n,No key\n"))
		if err != nil {
			t.Fatal(err)
		}
		if sum.New != 1 || sum.Changed != 1 || sum.Refused != 1 {
			t.Errorf("dry run: %+v", sum)
		}
		if d := cmp.Diff(before, exportAll(t, st, JSONL)); d != "" {
			t.Errorf("a dry run changed something (-want +got):\n%s", d)
		}
	})
}

// TestImport_RefusesRows: a faulty row is refused with its line, its key and
// the reason, the others are taken, and the file of refused rows, mended, goes
// in.
func TestImport_RefusesRows(t *testing.T) {
	each(t, func(t *testing.T, st *store.Store) {
		importText(t, st, Managers, "id,name,login\nm1,Anna,anna\n")
		importText(t, st, Clients, "id,name\nc1,Alpha\n")
		var refused bytes.Buffer
		opt := options(Deals)
		opt.Refused = NewRefusedRows(&refused, Deals)
		sum, err := Import(t.Context(), st, opt, strings.NewReader(
			"Код;Номер;Дата;Клиент;Сумма;Менеджер\n"+
				"d1;1;01.11.2026;c1;100,00;anna\n"+
				"d2;2;01.11.2026;nobody;100,00;\n"+
				"d3;3;31.11.2026;c1;100,00;\n"+
				"d4;=4;01.11.2026;c1;-100,00;\n"+
				"\n"+
				"d5;5;01.11.2026;c1;100,00;bert\n"+
				";6;01.11.2026;c1;100,00;\n"+
				"d7;7;01.11.2026;c1;100,00;;;extra\n"+
				"d8;8;01.11.2026;c1;100,00;m1\n"))
		if err != nil {
			t.Fatal(err)
		}
		if sum.New != 2 || sum.Refused != 5 || sum.Kept != 1 {
			t.Errorf("%+v, want 2 new, 5 refused and 1 kept apart", sum)
		}
		want := []RowFault{
			{4, "d3", "date", `there is no day "31.11.2026"`},
			{5, "d4", "amount", "the sum -100,00 is negative"},
			{7, "d5", "manager", `unknown manager "bert"`},
			{8, "", "id", "is missing"},
			{9, "d7", "", "too many columns: 8, the header has 6"},
		}
		if d := cmp.Diff(want, sum.Faults); d != "" {
			t.Errorf("faults differ (-want +got):\n%s", d)
		}
		wantFile := "\ufeffid;number;date;client;manager;amount;currency;cost;ship_due;pay_due;status;source;cancelled;refused_at;refused_reason;refused_row\n" +
			"d3;3;31.11.2026;c1;;100,00;;;;;;;;deals.csv:4;\"date: there is no day \"\"31.11.2026\"\"\";\n" +
			"d4;'=4;01.11.2026;c1;;-100,00;;;;;;;;deals.csv:5;amount: the sum -100,00 is negative;\n" +
			"d5;5;01.11.2026;c1;bert;100,00;;;;;;;;deals.csv:7;\"manager: unknown manager \"\"bert\"\"\";\n" +
			";6;01.11.2026;c1;;100,00;;;;;;;;deals.csv:8;id: is missing;\n" +
			"d7;7;01.11.2026;c1;;100,00;;;;;;;;deals.csv:9;too many columns: 8, the header has 6;\n"
		if d := cmp.Diff(wantFile, refused.String()); d != "" {
			t.Errorf("refused rows differ (-want +got):\n%s", d)
		}
		mended := strings.NewReplacer("31.11", "30.11", "-100", "100", "bert", "anna", "\n;6", "\nd6;6").Replace(refused.String())
		if sum := importText(t, st, Deals, mended); sum.New != 5 || sum.Refused != 0 || len(sum.UnknownColumns) > 0 {
			t.Errorf("mended: %+v", sum)
		}
	})
}

// TestImport_RefusedJSON: lists and attributes of refused JSONL rows come back
// through the CSV.
func TestImport_RefusedJSON(t *testing.T) {
	each(t, func(t *testing.T, st *store.Store) {
		var refused bytes.Buffer
		opt := options(Clients)
		opt.Refused = NewRefusedRows(&refused, Clients)
		line := `{"id":"1","name":"A","emails":["a@a.test","b@a.test"],"phones":["+7 495 1","8 495 2, доб. 3"],"segment":"=horeca","importance":"%s"}`
		if _, err := Import(t.Context(), st, opt, strings.NewReader(fmt.Sprintf(line, "?"))); err != nil {
			t.Fatal(err)
		}
		if sum := importText(t, st, Clients, strings.Replace(refused.String(), "?", "high", 1)); sum.New != 1 {
			t.Fatalf("mended: %+v\n%s", sum, refused.String())
		}
		if sum := importText(t, st, Clients, fmt.Sprintf(line, "high")); sum.Unchanged != 1 {
			t.Errorf("the original after the mended one: %+v\n%s", sum, export(t, st, ExportOptions{Kind: Clients}))
		}
	})
}

func TestImport_FaultsAreBounded(t *testing.T) {
	each(t, func(t *testing.T, st *store.Store) {
		sum := importText(t, st, Clients, "id,name\n"+strings.Repeat(",x\n", maxFaults+500))
		if sum.Refused != maxFaults+500 || len(sum.Faults) != maxFaults {
			t.Errorf("%d refused, %d kept", sum.Refused, len(sum.Faults))
		}
	})
}

// TestImport_Batches: a long file is taken in several transactions, and an
// import that ends early keeps what was committed.
func TestImport_Batches(t *testing.T) {
	each(t, func(t *testing.T, st *store.Store) {
		const rows = 120
		var file strings.Builder
		file.WriteString("id,name,note\n")
		note := strings.Repeat("x", batchBytes/50)
		for i := range rows {
			fmt.Fprintf(&file, "%d,source,%s\n", i, note)
		}
		ctx, cancel := context.WithCancel(t.Context())
		opt := options(Sources)
		done := 0
		opt.Progress = func(rows int, bytes int64) {
			if done > 0 {
				cancel()
			}
			done = rows
			if bytes < int64(rows*len(note)) {
				t.Errorf("%d rows, but %d bytes", rows, bytes)
			}
		}
		sum, err := Import(ctx, st, opt, strings.NewReader(file.String()))
		if err == nil || !strings.HasPrefix(err.Error(), "sources.csv: ") {
			t.Errorf("error %v, want that of the context", err)
		}
		if sum.New != done || done < 2*45 || done > 2*55 {
			t.Errorf("%d rows done, %+v", done, sum)
		}
		sum = importText(t, st, Sources, file.String())
		if sum.Unchanged != done || sum.New != rows-done {
			t.Errorf("again: %+v after %d", sum, done)
		}
	})
}

// TestImport_NewManagersTakeTheHousesZone, known ones keep theirs.
func TestImport_NewManagersTakeTheHousesZone(t *testing.T) {
	each(t, func(t *testing.T, st *store.Store) {
		importText(t, st, Managers, "id,name,login,time_zone,language\nm1,Anna,anna,Asia/Omsk,en\n")
		importText(t, st, Managers, "id,name,login\nm1,Anna,anna\nm2,Bert,bert\n")
		want := `{"id":"m1","name":"Anna","email":[],"login":"anna","role":"manager","time_zone":"Asia/Omsk","language":"en","work_hours":""}
{"id":"m2","name":"Bert","email":[],"login":"bert","role":"manager","time_zone":"Europe/Moscow","language":"ru","work_hours":""}
`
		if d := cmp.Diff(want, export(t, st, ExportOptions{Kind: Managers})); d != "" {
			t.Errorf("managers differ (-want +got):\n%s", d)
		}
	})
}

func TestImport_UnknownKind(t *testing.T) {
	_, err := Import(t.Context(), nil, ImportOptions{Kind: Letters}, strings.NewReader(""))
	if err == nil || !strings.Contains(err.Error(), `unknown kind "letters": it is one of managers, rates, sources, clients`) {
		t.Errorf("error %v", err)
	}
}

// failingReader breaks off in the middle of a file.
type failingReader struct{ r io.Reader }

func (f failingReader) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func TestImport_FileBreaksOff(t *testing.T) {
	each(t, func(t *testing.T, st *store.Store) {
		_, err := Import(t.Context(), st, options(Clients), failingReader{strings.NewReader("id,name\n1,A\n2,B")})
		if err == nil || !strings.Contains(err.Error(), "clients.csv: after line 2: unexpected EOF") {
			t.Errorf("error %v", err)
		}
		if text := export(t, st, ExportOptions{Kind: Clients}); text != "" {
			t.Errorf("half a transaction was written: %s", text)
		}
	})
}

// TestColumns_cancelled: the refused file has that column, so help lists it.
func TestColumns_cancelled(t *testing.T) {
	if got := Columns(Deals); !slices.Contains(got, "cancelled") {
		t.Errorf("columns of deals: %v", got)
	}
}
