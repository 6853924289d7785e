package store_test

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"intouch/store"
	"intouch/store/storetest"
)

// BenchmarkErase erases somebody who wrote 20 of 100,000 letters, and is
// mentioned in 20 more. INTOUCH_CONTACTS sets another number of letters.
func BenchmarkErase(b *testing.B) {
	letters := 100_000
	if n := os.Getenv("INTOUCH_CONTACTS"); n != "" {
		fmt.Sscan(n, &letters)
	}
	for engine, open := range map[string]func(testing.TB, store.Options) *store.Store{
		"sqlite":   func(t testing.TB, o store.Options) *store.Store { return storetest.SQLite(t, o) },
		"postgres": func(t testing.TB, o store.Options) *store.Store { return storetest.Postgres(t, o) },
	} {
		b.Run(engine, func(b *testing.B) {
			s := open(b, store.Options{Render: plain})
			must := func(err error) {
				b.Helper()
				if err != nil {
					b.Fatal(err)
				}
			}
			_, _, err := s.SaveManager(ctx, store.Actor{}, store.ManagerRow{Login: "anna", Emails: []string{"anna@vector.test"}})
			must(err)
			must(s.Import(ctx, store.Actor{}, false, func(im *store.Import) error {
				for i := range 50 {
					if _, err := im.Client(store.ClientRow{ID: fmt.Sprint("c", i), Name: fmt.Sprint("Клиент ", i), Manager: "anna"}); err != nil {
						return err
					}
				}
				return nil
			}))
			box, err := s.SaveMailbox(ctx, "anna", "anna")
			must(err)
			f, err := s.OpenFolder(ctx, box.ID, "INBOX", 1)
			must(err)
			words := strings.Fields("добрый день просим выставить счёт на поставку согласно договору от 12.03.2026 ждём ответа до пятницы с уважением отдел закупок тел. +7 495 123-45-67 office@romashka.test\n Пётр Иванов")
			for uid := uint32(0); int(uid) < letters; {
				var batch []store.FiledLetter
				for range min(1000, letters-int(uid)) {
					uid++
					var text strings.Builder
					for i := range 180 { // 2 kB
						text.WriteString(words[(int(uid)*7+i*i)%len(words)] + " ")
					}
					l := store.FiledLetter{UID: uid, Key: fmt.Sprint("k", uid, "@x.test"), MessageID: fmt.Sprint("<k", uid, "@x.test>"), Date: time.Unix(1_700_000_000+int64(uid), 0),
						Outcome: store.Captured, Direction: store.In, Clients: []int64{int64(uid%50) + 1}, Addresses: []string{"a@x.test", "anna@vector.test"},
						Subject: "Re: цены", Text: text.String()[:700], FullText: text.String()}
					switch int(uid) % (letters / 20) {
					case 1:
						l.Addresses = append(l.Addresses, "fekla@romashka.test")
					case 2:
						l.FullText += fekla
					}
					batch = append(batch, l)
				}
				_, err := s.FileLetters(ctx, f, store.Batch{Letters: batch, Read: store.Cursor{First: 1, Last: uid}})
				must(err)
			}
			must(s.Import(ctx, store.Actor{}, false, func(im *store.Import) error {
				_, err := im.Person(store.PersonRow{ID: "p1", Client: "c1", Name: fekla, Emails: []string{feklaAddress}, Phones: []string{feklaPhone}})
				return err
			}))
			cpu := func() time.Duration {
				var u syscall.Rusage
				must(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
				return time.Duration(u.Utime.Nano() + u.Stime.Nano())
			}
			b.ResetTimer()
			for b.Loop() {
				began := cpu()
				e, err := s.Erase(ctx, store.Actor{}, feklaAddress, english)
				must(err)
				b.ReportMetric((cpu() - began).Seconds(), "cpu-s")
				if e.Rows == 0 || len(e.Subject.Persons) == 0 {
					b.Fatalf("%+v", e)
				}
			}
		})
	}
}
