package web

import (
	"fmt"
	"html/template"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"intouch/store"
)

// voice says texts, days and times as one manager reads them. who is zero
// before the login.
type voice struct {
	who  store.Manager
	lang store.Language
	loc  *time.Location
	now  time.Time
}

// may reports whether the manager may change what belongs to those managers:
// the store refuses the rest, so the page offers no button.
func (v voice) may(managers ...int64) bool {
	return v.who.Role == store.RoleHead || slices.Contains(managers, v.who.ID)
}

// t is a text of lang.go.
func (v voice) t(key string, args ...any) string { return texts.Say(v.lang, key, args...) }

// count is a number with its noun of lang.go in the right form.
func (v voice) count(n int64, noun string) string {
	f := nouns[noun]
	if v.lang == store.Russian {
		return fmt.Sprintf("%d %s", n, store.Plural(v.lang, n, f[0], f[1], f[2]))
	}
	return fmt.Sprintf("%d %s", n, store.Plural(v.lang, n, f[3], f[4], f[4]))
}

// today is the manager's day.
func (v voice) today() store.Date { return store.DateOf(v.now, v.loc) }

// monthOfDay is "ноября" or "Nov": in English short, as dates there are.
func (v voice) monthOfDay(m time.Month) string {
	name := store.MonthOfDay(v.lang, m)
	if v.lang == store.English {
		return name[:3]
	}
	return name
}

// date is "23 ноября" or "23 Nov", with the year when it is not this one.
func (v voice) date(d store.Date) string {
	t, err := time.Parse("2006-01-02", string(d))
	if err != nil {
		return ""
	}
	text := fmt.Sprintf("%d\u00a0%s", t.Day(), v.monthOfDay(t.Month()))
	if t.Year() != v.now.In(v.loc).Year() {
		text += fmt.Sprintf("\u00a0%d", t.Year())
	}
	return text
}

// day is "пн, 23 ноября" or "Mon 23 Nov".
func (v voice) day(d store.Date) string {
	t, err := time.Parse("2006-01-02", string(d))
	if err != nil {
		return ""
	}
	name := weekdays[v.lang.Index()][t.Weekday()]
	if v.lang == store.Russian {
		return name + ", " + v.date(d)
	}
	return name + "\u00a0" + v.date(d)
}

// near is the day with "today" and its neighbours named.
func (v voice) near(d store.Date) string {
	switch v.today().Days(d) {
	case 0:
		if d == v.today() {
			return v.t("today") + ", " + v.day(d)
		}
	case 1:
		return v.t("tomorrow") + ", " + v.day(d)
	case -1:
		return v.t("yesterday") + ", " + v.day(d)
	}
	return v.day(d)
}

func (v voice) clock(t time.Time) string { return t.In(v.loc).Format("15:04") }

// moment is "пн, 23 ноября, 10:00" or "Mon 23 Nov, 10:00"; "" for none.
func (v voice) moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return v.day(store.DateOf(t, v.loc)) + ", " + v.clock(t)
}

// hours is the part of a day that the span takes: "10:00–11:00", the days of
// more than one, or "весь день".
func (v voice) hours(s store.Span) string {
	switch {
	case s.IsZero():
		return ""
	case s.AllDay && s.Last > s.First:
		return v.date(s.First) + "\u00a0– " + v.date(s.Last)
	case s.AllDay:
		return v.t("all day")
	case !s.End.After(s.Start):
		return v.clock(s.Start)
	case store.DateOf(s.End, v.loc) != store.DateOf(s.Start, v.loc):
		return v.clock(s.Start) + "\u00a0– " + v.moment(s.End)
	}
	return v.clock(s.Start) + "–\u2060" + v.clock(s.End) // a word joiner: no new line within
}

// span is the day with the hours; "" for none.
func (v voice) span(s store.Span) string {
	switch {
	case s.IsZero():
		return ""
	case s.AllDay && s.Last > s.First:
		return v.day(s.First) + "\u00a0– " + v.day(s.Last)
	case s.AllDay:
		return v.day(s.First)
	}
	return v.day(store.DateOf(s.Start, v.loc)) + ", " + v.hours(s)
}

// spent is a duration: "1 ч 5 мин", "1 h 5 min".
func (v voice) spent(minutes int) string {
	switch {
	case minutes <= 0:
		return ""
	case minutes < 60:
		return v.t("min", minutes)
	case minutes%60 == 0:
		return v.t("hours", minutes/60)
	}
	return v.t("hours min", minutes/60, minutes%60)
}

// size is a number of bytes, roughly.
func (v voice) size(n int64) string {
	switch {
	case n <= 0:
		return ""
	case n < 1<<20:
		return v.t("kB", (n+1023)>>10)
	}
	text := fmt.Sprintf("%.1f", float64(n)/(1<<20))
	if v.lang == store.Russian {
		text = strings.ReplaceAll(text, ".", ",")
	}
	return v.t("MB", text)
}

// links in a letter: only what plainly is an address of the web.
var links = regexp.MustCompile(`https?://[^\s<>"'\x60{}|\\^«»]+`)

// linkify makes a stranger's plain text into HTML: everything escaped, web
// addresses clickable. The link shows the very address that it leads to.
func linkify(text string) template.HTML {
	var b strings.Builder
	for text != "" {
		at := links.FindStringIndex(text)
		if at == nil {
			break
		}
		address := strings.TrimRight(text[at[0]:at[1]], ".,;:!?)]")
		u, err := url.Parse(address)
		b.WriteString(template.HTMLEscapeString(text[:at[0]]))
		if err != nil || len(address) > 2000 || u.Host == "" || u.User != nil {
			b.WriteString(template.HTMLEscapeString(address))
		} else {
			fmt.Fprintf(&b, `<a href="%s" rel="noopener noreferrer nofollow" target="_blank">%s</a>`,
				template.HTMLEscapeString(u.String()), template.HTMLEscapeString(address))
		}
		text = text[at[0]+len(address):]
	}
	b.WriteString(template.HTMLEscapeString(text))
	return template.HTML(b.String())
}

// clip cuts a text to at most n bytes, on a rune, at a space where one is near.
func clip(n int, text string) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	if space := strings.LastIndexAny(text[:n], " \n"); space > n-40 && space > 0 {
		n = space
	}
	return text[:n] + "…"
}
