package report

import (
	"fmt"
	"strings"
	"time"

	"intouch/store"
)

// texts are what people read in reports, {ru, en}. The words of rules.md are
// in store.Word.
var texts = store.Texts{
	"title.contacts":   {"Отчёт по контактам", "Contacts"},
	"title.open-deals": {"Текущие сделки", "Current deals"},
	"title.calendar":   {"Календарь пользователя", "User calendar"},

	"about.records":        {"Записи за этими числами", "The records behind the figures"},
	"title.managers":       {"Показатели менеджеров", "Managers' performance"},
	"title.sources":        {"Контакты и источники обращений", "Contacts and lead sources"},
	"title.classification": {"Классификация клиентов", "Classification of clients"},

	"change":        {"изменение", "change"},
	"change %":      {"изменение, %", "change, %"},
	"team average":  {"В среднем по отделу", "Average of the team"},
	"no rate":       {"Нет курса %s: суммы в этой валюте не пересчитаны в %s и не сложены с другими.", "There is no rate of %s: sums in it are not converted into %s and not added to others."},
	"working hours": {"Время ответа — в рабочих часах менеджера; у кого нет своих, в рабочие дни %s.", "Response times are in the manager's working hours; who has none of their own works %s on working days."},

	"by.unregistered":   {"Кто не клиент", "Not a client"},
	"none.unregistered": {"(без имени)", "(no name)"},
	"about.behind":      {"Записи за показателем «%s»", "The records behind the figure: %s"},
	"column.wait":       {"Ответ через", "Answered after"},
	"column.answered":   {"Ответили", "Answered"},
	"column.expected":   {"Ожидалась", "Expected on"},
	"column.begins":     {"Начало", "Begin"},
	"column.ends":       {"Конец", "End"},
	"column.whole cost": {"Затраты всего", "Whole cost"},
	"column.called on":  {"Первый звонок", "First call"},

	"by.campaign":       {"Кампания", "Campaign"},
	"none.campaign":     {"(без кампании)", "(no campaign)"},
	"source expires":    {"Источник действует %s.", "A source is valid for %s."},
	"around calls":      {"Продажи за %s до первого звонка и после него", "Sales in the %s before the first call and after it"},
	"called true":       {"Звонили", "Called"},
	"called false":      {"Не звонили", "Not called"},
	"column.called":     {"Звонили", "Called"},
	"column.not called": {"Не звонили", "Not called"},
	"not called":        {"Для тех, кому не звонили, вместо звонка взята середина всех звонков: %s. День самого звонка не считается.", "For those who were not called the middle of all calls, %s, takes the call's place. The day of the call itself does not count."},

	"column.contacts in":      {"Входящие контакты", "Contacts in"},
	"column.first contacts":   {"Первые контакты", "First contacts"},
	"column.clients won":      {"Новые покупатели", "Clients won"},
	"column.campaign cost":    {"Затраты", "Campaign cost"},
	"column.profit less cost": {"Прибыль за вычетом затрат", "Profit less cost"},
	"column.return":           {"Отдача, %", "Return on cost, %"},
	"column.revenue before":   {"Выручка до", "Revenue before"},
	"column.revenue after":    {"Выручка после", "Revenue after"},
	"column.growth":           {"Рост, %", "Growth, %"},

	"by.abc":          {"ABC", "ABC"},
	"by.xyz":          {"XYZ", "XYZ"},
	"by.stage":        {"Стадия", "Stage"},
	"by.relation":     {"Отношения", "Relationship"},
	"none.abc":        {"(без класса)", "(no class)"},
	"none.xyz":        {"(не постоянный)", "(not regular)"},
	"stage.potential": {"потенциальный", "potential"},
	"stage.one-off":   {"разовый", "one-off"},
	"stage.regular":   {"постоянный", "regular"},
	"stage.lost":      {"потерянный", "lost"},
	"not classified":  {"Клиенты к этому дню ещё не классифицированы.", "Clients had not been classified by that day."},
	"not over":        {"Для звонков после %s срок ещё не прошёл: продаж после них видно не всё.", "For calls after %s the time is not over: not all sales after them can be seen."},

	"column.clients %": {"Клиенты, %", "Clients, %"},
	"column.stood":     {"Было", "Was"},
	"column.stands":    {"Стало", "Is"},

	"column.clients":         {"Клиенты", "Clients"},
	"column.client data":     {"Данные клиентов, %", "Client data, %"},
	"column.person data":     {"Данные лиц, %", "Person data, %"},
	"column.letter in":       {"Письма входящие", "Letters in"},
	"column.letter out":      {"Письма исходящие", "Letters out"},
	"column.call":            {"Звонки", "Calls"},
	"column.meeting":         {"Встречи", "Meetings"},
	"column.visit":           {"Визиты", "Visits"},
	"column.other":           {"Прочие контакты", "Other contacts"},
	"column.response median": {"Ответ, медиана", "Response, median"},
	"column.response 90":     {"Ответ, 90 %", "Response, 90 %"},
	"column.unanswered":      {"Без ответа", "Unanswered"},
	"column.deals":           {"Сделки", "Deals"},
	"column.deal sum":        {"Сумма сделок", "Sum of deals"},
	"column.first deals":     {"Первые сделки", "First deals"},
	"column.average deal":    {"Средняя сделка", "Average deal"},
	"column.payments":        {"Оплаты", "Payments"},
	"column.payment sum":     {"Оплачено", "Paid"},
	"column.shipments":       {"Отгрузки", "Shipments"},
	"column.revenue":         {"Выручка", "Revenue"},
	"column.cost":            {"Себестоимость", "Cost"},
	"column.profit":          {"Прибыль", "Profit"},
	"column.margin":          {"Рентабельность, %", "Margin, %"},
	"column.debt":            {"Долг", "Debt"},
	"column.overdue debt":    {"Просроченный долг", "Overdue debt"},
	"column.overdue days":    {"Дней просрочки в среднем", "Mean days overdue"},
	"column.improved":        {"Улучшилось", "Improved"},
	"column.worsened":        {"Ухудшилось", "Worsened"},
	"column.unchanged":       {"Без изменений", "Unchanged"},
	"column.new":             {"Новые", "New"},

	"chart":                {"Диаграмма", "Chart"},
	"chart by":             {"%s по %s", "%s by %s"},
	"chart and":            {"%s и %s", "%s and %s"},
	"chart.revenue profit": {"Выручка и прибыль", "Revenue and profit"},
	"chart.return":         {"Отдача от затрат", "Return on cost"},
	"chart.around calls":   {"Продажи до и после звонков", "Sales before and after calls"},
	"chart.campaign":       {"кампаниям", "campaign"},
	"chart.client":         {"клиентам", "client"},
	"chart.importance":     {"важности", "importance"},
	"chart.state":          {"состоянию", "state"},
	"chart.status":         {"статусам", "status"},
	"chart.type":           {"видам событий", "event"},
	"chart.kind":           {"видам", "kind"},
	"chart.direction":      {"направлениям", "direction"},
	"chart.person":         {"контактным лицам", "person"},
	"chart.manager":        {"менеджерам", "manager"},
	"chart.source":         {"источникам обращений", "lead source"},
	"chart.abc":            {"классам ABC", "ABC class"},
	"chart.xyz":            {"классам XYZ", "XYZ class"},
	"chart.stage":          {"стадиям", "stage"},
	"chart.relation":       {"отношениям", "relationship"},
	"chart.day":            {"дням", "day"},
	"chart.week":           {"неделям", "week"},
	"chart.month":          {"месяцам", "month"},
	"chart begins":         {"Диаграмма начинается с: %s.", "The chart begins with: %s."},
	"chart currency":       {"На диаграмме только суммы в %s.", "The chart has sums in %s only."},
	"chart greatest":       {"На диаграмме самые большие: %s из %s.", "The chart has the greatest ones: %s of %s."},
	"chart others":         {"Остальные: %s.", "The others: %s."},

	"total":       {"Итого", "Total"},
	"nothing":     {"За этот период ничего нет.", "There is nothing in this period."},
	"unknown":     {"неизвестно", "unknown"},
	"more rows":   {"Показана только первая часть, ещё строк: %s. Все они — в файле (XLSX, CSV); итоги — по всем.", "Only the first part is shown; rows left out: %s. Files (XLSX, CSV) have all of them; totals are of all."},
	"only first":  {"Показаны первые %s из них; остальное — при более узком отборе.", "The first %s are shown; narrow the selection to see the others."},
	"indicator":   {"Показатель", "Indicator"},
	"grouped":     {"По: %s", "By: %s"},
	"more pages":  {"Здесь не все записи: остальные — на следующих страницах и в файле, поэтому нет и итога.", "Not all records are here: the others are on the next pages and in the file, so there is no total."},
	"shown first": {"Показаны первые %s строк из %s; остальные — на странице отчёта.", "The first %s rows of %s are shown; the others are on the page of the report."},
	"tax":         {"Налог неизвестен у %s из %s отгрузок и возвратов: они учтены в выручке целиком.", "Tax is unknown for %s of %s shipments and returns: they count as revenue in full."},
	"estimate":    {"~ — время с оценкой: время на письма никто не измеряет.", "~ is time with an estimate in it: nobody measures the time that letters take."},
	"one person":  {"Контакт с несколькими лицами считается у того из них, кто записан раньше.", "A contact with several persons is counted at the one of them who was registered first."},

	"column.contacts":    {"Контакты", "Contacts"},
	"column.minutes":     {"Время", "Time spent"},
	"column.contacts %":  {"Контакты, %", "Contacts, %"},
	"column.minutes %":   {"Время, %", "Time, %"},
	"column.previous":    {"Период до", "Period before"},
	"column.year before": {"Год назад", "A year before"},
	"column.when":        {"Когда", "When"},
	"column.subject":     {"Тема", "Subject"},
	"column.text":        {"Содержание", "Content"},

	"title.deal":          {"Анализ сделки № %s", "Deal %s"},
	"title.persons":       {"Контактные лица", "Persons"},
	"section.events":      {"События сделки", "Deal events"},
	"section.lines":       {"Товары и услуги", "Lines"},
	"section.documents":   {"Документы и баланс по ним", "Documents and the balance by them"},
	"section.contacts":    {"Контакты по сделке", "Contacts about the deal"},
	"section.others":      {"Другие текущие сделки клиента", "The client's other open deals"},
	"nothing at all":      {"Ничего не найдено.", "Nothing was found."},
	"not said":            {"Неизвестно — то, чего не сообщает учётная система; в итоги оно не входит.", "Unknown is what the accounting system does not say; the totals are without it."},
	"no due":              {"Когда долг станет просроченным, неизвестно: у сделки нет срока оплаты.", "When the debt becomes overdue is not known: the deal has no day of payment."},
	"no limit":            {"Допустимый долг — тот, срок оплаты которого ещё не наступил.", "Permitted debt is that whose day of payment has not come yet."},
	"deal no":             {"№\u00a0%s", "No.\u00a0%s"},
	"within":              {"не позже чем через %s", "in %s at most"},
	"bounced":             {"%s (не доставляется)", "%s (not delivered)"},
	"cancelled":           {"отменена", "cancelled"},
	"open":                {"текущая", "open"},
	"closed":              {"закрыта", "closed"},
	"column.items":        {"События", "Items"},
	"column.persons":      {"Лица", "Persons"},
	"column.date":         {"Дата", "Date"},
	"column.sum":          {"Сумма", "Sum"},
	"column.indicator":    {"Показатель", "Indicator"},
	"column.ordered":      {"Заказано", "Ordered"},
	"column.shipped":      {"Отгружено", "Shipped"},
	"column.left to ship": {"Осталось отгрузить", "Left to ship"},
	"column.to pay":       {"К оплате", "To pay"},
	"column.paid":         {"Оплачено", "Paid"},
	"column.left to pay":  {"Осталось оплатить", "Left to pay"},
	"column.demanded":     {"Предоплата: требуется", "Prepayment demanded"},
	"column.received":     {"Предоплата: получена", "Prepayment received"},
	"column.permitted":    {"в том числе допустимый", "of it permitted"},
	"column.overdue":      {"в том числе просроченный", "of it overdue"},
	"column.balance":      {"Баланс клиента", "The client's balance"},
	"column.deal balance": {"Баланс по сделке", "Balance of the deal"},
	"column.movement":     {"Движение долга", "Movement of debt"},
	"column.after":        {"Баланс после", "Balance after"},
	"column.next":         {"Следующее событие", "Next event"},
	"column.next day":     {"Его день", "Its day"},
	"column.moved from":   {"Перенесено с", "Moved from"},
	"column.covered":      {"Закрыто документами", "Covered by documents"},
	"column.time":         {"Время", "Time"},
	"column.document":     {"Документ", "Document"},
	"column.number":       {"Номер", "Number"},
	"column.item":         {"Товар или услуга", "Item"},
	"column.article":      {"Артикул", "Article"},
	"column.unit":         {"Ед.", "Unit"},
	"column.left":         {"Осталось", "Left"},
	"column.price":        {"Цена", "Price"},
	"column.position":     {"Должность", "Position"},
	"column.emails":       {"Эл. почта", "E-mail"},
	"column.phones":       {"Телефоны", "Phones"},
	"column.birthday":     {"День рождения", "Birthday"},
	"column.last":         {"Последний контакт", "Last contact"},
	"by.what":             {"Что", "What"},
	"by.before":           {"Без контактов с", "No contact since"},
	"by.since":            {"Контакт был с", "A contact since"},
	"by.text":             {"Имя, почта или клиент", "Name, address or client"},
	"by.born":             {"Месяц рождения", "Month of birth"},
	"by.birthday":         {"День рождения", "Birthday"},
	"none.stage":          {"(без стадии)", "(no stage)"},
	"none.status":         {"(ничего не запланировано)", "(nothing is planned)"},
	"none.type":           {"не запланировано", "none planned"},
	"none.day":            {"(без даты)", "(no date)"},

	"one deal":             {"Анализ сделки", "Deal analysis"},
	"about.calendar":       {"Запланированные контакты и события сделок", "Planned contacts and deal events"},
	"about.open-deals":     {"Что осталось отгрузить и оплатить, следующее событие", "What is left to ship and to pay, and the next event"},
	"about.deal":           {"Суммы, долг, события, товары, документы и контакты одной сделки", "Sums, debt, events, lines, documents and contacts of one deal"},
	"about.contacts":       {"Число, время и содержание контактов", "Number, time spent and content of contacts"},
	"about.sources":        {"Что дали источники обращений и кампании", "What came of lead sources and campaigns"},
	"about.managers":       {"Контакты, сделки, выручка, прибыль и долги по менеджерам", "Contacts, deals, revenue, profit and debt by manager"},
	"about.classification": {"ABC × XYZ и стадии с изменениями", "ABC × XYZ and stages, with changes"},
	"about.persons":        {"Любая выборка лиц: для звонков и рассылок", "Any selection of persons, for calls and mailings"},

	"period.today":        {"Сегодня", "Today"},
	"period.yesterday":    {"Вчера", "Yesterday"},
	"period.week":         {"Эта неделя", "This week"},
	"period.last-week":    {"Прошлая неделя", "Last week"},
	"period.month":        {"Этот месяц", "This month"},
	"period.last-month":   {"Прошлый месяц", "Last month"},
	"period.quarter":      {"Этот квартал", "This quarter"},
	"period.last-quarter": {"Прошлый квартал", "Last quarter"},
	"period.year":         {"Этот год", "This year"},
	"period.last-year":    {"Прошлый год", "Last year"},

	"option.relation":  {"Отношения", "Relationship"},
	"option.improved":  {"улучшились", "improved"},
	"option.worsened":  {"ухудшились", "worsened"},
	"option.unchanged": {"без изменений", "unchanged"},
	"option.new":       {"новые", "new"},
	"option.compare":   {"Сравнить с", "Compare with"},
	"option.relative":  {"Доли", "Relative values"},
	"option.yes":       {"показать", "show"},
	"option.no":        {"скрыть", "hide"},
	"option.expiry":    {"Источник действует, дней", "A source is valid for days"},
	"option.calls":     {"Дней до и после звонка", "Days before and after the call"},
	"option.previous":  {"периодом до", "the period before"},
	"option.year":      {"годом назад", "a year before"},
	"option.birthday":  {"День рождения в ближайшие дни", "Birthday within days"},
	"option.attribute": {"Признак клиента", "Attribute of the client"},

	"by.client":     {"Клиент", "Client"},
	"by.importance": {"Важность", "Importance"},
	"by.state":      {"Состояние", "State"},
	"by.status":     {"Статус", "Status"},
	"by.type":       {"Событие", "Event"},
	"by.kind":       {"Вид", "Kind"},
	"by.direction":  {"Направление", "Direction"},
	"by.counted":    {"Считается у лица", "Counted at person"},
	"none.counted":  {"(без лица)", "(no person)"},
	"by.person":     {"Контактное лицо", "Person"},
	"by.manager":    {"Менеджер", "Manager"},
	"by.source":     {"Источник обращения", "Lead source"},
	"by.deal":       {"Сделка", "Deal"},
	"by.day":        {"День", "Day"},
	"by.week":       {"Неделя", "Week"},
	"by.month":      {"Месяц", "Month"},

	"none.client":  {"(без клиента)", "(no client)"},
	"none.person":  {"(без лица)", "(no person)"},
	"none.manager": {"(без менеджера)", "(no manager)"},
	"none.source":  {"(источник неизвестен)", "(no lead source)"},
	"none.deal":    {"(без сделки)", "(no deal)"},
	"none.subject": {"(без темы)", "(no subject)"},

	"state.planned":   {"Запланирован", "Planned"},
	"state.postponed": {"Отложен", "Postponed"},
	"state.done":      {"Сделан", "Done"},
	"state.cancelled": {"Отменён", "Cancelled"},

	"direction.in":   {"Входящий", "In"},
	"direction.out":  {"Исходящий", "Out"},
	"direction.none": {"Без направления", "None"},

	"min":       {"%d мин", "%d min"},
	"hours":     {"%s ч", "%s h"},
	"hours min": {"%s ч %d мин", "%s h %d min"},
	"week of":   {"неделя с %s", "week of %s"},
}

// voice says figures and texts in a language.
type voice struct{ lang store.Language }

// t is a text of this file.
func (v voice) t(key string, args ...any) string { return texts.Say(v.lang, key, args...) }

func (r *run) t(key string, args ...any) string { return voice{r.lang}.t(key, args...) }

// number is a whole number with its thousands apart: "1 234 567", "1,234,567".
func (v voice) number(n int64) string {
	return store.Number(v.lang, n)
}

// percent is hundredths of a percent with two decimals: "12,34", "12.34".
func (v voice) percent(n int64) string {
	text := store.Money{Minor: n, Currency: "XXX"}.Plain()
	if v.lang == store.Russian {
		text = strings.ReplaceAll(text, ".", ",")
	}
	return strings.Replace(text, "-", "−", 1)
}

// dayCount is a number of days: "21 день", "5 дней", "1 day".
func (v voice) dayCount(n int) string {
	one, few, many := "day", "days", "days"
	if v.lang == store.Russian {
		one, few, many = "день", "дня", "дней"
	}
	return v.number(int64(n)) + "\u00a0" + store.Plural(v.lang, int64(n), one, few, many)
}

// minutes is a duration: "45 мин", "1 234 ч 5 мин".
func (v voice) minutes(n int64) string {
	switch {
	case n < 60:
		return v.t("min", n)
	case n%60 == 0:
		return v.t("hours", v.number(n/60))
	}
	return v.t("hours min", v.number(n/60), n%60)
}

// date is "23 ноября 2026", "23 November 2026".
func (v voice) date(d store.Date) string {
	t, err := time.Parse("2006-01-02", string(d))
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%d\u00a0%s\u00a0%d", t.Day(), store.MonthOfDay(v.lang, t.Month()), t.Year())
}

// month is "ноябрь 2026", "November 2026" of the day's month.
func (v voice) month(d store.Date) string {
	t, err := time.Parse("2006-01-02", string(d))
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%s\u00a0%d", store.MonthName(v.lang, t.Month()), t.Year())
}

// days is a period: one day, a month, or both ends.
func (v voice) days(p Period) string {
	switch {
	case p.From == p.To:
		return v.date(p.From)
	case p.months() == 1:
		return v.month(p.From)
	}
	return v.date(p.From) + " – " + v.date(p.To)
}

func (r *run) days(p Period) string { return voice{r.lang}.days(p) }

// moment is "23.11.2026 10:00", "23 Nov 2026 10:00" in loc.
func (v voice) moment(seconds int64, loc *time.Location) string {
	if seconds == 0 {
		return ""
	}
	layout := "2 Jan 2006 15:04"
	if v.lang == store.Russian {
		layout = "02.01.2006 15:04"
	}
	return time.Unix(seconds, 0).In(loc).Format(layout)
}

// shortDay is a day in a column: "23.11.2026", "23 Nov 2026".
func (v voice) shortDay(d string) string {
	t, err := time.Parse("2006-01-02", d)
	if err != nil {
		return d
	}
	if v.lang == store.Russian {
		return t.Format("02.01.2006")
	}
	return t.Format("2 Jan 2006")
}

// show writes a value of that type as people read it.
func (v voice) show(kind Type, value Value, loc *time.Location) string {
	text := ""
	switch {
	case value.Unknown && len(value.Sums) == 0:
		return v.t("unknown")
	case value.None:
		return ""
	case value.Said:
		return value.Text
	}
	switch kind {
	case Count:
		text = v.number(value.N)
	case Minutes:
		text = v.minutes(value.N)
	case Percent:
		text = v.percent(value.N)
	case Sum:
		if len(value.Sums) == 0 {
			return "0"
		}
		if len(value.Sums) == 1 && !value.Unknown {
			text = value.Sums[0].Format(v.lang)
			break
		}
		parts := make([]string, len(value.Sums))
		for i, m := range value.Sums {
			parts[i] = m.Format(v.lang)
		}
		if value.Unknown { // of some of the rows
			parts = append(parts, v.t("unknown"))
		}
		text = strings.Join(parts, " + ")
	case Day:
		text = v.shortDay(value.Text)
	case Moment:
		text = v.moment(value.N, loc)
	case Amount:
		text = value.Text
		if v.lang == store.Russian {
			text = strings.Replace(text, ".", ",", 1)
		}
	default:
		text = value.Text
	}
	if value.Estimated {
		text = "~" + text
	}
	return text
}
