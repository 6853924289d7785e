package mailsync

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestDealNumbers(t *testing.T) {
	for text, want := range map[string][]string{
		"Re: заказ № 1045":                                  {"1045"},
		"По заказу №1045 вопрос":                            {"1045"},
		"Заказ клиента № ЦБ-0001045 от 12.11.2026":          {"ЦБ-0001045"},
		"Счёт на оплату № 7, счет № 8":                      {"7", "8"},
		"сделка 0000-001045.":                               {"0000-001045"},
		"СДЕЛКЕ: 1045":                                      {"1045"},
		"Your order 1045 has arrived":                       {"1045"},
		"order no. 1045/26; Order #1046, ORDER NUMBER 1047": {"1045/26", "1046", "1047"},
		"invoice: 12-": {"12"},
		"заказ 1045 и ещё раз заказ 1045": {"1045"},
		"(deal 5)":           {"5"},
		"reorder 5":          nil,
		"предзаказ 5":        nil,
		"телефон 1045":       nil,
		"заказ будет завтра": nil,
		"in order to 5":      nil,
		"":                   nil,
	} {
		if got := DealNumbers(nil, text); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got := DealNumbers(regexp.MustCompile(`PO(\d+)`), "PO7, order 8"); !slices.Equal(got, []string{"7"}) {
		t.Errorf("a pattern of the settings: %q", got)
	}
	if got := DealNumbers(nil, strings.Repeat("заказ 1045, order 77 ", 100_000)); len(got) != 2 {
		t.Errorf("a long text: %q", got)
	}
}

// The default pattern is not run over the whole text, but finds the same.
func TestDealNumbersLikePattern(t *testing.T) {
	pieces := []string{"заказ", "Заказ ", "счёт", "СЧЕТ ", "order", "Order ", "deal", " ", "\n", "№", "#", "no. ", "1045", "7/", "-", "ЦБ-", "на оплату ", "x", "5", "(", "é"}
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		var text strings.Builder
		for range r.IntN(12) {
			text.WriteString(pieces[r.IntN(len(pieces))])
		}
		want := defaultDealPattern.FindAllStringSubmatch(text.String(), maxDealMentions)
		got := defaultMentions(text.String())
		if !slices.EqualFunc(got, want, func(a, b []string) bool { return a[1] == b[1] }) {
			t.Fatalf("%q: %q, want %q", text.String(), got, want)
		}
	}
}

func TestCompileDealPattern(t *testing.T) {
	for pattern, want := range map[string]string{"": "", `№(\d+)`: "", `№\d+`: "has 0 groups", `(a)(b)`: "has 2 groups", `(`: "missing closing", strings.Repeat("a", 1001): "longer"} {
		re, err := CompileDealPattern(pattern)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) || (re == nil) != (err != nil) {
			t.Errorf("%q: %v", pattern, err)
		}
	}
}

func FuzzDealNumbers(f *testing.F) {
	f.Add("Заказ клиента № ЦБ-0001045, order no. 1045/26, счёт на оплату № 7")
	f.Fuzz(func(t *testing.T, s string) {
		for _, n := range DealNumbers(nil, s) {
			if n == "" || len(n) > 100 {
				t.Errorf("%q", n)
			}
		}
	})
}
