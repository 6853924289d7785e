package report

import (
	"context"
	"encoding/csv"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"intouch/store"
	"intouch/store/storetest"
)

// LibreOffice opens the spreadsheets of all reports and computes the totals that
// the tables have.
func TestXLSX_LibreOffice(t *testing.T) {
	office, err := exec.LookPath("soffice")
	if err != nil || testing.Short() {
		t.Skip("no LibreOffice here (apt-get install libreoffice-calc), or -short")
	}
	dir := t.TempDir()
	tables := map[string]*Table{}
	o := newOffice(t, storetest.SQLite(t, store.Options{Now: func() time.Time { return now }, Currency: "RUB", Render: func(*store.EntryView) []byte { return nil }}))
	for name, query := range map[string]string{"calendar": "period=2026-11&by=type", "open-deals": "manager=anna", "deal": "deal=d1", "contacts": "period=2026&by=week,kind",
		"sources": "period=2026", "managers": "period=2026", "persons": "", "classification": ""} {
		viewer := o.olga
		viewer.Language = store.English
		tables[name] = o.table(t, viewer, name, query)
		f, err := os.Create(filepath.Join(dir, name+".xlsx"))
		if err != nil {
			t.Fatal(err)
		}
		if err := tables[name].WriteXLSX(f); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.xlsx"))
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	run := exec.CommandContext(ctx, office, append([]string{"-env:UserInstallation=file://" + dir + "/profile", "--headless", "--convert-to", "csv", "--outdir", dir}, files...)...)
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, table := range tables {
		f, err := os.Open(filepath.Join(dir, name+".csv"))
		if err != nil {
			t.Fatal(err)
		}
		in := csv.NewReader(f)
		in.FieldsPerRecord = -1
		rows, err := in.ReadAll()
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		all := map[string][]string{}
		for _, row := range rows {
			all[row[0]] = row
		}
		if table.Total == nil || all["Total"] == nil {
			if table.Total != nil {
				t.Errorf("%s has no total: %v", name, rows)
			}
			continue
		}
		s := &sheet{Table: table, currencies: table.currencies()}
		for i, of := range s.figures() {
			v, got := table.Total[of.column], all["Total"][len(table.Groups)+i]
			kind, want := table.Columns[of.column].Type, 0.0
			switch {
			case v.None:
				continue
			case kind == Count:
				want = float64(v.N)
			case kind == Percent:
				want = float64(v.N) / 100
			case kind == Sum:
				for _, m := range v.Sums {
					if m.Currency == of.currency {
						want = float64(m.Minor) / 100
					}
				}
			default:
				continue
			}
			n, err := strconv.ParseFloat(got, 64)
			if err != nil && v.Unknown && strings.Contains(got, "unknown") {
				continue
			}
			if err != nil || n != want {
				t.Errorf("%s, %s: LibreOffice computes %q, the table has %v", name, of.title, got, want)
			}
		}
	}
}
