package mailsync

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// DefaultDealPattern finds what a letter calls an order, a deal or a bill:
// «заказ № 1045», «Заказ клиента № ЦБ-0001045 от 12.11», «счёт на оплату №
// 1045», "order 1045", "order no. 1045/26". Between the word and the number may
// stand up to three words where a sign ("№", "#", "no.") follows them.
const DefaultDealPattern = `(?i)(?:^|[^\pL\d])` + dealWords

const dealWords = `(?:заказ|сч[её]т|сделк|order|invoice|deal)\pL*` +
	`(?:(?:\s+\pL+){0,3}\s*(?:№|#|no\b\.?|n°|номер\pL*|number)\s*[:#№]?|\s*:)?\s*` +
	`((?:\pL{1,4}-?)?\d[\d/-]{0,30})`

var (
	defaultDealPattern = regexp.MustCompile(DefaultDealPattern)
	dealAt             = regexp.MustCompile(`(?i)^` + dealWords) // the same where one of its words begins
)

// Bounds of what is looked through.
const (
	maxDealPattern  = 1000     // bytes of a pattern
	maxDealText     = 64 << 10 // bytes of a letter
	maxDealMention  = 400      // … and of one mention
	maxDealMentions = 20
)

// CompileDealPattern reads a pattern of the settings: RE2 with one group, the
// number. "" is DefaultDealPattern.
func CompileDealPattern(s string) (*regexp.Regexp, error) {
	if s == "" || s == DefaultDealPattern {
		return defaultDealPattern, nil
	}
	if len(s) > maxDealPattern {
		return nil, fmt.Errorf("is longer than %d bytes", maxDealPattern)
	}
	re, err := regexp.Compile(s)
	if err != nil {
		return nil, err
	}
	if n := re.NumSubexp(); n != 1 {
		return nil, fmt.Errorf("has %d groups, must have one: the number", n)
	}
	return re, nil
}

// dealStems are the words of the default pattern by their first letters, in
// both cases.
var dealStems = map[rune][]string{
	'з': {"заказ"}, 'с': {"счет", "счёт", "сделк"}, 'o': {"order"}, 'i': {"invoice"}, 'd': {"deal"},
	'З': {"заказ"}, 'С': {"счет", "счёт", "сделк"}, 'O': {"order"}, 'I': {"invoice"}, 'D': {"deal"},
}

// defaultMentions is what the default pattern finds. It is tried only where one
// of its words begins: over the whole text it costs as much as reading the
// letter.
func defaultMentions(text string) (out [][]string) {
	before, from := ' ', 0 // the character before, and where the next mention may begin
	for i, r := range text {
		if i >= from && !unicode.IsLetter(before) && (before < '0' || before > '9') && len(out) < maxDealMentions {
			for _, stem := range dealStems[r] {
				if len(text)-i < len(stem) || !strings.EqualFold(text[i:i+len(stem)], stem) {
					continue
				}
				if m := dealAt.FindStringSubmatch(clipText(text[i:], maxDealMention)); m != nil {
					out, from = append(out, m), i+len(m[0])+1 // a character parts it from the next
				}
				break
			}
		}
		before = r
	}
	return out
}

// DealNumbers are the numbers that a text mentions, each once, in its order.
func DealNumbers(pattern *regexp.Regexp, text string) (out []string) {
	if pattern == nil {
		pattern = defaultDealPattern
	}
	text = clipText(text, maxDealText)
	var mentions [][]string
	if pattern == defaultDealPattern {
		mentions = defaultMentions(text)
	} else {
		mentions = pattern.FindAllStringSubmatch(text, maxDealMentions)
	}
	for _, m := range mentions {
		if n := strings.Trim(m[1], " \t\n-/."); n != "" && len(n) <= 100 && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}
