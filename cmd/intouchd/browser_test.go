package main

import (
	"io"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"intouch/mailsync/mailtest"
	"intouch/store"
)

// TestBrowser: Chromium, driven by the scripts of web/e2e, goes through a
// manager's day and a head's day on the demo, and looks at every page.
func TestBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: short")
	}
	for _, script := range []string{"day.test.js", "pages.test.js"} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			said, err := browserScript(t, "--test-reporter=spec", script)
			if err != nil {
				if at := strings.Index(said, "failing tests:"); at >= 0 {
					said = said[at:]
				}
				t.Fatalf("%v\n%s", err, said)
			}
			t.Log(said)
		})
	}
}

// BenchmarkScreenshots makes a picture of every page in $INTOUCH_SCREENSHOTS;
// make screenshots runs it. It tests nothing: no test is skipped for want of it.
func BenchmarkScreenshots(b *testing.B) {
	dir := os.Getenv("INTOUCH_SCREENSHOTS")
	if dir == "" {
		b.Skip("make screenshots says where the pictures go")
	}
	said, err := browserScript(b, "screenshots.js", dir)
	b.Log(said)
	if err != nil {
		b.Fatal(err)
	}
}

// BenchmarkPaint prints, of each page, when Chromium first paints it, what is
// sent, and how many requests the paint waits for; make bench-paint runs it.
func BenchmarkPaint(b *testing.B) {
	said, err := browserScript(b, "paint.js")
	b.Log("\n" + said)
	if err != nil {
		b.Fatal(err)
	}
}

// browserScript runs one of web/e2e on a demo of its own, with a head who
// reads English beside the demo's.
func browserScript(t testing.TB, args ...string) (string, error) {
	t.Helper()
	node, chromium := peer(t, "node", "nodejs"), peer(t, "chromium", "chromium")
	dir, err := filepath.Abs("../../web/e2e")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "playwright-core")); err != nil {
		mailtest.Missing(t, "playwright-core is not here (make packages, or npm ci --ignore-scripts in web/e2e)")
	}
	demo := startDemo(t)
	if got := command(t, demo.info["password"]+"\n", "--config", demo.config, "manager", "add", "helen",
		"--name", "Helen Gray", "--role", "head", "--time-zone", "Europe/London", "--language", "en"); got.code != exitDone {
		t.Fatalf("add a head: %+v", got)
	}
	cmd := exec.CommandContext(t.Context(), node, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "INTOUCH_CHROMIUM="+chromium, "INTOUCH_URL="+demo.info["page"],
		"INTOUCH_PASSWORD="+demo.info["password"], "INTOUCH_LINKS="+strings.Join(mailLinks(t, demo), " "))
	said, err := cmd.CombinedOutput()
	return string(said), err
}

// mailLinks is the first signed link of each mail that the demo sent.
func mailLinks(t testing.TB, demo *runningDemo) []string {
	t.Helper()
	link := regexp.MustCompile(regexp.QuoteMeta(strings.TrimSuffix(demo.info["page"], "/")+store.LinkPath) + `[\w-]+`)
	var links []string
	eventually(t, "links in mails", func() bool {
		links = nil
		files, err := filepath.Glob(filepath.Join(demo.dir, "mail", "*.eml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			letter, err := mail.ReadMessage(strings.NewReader(string(text)))
			if err != nil {
				continue // it is being written
			}
			if kind, _, _ := mime.ParseMediaType(letter.Header.Get("Content-Type")); !strings.HasPrefix(kind, "multipart/") {
				continue
			}
			// Part boundaries and headers are no matter to the pattern.
			body, _ := io.ReadAll(quotedprintable.NewReader(letter.Body))
			if found := link.FindString(string(body)); found != "" {
				links = append(links, found)
			}
		}
		return len(links) > 0
	})
	return links[:min(len(links), 3)]
}
