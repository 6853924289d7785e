package main

import (
	"fmt"
	"math/rand/v2"
	"net/mail"
	"slices"
	"strings"
	"time"

	"intouch/store"
)

// What the demo's people write to each other: topics, and the letters made of
// them. In texts %I is an article, %N a number of an order, %K a quantity.

// topic is one exchange: what the client asks, what the manager answers, and
// what the client says then ("" for nothing).
type topic struct{ subject, ask, answer, thanks string }

var topicsRU = []topic{
	{"Заказ: %I", "Добрый день!\n\nНам нужны %I, %K шт. Сориентируйте, пожалуйста, по срокам и цене.", "Здравствуйте!\n\nЕсть на складе, отгрузим в течение трёх дней. Счёт пришлю сегодня до конца дня.", "Спасибо, счёт получили, оплатим завтра."},
	{"Когда ждать отгрузку по заказу %N?", "Здравствуйте.\n\nПодскажите, когда отгрузите заказ %N? Ждём к пятнице, у нас открытие.", "Добрый день!\n\nМашина выходит послезавтра утром, водитель позвонит за час.", ""},
	{"Акт сверки", "Добрый день.\n\nПришлите, пожалуйста, акт сверки за квартал. Бухгалтерия закрывает период.", "Здравствуйте!\n\nАкт подготовили, подписанный экземпляр отправим почтой. Расхождений с нашей стороны нет.", "Получили, сверили, всё сходится."},
	{"Не включается кофемашина", "Добрый день, вчера перестала включаться %I: горит красный индикатор. Нужен инженер как можно скорее.", "Здравствуйте!\n\nИнженер будет у вас завтра с 10 до 12. Пока, пожалуйста, не включайте машину в сеть.", "Инженер был, всё починил, спасибо за скорость!"},
	{"Прайс на следующий месяц", "Здравствуйте!\n\nПришлите, пожалуйста, прайс на следующий месяц. Интересуют прежде всего %I.", "Добрый день!\n\nЦены до конца квартала не меняются. При заказе от %K шт. даём скидку 5 %.", ""},
	{"Встреча на следующей неделе", "Добрый день!\n\nХотим обсудить договор на будущий год. Удобно ли вам во вторник после обеда?", "Здравствуйте!\n\nВо вторник в 15:00 буду у вас, захвачу образцы.", "Договорились, пропуск закажем."},
	{"Возврат по заказу %N", "Здравствуйте.\n\nВ заказе %N пришла не та позиция. Фото приложим отдельным письмом. Как оформить возврат?", "Добрый день!\n\nПриносим извинения, заменим за наш счёт. Накладную на возврат пришлю сегодня.", ""},
	{"Отсрочка платежа", "Добрый день.\n\nПросим отсрочку по заказу %N на две недели: ждём оплату от своего заказчика.", "Здравствуйте!\n\nСогласовали отсрочку на 10 дней. Дополнительное соглашение пришлю до обеда.", "Благодарим, подпишем сегодня."},
	{"Обучение бариста", "Здравствуйте!\n\nВышли две новые сотрудницы. Можно ли записать их на обучение?", "Добрый день!\n\nБлижайшая группа в четверг в 11:00. Записать обеих?", "Да, записывайте, пожалуйста."},
}

var topicsEN = []topic{
	{"Order: %I", "Hello,\n\nWe would like to order %I, quantity %K. Could you confirm price and delivery time?", "Hi,\n\nIt is in stock; we can deliver within three working days. The invoice follows this afternoon.", "Invoice received, we will pay tomorrow. Thanks!"},
	{"Delivery date for order %N", "Hi,\n\nWhen can we expect order %N? We open the new site on Friday.", "Hello,\n\nThe van leaves on Wednesday morning. The driver will ring an hour ahead.", ""},
	{"Statement of account", "Hello,\n\nPlease send us a statement for the quarter, our accountants are closing the period.", "Hi,\n\nStatement attached. Everything is settled on our side.", "All agreed, thank you."},
	{"Machine will not start", "Hello,\n\nOur %I shows a red light and does not heat. Can an engineer come soon?", "Hi,\n\nAn engineer will be with you tomorrow between 10 and 12. Please keep the machine unplugged until then.", "Fixed within the hour. Great service!"},
	{"Prices for next month", "Hi,\n\nCould you send next month's price list? We are mostly interested in %I.", "Hello,\n\nPrices stay as they are until the end of the quarter; from %K pieces there is a 5 % discount.", ""},
	{"Meeting next week", "Hello,\n\nWe would like to talk about next year's contract. Would Tuesday afternoon suit you?", "Hi,\n\nTuesday at 3 pm works. I will bring samples.", "Perfect, see you then."},
}

// correspondence writes letters between the company and its clients.
type correspondence struct {
	c      *company
	rng    *rand.Rand
	number int
	// name makes the message ids of this writer unlike those of others.
	name string
}

// addressed is a letter and where it lies.
type addressed struct {
	login, folder string
	letter        *letter
}

func (w *correspondence) id(domain string) string {
	w.number++
	return fmt.Sprintf("<%s.%05d@%s>", w.name, w.number, domain)
}

func (w *correspondence) topics(lang store.Language) []topic {
	if lang == store.English {
		return topicsEN
	}
	return topicsRU
}

// fill puts articles and numbers into a topic.
func (w *correspondence) fill(t topic, lang store.Language) topic {
	g := demoGoods[w.rng.IntN(len(demoGoods))]
	item := g.ru
	if lang == store.English {
		item = g.en
	}
	r := strings.NewReplacer("%I", item, "%N", fmt.Sprintf("ЗК-%04d", 1200+w.rng.IntN(demoDeals)), "%K", fmt.Sprint(2+w.rng.IntN(20)))
	return topic{r.Replace(t.subject), r.Replace(t.ask), r.Replace(t.answer), r.Replace(t.thanks)}
}

func (p demoPerson) mail() mail.Address  { return mail.Address{Name: p.Name, Address: p.Email} }
func (m demoManager) mail() mail.Address { return mail.Address{Name: m.Name, Address: m.address()} }
func (m demoManager) signature() string  { return m.Name + "\n" + demoName }
func (p demoPerson) signature(cl demoClient) string {
	return p.Name + "\n" + p.Position + ", " + cl.Name + "\n" + p.Phone
}

// ask is a client's letter to its manager.
func (w *correspondence) ask(cl demoClient, date time.Time) (*letter, topic) {
	p := cl.Persons[w.rng.IntN(len(cl.Persons))]
	t := w.fill(w.topics(cl.Language)[w.rng.IntN(len(w.topics(cl.Language)))], cl.Language)
	form := letterForm(w.rng.IntN(int(htmlOnly) + 1))
	if cl.Language == store.English && (form == plainKOI8R || form == plainCP1251) {
		form = plainQP
	}
	l := &letter{
		From: p.mail(), To: []mail.Address{cl.Manager.mail()}, Subject: t.subject, Date: date,
		MessageID: w.id(cl.Domain), Form: form, Text: t.ask + "\n\n-- \n" + p.signature(cl),
	}
	if w.number%11 == 0 {
		l.Attachment = "request.pdf"
	}
	return l, t
}

// thread is a whole exchange that began at date, as far as it has come by now.
func (w *correspondence) thread(cl demoClient, date, now time.Time) []addressed {
	first, t := w.ask(cl, date)
	m, russian := cl.Manager, cl.Language == store.Russian
	out := []addressed{{m.Login, "INBOX", first}}
	if w.number%4 == 3 { // nobody answered
		return out
	}
	answerAt := date.Add(time.Duration(20+w.rng.IntN(300)) * time.Minute)
	if answerAt.After(now) {
		return out
	}
	answer := first.reply(m.mail(), answerAt, w.id(demoDomain), t.answer, m.signature(), russian)
	out = append(out, addressed{m.Login, "Sent", answer})
	thanksAt := answerAt.Add(time.Duration(30+w.rng.IntN(1000)) * time.Minute)
	if t.thanks == "" || thanksAt.After(now) {
		return out
	}
	person := cl.Persons[slices.IndexFunc(cl.Persons, func(p demoPerson) bool { return p.Email == first.From.Address })]
	thanks := answer.reply(first.From, thanksAt, w.id(cl.Domain), t.thanks, person.signature(cl), russian)
	return append(out, addressed{m.Login, "INBOX", thanks})
}

// noise is what a mailbox also holds: newsletters, strangers, colleagues,
// absences.
func (w *correspondence) noise(m demoManager, date time.Time) addressed {
	kind := w.rng.IntN(4)
	l := &letter{To: []mail.Address{m.mail()}, Date: date}
	switch kind {
	case 0:
		l.From = mail.Address{Name: "HoReCa Weekly", Address: "news@horeca-weekly.test"}
		l.Subject, l.Text, l.Form = "Тренды недели: лёд, тоник, эспрессо", "Главные новости рынка за неделю.\n\nОтписаться: https://horeca-weekly.test/u", htmlOnly
		l.Headers = []string{"List-Id: <weekly.horeca-weekly.test>", "List-Unsubscribe: <https://horeca-weekly.test/u>", "Precedence: bulk"}
	case 1:
		name, mailbox, _ := strings.Cut(demoNamesRU[w.rng.IntN(len(demoNamesRU))], "|")
		l.From = mail.Address{Name: name, Address: fmt.Sprintf("%s@novoe-delo%d.test", mailbox, 1+w.rng.IntN(4))}
		l.Subject, l.Text, l.Form = "Хотим стать вашими клиентами", "Здравствуйте!\n\nНашли вас на выставке. Открываем две кофейни, пришлите, пожалуйста, условия и прайс.\n\n-- \n"+name, plainBase64
	case 2:
		from := demoManagers[w.rng.IntN(len(demoManagers))]
		l.From = from.mail()
		l.Subject, l.Text = "Планёрка переносится", "Коллеги, планёрка сегодня в 17:00.\n\n-- \n"+from.signature()
	default:
		cl := w.c.clients[w.rng.IntN(len(w.c.clients))]
		l.From = cl.Persons[0].mail()
		l.Subject, l.Text, l.Form = "Автоответ: нет на месте", "Меня нет в офисе до понедельника. По срочным вопросам звоните в приёмную.", plainQP
		l.Headers = []string{"Auto-Submitted: auto-replied"}
	}
	_, domain, _ := strings.Cut(l.From.Address, "@")
	l.MessageID = w.id(domain)
	return addressed{m.Login, "INBOX", l}
}

// past are the letters of the last months up to now, each folder in the order
// of time.
func (w *correspondence) past(now time.Time) []addressed {
	const exchanges, noises, days = 110, 50, 90
	var all []addressed
	for i := range exchanges {
		// The newest weeks are the fullest.
		age := time.Duration(float64(days*24*60)*square(float64(exchanges-i)/exchanges)) * time.Minute
		date := workingHour(now.Add(-age-2*time.Hour), w.rng)
		if date.After(now) {
			date = now.Add(-3 * time.Hour)
		}
		all = append(all, w.thread(w.c.clients[w.rng.IntN(len(w.c.clients))], date, now)...)
	}
	for range noises {
		date := workingHour(now.Add(-time.Duration(2*60+w.rng.IntN(days*24*60))*time.Minute), w.rng)
		all = append(all, w.noise(demoManagers[w.rng.IntN(len(demoManagers))], date))
	}
	slices.SortStableFunc(all, func(a, b addressed) int { return a.letter.Date.Compare(b.letter.Date) })
	return all
}

// next is one letter that arrives now: mostly a client's, at times noise.
func (w *correspondence) next(now time.Time) addressed {
	if w.rng.IntN(5) == 0 {
		return w.noise(demoManagers[w.rng.IntN(len(demoManagers))], now)
	}
	cl := w.c.clients[w.rng.IntN(len(w.c.clients))]
	l, _ := w.ask(cl, now)
	return addressed{cl.Manager.Login, "INBOX", l}
}

// workingHour moves a moment into a working day's hours.
func workingHour(t time.Time, rng *rand.Rand) time.Time {
	t = time.Date(t.Year(), t.Month(), t.Day(), 6+rng.IntN(8), rng.IntN(60), rng.IntN(60), 0, time.UTC)
	for t.Weekday() == time.Saturday || t.Weekday() == time.Sunday {
		t = t.AddDate(0, 0, -1)
	}
	return t
}

func square(x float64) float64 { return x * x }
