package caldav

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-ical"
	"github.com/teambition/rrule-go"

	"intouch/store"
)

// Reading: a TZID is an IANA name, also behind a vendor's prefix
// ("/mozilla.org/20050126_1/Europe/Berlin"), or a Windows name ("Russian
// Standard Time"), or whatever the VTIMEZONE of that name describes. Known
// names win over the VTIMEZONE beside them: Outlook writes there the rules of
// one year for all years.
//
// Writing: a VTIMEZONE made from the zone database (RFC 5545 section 3.6.5).

// zones resolves the TZIDs of one object.
type zones struct {
	floating *time.Location // of times without a zone, and of unknown TZIDs
	seen     map[string]*time.Location
	cal      *ical.Component
	rules    int  // of VTIMEZONEs, worked out so far
	vague    bool // a recurrence was not worked out
}

func zonesOf(cal *ical.Component, floating *time.Location) *zones {
	return &zones{floating: floating, seen: map[string]*time.Location{}, cal: cal}
}

// find gives the zone of a TZID; "" is floating.
func (z *zones) find(tzid string) *time.Location {
	if tzid == "" {
		return z.floating
	}
	if loc, ok := z.seen[tzid]; ok {
		return loc
	}
	loc := zoneNamed(tzid)
	for _, c := range z.cal.Children {
		if loc != nil {
			break
		}
		if c.Name == ical.CompTimezone && strings.EqualFold(text(c, ical.PropTimezoneID), tzid) {
			if loc = zoneNamed(text(c, "X-LIC-LOCATION")); loc == nil {
				loc = z.described(c)
			}
		}
	}
	if loc == nil {
		loc = offsetNamed(tzid)
	}
	if loc == nil {
		loc = z.floating
	}
	z.seen[tzid] = loc
	return loc
}

// calendarZone is the zone that a VCALENDAR with a VTIMEZONE describes, as
// CALDAV:calendar-timezone holds it (RFC 4791 section 5.2.2); nil without one.
func calendarZone(cal *ical.Calendar) *time.Location {
	for _, c := range cal.Children {
		if c.Name == ical.CompTimezone {
			return zonesOf(cal.Component, nil).find(text(c, ical.PropTimezoneID))
		}
	}
	return nil
}

var loadedZones sync.Map // name → *time.Location; only names that exist get in

// zoneNamed is the zone of an IANA name, perhaps with a prefix, or of a
// Windows name; nil when it is neither.
func zoneNamed(name string) *time.Location {
	name = strings.Trim(strings.TrimSpace(name), `"`)
	if len(name) > 200 {
		return nil
	}
	if iana, ok := windowsZones[name]; ok {
		name = iana
	}
	if loc := loadZone(name); loc != nil {
		return loc
	}
	// /vendor/version/Area/City, the longest tail first: Area/Part/City.
	parts := strings.Split(strings.Trim(name, "/"), "/")
	for n := min(3, len(parts)-1); n >= 1; n-- {
		if loc := loadZone(strings.Join(parts[len(parts)-n:], "/")); loc != nil {
			return loc
		}
	}
	return nil
}

// managerZone is the manager's zone, without reading the zone database again.
func managerZone(m *store.Manager) *time.Location {
	if loc := loadZone(m.TimeZone); loc != nil {
		return loc
	}
	return m.Location()
}

func loadZone(name string) *time.Location {
	if name == "" || strings.EqualFold(name, "Local") {
		return nil // "Local" would be the server's zone
	}
	if loc, ok := loadedZones.Load(name); ok {
		return loc.(*time.Location)
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil
	}
	loadedZones.Store(name, loc)
	return loc
}

// offsetNamed reads the offset out of names such as Outlook's
// "(UTC+03:00) Moscow, St. Petersburg", "(GMT+03.00)", "UTC+3", "GMT-0500".
func offsetNamed(name string) *time.Location {
	s := strings.TrimPrefix(strings.TrimSpace(name), "(")
	if len(s) < 4 || !strings.EqualFold(s[:3], "UTC") && !strings.EqualFold(s[:3], "GMT") {
		return nil
	}
	s = s[3:]
	if s[0] == ')' {
		return time.UTC
	}
	end := 1
	for end < len(s) && (s[end] >= '0' && s[end] <= '9' || s[end] == ':' || s[end] == '.') {
		end++
	}
	digits := strings.NewReplacer(":", "", ".", "").Replace(s[1:end])
	if len(digits) <= 2 {
		digits += "00"
	}
	off, ok := parseOffset(s[:1] + fmt.Sprintf("%04s", digits))
	if !ok {
		return nil
	}
	return time.FixedZone(name, off)
}

// parseOffset reads a UTC-OFFSET, "+0300" or "-005328", in seconds.
func parseOffset(s string) (int, bool) {
	if len(s) != 5 && len(s) != 7 || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	n, err := strconv.ParseUint(s[1:]+"00"[:7-len(s)], 10, 32)
	h, m, sec := n/10000, n/100%100, n%100
	if err != nil || h > 23 || m > 59 || sec > 59 {
		return 0, false
	}
	off := int(h*3600 + m*60 + sec)
	if s[0] == '-' {
		off = -off
	}
	return off, true
}

func formatOffset(off int) string {
	sign := '+'
	if off < 0 {
		sign, off = '-', -off
	}
	s := fmt.Sprintf("%c%02d%02d", sign, off/3600, off/60%60)
	if off%60 != 0 {
		s += fmt.Sprintf("%02d", off%60)
	}
	return s
}

// wallTime is the moment when clocks in loc show that time. RFC 5545 section
// 3.3.5: a time that does not occur is read with the offset before the gap, of
// a time that occurs twice the first counts.
func wallTime(year int, month time.Month, day, hour, min, sec int, loc *time.Location) time.Time {
	utc := time.Date(year, month, day, hour, min, sec, 0, time.UTC)
	offset := func(t time.Time) time.Duration {
		_, off := t.In(loc).Zone()
		return time.Duration(off) * time.Second
	}
	before, after := offset(utc.AddDate(0, 0, -1)), offset(utc.AddDate(0, 0, 1))
	first := utc.Add(-before)
	if before != after && offset(first) != before {
		if second := utc.Add(-after); offset(second) == after {
			return second
		}
	}
	return first
}

// Bounds of a VTIMEZONE that somebody sent.
const (
	maxObservances = 200
	maxZoneRules   = 30  // of all zones of an object: a rule that is never met takes 50 ms
	maxOnsets      = 600 // of one observance: yearly since 1601
	lastOnset      = 2150
)

// described makes a zone of the observances of a VTIMEZONE, as a TZif table
// (RFC 8536) that the time package reads; nil when it cannot be understood.
func (z *zones) described(tz *ical.Component) *time.Location {
	type onset struct {
		at  int64
		off int
		dst bool
	}
	var onsets []onset
	first, firstOff := int64(1<<62), 0
	for i, c := range tz.Children {
		if i == maxObservances {
			return nil
		}
		from, ok1 := parseOffset(text(c, ical.PropTimezoneOffsetFrom))
		to, ok2 := parseOffset(text(c, ical.PropTimezoneOffsetTo))
		start, ok3 := parseDateTime(text(c, ical.PropDateTimeStart))
		if !ok1 || !ok2 || !ok3 {
			continue
		}
		for _, local := range z.onsets(c, start.in(time.UTC), from) {
			at := local.Unix() - int64(from)
			onsets = append(onsets, onset{at, to, c.Name == ical.CompTimezoneDaylight})
			if at < first {
				first, firstOff = at, from
			}
		}
	}
	if len(onsets) == 0 {
		return nil
	}
	sort.Slice(onsets, func(i, j int) bool { return onsets[i].at < onsets[j].at })

	var types, table, index bytes.Buffer // ttinfo entries, times, type of each
	kinds := map[onset]byte{}
	kind := func(off int, dst bool) (byte, bool) {
		k := onset{off: off, dst: dst}
		if n, ok := kinds[k]; ok {
			return n, true
		}
		if len(kinds) == 250 {
			return 0, false
		}
		n := byte(len(kinds))
		kinds[k] = n
		binary.Write(&types, binary.BigEndian, int32(off))
		if dst {
			types.Write([]byte{1, 0})
		} else {
			types.Write([]byte{0, 0})
		}
		return n, true
	}
	kind(firstOff, false) // before the first onset
	count, last := uint32(0), int64(-1<<62)
	for _, o := range onsets {
		n, ok := kind(o.off, o.dst)
		if !ok {
			return nil
		}
		if o.at == last {
			continue
		}
		last = o.at
		binary.Write(&table, binary.BigEndian, o.at)
		index.WriteByte(n)
		count++
	}
	const name = "LMT\x00" // Go wants an abbreviation
	head := func(times, kinds, chars uint32) []byte {
		b := append([]byte("TZif2"), make([]byte, 15)...)
		for _, n := range []uint32{0, 0, 0, times, kinds, chars} {
			b = binary.BigEndian.AppendUint32(b, n)
		}
		return b
	}
	data := append(head(0, 0, 0), head(count, uint32(len(kinds)), uint32(len(name)))...)
	data = append(data, table.Bytes()...)
	data = append(data, index.Bytes()...)
	data = append(data, types.Bytes()...)
	data = append(data, name+"\n\n"...)
	loc, err := time.LoadLocationFromTZData(text(tz, ical.PropTimezoneID), data)
	if err != nil {
		return nil
	}
	return loc
}

// onsets lists the local times, as if they were UTC, at which an observance
// begins.
func (z *zones) onsets(c *ical.Component, start time.Time, from int) []time.Time {
	onsets := []time.Time{start}
	if p := c.Props.Get(ical.PropRecurrenceRule); p != nil && z.rules < maxZoneRules {
		z.rules++
		onsets = append(onsets, yearly(p.Value, start, from)...)
	}
	for _, p := range c.Props.Values(ical.PropRecurrenceDates) {
		for v := range strings.SplitSeq(p.Value, ",") {
			if t, ok := parseDateTime(v); ok && len(onsets) < maxOnsets {
				onsets = append(onsets, t.in(time.UTC))
			}
		}
	}
	return onsets
}

// yearly works out the rule of an observance.
func yearly(rule string, start time.Time, from int) (onsets []time.Time) {
	defer func() {
		if recover() != nil { // rrule-go, on BYDAY beyond the month
			onsets = nil
		}
	}()
	opt, err := parseRule(rule)
	if err != nil || opt.Freq != rrule.YEARLY {
		return nil
	}
	opt.Dtstart = start
	end := time.Date(lastOnset, 1, 1, 0, 0, 0, 0, time.UTC)
	if opt.Until.IsZero() || opt.Until.After(end) {
		opt.Until = end
	} else {
		opt.Until = opt.Until.Add(time.Duration(from) * time.Second)
	}
	r, err := rrule.NewRRule(*opt)
	if err != nil {
		return nil
	}
	next := r.Iterator()
	for t, ok := next(); ok && len(onsets) < maxOnsets; t, ok = next() {
		onsets = append(onsets, t)
	}
	return onsets
}
