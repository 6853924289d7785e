package exchange

import "strings"

// The words that people write for a value, by the value that the store knows.
var (
	importanceWords = words("high, normal or low", map[string][]string{
		"high":   {"высокая", "высокий", "важная", "важный", "vip"},
		"normal": {"обычная", "обычный", "средняя", "средний", "нормальная", "medium"},
		"low":    {"низкая", "низкий"},
	})
	roleWords = words("manager or head", map[string][]string{
		"manager": {"менеджер"},
		"head":    {"руководитель", "начальник", "начальник отдела", "руководитель отдела"},
	})
	stageWords = words("potential, one-off, regular or lost", map[string][]string{
		"potential": {"потенциальный", "потенциальная"},
		"one-off":   {"разовый", "разовая"},
		"regular":   {"постоянный", "постоянная"},
		"lost":      {"потерянный", "потерянная", "потерян", "утерянный"},
	})
	languageWords = words("ru or en", map[string][]string{
		"ru": {"russian", "русский", "ru-RU"},
		"en": {"english", "английский", "en-US", "en-GB"},
	})
	eventWords = words("shipment or payment", map[string][]string{
		"shipment": {"отгрузка", "поставка", "реализация"},
		"payment":  {"оплата", "платёж", "поступление"},
	})
	documentWords = words("invoice, shipment, payment or return", map[string][]string{
		"invoice": {"счёт", "счёт на оплату", "счёт на оплату покупателю"},
		"shipment": {"отгрузка", "реализация", "реализация товаров и услуг", "реализация товаров", "накладная",
			"расходная накладная", "отпуск товара", "УПД"},
		"payment": {"оплата", "платёж", "поступление", "поступление на расчётный счёт", "приходный кассовый ордер", "ПКО",
			"эквайринговая операция", "выплата безналичных денег", "выплата наличных денег"},
		"return": {"возврат", "возврат товара", "возврат товаров", "возврат товаров от покупателя", "возврат товаров от клиента"},
	})
	contactWords = words("letter, call, meeting, visit or other", map[string][]string{
		"letter":  {"письмо", "электронное письмо", "e-mail", "email"},
		"call":    {"звонок", "телефонный звонок", "телефон"},
		"meeting": {"встреча", "личная встреча", "переговоры"},
		"visit":   {"визит", "выезд"},
		"other":   {"прочее", "другое", "контакт"},
	})
	directionWords = words("in, out or none", map[string][]string{
		"in":   {"входящее", "входящий", "входящая"},
		"out":  {"исходящее", "исходящий", "исходящая"},
		"none": {"нет", "без направления"},
	})
	stateWords = words("planned, postponed, done or cancelled", map[string][]string{
		"planned":   {"запланировано", "запланирован", "план", "текущее", "текущий"},
		"postponed": {"отложено", "отложен", "отложена"},
		"done":      {"сделано", "выполнено", "завершено", "завершен", "завершена", "выполнен", "состоялось"},
		"cancelled": {"отменено", "отменен", "отменена", "canceled"},
	})
	yesWords = words("yes or no", map[string][]string{
		"yes": {"да", "true", "истина", "1", "+"},
		"no":  {"нет", "false", "ложь", "0", "-"},
	})
	currencyWords = words("a code like RUB", map[string][]string{
		"RUB": {"руб.", "рубль", "рубли", "рублей", "р.", "643", "RUR"},
		"USD": {"доллар", "доллар США", "доллары", "840"},
		"EUR": {"евро", "978"},
	})
)

// vocabulary is the words of one column.
type vocabulary struct {
	hint  string            // the values in English, for a fault
	value map[string]string // folded word → value
}

func words(hint string, all map[string][]string) vocabulary {
	v := vocabulary{hint, map[string]string{}}
	for value, others := range all {
		v.value[foldWord(value)] = value
		for _, word := range others {
			v.value[foldWord(word)] = value
		}
	}
	return v
}

// foldWord folds a value as fold does a column's name; a sign alone is kept.
func foldWord(s string) string {
	if folded := fold(s); folded != "" {
		return folded
	}
	return strings.TrimSpace(s)
}
