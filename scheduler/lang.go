package scheduler

import (
	"fmt"
	"strings"
	"time"

	"intouch/store"
)

// texts are what people read in our mails, {ru, en}.
var texts = store.Texts{
	"overdue":    {"Просрочено", "Overdue"},
	"today":      {"На сегодня", "Today"},
	"returned":   {"Отложено на сегодня", "Postponed until today"},
	"unanswered": {"Письма клиентов без ответа", "Client letters without an answer"},
	"senders":    {"Вам написали новые люди", "New people wrote to you"},
	"moved":      {"Перенесённые сроки по сделкам", "Deal dates that moved"},

	"unlinked":    {"События календаря без клиента", "Calendar entries without a client"},
	"name client": {"указать клиента", "name the client"},

	"all day":      {"весь день", "all day"},
	"no subject":   {"(без темы)", "(no subject)"},
	"high":         {"важно", "important"},
	"deal":         {"сделка № %s", "deal %s"},
	"moved to":     {"%s → %s", "%s → %s"},
	"waiting":      {"ждёт %s", "waiting %s"},
	"late":         {"просрочено на %s", "%s overdue"},
	"more":         {"…и это не всё: остальное в календаре", "…and more: see the calendar"},
	"under a hour": {"меньше часа", "less than an hour"},
	"partly":       {"осталось %s из %s", "%s of %s left"},

	"contacts":     {"Контакты", "Contacts"},
	"letters in":   {"Входящие письма", "Letters in"},
	"letters out":  {"Исходящие письма", "Letters out"},
	"calls":        {"Звонки", "Calls"},
	"meetings":     {"Встречи и визиты", "Meetings and visits"},
	"others":       {"Прочие контакты", "Other contacts"},
	"time spent":   {"Время*", "Time spent*"},
	"payments":     {"Оплачено", "Paid"},
	"shipments":    {"Отгружено", "Shipped"},
	"median":       {"Первый ответ**", "First response**"},
	"slowest":      {"90 % ответов за**", "90 % answered in**"},
	"not answered": {"Без ответа", "Unanswered"},
	"working":      {"** В рабочих часах: половина первых ответов и девять из десяти даны не позже.", "** In working hours: half of the first responses, and nine of ten, came no later."},
	"estimate":     {"* Время на письма — оценка.", "* Time spent on letters is an estimate."},

	"yesterday": {"Вчера", "Yesterday"},
	"month":     {"С начала месяца", "Month to date"},

	"unread box":   {"Ящик «%s» не читается", "Mailbox “%s” cannot be read"},
	"unread since": {"ящик «%s» не читается с %s", "mailbox “%s” cannot be read since %s"},
	"nothing lost": {"Новые письма пока не становятся контактами. Они не потеряны: Intouch прочтёт их, как только ящик откроется.", "New letters do not become contacts for now. They are not lost: Intouch reads them as soon as the mailbox opens."},
	"not read":     {"Не читаются", "Not read"},
	"since":        {"с %s", "since %s"},
	"last read":    {"последний раз прочитан %s", "last read %s"},
	"never read":   {"ещё ни разу не прочитан", "never read yet"},
	"error":        {"ошибка: %s", "error: %s"},
	"log in anew":  {"войти заново: %s", "log in anew: %s"},
	"more boxes":   {"…и это не всё: остальные на странице состояния", "…and more: see the status page"},
	"new password": {"Если пароль ящика сменился, администратор вписывает новый в настройки Intouch; перезапуск не нужен, когда пароль лежит в файле.", "If the password of the mailbox has changed, the administrator puts the new one into the settings of Intouch; no restart is needed when it lies in a file."},
	"check online": {"Что не так и когда всё снова в порядке, говорит команда «intouchd check --online».", "The command “intouchd check --online” says what is wrong, and when all is well again."},
	"open status":  {"Открыть страницу состояния", "Open the status page"},
	"why told":     {"Вы получили это письмо, потому что это ваш ящик или ваше письмо либо вы отвечаете за Intouch.", "You get this because it is your mailbox or your mail, or because you are in charge of Intouch."},
	"told daily":   {"Пока это не исправлено, напоминание приходит раз в сутки, и ещё одно письмо — когда всё снова в порядке.", "Until it is mended a reminder comes once a day, and one more mail when all is well again."},

	"to mend":       {"Нужно исправить", "To be mended"},
	"is over":       {"Снова в порядке", "Well again"},
	"told on":       {"сообщалось %s", "told on %s"},
	"outbox stuck":  {"Исходящая почта стоит: ждёт %s", "Outgoing mail is stuck: %s waiting"},
	"mail refused":  {"Почта для %s не доставлена", "Mail to %s was not delivered"},
	"disk low":      {"На диске осталось %d МБ", "The disk has %d MB left"},
	"backup failed": {"Резервная копия не сделана", "The backup failed"},
	"box reads":     {"Ящик «%s» снова читается", "Mailbox “%s” is read again"},
	"outbox goes":   {"Исходящая почта снова уходит", "Outgoing mail leaves again"},
	"mail arrives":  {"Почта для %s снова доставляется", "Mail to %s is delivered again"},
	"disk has room": {"На диске снова есть место", "The disk has room again"},
	"backup made":   {"Резервная копия снова сделана", "The backup was made again"},
	"see refused":   {"Недоставленные письма показывает команда «intouchd outbox list --state failed», снова отправляет «intouchd outbox retry».", "The command “intouchd outbox list --state failed” shows what was not delivered, “intouchd outbox retry” sends it again."},
	"make room":     {"Когда места не останется, новые письма и записи не сохранятся: освободите место там, где лежит база.", "When no room is left, new letters and records cannot be stored: make room where the database is."},
	"back up again": {"После исправления копию делает «intouchd job backups».", "When that is mended, “intouchd job backups” makes one."},

	"upcoming":       {"Предстоит", "Coming up"},
	"in":             {"через %s", "in %s"},
	"now":            {"сейчас", "now"},
	"began":          {"уже началось", "has begun"},
	"tomorrow":       {"завтра", "tomorrow"},
	"on today":       {"сегодня", "today"},
	"class":          {"класс %s", "class %s"},
	"owes":           {"долг %s", "owes %s"},
	"last contact":   {"Последний контакт: %s", "Last contact: %s"},
	"left to ship":   {"осталось отгрузить %s", "%s left to ship"},
	"left to pay":    {"осталось оплатить %s", "%s left to pay"},
	"why remind":     {"Вы получили это письмо, потому что вы менеджер в Intouch (%s) и у этих дел подошло время напоминания.", "You get this because you are a manager in Intouch (%s), and it is time to be reminded of this."},
	"stop remind":    {"Когда напоминать и присылать ли письма, задаётся на странице «Напоминания».", "When you are reminded, and whether by mail, is set on the page “Reminders”."},
	"setup remind":   {"Напоминания", "Reminders"},
	"congratulate":   {"Поздравить с днём рождения: %s", "Birthday: %s"},
	"stage worse":    {"Позвонить: клиент был «%s», стал «%s»", "Call: the client was “%s” and has become “%s”"},
	"not in touch":   {"Позвонить: без контакта %s", "Call: no contact for %s"},
	"never in touch": {"Позвонить: контактов ещё не было", "Call: there has been no contact yet"},
	"why cadence":    {"Запланировано Intouch: с этим клиентом давно не общались. Если звонок не нужен, отмените его: следующий будет запланирован не раньше, чем снова пройдёт этот срок.", "Planned by Intouch: nobody has been in touch with this client for long. If no call is needed, cancel it: the next one is not planned before as much time has passed again."},
	"why birthday":   {"Запланировано Intouch ко дню рождения контактного лица.", "Planned by Intouch for the birthday of a contact person."},
	"why worsened":   {"Запланировано Intouch: стадия отношений с клиентом ухудшилась.", "Planned by Intouch: the stage of this client has gone down."},

	"nightly":          {"Отчёт за %s", "Report on %s"},
	"failures":         {"Ящики, которые не читаются", "Mailboxes that cannot be read"},
	"failed jobs":      {"Не выполнено по расписанию", "Jobs that failed"},
	"failed mails":     {"Письма, которые не удалось отправить", "Mails that could not be sent"},
	"worsened":         {"Отношения ухудшились", "Relationships that worsened"},
	"improved":         {"Отношения улучшились", "Relationships that improved"},
	"performance":      {"Показатели менеджеров с начала месяца", "Managers' performance, month to date"},
	"current deals":    {"Текущие сделки", "Current deals"},
	"cannot be made":   {"Сохранённый отчёт «%s» построить нельзя: %s", "The saved report “%s” cannot be made: %s"},
	"open reports":     {"Открыть отчёты", "Open the reports"},
	"why nightly":      {"Вы получили это письмо, потому что вы руководитель в Intouch (%s): ночной отчёт приходит по расписанию, если есть о чём сообщить.", "You get this because you are a head in Intouch (%s): the nightly report comes on schedule when there is something to tell."},
	"stop nightly":     {"Время меняет администратор Intouch; отказаться от него и вернуть его можно самому.", "Its time is set by the administrator of Intouch; you can turn it off and on again yourself."},
	"job replies":      {"ответы на ответы по почте", "answers to replies by mail"},
	"job digest":       {"утренняя сводка", "morning digest"},
	"job nightly":      {"ночной отчёт", "nightly report"},
	"job reports":      {"сохранённый отчёт", "saved report"},
	"job reminders":    {"напоминания", "reminders"},
	"job classify":     {"классификация", "classification"},
	"job addressbooks": {"адресные книги", "address books"},
	"job statuses":     {"статусы", "statuses"},
	"job alerts":       {"неполадки", "problems"},
	"job backups":      {"резервная копия", "backup"},

	"file":                 {"Приложен файл %s.", "The file %s is attached."},
	"file too large":       {"Файл %s слишком велик для письма: скачайте его на странице отчёта.", "The file %s is too large for a mail: download it from the page of the report."},
	"report failed":        {"Сохранённый отчёт «%s» построить нельзя", "The saved report “%s” cannot be made"},
	"report failed advice": {"Он никому не отправлен. Измените отчёт или удалите его, чтобы это письмо больше не приходило.", "It was sent to nobody. Change the report, or delete it, and this mail does not come any more."},
	"open report":          {"Открыть отчёт", "Open the report"},
	"saved reports":        {"Сохранённые отчёты", "Saved reports"},
	"why own report":       {"Вы получили это письмо, потому что сохранили отчёт «%s» с рассылкой: там же её можно изменить или остановить.", "You get this because you saved the report “%s” to be mailed: it is changed or stopped there, too."},
	"why report":           {"Этот отчёт по своему расписанию присылает %s: в нём то, что доступно отправителю.", "%s has this report sent to you on a schedule: it holds what the sender may see."},
	"stop report":          {"Чтобы не получать его, ответьте на это письмо: ответ получит %s.", "To stop it, answer this mail: the answer goes to %s."},
	"replied":              {"Выполнено: %d", "Done: %d"},
	"replied in part":      {"Выполнено: %d, не выполнено: %d", "Done: %d, not done: %d"},
	"reply done":           {"Выполнено", "Done"},
	"reply not done":       {"Не выполнено", "Not done"},
	"number":               {"№ %d", "No. %d"},
	"replied done":         {"отмечено как сделанное", "marked as done"},
	"replied read":         {"отмечено: ответ не нужен", "marked: no answer needed"},
	"replied move":         {"перенесено: %s", "moved to %s"},
	"replied plan":         {"ответ запланирован", "an answer is planned"},
	"replied cancel":       {"отменено", "cancelled"},
	"replied note":         {"заметка добавлена", "the note is added"},
	"replied client":       {"теперь это клиент", "is a client now"},
	"replied source":       {"источник записан", "the lead source is set"},
	"reply stale":          {"тем временем изменено (теперь: %s), поэтому ничего не сделано. Ответьте так же ещё раз, чтобы всё-таки сделать", "changed meanwhile (now: %s), so nothing was done. Reply the same once more to do it all the same"},
	"reply gone":           {"этого больше нет, или это больше не ваше", "gone, or no longer yours"},
	"reply refused":        {"так изменить нельзя", "cannot be changed in that way"},
	"reply unclear":        {"не понято: «%s»", "not understood: “%s”"},
	"reply empty":          {"в ответе нет текста", "the reply has no text"},
	"reply late":           {"Письмо старше 30 дней: отвечать на него уже нельзя. Ничего не сделано.", "The mail is more than 30 days old and cannot be answered any more. Nothing was done."},
	"reply words":          {"Понимаются: «готово», «отмена», «+2d», «+1w», «завтра», «понедельник», «25.11», «завтра 10:00», «клиент Название», «источник: Выставка». Если в письме несколько записей, назовите номер: «1 готово, 3 +2d». Любой другой текст после номера станет заметкой.", "Understood are: “done”, “cancel”, “+2d”, “+1w”, “tomorrow”, “monday”, “2026-11-25”, “tomorrow 10:00”, “client Name”, “source: Expo”. Where the mail has several items, give the number: “1 done, 3 +2d”. Any other text after a number becomes a note."},
	"why reply":            {"Это ответ Intouch на ваше письмо.", "This is Intouch's answer to your mail."},

	"act done":     {"Сделано", "Done"},
	"act read":     {"Ответ не нужен", "No answer needed"},
	"act +1h":      {"+1 час", "+1 hour"},
	"act tomorrow": {"Завтра", "Tomorrow"},
	"act +1w":      {"+1 неделя", "+1 week"},
	"act client":   {"Сделать клиентом", "Make a client"},
	"act ":         {"Ещё…", "More…"},
	"reply one":    {"Можно просто ответить на это письмо: «готово», «+2d», «завтра 10:00», «отмена»; любой другой текст станет заметкой.", "You can simply reply to this mail: “done”, “+2d”, “tomorrow 10:00”, “cancel”; any other text becomes a note."},
	"reply many":   {"Можно просто ответить на это письмо, назвав номера: «1 готово, 3 +2d», «2: завтра 10:00», «4 отмена»; любой другой текст после номера станет заметкой.", "You can simply reply to this mail with the numbers: “1 done, 3 +2d”, “2: tomorrow 10:00”, “4 cancel”; any other text after a number becomes a note."},
	"stop link":    {"Больше не присылать", "Do not send this any more"},

	"open":   {"Открыть календарь", "Open the calendar"},
	"why":    {"Вы получили это письмо, потому что вы менеджер в Intouch (%s): утренняя сводка приходит по расписанию, если есть о чём сообщить.", "You get this because you are a manager in Intouch (%s): the morning digest comes on schedule when there is something to tell."},
	"stop":   {"Время меняет администратор Intouch; отказаться от неё и вернуть её можно самому.", "Its time is set by the administrator of Intouch; you can turn it off and on again yourself."},
	"setup":  {"Ваши настройки", "Your settings"},
	"digest": {"Утренняя сводка", "Morning digest"},
}

// nouns in their forms: Russian one, few, many; English one, many.
var nouns = map[string][5]string{
	"overdue":       {"просрочено", "просрочено", "просрочено", "overdue", "overdue"},
	"today":         {"на сегодня", "на сегодня", "на сегодня", "today", "today"},
	"unanswered":    {"письмо без ответа", "письма без ответа", "писем без ответа", "unanswered letter", "unanswered letters"},
	"senders":       {"новый отправитель", "новых отправителя", "новых отправителей", "new sender", "new senders"},
	"moved":         {"срок перенесён", "срока перенесено", "сроков перенесено", "date moved", "dates moved"},
	"failures":      {"сбой", "сбоя", "сбоев", "failure", "failures"},
	"changes":       {"изменение стадии", "изменения стадии", "изменений стадии", "change of stage", "changes of stage"},
	"deals":         {"сделка", "сделки", "сделок", "deal", "deals"},
	"payments":      {"оплата", "оплаты", "оплат", "payment", "payments"},
	"shipments":     {"отгрузка", "отгрузки", "отгрузок", "shipment", "shipments"},
	"unlinked":      {"событие без клиента", "события без клиента", "событий без клиента", "entry without a client", "entries without a client"},
	"working hours": {"рабочий час", "рабочих часа", "рабочих часов", "working hour", "working hours"},
	"days":          {"день", "дня", "дней", "day", "days"},
	"years":         {"год", "года", "лет", "year", "years"},
	"hours":         {"час", "часа", "часов", "hour", "hours"},
	"minutes":       {"минуту", "минуты", "минут", "minute", "minutes"},
	"reminders":     {"напоминание", "напоминания", "напоминаний", "reminder", "reminders"},
	"boxes":         {"ящик не читается", "ящика не читаются", "ящиков не читаются", "mailbox cannot be read", "mailboxes cannot be read"},
	"problems":      {"неполадка", "неполадки", "неполадок", "problem", "problems"},
	"over":          {"неполадка устранена", "неполадки устранены", "неполадок устранено", "problem is over", "problems are over"},
	"letters":       {"письмо", "письма", "писем", "letter", "letters"},
}

var weekdays = [2][7]string{
	{"Воскресенье", "Понедельник", "Вторник", "Среда", "Четверг", "Пятница", "Суббота"},
	{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"},
}

// voice says things as one manager reads them.
type voice struct {
	lang store.Language
	loc  *time.Location
	year int // the present one, which dates leave out
}

func (v voice) t(key string, args ...any) string { return texts.Say(v.lang, key, args...) }

// count is a number with its noun.
func (v voice) count(n int, noun string) string {
	f := nouns[noun]
	if v.lang == store.Russian {
		return fmt.Sprintf("%d\u00a0%s", n, store.Plural(v.lang, int64(n), f[0], f[1], f[2]))
	}
	return fmt.Sprintf("%d\u00a0%s", n, store.Plural(v.lang, int64(n), f[3], f[4], f[4]))
}

// atLeast is count where only most and one more were read.
func (v voice) atLeast(n int, noun string) string {
	if n <= most {
		return v.count(n, noun)
	}
	return strings.Replace(v.count(most, noun), fmt.Sprint(most), fmt.Sprintf("%d+", most), 1)
}

// date is "23 ноября" or "23 November", with the year when it is another.
func (v voice) date(d store.Date) string {
	t, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return ""
	}
	s := fmt.Sprintf("%d\u00a0%s", t.Day(), store.MonthOfDay(v.lang, t.Month()))
	if t.Year() != v.year {
		s += fmt.Sprintf("\u00a0%d", t.Year())
	}
	return s
}

// stretch is "22 ноября" or "1–22 ноября".
func (v voice) stretch(d days) string {
	if d.First == d.Last || d.First[:7] != d.Last[:7] {
		return v.date(d.Last)
	}
	t, _ := time.Parse(time.DateOnly, string(d.First))
	return fmt.Sprintf("%d–%s", t.Day(), v.date(d.Last))
}

func (v voice) weekday(d store.Date) string {
	t, _ := time.Parse(time.DateOnly, string(d))
	return weekdays[v.lang.Index()][t.Weekday()]
}

// age is "3 дня", "5 часов" or "меньше часа".
func (v voice) age(d time.Duration) string {
	switch hours := int(d.Hours()); {
	case hours >= 48:
		return v.count(hours/24, "days")
	case hours >= 1:
		return v.count(hours, "hours")
	}
	return v.t("under a hour")
}
