package exchange

import "encoding/xml"

// The elements of CommerceML 2.03–3.1 that say something to us. Both schemas
// use the same names; the namespace of the third is not asked for.

// list is a list of elements of bounded length.
type list[T any] []T

// UnmarshalXML implements xml.Unmarshaler: it is called for each element.
func (l *list[T]) UnmarshalXML(d *xml.Decoder, start xml.StartElement) error {
	if len(*l) >= maxList {
		return errLongList
	}
	var one T
	if err := d.DecodeElement(&one, &start); err != nil {
		return err
	}
	*l = append(*l, one)
	return nil
}

// cmlDoc is a Документ: an order, a payment, a shipment.
type cmlDoc struct {
	ID         string             `xml:"Ид"`
	Version    string             `xml:"НомерВерсии"`
	Deleted    string             `xml:"ПометкаУдаления"`
	Number     string             `xml:"Номер"`
	Number1C   string             `xml:"Номер1С"`
	Date       string             `xml:"Дата"`
	Date1C     string             `xml:"Дата1С"`
	Operation  string             `xml:"ХозОперация"`
	Role       string             `xml:"Роль"` // ours
	Currency   string             `xml:"Валюта"`
	Rate       string             `xml:"Курс"`
	Sum        string             `xml:"Сумма"`
	PayDue     string             `xml:"СрокПлатежа"`
	Base       string             `xml:"Основание"`
	Comment    string             `xml:"Комментарий"`
	Partners   list[cmlPartner]   `xml:"Контрагенты>Контрагент"`
	Goods      list[cmlGood]      `xml:"Товары>Товар"`
	Taxes      list[cmlExtra]     `xml:"Налоги>Налог"`
	Discounts  list[cmlExtra]     `xml:"Скидки>Скидка"`
	Requisites list[cmlRequisite] `xml:"ЗначенияРеквизитов>ЗначениеРеквизита"`
}

// cmlPartner is a Контрагент.
type cmlPartner struct {
	ID         string         `xml:"Ид"`
	Version    string         `xml:"НомерВерсии"`
	Name       string         `xml:"Наименование"`
	Role       string         `xml:"Роль"`
	Official   string         `xml:"ОфициальноеНаименование"`
	FullName   string         `xml:"ПолноеНаименование"`
	Surname    string         `xml:"Фамилия"`
	First      string         `xml:"Имя"`
	Patronymic string         `xml:"Отчество"`
	INN        string         `xml:"ИНН"`
	KPP        string         `xml:"КПП"`
	Registered cmlAddress     `xml:"АдресРегистрации"`
	Legal      cmlAddress     `xml:"ЮридическийАдрес"`
	Address    cmlAddress     `xml:"Адрес"`
	Contacts   list[cmlPoint] `xml:"Контакты>Контакт"`
	Persons    list[cmlAgent] `xml:"Представители>Представитель"`
}

// cmlAgent is a Представитель: a Контрагент of his own, or one written
// directly.
type cmlAgent struct {
	cmlPerson
	Inner cmlPerson `xml:"Контрагент"`
}

type cmlPerson struct {
	ID         string         `xml:"Ид"`
	Relation   string         `xml:"Отношение"`
	Name       string         `xml:"Наименование"`
	FullName   string         `xml:"ПолноеНаименование"`
	Surname    string         `xml:"Фамилия"`
	First      string         `xml:"Имя"`
	Patronymic string         `xml:"Отчество"`
	Position   string         `xml:"Должность"`
	Contacts   list[cmlPoint] `xml:"Контакты>Контакт"`
}

// cmlPoint is a Контакт: an address or a phone. The schema's older editions
// call the type ТипКонтакта and КонтактВид.
type cmlPoint struct {
	Type  string `xml:"Тип"`
	Kind  string `xml:"КонтактВид"`
	Value string `xml:"Значение"`
}

type cmlAddress struct {
	Whole  string         `xml:"Представление"`
	Fields list[cmlPoint] `xml:"АдресноеПоле"`
}

// cmlGood is a Товар: a line of a document.
type cmlGood struct {
	ID        string         `xml:"Ид"`
	Article   string         `xml:"Артикул"`
	Name      string         `xml:"Наименование"`
	Unit      cmlUnit        `xml:"БазоваяЕдиница"`
	UnitName  string         `xml:"Единица"`
	Price     string         `xml:"ЦенаЗаЕдиницу"`
	Quantity  string         `xml:"Количество"`
	Sum       string         `xml:"Сумма"`
	Taxes     list[cmlExtra] `xml:"Налоги>Налог"`
	Discounts list[cmlExtra] `xml:"Скидки>Скидка"`
}

// cmlUnit is a unit, by code with names as attributes or by its name alone.
type cmlUnit struct {
	FullName string `xml:"НаименованиеПолное,attr"`
	Text     string `xml:",chardata"`
}

// cmlExtra is a Налог or a Скидка.
type cmlExtra struct {
	Included string `xml:"УчтеноВСумме"`
	Sum      string `xml:"Сумма"`
}

type cmlRequisite struct {
	Name  string `xml:"Наименование"`
	Value string `xml:"Значение"`
}
