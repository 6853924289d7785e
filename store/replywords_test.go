package store

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// understood writes what a reply was understood as: "1 done, 2 move +2d; ? text".
func understood(text string, targets []AnswerTarget, now time.Time, loc *time.Location) string {
	acts, unclear := ReadReply(text, targets, now, loc)
	var out []string
	for _, a := range acts {
		s := fmt.Sprintf("%d %s", a.No, a.Verb)
		for _, part := range []string{string(a.Snooze), string(a.Day), a.Clock, strings.ReplaceAll(a.Text, "\n", "|")} {
			if part != "" {
				s += " " + part
			}
		}
		out = append(out, s)
	}
	for _, u := range unclear {
		out = append(out, "? "+u)
	}
	return strings.Join(out, "; ")
}

func TestReadReply(t *testing.T) {
	moscow, err := time.LoadLocation("Europe/Moscow")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 23, 21, 30, 0, 0, time.UTC) // Tuesday the 24th in Moscow
	one := []AnswerTarget{{Item: ItemKey{ID: 1}}}
	many := []AnswerTarget{{Item: ItemKey{ID: 1}}, {Item: ItemKey{ID: 2}}, {Item: ItemKey{Event: true, ID: 3}}, {Sender: "new@client.test"}}
	for text, want := range map[string]string{
		"done": "1 done", "Готово!": "1 done", "готово, спасибо": "1 done", "Сделано.": "1 done", "отмена": "1 cancel", "Cancel": "1 cancel",
		"+2d": "1 move +2d", "+30m": "1 move +30m", "+1w": "1 move +1w", "+3d": "1 move +3d", "+2 дня": "1 move +2d", "через 2 дня": "1 move +2d", "через неделю": "1 move +1w",
		"in an hour": "1 move +1h", "через час": "1 move +1h", "in 20 minutes": "1 move +20m", "in 5 min": "1 move 2026-11-24 00:35", "на неделю": "1 move +1w", "by 2 weeks": "1 move +2w",
		"завтра": "1 move tomorrow", "завтра 10:00": "1 move tomorrow 10:00", "завтра в 9:30": "1 move tomorrow 09:30", "tomorrow at 10:00": "1 move tomorrow 10:00", "завтра в 10": "1 move tomorrow 10:00",
		"перенести на завтра": "1 move tomorrow", "move to 10:00": "1 move 10:00", "10:00": "1 move 10:00", "в 18:15": "1 move 18:15", "послезавтра": "1 move 2026-11-26", "сегодня 15:00": "1 move 2026-11-24 15:00",
		"понедельник": "1 move monday", "в пятницу в 11:00": "1 move 2026-11-27 11:00", "вторник": "1 move 2026-12-01", "Tuesday": "1 move 2026-12-01", "next month": "1 move month", "на начало месяца": "1 move month",
		"25.11": "1 move 2026-11-25", "25.11 10:00": "1 move 2026-11-25 10:00", "1.2.2027": "1 move 2027-02-01", "2026-12-01": "1 move 2026-12-01", "25 ноября": "1 move 2026-11-25", "May 3": "1 move 2027-05-03", "3 мая в 12:00": "1 move 2027-05-03 12:00", "23.11": "1 move 2027-11-23",
		"31.02": "1 note 31.02", "+0d": "1 note +0d", "+13m": "1 note +13m",
		"Client wants a discount":       "1 note Client wants a discount",
		"Просит скидку.\n\nИ доставку.": "1 note Просит скидку.||И доставку.",
		"done\nОни согласны":            "1 done; 1 note Они согласны",
		"источник: Выставка":            "1 source Выставка",
		"lead source is Expo":           "1 source Expo",
		"Клиент просил перезвонить":     "1 note Клиент просил перезвонить",
		"": "? ", "спасибо": "1 note спасибо",
	} {
		if got := understood(text, one, now, moscow); got != want {
			t.Errorf("%q is read as %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]string{
		"1 done, 3 +2d": "1 done; 3 move +2d", "2: завтра": "2 move tomorrow", "2:завтра": "2 move tomorrow", "1. готово\n2) +1w\n3 - отмена": "1 done; 2 move +1w; 3 cancel",
		"1, 2 done": "1 done; 2 done", "1-3 готово": "1 done; 2 done; 3 done", "1 и 3 завтра 10:00": "1 move tomorrow 10:00; 3 move tomorrow 10:00", "1 2 done": "1 done; 2 done",
		"done": "? done", "9 done": "? 9 done", "2: ждёт счёт": "2 note ждёт счёт", "2 ждёт счёт\nи акт": "2 note ждёт счёт|и акт", "1 done\nа что с ним?": "1 done; ? а что с ним?",
		"4 client Ромашка": "4 client Ромашка", "4 клиент": "4 client", "4 не клиент": "4 cancel", "4 просто текст": "? просто текст", "4 done": "? done",
		"Добрый день!\n1 done\nСпасибо": "1 done", "1 done; 2 tomorrow, 3 25.11": "1 done; 2 move tomorrow; 3 move 2026-11-25", "0 done": "? 0 done", "1-99 done": "? 1-99 done",
	} {
		if got := understood(text, many, now, moscow); got != want {
			t.Errorf("of four, %q is read as %q, want %q", text, got, want)
		}
	}
	if got := understood("all done", many[:3], now, moscow); got != "1 done; 2 done; 3 done" {
		t.Errorf("all of three: %q", got)
	}
}

// Whatever is typed is read within bounds, and nothing names an item that is
// not in the mail.
func FuzzReadReply(f *testing.F) {
	f.Add("1 done, 3 +2d")
	f.Add("2: завтра\n10:00\n31.02.2026 25:00")
	f.Fuzz(func(t *testing.T, text string) {
		targets := []AnswerTarget{{Item: ItemKey{ID: 1}}, {Sender: "a@b.test"}}
		acts, unclear := ReadReply(text, targets, time.Date(2026, 2, 28, 12, 0, 0, 0, time.UTC), time.UTC)
		if len(acts) > maxReplyActs || len(unclear) > maxReplyLines {
			t.Fatalf("%d acts, %d unclear", len(acts), len(unclear))
		}
		for _, a := range acts {
			if a.No < 1 || a.No > len(targets) {
				t.Fatalf("act on %d", a.No)
			}
			if a.Verb == AnswerMove {
				if _, ok := a.moved(Span{}, time.Date(2026, 2, 28, 12, 0, 0, 0, time.UTC), time.UTC); !ok && a.Snooze == "" {
					t.Fatalf("%+v cannot be done", a)
				}
			}
		}
	})
}
