package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"
)

// BenchmarkClassify classifies 100,000 clients with 2 million documents on
// SQLite, for the first time and then again (INTOUCH_BENCH_CLIENTS for another
// number, each with twenty documents). The figure of issue 5 is 20 s.
func BenchmarkClassify(b *testing.B) {
	clients := 100_000
	if n, err := strconv.Atoi(os.Getenv("INTOUCH_BENCH_CLIENTS")); err == nil {
		clients = n
	}
	ctx := context.Background()
	day := Date("2026-11-25")
	s, err := Open(ctx, Options{URL: "sqlite:" + filepath.Join(b.TempDir(), "x.db"), Render: func(*EntryView) []byte { return nil },
		Now: func() time.Time { return time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC) }})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	err = s.write(ctx, func(t *tx) error {
		for i := range clients {
			if _, err := t.exec(`INSERT INTO clients (id, name, folded, core, importance, created, changed) VALUES ($1, $2, $2, $2, 'normal', 0, 0)`, i+1, fmt.Sprint("client ", i)); err != nil {
				return err
			}
		}
		return nil
	})
	for n := 0; n < 20 && err == nil; n++ { // in the order of time, as they come
		err = s.write(ctx, func(t *tx) error {
			for i := range clients {
				date := day.Add(-(20-n)*25 + i%20)
				if _, err := t.exec(`INSERT INTO documents (kind, number, date, client_id, amount, currency, cost) VALUES ($1, $2, $3, $4, $5, 'RUB', $6)`,
					[]string{"shipment", "payment"}[(n+i)%5/4], "1", string(date), i+1, int64(1+i*7919%100_000)*int64(10+n%3), 5); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{"First", "Again"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				report, err := s.Classify(ctx, DefaultClassification, day, time.UTC)
				if err != nil || report.Clients != clients {
					b.Fatal(report, err)
				}
				day = day.Add(1)
				b.Log(report.String())
			}
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			b.ReportMetric(float64(m.Sys)/1e6, "MB-of-process")
		})
	}
}
