package report

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/json"
	"io"
	"time"

	"intouch/store"
)

// Schema is the JSON Schema of what WriteJSON writes (draft 2020-12). It is
// written by hand; a test holds both to each other.
//
//go:embed schema.json
var Schema []byte

// WriteJSON writes the table for programs, as Schema describes it. values has
// one member for each column that has a value; unknown lists the columns of
// which the data do not say, estimated those with an estimate in them.
func (t *Table) WriteJSON(w io.Writer) error {
	if t.long == nil {
		_, err := w.Write(indented(t.json(), ""))
		return err
	}
	// Rows are written one by one between what stands before and after them: of a
	// long list all at once would be a lot to hold. No text holds a bare quote.
	before, after, _ := bytes.Cut(indented(t.json(), ""), []byte(`"rows": []`))
	out := bufio.NewWriter(w)
	out.Write(before)
	between := `"rows": [` + "\n    "
	for row := range t.All() {
		out.WriteString(between)
		out.Write(bytes.TrimSpace(indented(t.jsonRow(row), "    ")))
		between = ",\n    "
	}
	out.WriteString("\n  ]")
	out.Write(after)
	return out.Flush()
}

// indented is v as JSON with an end of line, each line but the first behind
// prefix.
func indented(v any, prefix string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent(prefix, "  ")
	if err := enc.Encode(v); err != nil {
		panic(err) // nothing in a table cannot be written
	}
	return b.Bytes()
}

// jsonTable is a table as Schema describes it.
type jsonTable struct {
	Report   string       `json:"report"`
	Title    string       `json:"title"`
	About    []string     `json:"about"`
	Groups   []jsonColumn `json:"groups"`
	Columns  []jsonColumn `json:"columns"`
	Rows     []jsonRow    `json:"rows"`
	Total    *jsonRow     `json:"total,omitempty"`
	Notes    []string     `json:"notes"`
	Sections []jsonTable  `json:"sections,omitempty"`
}

type jsonColumn struct {
	Key   string `json:"key"`
	Title string `json:"title"`
	Type  Type   `json:"type"`
	// Adds: the total is the sum of the innermost rows.
	Adds   bool                `json:"adds,omitempty"`
	Behind map[string][]string `json:"behind,omitempty"`
}

type jsonRow struct {
	Level     int                 `json:"level"`
	Leaf      bool                `json:"leaf"`
	Aside     bool                `json:"aside,omitempty"`
	Path      []string            `json:"path"`
	Values    map[string]any      `json:"values"`
	Unknown   []string            `json:"unknown,omitempty"`
	Estimated []string            `json:"estimated,omitempty"`
	Status    store.Status        `json:"status,omitempty"`
	Link      map[string][]string `json:"link,omitempty"`
	URL       string              `json:"url,omitempty"`
}

func (t *Table) json() jsonTable {
	columns := func(all []Column) []jsonColumn {
		out := make([]jsonColumn, len(all))
		for i, c := range all {
			out[i] = jsonColumn{c.Key, c.Title, c.Type, c.adds(), c.Behind}
		}
		return out
	}
	all := jsonTable{Report: t.Name, Title: t.Title, About: append([]string{}, t.About...), Groups: columns(t.Groups), Columns: columns(t.Columns),
		Rows: []jsonRow{}, Notes: append([]string{}, t.Notes...)}
	if t.long == nil {
		for i := range t.Rows {
			all.Rows = append(all.Rows, t.jsonRow(&t.Rows[i]))
		}
	}
	if t.Total != nil {
		total := t.jsonRow(&Row{Values: t.Total})
		all.Total = &total
	}
	for i := range t.Sections {
		all.Sections = append(all.Sections, t.Sections[i].json())
	}
	return all
}

func (t *Table) jsonRow(r *Row) jsonRow {
	out := jsonRow{Level: len(r.Path), Leaf: r.Leaf, Aside: r.Aside, Path: make([]string, len(r.Path)), Values: map[string]any{}, Status: r.Status, Link: r.selects(), URL: r.URL}
	for i, step := range r.Path {
		out.Path[i] = step.Text
	}
	for i, v := range r.Values {
		c := t.Columns[i]
		switch {
		case v.Unknown && len(v.Sums) == 0:
			out.Unknown = append(out.Unknown, c.Key)
		case !v.None:
			if v.Unknown { // of some of the rows
				out.Unknown = append(out.Unknown, c.Key)
			}
			out.Values[c.Key] = jsonValue(c.Type, v)
		}
		if v.Estimated {
			out.Estimated = append(out.Estimated, c.Key)
		}
	}
	return out
}

func jsonValue(kind Type, v Value) any {
	switch kind {
	case Count, Minutes:
		return v.N
	case Percent:
		return json.Number(store.Money{Minor: v.N}.Plain())
	case Sum:
		type money struct {
			Minor    int64  `json:"minor"`
			Currency string `json:"currency"`
		}
		out := make([]money, len(v.Sums))
		for i, m := range v.Sums {
			out[i] = money{m.Minor, m.Currency}
		}
		return out
	case Moment:
		return time.Unix(v.N, 0).UTC().Format(time.RFC3339)
	}
	return v.Text
}
