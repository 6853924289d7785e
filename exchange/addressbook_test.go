package exchange

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"intouch/store"
)

func openBook(name string, r io.Reader) (fieldReader, error) {
	if strings.HasSuffix(name, ".ldif") {
		return openLDIF(r)
	}
	return openBookCSV(r)
}

// readBook gives each person of a file as "line JSON", each fault as
// "line !fault".
func readBook(t testing.TB, name string, r io.Reader) (got []string) {
	t.Helper()
	b, err := openBook(name, r)
	if err != nil {
		t.Fatalf("open %s: %v", name, err)
	}
	for {
		p, number, fault, err := b.next()
		switch {
		case errors.Is(err, io.EOF):
			return got
		case err != nil:
			t.Fatalf("%s: %v", name, err)
		case fault != nil:
			got = append(got, fmt.Sprintf("%d !%v", number, fault))
		default:
			text, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprintf("%d %s", number, text))
		}
	}
}

func TestBooksOfMailPrograms(t *testing.T) {
	for name, want := range map[string][]string{} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, readBook(t, name, bytes.NewReader(data))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestBookFaults(t *testing.T) {
	for name, test := range map[string]struct{ in, want string }{
		"a vCard is not LDIF": {"BEGIN:VCARD\nFN:X\nEND:VCARD\n", `line 1: this is not LDIF`},
		"an empty LDIF":       {"\n# only a comment\n more of it\n", "the file has no entries"},
		"LDIF of the future":  {"version: 2\n\ndn: x\n", `LDIF of version "2" is not known`},
	} {
		if _, err := openLDIF(strings.NewReader(test.in)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
	for name, test := range map[string]struct{ in, want string }{
		"a spreadsheet":          {"PK\x03\x04", "spreadsheet"},
		"an empty file":          {"", "the file is empty"},
		"somebody else's header": {"Name,Price\nTea,5\n", "not one of Outlook, Google or Thunderbird"},
	} {
		if _, err := openBookCSV(strings.NewReader(test.in)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
	long := strings.Repeat("x", maxValue+1)
	for name, test := range map[string]struct {
		file, in string
		want     []string
	}{
		"one bad entry between good ones": {"x.ldif", "dn: a\ncn: A\n\nno colon\ncn: B\n\ndn: c\ncn: C\n", []string{
			`1 {"key":"a","name":"A"}`, `4 !line 4: "no colon" is not "attribute: value"`, `7 {"key":"c","name":"C"}`}},
		"without its name":                     {"x.ldif", "dn: a\ncn: A\n\ncn: B\n", []string{`1 {"key":"a","name":"A"}`, `4 !dn: is missing: an entry of LDIF begins with it`}},
		"a value too long":                     {"x.ldif", "dn: a\ncn: " + long + "\n\ndn: b\ncn: B\n", []string{`1 !cn: line 2: the value is longer than 64 KB`, `4 {"key":"b","name":"B"}`}},
		"a long photo":                         {"x.ldif", "dn: a\njpegPhoto:: " + long + "\n " + long + "\ncn: A\n", []string{`1 {"key":"a","name":"A"}`}},
		"too many values":                      {"x.ldif", "dn: a\n" + strings.Repeat("mail: a@b.test\n", maxValues+1), []string{`1 !there are more than 500 values`}},
		"members by the thousand are nobody's": {"x.ldif", "dn: g\nobjectclass: groupOfNames\n" + strings.Repeat("member: a\n", 5000) + "\ndn: b\ncn: B\n", []string{`5004 {"key":"b","name":"B"}`}},
		"more cells than columns": {"x.csv", "First Name,E-mail Address\nA,a@x.test,more\nB,b@x.test\n", []string{
			`2 !too many columns: 3, the header has 2`, `3 {"given":"B","emails":["b@x.test"]}`}},
	} {
		if diff := cmp.Diff(test.want, readBook(t, test.file, strings.NewReader(test.in))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestBookDay(t *testing.T) {
	for text, want := range map[string]store.Date{
		"1980-05-13": "1980-05-13", "19800513": "1980-05-13", "13.05.1980": "1980-05-13", "13.05.1980 0:00:00": "1980-05-13",
		"5/13/1980": "1980-05-13", "13/05/1980": "1980-05-13", "05/06/1980": "1980-05-06", "1980-5-3": "1980-05-03",
		"0/0/00": "", "0.0.00": "", "--05-13": "", "31.02.1980": "", "01.01.1601": "", "soon": "", "": "",
	} {
		if got := bookDay(text); got != want {
			t.Errorf("bookDay(%q) = %q, want %q", text, got, want)
		}
	}
}

func FuzzLDIF(f *testing.F) { fuzzBook(f, ".ldif") }

func FuzzBookCSV(f *testing.F) { fuzzBook(f, ".csv") }

// fuzzBook holds the readers to ending, and to keeping what they read bounded.
func fuzzBook(f *testing.F, end string) {
	samples, err := filepath.Glob("testdata/*" + end)
	if err != nil || len(samples) == 0 {
		f.Fatal("no samples", err)
	}
	for _, name := range samples {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := openBook(end, bytes.NewReader(data))
		if err != nil {
			return
		}
		for n := 0; ; n++ {
			p, number, _, err := b.next()
			if err != nil {
				return
			}
			if n > len(data) {
				t.Fatal("more persons than bytes")
			}
			if number < 1 || len(p.Name) > maxValue || len(p.Emails) > maxValues {
				t.Fatalf("line %d: %d bytes of name, %d addresses", number, len(p.Name), len(p.Emails))
			}
		}
	})
}
