package mailsync

import (
	"regexp"
	"strings"
)

const (
	maxSignature = 25  // lines of a signature
	maxLegal     = 200 // letters from which on a signature's line is prose
)

// dropSignatures cuts the signature off each stretch of the author's lines;
// stretches are parted by lines of depth 1.
func dropSignatures(lines []line) []line {
	var out []line
	for len(lines) > 0 {
		n := 0
		for n < len(lines) && lines[n].depth == 0 {
			n++
		}
		out = append(append(out, trimSignature(lines[:n])...), line{})
		for n < len(lines) && lines[n].depth > 0 {
			n++
		}
		lines = lines[n:]
	}
	return out
}

// trimSignature gives one stretch without its signature; a postscript below
// stays.
func trimSignature(lines []line) []line {
	var seg []line
	for _, l := range lines {
		if l.mark != markSignature {
			seg = append(seg, l)
		}
	}
	seg = trimBlank(seg)
	cut := signatureStart(seg, func(i int) bool {
		return delimiter(seg[i].text) && !asks(seg[i+1:]) || closes(seg, i)
	})
	if cut == len(seg) {
		cut = signatureStart(seg, func(i int) bool { return closesSoftly(seg, i) })
	}
	out := append([]line(nil), trimBlank(seg[:cut])...)
	if cut < len(seg) {
		out = trimClosing(out)
		if ps := postscript(seg[cut:]); len(ps) > 0 {
			out = append(append(out, line{}), ps...)
		}
	}
	for {
		out = trimBlank(out)
		if len(out) == 0 {
			return out
		}
		last := out[len(out)-1].text
		if mobileSignature(last) {
			out = out[:len(out)-1]
			continue
		}
		if n := legalNotice(out); n > 0 {
			out = out[:len(out)-n]
			continue
		}
		if s, ok := cutInlineClosing(last); ok {
			out[len(out)-1].text = s
		}
		return out
	}
}

// signatureStart is the topmost line that begins a signature, with no more
// than maxSignature lines below it; len(seg) when there is none.
func signatureStart(seg []line, begins func(i int) bool) int {
	start := len(seg)
	for i, below := len(seg)-1, 0; i >= 0 && below <= maxSignature; i-- {
		if seg[i].blank() {
			continue
		}
		if begins(i) {
			start = i
		}
		below++
	}
	return start
}

// delimiter is the line above a signature (RFC 3676 section 4.3).
func delimiter(s string) bool {
	switch strings.TrimSpace(s) {
	case "--", "—", "– –", "-- --", "---", "__", "___":
		return true
	}
	return false
}

// asks reports whether a question stands in the lines: then the "--" above
// them parts two pieces of a letter.
func asks(lines []line) bool {
	for _, l := range lines {
		if strings.HasSuffix(l.text, "?") && !isPostscript(l.text) {
			return true
		}
	}
	return false
}

// closings end a letter whatever follows; softClosings only where a signature
// follows, since they are also said in the middle of one.
var (
	closings = []string{
		"с уважением", "с наилучшими пожеланиями", "с наилучшими", "с искренним уважением", "с глубоким уважением", "искренне ваш", "искренне ваша",
		"с благодарностью и уважением", "спасибо, с уважением", "спасибо, с уважением", "спасибо. с уважением", "заранее спасибо, с уважением",
		"заранее благодарю, с уважением", "благодарю, с уважением", "всегда ваш", "с пожеланиями успехов", "с добрыми пожеланиями",
		"best regards", "kind regards", "warm regards", "kindest regards", "with kind regards", "with best regards", "regards", "best wishes",
		"sincerely", "sincerely yours", "yours sincerely", "yours faithfully", "yours truly", "respectfully", "thanks and regards", "thanks & regards",
		"many thanks and kind regards", "thank you and best regards", "mit freundlichen grüßen", "cordially", "with respect", "br", "kr",
	}
	softClosings = []string{
		"спасибо", "с благодарностью", "заранее спасибо", "заранее благодарю", "благодарю", "всего доброго", "всего хорошего", "всего наилучшего",
		"хорошего дня", "удачного дня", "до связи", "до встречи", "удачи", "с приветом",
		"thanks", "many thanks", "thank you", "best", "cheers", "all the best", "have a nice day", "have a great day", "thanks in advance", "thx",
	}
)

// closes reports whether the signature begins at line i with a closing phrase.
func closes(seg []line, i int) bool {
	text := strings.TrimSpace(seg[i].text)
	if len(text) > 160 {
		return false
	}
	low := strings.ToLower(text)
	for _, c := range closings {
		if rest, ok := strings.CutPrefix(low, c); ok && closingRest(rest, text[len(text)-len(rest):]) {
			return signatureLike(seg[i+1:])
		}
	}
	return false
}

// closesSoftly reports whether line i is a word of thanks or farewell at the
// start of a paragraph, with what can only be a signature below.
func closesSoftly(seg []line, i int) bool {
	text := strings.TrimSpace(seg[i].text)
	if i == 0 || len(text) > 80 || !startsUpper(text) && !seg[i-1].blank() {
		return false
	}
	low := strings.ToLower(text)
	for _, c := range softClosings {
		if rest, ok := strings.CutPrefix(low, c); ok && strings.Trim(rest, " ,.!-–—)") == "" {
			below := trimBlank(seg[i+1:])
			return len(below) > 0 && shortLines(below)
		}
	}
	return false
}

// closingRest is what follows a closing phrase on its line: nothing, or a name.
// low is in lower case, as is as written; their lengths may differ.
func closingRest(low, as string) bool {
	trimmed := strings.TrimLeft(low, " ,.!-–—;:")
	if trimmed == "" {
		return true
	}
	if len(trimmed) == len(low) {
		return false // "с уважениемX": another word
	}
	as = strings.TrimLeft(as, " ,.!-–—;:")
	return startsUpper(as) && countWords(as) <= 8 && !strings.ContainsAny(as, "?!;")
}

// signatureLike reports whether lines can be a signature with its legal
// notice, rather than a letter that goes on.
func signatureLike(lines []line) bool {
	prose := 0
	for i, l := range lines {
		if len(l.text) > maxLegal && legal(l.text) == 0 && !isPostscript(lines[i].text) {
			prose++
		}
	}
	return prose < 2
}

// shortLines reports whether all lines are as short as a signature's.
func shortLines(lines []line) bool {
	if len(lines) > 14 {
		return false
	}
	for _, l := range lines {
		if len([]rune(l.text)) > 90 || strings.HasSuffix(l.text, "?") {
			return legal(l.text) > 0
		}
	}
	return true
}

// trimClosing takes away closing phrases that stand above a delimiter.
func trimClosing(lines []line) []line {
	for len(lines) > 1 && closes(lines, len(lines)-1) {
		lines = trimBlank(lines[:len(lines)-1])
	}
	return lines
}

// cutInlineClosing takes "… Best regards, Anna" off the end of a paragraph.
func cutInlineClosing(text string) (string, bool) {
	low := strings.ToLower(text)
	if len(low) != len(text) {
		return text, false
	}
	for _, c := range closings[:2] {
		if s, ok := cutClosingAt(text, strings.LastIndex(low, c), len(c)); ok {
			return s, true
		}
	}
	for _, c := range []string{"best regards", "kind regards"} {
		if s, ok := cutClosingAt(text, strings.LastIndex(low, c), len(c)); ok {
			return s, true
		}
	}
	return text, false
}

func cutClosingAt(text string, i, n int) (string, bool) {
	if i <= 0 {
		return text, false
	}
	before := strings.TrimRight(text[:i], " ")
	if before == "" || len(before) == i || !strings.ContainsAny(before[len(before)-1:], ".!?") {
		return text, false
	}
	rest := text[i+n:]
	if !closingRest(strings.ToLower(rest), rest) {
		return text, false
	}
	return before, true
}

var postscriptMark = regexp.MustCompile(`(?i)^(?:p\.? ?p?\.? ?s\b|п\.? ?с\.|з\.? ?ы\.|зы[:. ]|пс[:. ])`)

func isPostscript(s string) bool { return postscriptMark.MatchString(s) }

// postscript is the paragraph of a cut signature that was meant to be read.
func postscript(lines []line) []line {
	for i, l := range lines {
		if !isPostscript(l.text) {
			continue
		}
		end := i
		for end < len(lines) && !lines[end].blank() && !delimiter(lines[end].text) {
			end++
		}
		return lines[i:end]
	}
	return nil
}

// mobileStarts begin the line that phones and programs add.
var mobileStarts = []string{
	"отправлено с ", "отправлено со ", "отправлено из ", "отправлено через ", "отправлено от моего", "скачать outlook", "получить outlook", "загрузить outlook",
	"послано с ", "написано с ", "письмо отправлено с ", "отправлено мобильным", "отправлено моим",
	"sent from ", "get outlook for", "sent via ", "sent with ", "download outlook", "envoyé de", "gesendet von",
}

func mobileSignature(s string) bool {
	if len(s) > 200 || countWords(s) > 14 {
		return false
	}
	low := strings.ToLower(strings.TrimLeft(s, "-— *_"))
	for _, p := range mobileStarts {
		if strings.HasPrefix(low, p) {
			return true
		}
	}
	return false
}

// legalWords are those of confidentiality notices, and of the wishes that
// stand beside them.
var legalWords = []string{
	"конфиденциальн", "предназначен", "по ошибке", "уведомите отправителя", "не являетесь адресатом", "несанкционированн",
	"confidential", "intended", "in error", "notify the sender", "unauthorized", "unauthorised", "privileged",
	"before you print", "before printing", "прежде чем печатать", "прежде чем распечат",
}

// legal counts the legal words of a text.
func legal(text string) (n int) {
	low := strings.ToLower(text)
	for _, w := range legalWords {
		if strings.Contains(low, w) {
			n++
		}
	}
	return n
}

// legalNotice tells how many lines at the end are a confidentiality notice:
// the last paragraph, when it is nothing else.
func legalNotice(lines []line) int {
	start := len(lines)
	for start > 0 && !lines[start-1].blank() {
		start--
	}
	if start == 0 {
		return 0 // the whole letter
	}
	text := joinOwn(lines[start:])
	if len(text) < 80 || len(text) > 4000 || legal(text) < 2 {
		return 0
	}
	return len(lines) - start
}
