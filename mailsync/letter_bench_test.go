package mailsync

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"intouch/mailsync/mailtest"
)

// BenchmarkReadMessage reads and decides a mailbox of mailgen, one letter an
// iteration.
func BenchmarkReadMessage(b *testing.B) {
	dir := b.TempDir()
	mailtest.Mailgen(b, dir, "-n", "1000", "-seed", "5")
	parties, _ := mailgenParties(b, dir)
	var letters [][]byte
	files, _ := filepath.Glob(filepath.Join(dir, "Maildir", "cur", "*"))
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		letters = append(letters, raw)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		raw := letters[i%len(letters)]
		b.SetBytes(int64(len(raw)))
		l := ReadMessage(raw, time.Time{})
		Decide(l.Header, parties, nil)
		i++
	}
}
