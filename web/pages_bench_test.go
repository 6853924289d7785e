package web

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"intouch/store"
)

// BenchmarkPages has 20 users at once, a head and 19 managers, ask for each
// page of the house of BenchmarkReports, in which client 1 has 100,000 contacts
// more, and prints for each page the median and the 99th percentile, when each
// asks again as soon as there is an answer and when each asks once a second, what
// an answer takes of the processors (the asking included) and its bytes as they
// are sent. The figures of issue 8 are 100 ms, 300 ms and 60 KB on two cores that
// do nothing else. INTOUCH_BENCH_HOUSE is the file in which BenchmarkReports kept
// that house, INTOUCH_BENCH_ONLY a part of the page's path.
func BenchmarkPages(b *testing.B) {
	st := benchHouse(b)
	defer st.Close()
	srv := httptest.NewServer(New(st, Options{Secret: []byte("a secret for the benchmark, 32 b"), Currency: "RUB", Log: slog.New(slog.DiscardHandler)}))
	defer srv.Close()

	const users, times = 20, 10
	browsers := make([]*http.Client, users)
	for i := range browsers {
		if err := st.SetPassword(b.Context(), int64(i+1), "a password of the benchmark"); err != nil {
			b.Fatal(err)
		}
		jar, _ := cookiejar.New(nil) // never fails
		browsers[i] = &http.Client{Jar: jar, Transport: &http.Transport{DisableCompression: true}}
		answer, err := browsers[i].PostForm(srv.URL+"/login", url.Values{"login": {fmt.Sprintf("m%d", i+1)}, "password": {"a password of the benchmark"}})
		if err != nil {
			b.Fatal(err)
		}
		answer.Body.Close()
		if answer.Request.URL.Path == "/login" {
			b.Fatalf("m%d cannot sign in", i+1)
		}
	}
	db, err := sql.Open("sqlite", os.Getenv("INTOUCH_BENCH_HOUSE")+".pages")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	// own gives a page of each user's own records, by a query of their ids.
	own := func(path, query string) func(i, n int) string {
		ids := make([][]int64, users)
		for i := range ids {
			rows, err := db.Query(query, i+1)
			if err != nil {
				b.Fatal(err)
			}
			for rows.Next() {
				var id int64
				if err := rows.Scan(&id); err != nil {
					b.Fatal(err)
				}
				ids[i] = append(ids[i], id)
			}
		}
		return func(i, n int) string {
			if len(ids[i]) == 0 { // the head's, who sees all
				return fmt.Sprint(path, ids[1+n%(users-1)][n%10])
			}
			return fmt.Sprint(path, ids[i][n*7%len(ids[i])])
		}
	}
	pages := []func(i, n int) string{
		func(i, n int) string { return "/?layout=list" },
		func(i, n int) string { return "/?layout=week" },
		func(i, n int) string { return "/?layout=month" },
		func(i, n int) string { return "/clients" },
		func(i, n int) string { return "/clients?name=client+1" },
		own("/clients/", "SELECT id FROM clients WHERE manager_id = ? LIMIT 100"),
		func(i, n int) string { return "/clients/1" }, // which the head and one manager may see
		func(i, n int) string { return "/persons" },
		func(i, n int) string { return "/persons/list" },
		func(i, n int) string { return "/deals" },
		own("/contacts/", "SELECT contact_id FROM contact_managers WHERE manager_id = ? LIMIT 100"),
		own("/deals/", "SELECT id FROM deals WHERE manager_id = ? LIMIT 100"),
		func(i, n int) string { return "/contacts/new" },
		func(i, n int) string { return "/search?q=subject+" + fmt.Sprint(i+n*7) },
		func(i, n int) string { return fmt.Sprintf("/search?q=subject+%d", 100000+i*7919+n*71) },
		func(i, n int) string {
			return "/search/suggestions?q=" + []string{"cl", "cli", "clie", "client", "client 1"}[n%5]
		},
		func(i, n int) string { return "/reports" },
		func(i, n int) string { return "/reports/open-deals" },
		func(i, n int) string { return "/questions" },
		func(i, n int) string { return "/setup" },
		func(i, n int) string { return "/settings" },
		func(i, n int) string { return "/calendars" },
		func(i, n int) string { return "/reminders" },
		func(i, n int) string { return "/changes" },
		func(i, n int) string { return "/status" },
	}
	only := os.Getenv("INTOUCH_BENCH_ONLY")
	// ask has all users ask for a page so many times, with a pause between.
	ask := func(page func(i, n int) string, times int, pause time.Duration) (took []time.Duration, cpu time.Duration, most int64, codes map[int]int) {
		codes = map[int]int{}
		var mu sync.Mutex
		began := processors()
		var all sync.WaitGroup
		for i, browser := range browsers {
			all.Go(func() {
				time.Sleep(pause * time.Duration(i) / users)
				for n := range times {
					request, _ := http.NewRequestWithContext(b.Context(), http.MethodGet, srv.URL+page(i, n), nil)
					request.Header.Set("Accept-Encoding", "gzip")
					at := time.Now()
					answer, err := browser.Do(request)
					if err != nil {
						b.Error(err)
						return
					}
					size, _ := io.Copy(io.Discard, answer.Body)
					answer.Body.Close()
					since := time.Since(at)
					mu.Lock()
					took, most = append(took, since), max(most, size)
					codes[answer.StatusCode]++
					mu.Unlock()
					time.Sleep(pause - since)
				}
			})
		}
		all.Wait()
		slices.Sort(took)
		return took, (processors() - began) / time.Duration(max(1, len(took))), most, codes
	}
	ms := func(d time.Duration) string { return d.Round(100 * time.Microsecond).String() }
	fmt.Printf("%-32s %17s %17s %8s %9s %s\n", "20 users", "without a pause", "each second", "cpu", "bytes", "answers")
	for _, page := range pages {
		if !strings.Contains(page(0, 0), only) {
			continue
		}
		took, cpu, bytes, codes := ask(page, times, 0)
		apart, _, _, _ := ask(page, times/2, time.Second)
		fmt.Printf("%-32s %8s %8s %8s %8s %8s %9d %v\n", page(0, 0), ms(took[len(took)/2]), ms(took[len(took)*99/100]), ms(apart[len(apart)/2]), ms(apart[len(apart)*99/100]), ms(cpu), bytes, codes)
	}
}

// processors is what this process took of them so far.
func processors() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// benchHouse is a copy of the house, kept beside it for the next run, with words
// to search by, and with 100,000 contacts of client 1.
func benchHouse(b *testing.B) *store.Store {
	house := os.Getenv("INTOUCH_BENCH_HOUSE")
	if house == "" {
		b.Skip("INTOUCH_BENCH_HOUSE names no file: bench-reports makes it")
	}
	pages := house + ".pages"
	if _, err := os.Stat(pages); err != nil {
		for _, step := range [][2]string{{house, "VACUUM INTO '" + pages + "'"}, {pages, "UPDATE contacts SET client_id = 1 WHERE id % 10 = 0"}} {
			db, err := sql.Open("sqlite", step[0])
			if err != nil {
				b.Fatal(err)
			}
			if _, err := db.Exec(step[1]); err != nil {
				b.Fatal(err)
			}
			db.Close()
		}
	}
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC) // that of the house
	st, err := store.Open(context.Background(), store.Options{URL: "sqlite:" + pages, Now: func() time.Time { return now }, Render: func(*store.EntryView) []byte { return nil }})
	if err != nil {
		b.Fatal(err)
	}
	if err := st.IndexWords(b.Context()); err != nil {
		b.Fatal(err)
	}
	return st
}
