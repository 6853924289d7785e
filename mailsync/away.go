package mailsync

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"intouch/store"
)

// Until when somebody is away, from the text of an auto-reply in Russian or
// English. A date counts only behind words that say that it is the end: a text
// may name other dates. Where it is doubtful, nothing is said.

const (
	maxAwayText  = 16 << 10             // bytes looked through
	awayHorizon  = 366 * 24 * time.Hour // a later return is none
	awayInferred = 183 * 24 * time.Hour // the same, of a date without a year
)

// Months by their beginnings, Russian and English, in nominative and genitive.
var monthNames = []string{
	`янв\pL*|jan(?:uary)?`, `фев\pL*|feb(?:ruary)?`, `март\pL*|мар|mar(?:ch)?`, `апр\pL*|apr(?:il)?`, `мая|май|may`, `июн\pL*|june?`,
	`июл\pL*|july?`, `авг\pL*|aug(?:ust)?`, `сен\pL*|sept?(?:ember)?`, `окт\pL*|oct(?:ober)?`, `ноя\pL*|nov(?:ember)?`, `дек\pL*|dec(?:ember)?`,
}

var monthAlternatives = "(" + strings.Join(monthNames, ")|(") + ")"

const (
	awayYear = `(?:[\s,]{1,3}(20\d\d)(?:\s*г\.?|\s*года)?)?`
	weekday  = `(?:(?:mon|tues?|wed(?:nes)?|thurs?|fri|satur|sun)(?:day)?|пн|вт|ср|чт|пт|сб|вс|понедельник\pL*|вторник\pL*|сред\pL*|четверг\pL*|пятниц\pL*|суббот\pL*|воскресень\pL*)\.?,?\s+`
)

// lazily compiles an expression when it is used for the first time: those of
// auto-replies and bounces are so large that they made up a third of what every
// start of the program took.
func lazily(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

// awayDate is one date as people write it. Groups: ISO year, month, day; dotted
// day, month, year; slashed; day (month …) year; (month …) day, year.
var awayDate = lazily(`(?i)^(?:` + weekday + `)?(?:the\s+)?(?:` +
	`(20\d\d)-(\d\d)-(\d\d)` +
	`|(\d{1,2})\.(\d{1,2})(?:\.(20\d\d|\d\d))?(?:\s*г\.?)?` +
	`|(\d{1,2})/(\d{1,2})/(20\d\d|\d\d)` +
	`|(\d{1,2})(?:st|nd|rd|th|-?го|-?е)?\s+(?:of\s+)?(?:` + monthAlternatives + `)\.?` + awayYear +
	`|(?:` + monthAlternatives + `)\.?\s+(\d{1,2})(?:st|nd|rd|th)?\b` + awayYear +
	`)`)

// awayWords stand before the end of an absence. What is between them and the
// date may be "включительно", a weekday, "the morning of".
var awayWords = lazily(`(?i)(?:^|[^\pL])(?:` +
	`до|по|вплоть до|включая` +
	`|(?:вернусь|вернется|вернётся|выйду|выйдет|выхожу|выходит|возвращаюсь|возвращается|верн[её]мся|появлюсь|приступлю|буду|будет|смогу ответить|отвечу|отвечу вам)(?:\s+(?:на\s+работу|на\s+работе|в\s+офис|в\s+офисе|на\s+месте|на\s+связи|доступ\pL+|из\s+отпуска|снова|только|уже|к\s+работе|вам|с|к|в|после)){0,4}` +
	`|until|till|’til|'til|through|thru|to|back|return(?:ing|s)?|available(?:\s+again)?` +
	`)(?:\s+(?:on|at|in|from|by|to|the|work|office|again|and|including|morning|of|as)){0,4}\s*:?\s+`)

// awayRange is the dash between two dates: "15.11 – 25.11".
var awayRange = regexp.MustCompile(`^\s*[–—-]\s*`)

// AwayUntil is the date until which the sender of an auto-reply is away, as its
// subject or text says; "" when neither does, or when the date has passed or is
// more than a year ahead of at, when the letter was written. A date without a
// year is the next one of that name, within half a year. Of several the latest
// counts.
func AwayUntil(subject, text string, at time.Time) store.Date {
	s := strings.Join(strings.Fields(clipText(subject, maxSubject)+"\n"+clipText(text, maxAwayText)), " ")
	today := time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, time.UTC)
	var best time.Time
	see := func(rest string) {
		for range 4 { // a range, and what follows it
			m := awayDate().FindStringSubmatch(rest)
			if m == nil {
				return
			}
			if d, ok := dateMeant(m, today); ok && d.After(best) {
				best = d
			}
			rest = rest[len(m[0]):]
			dash := awayRange.FindString(rest)
			if dash == "" {
				return
			}
			rest = rest[len(dash):]
		}
	}
	for n, pos := 0, 0; n < 200; n++ {
		m := awayWords().FindStringIndex(s[pos:])
		if m == nil {
			break
		}
		see(s[pos+m[1]:])
		pos += m[1] - 1 // the blank may begin the next words: "back on … until"
	}
	// "отпуск 15.11 – 25.11": a range alone says it too.
	for n, m := range awayRangeAt.FindAllStringIndex(s, 20) {
		if n == 20 {
			break
		}
		see(s[m[0]:])
	}
	if best.IsZero() {
		return ""
	}
	return store.Date(best.Format(time.DateOnly))
}

// awayRangeAt finds where two dotted dates with a dash between them begin.
var awayRangeAt = regexp.MustCompile(`\b\d{1,2}\.\d{1,2}(?:\.\d{2,4})?\s*[–—-]\s*\d{1,2}\.\d{1,2}`)

// dateMeant reads the groups of awayDate.
func dateMeant(m []string, today time.Time) (time.Time, bool) {
	const dayMonth, monthDay = 10, 24 // first groups of the forms with a month's name
	number := func(i int) int { n, _ := strconv.Atoi(m[i]); return n }
	month := func(first int) int {
		for i := range 12 {
			if m[first+i] != "" {
				return i + 1
			}
		}
		return 0
	}
	var y, mo, d int
	switch {
	case m[1] != "":
		y, mo, d = number(1), number(2), number(3)
	case m[4] != "":
		y, mo, d = number(6), number(5), number(4)
	case m[7] != "":
		y, mo, d = number(9), number(8), number(7)
		if mo > 12 { // month/day/year
			mo, d = d, mo
		} else if d <= 12 && d != mo {
			return time.Time{}, false // either could be the month
		}
	case m[dayMonth] != "":
		d, mo, y = number(dayMonth), month(dayMonth+1), number(dayMonth+13)
	default:
		mo, d, y = month(monthDay), number(monthDay+12), number(monthDay+13)
	}
	if y > 0 && y < 100 {
		y += 2000
	}
	horizon, inferred := awayHorizon, y == 0
	if inferred {
		y, horizon = today.Year(), awayInferred
	}
	t := time.Date(y, time.Month(mo), d, 0, 0, 0, 0, time.UTC)
	if mo < 1 || mo > 12 || t.Day() != d {
		return t, false
	}
	if inferred && t.Before(today) {
		t = time.Date(y+1, time.Month(mo), d, 0, 0, 0, 0, time.UTC)
	}
	return t, !t.Before(today) && t.Sub(today) <= horizon && t.Day() == d
}
