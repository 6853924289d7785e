package caldav

import (
	"time"

	"github.com/emersion/go-ical"
	"github.com/teambition/rrule-go"
)

// overlaps reports whether a component overlaps [from, to).
func overlaps(cal *ical.Calendar, comp *ical.Component, from, to time.Time, floating *time.Location) bool {
	return true
}

func parseRule(s string) (*rrule.ROption, error) {
	return rrule.StrToROption(s)
}
