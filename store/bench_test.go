package store_test

import (
	"fmt"
	"testing"
	"time"

	"intouch/store"
	"intouch/store/storetest"
)

func benchStore(b *testing.B) (*store.Store, store.Manager) {
	s := storetest.SQLite(b, store.Options{Render: plain})
	m, _, err := s.SaveManager(ctx, store.Actor{}, store.ManagerRow{Login: "anna", Emails: []string{"anna@vector.test"}})
	if err != nil {
		b.Fatal(err)
	}
	err = s.Import(ctx, store.Actor{}, false, func(im *store.Import) error {
		for i := range 50 {
			if _, err := im.Client(store.ClientRow{ID: fmt.Sprint("c", i), Name: fmt.Sprint("Client ", i), Manager: "anna"}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return s, m
}

// BenchmarkFileLetters files captured letters in batches of 200.
func BenchmarkFileLetters(b *testing.B) {
	s, _ := benchStore(b)
	box, err := s.SaveMailbox(ctx, "anna", "anna")
	if err != nil {
		b.Fatal(err)
	}
	f, err := s.OpenFolder(ctx, box.ID, "INBOX", 1)
	if err != nil {
		b.Fatal(err)
	}
	text := string(make([]byte, 0, 2000)) + fmt.Sprintf("%02000d", 7)
	uid := uint32(0)
	n := 0
	for b.Loop() {
		batch := make([]store.FiledLetter, 200)
		for i := range batch {
			uid++
			batch[i] = store.FiledLetter{UID: uid, Key: fmt.Sprint("k", uid, "@x.test"), MessageID: fmt.Sprint("<k", uid, "@x.test>"), Date: time.Unix(1_700_000_000+int64(uid), 0),
				Outcome: store.Captured, Direction: store.In, Clients: []int64{int64(uid%50) + 1}, Addresses: []string{"a@x.test", "anna@vector.test"},
				Subject: "Re: prices", Text: text[:700], FullText: text, References: []string{fmt.Sprint("k", uid-1, "@x.test")}}
		}
		if _, err := s.FileLetters(ctx, f, store.Batch{Letters: batch, Read: store.Cursor{First: 1, Last: uid}}); err != nil {
			b.Fatal(err)
		}
		n += len(batch)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "letters/s")
}

// BenchmarkPutEntry edits one event of 5,000 with If-Match.
func BenchmarkPutEntry(b *testing.B) {
	s, m := benchStore(b)
	actor := store.Actor{ManagerID: m.ID, Origin: store.FromCalendar}
	col, err := s.Collection(ctx, m.ID, "current")
	if err != nil {
		b.Fatal(err)
	}
	start := time.Now().Add(24 * time.Hour).UTC().Truncate(time.Second)
	put := func(i, version int, cond store.Condition) string {
		w := &store.CalendarWrite{Bytes: []byte(fmt.Sprint("BEGIN", version)), UID: fmt.Sprint("u", i), Component: store.VEvent, Title: fmt.Sprint("Event ", i, " ", version),
			When: store.Span{Start: start, End: start.Add(time.Hour)}}
		res, err := s.PutEntry(ctx, actor, col.ID, fmt.Sprint("u", i, ".ics"), cond, w)
		if err != nil {
			b.Fatal(err)
		}
		return res.Entry.ETag
	}
	etags := make([]string, 5000)
	for i := range etags {
		etags[i] = put(i, 0, store.Condition{})
	}
	i := 0
	for b.Loop() {
		n := i % len(etags)
		etags[n] = put(n, i+1, store.Condition{IfMatch: []string{etags[n]}})
		i++
	}
	b.ReportMetric(float64(i)/b.Elapsed().Seconds(), "puts/s")
}
