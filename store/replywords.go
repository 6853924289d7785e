package store

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The words of replies, in Russian and English: "done", "+2d", "завтра 10:00",
// "1 done, 3 +2d", "2: завтра". Any other text is a note.

// NumberedAnswer is an answer to one of a mail's items, numbered from 1.
type NumberedAnswer struct {
	No int
	MailAnswer
}

// Bounds of one reply.
const (
	maxReplyLines = 200
	maxReplyActs  = 100
)

// ReadReply reads what a manager wrote, without quotes and signature, in
// answer to a mail with these targets: what is to be done, in its order, and
// the pieces that were not understood. Days count from now in loc.
func ReadReply(text string, targets []AnswerTarget, now time.Time, loc *time.Location) (acts []NumberedAnswer, unclear []string) {
	r := replyReader{targets: targets, now: now, loc: loc, note: -1}
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	for _, line := range lines[:min(len(lines), maxReplyLines)] {
		r.line(strings.TrimSpace(strings.ReplaceAll(line, "\u00a0", " ")))
	}
	for i := range r.acts {
		r.acts[i].Text = strings.TrimSpace(r.acts[i].Text)
	}
	if len(r.acts) == 0 && len(r.unclear) == 0 {
		r.unclear = []string{""} // nothing was written
	}
	return r.acts, r.unclear
}

type replyReader struct {
	targets []AnswerTarget
	now     time.Time
	loc     *time.Location
	acts    []NumberedAnswer
	unclear []string
	note    int // the act that further lines of text belong to; -1: none
}

// line is read as commands, one or several in a row, and else as text.
func (r *replyReader) line(line string) {
	if line == "" {
		if r.note >= 0 {
			r.acts[r.note].Text += "\n"
		}
		return
	}
	if acts, ok := r.commands(line); ok {
		r.note = -1
		r.add(acts...)
		return
	}
	no, rest := r.numbered(line)
	switch {
	case no == 0 && r.note >= 0:
		r.acts[r.note].Text += "\n" + line
	case no == 0 && len(r.targets) == 1:
		r.text(1, line)
	case no == 0 && small[bare(line)]:
	case no == 0:
		r.unclear = append(r.unclear, line)
	default:
		r.text(no, rest)
	}
}

func (r *replyReader) add(acts ...NumberedAnswer) {
	for _, a := range acts {
		if len(r.acts) < maxReplyActs {
			r.acts = append(r.acts, a)
		}
	}
}

// text is a note of an item. Of an unknown sender there is nothing to note.
func (r *replyReader) text(no int, text string) {
	if r.targets[no-1].Sender != "" {
		r.unclear = append(r.unclear, text)
		r.note = -1
		return
	}
	r.add(NumberedAnswer{No: no, MailAnswer: MailAnswer{Verb: AnswerNote, Text: text}})
	r.note = len(r.acts) - 1
}

var (
	leadingNumber = regexp.MustCompile(`^(?:№|#)?\s*(\d{1,3})\s*[:.)]?\s+(?:[-–—]\s+)?(\S.*)$|^(?:№|#)?\s*(\d{1,3})[:)]\s*(\S.*)$`)
	onlyNumbers   = regexp.MustCompile(`^(?:№|#)?\s*(\d{1,3})(?:\s*[-–]\s*(\d{1,3}))?$`)
	// allItems and small words say nothing of their own.
	allItems = map[string]bool{"all": true, "everything": true, "все": true, "всё": true}
	small    = wordSet("thanks, thank you, thx, please, ok, okay, hi, hello, спасибо, пожалуйста, ок, хорошо, привет, добрый день, здравствуйте")
)

func wordSet(list string) map[string]bool {
	set := map[string]bool{}
	for w := range strings.SplitSeq(list, ",") {
		set[strings.TrimSpace(w)] = true
	}
	return set
}

// numbered takes the number of an item off a line; 0: it has none of ours.
func (r *replyReader) numbered(s string) (no int, rest string) {
	m := leadingNumber.FindStringSubmatch(s)
	if m == nil {
		return 0, s
	}
	no, _ = strconv.Atoi(cmp.Or(m[1], m[3]))
	if no < 1 || no > len(r.targets) {
		return 0, s
	}
	return no, cmp.Or(m[2], m[4])
}

// commands reads a line that is nothing but commands: "1 done, 3 +2d",
// "1, 2 и 4 готово", "готово, спасибо". False when it is not.
func (r *replyReader) commands(line string) (acts []NumberedAnswer, ok bool) {
	var waiting []int // numbers whose command comes later
	for piece := range strings.FieldsFuncSeq(line, func(c rune) bool { return c == ',' || c == ';' }) {
		piece = strings.TrimSpace(piece)
		if small[bare(piece)] || piece == "" {
			continue
		}
		if nos := r.numbers(piece); nos != nil {
			waiting = append(waiting, nos...)
			continue
		}
		nos, a, ok := r.command(piece)
		if !ok {
			return nil, false
		}
		for _, no := range append(waiting, nos...) {
			acts = append(acts, NumberedAnswer{No: no, MailAnswer: a})
		}
		waiting = nil
	}
	return acts, len(acts) > 0 && len(waiting) == 0
}

// numbers reads a piece that is only numbers: "3", "1-4".
func (r *replyReader) numbers(piece string) (nos []int) {
	m := onlyNumbers.FindStringSubmatch(piece)
	if m == nil {
		return nil
	}
	from, _ := strconv.Atoi(m[1])
	to, _ := strconv.Atoi(cmp.Or(m[2], m[1]))
	if from < 1 || to > len(r.targets) {
		return nil
	}
	for no := from; no <= to; no++ {
		nos = append(nos, no)
	}
	return nos
}

// command reads one command with the items it is about. Without a number it is
// about the only one.
func (r *replyReader) command(piece string) (nos []int, a MailAnswer, ok bool) {
	if len(r.targets) == 1 {
		if a, ok := r.act(1, piece); ok {
			return []int{1}, a, true
		}
	}
	if no, rest := r.numbered(piece); no != 0 {
		if a, ok := r.act(no, rest); ok {
			return []int{no}, a, true
		}
	}
	// "2 и 4 готово", "1-3 done", "1 2 done", "all done"
	fields := strings.Fields(piece)
	for i, f := range fields {
		low := strings.ToLower(strings.TrimRight(f, ":.)"))
		switch got := r.numbers(low); {
		case i > 0 && (low == "и" || low == "and" || low == "&"):
		case got != nil && i < len(fields)-1:
			nos = append(nos, got...)
		case i == 0 && allItems[low]:
			for no := range r.targets {
				nos = append(nos, no+1)
			}
		case len(nos) == 0:
			return nil, a, false
		default:
			for _, no := range nos {
				if a, ok = r.act(no, strings.Join(fields[i:], " ")); !ok {
					return nil, a, false
				}
			}
			return nos, a, true
		}
	}
	return nil, a, false
}

var (
	doneWords   = wordSet("done, complete, completed, finished, готово, сделано, сделал, сделала, выполнено, выполнил, выполнила, закрыть, не требует ответа, no answer needed")
	cancelWords = wordSet("cancel, cancelled, canceled, drop, отмена, отменить, отменено, отмени, не нужно, не клиент, not a client")
	clientWord  = regexp.MustCompile(`(?i)^(?:make (?:it )?(?:a )?client|new client|client|клиент|новый клиент|сделать клиентом)(?:\s*:)?(?:\s+(.+))?$`)
	sourceWord  = regexp.MustCompile(`(?i)^(?:(?:lead )?source(?: is)?|источник)\s*[:=—-]?\s+(.+)$`)
	moveWord    = regexp.MustCompile(`^(?:move|moved|postpone|snooze|reschedule|перенести|перенеси|перенесено|отложить|отложи|to|till|until|by|на|до|в|во)(?: |$)`)
)

// bare is a piece in lower case, without what surrounds words.
func bare(s string) string {
	return strings.ReplaceAll(strings.ToLower(strings.Trim(s, " .!*_\t")), "ё", "е")
}

// act reads one command about one item.
func (r *replyReader) act(no int, piece string) (a MailAnswer, ok bool) {
	sender := r.targets[no-1].Sender != ""
	word := bare(piece)
	switch {
	case sender && clientWord.MatchString(piece):
		return MailAnswer{Verb: AnswerClient, Text: clientWord.FindStringSubmatch(piece)[1]}, true
	case cancelWords[word]:
		return MailAnswer{Verb: AnswerCancel}, true
	case sender:
		return a, false
	case doneWords[word]:
		return MailAnswer{Verb: AnswerDone}, true
	case sourceWord.MatchString(piece):
		return MailAnswer{Verb: AnswerSource, Text: strings.Trim(sourceWord.FindStringSubmatch(piece)[1], ` "«».`)}, true
	}
	return r.when(word)
}

var (
	clockEnd = regexp.MustCompile(`(?:^|\s)(?:(?:в|во|at|к)\s+)?([01]?[0-9]|2[0-3]):([0-5][0-9])$|(?:^|\s)(?:в|at)\s+([01]?[0-9]|2[0-3])(?:\s*(?:ч|час|часов|часа))?$`)
	counted  = regexp.MustCompile(`^(\+|через |in )?\s*(?:([0-9]{1,3}|an?)\s*)?([a-zа-я]+)\.?$`)
	dotted   = regexp.MustCompile(`^([0-9]{1,2})\.([0-9]{1,2})(?:\.([0-9]{4}|[0-9]{2}))?$`)
	named    = regexp.MustCompile(`^([0-9]{1,2})\s+([a-zа-я]{3,})(?:\s+([0-9]{4}))?$|^([a-z]{3,})\s+([0-9]{1,2})$`)
)

// units that are counted, by the beginnings of their words.
var units = []struct{ begin, unit string }{
	{"min", "i"}, {"мин", "i"}, {"m", "m"}, {"м", "m"}, {"h", "h"}, {"ч", "h"}, {"d", "d"}, {"д", "d"}, {"w", "w"}, {"н", "w"},
}

var dayWords = map[string]Snooze{
	"tomorrow": "tomorrow", "завтра": "tomorrow", "+1d": "+1d",
	"next week": "monday", "на следующей неделе": "monday", "следующей неделе": "monday", "следующую неделю": "monday", "monday": "monday", "понедельник": "monday",
	"month": "month", "начало месяца": "month", "start of next month": "month", "the start of next month": "month", "next month": "month", "следующий месяц": "month", "в следующем месяце": "month", "следующем месяце": "month",
}

var weekdayWords = [7][]string{
	{"sunday", "sun", "воскресенье", "вс"}, {"monday", "mon", "понедельник", "пн"}, {"tuesday", "tue", "вторник", "вт"},
	{"wednesday", "wed", "среду", "среда", "ср"}, {"thursday", "thu", "четверг", "чт"}, {"friday", "fri", "пятницу", "пятница", "пт"},
	{"saturday", "sat", "субботу", "суббота", "сб"},
}

// monthWords are whole words: "5 магазинов" is no day in May.
var monthWords = func() (months [12]*regexp.Regexp) {
	for i, name := range []string{"янв(?:ар[яь])?|jan(?:uary)?", "фев(?:рал[яь])?|feb(?:ruary)?", "мар(?:та?)?|mar(?:ch)?", "апр(?:ел[яь])?|apr(?:il)?",
		"ма[йя]|may", "июн[яь]?|june?", "июл[яь]?|july?", "авг(?:уста?)?|aug(?:ust)?", "сент?(?:ябр[яь])?|sept?(?:ember)?",
		"окт(?:ябр[яь])?|oct(?:ober)?", "ноя(?:б|бр[яь])?|nov(?:ember)?", "дек(?:абр[яь])?|dec(?:ember)?"} {
		months[i] = regexp.MustCompile("^(?:" + name + ")$")
	}
	return months
}()

// when reads a time: a snooze word, a day, a clock time, or a day and a clock.
func (r *replyReader) when(word string) (a MailAnswer, ok bool) {
	a.Verb = AnswerMove
	if m := clockEnd.FindStringSubmatchIndex(word); m != nil {
		sub := clockEnd.FindStringSubmatch(word)
		hour, _ := strconv.Atoi(cmp.Or(sub[1], sub[3]))
		a.Clock = fmt.Sprintf("%02d:%s", hour, cmp.Or(sub[2], "00"))
		word = strings.TrimSpace(word[:m[0]])
		if word == "" {
			return a, true
		}
	}
	by := false // "на неделю", "by a week"
	for m := moveWord.FindString(word); m != ""; m = moveWord.FindString(word) {
		by = m == "на " || m == "by "
		word = word[len(m):]
	}
	if word == "" { // "move to 10:00"
		return a, a.Clock != ""
	}
	today := DateOf(r.now, r.loc)
	if s, ok := dayWords[word]; ok {
		a.Snooze = s
		return a, true
	}
	switch word {
	case "today", "сегодня":
		a.Day = today
		return a, a.Clock != ""
	case "послезавтра", "day after tomorrow":
		a.Day = today.Add(2)
		return a, true
	}
	if m := counted.FindStringSubmatch(word); m != nil && (by || m[1] != "") {
		for _, u := range units {
			if !strings.HasPrefix(m[3], u.begin) {
				continue
			}
			n, unit := 1, u.unit
			if m[2] != "" && m[2][0] <= '9' {
				n, _ = strconv.Atoi(m[2])
			}
			if unit == "i" && n < 15 { // the word "+5m" would be months
				at := r.now.In(r.loc).Add(time.Duration(n) * time.Minute)
				a.Day, a.Clock = DateOf(at, r.loc), at.Format("15:04")
				return a, true
			}
			a.Snooze = Snooze(fmt.Sprintf("+%d%s", n, strings.Replace(unit, "i", "m", 1)))
			_, known := a.Snooze.step()
			return a, known != 0
		}
		return a, false
	}
	for i, names := range weekdayWords {
		if slices.Contains(names, word) {
			days := (i - int(r.now.In(r.loc).Weekday()) + 7) % 7
			a.Day = today.Add(cmp.Or(days, 7))
			return a, true
		}
	}
	if d, err := ParseDate(word); err == nil {
		a.Day = d
		return a, true
	}
	day, month, year := 0, 0, 0
	if m := dotted.FindStringSubmatch(word); m != nil {
		day, _ = strconv.Atoi(m[1])
		month, _ = strconv.Atoi(m[2])
		if year, _ = strconv.Atoi(m[3]); year > 0 && year < 100 {
			year += 2000
		}
	} else if m := named.FindStringSubmatch(word); m != nil {
		day, _ = strconv.Atoi(cmp.Or(m[1], m[5]))
		name := cmp.Or(m[2], m[4])
		month = 1 + slices.IndexFunc(monthWords[:], func(m *regexp.Regexp) bool { return m.MatchString(name) })
		year, _ = strconv.Atoi(m[3])
	}
	if day == 0 || month == 0 {
		return a, false
	}
	a.Day, ok = dayOf(day, month, year, today)
	return a, ok
}

// dayOf is a day of a year, or the next one of that name from today on.
func dayOf(day, month, year int, today Date) (Date, bool) {
	first := year
	if year == 0 {
		first, _ = strconv.Atoi(string(today[:4]))
	}
	for y := first; y <= first+8; y++ { // 29 February
		d, err := ParseDate(fmt.Sprintf("%04d-%02d-%02d", y, month, day))
		if year != 0 {
			return d, err == nil
		}
		if err == nil && d >= today {
			return d, true
		}
	}
	return "", false
}
