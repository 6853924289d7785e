package caldav

import (
	"strings"

	"github.com/emersion/go-ical"

	"intouch/store"
)

// done reports whether the item is ticked off.
func (e *entry) done() bool { return e.view.Item.State() == store.Done }

// completed is when it was.
func (e *entry) completed() string {
	it := e.view.Item
	t := e.view.Changed
	if it.Contact != nil && !it.Contact.Completed.IsZero() {
		t = it.Contact.Completed
	}
	if it.Event != nil && !it.Event.Completed.IsZero() {
		t = it.Event.Completed
	}
	return stampOf(t)
}

// writeProgress writes how far a VTODO is.
func (e *entry) writeProgress(w *writer) {
	if !e.done() {
		w.line("STATUS:NEEDS-ACTION")
		return
	}
	w.line("STATUS:COMPLETED")
	w.line("COMPLETED:" + e.completed())
	w.line("PERCENT-COMPLETE:100")
}

// mergeProgress makes the progress of a VTODO that a program put agree with
// the item. What it said of its own, as IN-PROCESS or a percentage, stays as
// long as it agrees.
func (e *entry) mergeProgress(s *surgery, c *component) {
	status := strings.ToUpper(strings.TrimSpace(text(c.Component, ical.PropStatus)))
	if e.done() {
		if status != "COMPLETED" {
			s.set(c, ical.PropStatus, "STATUS:COMPLETED")
		}
		if c.Props.Get(ical.PropCompleted) == nil {
			s.set(c, ical.PropCompleted, "COMPLETED:"+e.completed())
		}
		if strings.TrimSpace(text(c.Component, ical.PropPercentComplete)) != "100" {
			s.set(c, ical.PropPercentComplete, "PERCENT-COMPLETE:100")
		}
		return
	}
	if state := stateOf(c.Component); state == store.Done || state == store.Cancelled {
		s.set(c, ical.PropStatus, "STATUS:NEEDS-ACTION")
		s.drop(c, ical.PropPercentComplete)
	}
	s.drop(c, ical.PropCompleted)
}
