package web

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"intouch/store"
)

// BenchmarkAPI upserts clients as one client process does, on SQLite with a
// real disk: one by one on one connection, on sixteen, and a hundred in a batch.
// records/s is what counts.
func BenchmarkAPI(b *testing.B) {
	for _, c := range []struct {
		name        string
		connections int
		batch       int
	}{{"single/1connection", 1, 1}, {"single/16connections", 16, 1}, {"batch100/1connection", 1, 100}} {
		b.Run(c.name, func(b *testing.B) {
			url, token := benchAPI(b)
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: c.connections}}
			var n atomic.Int64
			b.SetParallelism(c.connections) // for each of GOMAXPROCS, which -cpu 1 makes one
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := benchUpsert(client, url, token, int(n.Add(1)), c.batch); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N*c.batch)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

func benchAPI(b *testing.B) (url, token string) {
	ctx := context.Background()
	st, err := store.Open(ctx, store.Options{Render: func(*store.EntryView) []byte { return nil },
		URL: "sqlite:" + filepath.Join(b.TempDir(), "intouch.db"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { st.Close() })
	if _, _, err := st.SaveManager(ctx, store.Actor{}, store.ManagerRow{Login: "anna"}); err != nil {
		b.Fatal(err)
	}
	if _, token, err = st.AddIntegration(ctx, "bench", []store.Scope{store.ScopeWrite}); err != nil {
		b.Fatal(err)
	}
	srv := httptest.NewServer(New(st, Options{Secret: []byte("a secret for the tests, 32 bytes"), Log: slog.New(slog.DiscardHandler)}))
	b.Cleanup(srv.Close)
	return srv.URL + "/api/v1/clients", token
}

func benchUpsert(client *http.Client, url, token string, n, batch int) error {
	record := func(i int) string {
		return fmt.Sprintf(`{"external_id":"C-%d","name":"ООО «Клиент %d»","manager":"anna","emails":["info@client%d.test"],"phones":["+7 495 000-00-00"],"attributes":{"segment":"horeca"}}`, i, i, i)
	}
	method, body := http.MethodPut, record(n)
	if batch > 1 {
		items := make([]string, batch)
		for i := range items {
			items[i] = record(n*batch + i)
		}
		method, url, body = http.MethodPost, url+"/batch", `{"items":[`+strings.Join(items, ",")+`]}`
	} else {
		url += fmt.Sprintf("/by-external-id/C-%d", n)
	}
	req, err := http.NewRequest(method, url, bytes.NewBufferString(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 300 || bytes.Contains(answer, []byte(`"problem"`)) {
		return fmt.Errorf("%s %s %w", res.Status, answer, err)
	}
	return nil
}
