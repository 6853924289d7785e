package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"intouch/caldav"
	"intouch/mailer/smtptest"
	"intouch/store"
)

// BenchmarkOutbox_Digests computes and delivers the morning digests of 1,000
// managers with 50 items each to a Postfix on this machine, with the daemon's
// own commands, and prints how long that takes and how much memory beyond that
// of the same command with nothing to do. At most 60 s and 100 MB are wanted.
func BenchmarkOutbox_Digests(b *testing.B) {
	const managers, items = 1000, 50
	post := smtptest.StartPostfix(b, "", "")
	const house = "time_zone = \"Europe/Moscow\"\n[company]\ndomains = [\"vector.test\"]\n"
	config := settings(b, house+fmt.Sprintf("[smtp]\nurl = \"smtp+insecure://%s\"\nfrom = \"intouch@vector.test\"\n", post.Plain))
	computing := filepath.Join(filepath.Dir(config), "computing.toml") // without a mail server
	if err := os.WriteFile(computing, []byte(house+"[server]\npublic_url = \"http://localhost:8080\"\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	st, err := store.Open(b.Context(), store.Options{URL: "sqlite:" + filepath.Join(filepath.Dir(config), "intouch.db"), Render: caldav.NewRenderer("http://127.0.0.1:8080")})
	if err != nil {
		b.Fatal(err)
	}
	day := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	for m := range managers {
		login := fmt.Sprintf("m%03d", m)
		if _, _, err := st.SaveManager(b.Context(), store.Actor{Origin: store.FromImport}, store.ManagerRow{ID: login, Login: login, Name: "Менеджер " + login, Emails: []string{login + "@vector.test"}}); err != nil {
			b.Fatal(err)
		}
		err := st.Import(b.Context(), store.Actor{Origin: store.FromImport}, false, func(im *store.Import) error {
			client := store.ClientRow{ID: login, Name: "ООО «Клиент " + login + "»", Manager: login}
			if _, err := im.Client(client); err != nil {
				return err
			}
			for i := range items {
				start := day.Add(time.Duration(i*17-600) * 3 * time.Minute)
				if _, err := im.PutContact(store.ContactRow{ID: fmt.Sprintf("%s/%d", login, i), Kind: store.Call, Client: login, Managers: []string{login},
					Subject: fmt.Sprintf("Согласовать условия поставки № %d и сроки оплаты", i), When: store.Span{Start: start, End: start.Add(30 * time.Minute)}}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := st.Close(); err != nil {
		b.Fatal(err)
	}
	type cost struct {
		wall, cpu time.Duration
		memory    int64 // kB, the highest
	}
	run := func(config string, args ...string) cost {
		b.Helper()
		d := startDaemon(b, append([]string{"--config", config}, args...)...)
		started := time.Now()
		done := make(chan error, 1)
		go func() { done <- d.cmd.Wait() }()
		if err := <-done; err != nil {
			b.Fatalf("%v\n%s", err, tail(d.stderr.String()))
		}
		use := d.cmd.ProcessState.SysUsage().(*syscall.Rusage)
		return cost{time.Since(started), d.cmd.ProcessState.UserTime() + d.cmd.ProcessState.SystemTime(), use.Maxrss}
	}
	var table strings.Builder
	for n := 1; b.Loop(); n++ {
		idle := run(config, "job", "webhooks")
		at := day.AddDate(0, 0, 7*(n-1)).Add(9 * time.Hour).Format(time.RFC3339)
		made := run(computing, "job", "digest", "--at", at)
		sent := run(config, "job", "outbox")
		for deadline := time.Now().Add(time.Minute); len(post.Taken(b)) < n*managers; time.Sleep(100 * time.Millisecond) {
			if time.Now().After(deadline) {
				b.Fatalf("Postfix took %d mails of %d", len(post.Taken(b)), n*managers)
			}
		}
		wall, memory := made.wall+sent.wall, max(made.memory, sent.memory)
		fmt.Fprintf(&table, "%d digests of %d items (wanted: 60 s, 100 MB above idle)\n", managers, items)
		fmt.Fprintf(&table, "  computed              %5.1f s, %5.1f s of processor time, at most %d MB\n", made.wall.Seconds(), made.cpu.Seconds(), made.memory>>10)
		fmt.Fprintf(&table, "  delivered to Postfix  %5.1f s, %5.1f s of processor time, at most %d MB\n", sent.wall.Seconds(), sent.cpu.Seconds(), sent.memory>>10)
		fmt.Fprintf(&table, "  together              %5.1f s, %d MB above the %d MB of the same command with nothing to do\n", wall.Seconds(), (memory-idle.memory)>>10, idle.memory>>10)
		b.ReportMetric(wall.Seconds(), "s/1000")
		b.ReportMetric(float64(memory-idle.memory)/1024, "MB-above-idle")
	}
	io.WriteString(b.Output(), table.String())
}
