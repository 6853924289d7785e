package store

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// ClassReport is what a classification found.
type ClassReport struct {
	Day     Date           `json:"day"`
	Clients int            `json:"clients"`
	Counts  map[string]int `json:"counts"`  // of each class, stage and XYZ
	Changed int            `json:"changed"` // clients whose position is another than before, new ones among them
	// Current reports that no later day has been classified: the clients
	// show what this run found.
	Current bool `json:"current"`
	// NoRate are documents whose sums were not added, by currency.
	NoRate map[string]int `json:"no_rate,omitempty"`
	// NoCost are documents left out of the profit, since their cost is unknown.
	NoCost int `json:"no_cost,omitempty"`
}

// classBatch is how many clients one transaction writes, so that a
// classification never holds the writer for long.
const classBatch = 1000

// Classify classifies all clients by the documents dated up to a day, writes
// their dated history, and, unless a later day is classified already, what
// clients, calendars and cards show. loc is the zone of the day: a client that
// was registered later and bought nothing until then has no position on it.
//
// It can be repeated for any day: the same documents give the same result,
// and the positions on other classified days stay as they are. Documents are
// read as a stream; what is kept in memory is a few numbers for each client.
func (s *Store) Classify(ctx context.Context, c Classification, day Date, loc *time.Location) (ClassReport, error) {
	for _, fault := range c.Check() {
		return ClassReport{}, fault
	}
	run := classRun{Classification: c, day: day, until: day.Add(1).In(loc), report: ClassReport{Day: day, Counts: map[string]int{}}}
	if err := s.read(ctx, run.collect); err != nil {
		return run.report, fmt.Errorf("read the sales: %w", err)
	}
	run.judge()
	for lo := 0; lo < len(run.ids); lo += classBatch {
		hi := min(lo+classBatch, len(run.ids))
		if err := s.write(ctx, func(t *tx) error { return run.save(t, lo, hi) }); err != nil {
			return run.report, fmt.Errorf("write the classes: %w", err)
		}
	}
	err := s.write(ctx, func(t *tx) error {
		_, err := t.exec(`INSERT INTO classification_runs (day, settings, report) VALUES ($1, $2, $3)
			ON CONFLICT (day) DO UPDATE SET settings = $2, report = $3`, string(day), asJSON(c), asJSON(run.report))
		return err
	})
	return run.report, err
}

// classRun is one classification at work. The slices have one element for each
// client, by id.
type classRun struct {
	Classification
	day    Date
	until  time.Time // the end of the day
	later  Date      // the next classified day, "" none
	report ClassReport

	ids   []int64
	sales []sales
	found []Position
}

// collect reads the clients and sums up their documents.
func (r *classRun) collect(t *tx) error {
	if err := t.row(`SELECT COALESCE(MIN(day), '') FROM classification_runs WHERE day > $1`, []any{string(r.day)}, &r.later); err != nil {
		return err
	}
	r.report.Current = r.later == ""
	var fresh []bool // registered after the day
	at := map[int64]int{}
	err := t.rows(`SELECT id, created FROM clients ORDER BY id`, nil, func(scan func(...any) error) error {
		var id, created int64
		err := scan(&id, &created)
		at[id] = len(r.ids)
		r.ids, fresh = append(r.ids, id), append(fresh, created >= r.until.Unix())
		return err
	})
	if err != nil {
		return err
	}
	r.sales = make([]sales, len(r.ids))
	periods := make([]int64, len(r.ids)*r.XYZPeriods)
	for i := range r.sales {
		r.sales[i].periods = periods[i*r.XYZPeriods : (i+1)*r.XYZPeriods]
	}
	if err := r.addDocuments(t, at); err != nil {
		return err
	}
	n := 0
	for i := range r.ids {
		if !fresh[i] || r.sales[i].count > 0 {
			r.ids[n], r.sales[n] = r.ids[i], r.sales[i]
			n++
		}
	}
	r.ids, r.sales = r.ids[:n], r.sales[:n]
	return nil
}

// addDocuments adds each document to its client, whose place at knows.
func (r *classRun) addDocuments(t *tx, at map[int64]int) error {
	ends := r.ends(r.day)
	house := t.s.opt.Currency
	rates, err := t.ratesUpTo(r.day)
	if err != nil {
		return err
	}
	return t.rows(`SELECT client_id, date, kind = 'return', amount - COALESCE(tax, 0), currency, cost FROM documents WHERE kind IN ('shipment', 'return') AND date <= $1`,
		[]any{string(r.day)}, func(scan func(...any) error) error {
			var client int64
			var date string // a named type is scanned much slower, and these are millions
			var back bool
			var sum Money
			var cost *int64
			if err := scan(&client, &date, &back, &sum.Minor, &sum.Currency, &cost); err != nil {
				return err
			}
			i, known := at[client]
			if !known {
				return nil
			}
			s := &r.sales[i]
			period := 1
			for period < len(ends) && date <= string(ends[period]) {
				period++
			}
			if !back {
				s.count++
				if s.last == 0 || period < s.last {
					s.last = period
				}
			}
			if period == len(ends) { // too long ago to be measured
				return nil
			}
			if r.Measure == ByNumber {
				sum.Minor = 1
				if back {
					sum.Minor = 0
				}
			} else {
				rate, known := parity, true
				if sum.Currency != house {
					rate, known = rates.on(sum.Currency, Date(date))
				}
				if !known {
					r.noRate(sum.Currency)
					return nil
				}
				if r.Measure == ByProfit {
					if cost == nil {
						r.report.NoCost++
						return nil
					}
					sum.Minor -= *cost
				}
				if sum.Currency != house {
					converted, err := exchangeAt(sum, rate, parity, house)
					if err != nil { // larger than any sum may be
						r.noRate(sum.Currency)
						return nil
					}
					sum = converted
				}
			}
			if back {
				sum.Minor = -sum.Minor
			}
			if period <= r.ABCPeriods {
				s.amount = bounded(s.amount, sum.Minor)
			}
			if period <= r.XYZPeriods {
				s.periods[period-1] = bounded(s.periods[period-1], sum.Minor)
			}
			return nil
		})
}

// noRate counts a document whose sum was not added.
func (r *classRun) noRate(currency string) {
	if r.report.NoRate == nil {
		r.report.NoRate = map[string]int{}
	}
	r.report.NoRate[currency]++
}

// datedRates are the rates of each currency by day.
type datedRates map[string][]datedRate

type datedRate struct {
	day Date
	Rate
}

// on is the last rate known on or before a day.
func (r datedRates) on(currency string, day Date) (Rate, bool) {
	list := r[currency]
	n, found := slices.BinarySearchFunc(list, day, func(d datedRate, day Date) int { return cmp.Compare(d.day, day) })
	if found {
		n++
	}
	if n == 0 {
		return parity, false
	}
	return list[n-1].Rate, true
}

// ratesUpTo reads all rates up to a day at once: documents are read as a
// stream, and PostgreSQL takes no other query meanwhile.
func (t *tx) ratesUpTo(day Date) (datedRates, error) {
	out := datedRates{}
	err := t.rows(`SELECT currency, date, rate, per FROM rates WHERE date <= $1 ORDER BY currency, date`, []any{string(day)}, func(scan func(...any) error) error {
		var currency string
		var r datedRate
		err := scan(&currency, &r.day, &r.Minor, &r.Per)
		out[currency] = append(out[currency], r)
		return err
	})
	return out, err
}

// bounded adds without passing what an int64 holds: one sum of a file may be
// as large as a thousandth of that.
func bounded(a, b int64) int64 {
	switch {
	case b > 0 && a > math.MaxInt64-b:
		return math.MaxInt64
	case b < 0 && a < -math.MaxInt64-b:
		return -math.MaxInt64
	}
	return a + b
}

// judge makes positions of the sales.
func (r *classRun) judge() {
	r.found = make([]Position, len(r.ids))
	var buyers []int
	var sums []int64
	for i := range r.sales {
		s, p := &r.sales[i], &r.found[i]
		p.Stage = r.stage(s)
		if p.Stage == StageRegular {
			p.XYZ = r.xyz(s.periods)
		}
		if p.Stage == StageOneOff || p.Stage == StageRegular {
			buyers, sums = append(buyers, i), append(sums, s.amount)
		}
	}
	for n, class := range r.abc(sums) {
		r.found[buyers[n]].ABC = class
	}
	r.report.Clients = len(r.ids)
	for _, p := range r.found {
		for _, word := range []string{p.ABC, p.Stage, p.XYZ} {
			if word != "" {
				r.report.Counts[word]++
			}
		}
	}
}

// classed is a row of the history.
type classed struct {
	Position
	amount int64
}

// save writes what was found of the clients from lo to hi.
func (r *classRun) save(t *tx, lo, hi int) error {
	from, to := r.ids[lo], r.ids[hi-1]
	before, err := t.classed(`h.day = (SELECT MAX(m.day) FROM classifications m WHERE m.client_id = h.client_id AND m.day < $3)`, from, to, r.day)
	if err != nil {
		return err
	}
	now, err := t.classed(`h.day = $3`, from, to, r.day)
	if err != nil {
		return err
	}
	var after map[int64]classed
	if r.later != "" {
		if after, err = t.classed(`h.day = (SELECT MAX(m.day) FROM classifications m WHERE m.client_id = h.client_id AND m.day <= $3)`, from, to, r.later); err != nil {
			return err
		}
	}
	for i := lo; i < hi; i++ {
		id, found := r.ids[i], classed{r.found[i], r.sales[i].amount}
		former, had := before[id]
		old, written := now[id]
		same := had && former.Position == found.Position
		if !same {
			r.report.Changed++
		}
		switch {
		case same && written:
			_, err = t.exec(`DELETE FROM classifications WHERE client_id = $1 AND day = $2`, id, string(r.day))
		case !same && (!written || old != found):
			err = t.putClassed(id, r.day, found)
		}
		// What was true on the next classified day stays true.
		if next, ok := after[id]; ok && err == nil && next.Position != found.Position {
			err = t.putClassed(id, r.later, next)
		}
		if err != nil {
			return err
		}
	}
	if !r.report.Current {
		return nil
	}
	return r.show(t, lo, hi)
}

// show writes what clients show, and marks what shows the clients.
func (r *classRun) show(t *tx, lo, hi int) error {
	type shown struct {
		Position
		given string
		found bool
	}
	shows := map[int64]shown{}
	err := t.rows(`SELECT id, abc, stage, xyz, given_stage, stage_found FROM clients WHERE id BETWEEN $1 AND $2`, []any{r.ids[lo], r.ids[hi-1]}, func(scan func(...any) error) error {
		var id int64
		var c shown
		err := scan(&id, &c.ABC, &c.Stage, &c.XYZ, &c.given, &c.found)
		shows[id] = c
		return err
	})
	if err != nil {
		return err
	}
	var touched []int64
	for i := lo; i < hi; i++ {
		was, here := shows[r.ids[i]]
		if !here { // meanwhile deleted
			continue
		}
		is := was
		is.found, is.Position = r.sales[i].count > 0, r.found[i]
		if is.Stage = shownStage(is.Stage, is.given, is.found); is == was {
			continue
		}
		if _, err := t.exec(`UPDATE clients SET abc = $1, stage = $2, xyz = $3, stage_found = $4, changed = $5 WHERE id = $6`,
			is.ABC, is.Stage, is.XYZ, is.found, t.now.Unix(), r.ids[i]); err != nil {
			return err
		}
		if is.Position != was.Position {
			touched = append(touched, r.ids[i])
		}
	}
	if len(touched) == 0 {
		return nil
	}
	return t.touchClient(touched...)
}

// classed reads one row for each of the clients from one id to another.
func (t *tx) classed(where string, from, to int64, day Date) (map[int64]classed, error) {
	out := map[int64]classed{}
	err := t.rows(`SELECT h.client_id, h.abc, h.stage, h.xyz, h.amount FROM classifications h WHERE h.client_id BETWEEN $1 AND $2 AND `+where,
		[]any{from, to, string(day)}, func(scan func(...any) error) error {
			var id int64
			var c classed
			err := scan(&id, &c.ABC, &c.Stage, &c.XYZ, &c.amount)
			out[id] = c
			return err
		})
	return out, err
}

func (t *tx) putClassed(client int64, day Date, c classed) error {
	_, err := t.exec(`INSERT INTO classifications (client_id, day, abc, stage, xyz, amount) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (client_id, day) DO UPDATE SET abc = $3, stage = $4, xyz = $5, amount = $6`, client, string(day), c.ABC, c.Stage, c.XYZ, c.amount)
	return err
}

// classHistory is the dated history of a client, newest first: the days on
// which its position became another one.
func (t *tx) classHistory(client int64, limit int) (out []ClassRow, err error) {
	err = t.rows(`SELECT h.day, h.abc, h.stage, h.xyz, h.amount, COALESCE(r.settings, '{}') FROM classifications h
		LEFT JOIN classification_runs r ON r.day = h.day WHERE h.client_id = $1 ORDER BY h.day DESC LIMIT $2`, []any{client, limit + 1}, func(scan func(...any) error) error {
		var row ClassRow
		var by Classification
		err := scan(&row.Day, &row.ABC, &row.Stage, &row.XYZ, &row.Amount.Minor, jsonInto{&by})
		row.Amount.Currency = t.s.opt.Currency
		row.Measure = by.Measure
		out = append(out, row)
		return err
	})
	for i := 1; i < len(out); i++ {
		out[i-1].Former = out[i].Position
	}
	return out[:min(len(out), limit)], err
}

// String is the report in one line, for the ledger and the operator.
func (r *ClassReport) String() string {
	var counts []string
	for _, word := range []string{"A", "B", "C", StagePotential, StageOneOff, StageRegular, StageLost, "X", "Y", "Z"} {
		if n := r.Counts[word]; n > 0 {
			counts = append(counts, fmt.Sprintf("%s %d", word, n))
		}
	}
	text := fmt.Sprintf("%d clients, %d changed", r.Clients, r.Changed)
	if len(counts) > 0 {
		text += ": " + strings.Join(counts, ", ")
	}
	if !r.Current {
		text += "; a later day is classified, so clients show that"
	}
	for _, code := range slices.Sorted(maps.Keys(r.NoRate)) {
		text += fmt.Sprintf("; %d documents in %s were not added: there is no rate", r.NoRate[code], code)
	}
	if r.NoCost > 0 {
		text += fmt.Sprintf("; %d documents without a cost were left out of the profit", r.NoCost)
	}
	return text
}
