package caldav

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-ical"
	"golang.org/x/time/rate"

	"intouch/store"
)

// Feeds: a calendar as one iCalendar file at a secret address, for programs
// without CalDAV (Google, Outlook). They only read, and most of them from a
// server of their own, so a feed carries less than CalDAV does: no alarms
// (whoever also has the calendar by CalDAV would hear each twice), no
// attendees, no tasks, and of what is private only that the time is taken.

const (
	feedPrefix = "/feed/"
	feedSuffix = ".ics"
	// feedRefresh is how often programs are asked to come again. Outlook and
	// Google keep their own time, some hours.
	feedRefresh = "PT1H"
	// feedVersion is a part of the ETag: count it up when the same entries are
	// written otherwise.
	feedVersion = 1
	maxFeedZone = 200 // zones that a feed remembers to have written
	// feedTime is how long a reader may take for all of it.
	feedTime = 5 * time.Minute
)

var errSlowReader = errors.New("the reader took too long")

// FeedPath is the path of a calendar's feed.
func FeedPath(secret string) string { return feedPrefix + secret + feedSuffix }

// LogPath is a request's path as it may stand in a log: that of a feed is a
// secret.
func LogPath(path string) string {
	if strings.HasPrefix(path, feedPrefix) {
		return feedPrefix + "…"
	}
	return path
}

// feeds bounds what programs that hold an address can cost.
type feeds struct {
	// running are the feeds being written. Each holds a read transaction for as
	// long as its reader takes, and the database has few.
	running chan struct{}
	mu      sync.Mutex
	rates   map[int64]*rate.Limiter // by calendar: as many as there are feeds
}

func newFeeds() *feeds {
	return &feeds{running: make(chan struct{}, 2), rates: map[int64]*rate.Limiter{}}
}

// allows reports whether the calendar may be read in full once more: 30 times
// at once, then each minute.
func (f *feeds) allows(calendar int64, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.rates[calendar]
	if l == nil {
		l = rate.NewLimiter(rate.Every(time.Minute), 30)
		f.rates[calendar] = l
	}
	return l.AllowN(now, 1)
}

// feed answers GET and HEAD of a feed. An address that leads nowhere and one
// that was revoked look the same.
func (h *Handler) feed(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Cache-Control", "private, no-cache")
	head.Set("X-Robots-Tag", "noindex")
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Referrer-Policy", "no-referrer")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		head.Set("Allow", "GET, HEAD")
		http.Error(w, "a feed is only read", http.StatusMethodNotAllowed)
		return
	}
	secret, ok := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, feedPrefix), feedSuffix)
	f, err := store.Feed{}, error(store.ErrNotFound)
	if ok {
		f, err = h.st.Feed(r.Context(), secret)
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		http.Error(w, "there is no such feed", http.StatusNotFound)
		return
	case r.Context().Err() != nil:
		return
	case err != nil:
		h.log.Error("feed failed", "request", requestID(w), "err", err)
		internalError(w)
		return
	}
	now := h.st.Now()
	tag := feedTag(&f, &f.Collection)
	if feedUnchanged(r, tag, f.Changed) {
		h.feedHead(w, &f, tag, now)
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if r.Method == http.MethodHead {
		h.feedHead(w, &f, tag, now)
		return
	}
	if !h.feeds.allows(f.ID, now) {
		head.Set("Retry-After", "60")
		http.Error(w, "this feed is read too often", http.StatusTooManyRequests)
		return
	}
	select {
	case h.feeds.running <- struct{}{}:
		defer func() { <-h.feeds.running }()
	case <-r.Context().Done():
		return
	case <-time.After(10 * time.Second):
		head.Set("Retry-After", "30")
		http.Error(w, "too many feeds are being read", http.StatusServiceUnavailable)
		return
	}
	err = h.writeFeed(w, r, &f, now)
	if errors.Is(err, store.ErrBusy) {
		head.Set("Retry-After", "30")
		http.Error(w, "too much is being read", http.StatusServiceUnavailable)
		return
	}
	if err != nil && r.Context().Err() == nil {
		h.log.Error("feed failed", "request", requestID(w), "calendar", f.ID, "err", err)
		// What was sent is no whole calendar, and must not look like one.
		panic(http.ErrAbortHandler)
	}
}

// feedTag changes with everything that the feed says. It is weak: the same
// feed may come compressed.
func feedTag(f *store.Feed, col *store.Collection) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %d %d %d %q %q %q %q %q", feedVersion, col.ID, col.Epoch, col.Change, col.Name, col.Color, col.Description,
		f.Owner.TimeZone, f.Owner.Language))
	return hex.EncodeToString(sum[:12])
}

// feedUnchanged is RFC 9110 section 13.2.2.
func feedUnchanged(r *http.Request, tag string, changed time.Time) bool {
	if none := r.Header.Values("If-None-Match"); len(none) > 0 {
		tags := etagsOf(none)
		return slices.Contains(tags, tag) || slices.Contains(tags, "*")
	}
	since, err := http.ParseTime(r.Header.Get("If-Modified-Since"))
	return err == nil && !changed.IsZero() && !changed.After(since)
}

func (h *Handler) feedHead(w http.ResponseWriter, f *store.Feed, tag string, now time.Time) {
	head := w.Header()
	head.Set("Content-Type", "text/calendar; charset=utf-8")
	head.Set("Content-Disposition", `inline; filename="calendar.ics"`)
	head.Set("ETag", `W/"`+tag+`"`)
	head.Set("Vary", "Accept-Encoding")
	// Within the same second more may follow, which a program that came back
	// with this time would never see.
	if !f.Changed.IsZero() && now.Sub(f.Changed) > 5*time.Second {
		head.Set("Last-Modified", f.Changed.UTC().Format(http.TimeFormat))
	}
}

// writeFeed streams the calendar entry by entry.
func (h *Handler) writeFeed(w http.ResponseWriter, r *http.Request, f *store.Feed, now time.Time) error {
	started := time.Now()
	var out io.Writer = w
	var zip *gzip.Writer
	fw := &feedWriter{zones: map[string]bool{}, lang: f.Owner.Language, first: now.Year() - 2}
	if y := f.First.Year(); !f.First.IsZero() && y < fw.first {
		fw.first = max(y, now.Year()-30)
	}
	head := func(col store.Collection) error {
		h.feedHead(w, f, feedTag(f, &col), now)
		if acceptsGzip(r) {
			w.Header().Set("Content-Encoding", "gzip")
			zip, _ = gzip.NewWriterLevel(w, gzip.BestSpeed) // the level is known
			out = zip
		}
		fw.open(&col, managerZone(&f.Owner))
		return nil
	}
	err := h.st.Entries(r.Context(), f.ID, time.Time{}, time.Time{}, store.EntryBytes, head, func(e *store.Entry) error {
		fw.entry(e.Bytes)
		if fw.Len() < 32<<10 {
			return nil
		}
		if time.Since(started) > feedTime {
			return errSlowReader
		}
		_, err := fw.WriteTo(out)
		return err
	})
	if err != nil {
		return err
	}
	fw.line("END:VCALENDAR")
	if _, err := fw.WriteTo(out); err != nil {
		return err
	}
	if zip != nil {
		return zip.Close()
	}
	return nil
}

// acceptsGzip reads Accept-Encoding (RFC 9110 section 12.5.3).
func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		coding, weight, _ := strings.Cut(part, ";")
		if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			continue
		}
		q, found := strings.CutPrefix(strings.TrimSpace(weight), "q=")
		v, err := strconv.ParseFloat(q, 64)
		return !found || err == nil && v > 0
	}
	return false
}

// feedWriter writes one VCALENDAR of the objects of many entries.
type feedWriter struct {
	writer
	zones map[string]bool // that were written
	first int             // the year from which they must be right
	lang  store.Language
}

// open writes what stands before the entries (RFC 7986 section 5; the X-
// properties are those that Apple, Google and Outlook read).
func (w *feedWriter) open(col *store.Collection, loc *time.Location) {
	name := escape(fitText(col.Name))
	w.line("BEGIN:VCALENDAR")
	w.line("VERSION:2.0")
	w.line("PRODID:" + prodID)
	w.line("CALSCALE:GREGORIAN")
	w.line("METHOD:PUBLISH")
	w.line("NAME:" + name)
	w.line("X-WR-CALNAME:" + name)
	if d := escape(fitText(col.Description)); d != "" {
		w.line("DESCRIPTION:" + d)
		w.line("X-WR-CALDESC:" + d)
	}
	if color, ok := normalColor(col.Color); ok && color != "" {
		w.line("COLOR:" + nearestColor(color))
		w.line("X-APPLE-CALENDAR-COLOR:" + color)
	}
	w.line("X-WR-TIMEZONE:" + loc.String())
	w.line("REFRESH-INTERVAL;VALUE=DURATION:" + feedRefresh)
	w.line("X-PUBLISHED-TTL:" + feedRefresh)
	w.zone(loc.String(), nil, nil)
}

// entry writes the events of an entry's object, and the zones that they are
// the first to need. What cannot be read is left out: a feed that stops at one
// entry would lose all others.
func (w *feedWriter) entry(body []byte) {
	obj, err := parse(body)
	if err != nil {
		return
	}
	for _, c := range obj.root.children {
		if c.Name == ical.CompTimezone {
			w.zone(strings.TrimSpace(text(c.Component, ical.PropTimezoneID)), obj, c)
		}
	}
	private := slices.ContainsFunc(obj.root.children, isPrivate)
	for _, c := range obj.root.children {
		if c.Name == ical.CompEvent {
			w.event(obj, c, private)
		}
	}
}

// isPrivate reports whether a component is not for everybody. A class that is
// not known is private (RFC 5545 section 3.8.1.3); so are all occurrences of a
// series of which one is, since programs leave CLASS out of moved ones.
func isPrivate(c *component) bool {
	class := strings.TrimSpace(text(c.Component, ical.PropClass))
	return class != "" && !strings.EqualFold(class, "PUBLIC")
}

// zone writes a VTIMEZONE, once for each TZID: ours where the name is known,
// else the one that came with the entry.
func (w *feedWriter) zone(tzid string, obj *object, c *component) {
	if tzid == "" || w.zones[tzid] {
		return
	}
	if len(w.zones) < maxFeedZone {
		w.zones[tzid] = true
	}
	if loc := loadZone(tzid); loc != nil && loc.String() == tzid {
		if tzid != "UTC" {
			w.writeZone(loc, w.first)
		}
		return
	}
	if c != nil {
		for _, l := range obj.lines[c.begin : c.end+1] {
			w.asReceived(l.raw)
		}
	}
}

// event writes a VEVENT without what a feed leaves out.
func (w *feedWriter) event(obj *object, c *component, private bool) {
	w.line("BEGIN:VEVENT")
	for _, at := range c.props { // its own, not those of its alarms
		l := &obj.lines[at]
		if private && !slices.Contains(saysOnlyWhen, l.name) || !private && (slices.Contains(notInFeed, l.name) || strings.HasPrefix(l.name, "X-MOZ-")) {
			continue
		}
		w.asReceived(l.raw)
	}
	if private {
		w.line("SUMMARY:" + escape(phrase(w.lang, "busy")))
	}
	w.line("END:VEVENT")
}

var (
	saysOnlyWhen = []string{"UID", "DTSTAMP", "DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID", "SEQUENCE", "STATUS", "TRANSP", "CLASS"}
	// notInFeed are for those who organise, not for those who read.
	notInFeed = []string{"ATTENDEE", "ORGANIZER", "REQUEST-STATUS", "ATTACH", "ACKNOWLEDGED"}
)

// cssColors are names that RFC 7986 section 5.9 allows (CSS3 section 4.3),
// enough to tell calendars apart.
var cssColors = []struct {
	name    string
	r, g, b int
}{
	{"black", 0, 0, 0}, {"gray", 128, 128, 128}, {"silver", 192, 192, 192}, {"white", 255, 255, 255},
	{"red", 255, 0, 0}, {"firebrick", 178, 34, 34}, {"maroon", 128, 0, 0}, {"crimson", 220, 20, 60}, {"deeppink", 255, 20, 147},
	{"orange", 255, 165, 0}, {"darkorange", 255, 140, 0}, {"gold", 255, 215, 0}, {"yellow", 255, 255, 0}, {"saddlebrown", 139, 69, 19},
	{"green", 0, 128, 0}, {"limegreen", 50, 205, 50}, {"olive", 128, 128, 0}, {"teal", 0, 128, 128}, {"darkcyan", 0, 139, 139},
	{"blue", 0, 0, 255}, {"navy", 0, 0, 128}, {"royalblue", 65, 105, 225}, {"steelblue", 70, 130, 180}, {"deepskyblue", 0, 191, 255},
	{"purple", 128, 0, 128}, {"indigo", 75, 0, 130}, {"mediumpurple", 147, 112, 219}, {"slategray", 112, 128, 144},
}

// nearestColor is the name of the colour that is nearest to #RRGGBB.
func nearestColor(hex string) (name string) {
	var r, g, b int
	fmt.Sscanf(hex, "#%02x%02x%02x", &r, &g, &b) // black where it is no colour
	best := 1 << 30
	for _, c := range cssColors {
		if d := (c.r-r)*(c.r-r) + (c.g-g)*(c.g-g) + (c.b-b)*(c.b-b); d < best {
			best, name = d, c.name
		}
	}
	return name
}
