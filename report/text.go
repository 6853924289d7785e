package report

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/mattn/go-runewidth"
)

// maxCell is how wide a column of text is shown on a terminal.
const maxCell = 60

// WriteText writes the table for a terminal, and its sections below: columns
// aligned by the width that letters take there, figures to the right.
func (t *Table) WriteText(w io.Writer) error {
	v := voice{t.Lang}
	head := []string{}
	if len(t.Groups) > 0 {
		titles := make([]string, len(t.Groups))
		for i, g := range t.Groups {
			titles[i] = g.Title
		}
		head = append(head, strings.Join(titles, " / "))
	}
	for _, c := range t.Columns {
		head = append(head, c.Title)
	}
	total := []string{v.t("total")}
	if len(t.Groups) == 0 {
		total = nil
	}
	for i, value := range t.Total {
		total = append(total, v.show(t.Columns[i].Type, value, t.Zone))
	}
	if len(t.Groups) == 0 && len(total) > 0 && total[0] == "" {
		total[0] = v.t("total")
	}
	// Rows are made twice, for the widths and for the lines: all the cells of
	// many rows would be a lot to hold.
	widths := make([]int, len(head))
	widen := func(line []string) {
		for i, cell := range inLine(line) {
			widths[i] = max(widths[i], cellWidth(cell))
		}
	}
	widen(head)
	empty := true
	var line []string
	for row := range t.All() {
		line = t.textRow(line, v, row)
		widen(line)
		empty = false
	}
	if t.Total != nil {
		widen(total)
	}
	out := bufio.NewWriter(w)
	fmt.Fprintln(out, t.Title)
	for _, line := range t.About {
		fmt.Fprintln(out, oneLine(line))
	}
	if !empty {
		fmt.Fprintln(out)
		t.textLine(out, head, widths)
		t.rule(out, widths)
		for row := range t.All() {
			line = t.textRow(line, v, row)
			t.textLine(out, inLine(line), widths)
		}
		if t.Total != nil {
			t.rule(out, widths)
			t.textLine(out, total, widths)
		}
	}
	if len(t.Notes) > 0 {
		fmt.Fprintln(out)
	}
	for _, note := range t.Notes {
		fmt.Fprintln(out, oneLine(note))
	}
	if err := out.Flush(); err != nil {
		return err
	}
	for i := range t.Sections {
		if _, err := fmt.Fprintln(w); err != nil {
			return err
		}
		if err := t.Sections[i].WriteText(w); err != nil {
			return err
		}
	}
	return nil
}

// textRow are the cells of a row, in the line given to be used again.
func (t *Table) textRow(line []string, v voice, row *Row) []string {
	line = line[:0]
	if len(t.Groups) > 0 {
		name := ""
		if len(row.Path) > 0 {
			name = strings.Repeat("  ", row.Depth()) + v.show(Text, row.Path[len(row.Path)-1], t.Zone)
		}
		line = append(line, name)
	}
	for i, value := range row.Values {
		line = append(line, v.show(t.Columns[i].Type, value, t.Zone))
	}
	return line
}

// textLine writes cells side by side; the last column of text is not filled up.
func (t *Table) textLine(out *bufio.Writer, line []string, widths []int) {
	text := out.AvailableBuffer()
	pad := func(n int) {
		for range n {
			text = append(text, ' ')
		}
	}
	for i, cell := range line {
		gap := widths[i] - cellWidth(cell)
		if t.toTheRight(i) {
			pad(gap)
			text = append(text, cell...)
		} else {
			text = append(text, cell...)
			pad(gap)
		}
		pad(2)
	}
	out.Write(append(bytes.TrimRight(text, " "), '\n'))
}

func (t *Table) toTheRight(cell int) bool {
	if len(t.Groups) > 0 {
		cell--
	}
	return cell >= 0 && t.Columns[cell].Type.numeric()
}

func (t *Table) rule(out *bufio.Writer, widths []int) {
	all := 2 * (len(widths) - 1)
	for _, w := range widths {
		all += w
	}
	fmt.Fprintln(out, strings.Repeat("─", all))
}

// terminal measures letters as a terminal shows them: wide ones are those of
// East Asia alone, whatever the locale.
var terminal = &runewidth.Condition{EastAsianWidth: false, StrictEmojiNeutral: true}

func cellWidth(s string) int {
	if n, ok := plainWidth(s); ok {
		return n
	}
	return terminal.StringWidth(s)
}

// plainWidth is the width of a text of letters that are all one wide and join
// with none; false: it has others. Most texts are such, and it is much faster.
func plainWidth(s string) (int, bool) {
	n := 0
	for _, r := range s {
		switch {
		case r >= ' ' && r <= '~', r >= 'Ѐ' && r <= 'ҁ', r >= 'Ҋ' && r <= 'ӿ', r == '\u00a0', r == '№', r == '₽', r == '−', r == '…', r == '—', r == '«', r == '»':
			n++
		default:
			return 0, false
		}
	}
	return n, true
}

// inLine makes each text of a line a cell, in place.
func inLine(line []string) []string {
	for i, cell := range line {
		line[i] = oneLine(cell)
	}
	return line
}

// oneLine makes a cell of a stranger's text: no control characters, which
// would move the cursor or colour the terminal, no marks that turn the
// direction of writing, and not wider than maxCell.
func oneLine(s string) string {
	if n, ok := plainWidth(s); ok && n <= maxCell*2 {
		return s
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			return ' '
		case r < ' ' || r >= 0x7f && r < 0xa0, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x200e, r == 0x200f, r == 0xfeff:
			return -1
		}
		return r
	}, s)
	if terminal.StringWidth(s) > maxCell*2 {
		return terminal.Truncate(s, maxCell*2, "…")
	}
	return s
}
