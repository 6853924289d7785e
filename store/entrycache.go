package store

import "sync"

// entryCache holds entries as they were last read: the phones and programs of
// one manager fetch the same ones one after the other. An entry of it holds as
// long as the change number of its calendar does.
type entryCache struct {
	mu        sync.Mutex
	size      int
	calendars map[int64]*cachedCalendar
}

// cachedCalendar are entries of one calendar.
type cachedCalendar struct {
	at      Generation // when it was last seen that state is the calendar's
	state   calendarState
	entries map[string]Entry
}

// calendarState names a state of a calendar's entries.
type calendarState struct{ epoch, change int64 }

const (
	maxCachedEntry   = 16 << 10
	maxCachedEntries = 7 << 20
	cachedEntrySize  = 300 // bytes of one beside its own
)

// get gives the entries of those names, in their order; false unless it has
// them all as they are in that generation.
func (c *entryCache) get(at Generation, calendar int64, names []string) ([]Entry, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cal := c.calendars[calendar]
	if cal == nil || cal.at != at {
		return nil, false
	}
	found := make([]Entry, len(names))
	for i, name := range names {
		e, ok := cal.entries[name]
		if !ok {
			return nil, false
		}
		found[i] = e
	}
	return found, true
}

// turn brings a calendar to a state that was read in a transaction which
// began in that generation or later: in another one nothing of it holds. It
// does nothing where the cache is ahead of the transaction.
func (c *entryCache) turn(at Generation, calendar int64, now calendarState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cal := c.calendars[calendar]
	if cal != nil && cal.state.epoch == now.epoch && cal.state.change > now.change {
		return
	}
	if cal == nil || cal.state != now {
		c.drop(calendar)
		if c.calendars == nil {
			c.calendars = map[int64]*cachedCalendar{}
		}
		cal = &cachedCalendar{state: now, entries: map[string]Entry{}}
		c.calendars[calendar] = cal
	}
	cal.at = at
}

// put keeps an entry that was read in that state of its calendar.
func (c *entryCache) put(calendar int64, state calendarState, e Entry) {
	if len(e.Bytes) > maxCachedEntry {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	cal := c.calendars[calendar]
	if cal == nil || cal.state != state {
		return
	}
	c.take(cal, e.Name)
	if c.size += len(e.Bytes) + cachedEntrySize; c.size > maxCachedEntries {
		c.size, c.calendars = 0, nil
		return
	}
	cal.entries[e.Name] = e
}

func (c *entryCache) take(cal *cachedCalendar, name string) {
	if e, ok := cal.entries[name]; ok {
		c.size -= len(e.Bytes) + cachedEntrySize
		delete(cal.entries, name)
	}
}

// forget lets a calendar go that is about to change. Only what changes would
// have to go, but that is all that programs fetch then, and what lies here makes
// the collector's work.
func (c *entryCache) forget(calendar int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(calendar)
}

func (c *entryCache) drop(calendar int64) {
	if cal := c.calendars[calendar]; cal != nil {
		for name := range cal.entries {
			c.take(cal, name)
		}
		delete(c.calendars, calendar)
	}
}
