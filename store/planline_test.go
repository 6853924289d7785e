package store

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestReadPlanLine(t *testing.T) {
	moscow, err := time.LoadLocation("Europe/Moscow")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC) // Tuesday noon in Moscow
	for text, want := range map[string]string{
		"звонок Ромашка завтра 10:00 !":           "звонок Ромашка | 11-25 10:00+30 !",
		"call Acme tomorrow 10:00 !":              "call Acme | 11-25 10:00+30 !",
		"call Acme tomorrow at 3pm":               "call Acme | 11-25 15:00+30",
		"10:00-11:30 послезавтра встреча Ромашка": "встреча Ромашка | 11-26 10:00+90",
		"встреча пн с 10 до 12, обсудить договор": "встреча обсудить договор | 11-30 10:00+120",
		"meeting friday 14:00 for 45 min offer":   "meeting offer | 11-27 14:00+45",
		"визит 25.12 11:00 на час":                "визит | 12-25 11:00+60",
		"визит 25 декабря в 9 на полчаса":         "визит | 12-25 09:00+30",
		"письмо Ромашка +3д":                      "письмо Ромашка | 11-27",
		"звонок через 3 дня в 11:00":              "звонок | 11-27 11:00+30",
		"звонок Ромашка сегодня":                  "звонок Ромашка | 11-24",
		"call Acme today 18:00":                   "call Acme | 11-24 18:00+30",
		"call +30m Acme":                          "call Acme | 11-24 12:30+30",
		"отчёт на следующей неделе":               "отчёт | 11-30",
		"во вторник звонок!":                      "звонок | 12-01 !",
		"завтра на 2 часа инвентаризация":         "инвентаризация | 11-25",
		"звонок завтра 23:30 на 2 ч":              "звонок | 11-25 23:30+120",
		"Call Acme on Dec 5":                      "Call Acme | 12-05",

		// What a person must look at.
		"звонок Ромашка":             "звонок Ромашка | ?",
		"звонок Ромашка 10:00":       "звонок Ромашка | 11-25 10:00+30 ?",
		"завтра или послезавтра":     "или послезавтра | 11-25 ?",
		"звонок сегодня 9:00":        "звонок | 11-24 09:00+30 ?",
		"встреча завтра 12:00-11:00": "встреча | 11-25 12:00+30 ?",
		"!":                           " | ! ?",
		"":                            " | ?",
		"обсудить 5 магазинов":        "обсудить 5 магазинов | ?",
		"month report for the client": "month report for the client | ?",
		"отчёт на неделю":             "отчёт на неделю | ?",
		"версия 31.02 завтра":         "версия 31.02 | 11-25",
		"10-12 штук завтра":           "10-12 штук | 11-25",
		"перенести склад завтра": "перенести склад | 11-25",
		"25:61 завтра":           "25:61 | 11-25",
	} {
		p := readPlanLine(text, now, moscow)
		got := strings.Join(p.words, " ") + " |"
		if p.when.AllDay {
			got += " " + string(p.when.First[5:])
		} else if !p.when.IsZero() {
			got += p.when.Start.In(moscow).Format(" 01-02 15:04") + fmt.Sprintf("+%d", int(p.when.End.Sub(p.when.Start).Minutes()))
		}
		if p.high {
			got += " !"
		}
		if p.unsure {
			got += " ?"
		}
		if got != want {
			t.Errorf("%q:\n got %s\nwant %s", text, got, want)
		}
	}
}

// Whatever is typed is read in time, and nothing of it gets lost but times,
// marks and spaces.
func FuzzReadPlanLine(f *testing.F) {
	f.Add("звонок Ромашка завтра 10:00-11:30 !")
	f.Add("+999999999d 99:99 на 999 ч")
	f.Add(strings.Repeat("! завтра ", 300))
	now := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		p := readPlanLine(text, now, time.UTC)
		if len(p.words) > maxPlanWords || p.when.End.Before(p.when.Start) {
			t.Errorf("%q: %+v", text, p)
		}
		for _, w := range p.words {
			if !strings.Contains(clean(text), w) {
				t.Errorf("%q: %q was not there", text, w)
			}
		}
	})
}

func TestPlanSubject(t *testing.T) {
	for _, c := range []struct {
		line, core, want string
	}{
		{"звонок Ромашка", "ромашка", ""},
		{"звонок ООО «Ромашка» про договор", "ромашка", "про договор"},
		{"обсудить с Ромашка договор", "ромашка", "обсудить договор"},
		{"call with Acme Ltd about the offer", "acme", "about the offer"},
		{"договориться о звонке директору", "", "договориться о звонке директору"},
		{"Acme: offer - call", "acme", "offer"},
	} {
		words := strings.Fields(c.line)
		if c.core != "" {
			words = without(words, c.core)
		}
		if got := planSubject(words, KindIn(c.line)); got != c.want {
			t.Errorf("%q: %q, want %q", c.line, got, c.want)
		}
	}
}

func TestAlikeName(t *testing.T) {
	for _, c := range []struct {
		word, core string
		want       bool
	}{
		{"ромашке", "ромашка", true}, {"ромашкой", "ромашка", true}, {"acme", "acme trading", true}, {"северному", "северный ветер", false},
		{"договор", "договорной отдел", false}, {"дом", "дом", true}, {"дома", "домашний", false},
	} {
		if got := alikeName(c.core, c.word); got != c.want {
			t.Errorf("%q in %q: %v", c.word, c.core, got)
		}
	}
}
