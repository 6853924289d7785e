package mailsync

import (
	"testing"
	"time"
)

func TestAwayUntil(t *testing.T) {
	at := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	for _, c := range []struct{ subject, text, want string }{
		{"Automatic reply: Offer", "I am on vacation until 15 December 2026.", "2026-12-15"},
		{"", "I am out of the office until December 15th, 2026 with limited access to e-mail.", "2026-12-15"},
		{"", "I will be back on Monday, 14 December.", "2026-12-14"},
		{"", "I'll be back in the office on Dec. 7.", "2026-12-07"},
		{"", "I am away from 30 Nov to 4 Dec and will return on 7 December.", "2026-12-07"},
		{"", "Out of office through 2026-12-31", "2026-12-31"},
		{"", "Returning: 12/15/2026", "2026-12-15"},
		{"", "Returning: 15/12/2026", "2026-12-15"},
		{"", "Returning: 05/12/2026", ""}, // May or December
		{"", "I'm away till the 3rd of December", "2026-12-03"},
		{"Автоответ: Счёт", "Здравствуйте!\nЯ в отпуске до 15.12.2026.\nПо срочным вопросам: Иван, +7 495 000-00-00", "2026-12-15"},
		{"", "Нахожусь в отпуске по 15 декабря 2026 г. включительно.", "2026-12-15"},
		{"", "Буду 15 декабря.", "2026-12-15"},
		{"", "Меня не будет в офисе с 1 по 11 декабря, вернусь 14 декабря.", "2026-12-14"},
		{"", "С 01.12 по 11.12 отсутствую", "2026-12-11"},
		{"Отпуск 30.11 – 11.12", "Отвечу позже", "2026-12-11"},
		{"", "Вернусь на работу в понедельник, 30 ноября", "2026-11-30"},
		{"", "до\n15\nдекабря", "2026-12-15"},
		{"", "до 10 января", "2027-01-10"},           // the next one
		{"", "до 15.12.26", "2026-12-15"},            // short year
		{"", "until 25 November 2026", "2026-11-25"}, // today
		// Passed, too far, impossible, or no end of an absence.
		{"", "I was away until 20 November 2026.", ""},
		{"", "Back on 20 November", ""}, // without a year: past rather than in a year
		{"", "I am on leave until 15 December 2028.", ""},
		{"", "до 31.02.2027", ""},
		{"", "работаем с 9.00 до 18.00", ""},
		{"", "until further notice", ""},
		{"", "Выставка пройдёт 15 декабря 2026", ""},
		{"", "The offer of 15 December 2026 is attached.", ""},
		{"", "", ""},
	} {
		if got := string(AwayUntil(c.subject, c.text, at)); got != c.want {
			t.Errorf("%q %q: %q, want %q", c.subject, c.text, got, c.want)
		}
	}
}

func FuzzAwayUntil(f *testing.F) {
	f.Add("Automatic reply", "back on Monday, 14 December until 15.12.2026 – 20.12 / 1/2/2027")
	f.Add("Автоответ", "в отпуске до 15 декабря 2026 г., вернусь на работу 16-го")
	at := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, subject, text string) {
		got := AwayUntil(subject, text, at)
		if got == "" {
			return
		}
		d, err := time.Parse(time.DateOnly, string(got))
		if err != nil || d.Before(at.Truncate(24*time.Hour)) || d.After(at.AddDate(1, 0, 2)) {
			t.Errorf("%q", got)
		}
	})
}
