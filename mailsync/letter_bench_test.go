package mailsync

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// BenchmarkReadMessage reads and decides a mailbox of mailgen, one letter an
// iteration.
func BenchmarkReadMessage(b *testing.B) {
	if _, err := os.Stat(mailgenDir); err != nil {
		b.Skipf("NOT MEASURED: %s is not there (%v)", mailgenDir, err)
	}
	dir := b.TempDir()
	run := exec.Command("go", "run", ".", "-n", "1000", "-seed", "5", "-out", dir)
	run.Dir = mailgenDir
	if out, err := run.CombinedOutput(); err != nil {
		b.Fatalf("run mailgen: %v\n%s", err, out)
	}
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
