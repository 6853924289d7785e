package report

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"intouch/store"
	"intouch/store/storetest"
)

// BenchmarkReports makes three years of a house with 100 managers (20,000
// clients, 40,000 persons, 1 million contacts, 200,000 deals, 600,000
// documents), and prints for each report its rows, time and memory beside the
// figures of issue 6 (a quarter in 1.5 s and 100 MB above idle, managers for a
// year in 3 s) and beside the time that the sqlite3 shell takes for plain SQL
// that asks the same (at most 1.5 times), and beside what a bare loop over the
// rows of that SQL takes here: SQLite is C in the shell and Go here. Each time is
// the best of three runs in turns, reading from a cold cache of our own; cpu is
// what both processors did in it. MISSED tells which targets a report misses. Then the same reports on PostgreSQL.
//
// INTOUCH_BENCH_YEARS is another number of years: a quarter has as many rows
// then, and should take as long. INTOUCH_BENCH_HOUSE keeps the SQLite database
// in that file, and takes it from there the next time. INTOUCH_BENCH_ONLY runs
// only the reports whose name contains it.
func BenchmarkReports(b *testing.B) {
	// The pace of the program's collector (cmd/intouchd/memory.go): at half as
	// much again as lives.
	defer debug.SetGCPercent(debug.SetGCPercent(50))
	h := &benchHouse{years: 3}
	if n, err := strconv.Atoi(os.Getenv("INTOUCH_BENCH_YEARS")); err == nil && n > 0 {
		h.years = n
	}
	shell, err := exec.LookPath("sqlite3")
	if err != nil {
		fmt.Println("THE sqlite3 SHELL IS MISSING (Debian: apt-get install sqlite3): no ratios")
	}
	b.Run("sqlite", func(b *testing.B) {
		path := os.Getenv("INTOUCH_BENCH_HOUSE")
		if path == "" {
			path = filepath.Join(b.TempDir(), "house.db")
		}
		st := benchOpen(b, "sqlite:"+path)
		if there, err := st.Managers(b.Context()); err != nil {
			b.Fatal(err)
		} else if len(there) == 0 {
			h.fill(b, "sqlite", path, func(expr string) string { return "date('" + h.first() + "', '+' || (" + expr + ") || ' days')" })
		}
		measureReports(b, st, shell, path, benchReports)
		benchGrowth(b, st)
		if len(benchAsked(benchAllOpen)) == 0 {
			return
		}
		open := filepath.Join(b.TempDir(), "open.db")
		if db, err := sql.Open("sqlite", path); err != nil {
			b.Fatal(err)
		} else if _, err := db.Exec("VACUUM INTO '" + open + "'"); err != nil {
			b.Fatal(err)
		} else {
			db.Close()
		}
		allOpen(b, "sqlite", open)
		measureReports(b, benchOpen(b, "sqlite:"+open), shell, open, benchAllOpen)
	})
	b.Run("postgres", func(b *testing.B) {
		url := storetest.PostgresURL(b)
		st := benchOpen(b, url)
		h.fill(b, "pgx", url, func(expr string) string {
			return "to_char(DATE '" + h.first() + "' + CAST(" + expr + " AS INT), 'YYYY-MM-DD')"
		})
		measureReports(b, st, "", "", benchReports)
		benchGrowth(b, st)
		allOpen(b, "pgx", url)
		measureReports(b, st, "", "", benchAllOpen)
	})
}

func benchOpen(b *testing.B, url string) *store.Store {
	st, err := store.Open(context.Background(), store.Options{URL: url, Now: func() time.Time { return benchNow }, Render: func(*store.EntryView) []byte { return nil }})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { st.Close() })
	return st
}

var benchNow = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// benchHouse is a house of so many years, as many of everything in each.
type benchHouse struct{ years int }

func (h *benchHouse) days() int     { return h.years * 365 }
func (h *benchHouse) first() string { return benchNow.AddDate(0, 0, -h.days()).Format(time.DateOnly) }

const (
	benchClients       = 20_000
	benchContactsAYear = 1_000_000 / 3
	benchDealsAYear    = 200_000 / 3
)

// fill makes the rows by SQL: through the store it would take an hour. day
// gives the day of so many days after the first one.
func (h *benchHouse) fill(b *testing.B, driver, source string, day func(expr string) string) {
	db, err := sql.Open(driver, source)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	contacts, deals := benchContactsAYear*h.years, benchDealsAYear*h.years
	start := benchNow.AddDate(0, 0, -h.days()).Unix()
	now, today := benchNow.Unix(), "'"+benchNow.Format(time.DateOnly)+"'"
	// Letters come in twos, and most second ones answer the first after five
	// hours. They reach some days into the future: those are planned.
	at := fmt.Sprintf("(%d + i * 96 + i %% 2 * 18000)", start)
	dealDay := fmt.Sprintf("(i * %d / %d)", h.days(), deals)
	ordered := day(dealDay)
	client, manager := "(1 + i * 31 % 20000)", "(2 + (1 + i * 31 % 20000) % 100)"
	paper := func(kind, key string, after int, where string) string {
		date := day(fmt.Sprintf("%s + %d", dealDay, after))
		return `INSERT INTO documents (external_id, kind, number, date, deal_id, client_id, amount, currency, cost, tax)
			SELECT '` + key + `' || i, '` + kind + `', '` + key + `' || i, ` + date + `, i, ` + client + `, 100000 + i % 9999, 'RUB', 60000, CASE WHEN i % 10 = 0 THEN NULL ELSE 20000 END
			FROM n WHERE ` + date + ` <= ` + today + ` AND ` + where
	}
	text := strings.Repeat("We thank you for your letter and send what you asked for. ", 8)
	begin := time.Now()
	for _, step := range []struct {
		n     int
		query string
	}{
		{101, `INSERT INTO managers (id, name, login, role, time_zone, language, created) SELECT i, 'Manager ' || i, 'm' || i, CASE i WHEN 1 THEN 'head' ELSE 'manager' END, 'Europe/Moscow', 'ru', 0 FROM n`},
		{20, `INSERT INTO sources (id, external_id, name, campaign, cost, currency) SELECT i, 's' || i, 'Source ' || i, 'Campaign ' || i % 5, 10000000, 'RUB' FROM n`},
		{benchClients, `INSERT INTO clients (id, external_id, name, folded, core, importance, manager_id, source_id, attributes, abc, stage, xyz, created, changed)
			SELECT i, 'c' || i, 'Client ' || i, 'client ' || i, 'client ' || i, 'normal', 2 + i % 100, CASE i % 3 WHEN 0 THEN NULL ELSE 1 + i % 20 END, CASE i % 2 WHEN 0 THEN '{}' ELSE '{"inn":"1"}' END,
			CASE i % 3 WHEN 0 THEN 'A' WHEN 1 THEN 'B' ELSE 'C' END, 'regular', 'X', 0, 0 FROM n`},
		{benchClients, `INSERT INTO client_points (client_id, kind, value, position) SELECT i, 'domain', 'c' || i || '.test', 1 FROM n`},
		{2 * benchClients, `INSERT INTO persons (id, client_id, name, position, birthday, created) SELECT i, 1 + (i - 1) % 20000, 'Person ' || i, 'Buyer', '1980-02-03', 0 FROM n`},
		{2 * benchClients, `INSERT INTO person_points (person_id, kind, value, position) SELECT i, 'email', 'p' || i || '@c.test', 1 FROM n`},
		{contacts, `INSERT INTO contacts (id, uid, kind, direction, state, importance, client_id, manager_id, source_id, subject, bare_subject, thread, message_key, body, start_at, end_at, minutes, estimated, origin, created, changed)
			SELECT i, 'u' || i, CASE i % 8 WHEN 7 THEN 'call' ELSE 'letter' END, CASE WHEN i % 2 = 0 OR i % 20 = 1 THEN 'in' ELSE 'out' END, CASE WHEN ` + at + fmt.Sprintf(` > %d`, now) + ` THEN 'planned' ELSE 'done' END,
			'normal', 1 + i / 2 * 7919 % 20000, 2 + (1 + i / 2 * 7919 % 20000) % 100, CASE (i + i / 40000) % 50 WHEN 0 THEN 1 + i % 20 ELSE NULL END,
			'Subject ' || i, 'subject ' || i, 'm' || i, CASE WHEN i % 8 = 7 OR ` + at + fmt.Sprintf(` > %d`, now) + ` THEN '' ELSE 'm' || i END, '` + text + `', ` + at + `, ` + at + `, 5, TRUE, 'mail', 0, 0 FROM n`},
		{1, `INSERT INTO contact_managers (contact_id, manager_id, client_id, start_at, listed) SELECT id, manager_id, client_id, start_at,
			CASE WHEN state = 'planned' THEN 'open' WHEN message_key = '' THEN 'done' END FROM contacts`},
		{contacts, `INSERT INTO contact_persons (contact_id, person_id) SELECT i, 1 + i / 2 * 7919 % 20000 + 20000 * (i / 40000 % 2) FROM n`},
		{deals, `INSERT INTO deals (id, external_id, number, date, client_id, manager_id, amount, currency, cost, created, changed)
			SELECT i, 'd' || i, 'D' || i, ` + ordered + `, ` + client + `, ` + manager + `, 100000 + i % 9999, 'RUB', 60000, 0, 0 FROM n`},
		// Shipped after ten days, paid after a month, and one of fifty never.
		{deals, paper("invoice", "i", 0, "TRUE")},
		{deals, paper("shipment", "s", 10, "TRUE")},
		{deals, paper("payment", "p", 30, "i % 50 > 0")},
		{1, `INSERT INTO settlements (document_id, client_id, deal_id, date, amount, currency)
			SELECT id, client_id, deal_id, date, CASE kind WHEN 'shipment' THEN amount ELSE -amount END, currency FROM documents WHERE kind <> 'invoice'`},
		{1, fmt.Sprintf(`INSERT INTO deal_events (uid, deal_id, kind, due, due_set, amount, covered, known, state, changed)
			SELECT k.kind || d.id, d.id, k.kind, %s, 1, d.amount, COALESCE(doc.amount, 0), TRUE, CASE WHEN doc.id IS NULL THEN 'planned' ELSE 'done' END, 0
			FROM deals d CROSS JOIN (SELECT 'shipment' AS kind UNION ALL SELECT 'payment') k LEFT JOIN documents doc ON doc.deal_id = d.id AND doc.kind = k.kind`,
			day(fmt.Sprintf("(d.id * %d / %d) + CASE k.kind WHEN 'shipment' THEN 10 ELSE 25 END", h.days(), deals)))},
		{1, `UPDATE deals SET open_next = COALESCE((SELECT MIN(e.due) FROM deal_events e WHERE e.deal_id = deals.id AND e.state = 'planned'), ''),
			listed_to = (SELECT CASE WHEN MIN(e.state) = 'done' AND MAX(e.state) = 'done' THEN MAX(e.due) ELSE 'open' END FROM deal_events e WHERE e.deal_id = deals.id),
			shipped = (SELECT COALESCE(SUM(x.amount), 0) FROM documents x WHERE x.deal_id = deals.id AND x.kind = 'shipment'),
			paid = (SELECT COALESCE(SUM(x.amount), 0) FROM documents x WHERE x.deal_id = deals.id AND x.kind = 'payment')`},
		{benchClients, fmt.Sprintf(`INSERT INTO classifications (client_id, day, abc, stage, xyz, amount)
			SELECT i, %s, CASE (i + q.q) %% 3 WHEN 0 THEN 'A' WHEN 1 THEN 'B' ELSE 'C' END, 'regular', CASE (i + q.q) %% 2 WHEN 0 THEN 'X' ELSE 'Y' END, 1
			FROM n CROSS JOIN (WITH RECURSIVE qs(q) AS (SELECT 0 UNION ALL SELECT q + 1 FROM qs WHERE q < %d) SELECT q FROM qs) q`, day("q.q * 91"), h.years*4-1)},
	} {
		query := fmt.Sprintf("WITH RECURSIVE n(i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < %d) %s", step.n, step.query)
		if _, err := db.Exec(query); err != nil {
			b.Fatalf("%v\n%s", err, query)
		}
	}
	if driver == "pgx" { // as the daemon of the database does in the night
		if _, err := db.Exec("VACUUM ANALYZE"); err != nil {
			b.Fatal(err)
		}
	}
	fmt.Printf("%s: made %d contacts, %d deals and their documents in %.0f s\n", driver, contacts, deals, time.Since(begin).Seconds())
}

// benchReport is a report, the SQL of testdata/plain.sql that asks the same, and
// its target in seconds.
type benchReport struct {
	title, name, params string
	perClient           bool
	from, to            string
	target              float64
	format              string // that the command writes; "": text; or the "page"
}

var benchReports = []benchReport{
	{"contacts", "contacts", "by=manager", false, "2026-07-01", "2026-09-30", 1.5, ""},
	{"contacts per client and kind", "contacts", "by=manager,client,kind", false, "2026-07-01", "2026-09-30", 1.5, ""},
	{"sources", "sources", "by=source", false, "2026-07-01", "2026-09-30", 1.5, ""},
	{"sources per client", "sources", "by=source,client", false, "2026-07-01", "2026-09-30", 1.5, ""},
	{"managers", "managers", "", false, "2026-07-01", "2026-09-30", 1.5, ""},
	{"managers per client", "managers", "by=manager,client", true, "2026-07-01", "2026-09-30", 1.5, ""},
	{"managers, a year", "managers", "", false, "2025-10-01", "2026-09-30", 3, ""},
	{"classification", "classification", "", false, "2026-07-01", "2026-09-30", 1.5, ""},
	{"open-deals", "open-deals", "", false, "", "", 1.5, ""},
	{"open-deals, page", "open-deals", "", false, "", "", 1.5, "page"},
	{"persons", "persons", "by=manager", false, "", "", 1.5, ""},
	{"persons, page", "persons", "by=manager", false, "", "", 1.5, "page"},
	{"calendar", "calendar", "", false, "2026-11-01", "2026-12-31", 1.5, ""},
}

// benchGrowth prints how the time of reports grows with the contacts of their
// period: it should grow no faster.
func benchGrowth(b *testing.B, st *store.Store) {
	growing := benchAsked([]benchReport{{title: "growth of contacts", name: "contacts", params: "by=manager"}, {title: "growth of sources", name: "sources", params: "by=source"}, {title: "growth of managers", name: "managers"}})
	if len(growing) == 0 {
		return
	}
	fmt.Printf("%-30s %10s %10s %8s %7s %24s\n", "report", "period", "contacts", "seconds", "cpu", "cpu, µs for each contact")
	for _, r := range growing {
		for _, p := range []struct{ title, from string }{{"month", "2026-09-01"}, {"quarter", "2026-07-01"}, {"year", "2025-10-01"}} {
			r.from, r.to = p.from, "2026-09-30"
			from, to := Period{store.Date(r.from), store.Date(r.to)}.Bounds(benchZone)
			var contacts int64
			if err := st.ContactGroups(b.Context(), store.ContactSelection{Viewer: store.Manager{Role: store.RoleHead}, From: from, To: to}, nil, func(g store.ContactGroup) error {
				contacts = g.Contacts
				return nil
			}); err != nil {
				b.Fatal(err)
			}
			var best, cpu time.Duration
			for range 3 {
				took, used, _, _ := benchRun(b, st, r)
				if best == 0 || took < best {
					best = took
				}
				if cpu == 0 || used < cpu {
					cpu = used
				}
			}
			fmt.Printf("%-30s %10s %10d %8.2f %7.2f %24.2f\n", r.title, p.title, contacts, best.Seconds(), cpu.Seconds(), cpu.Seconds()*1e6/float64(max(contacts, 1)))
		}
	}
}

// benchAllOpen are the reports when all deals are open.
var benchAllOpen = []benchReport{
	{"all open, text", "open-deals", "", false, "", "", 1.5, ""},
	{"all open, page", "open-deals", "", false, "", "", 1.5, "page"},
	{"all open, csv", "open-deals", "", false, "", "", 1.5, "csv"},
	{"all open, json", "open-deals", "", false, "", "", 1.5, "json"},
	{"all open, xlsx", "open-deals", "", false, "", "", 1.5, "xlsx"},
}

// allOpen makes each deal ten times as large, so that what was shipped and paid
// is only a part of it, and something is still to come.
func allOpen(b *testing.B, driver, source string) {
	db, err := sql.Open(driver, source)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	for _, query := range []string{"UPDATE deals SET amount = amount * 10", "UPDATE deal_events SET state = 'planned' WHERE kind = 'payment'"} {
		if _, err := db.Exec(query); err != nil {
			b.Fatal(err)
		}
	}
}

// plain is the SQL that asks the same.
func (r *benchReport) plain(b *testing.B) string {
	all, err := os.ReadFile("testdata/plain.sql")
	if err != nil {
		b.Fatal(err)
	}
	_, query, found := strings.Cut(string(all), "-- report "+r.title+"\n")
	if !found {
		_, query, _ = strings.Cut(string(all), "-- report "+r.name+"\n")
	}
	query, _, _ = strings.Cut(query, "\n-- report ")
	if r.perClient {
		query = strings.NewReplacer("/*", "", "*/", "").Replace(query)
	}
	if r.from != "" {
		from, to := Period{store.Date(r.from), store.Date(r.to)}.Bounds(benchZone)
		query = strings.NewReplacer(":now", fmt.Sprint(benchNow.Unix()), ":today", "'"+benchNow.Format(time.DateOnly)+"'", ":from", "'"+r.from+"'", ":to", "'"+r.to+"'", ":start", fmt.Sprint(from.Unix()), ":end", fmt.Sprint(to.Unix())).Replace(query)
	}
	return query
}

var benchZone = time.FixedZone("MSK", 3*3600)

// benchAsked are the reports that INTOUCH_BENCH_ONLY selects.
func benchAsked(all []benchReport) []benchReport {
	only := os.Getenv("INTOUCH_BENCH_ONLY")
	return slices.DeleteFunc(slices.Clone(all), func(r benchReport) bool { return !strings.Contains(r.title, only) })
}

// measureReports prints the table.
func measureReports(b *testing.B, st *store.Store, shell, path string, reports []benchReport) {
	if reports = benchAsked(reports); len(reports) == 0 {
		return
	}
	fmt.Printf("%-30s %8s %8s %8s %7s %8s %9s %6s %9s\n", "report", "rows", "seconds", "target", "cpu", "MB", "sqlite3", "ratio", "bare")
	for _, r := range reports {
		var best, cpu, plain, bare time.Duration
		var rows int
		var memory int64
		for range 3 {
			took, used, n, peak := benchRun(b, st, r)
			if best == 0 || took < best {
				best, cpu, rows = took, used, n
			}
			memory = max(memory, peak)
			if shell != "" {
				query := r.plain(b)
				if took := benchPlain(b, shell, path, query); plain == 0 || took < plain {
					plain = took
				}
				if took := benchBare(b, path, query); bare == 0 || took < bare {
					bare = took
				}
			}
		}
		var missed []string
		if best.Seconds() > r.target {
			missed = append(missed, "seconds")
		}
		if memory > 100<<20 {
			missed = append(missed, "MB")
		}
		mark, ratio := "", "-"
		if plain > 0 {
			times := best.Seconds() / plain.Seconds()
			ratio = fmt.Sprintf("%.2f", times)
			if times > 1.5 {
				missed = append(missed, "ratio")
			}
		}
		if len(missed) > 0 {
			mark = " MISSED: " + strings.Join(missed, ", ")
		}
		fmt.Printf("%-30s %8d %8.2f %8.1f %7.2f %8.1f %9.2f %6s %9.2f%s\n", r.title, rows, best.Seconds(), r.target, cpu.Seconds(), float64(memory)/(1<<20), plain.Seconds(), ratio, bare.Seconds(), mark)
	}
}

// benchRun computes and writes a report as the command or the page does.
func benchRun(b *testing.B, st *store.Store, r benchReport) (took, cpu time.Duration, rows int, memory int64) {
	params, err := url.ParseQuery(r.params)
	if err != nil {
		b.Fatal(err)
	}
	if r.from != "" {
		params["from"], params["to"] = []string{r.from}, []string{r.to}
	}
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil { // begins the peak anew
		b.Fatal(err)
	}
	idle, before, begin := benchMemory(b, "VmRSS:"), benchCPU(), time.Now()
	request := Request{Name: r.name, Viewer: store.Manager{Role: store.RoleHead, TimeZone: "Europe/Moscow", Language: store.Russian},
		Now: benchNow, Currency: "RUB", Params: params}
	write := (*Table).WriteText
	switch r.format {
	case "page":
		request.Most = PageRows
		write = func(t *Table, w io.Writer) error { return t.WriteHTML(w, HTMLOptions{For: Page, Request: params}) }
	case "csv":
		write = func(t *Table, w io.Writer) error { return t.WriteCSV(w, false) }
	case "json":
		write = (*Table).WriteJSON
	case "xlsx":
		write = (*Table).WriteXLSX
	}
	table, err := Run(context.Background(), st, request)
	if err != nil {
		b.Fatal(err)
	}
	rows = table.Len()
	if err := write(table, io.Discard); err != nil {
		b.Fatal(err)
	}
	return time.Since(begin), benchCPU() - before, rows, benchMemory(b, "VmHWM:") - idle
}

func benchCPU() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func benchMemory(b *testing.B, field string) int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := bytes.Cut(status, []byte(field))
	kB, err := strconv.ParseInt(string(bytes.Fields(rest)[0]), 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return kB << 10
}

// benchBare is how long the same SQL takes in our own process: the driver and a
// loop over its rows, nothing else. A report cannot be faster than that.
func benchBare(b *testing.B, path, query string) time.Duration {
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	begin := time.Now()
	for one := range strings.SplitSeq(query, ";\n") {
		rows, err := db.Query(one)
		if err != nil {
			b.Fatal(err)
		}
		columns, _ := rows.Columns()
		into := make([]any, len(columns))
		for i := range into {
			into[i] = new(any)
		}
		for rows.Next() {
			if err := rows.Scan(into...); err != nil {
				b.Fatal(err)
			}
		}
		if err := rows.Err(); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(begin)
}

// benchPlain is how long the sqlite3 shell takes to print it, into nothing.
func benchPlain(b *testing.B, shell, path, query string) time.Duration {
	begin := time.Now()
	cmd := exec.Command(shell, "-readonly", path)
	cmd.Stdin = strings.NewReader(query)
	var wrong bytes.Buffer
	cmd.Stderr = &wrong
	if err := cmd.Run(); err != nil || wrong.Len() > 0 {
		b.Fatalf("sqlite3: %v %s", err, wrong.Bytes())
	}
	return time.Since(begin)
}
