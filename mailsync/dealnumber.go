package mailsync

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// DefaultDealPattern finds what a letter calls an order, a deal or a bill:
// «заказ № 1045», «Заказ клиента № ЦБ-0001045 от 12.11», «счёт на оплату №
// 1045», "order 1045", "order no. 1045/26". Between the word and the number may
// stand up to three words where a sign ("№", "#", "no.") follows them.
const DefaultDealPattern = `(?i)(?:^|[^\pL\d])(?:заказ|сч[её]т|сделк|order|invoice|deal)\pL*` +
	`(?:(?:\s+\pL+){0,3}\s*(?:№|#|no\b\.?|n°|номер\pL*|number)\s*[:#№]?|\s*:)?\s*` +
	`((?:\pL{1,4}-?)?\d[\d/-]{0,30})`

var defaultDealPattern = regexp.MustCompile(DefaultDealPattern)

// Bounds of what is looked through.
const (
	maxDealPattern  = 1000     // bytes of a pattern
	maxDealText     = 64 << 10 // bytes of a letter
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

// mentionsDeal reports whether a text has one of the default pattern's words:
// most have none, and the pattern costs as much as reading the letter.
func mentionsDeal(text string) bool {
	for i, r := range text {
		for _, stem := range dealStems[r] {
			if len(text)-i >= len(stem) && strings.EqualFold(text[i:i+len(stem)], stem) {
				return true
			}
		}
	}
	return false
}

// DealNumbers are the numbers that a text mentions, each once, in its order.
func DealNumbers(pattern *regexp.Regexp, text string) (out []string) {
	if pattern == nil {
		pattern = defaultDealPattern
	}
	if pattern == defaultDealPattern && !mentionsDeal(text) {
		return nil
	}
	for _, m := range pattern.FindAllStringSubmatch(clipText(text, maxDealText), maxDealMentions) {
		if n := strings.Trim(m[1], " \t\n-/."); n != "" && len(n) <= 100 && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}
