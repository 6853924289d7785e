package store_test

import (
	"encoding/json"
	"net/url"
	"testing"

	"intouch/store"
)

// TestMentions: somebody is found as programs and people write them, and
// nobody else is.
func TestMentions(t *testing.T) {
	names, emails, phones := []string{"Фёкла Жужелицына", `Пётр "Вано" О’Брайен`, "Андрей Бойко & Ко", "Сергеи\u0306 Бое\u0308в"}, []string{"fekla@romashka.test"}, []string{"+7 916 555-33-10"}
	quoted := func(s string) string {
		b, _ := json.Marshal(s)
		return string(b)
	}
	for text, want := range map[string]string{
		"от Фекла  Жужелицына, да":                               "от X, да",
		"ФЁКЛА ЖУЖЕЛИЦЫНА":                                       "X",
		"Жужелицына, Фёкла":                                      "X",
		`N:Жужелицына\, Фёкла;;`:                                 `N:X;;`,
		`DESCRIPTION:Кто:\nФёкла Жужелицына\nвсё`:                `DESCRIPTION:Кто:\nX\nвсё`,
		`SUMMARY:Фёкла\nЖужелицына`:                              `SUMMARY:X`,
		"SUMMARY:Фёкла Жуже\r\n лицына":                          "SUMMARY:X",
		"Фе\u0308кла Жужелицына":                                 "X",
		"пишет Сергей Боёв":                                      "пишет X",
		"Андреи\u0306 Боико":                                     "Андреи\u0306 Боико",
		quoted("пишет\nfekla@romashka.test"):                     quoted("пишет\nX"),
		quoted("Ф <fekla@romashka.test>"):                        quoted("Ф <X>"),
		quoted("\tФёкла Жужелицына\"\nx"):                        quoted("\tX\"\nx"),
		quoted(`и Пётр "Вано" О'Брайен.`):                        quoted(`и X.`),
		quoted("Андрей Бойко & Ко"):                              quoted("X"),
		"q=" + url.QueryEscape("Фёкла Жужелицына") + "&client=4": "q=X&client=4",
		"/dav/fekla%40romashka.test.vcf":                         "/dav/X.vcf",
		"пишите: fekla@romashka.test.":                           "пишите: X.",
		"fekla@romashka.test fekla@romashka.test":                "X X",
		"тел. 8 (916) 555-33-10, +79165553310":                   "тел. X, X",
		"+7\u00a0916\u00a0555\u00a033\u00a010":                   "X",
		// others
		"Фёкла Жужелицына-Белая и Фёкла": "X-Белая и Фёкла",
		"afekla@romashka.test":   "afekla@romashka.test",
		"fekla@romashka.test.ru": "fekla@romashka.test.ru",
		"fekla@romashka.testing": "fekla@romashka.testing",
		"179165553310":           "179165553310",
		"ПодФёкла Жужелицына":    "ПодФёкла Жужелицына",
		"":                       "",
	} {
		got, found := store.Forgotten(names, emails, phones, text)
		if got != want || found != (want != text) {
			t.Errorf("%q:\n got %q, found %v\nwant %q", text, got, found, want)
		}
		if json.Valid([]byte(text)) && !json.Valid([]byte(got)) {
			t.Errorf("%q is JSON no more: %q", text, got)
		}
	}
}

// FuzzMentions: the quick look passes over no text that the slow one finds.
func FuzzMentions(f *testing.F) {
	f.Add("Фёкла Жужелицына", "fekla@romashka.test", "+7 916 555-33-10", "от ФЕКЛА\nЖужелицына <Fekla@romashka.TEST> 8 (916) 555-33-10")
	f.Add("ſK Å-é", "ſ@K.test", "+49 30 1234567", "SK å-é sk@k.test 49301234567")
	f.Add("Ё", "a@b.test", "", "%D1%91 a%40b.test")
	f.Fuzz(func(t *testing.T, name, email, phone, text string) {
		if store.MissedHint([]string{name}, []string{email}, []string{phone}, text) || store.MissedHint([]string{text}, []string{text}, []string{text}, name+" "+email+" "+phone) {
			t.Errorf("missed in %q", text)
		}
	})
}
