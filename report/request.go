package report

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"intouch/store"
)

// Request asks for a report. The same parameters come from a page's address,
// a saved report and the command line:
//
//	from, to    days, both included; or period, as ParsePeriod knows it
//	by          groupings, outermost first, with commas between them
//	rows        the records behind the figures instead of the figures: "1", or of a
//	            report that has several kinds of them the figure
//
// and the report's own filters and options. A filter may be given more than
// once, and then selects what passes one of its values. Records are named by
// the key that the accounting system gave them, or "#" and the number that a
// link has; "none" is what has none.
type Request struct {
	Name     string
	Viewer   store.Manager // sees only what Manager.Sees allows
	Now      time.Time
	Currency string // of the company: others are converted into it
	Params   url.Values
	// Most is how many records a list has at most, the first ones; groups and
	// totals are of all. 0: no bound. Pages have one.
	Most   int
	People bool // of a list of persons: these themselves too, for WriteVCard
}

// PageRows is how many records, and how many groups of them, HTML for a page
// or a mail shows.
const PageRows = 1000

// Invalid says what cannot be asked for, and what can.
type Invalid struct{ Text string }

func (e *Invalid) Error() string { return e.Text }

func invalid(format string, args ...any) error { return &Invalid{fmt.Sprintf(format, args...)} }

// filters are what was asked for, found in the store.
type filters struct {
	managers, clients, persons, counted, sources, deals []int64
	kinds                                               []store.Kind
	directions                                          []store.Direction
	states                                              []store.State
	importances                                         []store.Importance
	statuses                                            []store.Status
	types                                               []store.ItemType
	classes, xyz, stages                                []string // "": has none
	campaigns                                           []string // of lead sources; "": of none
	unregistered                                        []string // texts of those who are no clients; "": nothing is said
	attributes                                          map[string][]string
	before, since                                       store.Date              // the last contact
	text                                                string                  // in names and addresses
	born                                                time.Month              // of the birthday
	birthday                                            int                     // days from today, today included
	begins                                              map[string][]store.Date // by "day", "week" or "month": its first day; "": has no day
	said                                                [][2]string             // for the head of the table: the filter, and what passes
}

const (
	maxParams   = 100 // values of one filter
	maxParam    = 1000
	maxBy       = 5
	maxPeriod   = 366 * 30 // days
	maxBirthday = 366
	maxRows     = 10_000  // of the records behind a figure that a page adds up
	maxRecords  = 100_000 // that are written at all
)

func newRun(ctx context.Context, st *store.Store, req Request) (*run, error) {
	at := slices.IndexFunc(reports, func(r report) bool { return r.name == req.Name })
	if at < 0 {
		return nil, invalid("unknown report %q: it is one of %s", clip(req.Name), strings.Join(Names(), ", "))
	}
	req.Params = said(req.Params)
	r := &run{ctx: ctx, st: st, report: &reports[at], Request: req, lang: req.Viewer.Language, loc: req.Viewer.Location(), lacking: map[string]bool{}, exchanges: map[[2]string]store.Exchange{}}
	r.today = store.DateOf(req.Now, r.loc)
	if err := r.readPeriod(); err != nil {
		return nil, err
	}
	if err := r.readBy(); err != nil {
		return nil, err
	}
	for name, values := range req.Params {
		if len(values) > maxParams {
			return nil, invalid("%s is given %d times, at most %d are possible", clip(name), len(values), maxParams)
		}
		for _, v := range values {
			if len(v) > maxParam {
				return nil, invalid("%s is longer than %d bytes", clip(name), maxParam)
			}
			if err := r.read(name, v); err != nil {
				return nil, err
			}
		}
	}
	return r, nil
}

// said leaves out the parameters without a value: a form sends all its fields.
func said(params url.Values) url.Values {
	out := url.Values{}
	for name, values := range params {
		for _, v := range values {
			if v != "" {
				out.Add(name, v)
			}
		}
	}
	return out
}

// comparison is another period to stand beside the one asked for.
type comparison struct {
	Period
	name, title string
}

// comparisons are those that were asked for; records are not compared.
func (r *run) comparisons() []comparison {
	if r.rows {
		return nil
	}
	var out []comparison
	for _, name := range r.Params["compare"] {
		c := comparison{r.period.Previous(), name, r.t("column.previous")}
		if name == "year" {
			c.Period, c.title = r.period.YearBefore(), r.t("column.year before")
		}
		out = append(out, c)
	}
	return out
}

// periods are the report's own and those that it is compared with. Days of one
// are not days of another.
func (r *run) periods() ([]Period, error) {
	all := []Period{r.period}
	for _, c := range r.comparisons() {
		all = append(all, c.Period)
	}
	for _, name := range []string{"day", "week", "month"} {
		if len(all) > 1 && (slices.Contains(r.by, name) || len(r.filter.begins[name]) > 0) {
			return nil, invalid("compare goes without %s", name)
		}
	}
	return all, nil
}

// behind asks for the records of that period.
func (c *comparison) behind(column url.Values) url.Values {
	if column == nil {
		return nil
	}
	out := maps.Clone(column)
	out.Set("from", string(c.From))
	out.Set("to", string(c.To))
	return out
}

func (r *run) readPeriod() error {
	name, from, to := r.Params.Get("period"), r.Params.Get("from"), r.Params.Get("to")
	if r.report.period == "" {
		if name+from+to != "" {
			return invalid("the report %s has no period", r.report.name)
		}
		r.all = true
		return nil
	}
	if name != "" && from+to != "" {
		return invalid("period goes without from and to")
	}
	var err error
	if name == "" {
		name = r.report.period
	}
	if r.period, err = ParsePeriod(name, r.today); err != nil {
		return invalid("%v", err)
	}
	if from != "" {
		if r.period.From, err = store.ParseDate(from); err != nil {
			return invalid("from: %v", err)
		}
		r.period.To = max(r.today, r.period.From)
	}
	if to != "" {
		if r.period.To, err = store.ParseDate(to); err != nil {
			return invalid("to: %v", err)
		}
		if from == "" {
			return invalid("to goes with from")
		}
	}
	if r.period.To < r.period.From {
		return invalid("the period ends (%s) before it begins (%s)", r.period.To, r.period.From)
	}
	if r.period.Days() > maxPeriod {
		return invalid("the period is longer than %d days", maxPeriod)
	}
	return nil
}

func (r *run) readBy() error {
	asked := r.report.by
	if text := r.Params.Get("by"); text != "" {
		asked = strings.Split(text, ",")
	}
	if len(asked) > maxBy {
		return invalid("%d groupings are more than %d", len(asked), maxBy)
	}
	for _, g := range asked {
		g = strings.TrimSpace(g)
		switch {
		case len(r.report.groupings) == 0:
			return invalid("the report %s is not grouped", r.report.name)
		case !slices.Contains(r.report.groupings, g):
			return invalid("unknown grouping %q: %s is grouped by %s", clip(g), r.report.name, strings.Join(r.report.groupings, ", "))
		case slices.Contains(r.by, g):
			return invalid("the grouping %s is given twice", g)
		}
		r.by = append(r.by, g)
	}
	return nil
}

// read takes one value of a parameter.
func (r *run) read(name, value string) error {
	switch name {
	case "period", "from", "to", "by":
		return nil
	case "rows":
		return r.readRows(value)
	}
	if words, ok := r.report.options[name]; ok {
		if words == nil {
			return nil // read where it is used
		}
		return known(name, value, words)
	}
	if !slices.Contains(r.report.filters, name) {
		return invalid("unknown filter %q: %s has %s", clip(name), r.report.name, strings.Join(slices.Concat(r.report.filters, optionNames(r.report.options)), ", "))
	}
	return r.readFilter(name, value)
}

// readRows takes whose records are asked for.
func (r *run) readRows(value string) error {
	figures := r.report.figures
	switch {
	case value == "0":
		return nil
	case len(figures) == 0:
		figures = []string{"1"}
	case value == "1":
		return invalid("rows: behind the figures of %s lie different records; say of which: %s", r.report.name, strings.Join(figures, ", "))
	default:
		r.behind = value
	}
	r.rows = true
	return known("rows", value, figures)
}

// known reports an error when the word is not among those there are.
func known[T ~string](name, value string, words []T) error {
	if slices.Contains(words, T(value)) {
		return nil
	}
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = string(w)
	}
	return invalid("unknown %s %q: it is one of %s", name, clip(value), strings.Join(all, ", "))
}

var (
	allKinds       = []store.Kind{store.Letter, store.Call, store.Meeting, store.Visit, store.Other}
	allDirections  = []store.Direction{store.In, store.Out, store.NoDirection}
	allStates      = []store.State{store.Planned, store.Postponed, store.Done, store.Cancelled}
	allImportances = []store.Importance{store.High, store.Normal, store.Low}
	allStatuses    = []store.Status{store.StatusOverdue, store.StatusCurrent, store.StatusPostponed, store.StatusDone}
	allStages      = []string{"potential", "one-off", "regular", "lost"}
	allTypes       = []store.ItemType{store.ContactItem, store.ShipmentItem, store.PaymentItem}
)

func (r *run) readFilter(name, value string) error {
	f := &r.filter
	switch name {
	case "kind":
		return readWord(r, name, value, store.Word(r.lang, "kind."+value), allKinds, &f.kinds)
	case "direction":
		return readWord(r, name, value, r.t("direction."+value), allDirections, &f.directions)
	case "state":
		return readWord(r, name, value, r.t("state."+value), allStates, &f.states)
	case "importance":
		return readWord(r, name, value, store.Word(r.lang, "importance."+value), allImportances, &f.importances)
	case "status":
		if value == "none" {
			return readNone(r, name, &f.statuses)
		}
		return readWord(r, name, value, store.Word(r.lang, "status."+value), allStatuses, &f.statuses)
	case "type":
		if value == "none" {
			return readNone(r, name, &f.types)
		}
		return readWord(r, name, value, store.Word(r.lang, "type."+value), allTypes, &f.types)
	case "abc", "xyz", "stage":
		return r.readClass(name, value)
	case "day", "week", "month":
		return r.readDay(name, value)
	case "unregistered", "campaign":
		if value == "none" {
			value = ""
		}
		into, said := &f.unregistered, cmp.Or(value, r.t("none."+name))
		if name == "campaign" {
			into = &f.campaigns
		}
		*into = append(*into, value)
		f.say(r.t("by."+name), said)
		return nil
	case "attribute":
		key, of, ok := strings.Cut(value, "=")
		if !ok || key == "" {
			return invalid("attribute: %q is not like segment=horeca", clip(value))
		}
		if f.attributes == nil {
			f.attributes = map[string][]string{}
		}
		f.attributes[key] = append(f.attributes[key], of)
		f.say(key, of)
		return nil
	case "before", "since":
		d, err := store.ParseDate(value)
		if err != nil {
			return invalid("%s: %v", name, err)
		}
		if name == "before" {
			f.before = d
		} else {
			f.since = d
		}
		f.say(r.t("by."+name), voice{r.lang}.date(d))
		return nil
	case "text":
		if len(value) > 200 {
			return invalid("text: longer than 200 bytes")
		}
		f.text = value
		f.say(r.t("by.text"), value)
		return nil
	case "born":
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > 12 {
			return invalid("born: %q is no month from 1 to 12", clip(value))
		}
		f.born = time.Month(n)
		f.say(r.t("by.born"), value)
		return nil
	case "birthday":
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > maxBirthday {
			return invalid("birthday: %q is no number of days from 1 to %d", clip(value), maxBirthday)
		}
		f.birthday = n
		f.say(r.t("by.birthday"), r.t("within", voice{r.lang}.dayCount(n)))
		return nil
	}
	into := map[string]*[]int64{"manager": &f.managers, "client": &f.clients, "person": &f.persons, "counted": &f.counted, "source": &f.sources, "deal": &f.deals}[name]
	if value == "none" && (name != "manager" || r.Viewer.Role == store.RoleHead) {
		*into = append(*into, 0)
		f.say(r.t("by."+name), r.t("none."+name))
		return nil
	}
	kind := name
	if name == "counted" {
		kind = "person"
	}
	found, err := r.record(kind, value)
	if errors.Is(err, store.ErrNotFound) || err == nil && name == "manager" && !r.Viewer.Sees(found.ID) {
		return invalid("there is no %s %q", name, clip(value))
	}
	if err != nil {
		return err
	}
	*into = append(*into, found.ID)
	if r.Viewer.Role != store.RoleHead && name != "manager" {
		found.Text = value // whose name it is may not be the viewer's to know
	}
	f.say(r.t("by."+name), found.Text)
	return nil
}

// readClass takes a client's class or stage.
func (r *run) readClass(name, value string) error {
	f := &r.filter
	into, words := &f.classes, []string{"A", "B", "C"}
	switch name {
	case "xyz":
		into, words = &f.xyz, []string{"X", "Y", "Z"}
	case "stage":
		into, words = &f.stages, allStages
	}
	title := value
	if name == "stage" {
		title = store.Word(r.lang, "stage."+value)
	}
	if value == "none" {
		return readNone(r, name, into)
	}
	*into = append(*into, value)
	f.say(r.t("by."+name), title)
	return known(name, value, append(slices.Clone(words), "none"))
}

// readWord takes a word of a filter; title is how people read it.
func readWord[T ~string](r *run, name, value, title string, all []T, into *[]T) error {
	*into = append(*into, T(value))
	r.filter.say(r.t("by."+name), title)
	return known(name, value, all)
}

// readNone takes "none": what has nothing of the kind.
func readNone[T ~string](r *run, name string, into *[]T) error {
	*into = append(*into, "")
	r.filter.say(r.t("by."+name), r.t("none."+name))
	return nil
}

// readDay takes a day of the group that a calendar's rows are in.
func (r *run) readDay(name, value string) error {
	d := store.Date("")
	if value != "none" {
		var err error
		if d, err = store.ParseDate(value); err != nil {
			return invalid("%s: %v", name, err)
		}
		d = groupDay(name, d)
	}
	if r.filter.begins == nil {
		r.filter.begins = map[string][]store.Date{}
	}
	r.filter.begins[name] = append(r.filter.begins[name], d)
	r.filter.say(r.t("by."+name), voice{r.lang}.dayTitle(name, d))
	return nil
}

// on reports whether a day passes the filters of days.
func (f *filters) on(d store.Date) bool {
	for by, days := range f.begins {
		if !slices.Contains(days, groupDay(by, d)) {
			return false
		}
	}
	return true
}

// passes reports whether a list of a filter selects the value.
func passes[T comparable](list []T, v T) bool { return len(list) == 0 || slices.Contains(list, v) }

// record finds the record that a filter names.
func (r *run) record(kind, name string) (store.GroupKey, error) {
	if digits, ok := strings.CutPrefix(name, "#"); ok {
		id, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || id <= 0 {
			return store.GroupKey{}, invalid("%q is no number of a %s", clip(name), kind)
		}
		return r.st.RecordNamed(r.ctx, kind, id, "")
	}
	return r.st.RecordNamed(r.ctx, kind, 0, name)
}

func (f *filters) say(filter, value string) { f.said = append(f.said, [2]string{filter, value}) }

// about are the lines under the title: the period and the filters.
func (r *run) about() []string {
	lines := r.selected()
	if !r.all {
		lines = append([]string{r.days(r.period)}, lines...)
	}
	if r.Viewer.Role != store.RoleHead {
		lines = append(lines, r.t("by.manager")+": "+r.Viewer.Name)
	}
	return lines
}

// selected are the filters, a line each.
func (r *run) selected() []string {
	var lines []string
	said := map[string][]string{}
	var order []string
	for _, s := range r.filter.said {
		if said[s[0]] == nil {
			order = append(order, s[0])
		}
		said[s[0]] = append(said[s[0]], s[1])
	}
	slices.Sort(order)
	for _, name := range order {
		slices.Sort(said[name])
		lines = append(lines, name+": "+strings.Join(said[name], ", "))
	}
	return lines
}

// clip shortens a stranger's word for an error.
func clip(s string) string {
	if runes := []rune(s); len(runes) > 60 {
		return string(runes[:60]) + "…"
	}
	return s
}
