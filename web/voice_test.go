package web

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"intouch/store"
)

func TestVoice(t *testing.T) {
	moscow, err := time.LoadLocation("Europe/Moscow")
	if err != nil {
		t.Fatal(err)
	}
	ru, en := voice{lang: store.Russian, loc: moscow, now: noon}, voice{lang: store.English, loc: moscow, now: noon}
	at := func(h, m int) time.Time { return time.Date(2026, 11, 23, h, m, 0, 0, moscow) }
	plain := func(s string) string { return strings.ReplaceAll(s, "\u00a0", " ") }
	for _, c := range []struct{ got, want string }{
		{ru.moment(at(10, 0)), "пн, 23 ноября, 10:00"},
		{en.moment(at(10, 0)), "Mon 23 Nov, 10:00"},
		{ru.moment(time.Time{}), ""},
		{ru.day("2027-01-01"), "пт, 1 января 2027"},
		{en.day("2025-12-31"), "Wed 31 Dec 2025"},
		{ru.near("2026-11-24"), "Завтра, вт, 24 ноября"},
		{en.near("2026-11-22"), "Yesterday, Sun 22 Nov"},
		{ru.near("2026-11-30"), "пн, 30 ноября"},
		{ru.hours(store.Span{Start: at(10, 0), End: at(11, 30)}), "10:00–\u206011:30"},
		{ru.hours(store.Span{Start: at(10, 0), End: at(10, 0)}), "10:00"},
		{ru.hours(store.Span{Start: at(23, 0), End: at(25, 0)}), "23:00 – вт, 24 ноября, 01:00"},
		{en.hours(store.Days("2026-11-23", "2026-11-23", moscow)), "all day"},
		{ru.hours(store.Days("2026-11-23", "2026-11-25", moscow)), "23 ноября – 25 ноября"},
		{ru.span(store.Span{Start: at(10, 0), End: at(11, 0)}), "пн, 23 ноября, 10:00–\u206011:00"},
		{ru.spent(5), "5 мин"}, {en.spent(60), "1 h"}, {ru.spent(95), "1 ч 35 мин"}, {ru.spent(0), ""},
		{ru.count(21, "item"), "21 запись"}, {ru.count(3, "item"), "3 записи"}, {ru.count(11, "item"), "11 записей"}, {en.count(1, "item"), "1 item"}, {en.count(2, "item"), "2 items"},
		{ru.size(1 << 21), "2,0 МБ"}, {en.size(1), "1 kB"}, {ru.size(0), ""},
	} {
		if plain(c.got) != c.want {
			t.Errorf("%q, want %q", plain(c.got), c.want)
		}
	}
}

func TestLinkify(t *testing.T) {
	const rel = `" rel="noopener noreferrer nofollow" target="_blank">`
	for _, c := range []struct{ in, want string }{
		{"a < b & c", "a &lt; b &amp; c"},
		{"see https://a.test/x.", `see <a href="https://a.test/x` + rel + `https://a.test/x</a>.`},
		{"(http://a.test)", `(<a href="http://a.test` + rel + `http://a.test</a>)`},
		{"javascript:alert(1) data:text/html,x ftp://a", "javascript:alert(1) data:text/html,x ftp://a"},
		{`https://a.test/"onclick="x`, `<a href="https://a.test/` + rel + `https://a.test/</a>&#34;onclick=&#34;x`},
		{"https://user@bank.test/", "https://user@bank.test/"},
		{"https:// http://%zz", "https:// http://%zz"},
		{"https://a.test/<b>", `<a href="https://a.test/` + rel + `https://a.test/</a>&lt;b&gt;`},
		{"", ""},
	} {
		if got := string(linkify(c.in)); got != c.want {
			t.Errorf("linkify(%q)\n got %s\nwant %s", c.in, got, c.want)
		}
	}
}

// FuzzLinkify: whatever a letter says, the only tags are our links.
func FuzzLinkify(f *testing.F) {
	f.Add(hostile)
	f.Add("https://a.test/?q=<x>&y=\"z\"'`")
	tag := regexp.MustCompile(`<a href="https?://[^"<>]*" rel="noopener noreferrer nofollow" target="_blank">|</a>`)
	f.Fuzz(func(t *testing.T, s string) {
		if rest := tag.ReplaceAllString(string(linkify(s)), ""); strings.ContainsAny(rest, `<>"`) {
			t.Errorf("%q leaves %q", s, rest)
		}
	})
}

func TestClip(t *testing.T) {
	for _, c := range []struct {
		n        int
		in, want string
	}{{10, "short", "short"}, {8, "one two three", "one two…"}, {3, "дом", "д…"}, {0, "x", "…"}} {
		if got := clip(c.n, c.in); got != c.want {
			t.Errorf("clip(%d, %q) = %q", c.n, c.in, got)
		}
	}
}

// TestTexts_Complete holds templates and lang.go together.
func TestTexts_Complete(t *testing.T) {
	used := regexp.MustCompile(`[{(]\s*(?:if |or [.\w]+ |with )?\(?t "([^"]+)"`)
	files, err := os.ReadDir("templates")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, file := range files {
		b, err := os.ReadFile("templates/" + file.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range used.FindAllStringSubmatch(string(b), -1) {
			n++
			if _, ok := texts[m[1]]; !ok {
				t.Errorf("%s: no text %q", file.Name(), m[1])
			}
		}
	}
	if n < 100 {
		t.Errorf("only %d texts found in the templates", n)
	}
	for key, both := range texts {
		if both[0] == "" || both[1] == "" || strings.Count(both[0], "%") != strings.Count(both[1], "%") {
			t.Errorf("%q: %q, %q", key, both[0], both[1])
		}
	}
}
