package main

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"intouch/store"
)

// The demo's company. Everything is made up and the same on every machine,
// except that it is told from the day of its making.

const (
	demoName   = "Vector LLC"
	demoDomain = "vector.test"
)

// demoManager is one of the five who work here.
type demoManager struct {
	Login, Name, Role, Zone string
	Language                store.Language
}

func (m demoManager) address() string { return m.Login + "@" + demoDomain }

// demoManagers: the first is the head, whose login the demo prints.
var demoManagers = []demoManager{
	{"olga", "Ольга Смирнова", "head", "Europe/Moscow", store.Russian},
	{"anna", "Анна Петрова", "manager", "Europe/Moscow", store.Russian},
	{"dmitry", "Дмитрий Волков", "manager", "Asia/Yekaterinburg", store.Russian},
	{"maria", "Мария Козлова", "manager", "Europe/Moscow", store.Russian},
	{"james", "James Carter", "manager", "Europe/London", store.English},
}

// demoClient is a client with its two persons.
type demoClient struct {
	ID, Name, Domain, Segment string
	Importance                store.Importance
	Manager                   demoManager
	Language                  store.Language
	Persons                   []demoPerson
}

type demoPerson struct {
	ID, Name, Position, Email, Phone string
	Birthday                         store.Date
}

// company is all of it, before it is written anywhere.
type company struct {
	today   time.Time // noon of the day it is told from, UTC
	rng     *rand.Rand
	clients []demoClient
	files   []demoFile // in the order in which they are imported
}

// demoFile is a CSV file as accounting would give it.
type demoFile struct {
	kind string // of import
	csv  []byte
}

var demoClientsRU = [][3]string{ // name, domain, segment
	{"ООО «Северный ветер»", "severveter.test", "кофейни"},
	{"ООО «Кофейный дом»", "kofedom.test", "кофейни"},
	{"АО «Уралдеталь»", "uraldetal.test", "производство"},
	{"ООО «Гостиница Онега»", "onega-hotel.test", "гостиницы"},
	{"ИП Савельев К. А.", "saveliev.test", "кофейни"},
	{"ООО «Пекарня №1»", "pekarnya1.test", "пекарни"},
	{"ООО «Бизнес-центр Парус»", "bc-parus.test", "офисы"},
	{"АО «Волга Банк»", "volgabank.test", "офисы"},
	{"ООО «Тёплый хлеб»", "tepliyhleb.test", "пекарни"},
	{"ООО «Санаторий Бор»", "sanbor.test", "гостиницы"},
	{"ООО «Техноснаб»", "tehnosnab.test", "производство"},
	{"ООО «Ресторан Маяк»", "mayak-rest.test", "рестораны"},
	{"ООО «Логистика Плюс»", "logplus.test", "офисы"},
	{"ООО «Книжный двор»", "knigodvor.test", "розница"},
	{"ИП Ахметова Г. Р.", "ahmetova.test", "кофейни"},
	{"ООО «Студия Линия»", "linia-studio.test", "офисы"},
	{"АО «Приволжские сети»", "privseti.test", "производство"},
	{"ООО «Арт-кафе Палитра»", "palitra-cafe.test", "рестораны"},
	{"ООО «Клиника Здравие»", "zdravie.test", "офисы"},
	{"ООО «Кинотеатр Заря»", "kinozarya.test", "розница"},
	{"ООО «Аэропорт Сервис»", "aeroservice.test", "розница"},
	{"ООО «Столовая на Лесной»", "lesnaya.test", "рестораны"},
	{"ООО «Фитнес Атлант»", "atlantfit.test", "розница"},
	{"ООО «Дом быта Весна»", "vesna-byt.test", "розница"},
	{"АО «НИИ Прогресс»", "nii-progress.test", "производство"},
	{"ООО «Сеть АЗС Вектор-Ойл»", "azs-vo.test", "розница"},
	{"ООО «Коворкинг Точка»", "tochka-cw.test", "офисы"},
	{"ООО «Загородный клуб Сосны»", "sosny-club.test", "гостиницы"},
}

var demoClientsEN = [][3]string{
	{"Harbour Coffee Ltd", "harbourcoffee.test", "cafés"},
	{"Bright & Co Solicitors", "brightco.test", "offices"},
	{"Northgate Hotel", "northgatehotel.test", "hotels"},
	{"Millstone Bakery", "millstone.test", "bakeries"},
	{"Riverside Clinic", "riversideclinic.test", "offices"},
	{"Alder Books", "alderbooks.test", "retail"},
	{"Copper Kettle Cafés", "copperkettle.test", "cafés"},
	{"Fenwick Logistics", "fenwick.test", "offices"},
	{"The Old Mill Inn", "oldmillinn.test", "hotels"},
	{"Kestrel Software", "kestrelsoft.test", "offices"},
	{"Seaview Catering", "seaviewcatering.test", "restaurants"},
	{"Orchard Primary Trust", "orchardtrust.test", "offices"},
}

var demoNamesRU = []string{
	"Иван Соколов|sokolov", "Елена Морозова|morozova", "Сергей Лебедев|lebedev", "Наталья Кузнецова|kuznetsova", "Алексей Новиков|novikov",
	"Татьяна Фёдорова|fedorova", "Павел Орлов|orlov", "Юлия Макарова|makarova", "Виктор Зайцев|zaitsev", "Ирина Павлова|pavlova",
	"Роман Беляев|belyaev", "Оксана Тарасова|tarasova", "Максим Жуков|zhukov", "Людмила Комарова|komarova", "Артём Киселёв|kiselev",
	"Светлана Ильина|ilina", "Денис Гусев|gusev", "Марина Титова|titova", "Григорий Крылов|krylov", "Алина Осипова|osipova",
}

var demoNamesEN = []string{
	"Emma Walsh|walsh", "Oliver Reed|reed", "Sophie Turner|turner", "Harry Lowe|lowe", "Grace Miller|miller", "Daniel Hughes|hughes",
	"Lucy Barnes|barnes", "Thomas Grant|grant", "Amelia Ford|ford", "George Stone|stone", "Chloe Webb|webb", "Samuel Price|price",
}

var (
	demoPositionsRU = []string{"директор", "менеджер по закупкам", "управляющий", "бухгалтер", "офис-менеджер", "главный инженер"}
	demoPositionsEN = []string{"Director", "Purchasing manager", "Office manager", "Head of operations", "Accountant"}
)

// demoGood is what the company sells: names, unit, price and cost in rubles.
type demoGood struct {
	ru, en, article, unitRU string
	price, cost             int64
}

var demoGoods = []demoGood{
	{"Кофемашина Aurora 2GR", "Espresso machine Aurora 2GR", "AU-2GR", "шт", 412_000, 301_500},
	{"Кофемашина Compact S", "Espresso machine Compact S", "CM-S", "шт", 148_000, 109_900},
	{"Кофемолка Atlas 64", "Grinder Atlas 64", "GR-64", "шт", 67_500, 48_200},
	{"Фильтр для воды WF-3", "Water filter WF-3", "WF-3", "шт", 4_900, 3_150},
	{"Кофе в зёрнах «Бразилия», 1 кг", "Coffee beans Brazil, 1 kg", "BN-BR1", "кг", 1_450, 940},
	{"Кофе в зёрнах «Эфиопия», 1 кг", "Coffee beans Ethiopia, 1 kg", "BN-ET1", "кг", 1_890, 1_260},
	{"Стакан бумажный 250 мл, 1000 шт", "Paper cups 250 ml, 1000 pcs", "CP-250", "уп", 5_600, 3_900},
	{"Выезд инженера", "Engineer's visit", "SV-1", "усл", 6_500, 2_800},
}

// newCompany tells the company from a day.
func newCompany(today store.Date) *company {
	c := &company{today: today.In(time.UTC).Add(12 * time.Hour), rng: rand.New(rand.NewPCG(2026, 11))}
	for i, row := range demoClientsRU {
		c.addClient(i, row, store.Russian, demoManagers[i%4])
	}
	for i, row := range demoClientsEN {
		owner := demoManagers[4]
		if i%6 == 5 {
			owner = demoManagers[1]
		}
		c.addClient(len(demoClientsRU)+i, row, store.English, owner)
	}
	c.files = []demoFile{c.clientsFile(), c.personsFile()}
	c.files = append(c.files, c.dealFiles()...)
	return c
}

func (c *company) addClient(n int, row [3]string, lang store.Language, owner demoManager) {
	importance := store.Normal
	switch {
	case n%9 == 0:
		importance = store.High
	case n%7 == 3:
		importance = store.Low
	}
	client := demoClient{
		ID: fmt.Sprintf("C%03d", n+1), Name: row[0], Domain: row[1], Segment: row[2],
		Importance: importance, Manager: owner, Language: lang,
	}
	names, positions := demoNamesRU, demoPositionsRU
	if lang == store.English {
		names, positions = demoNamesEN, demoPositionsEN
	}
	for i := range 2 {
		name, mailbox, _ := strings.Cut(names[(2*n+i*7)%len(names)], "|")
		if i == 1 && name == client.Persons[0].Name {
			name, mailbox, _ = strings.Cut(names[(2*n+3)%len(names)], "|")
		}
		client.Persons = append(client.Persons, demoPerson{
			ID:       fmt.Sprintf("P%03d", 2*n+i+1),
			Name:     name,
			Position: positions[c.rng.IntN(len(positions))],
			Email:    mailbox + "@" + client.Domain,
			Phone:    fmt.Sprintf("+7 495 555-%02d-%02d", n, 10+i),
			Birthday: store.DateOf(time.Date(1970+c.rng.IntN(30), time.Month(1+c.rng.IntN(12)), 1+c.rng.IntN(28), 12, 0, 0, 0, time.UTC), time.UTC),
		})
	}
	c.clients = append(c.clients, client)
}

func (c *company) clientsFile() demoFile {
	t := newCSV("id", "name", "importance", "manager", "domains", "emails", "phones", "source", "segment")
	for _, cl := range c.clients {
		t.add(cl.ID, cl.Name, string(cl.Importance), cl.Manager.Login, cl.Domain, "info@"+cl.Domain, cl.Persons[0].Phone, "", cl.Segment)
	}
	return demoFile{"clients", t.bytes()}
}

func (c *company) personsFile() demoFile {
	t := newCSV("id", "client", "name", "position", "emails", "phones", "birthday")
	for _, cl := range c.clients {
		for _, p := range cl.Persons {
			t.add(p.ID, cl.ID, p.Name, p.Position, p.Email, p.Phone, string(p.Birthday))
		}
	}
	return demoFile{"persons", t.bytes()}
}

// demoDeals is how many orders there are.
const demoDeals = 60

// dealFiles makes orders of the last half year with their lines, and documents
// for what has happened of them: older ones are mostly shipped and paid, some
// shipments and payments are late, the newest are still to come.
func (c *company) dealFiles() []demoFile {
	deals := newCSV("id", "number", "date", "client", "manager", "amount", "currency", "cost", "ship_due", "pay_due", "status")
	lines := newCSV("id", "deal", "item", "article", "quantity", "unit", "price", "amount", "cost")
	docs := newCSV("id", "kind", "number", "date", "deal", "client", "amount", "cost", "currency")
	number := 0
	document := func(kind, deal string, cl demoClient, day int, amount, cost int64) {
		number++
		text := ""
		if kind == "shipment" {
			text = rubles(cost)
		}
		docs.add(fmt.Sprintf("D%04d", number), kind, fmt.Sprintf("%s-%04d", strings.ToUpper(kind[:2]), number), string(c.day(day)), deal, cl.ID, rubles(amount), text, "RUB")
	}
	for i := range demoDeals {
		cl := c.clients[(i*7+i/40)%len(c.clients)]
		id := fmt.Sprintf("Z%04d", i+1)
		made := -170 + i*172/demoDeals // days from today, the newest yesterday
		var amount, cost int64
		for n := range 1 + c.rng.IntN(3) {
			g := demoGoods[c.rng.IntN(len(demoGoods))]
			quantity := int64(1 + c.rng.IntN(3))
			if g.price < 10_000 {
				quantity = int64(4 + c.rng.IntN(40))
			}
			item, unit := g.ru, g.unitRU
			if cl.Language == store.English {
				item, unit = g.en, "pcs"
			}
			lines.add(fmt.Sprintf("%s-%d", id, n+1), id, item, g.article, fmt.Sprint(quantity), unit, rubles(g.price), rubles(g.price*quantity), rubles(g.cost*quantity))
			amount, cost = amount+g.price*quantity, cost+g.cost*quantity
		}
		ship, pay := made+10+c.rng.IntN(12), made+20+c.rng.IntN(20)
		status := ""
		if i%23 == 11 {
			status = "cancelled"
		}
		deals.add(id, fmt.Sprintf("ЗК-%04d", 1200+i), string(c.day(made)), cl.ID, cl.Manager.Login, rubles(amount), "RUB", rubles(cost),
			string(c.day(ship)), string(c.day(pay)), status)
		if status != "" {
			continue
		}
		document("invoice", id, cl, made, amount, 0)
		late := i%8 == 5
		if ship+2 < 0 && !late {
			document("shipment", id, cl, ship-c.rng.IntN(4), amount, cost)
		}
		switch {
		case pay+1 < 0 && i%9 != 4:
			document("payment", id, cl, pay-c.rng.IntN(6), amount, 0)
		case made < -3 && i%3 == 0: // half in advance
			document("payment", id, cl, made+2, amount/2, 0)
		}
	}
	for i, cl := range c.clients {
		for _, s := range c.supplies(i) {
			document("shipment", "", cl, s.day, s.amount, s.amount*7/10)
			document("payment", "", cl, s.day, s.amount, 0)
		}
	}
	return []demoFile{{"deals", deals.bytes()}, {"documents", docs.bytes()}, {"lines", lines.bytes()}}
}

// supply is coffee that is delivered and paid at once, without an order.
type supply struct {
	day    int // from today
	amount int64
}

// supplies are those of the client with that number: of every third client
// none, of the others one a month for over a year, the same each time, more or
// less, or irregular. Some have stopped.
func (c *company) supplies(client int) (list []supply) {
	if client%3 == 0 {
		return nil
	}
	usual := int64(90_000 + client*client%11*90_000)
	spread := []float64{0.1, 0.6, 2}[client/3%3]
	last := 1
	if client%8 == 5 {
		last = 2 + client%4
	}
	for month := 14; month >= last; month-- {
		amount := int64(float64(usual) * (1 + spread*(c.rng.Float64()-0.5)))
		if spread > 1 && c.rng.IntN(3) == 0 {
			continue
		}
		list = append(list, supply{-30*month + 10, amount})
	}
	return list
}

// day is the day n days from the one the company is told from.
func (c *company) day(n int) store.Date { return store.DateOf(c.today, time.UTC).Add(n) }

func rubles(n int64) string { return fmt.Sprintf("%d.00", n) }

// csvFile is a CSV file being made.
type csvFile struct {
	buf bytes.Buffer
	w   *csv.Writer
}

func newCSV(header ...string) *csvFile {
	f := &csvFile{}
	f.w = csv.NewWriter(&f.buf)
	f.add(header...)
	return f
}

func (f *csvFile) add(cells ...string) { f.w.Write(cells) } // into memory

func (f *csvFile) bytes() []byte {
	f.w.Flush()
	return f.buf.Bytes()
}
