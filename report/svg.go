package report

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strconv"
)

// svgWidth is how wide a chart is on a page; it shrinks with it.
const svgWidth = 640

// WriteSVG writes the chart of the report as a file. *Invalid: it has none.
func (t *Table) WriteSVG(w io.Writer) error {
	c := t.Chart()
	if c == nil {
		return t.noChart()
	}
	return c.WriteSVG(w)
}

func (t *Table) noChart() error {
	return invalid("there is no chart of %s: the report has none, or nothing to draw", t.Name)
}

// WriteSVG writes the chart as an element of a page or a file of its own. It
// brings the colours on white as attributes; a style sheet that knows their
// classes changes them in the dark. There is no style and no script in it, so
// that a strict policy of content takes it.
func (c *Chart) WriteSVG(w io.Writer) error {
	d, err := c.draw(svgWidth)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	name := "chart-" + attribute(c.Name)
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 %s %s" width="%s" height="%s" role="img" aria-labelledby="%s" aria-describedby="%s-figures" font-family="system-ui, 'Noto Sans', 'DejaVu Sans', Arial, sans-serif">`,
		px(d.width), px(d.height), px(d.width), px(d.height), name, name)
	fmt.Fprintf(out, "\n<title id=\"%s\">%s</title>\n<desc id=\"%s-figures\">%s</desc>\n", name, attribute(c.Title), name, attribute(c.Alt()))
	for i := range d.shapes {
		d.shapes[i].svg(out)
	}
	fmt.Fprintln(out, "</svg>")
	return out.Flush()
}

func (s *shape) svg(out io.Writer) {
	hint := ""
	if s.hint != "" {
		hint = "<title>" + attribute(s.hint) + "</title>"
	}
	if s.text != "" {
		fmt.Fprintf(out, `<text class="%s" fill="%s" x="%s" y="%s" font-size="%s" text-anchor="%s">%s%s</text>`+"\n",
			s.colour, light[s.colour], px(s.x), px(s.y), px(s.size), s.align, hint, attribute(s.text))
		return
	}
	opacity := ""
	if s.opacity < 1 {
		opacity = ` fill-opacity="` + px(s.opacity) + `"`
	}
	fmt.Fprintf(out, `<rect class="%s" fill="%s"%s x="%s" y="%s" width="%s" height="%s">%s</rect>`+"\n", s.colour, light[s.colour], opacity, px(s.x), px(s.y), px(s.w), px(s.h), hint)
}

// px is a length with as many digits as can be seen.
func px(n float64) string {
	return strconv.FormatFloat(math.Round(n*100)/100, 'f', -1, 64)
}

// attribute is a stranger's text within SVG: nothing in it is markup, and
// letters that XML does not know are replaced.
func attribute(s string) string {
	var b bytes.Buffer
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		return ""
	}
	return b.String()
}
