package store

import (
	"fmt"
	"time"
)

// Language is what a person reads: Russian or English.
type Language string

const (
	Russian Language = "ru"
	English Language = "en"
)

// words are the terms of rules.md section 1 as people read them, {ru, en}.
var words = Texts{
	"status.overdue":            {"Просрочено", "Overdue"},
	"status.current":            {"Текущие", "Current"},
	"status.postponed":          {"Отложено", "Postponed"},
	"status.done":               {"Сделано", "Done"},
	"status.cancelled":          {"Отменено", "Cancelled"},
	"todo":                      {"Задачи", "To do"},
	"kind.letter":               {"Письмо", "Letter"},
	"kind.call":                 {"Звонок", "Call"},
	"kind.meeting":              {"Встреча", "Meeting"},
	"kind.visit":                {"Визит", "Visit"},
	"kind.other":                {"Контакт", "Contact"},
	"type.contact":              {"Контакт", "Contact"},
	"type.shipment":             {"Отгрузка", "Shipment"},
	"type.payment":              {"Оплата", "Payment"},
	"importance.high":           {"Высокая", "High"},
	"importance.normal":         {"Обычная", "Normal"},
	"importance.low":            {"Низкая", "Low"},
	"stage.potential":           {"потенциальный", "potential"},
	"stage.one-off":             {"разовый", "one-off"},
	"stage.regular":             {"постоянный", "regular"},
	"stage.lost":                {"потерянный", "lost"},
	"direction.in":              {"входящее", "incoming"},
	"direction.out":             {"исходящее", "outgoing"},
	"client":                    {"Клиент", "Client"},
	"person":                    {"Контактное лицо", "Person"},
	"manager":                   {"Менеджер", "Manager"},
	"deal":                      {"Сделка", "Deal"},
	"order":                     {"Заказ", "Order"},
	"document.invoice":          {"Счёт", "Invoice"},
	"document.shipment":         {"Отгрузка", "Shipment"},
	"document.payment":          {"Оплата", "Payment"},
	"document.return":           {"Возврат", "Return"},
	"reason.internal":           {"внутреннее", "internal"},
	"reason.blocked":            {"исключено", "blocked"},
	"reason.automatic":          {"автоматическое", "automatic"},
	"reason.unknown":            {"неизвестный отправитель", "unknown sender"},
	"sign.accepted":             {"Приглашение принято", "Invitation accepted"},
	"sign.declined":             {"Приглашение отклонено", "Invitation declined"},
	"sign.tentative":            {"Приглашение принято под вопросом", "Invitation accepted tentatively"},
	"sign.bounced":              {"Не доставлено", "Not delivered"},
	"sign.delayed":              {"Доставка задерживается", "Delivery is delayed"},
	"sign.occurrence_moved":     {"Перенесена одна встреча:", "One meeting was moved:"},
	"sign.occurrence_cancelled": {"Отменена одна встреча:", "One meeting was cancelled:"},
	"last contacts":             {"Последние контакты", "Last contacts"},
	"amount":                    {"Сумма", "Amount"},
	"balance":                   {"Баланс", "Balance"},
	"left to ship":              {"Осталось отгрузить", "Left to ship"},
	"left to pay":               {"Осталось оплатить", "Left to pay"},
	"due":                       {"Срок", "Due"},
	"moved from":                {"перенесено с", "moved from"},
	"unknown":                   {"неизвестно", "unknown"},
	"importance":                {"Важность", "Importance"},
}

// Texts are texts that people read, by their key: {Russian, English}.
type Texts map[string][2]string

// Say is a text in a language, with arguments as of fmt.Sprintf where there
// are any. An unknown key gives the key, so that a gap is seen rather than
// blank.
func (t Texts) Say(lang Language, key string, args ...any) string {
	w, ok := t[key]
	if !ok {
		return key
	}
	if len(args) == 0 {
		return w[lang.Index()]
	}
	return fmt.Sprintf(w[lang.Index()], args...)
}

// Index is the language's place in what is kept in both: 0 Russian, 1 English.
func (l Language) Index() int {
	if l == Russian {
		return 0
	}
	return 1
}

// Word gives a term of rules.md in a language.
func Word(lang Language, key string) string { return words.Say(lang, key) }

// Plural picks the form that goes with n: Russian one, few, many (1 сделка,
// 2 сделки, 5 сделок); English one, many (few is not used).
func Plural(lang Language, n int64, one, few, many string) string {
	if n < 0 {
		n = -n
	}
	if lang != Russian {
		if n == 1 {
			return one
		}
		return many
	}
	switch {
	case n%10 == 1 && n%100 != 11:
		return one
	case n%10 >= 2 && n%10 <= 4 && (n%100 < 12 || n%100 > 14):
		return few
	}
	return many
}

// monthNames stand alone; behind the number of a day Russian puts them in the
// genitive.
var (
	monthNames = [2][12]string{
		{"январь", "февраль", "март", "апрель", "май", "июнь", "июль", "август", "сентябрь", "октябрь", "ноябрь", "декабрь"},
		{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"},
	}
	monthsOfDays = [2][12]string{
		{"января", "февраля", "марта", "апреля", "мая", "июня", "июля", "августа", "сентября", "октября", "ноября", "декабря"},
		monthNames[1],
	}
)

// MonthName is a month by itself: "ноябрь", "November".
func MonthName(lang Language, m time.Month) string { return monthNames[lang.Index()][m-1] }

// MonthOfDay is a month behind the number of a day: "ноября", "November".
func MonthOfDay(lang Language, m time.Month) string { return monthsOfDays[lang.Index()][m-1] }
