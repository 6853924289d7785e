package main

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"intouch/store"
)

// TestEdits: two calendar programs edit at random, each knowing only what
// sync-collection told it, while pages are used, midnights pass and the daemon
// is killed. In the end each program's copy is what a full listing gives, the
// record says what was acknowledged last, and each contact stands where its
// status says.
//
// INTOUCH_EDITS is how many edits there are, INTOUCH_SEED repeats a run.
func TestEdits(t *testing.T) {
	edits, seed := 500, uint64(1)
	if testing.Short() {
		edits = 60
	}
	for name, set := range map[string]func(uint64){"INTOUCH_EDITS": func(n uint64) { edits = int(n) }, "INTOUCH_SEED": func(n uint64) { seed = n }} {
		if text := os.Getenv(name); text != "" {
			n, err := strconv.ParseUint(text, 10, 63)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			set(n)
		}
	}
	defer func() {
		if t.Failed() {
			t.Logf("again: INTOUCH_EDITS=%d INTOUCH_SEED=%d", edits, seed)
		}
	}()
	h := newEditHouse(t, seed)
	for i := range edits {
		c := h.programs[h.rng.IntN(len(h.programs))]
		switch n := h.rng.IntN(100); {
		case n < 6:
			h.page()
		case n < 8:
			h.later()
		case n < 26:
			c.sync()
		case n < 29:
			h.killDuring(c)
		default:
			h.count(c.edit())
		}
		if t.Failed() {
			t.Fatalf("edit %d", i)
		}
	}
	h.finish()
}

// editHouse is a daemon with one manager, her two calendar programs, and what
// must have become of all that they wrote.
type editHouse struct {
	*testing.T
	rng      *rand.Rand
	base     string // http://127.0.0.1:…
	config   string
	daemon   *daemon
	ahead    time.Duration
	programs []*calendarProgram
	fates    map[string]*fate // by the mark in the title: "u12"
	filter   string           // the slug of a saved filter: what is of high importance
	written  int              // revisions and UIDs made so far
	labels   int
	counts   map[string]int
}

// fate is what was acknowledged for one contact: each of may is possible, more
// than one when the daemon was killed before it answered.
type fate struct {
	may   []record
	story []string // each request and edit about it, to be told when it went wrong
}

type record struct {
	revision string // "r7", in the title
	state    store.State
	end      time.Time
}

func (r record) String() string {
	return fmt.Sprintf("%s %s %s", r.revision, r.state, r.end.Format(time.RFC3339))
}

// calendarProgram keeps a copy of the calendars by their sync tokens alone.
type calendarProgram struct {
	h         *editHouse
	calendars map[string]*calendarCopy // by path
}

type calendarCopy struct {
	token   string
	entries map[string]entryCopy // by href
}

type entryCopy struct{ etag, body string }

const editHome = "/dav/calendars/anna/"

var defaultSlugs = []string{"overdue", "current", "postponed", "done", "todo"}

func slugOf(calendar string) string { return strings.Trim(calendar[len(editHome):], "/") }

func newEditHouse(t *testing.T, seed uint64) *editHouse {
	addr, err := freeAddress("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &editHouse{T: t, rng: rand.New(rand.NewPCG(seed, 0)), base: "http://" + addr, fates: map[string]*fate{}, counts: map[string]int{}}
	h.config = settings(t, fmt.Sprintf(`
time_zone = "Europe/Moscow"
[company]
domains = ["vector.test"]
[server]
listen = %q
[store]
url = "sqlite:intouch.db"
[[manager]]
login = "anna"
name = "Анна"
email = "anna@vector.test"
password = "correct horse"
`, addr))
	dir := t.TempDir()
	day := time.Now().AddDate(0, 0, 1).Format(time.DateOnly)
	for kind, text := range map[string]string{
		"clients": "id,name,manager\nc1,ООО «Северный ветер»,anna\n",
		"deals":   "id,number,date,client,manager,amount,ship_due,pay_due\nd1,17," + day + ",c1,anna,1000," + day + "," + day + "\n",
	} {
		file := filepath.Join(dir, kind+".csv")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h.start()
	for _, kind := range []string{"clients", "deals"} {
		if got := command(t, "", "--config", h.config, "import", kind, filepath.Join(dir, kind+".csv")); got.code != exitDone {
			t.Fatalf("import %s: %+v", kind, got)
		}
	}
	added := command(t, "", "--config", h.config, "calendar", "add", "anna", "VIP", "--importance", "high")
	if added.code != exitDone {
		t.Fatalf("save a filter: %+v", added)
	}
	for _, path := range h.calendarPaths() {
		if !slices.Contains(defaultSlugs, slugOf(path)) {
			h.filter = slugOf(path)
		}
	}
	for range 2 {
		c := &calendarProgram{h: h, calendars: map[string]*calendarCopy{}}
		c.sync()
		h.programs = append(h.programs, c)
	}
	return h
}

func (h *editHouse) start() {
	h.Helper()
	h.daemon = startDaemonIn(h.T, []string{"INTOUCHD_AHEAD=" + h.ahead.String()}, "serve", "--config", h.config)
	eventually(h.T, "the daemon serves", func() bool {
		_, err := h.request("PROPFIND", editHome, "", "Depth: 0")
		return err == nil
	})
}

func (h *editHouse) now() time.Time { return time.Now().Add(h.ahead) }

func (h *editHouse) count(what string) { h.counts[what]++ }

// answered is one answer with its body read.
type answered struct {
	status int
	header http.Header
	body   string
}

// request asks the daemon; an error when it went away without an answer.
func (h *editHouse) request(method, path, body string, headers ...string) (answered, error) {
	h.Helper()
	r, err := http.NewRequestWithContext(h.Context(), method, h.base+path, strings.NewReader(body))
	if err != nil {
		h.Fatal(err)
	}
	r.SetBasicAuth("anna", "correct horse")
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	res, err := (&http.Client{Timeout: 20 * time.Second}).Do(r)
	if err != nil {
		return answered{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode >= 500 && res.StatusCode != http.StatusInsufficientStorage {
		h.Errorf("%s %s: %d\n%s\n%s", method, path, res.StatusCode, text, tail(h.daemon.stderr.String()))
	}
	return answered{res.StatusCode, res.Header, string(text)}, err
}

func tail(s string) string { return s[max(0, len(s)-2000):] }

// must is a request that has to be answered in that way.
func (h *editHouse) must(want int, method, path, body string, headers ...string) answered {
	h.Helper()
	a, err := h.request(method, path, body, headers...)
	if err != nil || a.status != want {
		h.Fatalf("%s %s: %d, want %d: %v\n%s", method, path, a.status, want, err, a.body)
	}
	return a
}

// listing is what a multistatus says.
type listing struct {
	token     string
	entries   map[string]entryCopy
	gone      []string
	truncated bool
	calendars []string
}

func (h *editHouse) listing(a answered) listing {
	h.Helper()
	l, err := readListing(a)
	if err != nil {
		h.Fatal(err)
	}
	return l
}

func readListing(a answered) (l listing, err error) {
	var m struct {
		Token     string `xml:"DAV: sync-token"`
		Responses []struct {
			Href     string    `xml:"DAV: href"`
			Status   string    `xml:"DAV: status"`
			ETag     string    `xml:"propstat>prop>getetag"`
			Data     string    `xml:"propstat>prop>calendar-data"`
			Calendar *struct{} `xml:"propstat>prop>resourcetype>calendar"`
		} `xml:"DAV: response"`
	}
	if err := xml.Unmarshal([]byte(a.body), &m); err != nil || a.status != http.StatusMultiStatus {
		return l, fmt.Errorf("%d %v\n%s", a.status, err, a.body)
	}
	l.token, l.entries = m.Token, map[string]entryCopy{}
	for _, r := range m.Responses {
		switch {
		case r.Calendar != nil:
			l.calendars = append(l.calendars, r.Href)
		case strings.Contains(r.Status, "507"):
			l.truncated = true
		case strings.Contains(r.Status, "404"):
			l.gone = append(l.gone, r.Href)
		case r.ETag != "":
			l.entries[r.Href] = entryCopy{r.ETag, r.Data}
		}
	}
	return l, nil
}

const davNames = `xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"`

// calendarPaths are the calendars of the home.
func (h *editHouse) calendarPaths() []string {
	l := h.listing(h.must(207, "PROPFIND", editHome, `<D:propfind `+davNames+`><D:prop><D:resourcetype/></D:prop></D:propfind>`, "Depth: 1"))
	return l.calendars
}

// multiget fetches entries by their hrefs.
func (h *editHouse) multiget(calendar string, hrefs []string) map[string]entryCopy {
	h.Helper()
	if len(hrefs) == 0 {
		return nil
	}
	var b strings.Builder
	b.WriteString(`<C:calendar-multiget ` + davNames + `><D:prop><D:getetag/><C:calendar-data/></D:prop>`)
	for _, href := range hrefs {
		b.WriteString("<D:href>")
		xml.EscapeText(&b, []byte(href))
		b.WriteString("</D:href>")
	}
	b.WriteString(`</C:calendar-multiget>`)
	return h.listing(h.must(207, "REPORT", calendar, b.String())).entries
}

// sync brings the copy up to date, at times in pages.
func (c *calendarProgram) sync() {
	c.h.Helper()
	paths := c.h.calendarPaths()
	for path := range c.calendars {
		if !slices.Contains(paths, path) {
			delete(c.calendars, path)
		}
	}
	for _, path := range paths {
		c.syncOne(path)
	}
}

func (c *calendarProgram) syncOne(path string) {
	h := c.h
	h.Helper()
	mine := c.calendars[path]
	if mine == nil {
		mine = &calendarCopy{entries: map[string]entryCopy{}}
		c.calendars[path] = mine
	}
	seen := map[string]bool{}
	whole := mine.token == ""
	limit := ""
	if h.rng.IntN(3) == 0 {
		limit = fmt.Sprintf("<D:limit><D:nresults>%d</D:nresults></D:limit>", 1+h.rng.IntN(5))
	}
	for {
		a, err := h.request("REPORT", path, `<D:sync-collection `+davNames+`><D:sync-token>`+mine.token+`</D:sync-token><D:sync-level>1</D:sync-level>`+
			limit+`<D:prop><D:getetag/></D:prop></D:sync-collection>`)
		if err != nil {
			h.Fatal(err)
		}
		if a.status == http.StatusForbidden && strings.Contains(a.body, "valid-sync-token") && mine.token != "" {
			*mine = calendarCopy{entries: map[string]entryCopy{}}
			whole = true
			continue
		}
		l := h.listing(a)
		for _, href := range l.gone {
			delete(mine.entries, href)
		}
		for href := range l.entries {
			seen[href] = true
		}
		var fetch []string
		for _, href := range slices.Sorted(maps.Keys(l.entries)) {
			if mine.entries[href].etag != l.entries[href].etag {
				fetch = append(fetch, href)
			}
		}
		maps.Copy(mine.entries, h.multiget(path, fetch))
		mine.token = l.token
		if l.truncated {
			continue
		}
		if whole { // what it does not name is not there
			maps.DeleteFunc(mine.entries, func(href string, _ entryCopy) bool { return !seen[href] })
		}
		return
	}
}

// pick gives a random entry of the copy.
func (c *calendarProgram) pick() (calendar, href string, e entryCopy, ok bool) {
	var all [][2]string
	for _, path := range slices.Sorted(maps.Keys(c.calendars)) {
		for _, href := range slices.Sorted(maps.Keys(c.calendars[path].entries)) {
			all = append(all, [2]string{path, href})
		}
	}
	if len(all) == 0 {
		return "", "", e, false
	}
	it := all[c.h.rng.IntN(len(all))]
	return it[0], it[1], c.calendars[it[0]].entries[it[1]], true
}

// pickCalendar gives a random calendar that the copy knows.
func (c *calendarProgram) pickCalendar() string {
	paths := slices.Sorted(maps.Keys(c.calendars))
	return paths[c.h.rng.IntN(len(paths))]
}

// edit does one random thing, and says which.
func (c *calendarProgram) edit() string {
	h := c.h
	switch n := h.rng.IntN(100); {
	case n < 25:
		return c.create()
	case n < 65:
		return c.change()
	case n < 73:
		return c.delete()
	case n < 84:
		return c.move()
	case n < 87:
		return c.copy()
	case n < 92:
		return c.moveByPut()
	case n < 96:
		return c.proppatch()
	case n < 98:
		return c.makeCalendar()
	}
	return c.deleteCalendar()
}

// moment is somewhere between two days ago and four days ahead, on a quarter
// of an hour.
func (h *editHouse) moment() time.Time {
	return h.now().UTC().Truncate(15 * time.Minute).Add(time.Duration(h.rng.IntN(6*24*4)-2*24*4) * 15 * time.Minute)
}

const utcTime = "20060102T150405Z"

// create writes a new event or task, sometimes about a client.
func (c *calendarProgram) create() string {
	h := c.h
	calendar := c.pickCalendar()
	h.written++
	mark, revision := fmt.Sprintf("u%d", h.written), fmt.Sprintf("r%d", h.written)
	title := "Звонок " + mark + " " + revision
	if h.rng.IntN(3) == 0 {
		title += " Северный ветер"
	}
	start := h.moment()
	r := record{revision: revision, end: start.Add(time.Hour)}
	var lines []string
	if calendar == editHome+"todo/" || h.labelled(calendar) && h.rng.IntN(2) == 0 {
		lines = []string{"BEGIN:VTODO", "UID:" + mark + "@edits.test", "DTSTAMP:20261101T000000Z", "SUMMARY:" + title, "DUE:" + r.end.Format(utcTime), "END:VTODO"}
	} else {
		lines = []string{"BEGIN:VEVENT", "UID:" + mark + "@edits.test", "DTSTAMP:20261101T000000Z", "SUMMARY:" + title,
			"DTSTART:" + start.Format(utcTime), "DTEND:" + r.end.Format(utcTime), "X-OWN;X-P=\"a;b\":kept " + mark, "END:VEVENT"}
	}
	body := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//edits//EN\r\n" + strings.Join(lines, "\r\n") + "\r\nEND:VCALENDAR\r\n"
	href := calendar + mark + ".ics"
	h.fates[mark] = &fate{may: []record{{}}}
	if status := c.put(href, body, "If-None-Match: *", mark, r); status != http.StatusCreated && status != 0 {
		if status != http.StatusNotFound && status != http.StatusConflict { // another program deleted the calendar
			h.Errorf("a new entry %s: %d", href, status)
		}
		return "create refused"
	}
	return "create"
}

func (h *editHouse) labelled(calendar string) bool {
	return strings.HasPrefix(calendar, editHome+"label")
}

// put writes, and notes what the answer promises. The status is 0 where there
// was none.
func (c *calendarProgram) put(href, body, condition, mark string, r record) int {
	h := c.h
	a, err := h.request("PUT", href, body, "Content-Type: text/calendar; charset=utf-8", condition)
	calendar := href[:strings.LastIndex(href, "/")+1]
	h.tell(mark, "PUT %s %s: %d %v, %+v", href, condition, a.status, err, r)
	switch {
	case err != nil:
		h.uncertain(mark, r)
	case a.status < 300:
		h.acknowledged(mark, r)
		if etag := a.header.Get("ETag"); etag != "" {
			c.calendars[calendar].entries[href] = entryCopy{etag, body}
		} else {
			delete(c.calendars[calendar].entries, href) // until the next sync
		}
	}
	return a.status
}

// tell notes a step of a contact's story.
func (h *editHouse) tell(mark, format string, args ...any) {
	if f := h.fates[mark]; f != nil {
		f.story = append(f.story, fmt.Sprintf(format, args...))
	}
}

func (h *editHouse) acknowledged(mark string, r record) {
	if f := h.fates[mark]; f != nil {
		f.may = []record{r}
	}
}

func (h *editHouse) uncertain(mark string, r record) {
	if f := h.fates[mark]; f != nil {
		f.may = append(f.may, r)
	}
}

var (
	uidMark    = regexp.MustCompile(`(?m)^UID:(?:todo-|event-)?(u\d+)@`)
	titleLine  = regexp.MustCompile(`(?m)^SUMMARY[^:]*:(.*)\r$`)
	titleMark  = regexp.MustCompile(`\bu\d+\b`)
	revisionOf = regexp.MustCompile(`\br\d+\b`)
)

// markOf is the mark of an entry: its description may name other contacts.
func markOf(body string) string {
	if m := uidMark.FindStringSubmatch(unfolded([]byte(body))); m != nil {
		return m[1]
	}
	return "" // a deal's
}

// titleOf is the value of SUMMARY, as escaped.
func titleOf(body string) string {
	return titleLine.FindStringSubmatch(unfolded([]byte(body)))[1]
}

// replaced puts a line in the place of a property of the main component, or
// adds it.
func replaced(body, name, line string) string {
	re := regexp.MustCompile(`(?m)^` + name + `[;:].*\r\n`)
	body = re.ReplaceAllString(body, "")
	if line == "" {
		return body
	}
	end := regexp.MustCompile(`END:V(EVENT|TODO)`).FindStringIndex(body)[0]
	return body[:end] + line + "\r\n" + body[end:]
}

// change writes a changed copy with If-Match: always a new title, and
// sometimes another time, priority, state or alarm.
func (c *calendarProgram) change() string {
	h := c.h
	_, href, e, ok := c.pick()
	if !ok {
		return "nothing to change"
	}
	body := unfolded([]byte(e.body))
	todo := strings.Contains(body, "BEGIN:VTODO")
	mark := markOf(body)
	h.written++
	r := h.last(mark)
	r.revision = fmt.Sprintf("r%d", h.written)
	if mark != "" {
		body = replaced(body, "SUMMARY", "SUMMARY:"+revisionOf.ReplaceAllString(titleOf(body), r.revision))
	}
	what := "retitle"
	switch h.rng.IntN(6) {
	case 0, 1:
		what = "move in time"
		start := h.moment()
		r.end = start.Add(time.Hour)
		if todo {
			body = replaced(replaced(body, "DTSTART", ""), "DUE", "DUE:"+r.end.Format(utcTime))
		} else {
			body = replaced(replaced(replaced(body, "DURATION", ""), "DTSTART", "DTSTART:"+start.Format(utcTime)), "DTEND", "DTEND:"+r.end.Format(utcTime))
		}
	case 2:
		what = "prioritise"
		body = replaced(body, "PRIORITY", fmt.Sprintf("PRIORITY:%d", []int{1, 5, 9}[h.rng.IntN(3)]))
	case 3:
		what = "state"
		if todo {
			body = replaced(replaced(body, "COMPLETED", ""), "PERCENT-COMPLETE", "")
			word := []string{"NEEDS-ACTION", "COMPLETED", "CANCELLED"}[h.rng.IntN(3)]
			body = replaced(body, "STATUS", "STATUS:"+word)
			r.state = map[string]store.State{"COMPLETED": store.Done, "CANCELLED": store.Cancelled}[word]
		} else {
			word := []string{"CONFIRMED", "TENTATIVE", "CANCELLED"}[h.rng.IntN(3)]
			body = replaced(body, "STATUS", "STATUS:"+word)
			r.state = map[string]store.State{"CANCELLED": store.Cancelled}[word]
		}
	case 4:
		what = "alarm"
		if !strings.Contains(body, "BEGIN:VALARM") {
			body = replaced(body, "X-NONE", "BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:r\r\nTRIGGER:-PT10M\r\nEND:VALARM")
		}
	}
	status := c.put(href, body, "If-Match: "+e.etag, mark, r)
	if status >= 400 && status != http.StatusPreconditionFailed && status != http.StatusNotFound && status != http.StatusConflict {
		h.Errorf("change %s: %d", href, status)
	}
	if status >= 400 {
		return what + " stale"
	}
	return what
}

func (c *calendarProgram) delete() string {
	calendar, href, e, ok := c.pick()
	if !ok {
		return "nothing to delete"
	}
	return c.deleteEntry(calendar, href, e)
}

func (c *calendarProgram) deleteEntry(calendar, href string, e entryCopy) string {
	h, mark := c.h, markOf(e.body)
	a, err := h.request("DELETE", href, "", "If-Match: "+e.etag)
	r := h.last(mark)
	r.state = store.Cancelled
	if h.labelled(calendar) {
		r.state = "" // it may carry another label
	}
	h.tell(mark, "DELETE %s %s: %d %v", href, e.etag, a.status, err)
	switch {
	case err != nil:
		h.uncertain(mark, r)
		return "delete unanswered"
	case a.status == http.StatusNoContent:
		h.acknowledged(mark, r)
		delete(c.calendars[calendar].entries, href)
		return "delete"
	case a.status != http.StatusPreconditionFailed && a.status != http.StatusNotFound:
		h.Errorf("DELETE %s: %d", href, a.status)
	}
	return "delete stale"
}

// last is what was acknowledged last, without its state.
func (h *editHouse) last(mark string) (r record) {
	if f := h.fates[mark]; f != nil && len(f.may) == 1 {
		r = f.may[0]
		r.state = ""
	}
	return r
}

// move moves an entry into another calendar: its verb is the state.
func (c *calendarProgram) move() string { return c.transfer("MOVE") }

// verb is the state that a move into a calendar means.
func verb(calendar string) store.State {
	return map[string]store.State{"postponed": store.Postponed, "done": store.Done, "current": store.Planned, "overdue": store.Planned}[slugOf(calendar)]
}

func (c *calendarProgram) copy() string { return c.transfer("COPY") }

func (c *calendarProgram) transfer(method string) string {
	h := c.h
	from, href, e, ok := c.pick()
	to := c.pickCalendar()
	if !ok || from == to || method == "COPY" && (!h.labelled(from) || !h.labelled(to)) {
		return method + " nothing"
	}
	headers := []string{"Destination: " + h.base + to + href[len(from):], "If-Match: " + e.etag, "Overwrite: F"}
	mark := markOf(e.body)
	a, err := h.request(method, href, "", headers...)
	r := h.last(mark)
	if method == "MOVE" {
		r.state = verb(to)
	}
	h.tell(mark, "%s %s → %s: %d %v, %+v", method, href, to, a.status, err, r)
	switch {
	case err != nil:
		h.uncertain(mark, r)
		return method + " unanswered"
	case a.status == http.StatusCreated:
		h.acknowledged(mark, r)
		if method == "MOVE" {
			delete(c.calendars[from].entries, href)
		}
		return method
	case a.status >= 500:
		h.Errorf("%s %s → %s: %d", method, href, to, a.status)
	}
	return fmt.Sprint(method, " ", a.status)
}

// moveByPut moves as iOS and Thunderbird do: PUT there, DELETE here.
func (c *calendarProgram) moveByPut() string {
	h := c.h
	from, href, e, ok := c.pick()
	to := c.pickCalendar()
	todo := strings.Contains(e.body, "BEGIN:VTODO")
	if !ok || from == to || todo != (to == editHome+"todo/") && !h.labelled(to) {
		return "move by PUT nothing"
	}
	// No ETag goes with it, so that an old copy puts back what it says; the
	// history has what it replaced.
	mark := markOf(e.body)
	r := record{revision: revisionOf.FindString(titleOf(e.body))}
	if !strings.Contains(e.body, "STATUS:CANCELLED") {
		r.state = verb(to)
	}
	if status := c.put(to+href[len(from):], e.body, "If-None-Match: *", mark, r); status != http.StatusCreated {
		return fmt.Sprint("move by PUT ", status)
	}
	a, err := h.request("DELETE", href, "")
	h.tell(mark, "then DELETE %s: %d %v", href, a.status, err)
	if err == nil && a.status == http.StatusNoContent {
		h.count("it had stayed")
	} else if err != nil || a.status != http.StatusNotFound {
		h.Errorf("the DELETE after a PUT elsewhere: %d %v", a.status, err)
	}
	delete(c.calendars[from].entries, href)
	return "move by PUT"
}

func (c *calendarProgram) proppatch() string {
	h := c.h
	calendar := c.pickCalendar()
	h.written++
	name := fmt.Sprintf("Имя %d", h.written)
	a, err := h.request("PROPPATCH", calendar, `<D:propertyupdate `+davNames+` xmlns:A="http://apple.com/ns/ical/" xmlns:X="urn:x"><D:set><D:prop><D:displayname>`+name+
		`</D:displayname><A:calendar-color>#112233FF</A:calendar-color><X:own>`+name+`</X:own></D:prop></D:set></D:propertyupdate>`)
	if err != nil || a.status == http.StatusNotFound {
		return "PROPPATCH nothing"
	}
	got := h.must(207, "PROPFIND", calendar, `<D:propfind `+davNames+`><D:prop><D:displayname/></D:prop></D:propfind>`, "Depth: 0")
	if a.status != http.StatusMultiStatus || !strings.Contains(got.body, name) {
		h.Errorf("PROPPATCH %s: %d, then\n%s", calendar, a.status, got.body)
	}
	return "PROPPATCH"
}

func (c *calendarProgram) makeCalendar() string {
	h := c.h
	h.labels++
	path := fmt.Sprintf("%slabel%d/", editHome, h.labels%3)
	a, err := h.request("MKCALENDAR", path, "")
	if err == nil && a.status == http.StatusCreated {
		c.calendars[path] = &calendarCopy{entries: map[string]entryCopy{}}
	}
	return "MKCALENDAR"
}

// deleteCalendar: what had no client is cancelled, the rest goes back.
func (c *calendarProgram) deleteCalendar() string {
	h := c.h
	calendar := c.pickCalendar()
	if !h.labelled(calendar) {
		return "delete calendar nothing"
	}
	a, err := h.request("DELETE", calendar, "")
	if err == nil && a.status != http.StatusNoContent && a.status != http.StatusNotFound {
		h.Errorf("DELETE %s: %d", calendar, a.status)
	}
	delete(c.calendars, calendar)
	for _, f := range h.fates { // whichever were in it: their title and time stay
		for i := range f.may {
			f.may[i].state = ""
		}
	}
	return "delete calendar"
}

// within opens the database as the pages have it, for a moment: a daemon that
// is killed must itself be the one that recovers its journal.
func (h *editHouse) within(do func(ctx context.Context, st *store.Store, anna store.Manager)) {
	h.Helper()
	ctx := h.Context()
	cfg, err := LoadConfig(h.config)
	if err != nil {
		h.Fatal(err)
	}
	was := clock
	clock = h.now
	defer func() { clock = was }()
	st, err := openStore(ctx, cfg, newLog(cfg.Log, io.Discard))
	if err != nil {
		h.Fatal(err)
	}
	defer st.Close()
	anna, err := managerNamed(ctx, st, "anna")
	if err != nil {
		h.Fatal(err)
	}
	do(ctx, st, anna)
}

// page edits a contact as the manager does on the page.
func (h *editHouse) page() {
	h.Helper()
	h.count("page")
	h.within(func(ctx context.Context, st *store.Store, anna store.Manager) {
		items, err := st.Agenda(ctx, store.AgendaQuery{Viewer: anna})
		if err != nil {
			h.Fatal(err)
		}
		items = slices.DeleteFunc(items, func(it store.Item) bool { return it.Contact == nil })
		if len(items) == 0 {
			return
		}
		contact := items[h.rng.IntN(len(items))].Contact
		mark := titleMark.FindString(contact.Subject)
		h.written++
		revision := fmt.Sprintf("r%d", h.written)
		subject := revisionOf.ReplaceAllString(contact.Subject, revision)
		edit := store.ContactEdit{Subject: &subject}
		r := h.last(mark)
		r.revision = revision
		switch h.rng.IntN(3) {
		case 0:
			start := h.moment()
			when := store.Span{Start: start, End: start.Add(time.Hour)}
			edit.When, r.end = &when, when.End
		case 1:
			state := []store.State{store.Planned, store.Postponed, store.Done, store.Cancelled}[h.rng.IntN(4)]
			edit.State, r.state = &state, state
		}
		if _, err := st.EditContact(ctx, store.Actor{ManagerID: anna.ID, Origin: store.FromWeb}, contact.ID, contact.Version, edit); err != nil {
			h.Fatalf("edit on the page: %v", err)
		}
		h.tell(mark, "page %+v", r)
		h.acknowledged(mark, r)
	})
}

// later lets hours pass, midnight among them, and the statuses with them.
func (h *editHouse) later() {
	h.Helper()
	h.count("midnight")
	h.kill()
	h.ahead += time.Duration(8+h.rng.IntN(20)) * time.Hour
	h.start()
	h.turn()
}

// turn moves what time has moved.
func (h *editHouse) turn() {
	h.Helper()
	h.within(func(ctx context.Context, st *store.Store, _ store.Manager) {
		if _, err := st.TurnStatuses(ctx); err != nil {
			h.Fatal(err)
		}
	})
}

func (h *editHouse) kill() {
	h.Helper()
	if err := h.daemon.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		h.Fatal(err)
	}
	h.daemon.cmd.Wait()
}

// killDuring kills the daemon while a program's change is on its way.
func (h *editHouse) killDuring(c *calendarProgram) {
	h.Helper()
	h.count("kill")
	killed := make(chan struct{})
	wait := time.Duration(h.rng.IntN(4000)) * time.Microsecond
	go func() {
		defer close(killed)
		time.Sleep(wait)
		h.daemon.cmd.Process.Kill()
	}()
	h.count("killed: " + c.change())
	<-killed
	h.kill()
	h.start()
}

// finish compares programs, listings and the record.
func (h *editHouse) finish() {
	h.Helper()
	h.ahead += 3 * time.Minute // nothing lingers where it was put
	h.kill()
	h.start()
	h.turn()
	full := map[string]map[string]entryCopy{}
	for _, path := range h.calendarPaths() {
		l := h.listing(h.must(207, "PROPFIND", path, `<D:propfind `+davNames+`><D:prop><D:getetag/></D:prop></D:propfind>`, "Depth: 1"))
		full[path] = map[string]entryCopy{}
		for href, e := range l.entries {
			e.body = h.must(200, "GET", href, "").body
			full[path][href] = e
		}
	}
	for i, c := range h.programs {
		c.sync()
		if len(c.calendars) != len(full) {
			h.Errorf("program %d knows %d calendars of %d", i, len(c.calendars), len(full))
		}
		for path, want := range full {
			if c.calendars[path] == nil {
				continue
			}
			got := c.calendars[path].entries
			for href := range want {
				if got[href] != want[href] {
					h.Errorf("program %d, %s:\n%+v\nthe listing has\n%+v", i, href, got[href], want[href])
				}
			}
			for href := range got {
				if _, ok := want[href]; !ok {
					h.Errorf("program %d holds %s, which is not there", i, href)
				}
			}
		}
	}
	h.compareRecord(full)
	if text := h.daemon.stderr.String(); strings.Contains(text, "level=ERROR") {
		h.Errorf("the daemon says:\n%s", tail(text))
	}
	h.Logf("%d entries in %d calendars at the end; %v", func() (n int) {
		for _, m := range full {
			n += len(m)
		}
		return n
	}(), len(full), h.counts)
}

// compareRecord holds the contacts against what was acknowledged, and against
// the calendars.
func (h *editHouse) compareRecord(full map[string]map[string]entryCopy) {
	h.Helper()
	shown := map[string][]string{} // mark → last segments of the calendars
	for path, entries := range full {
		for _, e := range entries {
			mark := markOf(e.body)
			shown[mark] = append(shown[mark], slugOf(path))
		}
	}
	contacts := map[string]map[string]any{}
	was := clock
	clock = h.now
	defer func() { clock = was }()
	for _, c := range exported(h.T, h.config, "contacts") {
		mark := titleMark.FindString(fmt.Sprint(c["subject"]))
		if contacts[mark] != nil {
			h.Errorf("two contacts of %s:\n%v\n%v", mark, c, contacts[mark])
		}
		contacts[mark] = c
	}
	for mark, f := range h.fates {
		c := contacts[mark]
		if c == nil {
			if f.may[0].revision != "" {
				h.Errorf("%s was acknowledged and is lost", mark)
			}
			continue
		}
		delete(contacts, mark)
		if !slices.ContainsFunc(f.may, func(r record) bool { return r.is(c) }) {
			h.Errorf("%s is %v %v to %v, acknowledged was %+v\n%s", mark, c["subject"], c["state"], c["end"], f.may, strings.Join(f.story, "\n"))
		}
		where := slices.Sorted(slices.Values(shown[mark]))
		var want []string
		switch status := fmt.Sprint(c["status"]); store.Status(status) {
		case store.StatusCurrent, store.StatusOverdue, store.StatusPostponed:
			want = []string{status, "todo"}
		case store.StatusDone:
			want = []string{status}
		}
		inLabel := slices.ContainsFunc(where, func(s string) bool { return strings.HasPrefix(s, "label") })
		filtered := slices.Contains(where, h.filter)
		if is := c["importance"] == string(store.High) && !inLabel && c["status"] != string(store.StatusCancelled); is != filtered {
			h.Errorf("%s (%v, importance %v) is in the saved filter: %v", mark, c["subject"], c["importance"], filtered)
		}
		where = slices.DeleteFunc(where, func(s string) bool { return s == h.filter })
		if !inLabel && !slices.Equal(where, want) {
			h.Errorf("%s (%v, %s to %v) stands in %q, want %q", mark, c["subject"], c["status"], c["end"], where, want)
		}
	}
	for mark := range contacts {
		h.Errorf("a contact %q that nobody wrote: %v", mark, contacts[mark])
	}
}

// is reports whether a contact is what that record says.
func (r record) is(c map[string]any) bool {
	if r.revision != "" && revisionOf.FindString(fmt.Sprint(c["subject"])) != r.revision || r.state != "" && c["state"] != string(r.state) {
		return false
	}
	return r.end.IsZero() || c["end"] == r.end.UTC().Format(time.RFC3339)
}
