package exchange

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"intouch/store"
)

// bookField is what an attribute of LDIF or a column of a CSV file says of a
// person.
type bookField int

const (
	noField bookField = iota // says nothing that is kept
	fullName
	givenName
	middleName
	familyName
	nickname // or another name to know somebody by who has none
	organization
	department
	position
	email
	workPhone
	homePhone
	mobilePhone
	otherPhone
	faxNumber
	pagerNumber
	workAddress // a part of it, or the whole
	homeAddress
	webPage
	birthday
	birthYear
	birthMonth
	birthDay
	note
)

// ldifFields are the attributes of LDIF by their names in lower case: of
// inetOrgPerson (RFC 2798), of Active Directory, and those that Thunderbird
// and the Netscapes before it made up.
var ldifFields = map[string]bookField{
	"cn": fullName, "commonname": fullName, "displayname": fullName,
	"givenname": givenName, "middlename": middleName, "sn": familyName, "surname": familyName,
	"mozillanickname": nickname, "xmozillanickname": nickname,
	"o": organization, "organizationname": organization, "company": organization,
	"ou": department, "department": department, "departmentnumber": department, "orgunit": department,
	"title": position,
	"mail":  email, "rfc822mailbox": email, "mozillasecondemail": email, "xmozillasecondemail": email, "mailalternateaddress": email, "othermailbox": email,
	"telephonenumber": workPhone, "othertelephone": workPhone,
	"homephone": homePhone, "otherhomephone": homePhone,
	"mobile": mobilePhone, "mobiletelephonenumber": mobilePhone, "cellphone": mobilePhone, "othermobile": mobilePhone, "carphone": otherPhone,
	"facsimiletelephonenumber": faxNumber, "fax": faxNumber, "pager": pagerNumber, "pagerphone": pagerNumber,
	"street": workAddress, "streetaddress": workAddress, "l": workAddress, "locality": workAddress, "st": workAddress, "region": workAddress,
	"postalcode": workAddress, "zip": workAddress, "c": workAddress, "countryname": workAddress,
	"mozillahomestreet": homeAddress, "mozillahomestreet2": homeAddress, "mozillahomelocalityname": homeAddress, "mozillahomestate": homeAddress,
	"mozillahomepostalcode": homeAddress, "mozillahomecountryname": homeAddress,
	"mozillaworkurl": webPage, "workurl": webPage, "mozillahomeurl": webPage, "homeurl": webPage, "wwwhomepage": webPage, "labeleduri": webPage,
	"birthyear": birthYear, "birthmonth": birthMonth, "birthday": birthday, "dateofbirth": birthday, "birthdate": birthday,
	"description": note, "notes": note, "info": note,
}

// bookColumns are the columns of CSV files by their folded names without
// digits ("E-mail 2 Address" is emailaddress): Outlook's in English and
// Russian, Google's old and new ones, Thunderbird's, and what Russian mail
// services write in Outlook's manner.
var bookColumns = foldedColumns(map[bookField][]string{
	fullName: {"Name", "Full Name", "Display Name", "Полное имя", "ФИО", "Ф.И.О.", "Отображаемое имя", "Имя для отображения"},

	givenName:  {"First Name", "Given Name", "Имя"},
	middleName: {"Middle Name", "Additional Name", "Отчество", "Второе имя"},
	familyName: {"Last Name", "Family Name", "Surname", "Фамилия"},
	nickname:   {"File As", "Хранить как", "Nickname", "Псевдоним"},

	organization: {"Company", "Organization", "Organization Name", "Organization 1 - Name", "Организация", "Компания"},
	department:   {"Department", "Organization Department", "Organization 1 - Department", "Отдел", "Подразделение"},
	position:     {"Job Title", "Organization Title", "Organization 1 - Title", "Должность"},

	email: {"E-mail", "E-mail Address", "E-mail 1 - Value", "Email Addresses", "Primary Email", "Secondary Email",
		"Адрес эл. почты", "Адрес 2 эл. почты", "Адрес электронной почты", "Адрес 2 электронной почты", "Электронная почта", "Эл. почта", "Почта",
		"Электронный адрес", "Основной адрес электронной почты", "Дополнительный адрес электронной почты", "Основной адрес эл. почты", "Доп. адрес эл. почты"},

	workPhone:   {"Business Phone", "Work Phone", "Рабочий телефон", "Телефон раб.", "Телефон рабочий", "Company Main Phone", "Основной телефон организации"},
	homePhone:   {"Home Phone", "Домашний телефон", "Телефон дом.", "Телефон домашний"},
	mobilePhone: {"Mobile Phone", "Mobile Number", "Mobile", "Мобильный телефон", "Телефон переносной", "Сотовый телефон", "Мобильный", "Телефон мобильный"},
	otherPhone:  {"Phone", "Phone 1 - Value", "Primary Phone", "Other Phone", "Car Phone", "Телефон", "Основной телефон", "Другой телефон", "Телефон в машине", "Радиотелефон"},

	faxNumber:   {"Business Fax", "Home Fax", "Other Fax", "Fax", "Fax Number", "Рабочий факс", "Домашний факс", "Другой факс", "Факс"},
	pagerNumber: {"Pager", "Pager Number", "Пейджер"},

	workAddress: {"Business Street", "Business City", "Business State", "Business Postal Code", "Business Country/Region", "Business Country",
		"Work Address", "Work City", "Work State", "Work ZipCode", "Work Country", "Address 1 - Formatted",
		"Улица (раб. адрес)", "Город (раб. адрес)", "Область (раб. адрес)", "Индекс (раб. адрес)", "Страна или регион (раб. адрес)"},
	homeAddress: {"Home Street", "Home City", "Home State", "Home Postal Code", "Home Country/Region", "Home Country",
		"Home Address", "Home ZipCode", "Улица (дом. адрес)", "Город (дом. адрес)", "Область (дом. адрес)", "Индекс (дом. адрес)", "Страна или регион (дом. адрес)"},
	webPage: {"Web Page", "Website 1 - Value", "Веб-страница"},

	birthday:   {"Birthday", "Birth Day", "День рождения", "Дата рождения"},
	birthYear:  {"Birth Year", "Год рождения"},
	birthMonth: {"Birth Month", "Месяц рождения"},
	note:       {"Notes", "Note", "Заметки", "Примечания", "Примечание"},
})

func foldedColumns(names map[bookField][]string) map[string]bookField {
	all := map[string]bookField{}
	for field, list := range names {
		for _, name := range list {
			all[foldColumn(name)] = field
		}
	}
	return all
}

// foldColumn leaves only the letters of a column's name: "E-mail 2 Address" is
// emailaddress.
func foldColumn(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == 'ё':
			return 'е'
		case unicode.IsLetter(r):
			return r
		}
		return -1
	}, strings.ToLower(name))
}

// bookValues is a person of an address book as a file tells it, value by value.
type bookValues struct {
	person store.BookPerson
	nick   string
	birth  struct{ day, month, year string } // where they come one by one
	street map[bookField][]string            // parts of postal addresses
	values int
}

// fieldReader reads the persons of a file one by one.
type fieldReader interface {
	// next gives the next person and the number of its first line. A fault
	// refuses that entry alone. Errors: io.EOF, or of the file.
	next() (person store.BookPerson, number int, fault, err error)
}

// entries makes a book of what a reader gives.
func entries(r fieldReader, in *lines) *Book {
	return &Book{
		Bytes:   func() int64 { return in.count.n },
		LeftOut: map[string]int{},
		Entries: func(yield func(store.BookPerson, error) bool) {
			for {
				person, number, fault, err := r.next()
				switch {
				case errors.Is(err, io.EOF):
					return
				case err != nil:
					yield(person, fmt.Errorf("after line %d: %w", in.number, err))
					return
				case fault != nil:
					known, _ := person.Tidied() // as far as it goes
					fault = &EntryFault{Line: number, Key: cmp.Or(known.Name, known.Key), Reason: fault.Error()}
				}
				if !yield(person, fault) {
					return
				}
			}
		},
	}
}

// faultOf refuses one record.
func faultOf(field, format string, args ...any) error {
	return &store.Invalid{Field: field, Reason: fmt.Sprintf(format, args...)}
}

// add takes one value; label is how the file calls it ("Mobile"), "" for what
// the field says.
func (e *bookValues) add(field bookField, value, label string) error {
	if value = clean(value); value == "" || field == noField {
		return nil
	}
	if e.values++; e.values > maxValues {
		return fmt.Errorf("there are more than %d values", maxValues)
	}
	if len(value) > maxValue {
		return errLongValue
	}
	first := func(s *string) { *s = cmp.Or(*s, value) }
	p := &e.person
	switch field {
	case fullName:
		first(&p.Name)
	case givenName:
		first(&p.Given)
	case middleName:
		first(&p.Middle)
	case familyName:
		first(&p.Family)
	case nickname:
		first(&e.nick)
	case organization:
		first(&p.Company)
	case department:
		first(&p.Department)
	case position:
		first(&p.Position)
	case email:
		p.Emails = append(p.Emails, strings.Trim(strings.TrimPrefix(value, "mailto:"), "<> "))
	case workPhone, homePhone, mobilePhone, otherPhone, faxNumber, pagerNumber:
		for _, number := range splitPhones(value) {
			p.Phones = append(p.Phones, store.BookPhone{Number: number, Type: phoneTypeOf(label, field)})
		}
	case workAddress, homeAddress:
		if e.street == nil {
			e.street = map[bookField][]string{}
		}
		e.street[field] = append(e.street[field], strings.Join(strings.FieldsFunc(value, func(r rune) bool { return r == '\n' }), ", "))
	case webPage:
		url, _, _ := strings.Cut(value, " ") // LDAP's labeledURI: a label follows
		p.URLs = append(p.URLs, url)
	case birthday:
		if onlyDay.MatchString(value) { // Thunderbird's birthday is the day of the month
			first(&e.birth.day)
		} else if p.Birthday == "" {
			p.Birthday = bookDay(value)
		}
	case birthDay:
		first(&e.birth.day)
	case birthMonth:
		first(&e.birth.month)
	case birthYear:
		first(&e.birth.year)
	case note:
		p.Note = strings.TrimSpace(p.Note + "\n" + value)
	}
	return nil
}

// done is the person that all values make.
func (e *bookValues) done() store.BookPerson {
	p := e.person
	if p.Given == "" && p.Family == "" {
		p.Name = cmp.Or(p.Name, e.nick)
	}
	if p.Birthday == "" && e.birth.year != "" {
		p.Birthday = bookDay(fmt.Sprintf("%s-%s-%s", e.birth.year, e.birth.month, e.birth.day))
	}
	for _, field := range []bookField{workAddress, homeAddress} {
		if parts := e.street[field]; len(parts) > 0 {
			p.Addresses = append(p.Addresses, strings.Join(parts, ", "))
		}
	}
	return p
}

var onlyDay = regexp.MustCompile(`^\d{1,2}$`)

// phoneTypeOf is the type of store.BookPhone that a label means, else the
// field's own.
func phoneTypeOf(label string, field bookField) string {
	label = strings.ToLower(label)
	for _, of := range []struct {
		kind  string
		field bookField
		words []string
	}{ // "Work Fax" is a fax
		{"fax", faxNumber, []string{"fax", "факс"}},
		{"pager", pagerNumber, []string{"pager", "пейджер"}},
		{"cell", mobilePhone, []string{"mobile", "cell", "моб", "сотов"}},
		{"work", workPhone, []string{"work", "business", "main", "раб"}},
		{"home", homePhone, []string{"home", "дом"}},
	} {
		if label == "" && field == of.field || label != "" && slices.ContainsFunc(of.words, func(w string) bool { return strings.Contains(label, w) }) {
			return of.kind
		}
	}
	return ""
}

var (
	dayFirst  = regexp.MustCompile(`^(\d{1,2})\.(\d{1,2})\.(\d{4})\b`)
	yearFirst = regexp.MustCompile(`^(\d{4})[-/.]?(\d{1,2})[-/.]?(\d{1,2})\b`)
	slashes   = regexp.MustCompile(`^(\d{1,2})/(\d{1,2})/(\d{4})\b`)
)

// bookDay reads a day as mail programs write it: 1980-05-01, 19800501,
// 01.05.1980, and 5/1/1980 with the month first, as the Outlook that writes
// slashes does, unless that cannot be.
func bookDay(text string) store.Date {
	var year, month, day string
	if m := yearFirst.FindStringSubmatch(text); m != nil {
		year, month, day = m[1], m[2], m[3]
	} else if m := dayFirst.FindStringSubmatch(text); m != nil {
		year, month, day = m[3], m[2], m[1]
	} else if m := slashes.FindStringSubmatch(text); m != nil {
		year, month, day = m[3], m[1], m[2]
		if len(month) == 2 && month > "12" {
			month, day = day, month
		}
	}
	date, err := store.ParseDate(fmt.Sprintf("%s-%02s-%02s", year, month, day))
	if err != nil || year <= "1600" { // Outlook's "none" is 0/0/00; directories have 1600 and 1601 for it
		return ""
	}
	return date
}
