package store

// Language is what a person reads: Russian or English.
type Language string

const (
	Russian Language = "ru"
	English Language = "en"
)

// words are the terms of rules.md section 1 as people read them, {ru, en}.
var words = map[string][2]string{
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

// Word gives a term of rules.md in a language; an unknown key gives the key,
// so that a gap is seen rather than blank.
func Word(lang Language, key string) string {
	w, ok := words[key]
	if !ok {
		return key
	}
	if lang == Russian {
		return w[0]
	}
	return w[1]
}

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
