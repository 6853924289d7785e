package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// Fault is one thing wrong in the settings.
type Fault struct {
	Line int    // 1-based; 0: the whole file
	Key  string // "server.listen"; "" for a fault of TOML itself
	Text string
}

// Faults are all faults of one settings file, by line. It is the error that
// loading gives.
type Faults struct {
	File string
	List []Fault
}

// Error lists the faults, one a line: "config.toml:12: server.listen: …".
func (f *Faults) Error() string {
	lines := make([]string, 0, len(f.List))
	for _, x := range f.List {
		line := f.File + ":"
		if x.Line > 0 {
			line += strconv.Itoa(x.Line) + ":"
		}
		if x.Key != "" {
			line += " " + x.Key + ":"
		}
		lines = append(lines, line+" "+x.Text)
	}
	return strings.Join(lines, "\n")
}

// document is a TOML file being read: its values, the line of every key, and
// the faults found so far. Reading goes key by key rather than into a struct,
// because a decoder stops at the first wrong type, and people should see all
// faults at once.
type document struct {
	file   string
	lines  map[string]int // "mailbox[0].imap" → line
	ends   []int          // of the lines, as offsets into the text
	tables []*table
	faults []Fault
}

// table is one table of the document.
type table struct {
	doc    *document
	path   string // with indexes, "mailbox[0]", to find lines
	name   string // as people are told, "mailbox"
	values map[string]any
	asked  map[string]bool
}

// parseDocument reads TOML. What is no TOML at all is a single fault, since
// nothing after it can be trusted.
func parseDocument(file string, text []byte) (*table, error) {
	doc := &document{file: file, lines: map[string]int{}}
	values := map[string]any{}
	if err := toml.Unmarshal(text, &values); err != nil {
		fault := Fault{Text: strings.TrimPrefix(err.Error(), "toml: ")}
		var where *toml.DecodeError
		if errors.As(err, &where) {
			fault.Line, _ = where.Position()
		}
		return nil, &Faults{File: file, List: []Fault{fault}}
	}
	doc.findLines(text)
	return doc.open("", "", values), nil
}

// findLines notes where each key stands. The text has been decoded before, so
// the parser meets nothing that it refuses.
func (d *document) findLines(text []byte) {
	for at, b := range text {
		if b == '\n' {
			d.ends = append(d.ends, at)
		}
	}
	var p unstable.Parser
	p.Reset(text)
	prefix := ""
	count := map[string]int{}
	for p.NextExpression() {
		switch e := p.Expression(); e.Kind {
		case unstable.Table:
			prefix = d.note("", e.Key(), count)
		case unstable.ArrayTable:
			path := d.note("", e.Key(), count)
			prefix = fmt.Sprintf("%s[%d]", path, count[path])
			count[path]++
			d.lines[prefix] = d.lines[path]
			delete(d.lines, path) // the next one has a line of its own
		case unstable.KeyValue:
			d.keyValue(prefix, e, count)
		}
	}
}

func (d *document) keyValue(prefix string, kv *unstable.Node, count map[string]int) {
	path := d.note(prefix, kv.Key(), count)
	v := kv.Value()
	switch v.Kind {
	case unstable.InlineTable:
		for it := v.Children(); it.Next(); {
			d.keyValue(path, it.Node(), count)
		}
	case unstable.Array:
		i := 0
		for it := v.Children(); it.Next(); i++ {
			if it.Node().Kind != unstable.InlineTable {
				continue
			}
			element := fmt.Sprintf("%s[%d]", path, i)
			d.lines[element] = d.lines[path]
			for in := it.Node().Children(); in.Next(); {
				d.keyValue(element, in.Node(), count)
			}
		}
	}
}

// note keeps the line of a dotted key and of the tables it passes through,
// and gives its path.
func (d *document) note(prefix string, key unstable.Iterator, count map[string]int) string {
	path := prefix
	for key.Next() {
		path = join(path, string(key.Node().Data))
		if _, known := d.lines[path]; !known {
			d.lines[path] = d.lineAt(int(key.Node().Raw.Offset))
		}
		if n := count[path]; n > 0 && !key.IsLast() {
			path = fmt.Sprintf("%s[%d]", path, n-1) // [mailbox.x] belongs to the last [[mailbox]]
		}
	}
	return path
}

// lineAt is the line, from 1, of a place in the text. The parser's own Shape
// counts from the beginning each time: with 10,000 mailboxes for a minute.
func (d *document) lineAt(offset int) int {
	n, _ := slices.BinarySearch(d.ends, offset)
	return n + 1
}

func join(prefix, key string) string {
	if prefix == "" {
		return key
	}
	return prefix + "." + key
}

func (d *document) open(path, name string, values map[string]any) *table {
	t := &table{doc: d, path: path, name: name, values: values, asked: map[string]bool{}}
	d.tables = append(d.tables, t)
	return t
}

// finish adds the keys that nobody asked for, and gives all faults by line;
// nil when there are none.
func (d *document) finish() error {
	for _, t := range d.tables {
		for key := range maps.Keys(t.values) {
			if !t.asked[key] {
				t.fault(key, "unknown key")
			}
		}
	}
	if len(d.faults) == 0 {
		return nil
	}
	slices.SortStableFunc(d.faults, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Key, b.Key))
	})
	return &Faults{File: filepath.Clean(d.file), List: d.faults}
}

// fault notes what is wrong with a key. One that is missing is noted at the
// head of its table.
func (t *table) fault(key, format string, args ...any) {
	line, ok := t.doc.lines[join(t.path, key)]
	if !ok {
		line, ok = t.doc.lines[join(t.path, key)+"[0]"]
	}
	if !ok {
		line = t.doc.lines[t.path]
	}
	t.doc.faults = append(t.doc.faults, Fault{Line: line, Key: join(t.name, key), Text: fmt.Sprintf(format, args...)})
}

// has reports whether the key is given.
func (t *table) has(key string) bool { _, ok := t.values[key]; return ok }

// value takes a key of type T; def where it is missing or of another type,
// which is a fault.
func value[T any](t *table, key string, def T, want string) T {
	t.asked[key] = true
	v, ok := t.values[key]
	if !ok {
		return def
	}
	typed, ok := v.(T)
	if !ok {
		t.fault(key, "must be %s", want)
		return def
	}
	return typed
}

func (t *table) text(key, def string) string {
	return value(t, key, def, "a text in quotes")
}

// required takes a text that must not be empty; why says what it is for.
func (t *table) required(key, why string) string {
	v := t.text(key, "")
	if _, isText := t.values[key].(string); v == "" && (isText || !t.has(key)) {
		t.fault(key, "is missing: %s", why)
	}
	return v
}

func (t *table) flag(key string, def bool) bool {
	return value(t, key, def, "true or false")
}

// number takes a whole number within bounds.
func (t *table) number(key string, def, low, high int) int {
	n := value(t, key, int64(def), "a whole number")
	if n < int64(low) || n > int64(high) || n > math.MaxInt32 {
		t.fault(key, "must be from %d to %d", low, high)
		return def
	}
	return int(n)
}

func (t *table) texts(key string, def ...string) []string {
	list := value[[]any](t, key, nil, "a list of texts")
	if list == nil {
		return def
	}
	out := make([]string, 0, len(list))
	for _, v := range list {
		s, ok := v.(string)
		if !ok {
			t.fault(key, "must be a list of texts")
			return def
		}
		out = append(out, s)
	}
	return out
}

// numbers takes as many whole numbers as the default has.
func (t *table) numbers(key string, def []int) []int {
	list := value[[]any](t, key, nil, fmt.Sprintf("a list of %d whole numbers", len(def)))
	if list == nil {
		return def
	}
	var out []int
	for _, v := range list {
		if n, ok := v.(int64); ok && n >= math.MinInt32 && n <= math.MaxInt32 {
			out = append(out, int(n))
		}
	}
	if len(out) != len(def) || len(list) != len(def) {
		t.fault(key, "must be a list of %d whole numbers", len(def))
		return def
	}
	return out
}

// table takes a table; an empty one where it is missing.
func (t *table) table(key string) *table {
	v := value(t, key, map[string]any{}, "a table")
	return t.doc.open(join(t.path, key), join(t.name, key), v)
}

// list takes an array of tables.
func (t *table) list(key string) []*table {
	var out []*table
	for i, v := range value[[]any](t, key, nil, fmt.Sprintf("tables, each under [[%s]]", key)) {
		m, ok := v.(map[string]any)
		if !ok {
			t.fault(key, "must be tables, each under [[%s]]", key)
			return nil
		}
		out = append(out, t.doc.open(fmt.Sprintf("%s[%d]", join(t.path, key), i), join(t.name, key), m))
	}
	return out
}
