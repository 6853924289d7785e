package mailsync

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

var (
	forwardSent = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	moscow      = time.FixedZone("MSK", 3*3600)
)

func partOfText(name string, body []byte) *Part {
	typ := "text/plain"
	if strings.HasSuffix(name, ".html") {
		typ = "text/html"
	}
	return &Part{Path: []int{1}, Type: typ, Encoding: "8bit", Size: int64(len(body)), Params: map[string]string{"charset": "utf-8"}}
}

// showForward is a forward as its golden file shows it.
func showForward(f *forwarded) string {
	if f == nil {
		return "no forward\n"
	}
	var b strings.Builder
	list := func(name string, all []Address) {
		for _, a := range all {
			fmt.Fprintf(&b, "%s: %s <%s>\n", name, a.Name, a.Addr)
		}
	}
	list("From", f.Header.From)
	list("To", f.Header.To)
	list("Cc", f.Header.Cc)
	fmt.Fprintf(&b, "Date: %s\nSubject: %s\n", f.Header.Date.Format(time.RFC3339), f.Header.Subject)
	if !f.inline {
		fmt.Fprintf(&b, "Key: %s\n", f.Header.Key)
	}
	for _, a := range f.Attachments {
		fmt.Fprintf(&b, "File: %s\n", a.Name)
	}
	fmt.Fprintf(&b, "Note: %s\n\n%s\n", strings.ReplaceAll(f.note, "\n", " / "), f.Text)
	return b.String()
}

// TestReadForward_Mailers reads forwards of the mail programs (testdata/forward,
// made up after their habits), each against its .want file.
func TestReadForward_Mailers(t *testing.T) {
	files, err := filepath.Glob("testdata/forward/*")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, ".want") {
			continue
		}
		t.Run(filepath.Base(name), func(t *testing.T) {
			body, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			var f *forwarded
			if strings.HasSuffix(name, ".eml") {
				l, bodies := splitMessage(body, forwardSent)
				f = readForward(l.Root, bodies, forwardSent, moscow)
			} else {
				f = readForward(partOfText(name, body), map[string][]byte{"1": body}, forwardSent, moscow)
			}
			got := showForward(f)
			if *update {
				if err := os.WriteFile(name+".want", []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(name + ".want")
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%s\n--- want\n%s", got, want)
			}
		})
	}
}

func FuzzReadForward(f *testing.F) {
	files, _ := filepath.Glob("testdata/forward/*")
	for _, name := range files {
		if b, err := os.ReadFile(name); err == nil && !strings.HasSuffix(name, ".want") {
			f.Add(string(b), strings.HasSuffix(name, ".html"))
		}
	}
	f.Fuzz(func(t *testing.T, s string, html bool) {
		name := "x.txt"
		if html {
			name = "x.html"
		}
		got := readForward(partOfText(name, []byte(s)), map[string][]byte{"1": []byte(s)}, forwardSent, moscow)
		l, bodies := splitMessage([]byte(s), forwardSent)
		for _, fw := range []*forwarded{got, readForward(l.Root, bodies, forwardSent, moscow)} {
			if fw == nil {
				continue
			}
			checkHeader(t, fw.Header)
			checkClean(t, "text", fw.Text, maxText)
			checkClean(t, "whole text", fw.FullText, maxText)
			checkClean(t, "note", fw.note, maxText)
			if len(fw.Header.From) == 0 || fw.Header.Date.IsZero() {
				t.Errorf("no sender or no date: %+v", fw.Header)
			}
		}
	})
}
