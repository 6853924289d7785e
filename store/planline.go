package store

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A planned contact in one line: "звонок Ромашка завтра 10:00 !", "call Acme
// tomorrow 10:00-11:30". Days and times are read by the words of replies
// (replywords.go), kinds and clients as in titles of calendar entries.

// Bounds of a line.
const (
	maxPlanLine  = 500 // bytes
	maxPlanWords = 60
)

// planLine is what a line says apart from whom it is about.
type planLine struct {
	words  []string // what is not a time or a mark
	high   bool     // "!"
	when   Span     // zero: no day
	unsure bool     // no day, several, or a moment that has passed
	length time.Duration
}

var (
	planRange    = regexp.MustCompile(`^(?:(с|со|from) )?(\d{1,2})(?::(\d\d))? ?(?:[-–—]|до|to|till) ?(\d{1,2})(?::(\d\d))?$`)
	planDuration = regexp.MustCompile(`^(?:(на|for) )?(?:(\d{1,3}) ?|(полтора |an? |half an |пол))?(мин|минут|минуты|минуту|min|mins|minutes|м|m|ч|час|часа|часов|h|hour|hours)$`)
	planTwelve   = regexp.MustCompile(`^(\d{1,2})(?::(\d\d))?(am|pm)$`)
	planBefore   = regexp.MustCompile(`^(?:на|к|до|в|во|on|by|to|till|until) `)
)

// readPlanLine takes times and marks out of a line. Days count from now in loc.
func readPlanLine(text string, now time.Time, loc *time.Location) (p planLine) {
	words := strings.Fields(clip(clean(text), maxPlanLine))
	words = words[:min(len(words), maxPlanWords)]
	if n := len(words); n > 0 { // "завтра!"
		if last := strings.TrimRight(words[n-1], "!"); last != words[n-1] {
			p.high = true
			words[n-1] = last
		}
	}
	low := make([]string, len(words))
	for i, w := range words {
		if strings.Trim(w, "!") == "" {
			p.high = p.high || w != ""
			words[i] = ""
		}
		low[i] = strings.Trim(bare(words[i]), ",;")
		if m := planTwelve.FindStringSubmatch(low[i]); m != nil {
			if hour, _ := strconv.Atoi(m[1]); hour >= 1 && hour <= 12 {
				low[i] = fmt.Sprintf("%d:%s", hour%12+map[string]int{"pm": 12}[m[3]], cmp.Or(m[2], "00"))
			}
		}
	}
	r := replyReader{now: now, loc: loc}
	var day, clock *MailAnswer
	end := "" // clock time
	take := func(phrase string) bool {
		if m := planRange.FindStringSubmatch(phrase); m != nil && (m[1] != "" || m[3] != "" || m[5] != "") && clock == nil {
			from, to := clockText(m[2], m[3]), clockText(m[4], m[5])
			if from != "" && to != "" {
				clock, end = &MailAnswer{Verb: AnswerMove, Clock: from}, to
				return true
			}
		}
		if d := durationOf(phrase); d > 0 && p.length == 0 {
			p.length = d
			return true
		}
		a, ok := r.planned(phrase)
		switch {
		case !ok:
			return false
		case a.Clock != "" && clock != nil, (a.Day != "" || a.Snooze != "") && day != nil:
			p.unsure = true // a second one stays in the text
			return false
		}
		if a.Clock != "" {
			clock = &MailAnswer{Verb: AnswerMove, Clock: a.Clock}
		}
		if a.Day != "" || a.Snooze != "" {
			a.Clock = ""
			day = &a
		}
		return true
	}
	for i := 0; i < len(words); i++ {
		n := min(6, len(words)-i)
		for ; n > 0 && !take(strings.Join(low[i:i+n], " ")); n-- {
		}
		switch {
		case n > 0:
			i += n - 1
		case words[i] != "":
			p.words = append(p.words, words[i])
		}
	}
	p.place(day, clock, end, now, loc)
	return p
}

// place makes a span of what was said.
func (p *planLine) place(day, clock *MailAnswer, end string, now time.Time, loc *time.Location) {
	var a MailAnswer
	if day != nil {
		a = *day
	} else {
		p.unsure = true
	}
	if clock != nil {
		a.Clock = clock.Clock
	}
	when, ok := a.moved(Span{}, now, loc)
	if !ok {
		p.unsure = true
		return
	}
	p.when = when
	if when.AllDay {
		p.unsure = p.unsure || when.Last < DateOf(now, loc)
		return
	}
	if p.length > 0 {
		p.when.End = when.Start.Add(p.length)
	}
	if end != "" {
		c, _ := time.Parse("15:04", end) // clockText made it
		first := DateOf(when.Start, loc)
		p.when.End = atClock(first, c.Hour(), c.Minute(), loc).UTC()
		if p.when.End.Before(p.when.Start) {
			p.when.End = p.when.Start.Add(30 * time.Minute)
			p.unsure = true
		}
	}
	p.unsure = p.unsure || p.when.End.Before(now)
}

// clockText is "15:04"; "" when there is no such time.
func clockText(hour, minute string) string {
	h, err1 := strconv.Atoi(hour)
	m, err2 := strconv.Atoi(cmp.Or(minute, "0"))
	if err1 != nil || err2 != nil || h > 23 || m > 59 {
		return ""
	}
	return fmt.Sprintf("%02d:%02d", h, m)
}

// durationOf reads "на 30 мин", "for an hour", "полчаса", "1ч"; 0: it is none.
func durationOf(phrase string) time.Duration {
	m := planDuration.FindStringSubmatch(phrase)
	if m == nil || m[1] == "" && m[2] == "" && m[3] == "" {
		return 0
	}
	unit := time.Minute
	if strings.HasPrefix(m[4], "ч") || strings.HasPrefix(m[4], "h") {
		unit = time.Hour
	}
	n, _ := strconv.Atoi(cmp.Or(m[2], "1"))
	d := time.Duration(n) * unit
	switch m[3] {
	case "пол", "half an ":
		d /= 2
	case "полтора ":
		d = d * 3 / 2
	}
	if d > 24*time.Hour {
		return 0
	}
	return d
}

// planned reads a day or a time where there is other text around. What moves
// something "by a week", and single words that a sentence may hold, are none.
func (r *replyReader) planned(phrase string) (a MailAnswer, ok bool) {
	bare := planBefore.ReplaceAllString(phrase, "")
	switch {
	case bare == "today", bare == "сегодня":
		return MailAnswer{Verb: AnswerMove, Day: DateOf(r.now, r.loc)}, true
	case bare == "month" || phrase == "" || moveWord.MatchString(bare):
		return a, false
	}
	if strings.HasPrefix(phrase, "в ") || strings.HasPrefix(phrase, "at ") { // "в 10"
		if a, ok = r.when(phrase); ok {
			return a, true
		}
	}
	return r.when(bare)
}

// prepositions before a client's name go with it.
var prepositions = []string{"в", "во", "с", "со", "к", "ко", "для", "у", "from", "with", "to", "for", "at"}

// without takes a client's name, as long as it stands there, out of words,
// with its legal form and the preposition before it.
func without(words []string, core string) []string {
	for i := range words {
		for j := min(len(words), i+8); j > i; j-- {
			if coreName(strings.Join(words[i:j], " ")) != core {
				continue
			}
			if i > 0 && slices.Contains(prepositions, bare(words[i-1])) {
				i--
			}
			return slices.Concat(words[:i], words[j:])
		}
	}
	return words
}

// planSubject is what is left of a line: without the word of its kind at an
// end, and what joined the parts.
func planSubject(words []string, kind Kind) string {
	if n := len(words); kind != "" && n > 0 {
		if KindIn(words[0]) == kind {
			words = words[1:]
		} else if KindIn(words[n-1]) == kind {
			words = words[:n-1]
		}
	}
	return strings.Trim(strings.Join(words, " "), " ,;:.-–—")
}

// alikeStem is the beginning of a word that a name in another case shares:
// "Ромашке" is about "Ромашка"; "" for words that are too short to tell.
func alikeStem(word string) string {
	letters := utf8.RuneCountInString(word)
	switch {
	case letters < 4:
		return ""
	case letters < 6:
		return word
	}
	if letters > 7 {
		letters--
	}
	return string([]rune(word)[:letters-1])
}

// alikeName reports whether a client's name has a word that only its ending
// tells from this one.
func alikeName(core, word string) bool {
	stem := alikeStem(word)
	return slices.ContainsFunc(strings.Fields(core), func(w string) bool {
		return w == word || strings.HasPrefix(w, stem) && utf8.RuneCountInString(w) <= utf8.RuneCountInString(word)+1
	})
}
