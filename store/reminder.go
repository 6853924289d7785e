package store

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Reminders are when managers are told of what is coming: by their calendar
// programs, which show the alarms of entries, and by mail (rules.md section 7).
// An alarm that somebody set in a calendar program wins over what is said here.
type Reminders struct {
	Mail bool // reminders are mailed too
	// How long before its start a contact of each importance is brought to
	// mind; whole days are at AllDay instead, on their first day.
	High, Normal, Low []time.Duration
	AllDay            ClockTime
	// Shipments and payments of deals: how many days ahead, at what time.
	DealDays []int
	DealTime ClockTime
	// QuietFrom and QuietTo bound the hours in which no reminder is mailed; it
	// goes when they end. The same: there are none.
	QuietFrom, QuietTo ClockTime
}

// DefaultReminders are those of a house that says nothing else.
var DefaultReminders = Reminders{
	Mail: true,
	High: []time.Duration{time.Hour, 15 * time.Minute}, Normal: []time.Duration{15 * time.Minute},
	AllDay: 9 * 60, DealDays: []int{1}, DealTime: 9 * 60,
	QuietFrom: 21 * 60, QuietTo: 7 * 60,
}

// ClockTime is a time of day in minutes after midnight; NoTime is none.
type ClockTime int

// NoTime is no time of day.
const NoTime ClockTime = -1

func (c ClockTime) String() string {
	if c == NoTime {
		return "none"
	}
	return fmt.Sprintf("%02d:%02d", c/60, c%60)
}

func parseClockTime(s string) (ClockTime, error) {
	t, err := time.Parse("15:04", s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a time of day like 09:00", clip(s, 40))
	}
	return ClockTime(t.Hour()*60 + t.Minute()), nil
}

// parseClockTimes reads "09:00-18:00".
func parseClockTimes(s string) (from, to ClockTime, err error) {
	first, last, _ := strings.Cut(s, "-")
	if from, err = parseClockTime(strings.TrimSpace(first)); err == nil {
		to, err = parseClockTime(strings.TrimSpace(last))
	}
	return from, to, err
}

// on is when the clocks of loc show c on a day.
func (c ClockTime) on(d Date, loc *time.Location) time.Time {
	t, err := time.Parse(dateLayout, string(d))
	if err != nil {
		return time.Time{}
	}
	return WallTime(t.Year(), t.Month(), t.Day(), int(c/60), int(c%60), loc)
}

// Bounds of what is set for reminders.
const (
	maxAlarms = 5                   // of one item
	maxAhead  = 30 * 24 * time.Hour // before it
)

// ReminderKeys are the names under which Set takes values, in the order in
// which people read them.
var ReminderKeys = []string{"mail", "high", "normal", "low", "all_day", "deal_days", "deal_time", "quiet"}

// inRussian are the words of Set as Russians write them.
var inRussian = strings.NewReplacer("нет", "none", "мин", "m", "м", "m", "ч", "h", "дн", "d", "д", "d", "–", "-")

// Set changes what one key says, as people write it: mail "on" or "off"; high,
// normal and low a list like "1h 15m"; all_day and deal_time "09:00"; deal_days
// "3 1"; quiet "21:00-07:00". "none" is no reminder, and no quiet hours; "1ч 15м" and "нет" are understood too. The
// fault is an *Invalid whose field is the key.
func (r *Reminders) Set(key, value string) error {
	value = inRussian.Replace(strings.ToLower(strings.TrimSpace(value)))
	var err error
	switch key {
	case "mail":
		if value != "on" && value != "off" {
			return invalid(key, "%q is neither on nor off", clip(value, 40))
		}
		r.Mail = value == "on"
	case "high":
		r.High, err = parseAhead(value)
	case "normal":
		r.Normal, err = parseAhead(value)
	case "low":
		r.Low, err = parseAhead(value)
	case "all_day":
		if r.AllDay = NoTime; value != "none" {
			r.AllDay, err = parseClockTime(value)
		}
	case "deal_days":
		r.DealDays, err = parseDays(value)
	case "deal_time":
		r.DealTime, err = parseClockTime(value)
	case "quiet":
		if r.QuietFrom, r.QuietTo = 0, 0; value != "none" {
			r.QuietFrom, r.QuietTo, err = parseClockTimes(value)
		}
	default:
		return invalid(key, "there is no such setting: there are %s", strings.Join(ReminderKeys, ", "))
	}
	if err != nil {
		return invalid(key, "%v", err)
	}
	return nil
}

// Get is what Set of that key would take to make it as it is.
func (r *Reminders) Get(key string) string {
	switch key {
	case "mail":
		if r.Mail {
			return "on"
		}
		return "off"
	case "high":
		return formatAhead(r.High)
	case "normal":
		return formatAhead(r.Normal)
	case "low":
		return formatAhead(r.Low)
	case "all_day":
		return r.AllDay.String()
	case "deal_days":
		if len(r.DealDays) == 0 {
			return "none"
		}
		return strings.Trim(fmt.Sprint(r.DealDays), "[]")
	case "deal_time":
		return r.DealTime.String()
	case "quiet":
		if r.QuietFrom == r.QuietTo {
			return "none"
		}
		return r.QuietFrom.String() + "-" + r.QuietTo.String()
	}
	return ""
}

// words splits a list at blanks and commas; "none" is an empty one.
func listed(s string) ([]string, error) {
	if s == "none" {
		return nil, nil
	}
	words := strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' })
	switch {
	case len(words) == 0:
		return nil, fmt.Errorf("is empty: no reminder is none")
	case len(words) > maxAlarms:
		return nil, fmt.Errorf("more than %d reminders of one thing", maxAlarms)
	}
	return words, nil
}

func parseAhead(s string) (out []time.Duration, err error) {
	words, err := listed(s)
	for _, w := range words {
		d, err := time.ParseDuration(w)
		if days, ok := strings.CutSuffix(w, "d"); ok {
			var n int
			n, err = strconv.Atoi(days)
			d = time.Duration(min(max(n, -1), 1000)) * 24 * time.Hour
		}
		if err != nil || d < 0 || d > maxAhead || d%time.Minute != 0 {
			return nil, fmt.Errorf("%q is not a time like 15m, 1h or 2d, of whole minutes and at most %d days", clip(w, 40), maxAhead/24/time.Hour)
		}
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b time.Duration) int { return cmp.Compare(b, a) })
	return slices.Compact(out), err
}

func formatAhead(list []time.Duration) string {
	if len(list) == 0 {
		return "none"
	}
	var words []string
	for _, d := range list {
		switch {
		case d > 0 && d%(24*time.Hour) == 0:
			words = append(words, fmt.Sprintf("%dd", d/(24*time.Hour)))
		case d > 0 && d%time.Hour == 0:
			words = append(words, fmt.Sprintf("%dh", d/time.Hour))
		default:
			words = append(words, fmt.Sprintf("%dm", d/time.Minute))
		}
	}
	return strings.Join(words, " ")
}

func parseDays(s string) (out []int, err error) {
	words, err := listed(s)
	for _, w := range words {
		n, err := strconv.Atoi(w)
		if err != nil || n < 0 || n > int(maxAhead/24/time.Hour) {
			return nil, fmt.Errorf("%q is not a number of days up to %d", clip(w, 40), maxAhead/24/time.Hour)
		}
		out = append(out, n)
	}
	slices.SortFunc(out, func(a, b int) int { return cmp.Compare(b, a) })
	return slices.Compact(out), err
}

// With gives the reminders of one who wants some of them otherwise: by key, as
// Set takes them. What Set refuses stays as it is.
func (r Reminders) With(own map[string]string) Reminders {
	for _, key := range slices.Sorted(maps.Keys(own)) {
		was := r
		if r.Set(key, own[key]) != nil {
			r = was
		}
	}
	return r
}

// Offsets are when an item rings that has no alarm of its own: seconds of the
// clock after its start, mostly negative.
func (r *Reminders) Offsets(it *Item) (out []time.Duration) {
	switch {
	case it.When.IsZero():
	case it.Event != nil:
		for _, days := range r.DealDays {
			out = append(out, time.Duration(r.DealTime)*time.Minute-time.Duration(days)*24*time.Hour)
		}
	case it.Importance == Low && len(r.Low) == 0:
	case it.When.AllDay:
		if r.AllDay != NoTime {
			out = append(out, time.Duration(r.AllDay)*time.Minute)
		}
	default:
		ahead := r.Normal
		switch it.Importance {
		case High:
			ahead = r.High
		case Low:
			ahead = r.Low
		}
		for _, d := range ahead {
			out = append(out, -d)
		}
	}
	return out
}

// Ring is when an alarm with that offset from the start of a span goes off for
// one who looks from loc. Of whole days the clock counts, whatever DST does.
func (s Span) Ring(offset time.Duration, loc *time.Location) time.Time {
	if !s.AllDay {
		return s.Start.Add(offset)
	}
	const day = 24 * time.Hour
	days := int(offset / day)
	if offset%day < 0 {
		days--
	}
	clock := ClockTime((offset - time.Duration(days)*day) / time.Minute)
	return clock.on(s.First.Add(days), loc)
}

// leaves is when a reminder is mailed that is meant for a moment: in its
// minute, or when the quiet hours are over.
func (r *Reminders) leaves(alarm time.Time, loc *time.Location) time.Time {
	minute := alarm.Truncate(time.Minute)
	if r.QuietFrom == r.QuietTo {
		return minute
	}
	// The quiet hours that began today, and those that began yesterday.
	for _, begun := range []int{-1, 0} {
		day := DateOf(minute, loc).Add(begun)
		from, to := r.QuietFrom.on(day, loc), r.QuietTo.on(day, loc)
		if r.QuietTo <= r.QuietFrom {
			to = r.QuietTo.on(day.Add(1), loc)
		}
		if !minute.Before(from) && minute.Before(to) {
			return to
		}
	}
	return minute
}

// Alarm is one going off of an alarm.
type Alarm struct {
	At   time.Time
	When Span // of the item, or of the occurrence of a series that is meant
}

// AlarmReader finds the first alarm after a moment: of those that stand in
// EntryView.Overlay and were not acknowledged until then, else of
// EntryView.Alarms. False: there is none.
type AlarmReader func(v *EntryView, after time.Time) (Alarm, bool)

// Bounds of what was missed: one who was away for long is told of nothing that
// has passed, and at once only of what is not too old.
const (
	remindOnTime = 10 * time.Minute // as late as this also what is over is mailed: an alarm may ring at the end
	remindLate   = 24 * time.Hour
)

// useful reports whether a reminder that should have left then is still worth
// its mail.
func (a *Alarm) useful(left, now time.Time, loc *time.Location) bool {
	late := now.Sub(left)
	if late <= remindOnTime && !left.After(a.At) {
		return true
	}
	return late <= remindLate && now.Before(a.When.Ends(loc))
}
