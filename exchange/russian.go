package exchange

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"intouch/store"
)

// What 1C shows to its user is one line of Russian that says what and where.

// Faults of our side that end an import.
var (
	errTries = fmt.Errorf("the import ended early %d times", importTries)
	errTime  = fmt.Errorf("the import took longer than %v", importTime)
)

// russianErrors say why a file is refused.
var russianErrors = []struct {
	err  error
	text string
}{
	{errNotCommerceML, "это не CommerceML: первый элемент не КоммерческаяИнформация"},
	{errDoctype, "в файле есть DOCTYPE, которого в CommerceML не бывает"},
	{errDeep, fmt.Sprintf("элементы вложены глубже %d", maxDepth)},
	{errLongPaper, fmt.Sprintf("один документ файла больше %d МБ", maxPaper>>20)},
	{errLongList, fmt.Sprintf("в одном документе список длиннее %d строк", maxList)},
	{errAttributes, fmt.Sprintf("у элемента больше %d атрибутов", maxAttrs)},
	{errEncoding, "кодировка файла не utf-8 и не windows-1251"},
	{errEntries, fmt.Sprintf("в архиве больше %d файлов", maxEntries)},
	{errDirectory, "оглавление архива слишком велико"},
	{errEncrypted, "архив защищён паролем"},
	{errNoXML, "в архиве нет файлов .xml"},
	{errPacked, fmt.Sprintf("архив распаковывается больше чем в %d раз, это похоже на ошибку или злой умысел", maxRatio)},
	{errUnpacked, "файл после распаковки больше, чем Intouch принимает"},
	{errDamaged, "архив повреждён"},
	{errNoArchive, "архив передан не полностью"},
	{errTries, fmt.Sprintf("загрузка прервалась %d раз подряд", importTries)},
	{errTime, "загрузка не уложилась в один час"},
}

// russianError says what is wrong with a file, and where; "" for an error that
// is none of the file's.
func russianError(err error) string {
	where := ""
	var in *entryError
	if errors.As(err, &in) {
		where = in.name + ", "
	}
	var at *lineError
	if errors.As(err, &at) {
		where += fmt.Sprintf("строка %d: ", at.line)
	} else if where != "" {
		where = in.name + ": "
	}
	for _, known := range russianErrors {
		if errors.Is(err, known.err) {
			return where + known.text
		}
	}
	var broken brokenXML
	if errors.As(err, &broken) {
		return where + "XML повреждён (" + translated(string(broken), brokenReasons) + ")"
	}
	return ""
}

// russianReasons translate why a paper was refused, as the papers and the store
// say it in English.
var russianReasons = reasons(
	`is missing, and so is an ИНН`, `не указан, как и ИНН`,
	`is missing in line (\d+)`, `не указано в строке $1`,
	`is missing, and so is the deal`, `не указан, как и заказ`,
	`is missing`, `не указано`,
	`is longer than (\d+) bytes`, `длиннее $1 байт`,
	`no buyer is among them`, `среди них нет покупателя`,
	`(".*") is not a date like .*`, `$1 — не дата`,
	`(".*") is not a sum like .*`, `$1 — не сумма`,
	`(".*") is not a price like .*`, `$1 — не цена`,
	`(".*") is not a quantity like .*`, `$1 — не количество`,
	`(".*") is not a code like RUB`, `$1 — не код валюты`,
	`the sum (\S+) is negative`, `сумма $1 отрицательна`,
	`the sum (".*") is too large`, `сумма $1 слишком велика`,
	`is negative`, `меньше нуля`,
	`(".*") has a negative sum`, `сумма строки $1 отрицательна`,
	`the currency (\S+) has no rate`, `у валюты $1 нет курса`,
	`is (\S+), but the lines make (\S+)`, `$1, а по строкам получается $2`,
	`unknown deal (".*")`, `заказ $1 неизвестен`,
	`unknown client (".*")`, `контрагент $1 неизвестен`,
	`unknown (\S+) (".*")`, `$2 неизвестен`,
	`is not the client of the deal (".*")`, `не покупатель заказа $1`,
	`(".*") is not an e-mail address.*`, `$1 — не адрес почты`,
	`more than 100, or longer than 10000 bytes`, `больше 100 или длиннее 10000 байт`,
)

// brokenReasons translate what encoding/xml says of files that break off or mix
// their elements up; the rest is rare.
var brokenReasons = reasons(
	`unexpected EOF`, `файл обрывается`,
	`element <(\S+)> closed by </(\S+)>`, `элемент <$1> закрыт как </$2>`,
	`element <(\S+)> in space .* closed by </(\S+)> in space .*`, `элемент <$1> закрыт как </$2>`,
	`unexpected end element </(\S+)>`, `лишнее закрытие </$1>`,
	`invalid UTF-8`, `текст не в той кодировке, что объявлена`,
	`more than one root`, `после конца КоммерческаяИнформация есть ещё элементы`,
	`illegal character code (.*)`, `недопустимый символ $1`,
	`invalid character entity (.*)`, `неизвестная сущность $1`,
)

type reason struct {
	english *regexp.Regexp
	russian string
}

func reasons(pairs ...string) (out []reason) {
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, reason{regexp.MustCompile(`(?s)^` + pairs[i] + `$`), pairs[i+1]})
	}
	return out
}

// russianFields are the names of the store's fields that a paper's fault may
// have; those of CommerceML are Russian.
var russianFields = map[string]string{
	"id": "Ид", "name": "Наименование", "client": "Контрагент", "deal": "Основание", "amount": "Сумма", "line": "Товар", "item": "Товар/Наименование",
	"date": "Дата", "currency": "Валюта", "emails": "Электронная почта", "phones": "Телефон", "attributes": "ЗначенияРеквизитов", "number": "Номер",
	"kind": "ХозОперация", "manager": "Ответственный",
}

// russianFault is a refused paper: where it stands, its key, what is wrong.
func russianFault(f RowFault) string {
	var b strings.Builder
	fmt.Fprintf(&b, "строка %d", f.Line)
	if f.Key != "" {
		fmt.Fprintf(&b, " (%s)", short(f.Key))
	}
	if field := f.Field; field != "" {
		if name := russianFields[field]; name != "" {
			field = name
		}
		b.WriteString(": " + field)
	}
	return oneLine(b.String() + ": " + translated(f.Reason, russianReasons))
}

// oneLine keeps a text from being several, whatever of a file stands in it.
func oneLine(s string) string { return strings.Join(strings.Fields(clean(s)), " ") }

// translated is the text in Russian, or as it is where nobody foresaw it.
func translated(text string, reasons []reason) string {
	for _, r := range reasons {
		if r.english.MatchString(text) {
			return r.english.ReplaceAllString(text, r.russian)
		}
	}
	return text
}

// summary is what 1C is told of an import that is through, and whether it has
// failed: nothing could be read or taken, or the file ended early. Papers that
// were refused beside others are no failure, since 1C would send the others
// again and again; they are kept, and the line counts them.
func summary(r *store.ExchangeReport, err error) (message string, failed bool) {
	var said []string
	for _, kind := range []struct {
		name string
		c    store.ExchangeCounts
	}{{"заказы", r.Orders}, {"оплаты и отгрузки", r.Others}, {"контрагенты", r.Clients}} {
		if kind.c.New+kind.c.Changed+kind.c.Unchanged > 0 {
			said = append(said, fmt.Sprintf("%s: новых %d, изменено %d, без изменений %d", kind.name, kind.c.New, kind.c.Changed, kind.c.Unchanged))
		}
	}
	for _, rest := range []struct {
		what string
		n    int
	}{{"прочие документы", r.Notes}, {"отложено до выяснения", r.Kept()}} {
		if rest.n > 0 {
			said = append(said, fmt.Sprintf("%s: %d", rest.what, rest.n))
		}
	}
	if err != nil {
		why := cmp.Or(russianError(err), "внутренняя ошибка Intouch, подробности в его журнале; повторите обмен позже")
		if len(said) > 0 {
			why += "; загружено до ошибки: "
		}
		said = []string{why + strings.Join(said, "; ")}
	}
	if r.Refused() > 0 {
		refused := fmt.Sprintf("не принято: %d", r.Refused())
		if len(r.Faults) > 0 {
			refused += ", первое: " + r.Faults[0]
		}
		said = append(said, refused)
	}
	if len(said) == 0 {
		said = []string{"в файле нет заказов, загружать нечего"}
	}
	return oneLine(strings.Join(said, "; ")), err != nil || r.Refused() > 0 && r.Taken()+r.Kept() == 0
}
