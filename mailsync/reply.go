package mailsync

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// divider is how a rule (hr) is written; Outlook separates the history by one.
const divider = "________________________________"

// newText is what the author wrote this time: lines without quoted history
// (above, below or around the answers) and without signatures.
func newText(lines []line) string {
	lines = slices.DeleteFunc(slices.Clone(lines), func(l line) bool {
		return strings.HasPrefix(l.text, "[") && pictureNote.MatchString(l.text)
	})
	markBatQuotes(lines)
	own, forwarded := dropHistory(lines)
	text := joinOwn(dropSignatures(own))
	switch {
	case text != "":
	case slices.ContainsFunc(forwarded, func(l line) bool { return !l.blank() }):
		// Forwarded without a word: the forwarded letter is the message.
		own, _ = dropHistory(shallow(forwarded))
		text = joinOwn(dropSignatures(own))
	case !slices.ContainsFunc(lines, line.own):
		// Everything is indented, and nothing says that it is a quote.
		own, _ = dropHistory(shallow(lines))
		text = joinOwn(dropSignatures(own))
	default:
		// Somebody typed into the signature.
		for i := range own {
			if own[i].mark == markSignature {
				own[i].mark = markNone
			}
		}
		text = joinOwn(dropSignatures(own))
	}
	return text
}

// pictureNote stands in plain text where the HTML has a picture.
var pictureNote = regexp.MustCompile(`^(?:\[(?:cid|image|изображение|картинка|inline image):[^\]]*\]\s*)+$`)

// shallow takes the outermost level of quotation away.
func shallow(lines []line) []line {
	least := 1 << 30
	for _, l := range lines {
		if !l.blank() {
			least = min(least, l.depth)
		}
	}
	out := slices.Clone(lines)
	for i := range out {
		out[i].depth = max(0, out[i].depth-least)
	}
	return out
}

// batQuote is how The Bat! quotes: the author's initials before the mark.
var batQuote = regexp.MustCompile(`^ ?\p{Lu}{1,4}(>+) ?`)

// markBatQuotes turns such lines into quoted ones, in place. One alone may be
// something else ("A> B").
func markBatQuotes(lines []line) {
	var found []int
	for i, l := range lines {
		if l.depth == 0 && strings.Contains(clipText(l.text, 12), ">") && batQuote.MatchString(l.text) {
			found = append(found, i)
		}
	}
	if len(found) < 2 {
		return
	}
	for _, i := range found {
		m := batQuote.FindStringSubmatchIndex(lines[i].text)
		lines[i] = line{text: lines[i].text[m[1]:], depth: m[3] - m[2]}
	}
}

// maxAttributions are looked for in one letter: no honest one has more.
const maxAttributions = 2000

// dropHistory keeps the author's own lines, an empty line where a quote stood.
// forwarded is what stands below a forwarding mark.
func dropHistory(lines []line) (own, forwarded []line) {
	end, body, forward := historyStart(lines)
	if end < len(lines) {
		if forward || !slices.ContainsFunc(lines[:end], func(l line) bool { return !l.blank() }) {
			forwarded = lines[body:]
		}
		lines = lines[:end]
	}
	drop := make([]bool, len(lines))
	quoteBelow := false   // a quoted line stands further down
	history := len(lines) // from here on all is dropped
	tries := 0
	for i := len(lines) - 1; i >= 0; i-- {
		l := lines[i]
		quoted := l.depth > 0
		switch {
		case quoted:
			drop[i] = true
			if i > 0 && lines[i-1].depth == 0 {
				markAttributionAbove(lines, drop, i)
			}
			quoteBelow = true
		case l.mark == markAttribution:
			drop[i] = true
		case !quoteBelow && strings.HasSuffix(l.text, ":") && tries < maxAttributions:
			tries++
			// "On … wrote:" above a history that nothing marks as quoted.
			if n := bareAttribution(lines, i); n > 0 && slices.ContainsFunc(lines[i+1:], line.own) {
				for j := i - n + 1; j < history; j++ {
					drop[j] = true
				}
				history = i - n + 1
			}
		}
	}
	for i, l := range lines {
		switch {
		case !drop[i]:
			own = append(own, l)
		case len(own) > 0 && own[len(own)-1].depth == 0:
			own = append(own, line{depth: 1}) // parts the segments
		}
	}
	return own, forwarded
}

// historyStart finds the line from which on all is an earlier letter: below
// Outlook's header block, "-----Original Message-----", a forwarding mark. It
// is len(lines) when there is none. body is where the earlier letter's text
// begins.
func historyStart(lines []line) (start, body int, forward bool) {
	for i, l := range lines {
		if l.depth > 0 || l.blank() {
			continue
		}
		if l.mark == markHistory {
			body = i
			if n := headerBlock(lines, i, false); n > 0 {
				body = i + n
			}
			return aboveDividers(lines, i), body, false
		}
		if kind := separator(l.text); kind != noSeparator {
			body = i + 1
			for body < len(lines) && lines[body].blank() {
				body++
			}
			if n := headerBlock(lines, body, true); n > 0 {
				body += n
			} else if body < len(lines) && strings.HasSuffix(lines[body].text, ":") && saysWhen(lines[body].text) {
				body++ // Yandex: 12.03.2024, 10:11, "Anna" <anna@x.test>:
			}
			return i, body, kind == forwardSeparator
		}
		if n := headerBlock(lines, i, false); n > 0 {
			return aboveDividers(lines, i), i + n, false
		}
	}
	return len(lines), len(lines), false
}

// aboveDividers goes up from i over empty lines and rules.
func aboveDividers(lines []line, i int) int {
	start := i
	for j := i - 1; j >= 0; j-- {
		if lines[j].blank() {
			continue
		}
		if lines[j].depth > 0 || len(lines[j].text) < 5 || strings.Trim(lines[j].text, "_-=*— ") != "" {
			break
		}
		start = j
	}
	return start
}

type separatorKind int

const (
	noSeparator separatorKind = iota
	replySeparator
	forwardSeparator
)

var separators = []struct {
	words string
	kind  separatorKind
}{
	{"original message", replySeparator}, {"original appointment", replySeparator}, {"исходное сообщение", replySeparator},
	{"оригинальное сообщение", replySeparator}, {"исходное письмо", replySeparator}, {"исходная встреча", replySeparator},
	{"reply message", replySeparator}, {"ursprüngliche nachricht", replySeparator},
	{"forwarded message", forwardSeparator}, {"forwarded by", forwardSeparator}, {"forwarded letter", forwardSeparator},
	{"пересылаемое сообщение", forwardSeparator}, {"пересланное сообщение", forwardSeparator}, {"перенаправленное сообщение", forwardSeparator},
	{"переадресованное сообщение", forwardSeparator}, {"пересылаемое письмо", forwardSeparator}, {"пересланное письмо", forwardSeparator},
	{"переадресованного сообщения", forwardSeparator}, {"переадресованного письма", forwardSeparator}, {"пересланного сообщения", forwardSeparator},
	{"end of forwarded message", replySeparator}, {"end of forwarded letter", replySeparator},
	{"конец пересылаемого сообщения", replySeparator}, {"конец пересылаемого письма", replySeparator}, {"конец пересланного сообщения", replySeparator},
}

// separator recognises "-----Original Message-----" and its kin.
func separator(text string) separatorKind {
	if len(text) < 12 || len(text) > 160 {
		return noSeparator
	}
	dashed := text[0] == '-' || text[0] == '_' || text[0] == '=' || text[0] == '*' || strings.HasPrefix(text, "—")
	if !dashed && !strings.HasSuffix(text, ":") {
		return noSeparator
	}
	low := strings.ToLower(strings.Trim(text, "-_=*— :"))
	for _, s := range separators {
		if low == s.words || dashed && strings.HasPrefix(low, s.words) ||
			!dashed && (low == "begin "+s.words || low == "начало "+s.words) {
			return s.kind
		}
	}
	return noSeparator
}

// labels of a header block, by what they stand for.
var headerLabels = map[string]byte{
	"from": 'f', "от": 'f', "від": 'f', "von": 'f', "от кого": 'f',
	"sent": 'd', "date": 'd', "отправлено": 'd', "отправленные": 'd', "дата": 'd', "gesendet": 'd', "надіслано": 'd', "datum": 'd', "когда": 'd',
	"to": 't', "кому": 't', "an": 't',
	"cc": 'c', "копия": 'c', "копія": 'c', "bcc": 'c', "reply-to": 'c', "обратный адрес": 'c', "importance": 'c', "важность": 'c',
	"subject": 's', "тема": 's', "betreff": 's',
}

func headerLabel(text string) byte {
	i := strings.IndexByte(text, ':')
	if i < 2 || i > 40 {
		return 0
	}
	return headerLabels[strings.ToLower(strings.Trim(text[:i], "*_ "))]
}

// headerBlock tells how many lines from i on are the earlier letter's header
// as Outlook quotes it: "From:" and at least two more of its fields within a
// few lines. 0: none. Below a separator any field may be the first, as
// Thunderbird begins with the subject.
func headerBlock(lines []line, i int, separated bool) int {
	if i >= len(lines) {
		return 0
	}
	first := headerLabel(lines[i].text)
	if first == 0 || first != 'f' && !separated {
		return 0
	}
	depth := lines[i].depth
	found := map[byte]bool{first: true}
	last, misses := i, 0
	for j := i + 1; j < len(lines) && j < i+30 && misses < 6; j++ {
		if lines[j].depth != depth {
			break
		}
		if lines[j].blank() {
			misses += 2 // some mailers put an empty line between
			continue
		}
		k := headerLabel(lines[j].text)
		if k == 'f' && found['f'] {
			break
		}
		if k != 0 {
			found[k] = true
			last, misses = j, 0
			continue
		}
		misses++ // a long list of addresses goes on
	}
	if len(found) < 3 || !found['f'] || !found['d'] && !found['s'] {
		return 0
	}
	return last - i + 1
}

// markAttributionAbove drops the lines above a quote that say whose it is:
// "Anna wrote:", over up to four lines.
func markAttributionAbove(lines []line, drop []bool, quote int) {
	j := quote - 1
	for j >= 0 && lines[j].blank() {
		j--
	}
	if j < 0 || lines[j].depth > 0 || !strings.HasSuffix(lines[j].text, ":") {
		return
	}
	joined, verbOnly := "", false
	for n := 1; n <= 4 && j-n+1 >= 0; n++ {
		l := lines[j-n+1]
		if l.blank() || l.depth > 0 {
			break
		}
		joined = strings.TrimSpace(l.text + " " + joined)
		if len(joined) > 500 {
			break
		}
		if saysWhen(joined) {
			for k := range n {
				drop[j-k] = true
			}
			return
		}
		verbOnly = verbOnly || n == 1 && saysWrote(joined)
	}
	if verbOnly {
		drop[j] = true
	}
}

// bareAttribution tells how many lines ending at i are an attribution that
// needs no quote below it to be one: with a date and a word for "wrote", or an
// address.
func bareAttribution(lines []line, i int) int {
	joined := ""
	for n := 1; n <= 3 && i-n+1 >= 0; n++ {
		l := lines[i-n+1]
		if l.blank() || l.depth > 0 {
			return 0
		}
		joined = strings.TrimSpace(l.text + " " + joined)
		if len(joined) > 400 {
			return 0
		}
		if saysWhen(joined) && (saysWrote(joined) || strings.HasSuffix(joined, ">:") && strings.Contains(joined, "@")) {
			return n
		}
	}
	return 0
}

var (
	clockTime = regexp.MustCompile(`\b\d{1,2}[:.]\d{2}\b`)
	someDate  = regexp.MustCompile(`\b\d{1,4}[./-]\d{1,2}[./-]\d{1,4}\b|\b\d{1,2}\.? +\p{L}{3,}\.?,? +\d{4}|\p{L}{3,}\.? +\d{1,2},? +\d{4}`)
	wroteWord = regexp.MustCompile(`(?i)(?:^|[^\p{L}])(?:wrote|writes|написал|написала|написал\(а\)|написали|писал|писала|писал\(а\)|пишет|писали|пишете|сообщил|сообщила|schrieb|a écrit)(?:[^\p{L}]|$)`)
)

func saysWhen(s string) bool  { return clockTime.MatchString(s) && someDate.MatchString(s) }
func saysWrote(s string) bool { return wroteWord.MatchString(s) }

// countWords counts the words of a line.
func countWords(s string) int { return len(strings.Fields(s)) }

// startsUpper reports whether a line begins with a capital.
func startsUpper(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.IsUpper(r)
}
