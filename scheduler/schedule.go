package scheduler

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"intouch/store"
)

// schedule is a cron expression without a zone: it says which times of which
// days are meant, on a clock that never jumps. When that is in a zone is
// computed for each (next), since cron's own reading skips a daily 02:30 on
// the spring day and runs it twice in autumn.
type schedule struct {
	spec *cron.SpecSchedule // nil: never
	expr string
}

// slot is one meant run.
type slot struct {
	name string    // the meant local time, "2026-11-23T08:00", the ledger's key
	at   time.Time // when it is
}

// CheckCron says what is wrong with a cron expression of the settings; ""
// means never and is right.
func CheckCron(expr string) error {
	_, err := parseSchedule(expr)
	return err
}

func parseSchedule(expr string) (s schedule, err error) {
	if expr == "" {
		return schedule{}, nil
	}
	if strings.Contains(expr, "=") {
		return s, errors.New("the zone is each manager's own, so none may be given")
	}
	defer func() { // cron.Parse panics on some that are none
		if r := recover(); r != nil {
			err = fmt.Errorf("%q is not a cron expression", expr)
		}
	}()
	parsed, err := cron.ParseStandard(expr)
	if err != nil {
		return s, err
	}
	spec, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return s, fmt.Errorf("%q names no times of day", expr) // @every
	}
	spec.Location = time.UTC // the clock that never jumps
	if spec.Next(time.Unix(0, 0)).IsZero() {
		return s, fmt.Errorf("%q never comes", expr) // 30 February
	}
	return schedule{spec, expr}, nil
}

func (s schedule) never() bool { return s.spec == nil }

// next is the first slot after t in loc. A local time that the clocks skip is
// at the first moment after the gap, one that comes twice is the first of the
// two (store.WallTime), so each meant time is one slot on any day. Of several
// that come to the same moment, as where a quarterly one meets a gap, the last
// is the slot.
func (s schedule) next(loc *time.Location, t time.Time) (n slot, ok bool) {
	if s.never() {
		return slot{}, false
	}
	_, offset := t.In(loc).Zone()
	// Meant times ascend, and so do their moments. Those right after t's clock
	// time may lie before t when the clocks have just gone back.
	for meant := s.spec.Next(t.UTC().Add(time.Duration(offset) * time.Second)); !meant.IsZero(); meant = s.spec.Next(meant) {
		at := store.WallTime(meant.Year(), meant.Month(), meant.Day(), meant.Hour(), meant.Minute(), loc)
		if ok && !at.Equal(n.at) {
			break
		}
		if at.After(t) {
			n, ok = slot{name: meant.Format("2006-01-02T15:04"), at: at}, true
		}
	}
	return n, ok
}

// latest is the newest slot not after now in loc that is at most within old.
func (s schedule) latest(loc *time.Location, now time.Time, within time.Duration) (newest slot, ok bool) {
	t := now.Add(-within - time.Second)
	for {
		n, more := s.next(loc, t)
		if !more || n.at.After(now) {
			return newest, ok
		}
		newest, ok, t = n, true, n.at
	}
}
