package exchange

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"intouch/store"
)

// What the papers of CommerceML mean (../shared/exchange.md sections 2 and 3).

// sheets turns papers into rows of the store. Like fields, it keeps the first
// fault of a paper.
type sheets struct {
	from     *commerceML
	names    Requisites
	currency string            // of papers that name none
	managers map[string]string // login by folded name, login or key
	unknown  map[string]bool   // managers that are named and not there
	fault    error
}

func (s *sheets) refuse(field, format string, args ...any) {
	if s.fault == nil {
		s.fault = &store.Invalid{Field: field, Reason: fmt.Sprintf(format, args...)}
	}
}

// says is a requisite that a document may have under several names.
func (d *cmlDoc) says(names ...string) string {
	for _, name := range names {
		for _, r := range d.Requisites {
			if foldRequisite(r.Name) == foldRequisite(name) {
				if v := clean(r.Value); v != "" {
					return v
				}
			}
		}
	}
	return ""
}

// foldRequisite folds a name; the С of 1С is written in either alphabet.
func foldRequisite(name string) string { return strings.ReplaceAll(fold(name), "c", "с") }

// yes is "yes", "no", or "" where a text is neither: unknown is not false.
func yes(text string) string { return yesWords.value[foldWord(clean(text))] }

// real is a number or a name that 1C has, not its "0" or bare "T" for nothing.
func real(text string) string {
	text = clean(text)
	if strings.Trim(text, "0") == "" || text == "T" || text == "Т" {
		return ""
	}
	return text
}

// dayIn is the day of a date as 1C writes it, "" where it says none: 1C's
// empty date is 0001-01-01.
func dayIn(text string) store.Date {
	text = clean(text)
	var year, month, day string
	if m := isoDay.FindStringSubmatch(text); m != nil {
		year, month, day = m[1], m[2], m[3]
	} else if m := russianDay.FindStringSubmatch(text); m != nil {
		year, month, day = m[3], m[2], m[1]
	}
	if year < "1900" {
		return ""
	}
	m, _ := strconv.Atoi(month) // digits, by the pattern
	d, _ := strconv.Atoi(day)
	date, err := store.ParseDate(fmt.Sprintf("%s-%02d-%02d", year, m, d))
	if err != nil {
		return ""
	}
	return date
}

// date refuses a text that should be a day.
func (s *sheets) date(field, text string) store.Date {
	day := dayIn(text)
	if day == "" && clean(text) != "" {
		s.refuse(field, "%q is not a date like 2026-11-23", short(clean(text)))
	}
	return day
}

// sum is a sum that is not negative, 0 for "".
func (s *sheets) sum(field, text string) int64 { return s.read(field, text, store.ParseMoney) }

// price is that of one piece.
func (s *sheets) price(field, text string) int64 { return s.read(field, text, store.ParsePrice) }

func (s *sheets) read(field, text string, parse func(s, currency string) (store.Money, error)) int64 {
	if text = clean(text); text == "" {
		return 0
	}
	sum, err := parse(plainNumber(text), "")
	switch {
	case err != nil || strings.ContainsAny(text, "eE"):
		s.refuse(field, "%q is not a sum like 1234.56", short(text))
	case sum.Minor < 0:
		s.refuse(field, "the sum %s is negative", short(text))
	}
	return sum.Minor
}

// quantity is a decimal number with a point.
func (s *sheets) quantity(text string) string {
	if text = clean(text); text == "" {
		return ""
	}
	number := plainNumber(text)
	if !decimalNumber.MatchString(number) {
		s.refuse("Количество", "%q is not a quantity like 12.5", short(text))
	}
	return number
}

// money is the currency of a document, ours where it names none.
func (s *sheets) money(d *cmlDoc) string {
	text := clean(d.Currency)
	if text == "" {
		return s.currency
	}
	code, known := currencyWords.value[foldWord(text)]
	if !known {
		if code = strings.ToUpper(text); !currencyCode.MatchString(code) {
			s.refuse("Валюта", "%q is not %s", short(text), currencyWords.hint)
		}
	}
	return code
}

// rate is what Курс says the document's currency was worth on its day; nil
// when it says nothing.
func (s *sheets) rate(d *cmlDoc, on store.Date, currency string) *store.RateRow {
	text := plainNumber(clean(d.Rate))
	if currency == s.currency || currency == "" || on == "" {
		return nil
	}
	if _, err := store.ParseRate(text, 1); err != nil {
		return nil
	}
	return &store.RateRow{Date: on, Currency: currency, Rate: text, Per: 1}
}

// version reads НомерВерсии: a number, or the eight bytes in base64 that 1C
// gives its objects.
func (s *sheets) version(text string) store.Version {
	v := store.Version{Formed: s.from.formed}
	text = clean(text)
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		v.Number = max(n, 0)
	} else if b, err := base64.StdEncoding.DecodeString(text); err == nil && len(b) == 8 {
		if n := binary.BigEndian.Uint64(b); n <= math.MaxInt64 {
			v.Number = int64(n)
		}
	}
	return v
}

// buyer is the client among the partners of a document; nil for none.
func (d *cmlDoc) buyer() *cmlPartner {
	for i, p := range d.Partners {
		if foldWord(clean(p.Role)) == "покупатель" {
			return &d.Partners[i]
		}
	}
	for i, p := range d.Partners {
		if clean(p.Role) == "" || len(d.Partners) == 1 && foldWord(clean(p.Role)) != "продавец" {
			return &d.Partners[i]
		}
	}
	return nil
}

var tenOrTwelve = regexp.MustCompile(`^(\d{10}|\d{12})$`)

// innOf is a tax number with the leading zero that spreadsheets lose; "" for
// what is none.
func innOf(text string) string {
	text = clean(text)
	if len(text) == 9 || len(text) == 11 {
		text = "0" + text
	}
	if !tenOrTwelve.MatchString(text) {
		return ""
	}
	return text
}

// partner reads a counterparty.
func (s *sheets) partner(p *cmlPartner) store.PartnerRow {
	row := store.PartnerRow{Version: s.version(p.Version), ClientRow: store.ClientRow{
		ID:         clean(p.ID),
		Name:       cmp.Or(clean(p.Name), clean(p.Official), clean(p.FullName), joinWords(clean(p.Surname), clean(p.First), clean(p.Patronymic))),
		Attributes: map[string]string{},
	}}
	inn := innOf(p.INN)
	if row.ID == "" && inn != "" {
		row.ID = strings.Trim("inn:"+inn+":"+clean(p.KPP), ":")
	}
	if row.ID == "" {
		s.refuse("Контрагент/Ид", "is missing, and so is an ИНН")
	}
	if row.Name == "" {
		s.refuse("Контрагент/Наименование", "is missing")
	}
	note := func(name, value string) {
		if value = clean(value); value != "" {
			row.Attributes[name] = value
		}
	}
	note(store.AttributeINN, cmp.Or(inn, clean(p.INN)))
	note(store.AttributeKPP, p.KPP)
	if official := clean(p.Official); official != row.Name {
		note("Официальное наименование", official)
	}
	note("Юридический адрес", cmp.Or(p.Legal.text(), p.Registered.text()))
	note("Адрес", p.Address.text())
	other := ""
	row.Emails, row.Phones, other = points(p.Contacts)
	note("Прочие контакты", other)
	for _, a := range p.Persons {
		if person, ok := a.person(row.ID); ok {
			row.Persons = append(row.Persons, person)
		}
	}
	return row
}

// person reads a representative. One without a name says nothing.
func (a *cmlAgent) person(client string) (store.PersonRow, bool) {
	p := a.Inner
	if clean(p.Name)+clean(p.FullName)+clean(p.Surname) == "" {
		p = a.cmlPerson
	}
	row := store.PersonRow{
		ID:       cmp.Or(clean(p.ID), clean(a.ID)),
		Name:     cmp.Or(joinWords(clean(p.Surname), clean(p.First), clean(p.Patronymic)), clean(p.Name), clean(p.FullName)),
		Position: clean(p.Position),
	}
	if row.ID == "" {
		row.ID = client + "/" + row.Name
	}
	row.Emails, row.Phones, _ = points(p.Contacts)
	return row, row.Name != ""
}

// points sorts contacts into addresses and phones; what is neither is other.
// Lists stay nil where nothing is said.
func points(all []cmlPoint) (emails, phones []string, other string) {
	var rest []string
	for _, c := range all {
		value, kind := clean(c.Value), foldWord(clean(cmp.Or(c.Type, c.Kind)))
		if value == "" {
			continue
		}
		switch {
		case strings.Contains(value, "@"):
			for _, one := range strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(",;| \n\t\u00a0", r) }) {
				if _, err := store.Address(one); err != nil {
					rest = append(rest, one)
				} else {
					emails = append(emails, one)
				}
			}
		case strings.Contains(kind, "тел") || strings.Contains(kind, "факс") || strings.Contains(kind, "phone"):
			phones = append(phones, splitPhones(value)...)
		default:
			rest = append(rest, strings.TrimPrefix(clean(cmp.Or(c.Type, c.Kind))+": "+value, ": "))
		}
	}
	return emails, phones, strings.Join(rest, "; ")
}

// text is an address in one line.
func (a cmlAddress) text() string {
	if whole := clean(a.Whole); whole != "" {
		return whole
	}
	var parts []string
	for _, f := range a.Fields {
		if v := clean(f.Value); v != "" {
			parts = append(parts, v)
		}
	}
	return strings.Join(parts, ", ")
}

// operation is what a ХозОперация means; kind is "" for an order and for
// what we do not keep.
func (d *cmlDoc) operation() (kind store.DocumentKind, order bool) {
	op := foldWord(clean(d.Operation))
	return store.DocumentKind(documentWords.value[op]), op == foldWord("Заказ товара")
}

// cancelled reports a deletion mark or a cancelled order.
func (d *cmlDoc) cancelled() bool {
	return yes(d.Deleted) == "yes" || yes(d.says("ПометкаУдаления", "Пометка удаления")) == "yes" ||
		yes(d.says("Отменен", "Отменён")) == "yes" || dealStatus(d.status()) == string(store.Cancelled)
}

var numbered = regexp.MustCompile(`^\[[^\]]{1,8}\]\s*`)

// status is what the order's state is called, without the site's code for it
// ("[N] Принят").
func (d *cmlDoc) status() string {
	return numbered.ReplaceAllString(d.says("Статус заказа", "СтатусЗаказа"), "")
}

// order reads an order; paid and shipped tell what schema 2 says of them.
func (s *sheets) order(d *cmlDoc) (row store.OrderRow, paid, shipped flag) {
	row.ID = clean(d.ID)
	row.Version = s.version(d.Version)
	if row.ID == "" {
		s.refuse("Ид", "is missing")
	}
	row.Number = cmp.Or(real(d.Number1C), real(d.says("Номер по 1С")), clean(d.Number))
	row.Date = s.date("Дата", d.Date)
	row.Amount = store.Money{Minor: s.sum("Сумма", d.Sum), Currency: s.money(d)}
	if clean(d.Sum) == "" {
		s.refuse("Сумма", "is missing")
	}
	row.PayDue = cmp.Or(dayIn(d.PayDue), dayIn(d.says(s.names.PayDue...)))
	row.ShipDue = dayIn(d.says(s.names.ShipDue...))
	row.Manager = s.manager(d.says(s.names.Manager...))
	row.Status = d.status()
	if d.cancelled() {
		row.Status = string(store.Cancelled)
	}
	row.Lines = s.lines(row.ID, d)
	row.Made = s.made(d, row)
	if s.from.third {
		row.PaymentKnown, row.ShipmentKnown = true, true
		return row, flag{}, flag{}
	}
	paid = s.flag(d, "оплаты", "Оплачен", s.names.Paid, row.Amount)
	shipped = s.flag(d, "отгрузки", "Отгружен", s.names.Shipped, row.Amount)
	for _, f := range []*flag{&paid, &shipped} {
		if f.sum == row.Amount { // what a part of it contains is not said
			f.tax = s.tax(d, row.Amount)
		}
	}
	row.PaymentKnown, row.ShipmentKnown = paid.known(), shipped.known()
	return row, paid, shipped
}

// flag is what an order of schema 2 says of its payment or shipment. Without
// a day and with no plain denial it says nothing.
type flag struct {
	number string
	day    store.Date  // of the payment or shipment; "" for none
	sum    store.Money // the whole order's unless another is told
	tax    *store.Money
	denied bool // it says that there is none
}

func (f flag) known() bool { return f.day != "" || f.denied }

// flag reads the requisites. A balance that is missing or not positive counts
// as paid in 1C, so a new order can look paid with the number "0", the date
// 0001-01-01 or a bare "T": that is no payment, and no denial either. So is an
// order that has a payment and is not paid: it is paid partly, and says how
// much only in an additional value.
func (s *sheets) flag(d *cmlDoc, of, done string, sums []string, whole store.Money) flag {
	number := d.says("Номер " + of + " по 1С")
	f := flag{number: real(number), day: dayIn(d.says("Дата " + of + " по 1С")), sum: whole}
	says := yes(d.says(done))
	if part := d.says(sums...); part != "" && f.day != "" {
		f.sum.Minor = s.sum(sums[0], part)
		return f
	}
	if number != "" && f.number == "" || says == "no" {
		denied := says == "no" && f.number == "" && f.day == ""
		return flag{denied: denied}
	}
	return f
}

// manager is the login of a manager named in words; one who is not here is
// told once and left out.
func (s *sheets) manager(name string) string {
	if name == "" {
		return ""
	}
	login, there := s.managers[foldWord(name)]
	if !there && len(s.unknown) < maxLeft {
		s.unknown[short(name)] = true
	}
	return login
}

// lines reads the goods. Lines have no key of their own: the good's is taken,
// with a number where a good stands twice.
func (s *sheets) lines(order string, d *cmlDoc) []store.LineRow {
	if d.Goods == nil {
		return nil
	}
	times := map[string]int{}
	rows := make([]store.LineRow, len(d.Goods))
	for i, g := range d.Goods {
		id := clean(g.ID)
		if id == "" || len(order)+len(id) > 180 {
			id = strconv.Itoa(i + 1)
		}
		if times[id]++; times[id] > 1 {
			id += "/" + strconv.Itoa(times[id])
		}
		name := cmp.Or(clean(g.Name), clean(g.Article))
		if name == "" {
			s.refuse("Товар/Наименование", "is missing in line %d", i+1)
		}
		rows[i] = store.LineRow{
			ID: order + "/" + id, Item: name, Article: clean(g.Article), Quantity: s.quantity(g.Quantity),
			Unit:  cmp.Or(clean(g.Unit.Text), clean(g.UnitName), clean(g.Unit.FullName)),
			Price: s.price("ЦенаЗаЕдиницу", g.Price), Amount: s.sum("Товар/Сумма", g.Sum),
		}
	}
	return rows
}

// made is what an order's lines make where that is another sum than it says;
// nil when they add up. Taxes and discounts that are not in the sums count, of
// lines or of the whole document: both are written, and not always both meant.
// Each line may be rounded.
func (s *sheets) made(d *cmlDoc, row store.OrderRow) *store.Money {
	if len(row.Lines) == 0 || s.fault != nil {
		return nil
	}
	var sum, lineTax, lineDiscount int64
	for i, l := range row.Lines {
		sum += l.Amount
		lineTax += s.outside(d.Goods[i].Taxes)
		lineDiscount += s.outside(d.Goods[i].Discounts)
	}
	for _, tax := range []int64{0, lineTax, s.outside(d.Taxes)} {
		if s.makes(d, row.Amount, tax) {
			return nil
		}
	}
	return &store.Money{Minor: sum + lineTax - lineDiscount, Currency: row.Amount.Currency}
}

// makes reports whether the goods of a document and a tax that they do not hold
// make a sum, with or without the discounts that they do not hold.
func (s *sheets) makes(d *cmlDoc, sum store.Money, tax int64) bool {
	off, lineDiscount := tax-sum.Minor, int64(0)
	for i := range d.Goods {
		off += s.sum("Товар/Сумма", d.Goods[i].Sum)
		lineDiscount += s.outside(d.Goods[i].Discounts)
	}
	for _, discount := range []int64{0, lineDiscount, s.outside(d.Discounts), lineDiscount + s.outside(d.Discounts)} {
		if off := off - discount; -int64(len(d.Goods)) <= off && off <= int64(len(d.Goods)) {
			return true
		}
	}
	return false
}

// tax is the part of a document's sum that is tax, by the taxes of the
// document, else of its goods; nil where they do not say.
func (s *sheets) tax(d *cmlDoc, sum store.Money) *store.Money {
	taxes := []cmlExtra(d.Taxes)
	if len(taxes) == 0 {
		for i := range d.Goods {
			taxes = append(taxes, d.Goods[i].Taxes...)
		}
	}
	var inside int64
	for _, one := range taxes {
		switch included := yes(one.Included); {
		case clean(one.Sum) == "", included == "":
			return nil
		case included == "yes":
			inside += s.sum("Налог", one.Sum)
		}
	}
	switch outside := s.outside(taxes); {
	case len(taxes) == 0:
		return nil
	case outside == 0, s.makes(d, sum, 0): // the sum of the document does not hold it either
	case s.makes(d, sum, outside):
		inside += outside
	default:
		return nil
	}
	return &store.Money{Minor: inside, Currency: sum.Currency}
}

// outside adds up taxes or discounts that a sum does not hold.
func (s *sheets) outside(all []cmlExtra) int64 {
	var sum int64
	for _, one := range all {
		if yes(one.Included) == "no" {
			sum += s.sum("Налог, Скидка", one.Sum)
		}
	}
	return sum
}

// document reads a payment, shipment, return or invoice. It is void when it is
// marked as deleted, or did not happen.
func (s *sheets) document(d *cmlDoc, kind store.DocumentKind) (row store.DocumentRow, void bool) {
	row = store.DocumentRow{ID: clean(d.ID), Kind: kind, Number: cmp.Or(real(d.Number1C), real(d.says("Номер по 1С")), clean(d.Number)), Deal: clean(d.Base)}
	if row.ID == "" {
		s.refuse("Ид", "is missing")
	}
	void = d.cancelled() || yes(d.says("Проведен", "Проведён")) == "no" ||
		kind == store.PaymentDoc && yes(d.says("Оплачен")) == "no" || kind == store.ShipmentDoc && yes(d.says("Отгружен")) == "no"
	if void {
		return row, true
	}
	row.Date = s.date("Дата", cmp.Or(string(dayIn(d.Date1C)), d.Date))
	row.Amount = store.Money{Minor: s.sum("Сумма", d.Sum), Currency: s.money(d)}
	if clean(d.Sum) == "" {
		s.refuse("Сумма", "is missing")
	}
	row.Tax = s.tax(d, row.Amount)
	return row, false
}

// note reads a paper of a kind that is none of ours, with the client to whom
// it belongs when it names no order. Nothing in it is a fault: it is only kept.
func (s *sheets) note(d, order *cmlDoc) (row store.NoteRow, client *store.PartnerRow) {
	row = store.NoteRow{ID: clean(d.ID), Deal: clean(d.Base), Title: cmp.Or(short(clean(d.Operation)), "Документ")}
	if order != nil && (row.Deal == "" || row.Deal == clean(order.Number) || row.Deal == clean(order.Number1C)) {
		row.Deal = clean(order.ID)
	}
	if d.cancelled() {
		row.Title += " (отменён)"
	}
	row.Text = joinWords(cmp.Or(real(d.Number1C), clean(d.Number)), cmp.Or(string(dayIn(d.Date)), clean(d.Date)), clean(d.Sum), clean(d.Currency), clean(d.Comment))
	if buyer := d.buyer(); buyer != nil && row.Deal == "" {
		p := s.partner(buyer)
		client = &p
	}
	return row, client
}

// Requisites are the names under which an accounting system's own additional
// values (ЗначенияРеквизитов) of an order come; upper and lower case are the
// same.
type Requisites struct {
	ShipDue []string // planned day of shipment
	PayDue  []string // planned day of payment, where СрокПлатежа says none
	Manager []string // name, login or key of the responsible manager
	Paid    []string // sum that was paid, where that is not the whole
	Shipped []string // sum that was shipped
}

// DefaultRequisites are those that are used where no others are set.
var DefaultRequisites = Requisites{
	ShipDue: []string{"Дата отгрузки план", "Плановая дата отгрузки"},
	PayDue:  []string{"Дата оплаты план", "Плановая дата оплаты"},
	Manager: []string{"Ответственный", "Менеджер"},
	Paid:    []string{"Сумма оплаты", "Сумма оплаты по 1С"},
	Shipped: []string{"Сумма отгрузки", "Сумма отгрузки по 1С"},
}

// orDefault fills in what is not set.
func (r Requisites) orDefault() Requisites {
	for _, one := range []struct{ set, otherwise *[]string }{
		{&r.ShipDue, &DefaultRequisites.ShipDue}, {&r.PayDue, &DefaultRequisites.PayDue}, {&r.Manager, &DefaultRequisites.Manager},
		{&r.Paid, &DefaultRequisites.Paid}, {&r.Shipped, &DefaultRequisites.Shipped},
	} {
		if *one.set == nil {
			*one.set = *one.otherwise
		}
	}
	return r
}
