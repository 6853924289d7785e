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
	"net/http/cookiejar"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"intouch/store"
)

// errNoAnswer is a request of which nobody knows what became: it was cut off,
// or the daemon says that something failed.
var errNoAnswer = errors.New("no answer")

// request asks one of the daemons, whichever the balancer picks.
func (h *soakHouse) request(c *http.Client, r *rand.Rand, login, password, method, path, body string, header ...string) (answered, error) {
	base := "http://" + h.cables[fmt.Sprint("http ", r.IntN(len(h.daemons)))].addr
	req, err := http.NewRequestWithContext(context.Background(), method, base+path, strings.NewReader(body))
	if err != nil {
		return answered{}, err
	}
	if login != "" {
		req.SetBasicAuth(login, password)
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	res, err := c.Do(req)
	if err != nil {
		return answered{}, errors.Join(errNoAnswer, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return answered{}, errors.Join(errNoAnswer, err)
	}
	a := answered{res.StatusCode, res.Header, string(text)}
	if a.status >= 500 {
		h.load.add(fmt.Sprint("answers ", a.status), 1)
		return a, fmt.Errorf("%w: %d", errNoAnswer, a.status)
	}
	return a, nil
}

// carrier brings letters into the mailboxes, as a mail server's delivery does,
// and knows what must become of each.
type carrier struct {
	h       *soakHouse
	n       int
	letters map[string]*carried // by Message-ID
}

type carried struct {
	users    []string
	captured bool
}

// deliver writes the next letter: of five three are a client's, one is a
// stranger's and one a colleague's; some come into two mailboxes.
func (c *carrier) deliver(r *rand.Rand) error {
	c.n++
	id := fmt.Sprintf("<%d@soak.test>", c.n)
	i := r.IntN(len(soakManagers))
	l := &carried{users: []string{soakManagers[i]}, captured: c.n%5 < 3}
	from := fmt.Sprintf("person@client%d.test", r.IntN(soakClients))
	switch c.n % 5 {
	case 3:
		from = "who@nowhere.test"
	case 4:
		from = soakManagers[(i+1)%len(soakManagers)] + "@vector.test"
	}
	if r.IntN(4) == 0 {
		l.users = append(l.users, soakManagers[(i+1)%len(soakManagers)])
	}
	var to []string
	for _, u := range l.users {
		to = append(to, u+"@vector.test")
	}
	text := fmt.Sprintf("From: %s\r\nTo: %s\r\nSubject: Letter %d\r\nDate: %s\r\nMessage-ID: %s\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n%s",
		from, strings.Join(to, ", "), c.n, time.Now().UTC().Format(time.RFC1123Z), id, strings.Repeat("What the letter says.\r\n", 1+r.IntN(200)))
	c.letters[id] = l
	for _, user := range l.users {
		name := fmt.Sprintf("%d.M%dP1.soak", time.Now().Unix(), c.n)
		dir := c.h.dovecot.MailDir(user)
		if err := errors.Join(os.WriteFile(filepath.Join(dir, "tmp", name), []byte(text), 0o666), os.Chmod(filepath.Join(dir, "tmp", name), 0o666),
			os.Rename(filepath.Join(dir, "tmp", name), filepath.Join(dir, "new", name))); err != nil {
			return err
		}
		c.h.load.add("letters", 1)
	}
	return nil
}

// delivered is in how many mailboxes letters lie.
func (c *carrier) delivered() (n int64) {
	for _, l := range c.letters {
		n += int64(len(l.users))
	}
	return n
}

// soakEntry is what one who edits knows of a contact: what it may be, since
// some of what was asked had no answer.
type soakEntry struct {
	may   []string // the titles or states that it may have; "" where it is not there
	acked []string // titles or states that were acknowledged, each once
	tried []string // … that had no answer

	starts  map[string]time.Time // by title: when it begins
	written map[string]time.Time // by title: when that was asked for
}

// soakProgram is a calendar program of one manager. It knows what
// sync-collection told it.
type soakProgram struct {
	h         *soakHouse
	client    *http.Client
	login     string
	n         int
	entries   map[string]*soakEntry
	calendars map[string]*calendarCopy
}

func newSoakProgram(h *soakHouse, login string) *soakProgram {
	return &soakProgram{h: h, client: &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{}}, login: login, entries: map[string]*soakEntry{}, calendars: map[string]*calendarCopy{}}
}

func (p *soakProgram) home() string { return "/dav/calendars/" + p.login + "/" }

func (p *soakProgram) ask(r *rand.Rand, method, path, body string, header ...string) (answered, error) {
	return p.h.request(p.client, r, p.login, "correct horse", method, path, body, header...)
}

func (p *soakProgram) list(r *rand.Rand, method, path, body string, header ...string) (l listing, err error) {
	a, err := p.ask(r, method, path, body, header...)
	if err != nil {
		return l, err
	}
	return readListing(a)
}

// act does one random thing. The error is one that must not be.
func (p *soakProgram) act(r *rand.Rand) error {
	switch n := r.IntN(10); {
	case n < 3:
		return p.create(r)
	case n < 7:
		return p.edit(r)
	case n < 8:
		return p.erase(r)
	}
	return p.sync(r)
}

// title is a contact's name and the revision of what it says.
func title(mark string, revision int) string { return fmt.Sprintf("Plan %sr%d", mark, revision) }

// write notes what a write may have done, and what it did.
func (e *soakEntry) write(value string, a answered, err error) {
	switch {
	case err != nil:
		e.tried = append(e.tried, value)
		e.may = append(e.may, value)
	case a.status < 300 || a.status == http.StatusSeeOther:
		e.acked = append(e.acked, value)
		e.may = []string{value} // what had no answer before was about another version, and fails by now
	}
}

// says notes what is about to be written.
func (e *soakEntry) says(name string, start time.Time) {
	e.starts[name], e.written[name] = start, time.Now()
}

// soon is when a contact begins: near enough that its reminder is due during
// the soak, and never at the same moment as another.
func soon(r *rand.Rand) time.Time {
	return time.Now().UTC().Truncate(time.Second).Add(90*time.Second + time.Duration(r.IntN(240))*time.Second)
}

func (p *soakProgram) create(r *rand.Rand) error {
	p.n++
	mark := fmt.Sprintf("%s%d", p.login, p.n)
	start, name := soon(r), title(mark, 0)
	body := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//soak//EN\r\nBEGIN:VEVENT\r\nUID:" + mark + "@soak.test\r\nDTSTAMP:20261101T000000Z\r\nSUMMARY:" + name +
		"\r\nDTSTART:" + start.Format(utcTime) + "\r\nDTEND:" + start.Add(time.Hour).Format(utcTime) + "\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
	e := &soakEntry{may: []string{""}, starts: map[string]time.Time{}, written: map[string]time.Time{}}
	p.entries[mark] = e
	e.says(name, start)
	a, err := p.ask(r, "PUT", p.home()+"current/"+mark+".ics", body, "If-None-Match: *", "Content-Type: text/calendar; charset=utf-8")
	if err == nil && a.status != http.StatusCreated {
		return fmt.Errorf("PUT of a new %s: %d %s", mark, a.status, a.body)
	}
	e.write(name, a, err)
	p.h.load.add("events made", 1)
	return nil
}

// find is an entry that the copy knows, and that is this program's.
func (p *soakProgram) find(r *rand.Rand) (mark, href string) {
	var all [][2]string
	for _, calendar := range slices.Sorted(maps.Keys(p.calendars)) {
		if strings.HasSuffix(calendar, "/todo/") {
			continue
		}
		for _, href := range slices.Sorted(maps.Keys(p.calendars[calendar].entries)) {
			if mark := strings.TrimSuffix(path.Base(href), ".ics"); p.entries[mark] != nil {
				all = append(all, [2]string{mark, href})
			}
		}
	}
	if len(all) == 0 {
		return "", ""
	}
	it := all[r.IntN(len(all))]
	return it[0], it[1]
}

// read fetches an entry; nothing where it moved or is gone.
func (p *soakProgram) read(r *rand.Rand) (mark, href string, a answered, err error) {
	mark, href = p.find(r)
	if mark == "" {
		return "", "", a, nil
	}
	a, err = p.ask(r, "GET", href, "")
	if err != nil || a.status != http.StatusOK {
		return "", "", a, nil
	}
	if said := titleOf(a.body); !slices.Contains(p.entries[mark].may, said) {
		return "", "", a, fmt.Errorf("%s says %q, acknowledged was %q", href, said, p.entries[mark].may)
	}
	return mark, href, a, nil
}

func (p *soakProgram) edit(r *rand.Rand) error {
	mark, href, a, err := p.read(r)
	if mark == "" {
		return err
	}
	e := p.entries[mark]
	name := title(mark, len(e.acked)+len(e.tried))
	body := replaced(a.body, "SUMMARY", "SUMMARY:"+name)
	start := e.starts[titleOf(a.body)]
	if r.IntN(3) == 0 {
		start = soon(r)
		body = replaced(replaced(body, "DTSTART", "DTSTART:"+start.Format(utcTime)), "DTEND", "DTEND:"+start.Add(time.Hour).Format(utcTime))
	}
	e.says(name, start)
	a, err = p.ask(r, "PUT", href, body, "If-Match: "+a.header.Get("ETag"), "Content-Type: text/calendar; charset=utf-8")
	if err == nil && a.status >= 300 && !slices.Contains([]int{http.StatusPreconditionFailed, http.StatusNotFound}, a.status) {
		return fmt.Errorf("PUT %s: %d %s", href, a.status, a.body)
	}
	e.write(name, a, err)
	p.h.load.add("events changed", 1)
	return nil
}

func (p *soakProgram) erase(r *rand.Rand) error {
	mark, href, a, err := p.read(r)
	if mark == "" {
		return err
	}
	a, err = p.ask(r, "DELETE", href, "", "If-Match: "+a.header.Get("ETag"))
	if err == nil && a.status >= 300 && !slices.Contains([]int{http.StatusPreconditionFailed, http.StatusNotFound}, a.status) {
		return fmt.Errorf("DELETE %s: %d %s", href, a.status, a.body)
	}
	p.entries[mark].write("", a, err)
	p.h.load.add("events deleted", 1)
	return nil
}

// paths are the calendars of the manager.
func (p *soakProgram) paths(r *rand.Rand) ([]string, error) {
	l, err := p.list(r, "PROPFIND", p.home(), `<D:propfind `+davNames+`><D:prop><D:resourcetype/></D:prop></D:propfind>`, "Depth: 1")
	return l.calendars, err
}

// sync follows the changes of each calendar. What fails is tried next time,
// from the token that was given last.
func (p *soakProgram) sync(r *rand.Rand) error {
	paths, err := p.paths(r)
	for _, calendar := range paths {
		if err = p.follow(r, calendar); err != nil {
			break
		}
	}
	if errors.Is(err, errNoAnswer) {
		return nil
	}
	return err
}

func (p *soakProgram) follow(r *rand.Rand, calendar string) error {
	mine := p.calendars[calendar]
	if mine == nil {
		mine = &calendarCopy{entries: map[string]entryCopy{}}
		p.calendars[calendar] = mine
	}
	for {
		limit := ""
		if r.IntN(3) == 0 {
			limit = fmt.Sprintf("<D:limit><D:nresults>%d</D:nresults></D:limit>", 5+r.IntN(20))
		}
		l, err := p.list(r, "REPORT", calendar, `<D:sync-collection `+davNames+`><D:sync-token>`+mine.token+`</D:sync-token><D:sync-level>1</D:sync-level>`+
			limit+`<D:prop><D:getetag/></D:prop></D:sync-collection>`)
		if err != nil {
			return err
		}
		for _, href := range l.gone {
			delete(mine.entries, href)
		}
		maps.Copy(mine.entries, l.entries)
		mine.token = l.token
		p.h.load.add("syncs", 1)
		if !l.truncated {
			return nil
		}
	}
}

// full is what a listing of all calendars gives.
func (p *soakProgram) full(r *rand.Rand) (map[string]map[string]entryCopy, error) {
	paths, err := p.paths(r)
	if err != nil {
		return nil, err
	}
	all := map[string]map[string]entryCopy{}
	for _, calendar := range paths {
		l, err := p.list(r, "PROPFIND", calendar, `<D:propfind `+davNames+`><D:prop><D:getetag/></D:prop></D:propfind>`, "Depth: 1")
		if err != nil {
			return nil, err
		}
		all[calendar] = l.entries
		hrefs := slices.Sorted(maps.Keys(l.entries))
		for chunk := range slices.Chunk(hrefs, 50) {
			var b strings.Builder
			b.WriteString(`<C:calendar-multiget ` + davNames + `><D:prop><D:getetag/><C:calendar-data/></D:prop>`)
			for _, href := range chunk {
				b.WriteString("<D:href>")
				xml.EscapeText(&b, []byte(href))
				b.WriteString("</D:href>")
			}
			b.WriteString(`</C:calendar-multiget>`)
			got, err := p.list(r, "REPORT", calendar, b.String())
			if err != nil {
				return nil, err
			}
			maps.Copy(l.entries, got.entries)
		}
	}
	return all, nil
}

// soakVisitor is a manager at the pages, who plans contacts and presses their
// buttons.
type soakVisitor struct {
	h       *soakHouse
	client  *http.Client
	login   string
	n       int
	entries map[string]*soakEntry // by title; the values are states
	in      bool
}

func newSoakVisitor(h *soakHouse, login string) *soakVisitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.Fatal(err)
	}
	v := &soakVisitor{h: h, login: login, entries: map[string]*soakEntry{}}
	v.client = &http.Client{Timeout: 15 * time.Second, Jar: jar, Transport: &http.Transport{},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return v
}

func (v *soakVisitor) post(r *rand.Rand, path string, form url.Values) (answered, error) {
	return v.h.request(v.client, r, "", "", "POST", path, form.Encode(), "Content-Type: application/x-www-form-urlencoded")
}

func (v *soakVisitor) act(r *rand.Rand) error {
	if !v.in {
		a, err := v.post(r, "/login", url.Values{"login": {v.login}, "password": {"correct horse"}})
		v.in = err == nil && a.status == http.StatusSeeOther
		return nil
	}
	if r.IntN(3) == 0 || len(v.entries) == 0 {
		v.n++
		name := fmt.Sprintf("Page %s%d", v.login, v.n)
		e := &soakEntry{may: []string{""}}
		v.entries[name] = e
		a, err := v.post(r, "/contacts", url.Values{"kind": {"call"}, "subject": {name}, "day": {time.Now().UTC().AddDate(0, 0, 2).Format(time.DateOnly)}, "time": {"12:00"}, "minutes": {"30"}, "importance": {"normal"}})
		v.h.load.add("contacts planned", 1)
		return v.answered(e, string(store.Planned), a, err)
	}
	names := slices.Sorted(maps.Keys(v.entries))
	name := names[r.IntN(len(names))]
	var id, version int64
	var state string
	if err := v.h.db.QueryRow(`SELECT id, version, state FROM contacts WHERE subject = $1`, name).Scan(&id, &version, &state); err != nil {
		return nil // it was not planned, or the database is away
	}
	e := v.entries[name]
	if !slices.Contains(e.may, state) {
		return fmt.Errorf("%s is %s, acknowledged was %q", name, state, e.may)
	}
	does := []struct{ do, state string }{{"done", string(store.Done)}, {"postpone", string(store.Postponed)}, {"plan", string(store.Planned)}, {"cancel", string(store.Cancelled)}}
	does = slices.DeleteFunc(does, func(d struct{ do, state string }) bool { return d.state == state })
	what := does[r.IntN(len(does))]
	a, err := v.post(r, fmt.Sprintf("/contacts/%d", id), url.Values{"do": {what.do}, "version": {fmt.Sprint(version)}})
	v.h.load.add("buttons pressed", 1)
	return v.answered(e, what.state, a, err)
}

func (v *soakVisitor) answered(e *soakEntry, value string, a answered, err error) error {
	to := a.header.Get("Location")
	switch {
	case err != nil:
	case a.status != http.StatusSeeOther:
		return fmt.Errorf("a form: %d %s", a.status, tail(a.body))
	case strings.HasPrefix(to, "/login"):
		v.in = false
		return fmt.Errorf("a session is over before its time: %s", to)
	case strings.Contains(to, "said=stale"):
		return nil
	case strings.Contains(to, "said=refused"):
		return fmt.Errorf("a form is refused: %s", to)
	}
	e.write(value, a, err)
	return nil
}

// soakOneC is 1C that sends orders until it is told that they are taken.
type soakOneC struct {
	h      *soakHouse
	client *http.Client
	n      int
	taken  []string // prefixes of the files that were
}

const ordersOfFile = 20

func (c *soakOneC) ask(r *rand.Rand, cookie, query, body string) (string, error) {
	header := []string{"Content-Type: application/octet-stream"}
	method := "GET"
	if body != "" {
		method = "POST"
	}
	if cookie != "" {
		header = append(header, "Cookie: "+cookie)
	}
	a, err := c.h.request(c.client, r, "1c", c.h.token, method, "/exchange/1c?type=sale&"+query, body, header...)
	if err == nil && a.status != http.StatusOK {
		err = fmt.Errorf("%w: %d", errNoAnswer, a.status)
	}
	return a.body, err
}

// act sends one file, again and again.
func (c *soakOneC) act(r *rand.Rand, end time.Time) error {
	c.n++
	prefix := fmt.Sprintf("s%d", c.n)
	var err error
	for err = c.exchange(r, prefix); err != nil; err = c.exchange(r, prefix) {
		if time.Now().After(end) {
			return fmt.Errorf("1C could not send %s: %w", prefix, err)
		}
		c.h.load.add("exchanges tried again", 1)
		time.Sleep(300 * time.Millisecond)
	}
	c.taken = append(c.taken, prefix)
	c.h.load.add("orders", ordersOfFile)
	return nil
}

func (c *soakOneC) exchange(r *rand.Rand, prefix string) error {
	said, err := c.ask(r, "", "mode=checkauth", "")
	if err != nil {
		return err
	}
	lines := strings.Split(said, "\n")
	if len(lines) < 4 || lines[0] != "success" {
		return fmt.Errorf("checkauth: %q", said)
	}
	cookie, sessid := lines[1]+"="+lines[2], "&"+strings.TrimSpace(lines[3])
	name := "&filename=" + prefix + ".xml"
	for _, step := range [][2]string{{"mode=init&version=3.1", ""}, {"mode=file" + name, commerceMLOrders(prefix, ordersOfFile)}} {
		if said, err = c.ask(r, cookie, step[0]+sessid, step[1]); err != nil {
			return err
		} else if strings.HasPrefix(said, "failure") {
			return fmt.Errorf("%s: %q", step[0], said)
		}
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		said, err = c.ask(r, cookie, "mode=import"+name+sessid, "")
		switch {
		case err != nil:
			return err
		case strings.HasPrefix(said, "success"):
			return nil
		case !strings.HasPrefix(said, "progress"):
			return fmt.Errorf("import: %q", said)
		}
	}
	return fmt.Errorf("import: still %q", said)
}
