package caldav

import (
	"fmt"
	"time"

	"intouch/store"
)

// What people read in calendar entries, beside the words of store.Word.

// phrases are {ru, en}.
var phrases = map[string][2]string{
	"order":        {"заказ № %s", "order No. %s"},
	"deal":         {"Заказ № %s", "Order No. %s"},
	"deal of":      {"Заказ № %s от %s", "Order No. %s of %s"},
	"class":        {"класс %s", "class %s"},
	"importance":   {"важность: %s", "importance: %s"},
	"ordered":      {"Заказано", "Ordered"},
	"shipped":      {"Отгружено", "Shipped"},
	"to pay":       {"К оплате", "To pay"},
	"paid":         {"Оплачено", "Paid"},
	"prepayment":   {"Предоплата: требуется %s, получено %s", "Prepayment: %s demanded, %s received"},
	"debt":         {"Долг по сделке: %s", "Debt of the deal: %s"},
	"permitted":    {"из него срок ещё не наступил: %s", "of it not yet due: %s"},
	"overdue":      {"из него просрочено: %s (срок был %s)", "of it overdue: %s (was due %s)"},
	"moved from":   {"Перенесено с %s", "Moved from %s"},
	"partly":       {"Выполнено частично: %s из %s", "Partly done: %s of %s"},
	"unknown":      {"Учётная система не сообщает, состоялось ли это", "The accounting system does not say whether this has happened"},
	"away until":   {"отсутствует до %s", "away until %s"},
	"busy":         {"Занято", "Busy"},
	"bounced":      {"почта возвращается", "mail comes back"},
	"book all":     {"Контактные лица всех клиентов", "All clients: persons"},
	"book persons": {"Контактные лица моих клиентов", "My clients: persons"},
	"last contact": {"Последний контакт: %s", "Last contact: %s"},
	"next contact": {"Следующий контакт: %s", "Next contact: %s"},
	"stage":        {"Стадия: %s", "Stage: %s"},
	"potential":    {"потенциальный", "potential"},
	"one-off":      {"разовый", "one-off"},
	"regular":      {"постоянный", "regular"},
	"lost":         {"потерянный", "lost"},
	"more people":  {"и ещё %d", "and %d more"},
}

func phrase(lang store.Language, key string, args ...any) string {
	p := phrases[key][1]
	if lang == store.Russian {
		p = phrases[key][0]
	}
	if len(args) == 0 {
		return p
	}
	return fmt.Sprintf(p, args...)
}

// dayText is a day as people write it: 12.11.2026, 12 Nov 2026.
func dayText(lang store.Language, d store.Date) string {
	t, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return string(d)
	}
	if lang == store.Russian {
		return t.Format("02.01.2006")
	}
	return t.Format("2 Jan 2006")
}
