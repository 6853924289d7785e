package mailsync

import "strings"

const maxOpenTables = 15 // deeper ones are read as plain blocks

// table collects the cells of the open row.
type table struct {
	row [][]line
}

// openTable is the innermost table that the cursor is directly in.
func (r *htmlReader) openTable() *table {
	for i := len(r.stack) - 1; i >= 0; i-- {
		switch e := &r.stack[i]; {
		case e.cell:
			return nil
		case e.name == "table":
			return e.rows
		}
	}
	return nil
}

func (r *htmlReader) closeCell() {
	r.closeOpen("td", "table", "tr", "th")
	r.closeOpen("th", "table", "tr", "td")
}

// row writes a table row: its cells side by side where each is one line, else
// below one another, as a table used for layout wants it.
func (r *htmlReader) row(t *table) {
	b := r.block()
	var cells [][]line
	flat := true
	for _, c := range t.row {
		c = trimBlank(c)
		if len(c) == 0 {
			continue
		}
		cells = append(cells, c)
		flat = flat && len(c) == 1 && c[0].depth == r.top().quote
	}
	t.row = nil
	if len(cells) > 0 && b.gap && len(b.lines) > 0 {
		b.lines = append(b.lines, line{depth: r.top().quote, mark: r.top().mark})
	}
	b.gap = false
	if !flat {
		for _, c := range cells {
			b.lines = append(b.lines, c...)
		}
		return
	}
	if len(cells) == 0 {
		return
	}
	l := cells[0][0]
	var sb strings.Builder
	for i, c := range cells {
		if i > 0 {
			sb.WriteString(" | ")
		}
		sb.WriteString(c[0].text)
	}
	l.text = sb.String()
	b.lines = append(b.lines, l)
}
