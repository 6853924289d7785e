package exchange

import (
	"strings"
	"unicode"
)

// column is a column of a kind's files: its name as design.md section 3 fixes
// it, and what else people call it. Where two columns of a file could be the
// same one, the name that stands earlier here wins.
type column struct {
	name  string
	other []string
	list  bool // several values; columns that fit are joined
	ours  bool // of our exports, and not taken: the program finds it by itself
}

// Columns that several kinds share.
var (
	idColumn = column{name: "id", other: []string{"ид", "код", "идентификатор", "внешний код", "external id", "guid", "uid", "ссылка"}}

	emailsColumn = column{name: "emails", list: true, other: []string{"email", "e-mail", "mail", "почта", "электронная почта", "адрес электронной почты",
		"эл. почта", "эл. адрес", "имейл", "емейл", "e-mail адрес", "рабочая почта", "личная почта"}}
	phonesColumn = column{name: "phones", list: true, other: []string{"phone", "tel", "телефоны", "телефон", "тел.", "номер телефона", "мобильный", "мобильный телефон",
		"рабочий телефон", "сотовый", "сотовый телефон", "mobile", "mobile phone", "work phone"}}

	clientColumn = column{name: "client", other: []string{"client id", "код клиента", "код контрагента", "клиент", "контрагент", "покупатель", "заказчик",
		"компания", "организация", "customer", "company"}}
	managerColumn = column{name: "manager", other: []string{"менеджер", "ответственный", "ответственный менеджер", "основной менеджер", "owner", "responsible"}}
	sourceColumn  = column{name: "source", other: []string{"источник", "источник обращения", "источник контакта", "lead source"}}

	numberColumn   = column{name: "number", other: []string{"номер", "№ документа", "№ заказа", "no", "номер документа"}}
	dateColumn     = column{name: "date", other: []string{"дата", "дата документа", "дата заказа"}}
	amountColumn   = column{name: "amount", other: []string{"сумма", "сумма документа", "сумма заказа", "сумма с ндс", "всего", "total", "sum"}}
	currencyColumn = column{name: "currency", other: []string{"валюта", "валюта документа"}}
	costColumn     = column{name: "cost", other: []string{"себестоимость", "сумма себестоимости"}}
	kindColumn     = column{name: "kind", other: []string{"вид", "тип", "вид документа", "тип документа", "вид события", "событие", "type"}}
	dealColumn     = column{name: "deal", other: []string{"deal id", "код сделки", "код заказа", "сделка", "заказ", "заказ покупателя", "заказ клиента", "order"}}
)

// columnsOf are the columns of each kind that can be imported.
var columnsOf = map[Kind][]column{
	Managers: {
		idColumn,
		{name: "name", other: []string{"фио", "имя", "наименование", "менеджер", "сотрудник", "full name"}},
		{name: "email", list: true, other: append([]string{"emails"}, emailsColumn.other[1:]...)},
		{name: "login", other: []string{"логин", "имя пользователя", "пользователь", "username", "user"}},
		{name: "role", other: []string{"роль"}},
		{name: "time_zone", other: []string{"timezone", "часовой пояс", "зона"}},
		{name: "language", other: []string{"язык", "lang"}},
		{name: "work_hours", other: []string{"рабочие часы", "рабочее время", "working hours"}},
	},
	Rates: {
		with(dateColumn, "дата курса", "на дату"),
		with(currencyColumn, "код валюты", "букв. код", "буквенный код", "code"),
		{name: "rate", other: []string{"курс", "курс валюты", "курс цб", "value"}},
		{name: "per", other: []string{"номинал", "кратность", "единиц", "за единиц", "nominal", "units"}},
	},
	Clients: {
		with(idColumn, "client id", "код клиента", "код контрагента"),
		{name: "name", other: []string{"наименование", "название", "имя", "клиент", "контрагент", "покупатель", "компания", "организация", "краткое наименование",
			"рабочее наименование", "полное наименование", "company", "client"}},
		{name: "importance", other: []string{"важность", "важность клиента", "приоритет"}},
		managerColumn,
		{name: "domains", list: true, other: []string{"domain", "домены", "домен", "почтовый домен", "почтовые домены"}},
		emailsColumn,
		phonesColumn,
		sourceColumn,
		{name: "stage", other: []string{"стадия", "стадия отношений", "этап"}},
		{name: attributes, other: []string{"атрибуты"}},
	},
	Persons: {
		idColumn,
		clientColumn,
		{name: "name", other: []string{"фио", "контактное лицо", "наименование", "имя", "full name"}},
		{name: surname, other: []string{"last_name"}},
		{name: patronymic, other: []string{"middle_name"}},
		{name: "position", other: []string{"должность", "job title", "title"}},
		emailsColumn,
		phonesColumn,
		{name: "birthday", other: []string{"день рождения", "дата рождения", "birth date", "date of birth"}},
		{name: "bounced", list: true, ours: true}, // the mail says them anew
		{name: "away_until", ours: true},
	},
	Sources: {
		idColumn,
		{name: "name", other: []string{"наименование", "название", "источник", "источник обращения"}},
		{name: "campaign", other: []string{"кампания", "рекламная кампания"}},
		{name: "medium", other: []string{"канал", "вид рекламы", "носитель", "channel"}},
		{name: "from", other: []string{"с", "начало", "дата начала", "start"}},
		{name: "to", other: []string{"по", "до", "окончание", "дата окончания", "end"}},
		{name: "cost", other: []string{"стоимость", "затраты", "расходы", "бюджет", "сумма", "budget"}},
		currencyColumn,
	},
	Deals: {
		with(idColumn, "deal id", "код заказа", "код сделки"),
		numberColumn,
		dateColumn,
		clientColumn,
		managerColumn,
		amountColumn,
		currencyColumn,
		costColumn,
		{name: "ship_due", other: []string{"отгрузка до", "отгрузить до", "срок отгрузки", "дата отгрузки", "дата отгрузки план", "плановая дата отгрузки", "отгрузка"}},
		{name: "pay_due", other: []string{"оплата до", "оплатить до", "срок оплаты", "срок платежа", "дата оплаты", "дата оплаты план", "плановая дата оплаты", "оплата"}},
		{name: "status", other: []string{"статус", "статус заказа", "состояние"}},
		sourceColumn,
		{name: cancelled, other: []string{"canceled", "отменен", "отменена", "пометка удаления"}},
	},
	Events: {
		idColumn,
		dealColumn,
		kindColumn,
		{name: "due", other: []string{"срок", "дата", "ожидаемая дата", "плановая дата", "date"}},
		amountColumn,
	},
	Lines: {
		idColumn,
		dealColumn,
		{name: "document", other: []string{"document id", "код документа", "документ", "накладная"}},
		{name: "item", other: []string{"товар", "номенклатура", "наименование", "наименование товара", "услуга", "товары", "product", "name"}},
		{name: "article", other: []string{"артикул", "sku"}},
		{name: "quantity", other: []string{"количество", "кол-во", "qty"}},
		{name: "unit", other: []string{"единица", "единица измерения", "ед. изм.", "ед."}},
		{name: "price", other: []string{"цена"}},
		amountColumn,
		costColumn,
	},
	Contacts: {
		{name: "key", other: append([]string{"id", "код контакта"}, idColumn.other...)},
		with(kindColumn, "вид контакта"),
		{name: "direction", other: []string{"направление"}},
		{name: "state", other: []string{"состояние", "статус"}},
		{name: "importance", other: []string{"важность", "приоритет"}},
		clientColumn,
		{name: "client_name", other: []string{"имя клиента", "наименование клиента"}}, // of someone not registered
		{name: "persons", list: true, other: []string{"контактные лица", "участники", "адреса"}},
		{name: "managers", list: true, other: append([]string{"manager"}, managerColumn.other...)},
		{name: "subject", other: []string{"тема", "предмет", "заголовок", "название"}},
		{name: "text", other: []string{"текст", "содержание", "описание", "комментарий", "body"}},
		{name: "start", other: []string{"начало", "дата", "дата начала", "когда", "date"}},
		{name: "end", other: []string{"окончание", "конец", "дата окончания"}},
		{name: "days", other: []string{"дни"}}, // whole days, "2026-11-23" or with the last "2026-11-23/2026-11-24"
		{name: "minutes", other: []string{"минут", "длительность", "затрачено"}},
		{name: "estimated", other: []string{"оценка"}},
		dealColumn,
		sourceColumn,
		{name: "status", ours: true}, {name: "full_text", ours: true}, {name: "message_id", ours: true}, {name: "thread", ours: true},
		{name: "attachments", list: true, ours: true}, {name: "origin", ours: true},
	},
	Documents: {
		with(idColumn, "код документа", "document id"),
		kindColumn,
		numberColumn,
		dateColumn,
		dealColumn,
		clientColumn,
		amountColumn,
		costColumn,
		{name: "tax", other: []string{"ндс", "сумма ндс", "в том числе ндс", "в т.ч. ндс", "налог", "vat"}},
		currencyColumn,
	},
}

// Columns that are not a field of their kind but a part of one.
const (
	attributes = "attributes" // of a client: a JSON object
	surname    = "фамилия"    // of a person's name; "имя" is then the first name
	patronymic = "отчество"
	cancelled  = "cancelled" // yes or no; yes is the status of that name
)

// Columns of the file of refused rows that say what is wrong. An import skips
// them, so that the mended file goes in as it is.
const (
	refusedAt     = "refused_at"
	refusedReason = "refused_reason"
	refusedRow    = "refused_row" // a line that could not be cut into cells
)

// needed are the columns without which no row of the kind could be taken: of
// each group one.
var needed = map[Kind][][]string{
	Managers:  {{"id", "login"}, {"name"}},
	Rates:     {{"date"}, {"currency"}, {"rate"}},
	Clients:   {{"id"}, {"name"}},
	Persons:   {{"client"}, {"name", surname}},
	Sources:   {{"id"}, {"name"}},
	Deals:     {{"id"}, {"date"}, {"client"}},
	Events:    {{"id"}, {"deal"}, {"kind"}, {"due"}},
	Lines:     {{"id"}, {"deal", "document"}, {"item"}},
	Contacts:  {{"key"}, {"kind"}},
	Documents: {{"id"}, {"kind"}, {"date"}},
}

func with(c column, other ...string) column {
	c.other = append(append([]string(nil), c.other...), other...)
	return c
}

// fold is a column's name or a value's word with all that people vary left
// out: case, ё, spaces, hyphens, underscores, and a unit after a comma or in
// brackets ("Сумма, руб.").
func fold(s string) string {
	s = strings.ReplaceAll(strings.ToLower(s), "№", "номер")
	if cut := strings.IndexAny(s, ",("); cut > 0 {
		s = s[:cut]
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == 'ё':
			return 'е'
		case unicode.IsLetter(r), unicode.IsDigit(r):
			return r
		}
		return -1
	}, s)
}

// place is a column by its index in columnsOf, under the name of that rank.
type place struct{ column, rank int }

// places maps every folded name of a kind's columns to its place.
func places(kind Kind) map[string]place {
	all := map[string]place{}
	for i, c := range columnsOf[kind] {
		for rank, name := range append([]string{c.name}, c.other...) {
			folded := fold(name)
			if _, taken := all[folded]; !taken {
				all[folded] = place{i, rank}
			}
		}
	}
	return all
}

// Columns are the names of a kind's columns that design.md section 3 fixes,
// for help and errors.
func Columns(kind Kind) []string {
	var all []string
	for _, c := range columnsOf[kind] {
		if !c.ours && c.name != surname && c.name != patronymic && c.name != attributes {
			all = append(all, c.name)
		}
	}
	return all
}
