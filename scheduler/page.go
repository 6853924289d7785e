package scheduler

import (
	"fmt"
	"html/template"
	"net/mail"
	"strings"
	"time"

	"intouch/mailer"
	"intouch/store"
)

// page is a mail in words: what the text and the HTML of it both say.
type page struct {
	Lang     store.Language
	Subject  string
	Title    string   // "Понедельник, 23 ноября"
	Summary  []string // "3 просрочено", "5 на сегодня", …
	Sections []section
	Advice   []string // what to do, under the sections
	Chart    *picture // above the figures, which say the same
	Figures  []figures
	Tables   []reportTable
	Notes    []string // under the figures and tables
	Open     link     // the calendar
	Why      []string // why it was sent, how to stop it
	Settings link
	Wide     bool          // for a table of many columns
	ReplyTo  *mail.Address // nil: the sender
	Files    []mailer.File

	// Whose mail it is: it can be answered then (compose.go), and turned off
	// when it has a kind. Manager 0 reads what nobody answers.
	Manager int64
	Kind    store.MailKind
	Reply   []string // how to answer by mail
	// Of an answer to a reply: the token of the mail that was replied to, which
	// this one may be replied to by as well, and what the header names.
	Token      string
	InReplyTo  string
	References []string
	Stop       link // turns this kind off
}

// reportTable is a report's table under a heading.
type reportTable struct {
	Title link
	About []string // the period and filters
	Chart *picture // above the table
	HTML  template.HTML
	Text  string // with its own heading
}

// section is a list under a coloured heading.
type section struct {
	Title string
	Count string
	Color string
	Rows  []row
	More  string // said when the list was cut
}

// row is one line of a section.
type row struct {
	When  string
	Title link
	High  string   // "важно" or ""
	Meta  []link   // client, deal, how late; URL may be ""
	Color string   // of When; "" as the text
	Facts []string // under it: what is worth knowing before one acts

	// What can be done about it: a target with the words of its links, a
	// store.MailLink's Do each. The number and the links come of compose.
	Target store.AnswerTarget
	Do     []string
	No     int
	Acts   []link
}

// The links of a row, few: the last one leads to a page with all.
var (
	doItem     = []string{"done", "tomorrow", "+1w", ""}
	doReminder = []string{"done", "+1h", "tomorrow", ""} // what comes in minutes is rather put off by an hour
	doLetter   = []string{"read", "tomorrow", ""}
	doSender   = []string{"client", ""}
	doMoved    = []string{""}
)

// link is a text that may lead somewhere.
type link struct{ Text, URL string }

// figures is one table: a heading, three columns, rows of a name and three
// values.
type figures struct {
	Title   string
	Columns [3]string
	Rows    []figure
}

type figure struct {
	Name   string
	Values [3]string
}

// Bounds of what strangers wrote, in runes.
const (
	longSubject = 140
	longName    = 80
)

// page says the digest in the manager's language and zone. Links lead to
// publicURL; without one there are none.
func (d *Digest) page(publicURL string) *page {
	loc := d.Manager.Location()
	today := store.DateOf(d.At, loc)
	w := writer{voice: voice{lang: d.Manager.Language, loc: loc, year: d.At.In(loc).Year()}, base: publicURL, at: d.At, today: today}
	p := &page{Lang: d.Manager.Language, Title: w.weekday(today) + ", " + w.date(today)}

	w.list(p, "overdue", store.StatusOverdue.Color(), len(d.Overdue), func(i int) row { return w.overdue(&d.Overdue[i]) })
	w.list(p, "today", store.StatusCurrent.Color(), len(d.Today), func(i int) row { return w.present(&d.Today[i]) })
	w.list(p, "returned", store.StatusPostponed.Color(), len(d.Returned), func(i int) row { return w.present(&d.Returned[i]) })
	w.list(p, "unanswered", "#1565C0", len(d.Unanswered), func(i int) row { return w.letter(&d.Unanswered[i]) })
	w.list(p, "senders", "#6A1B9A", len(d.Senders), func(i int) row { return w.sender(d.Senders[i]) })
	w.list(p, "moved", "#EF6C00", len(d.Moved), func(i int) row { return w.moved(&d.Moved[i]) })

	w.list(p, "unlinked", "#00695C", len(d.Unlinked), func(i int) row { return w.unlinked(&d.Unlinked[i]) })

	due := len(d.Today) + len(d.Returned)
	for _, part := range []struct {
		n    int
		noun string
		say  func(int, string) string
	}{
		{len(d.Overdue), "overdue", w.count}, {due, "today", w.count}, {len(d.Unanswered), "unanswered", w.atLeast},
		{len(d.Senders), "senders", w.atLeast}, {len(d.Moved), "moved", w.count}, {len(d.Unlinked), "unlinked", w.atLeast},
	} {
		if part.n > 0 {
			p.Summary = append(p.Summary, part.say(part.n, part.noun))
		}
	}
	p.Subject = "Intouch: " + strings.Join(p.Summary[:min(2, len(p.Summary))], ", ") + " — " + w.date(today)
	p.Subject = strings.ReplaceAll(p.Subject, "\u00a0", " ") // a subject is searched for, not laid out

	for i, per := range d.Periods {
		if t := w.figures([]string{"yesterday", "month"}[i], per); len(t.Rows) > 0 {
			p.Figures = append(p.Figures, t)
		}
	}
	if len(d.Periods) > 1 {
		p.Chart = pictureOf(w.chart("month", d.Periods[1]))
	}
	if len(p.Figures) > 0 {
		p.Notes = []string{w.t("estimate")}
		if d.answered() {
			p.Notes = append(p.Notes, w.t("working"))
		}
	}
	p.Open = link{w.t("open"), w.url("/")}
	p.Settings = link{w.t("setup"), w.url("/setup")}
	p.Why = []string{w.t("why", d.Manager.Login), w.t("stop")}
	p.Manager, p.Kind = d.Manager.ID, store.DigestMail
	return p
}

// writer says items as one manager reads them.
type writer struct {
	voice
	base  string
	at    time.Time
	today store.Date
}

func (w *writer) url(path string, args ...any) string {
	if w.base == "" {
		return ""
	}
	return w.base + fmt.Sprintf(path, args...)
}

// list adds a section of at most most rows, or nothing.
func (w *writer) list(p *page, title, color string, n int, row func(int) row) {
	if n == 0 {
		return
	}
	s := section{Title: w.t(title), Count: fmt.Sprint(n), Color: color}
	if n > most {
		s.More = w.t("more")
		if title == "unanswered" || title == "senders" || title == "unlinked" {
			s.Count = fmt.Sprintf("%d+", most)
		}
	}
	for i := range min(n, most) {
		s.Rows = append(s.Rows, row(i))
	}
	p.Sections = append(p.Sections, s)
}

func (w *writer) overdue(it *store.Item) row {
	r := w.item(it)
	r.When, r.Color = w.date(lastDay(it.When, w.loc)), store.StatusOverdue.Color()
	if !it.When.AllDay {
		r.When = w.date(store.DateOf(it.When.Start, w.loc)) + ", " + w.clock(it.When.Start)
	}
	late := w.age(w.at.Sub(it.When.Ends(w.loc)))
	if n := lastDay(it.When, w.loc).Days(w.today); n > 0 {
		late = w.count(n, "days")
	}
	r.Meta = append(r.Meta, link{Text: w.t("late", late)})
	return r
}

func (w *writer) present(it *store.Item) row {
	r := w.item(it)
	switch start, end := it.When.Start, it.When.End; {
	case it.When.AllDay:
		r.When = w.t("all day")
	case store.DateOf(start, w.loc) != w.today: // began before
		r.When = "…–" + w.clock(end)
	case !end.After(start):
		r.When = w.clock(start)
	case lastDay(it.When, w.loc) != w.today:
		r.When = w.clock(start) + "–…"
	default:
		r.When = w.clock(start) + "–" + w.clock(end)
	}
	return r
}

func (w *writer) clock(t time.Time) string { return t.In(w.loc).Format("15:04") }

// item is what all lists say of one: what, with whom, of which deal.
func (w *writer) item(it *store.Item) row {
	r := row{Target: it.Target(), Do: doItem}
	if it.Importance == store.High {
		r.High = w.t("high")
	}
	if it.Event != nil {
		r.Title = link{w.event(it), w.url("/deals/%d", it.Event.DealID)}
	} else {
		c := it.Contact
		kind := store.Word(w.lang, "kind."+string(c.Kind))
		r.Title = link{kind, w.url("/contacts/%d", c.ID)}
		if subject := mailer.OneLine(c.Subject, longSubject); len(subject) >= len(kind) && strings.EqualFold(subject[:len(kind)], kind) {
			r.Title.Text = subject // people write "Звонок …" themselves
		} else if subject != "" {
			r.Title.Text += ": " + subject
		}
	}
	if name := mailer.OneLine(it.ClientName, longName); name != "" && it.ClientID != 0 {
		r.Meta = append(r.Meta, link{name, w.url("/clients/%d", it.ClientID)})
	} else if it.Contact != nil && it.Contact.ClientText != "" {
		r.Meta = append(r.Meta, link{Text: mailer.OneLine(it.Contact.ClientText, longName)})
	}
	if it.Contact != nil && it.Deal != nil {
		r.Meta = append(r.Meta, link{w.t("deal", mailer.OneLine(it.Deal.Number, 40)), w.url("/deals/%d", it.Deal.ID)})
	}
	return r
}

// event is "Отгрузка, сделка № 14: 1 200,00 ₽".
func (w *writer) event(it *store.Item) string {
	s := store.Word(w.lang, "type."+string(it.Type))
	if it.Deal == nil {
		return s
	}
	sum := func(minor int64) string {
		return store.Money{Minor: minor, Currency: it.Deal.Amount.Currency}.Format(w.lang)
	}
	s += ", " + w.t("deal", mailer.OneLine(it.Deal.Number, 40)) + ": "
	if it.Event.Partly() {
		return s + w.t("partly", sum(it.Event.Amount-it.Event.Covered), sum(it.Event.Amount))
	}
	return s + sum(it.Event.Amount)
}

func (w *writer) subject(s string) string {
	if s = mailer.OneLine(s, longSubject); s == "" {
		return w.t("no subject")
	}
	return s
}

func (w *writer) letter(u *store.Unanswered) row {
	c := &u.Contact
	r := row{When: w.date(store.DateOf(c.When.Start, w.loc)), Title: link{w.subject(c.Subject), w.url("/contacts/%d", c.ID)}, Do: doLetter,
		Target: store.AnswerTarget{Item: store.ItemKey{ID: c.ID}, Version: c.Version}}
	if c.Importance == store.High {
		r.High = w.t("high")
	}
	for _, p := range c.Persons[:min(1, len(c.Persons))] {
		r.Meta = append(r.Meta, link{Text: mailer.OneLine(p.Name, longName)})
	}
	if c.ClientName != "" {
		r.Meta = append(r.Meta, link{mailer.OneLine(c.ClientName, longName), w.url("/clients/%d", c.ClientID)})
	}
	waiting := w.t("waiting", w.age(max(w.at.Sub(c.When.Start), 0)))
	if hours := int(u.Working.Hours()); hours > 0 {
		waiting += " (" + w.count(hours, "working hours") + ")"
	}
	r.Meta = append(r.Meta, link{Text: waiting})
	return r
}

func (w *writer) sender(s store.Sender) row {
	r := row{When: w.date(store.DateOf(s.Last, w.loc)), Title: link{Text: mailer.OneLine(s.Address, longName)}, Target: store.AnswerTarget{Sender: s.Address}, Do: doSender}
	if name := mailer.OneLine(s.Name, longName); name != "" && name != r.Title.Text {
		r.Title.Text = name
		r.Meta = append(r.Meta, link{Text: mailer.OneLine(s.Address, longName)})
	}
	r.Meta = append(r.Meta, link{Text: "«" + w.subject(s.Subject) + "»"})
	if w.lang != store.Russian {
		r.Meta[len(r.Meta)-1].Text = "“" + w.subject(s.Subject) + "”"
	}
	if s.Letters > 1 {
		r.Meta = append(r.Meta, link{Text: w.count(int(s.Letters), "letters")})
	}
	return r
}

// unlinked is an entry that leads to where its client is named.
func (w *writer) unlinked(c *store.Contact) row {
	r := row{When: w.date(store.DateOf(c.Created, w.loc)), Title: link{w.subject(c.Subject), w.url("/contacts/%d/register", c.ID)}}
	if !c.When.IsZero() {
		r.When = w.place(c.When)
	}
	r.Meta = []link{{w.t("name client"), r.Title.URL}}
	return r
}

func (w *writer) moved(it *store.Item) row {
	r := w.item(it)
	r.Do = doMoved
	r.When = w.t("moved to", w.date(it.Event.MovedFrom()), w.date(it.Event.Day()))
	return r
}

// figures of a period; rows in which all is zero are left out.
func (w *writer) figures(title string, p Period) figures {
	t := figures{Title: w.t(title)}
	for i, d := range []days{p.Now, p.Before, p.YearAgo} {
		t.Columns[i] = strings.ReplaceAll(w.stretch(d), "\u00a0", " ") // may break, else too wide for a phone
	}
	f := p.Figures
	add := func(key string, say func(int64) string, a, b, c int64) {
		if a|b|c != 0 {
			t.Rows = append(t.Rows, figure{w.t(key), [3]string{say(a), say(b), say(c)}})
		}
	}
	number := func(n int64) string { return fmt.Sprint(n) }
	add("letters in", number, f[0].LettersIn, f[1].LettersIn, f[2].LettersIn)
	add("letters out", number, f[0].LettersOut, f[1].LettersOut, f[2].LettersOut)
	add("calls", number, f[0].Calls, f[1].Calls, f[2].Calls)
	add("meetings", number, f[0].Meetings, f[1].Meetings, f[2].Meetings)
	add("others", number, f[0].Others, f[1].Others, f[2].Others)
	add("time spent", func(n int64) string { return fmt.Sprintf("%d:%02d", n/60, n%60) }, f[0].Minutes, f[1].Minutes, f[2].Minutes)
	a := p.Answers
	waits := func(key string, of func(*answers) int64) {
		say := func(i int) string {
			if a[i].First == 0 {
				return "–"
			}
			return fmt.Sprintf("%d:%02d", of(&a[i])/60, of(&a[i])%60)
		}
		if a[0].First+a[1].First+a[2].First > 0 {
			t.Rows = append(t.Rows, figure{w.t(key), [3]string{say(0), say(1), say(2)}})
		}
	}
	waits("median", func(a *answers) int64 { return a.Median })
	waits("slowest", func(a *answers) int64 { return a.Slowest })
	add("not answered", number, a[0].Unanswered, a[1].Unanswered, a[2].Unanswered)
	for _, kind := range []string{"payments", "shipments"} {
		sums := [3]map[string]int64{{}, {}, {}}
		var currencies []string
		for i := range f {
			list := f[i].Payments
			if kind == "shipments" {
				list = f[i].Shipments
			}
			for _, m := range list {
				if sums[0][m.Currency]|sums[1][m.Currency]|sums[2][m.Currency] == 0 {
					currencies = append(currencies, m.Currency)
				}
				sums[i][m.Currency] += m.Minor
			}
		}
		for _, c := range currencies { // never added up (rules.md section 6)
			add(kind, func(n int64) string { return store.Money{Minor: n, Currency: c}.Whole(w.lang) }, sums[0][c], sums[1][c], sums[2][c])
		}
	}
	return t
}
