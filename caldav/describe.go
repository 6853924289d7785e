package caldav

import (
	"regexp"
	"slices"
	"strings"

	"intouch/store"
)

// DESCRIPTION is what people wrote, then, under a line of its own, what the
// manager needs without leaving the calendar. The second part is ours: it is
// written anew each time, and taken off again from what comes back.

// separator stands between the two parts.
const separator = "— Intouch —"

// separatorLine is the separator as calendar programs may have altered it.
var separatorLine = regexp.MustCompile(`(?m)^[\s\p{Z}>]*[—–-]{1,3}[\s\p{Z}]*Intouch[\s\p{Z}]*[—–-]{1,3}[\s\p{Z}]*$`)

const (
	maxPersons = 5
	maxPoints  = 3 // phones, addresses of each
	maxSigns   = 5 // answers, bounces
)

// splitNote takes our part off a description. Without it the text is left as
// it is.
func splitNote(description string) (note string, ours bool) {
	s := description
	if strings.Contains(s, "\r") {
		s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
	}
	at := separatorLine.FindStringIndex(s)
	if at == nil {
		return description, false
	}
	return strings.TrimRight(s[:at[0]], " \t\n\u00a0"), true
}

// noteOf is what people wrote of a description, bounded.
func noteOf(description string) string {
	note, _ := splitNote(description)
	return clip(note, maxNote)
}

// describe joins the two parts.
func describe(note, block string) string {
	note = strings.TrimRight(note, " \t\r\n\u00a0")
	if note != "" {
		note += "\n\n"
	}
	return note + separator + "\n" + block
}

// block is our part of the description; "" when there is nothing to say.
func block(v *store.EntryView) string {
	it, lang, loc := v.Item, v.Owner.Language, managerZone(v.Owner)
	if v.Client == nil && it.Deal == nil {
		return ""
	}
	var lines []string
	add := func(s string) { lines = append(lines, oneLine(s)) }
	if it.Status == store.StatusOverdue || it.Status == store.StatusPostponed {
		add(store.Word(lang, "status."+string(it.Status)))
	}
	if e := it.Event; e != nil {
		if e.Moved() {
			add(phrase(lang, "moved from", dayText(lang, e.MovedFrom())))
		}
		if e.Partly() && it.Deal != nil {
			cur := it.Deal.Amount.Currency
			add(phrase(lang, "partly", sum(e.Covered, cur, lang), sum(e.Amount, cur, lang)))
		}
		if !e.Known && e.State != store.Done {
			add(phrase(lang, "unknown"))
		}
	}
	if v.Client != nil {
		add(clientLine(lang, v.Client))
	}
	for i, p := range v.Persons {
		if i == maxPersons {
			add(phrase(lang, "more people", len(v.Persons)-maxPersons))
			break
		}
		add(personLine(lang, p))
	}
	if c := it.Contact; c != nil {
		for i, s := range c.Signs {
			if i == maxSigns {
				break
			}
			add(fitText(s.Text(lang, loc)))
		}
	}
	if d := it.Deal; d != nil {
		if d.Date != "" {
			add(phrase(lang, "deal of", d.Number, dayText(lang, d.Date)))
		} else {
			add(phrase(lang, "deal", d.Number))
		}
		if t := v.Totals; t != nil {
			for _, row := range []struct {
				label string
				minor int64
				known bool
			}{
				{phrase(lang, "ordered"), t.Ordered, true}, {phrase(lang, "shipped"), t.Shipped, t.ShippedKnown}, {store.Word(lang, "left to ship"), t.LeftToShip, t.ShippedKnown},
				{phrase(lang, "to pay"), t.ToPay, true}, {phrase(lang, "paid"), t.Paid, t.PaidKnown}, {store.Word(lang, "left to pay"), t.LeftToPay, t.PaidKnown},
			} {
				if row.known {
					add(row.label + ": " + sum(row.minor, t.Currency, lang))
				} else {
					add(row.label + ": " + store.Word(lang, "unknown"))
				}
			}
			if v.Debt != nil {
				for _, line := range debtLines(lang, v.Debt, t.Currency) {
					add(line)
				}
			}
		}
	}
	if len(v.Recent) > 0 {
		add(store.Word(lang, "last contacts") + ":")
		for _, c := range v.Recent {
			day := c.When.First
			if !c.When.AllDay {
				day = store.DateOf(c.When.Start, loc)
			}
			s := dayText(lang, day) + " " + store.Word(lang, "kind."+string(c.Kind))
			if subject := oneLine(c.Subject); subject != "" {
				s += ": " + shorten(subject, 120)
			}
			add(s)
		}
	}
	return strings.Join(lines, "\n")
}

// debtLines say what is owed of a deal (rules.md section 4): the prepayment
// where one is demanded, the debt, and how much of it should have been paid, on
// which day. Of what is overdue they name the day and not how many days it is:
// else the entry would change every night.
func debtLines(lang store.Language, d *store.DealDebt, currency string) []string {
	money := func(minor int64, known bool) string {
		if !known {
			return store.Word(lang, "unknown")
		}
		return sum(minor, currency, lang)
	}
	var lines []string
	if d.DemandedKnown && d.Demanded > 0 {
		lines = append(lines, phrase(lang, "prepayment", money(d.Demanded, true), money(d.Received, d.ReceivedKnown)))
	}
	switch debt := money(d.Debt, d.DebtKnown); {
	case !d.DebtKnown || d.Debt == 0 || !d.OverdueKnown:
		lines = append(lines, phrase(lang, "debt", debt))
	case d.Overdue == 0:
		lines = append(lines, phrase(lang, "debt", debt), phrase(lang, "permitted", debt))
	default:
		lines = append(lines, phrase(lang, "debt", debt), phrase(lang, "overdue", money(d.Overdue, true), dayText(lang, d.Since)))
	}
	return lines
}

func sum(minor int64, currency string, lang store.Language) string {
	return store.Money{Minor: minor, Currency: currency}.Format(lang)
}

func clientLine(lang store.Language, c *store.Client) string {
	var more []string
	if c.Importance != "" {
		more = append(more, phrase(lang, "importance", strings.ToLower(store.Word(lang, "importance."+string(c.Importance)))))
	}
	if c.ABC != "" {
		more = append(more, phrase(lang, "class", c.ABC+c.XYZ))
	}
	s := store.Word(lang, "client") + ": " + c.Name
	if len(more) > 0 {
		s += " (" + strings.Join(more, ", ") + ")"
	}
	return strings.Join(append([]string{s}, points(c.Phones)...), ", ")
}

func personLine(lang store.Language, p store.Person) string {
	parts := []string{p.Name}
	if p.Position != "" {
		parts = append(parts, p.Position)
	}
	if p.Away != "" {
		parts = append(parts, phrase(lang, "away until", dayText(lang, p.Away)))
	}
	parts = append(parts, points(p.Phones)...)
	for _, e := range points(p.Emails) {
		if slices.Contains(p.Bounced, e) {
			e += " (" + phrase(lang, "bounced") + ")"
		}
		parts = append(parts, e)
	}
	return strings.Join(parts, ", ")
}

func points(list []string) []string { return list[:min(maxPoints, len(list))] }

// shorten cuts s to n characters with an ellipsis.
func shorten(s string, n int) string {
	for i := range s {
		if n == 0 {
			return strings.TrimSpace(s[:i]) + "…"
		}
		n--
	}
	return s
}
