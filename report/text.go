package report

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"github.com/mattn/go-runewidth"
)

// maxCell is how wide a column of text can be on a terminal.
const maxCell = 120

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
	// The widths are known when all rows are. What the lines of a long list show is
	// kept until then, in blocks, as long as it is little; else rows are made twice.
	widths := make([]int, len(head))
	var line []string
	var one textCells
	var kept []textCells
	whole, empty := t.long != nil, true
	first := one.add(head, widths)
	for row := range t.All() {
		line, empty = t.textRow(line, v, row), false
		if n := len(kept); !whole {
			one = one[:0].add(line, widths)
		} else if n > 0 && len(kept[n-1]) < blockSize*7/8 {
			kept[n-1] = kept[n-1].add(line, widths)
		} else if whole = n < maxKeptBlocks; whole {
			kept = append(kept, make(textCells, 0, blockSize).add(line, widths))
		} else {
			one, kept = one.add(line, widths), nil
		}
	}
	var last textCells
	if t.Total != nil {
		last = last.add(total, widths)
	}
	out := bufio.NewWriter(w)
	fmt.Fprintln(out, t.Title)
	for _, line := range t.About {
		fmt.Fprintln(out, oneLine(line))
	}
	if !empty {
		fmt.Fprintln(out)
		t.textLine(out, first, widths)
		t.rule(out, widths)
		if whole {
			for _, lines := range kept {
				for len(lines) > 0 {
					lines = t.textLine(out, lines, widths)
				}
			}
		} else {
			for row := range t.All() {
				line = t.textRow(line, v, row)
				one = one[:0].add(line, widths)
				t.textLine(out, one, widths)
			}
		}
		if t.Total != nil {
			t.rule(out, widths)
			t.textLine(out, last, widths)
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

// textCells are lines, each of as many cells: the width, the length and the text
// one after the other.
type textCells []byte

// maxKeptBlocks bounds the lines that WriteText keeps.
const maxKeptBlocks = 16

// add appends a line, and makes columns wide enough for it.
func (c textCells) add(line []string, widths []int) textCells {
	for i, cell := range line {
		cell, width := inLine(cell)
		widths[i] = max(widths[i], width)
		c = binary.AppendUvarint(c, uint64(width))
		c = binary.AppendUvarint(c, uint64(len(cell)))
		c = append(c, cell...)
	}
	return c
}

// textLine writes the cells of the first line side by side, and gives the rest;
// the last column of text is not filled up.
func (t *Table) textLine(out *bufio.Writer, c textCells, widths []int) (rest textCells) {
	number := func() int {
		n, size := binary.Uvarint(c)
		c = c[size:]
		return int(n)
	}
	text := out.AvailableBuffer()
	pad := func(n int) {
		for range n {
			text = append(text, ' ')
		}
	}
	for i := range widths {
		gap := widths[i] - number()
		n := number()
		if t.toTheRight(i) {
			pad(gap)
			text = append(text, c[:n]...)
		} else {
			text = append(text, c[:n]...)
			pad(gap)
		}
		c = c[n:]
		pad(2)
	}
	out.Write(append(bytes.TrimRight(text, " "), '\n'))
	return c
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

// oneLine is inLine without the width.
func oneLine(s string) string {
	s, _ = inLine(s)
	return s
}

// inLine makes a cell of a stranger's text, and measures it: no control
// characters, which would move the cursor or colour the terminal, no marks that
// turn the direction of writing, and not wider than maxCell.
func inLine(s string) (string, int) {
	if n, ok := plainWidth(s); ok && n <= maxCell {
		return s, n
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
	if terminal.StringWidth(s) > maxCell {
		s = terminal.Truncate(s, maxCell, "…")
	}
	return s, cellWidth(s)
}
