package mailsync

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// readAlone reads one text part by itself.
func readAlone(typ, body string, params map[string]string) (text, full string) {
	p := &Part{Path: []int{1}, Type: typ, Encoding: "8bit", Size: int64(len(body)), Params: map[string]string{"charset": "utf-8"}}
	for k, v := range params {
		p.Params[k] = v
	}
	return ReadText(p, map[string][]byte{"1": []byte(body)})
}

// TestReadText_Mailers reads what the mail programs write (testdata/reply,
// made up after their habits), each against its .want file.
func TestReadText_Mailers(t *testing.T) {
	files, err := filepath.Glob("testdata/reply/*.want")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, want := range files {
		name := strings.TrimSuffix(want, ".want")
		t.Run(filepath.Base(name), func(t *testing.T) {
			body, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			w, err := os.ReadFile(want)
			if err != nil {
				t.Fatal(err)
			}
			typ := "text/plain"
			if strings.HasSuffix(name, ".html") {
				typ = "text/html"
			}
			text, full := readAlone(typ, string(body), nil)
			if text != strings.TrimRight(string(w), "\n") {
				t.Errorf("got\n%s\n--- want\n%s\n--- whole\n%s", text, w, full)
			}
		})
	}
}
