package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"intouch/exchange"
	"intouch/store"
)

// demo is one run of the demo command.
type demo struct {
	listen      string
	listenGiven bool
	dir         string
	out         io.Writer // what to open, what arrives
	messages    io.Writer
	state       demoState

	mu sync.Mutex // of out
}

// say prints a line with the time.
func (d *demo) say(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fmt.Fprintf(d.out, "%s  %s\n", time.Now().Format("15:04:05"), fmt.Sprintf(format, args...))
}

// fill brings the company into the database as a user would: its files are
// imported, its plans entered. Broken off and begun again it doubles nothing,
// since all of it has keys.
func (d *demo) fill(ctx context.Context, cfg *Config, c *company, log *slog.Logger) error {
	st, err := openStore(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer st.Close()
	if err := os.MkdirAll(d.file("import"), 0o700); err != nil {
		return err
	}
	for _, f := range c.files {
		name := d.file("import/" + f.kind + ".csv")
		if err := os.WriteFile(name, f.csv, 0o600); err != nil {
			return err
		}
		sum, err := exchange.Import(ctx, st, exchange.ImportOptions{
			Kind: exchange.Kind(f.kind), Name: name, Currency: cfg.Currency,
			Actor: store.Actor{Origin: store.FromImport},
		}, bytes.NewReader(f.csv))
		if err != nil {
			return err
		}
		if sum.Refused > 0 {
			return fmt.Errorf("%s: %s", name, sum.Faults[0])
		}
	}
	if err := c.plan(ctx, st); err != nil {
		return err
	}
	return classifyPast(ctx, cfg, st)
}

// classifyPast gives the clients a history: as if they had been classified
// each month.
func classifyPast(ctx context.Context, cfg *Config, st *store.Store) error {
	loc, err := time.LoadLocation(cfg.TimeZone)
	if err != nil {
		return err
	}
	today := store.DateOf(st.Now(), loc)
	for _, days := range []int{120, 90, 60, 30, 0} {
		if _, err := st.Classify(ctx, cfg.Classification, today.Add(-days), loc); err != nil {
			return fmt.Errorf("classify the clients: %w", err)
		}
	}
	return nil
}

// play is what happens while the demo runs: it says what to open, has the
// digest written once the first letters are in, and lets letters arrive.
func (d *demo) play(ctx context.Context, cfg *Config, st *store.Store, office *postOffice, log *slog.Logger) error {
	if err := d.announce(ctx); err != nil {
		return err
	}
	head, err := st.ManagerByLogin(ctx, demoManagers[0].Login)
	if err != nil {
		return err
	}
	if err := awaitFirstPass(ctx, st, d); err != nil {
		return err
	}
	// As "intouchd job" would; the outbox of the daemon delivers it.
	jobs, err := newScheduler(st, cfg, log)
	if err != nil {
		return err
	}
	if err := saveDemoReport(ctx, st, head); err != nil {
		return fmt.Errorf("save a report: %w", err)
	}
	// Before the digests, which tell what the rules have planned; after the
	// first pass, which tells whom one was in touch with.
	for _, job := range []string{"classify", "digest", "nightly"} {
		if _, err := jobs.RunJob(ctx, job, time.Time{}, ""); err != nil {
			return fmt.Errorf("%s: %w", job, err)
		}
	}
	if already := office.delivered(); len(already) > 0 {
		d.say("mail from Intouch, from before: %s", already[len(already)-1])
	}
	return d.arrivals(ctx, st, head, office)
}

// saveDemoReport keeps a report of the head's, mailed on Mondays and a part of
// the nightly digest.
func saveDemoReport(ctx context.Context, st *store.Store, head store.Manager) error {
	have, err := st.SavedReports(ctx, head)
	if err != nil || len(have) > 0 {
		return err
	}
	_, err = st.SaveReport(ctx, store.Actor{ManagerID: head.ID, Origin: store.FromWeb}, head.ID, 0, store.SavedReportEdit{
		Name: "Просроченные сделки", Report: "open-deals", Params: url.Values{"by": {"manager"}, "status": {string(store.StatusOverdue)}},
		Schedule: "0 9 * * 1", Recipients: []string{head.Login}, Attach: store.AttachXLSX, Nightly: true,
	})
	return err
}

// awaitFirstPass waits until each mailbox was read to its end once, at most
// half a minute: a mailbox that fails must not keep the rest of the demo away.
func awaitFirstPass(ctx context.Context, st *store.Store, d *demo) error {
	started := time.Now()
	for {
		changed := st.Changed()
		states, err := st.MailboxStates(ctx)
		if err != nil {
			return err
		}
		waiting, letters, captured := 0, int64(0), int64(0)
		for _, s := range states {
			letters, captured = letters+s.Letters, captured+s.Captured
			if s.LastSuccess.IsZero() {
				waiting++
			}
		}
		if waiting == 0 {
			d.say("%d letters read, %d of them became contacts, in %.1f s", letters, captured, time.Since(started).Seconds())
			return nil
		}
		if time.Since(started) > 30*time.Second {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// Letters arrive quickly at first, then as in a busy office; a demo that is
// forgotten over night must not fill the memory.
const (
	quickLetters = 15
	mostLetters  = 3000
)

// arrivals lets letters arrive until ctx ends, and says what became of them.
func (d *demo) arrivals(ctx context.Context, st *store.Store, head store.Manager, office *postOffice) error {
	now := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(now, 1))
	letters := &correspondence{c: newCompany(d.state.ToldFrom), rng: rng, name: fmt.Sprintf("live%x", now/1e9)}
	for n := range mostLetters {
		pause := 12 * time.Second
		if n < quickLetters {
			pause = 3 * time.Second
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause/2 + rand.N(pause)):
		}
		a := letters.next(time.Now().UTC().Truncate(time.Second))
		arrived := time.Now()
		if err := office.Put(a.login, a.folder, a.letter.Bytes()); err != nil {
			return fmt.Errorf("bring a letter: %w", err)
		}
		client, err := becomesContact(ctx, st, head, strings.Trim(a.letter.MessageID, "<>"))
		if err != nil {
			return err
		}
		if client != "" {
			d.say("letter from %s to %s → contact with %s (%.1f s)", a.letter.From.Name, a.login, client, time.Since(arrived).Seconds())
		}
	}
	d.say("that was the last letter: a new start brings more")
	<-ctx.Done()
	return nil
}

// becomesContact waits a few seconds for a letter to be captured and names the
// client of its contact; "" when it is not captured.
func becomesContact(ctx context.Context, st *store.Store, head store.Manager, key string) (string, error) {
	deadline := time.After(5 * time.Second)
	for {
		changed := st.Changed()
		found, err := st.LetterKeys(ctx, []string{key})
		switch {
		case ctx.Err() != nil:
			return "", nil
		case err != nil:
			return "", err
		}
		if clients := found[key]; len(clients) > 0 {
			card, err := st.Client(ctx, head, clients[0])
			if err != nil && ctx.Err() == nil {
				return "", err
			}
			return card.Client.Name, nil
		}
		select {
		case <-ctx.Done():
			return "", nil
		case <-deadline:
			return "", nil
		case <-changed:
		}
	}
}

// demoPlan is one planned or done contact, told from now.
type demoPlan struct {
	day, hour  int // in the manager's zone; hour -1: all day
	minutes    int
	kind       store.Kind
	state      store.State
	importance store.Importance
	ru, en     string
	note       string
}

var demoPlans = []demoPlan{
	{-6, 11, 30, store.Call, store.Planned, store.High, "Узнать решение по договору", "Ask for their decision on the contract", ""},
	{-2, 15, 60, store.Meeting, store.Planned, "", "Показать образцы", "Show the samples", ""},
	{0, 10, 15, store.Call, store.Planned, "", "Напомнить об оплате", "Remind them of the payment", ""},
	{0, -1, 0, store.Call, store.Planned, store.High, "Согласовать дату отгрузки", "Agree on the delivery date", ""},
	{0, 18, 45, store.Meeting, store.Planned, "", "Обсудить заказ на квартал", "Talk about next quarter's order", ""},
	{1, 12, 60, store.Visit, store.Planned, "", "Осмотр кофемашин", "Look at their machines", ""},
	{2, 9, 20, store.Call, store.Planned, store.Low, "Поздравить с открытием", "Congratulate on the opening", ""},
	{5, 14, 60, store.Meeting, store.Planned, "", "Договор на будущий год", "Next year's contract", ""},
	{-3, 10, 20, store.Call, store.Postponed, "", "Предложить обучение бариста", "Offer barista training", ""},
	{9, 10, 30, store.Call, store.Postponed, store.Low, "Вернуться к разговору о фильтрах", "Come back to the water filters", ""},
	{-1, 12, 15, store.Call, store.Done, "", "Подтвердили получение счёта", "Invoice received", "Оплатят до пятницы. Просили прислать оригинал."},
	{-4, 17, 25, store.Call, store.Done, "", "Обсудили скидку", "Talked about a discount", "Хотят 7 %, сошлись на 5 %."},
	{-8, 11, 70, store.Meeting, store.Done, store.High, "Встреча с директором", "Met the director", "Расширяются весной: ещё две точки."},
	{-15, 13, 10, store.Call, store.Done, "", "Первый звонок", "First call", "Нашли нас через выставку."},
	{-27, 15, 40, store.Visit, store.Done, "", "Запуск машины", "Machine installed", "Всё работает, сотрудники обучены."},
}

// plan enters what the managers have planned and done. A UID that is known
// was entered by an earlier start.
func (c *company) plan(ctx context.Context, st *store.Store) error {
	head, err := st.ManagerByLogin(ctx, demoManagers[0].Login)
	if err != nil {
		return err
	}
	ids := map[string]int64{}
	clients, err := st.Clients(ctx, head, "", 500)
	if err != nil {
		return fmt.Errorf("read the clients: %w", err)
	}
	for _, cl := range clients {
		ids[cl.ExternalID] = cl.ID
	}
	for _, dm := range demoManagers {
		m, err := st.ManagerByLogin(ctx, dm.Login)
		if err != nil {
			return err
		}
		var own []demoClient
		for _, cl := range c.clients {
			if cl.Manager.Login == m.Login {
				own = append(own, cl)
			}
		}
		loc := m.Location()
		for i, p := range demoPlans {
			cl := own[(i*3+1)%len(own)]
			subject := p.ru
			if m.Language == store.English {
				subject = p.en
			}
			day := c.today.In(loc).AddDate(0, 0, p.day)
			start := store.WallTime(day.Year(), day.Month(), day.Day(), p.hour, 0, loc)
			when := store.Span{Start: start.UTC(), End: start.Add(time.Duration(p.minutes) * time.Minute).UTC()}
			if p.hour < 0 {
				when = store.Days(store.DateOf(day, loc), store.DateOf(day, loc), loc)
			}
			note := p.note
			if m.Language == store.English {
				note = ""
			}
			_, err := st.PlanContact(ctx, store.Actor{ManagerID: m.ID, Origin: store.FromWeb}, store.ContactDraft{
				UID: fmt.Sprintf("demo-%s-%d@%s", m.Login, i, demoDomain), Kind: p.kind, Direction: store.Out, State: p.state,
				Importance: p.importance, ClientID: ids[cl.ID], ManagerID: m.ID, Subject: subject, Body: note,
				When: when,
			})
			if err != nil && !errors.Is(err, store.ErrConflict) {
				return fmt.Errorf("plan %q: %w", subject, err)
			}
		}
	}
	return nil
}
