package exchange

import (
	"bytes"
	"encoding/json"
	"errors"
	goflag "flag" // commerceml_papers.go has a flag of its own
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

var update = goflag.Bool("update", false, "write the golden files")

// told is a book as text: each entry as JSON, and each fault.
func told(t *testing.T, book *Book) string {
	t.Helper()
	var out strings.Builder
	for said, err := range book.Entries {
		var fault *EntryFault
		switch {
		case errors.As(err, &fault):
			fmt.Fprintf(&out, "line %d %q: %v\n", fault.Line, fault.Key, err)
		case err != nil:
			fmt.Fprintf(&out, "ended: %v\n", err)
		default:
			said, err = said.Tidied()
			if err != nil {
				t.Fatal(err)
			}
			b := &bytes.Buffer{}
			enc := json.NewEncoder(b)
			enc.SetEscapeHTML(false)
			enc.SetIndent("", "  ")
			if err := enc.Encode(said); err != nil {
				t.Fatal(err)
			}
			out.WriteString(b.String())
		}
	}
	fmt.Fprintf(&out, "left out: %v\n", book.LeftOut)
	return out.String()
}

// golden compares a text with testdata/NAME.golden.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
	}
}

func TestVCards(t *testing.T) {
	for _, name := range []string{"cards-apple-3.0", "cards-google-3.0", "cards-outlook-2.1-1251", "cards-outlook-utf16", "cards-android-2.1", "cards-4.0", "cards-broken"} {
		t.Run(name, func(t *testing.T) {
			f, err := os.Open(filepath.Join("testdata", name+".vcf"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			book, err := VCards(f)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name, told(t, book))
		})
	}
	t.Run("ErrNoCards", func(t *testing.T) {
		book, err := VCards(strings.NewReader("BEGIN:VCALENDAR\nEND:VCALENDAR\n"))
		if err != nil {
			t.Fatal(err)
		}
		if got := told(t, book); !strings.Contains(got, "ended: this is no vCard file") {
			t.Fatal(got)
		}
	})
	t.Run("ErrNotText", func(t *testing.T) {
		if _, err := VCards(strings.NewReader("PK\x03\x04")); !errors.Is(err, errNotText) {
			t.Fatal(err)
		}
	})
}

// endless repeats cards with a picture of a megabyte, folded and not.
type endless struct {
	left int
	rest []byte
	card []byte
}

func (e *endless) Read(p []byte) (int, error) {
	if len(e.rest) == 0 {
		if e.left == 0 {
			return 0, io.EOF
		}
		e.left--
		e.rest = e.card
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

// TestVCards_Memory reads 400 MB of pictures and values without end.
func TestVCards_Memory(t *testing.T) {
	line := strings.Repeat("A", 74)
	card := "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Пётр\r\nEMAIL:p@romashka.test\r\nPHOTO;ENCODING=b:" + line + strings.Repeat("\r\n "+line, 1<<20/74) + "\r\n" +
		"NOTE:" + strings.Repeat(line+"\r\n ", 1<<20/74) + "\r\nPHOTO:" + strings.Repeat(line, 2<<20/74) + "\r\nEND:VCARD\r\n"
	book, err := VCards(&endless{left: 100, card: []byte(card)})
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	n, most := 0, uint64(0)
	for said, err := range book.Entries {
		if err != nil || said.Name != "Пётр" || len(said.Note) > maxCardValue {
			t.Fatal(said.Name, len(said.Note), err)
		}
		n++
		if n%20 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&after)
			most = max(most, after.HeapAlloc)
		}
	}
	if n != 100 || book.LeftOut[photosLeft] != 200 || book.LeftOut[longLeft] != 100 {
		t.Fatal(n, book.LeftOut)
	}
	if grown := int64(most) - int64(before.HeapAlloc); grown > 8<<20 {
		t.Fatalf("memory grew by %d bytes", grown)
	}
}

func FuzzVCards(f *testing.F) {
	files, err := filepath.Glob("testdata/cards-*.vcf")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		book, err := VCards(bytes.NewReader(b))
		if err != nil {
			return
		}
		n := 0
		for said, err := range book.Entries {
			if n++; n > len(b)+1 {
				t.Fatal("more entries than bytes, and an end")
			}
			if err == nil {
				said, err = said.Tidied()
			}
			if err == nil && said.Identity() == "" {
				t.Fatalf("no identity: %+v", said)
			}
		}
	})
}
