package caldav

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/emersion/go-ical"

	"intouch/store"
)

// merge writes the entry upon what a calendar program put for it: lines that
// already say what we have to say, and all that we do not model, stay byte
// for byte. Where nothing differs it gives those bytes. Nil when they are not
// what the collection holds.
func (e *entry) merge(overlay []byte) []byte {
	return e.operate(overlay, func(s *surgery, c *component) {
		e.mergeSummary(s, c)
		e.mergeDescription(s, c)
		if u := strings.TrimSpace(text(c.Component, ical.PropURL)); u != e.url && (u == "" || e.oursURL(u)) {
			s.set(c, ical.PropURL, "URL:"+e.url)
		}
		if e.todo {
			e.mergeProgress(s, c)
		} else if state := stateOf(c.Component); (state == store.Postponed) != (e.eventStatus() == "TENTATIVE") || state == store.Cancelled {
			s.set(c, ical.PropStatus, "STATUS:"+e.eventStatus())
		}
		e.mergeCategories(s, c)
		if color := strings.ToLower(strings.TrimSpace(text(c.Component, "COLOR"))); color == "" || oursColor(color) {
			if want := colorName(e.view.Item.Status); color != want {
				s.set(c, "COLOR", "COLOR:"+want)
			}
		}
	})
}

// mergeLabelled is merge for a label calendar: nothing of ours is added, and
// only what the record now says otherwise is written.
func (e *entry) mergeLabelled(overlay []byte) []byte {
	return e.operate(overlay, func(s *surgery, c *component) {
		title, _ := titleOf(c.Component)
		if bare := store.TrimClient(title, e.client); e.view.Item.Contact != nil && bare != e.subject && !cutFrom(e.subject, bare) {
			s.set(c, ical.PropSummary, "SUMMARY:"+escape(e.subject))
		}
		if note := noteOf(text(c.Component, ical.PropDescription)); strings.TrimSpace(note) != strings.TrimSpace(e.note) {
			s.set(c, ical.PropDescription, "DESCRIPTION:"+escape(e.note))
		}
		said, is := stateOf(c.Component), e.view.Item.State()
		switch {
		case said == is, said == "" && is == store.Planned:
		case !e.todo && is == store.Done && said != store.Cancelled && said != store.Postponed: // no word for it
		case is == store.Cancelled:
			s.set(c, ical.PropStatus, "STATUS:CANCELLED")
		case e.todo && said == store.Planned && is == store.Postponed: // no word for it
		case e.todo:
			e.mergeProgress(s, c)
		case is == store.Postponed:
			s.set(c, ical.PropStatus, "STATUS:TENTATIVE")
		default:
			s.set(c, ical.PropStatus, "STATUS:CONFIRMED")
		}
	})
}

// operate opens what a calendar program put, writes times, repetition and
// priority where the item now has others, lets rest do the rest, and gives
// the bytes; those that were put where nothing was to be done.
func (e *entry) operate(overlay []byte, rest func(*surgery, *component)) []byte {
	obj, err := parse(overlay)
	if err != nil {
		return nil
	}
	name := store.VEvent
	if e.todo {
		name = store.VTodo
	}
	mainIcal, overrides, err := check(&ical.Calendar{Component: obj.root.Component}, name)
	if err != nil {
		return nil
	}
	z := zonesOf(obj.root.Component, e.loc)
	was, err := z.span(mainIcal)
	if err != nil {
		return nil
	}
	s := &surgery{obj: obj, swap: map[int][]string{}, before: map[int][]string{}}
	var c *component
	for _, child := range obj.root.children {
		if child.Component == mainIcal {
			c = child
		}
		if child.Name == string(name) && uidOf(child.Component) != e.view.UID {
			s.set(child, ical.PropUID, "UID:"+escape(e.view.UID))
		}
	}

	e.mergeTimes(s, c, z, was)
	e.mergeRecurrence(s, c, z, overrides)
	said := importanceOf(c.Component)
	if _, urgent := titleOf(c.Component); urgent && e.label {
		said = store.High
	}
	if said != e.importance && (said != "" || e.importance != store.Normal) {
		s.set(c, ical.PropPriority, "PRIORITY:"+priority(e.importance))
	}
	rest(s, c)
	if !s.changed() {
		return overlay
	}
	s.set(c, ical.PropDateTimeStamp, "DTSTAMP:"+e.changed)
	s.set(c, ical.PropLastModified, "LAST-MODIFIED:"+e.changed)
	theirs, _ := strconv.ParseInt(strings.TrimSpace(text(c.Component, ical.PropSequence)), 10, 32)
	s.set(c, ical.PropSequence, "SEQUENCE:"+fmt.Sprint(max(theirs, sequence(e.view.Version))))
	return s.write()
}

// mergeSummary leaves a title alone that means the same: the store trims and
// bounds what it keeps.
func (e *entry) mergeSummary(s *surgery, c *component) {
	was := text(c.Component, ical.PropSummary)
	if was == e.summary {
		return
	}
	title, urgent := titleOf(c.Component)
	if e.view.Item.Contact != nil && !urgent && store.TitleWithClient(e.subject, e.client) == e.subject {
		if title == e.subject || cutFrom(e.subject, title) {
			return
		}
	}
	s.set(c, ical.PropSummary, "SUMMARY:"+escape(e.summary))
}

// cutFrom reports whether a subject is what the store's bound left of a title.
func cutFrom(subject, title string) bool {
	return len(subject) >= 200 && strings.HasPrefix(title, subject)
}

// mergeTimes moves the component to the item's span, in the form and zone in
// which its program wrote it.
func (e *entry) mergeTimes(s *surgery, c *component, z *zones, was store.Span) {
	if e.when.IsZero() && !e.todo || sameSpan(was, e.when, e.todo) {
		return
	}
	start := c.Props.Get(ical.PropDateTimeStart)
	if start == nil {
		start = c.Props.Get(ical.PropDue)
	}
	form := ownZone(e.loc)
	if start != nil && !was.AllDay {
		t, _ := parseDateTime(start.Value)
		tzid := start.Params.Get(ical.PropTimezoneID)
		switch loc := z.find(tzid); {
		case t.utc:
			form = zoneForm{utc: true}
		case tzid == "":
			form = zoneForm{loc: e.loc}
		case loc != e.loc: // a zone that we understood
			form = zoneForm{loc: loc, tzid: tzid}
		}
	}
	for _, name := range []string{ical.PropDateTimeStart, ical.PropDateTimeEnd, ical.PropDue, ical.PropDuration} {
		s.drop(c, name)
	}
	for _, l := range e.times(e.when, form, start == nil || c.Props.Get(ical.PropDateTimeStart) != nil || !e.todo || e.when.Start.Before(e.when.End)) {
		name, _, _ := strings.Cut(strings.ReplaceAll(l, ";", ":"), ":")
		s.set(c, name, l)
	}
	if !e.when.IsZero() && !e.when.AllDay && form.tzid == e.loc.String() && !describes(s.obj, form.tzid) {
		w := &writer{}
		w.writeZone(e.loc, e.when.Start.In(e.loc).Year())
		s.insert(c.begin, strings.TrimSuffix(w.String(), "\r\n"))
	}
}

// describes reports whether the object has the VTIMEZONE of that name.
func describes(obj *object, tzid string) bool {
	return slices.ContainsFunc(obj.root.children, func(c *component) bool {
		return c.Name == ical.CompTimezone && text(c.Component, ical.PropTimezoneID) == tzid
	})
}

// sameSpan reports whether two spans say the same: of a VTODO only what is
// due counts.
func sameSpan(a, b store.Span, todo bool) bool {
	if a.IsZero() || b.IsZero() || a.AllDay != b.AllDay {
		return a.IsZero() && b.IsZero()
	}
	if a.AllDay {
		return a.Last == b.Last && (todo || a.First == b.First)
	}
	return a.End.Equal(b.End) && (todo || a.Start.Equal(b.Start))
}

// mergeRecurrence leaves the rule alone, with its overrides, unless the item
// now repeats otherwise.
func (e *entry) mergeRecurrence(s *surgery, c *component, z *zones, overrides int) {
	if strings.Join(e.recurrence, "\n") == z.recurrence(c.Component, 0) {
		return
	}
	for _, name := range []string{ical.PropRecurrenceRule, ical.PropRecurrenceDates, ical.PropExceptionDates} {
		s.drop(c, name)
	}
	for _, l := range e.recurrence {
		s.insert(s.end(c), l)
	}
	if len(e.recurrence) > 0 || overrides == 0 {
		return
	}
	for _, child := range s.obj.root.children {
		if child != c && child.Name == c.Name {
			for i := child.begin; i <= child.end; i++ {
				s.swap[i] = nil
			}
		}
	}
}

// mergeDescription leaves what people wrote as it is, also what of it the
// store does not keep, and writes our part anew.
func (e *entry) mergeDescription(s *surgery, c *component) {
	was := text(c.Component, ical.PropDescription)
	note, ours := splitNote(was)
	same := strings.TrimSpace(clip(note, maxNote)) == strings.TrimSpace(e.note)
	if !same {
		note = e.note
	}
	want := note
	if e.block != "" {
		want = describe(note, e.block)
	}
	switch {
	case want == was, same && !ours && e.block == "":
	case want == "":
		s.drop(c, ical.PropDescription)
	default:
		s.set(c, ical.PropDescription, "DESCRIPTION:"+escape(want)) // without the ALTREP of the old text
	}
}

// oursURL reports whether a URL leads to one of our pages.
func (e *entry) oursURL(u string) bool {
	return strings.HasPrefix(u, e.base+"/contacts/") || strings.HasPrefix(u, e.base+"/deals/")
}

func oursColor(name string) bool {
	for _, c := range colorNames {
		if c == name {
			return true
		}
	}
	return false
}

// mergeCategories adds ours to those that stand there. What we said when the
// item was otherwise is taken away; we always say status, kind and importance
// together, so that only where all three stand they are ours and not a
// person's own.
func (e *entry) mergeCategories(s *surgery, c *component) {
	theirs := categoriesOf(c.Component)
	list := slices.Clone(theirs)
	status, kinds, importance := ourWords(theirs)
	if len(status) > 0 && len(kinds) > 0 && len(importance) > 0 {
		old := append(status, importance...)
		for _, k := range kinds {
			if old = append(old, k.word); k.key != e.kindWord() {
				old = append(old, knownCategories[k.key])
			}
		}
		list = slices.DeleteFunc(list, func(s string) bool { return slices.Contains(old, s) })
	}
	ours := e.categories()
	for _, o := range ours { // behind the person's own
		if !containsFold(list, o) {
			list = append(list, o)
		}
	}
	if sameSet(list, theirs) {
		return
	}
	s.set(c, ical.PropCategories, "CATEGORIES:"+categoryValue(list))
}

type kindWord struct{ key, word string }

// ourWords finds, in either language, the words that categories are made of.
func ourWords(list []string) (status []string, kinds []kindWord, importance []string) {
	for _, lang := range []store.Language{store.Russian, store.English} {
		for _, s := range []store.Status{store.StatusOverdue, store.StatusCurrent, store.StatusPostponed, store.StatusDone, store.StatusCancelled} {
			if w := store.Word(lang, "status."+string(s)); slices.Contains(list, w) {
				status = append(status, w)
			}
		}
		for _, i := range []store.Importance{store.High, store.Normal, store.Low} {
			if w := store.Word(lang, "importance."+string(i)); slices.Contains(list, w) {
				importance = append(importance, w)
			}
		}
		for key := range knownCategories {
			if w := store.Word(lang, key); slices.Contains(list, w) {
				kinds = append(kinds, kindWord{key, w})
			}
		}
	}
	return status, kinds, importance
}

func containsFold(list []string, s string) bool {
	return slices.ContainsFunc(list, func(l string) bool { return strings.EqualFold(l, s) })
}

func sameSet(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// surgery replaces single lines of an object.
type surgery struct {
	obj    *object
	swap   map[int][]string // line → what stands there instead, nil: nothing
	before map[int][]string // line → what is put before it
}

// set makes the component say l for that property, once.
func (s *surgery) set(c *component, name, l string) {
	done := false
	for _, i := range c.props {
		if s.obj.lines[i].name == name {
			if s.swap[i] = nil; !done {
				s.swap[i] = []string{l}
			}
			done = true
		}
	}
	if !done {
		s.insert(s.end(c), l)
	}
}

// drop takes a property away.
func (s *surgery) drop(c *component, name string) {
	for _, i := range c.props {
		if s.obj.lines[i].name == name {
			s.swap[i] = nil
		}
	}
}

// end is the line before which a component's properties end.
func (s *surgery) end(c *component) int {
	if len(c.children) > 0 {
		return c.children[0].begin
	}
	return c.end
}

func (s *surgery) insert(at int, l string) { s.before[at] = append(s.before[at], l) }

func (s *surgery) changed() bool { return len(s.swap)+len(s.before) > 0 }

func (s *surgery) write() []byte {
	w := &writer{}
	for i, l := range s.obj.lines {
		for _, n := range s.before[i] {
			for part := range strings.SplitSeq(n, "\r\n") {
				w.line(part)
			}
		}
		lines, swapped := s.swap[i]
		if !swapped {
			w.asReceived(l.raw)
		}
		for _, n := range lines {
			w.line(n)
		}
	}
	return bytes.Clone(w.Bytes())
}
