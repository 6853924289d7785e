package report

import (
	"math"
	"slices"
	"strings"

	"intouch/store"
)

// Colour is the class that the style sheet knows a colour by; light is what it
// is on white.
type Colour string

const (
	noColour Colour = "none" // what has nothing of a kind
	ink      Colour = "ink"  // texts
	soft     Colour = "soft" // texts that are less important
	line     Colour = "line"
	paper    Colour = "paper"
)

// palette are the colours of series; they can be told apart by the colour-blind
// too, and stand out from white.
var palette = []Colour{"first", "second", "third", "fourth", "fifth", "sixth"}

// light are the colours on white; those of statuses are of rules.md section 2.1.
var light = map[Colour]string{
	"first": "#1565C0", "second": "#EF6C00", "third": "#00838F", "fourth": "#7B1FA2", "fifth": "#C2185B", "sixth": "#6D4C41",
	noColour: "#BDBDBD", ink: "#212121", soft: "#616161", line: "#E0E0E0", paper: "#FFFFFF",
	Colour(store.StatusOverdue): store.StatusOverdue.Color(), Colour(store.StatusCurrent): store.StatusCurrent.Color(),
	Colour(store.StatusPostponed): store.StatusPostponed.Color(), Colour(store.StatusDone): store.StatusDone.Color(),
}

// drawing is a chart as rectangles and lines of text, in pixels of a page.
type drawing struct {
	width, height float64
	shapes        []shape
	measure       *measure
}

// shape is a rectangle, or a line of text that stands on y.
type shape struct {
	colour     Colour
	x, y, w, h float64
	opacity    float64 // of a rectangle, above 0 to 1
	text       string
	size       float64 // of text
	align      align
	hint       string // what is said of it to those who point at it
}

type align string

const (
	toLeft   align = "start"
	toMiddle align = "middle"
	toRight  align = "end"
)

func (d *drawing) rect(colour Colour, x, y, w, h float64, hint string) {
	d.shapes = append(d.shapes, shape{colour: colour, x: x, y: y, w: w, h: h, opacity: 1, hint: hint})
}

// write writes a line of at most that width; what is longer is cut, and said in
// full to those who point at it.
func (d *drawing) write(colour Colour, x, y, size, width float64, align align, text string) {
	cut := d.measure.fit(oneLine(text), size, width)
	hint := ""
	if cut != text {
		hint = oneLine(text)
	}
	d.shapes = append(d.shapes, shape{colour: colour, x: x, y: y, size: size, align: align, text: cut, hint: hint})
}

// Sizes of a drawing.
const (
	titleSize = 15.0
	textSize  = 13.0
	smallSize = 12.0
	barHeight = 15.0
	gap       = 8.0
	upright   = 200.0 // how high columns stand
	field     = 34.0  // how high a field of a matrix is
)

// draw lays the chart out in that width.
func (c *Chart) draw(width float64) (*drawing, error) {
	m, err := newMeasure()
	if err != nil {
		return nil, err
	}
	d := &drawing{width: width, measure: m}
	d.rect(paper, 0, 0, width, 0, "") // its height is known at the end
	d.height = titleSize + 3
	d.write(ink, 0, d.height-3, titleSize, width, toLeft, c.Title)
	d.height += gap
	if len(c.Series) > 1 && c.Shape != Matrix && !c.named() {
		d.legend(c)
	}
	switch c.Shape {
	case Columns:
		d.columns(c)
	case Matrix:
		d.matrix(c)
	default:
		d.bars(c)
	}
	for _, note := range c.Notes {
		for _, words := range d.measure.wrap(oneLine(note), smallSize, width) {
			d.height += smallSize + 5
			d.write(soft, 0, d.height-4, smallSize, width, toLeft, words)
		}
	}
	d.height = math.Ceil(d.height + 2)
	d.shapes[0].h = d.height
	return d, nil
}

// named reports whether the labels say what the colours are.
func (c *Chart) named() bool {
	for _, s := range c.Series {
		if !slices.Contains(c.Labels, s.Title) {
			return false
		}
	}
	return true
}

// legend says which colour is what, in as many lines as it takes.
func (d *drawing) legend(c *Chart) {
	const box = 11.0
	x, lineHeight := 0.0, textSize+7
	for _, s := range c.Series {
		need := box + 5 + math.Min(d.measure.width(oneLine(s.Title), textSize), d.width/2)
		if x > 0 && x+need > d.width {
			x = 0
			d.height += lineHeight
		}
		d.rect(s.Colour, x, d.height+2, box, box, "")
		d.write(ink, x+box+5, d.height+box+1, textSize, need-box-5+1, toLeft, s.Title)
		x += need + 14
	}
	d.height += lineHeight + 2
}

// widest is how wide the widest of texts is, and not more than most.
func (d *drawing) widest(texts []string, size, most float64) float64 {
	w := 0.0
	for _, t := range texts {
		w = math.Max(w, d.measure.width(oneLine(t), size))
	}
	return math.Min(w+1, most)
}

// bars are lying: a label, the bars, their figures.
func (d *drawing) bars(c *Chart) {
	var said []string
	lo, hi := 0.0, 0.0
	for i := range c.Labels {
		sum := 0.0
		for n := range c.Series {
			v, _ := c.Series[n].number(i)
			sum += math.Max(v, 0)
			if c.Shape == Bars {
				sum = v
				said = append(said, c.show(&c.Series[n], i))
			}
			lo, hi = math.Min(lo, v), math.Max(hi, math.Max(sum, v))
		}
		if c.Shape == Stacked {
			said = append(said, c.totalText(i))
		}
	}
	labels := d.widest(c.Labels, textSize, d.width*0.36)
	figures := d.widest(said, smallSize, d.width*0.42)
	left := labels + gap
	length := d.width - left - gap - figures
	scale := 0.0
	if hi > lo {
		scale = length / (hi - lo)
	}
	zero := left - lo*scale
	top := d.height
	bar := func(colour Colour, from, to, y float64, hint string) {
		x, w := zero+math.Min(from, to)*scale, math.Abs(to-from)*scale
		if w > 0 {
			d.rect(colour, x, y, math.Max(w, 1), barHeight, hint)
		}
	}
	for i, label := range c.Labels {
		y := d.height + gap/2
		rows := 1
		if c.Shape == Bars {
			rows = len(c.Series)
		}
		height := float64(rows)*(barHeight+2) - 2
		d.write(ink, left-gap, y+height/2+textSize*0.36, textSize, labels, toRight, label)
		at := 0.0
		for n := range c.Series {
			s := &c.Series[n]
			v, _ := s.number(i)
			if c.Shape == Stacked {
				v = math.Max(v, 0)
				bar(s.Colour, at, at+v, y, c.hint(n, i))
				at += v
				continue
			}
			bar(s.Colour, 0, v, y, c.hint(n, i))
			d.write(soft, d.width, y+barHeight*0.8, smallSize, figures, toRight, c.show(s, i))
			y += barHeight + 2
		}
		if c.Shape == Stacked {
			d.write(soft, d.width, y+barHeight*0.8, smallSize, figures, toRight, c.totalText(i))
		}
		d.height += height + gap
	}
	d.rect(soft, zero-0.5, top, 1, d.height-top, "")
}

// totalText is the sum of a label's figures as people read it.
func (c *Chart) totalText(i int) string {
	return c.show(&Series{Type: c.Series[0].Type, Values: []Value{c.total(i)}}, 0)
}

// hint is a figure with its label and series.
func (c *Chart) hint(series, i int) string {
	s := &c.Series[series]
	text := oneLine(c.Labels[i])
	if len(c.Series) > 1 {
		text += ", " + oneLine(s.Title)
	}
	return text + ": " + c.show(s, i)
}

// columns stand upright on a line of time.
func (d *drawing) columns(c *Chart) {
	hi := 0.0
	for i := range c.Labels {
		hi = math.Max(hi, float64(c.total(i).N))
	}
	step := tickStep(hi)
	hi = math.Max(math.Ceil(hi/step), 1) * step
	v := voice{c.Lang}
	d.height += textSize // the figure on a full column
	left := d.widest([]string{v.number(int64(hi))}, smallSize, d.width/3) + gap
	bottom := d.height + upright
	for at := 0.0; at <= hi; at += step {
		y := bottom - at/hi*upright
		d.rect(line, left, y-0.5, d.width-left, 1, "")
		d.write(soft, left-gap, y+smallSize*0.36, smallSize, left, toRight, v.number(int64(at)))
	}
	each := (d.width - left) / float64(max(len(c.Labels), 1))
	w := math.Min(each*0.8, 48)
	tick := d.widest(c.ticks, smallSize, d.width) + 6
	every := max(int(math.Ceil(tick/each)), 1)
	for i := range c.Labels {
		middle := left + (float64(i)+0.5)*each
		y := bottom
		for n := range c.Series {
			v, _ := c.Series[n].number(i)
			if h := math.Max(v, 0) / hi * upright; h > 0 {
				y -= h
				d.rect(c.Series[n].Colour, middle-w/2, y, w, h, c.hint(n, i))
			}
		}
		if said := c.totalText(i); y < bottom && d.measure.width(said, smallSize) < each-2 {
			d.write(soft, middle, y-3, smallSize, each, toMiddle, said)
		}
		if i%every == 0 && i < len(c.ticks) {
			x, align := middle, toMiddle
			if half := tick / 2; middle+half > d.width { // the last one, if it is alone
				x, align = d.width, toRight
			}
			d.write(soft, x, bottom+smallSize+4, smallSize, tick, align, c.ticks[i])
		}
	}
	d.rect(soft, left, bottom-0.5, d.width-left, 1, "")
	d.height = bottom + smallSize + 4 + gap
}

// tickStep is the step of a scale of whole things up to hi: 1, 2 or 5 and zeros,
// at most five of them.
func tickStep(hi float64) float64 {
	for unit := 1.0; ; unit *= 10 {
		for _, step := range []float64{unit, 2 * unit, 5 * unit} {
			if hi/step <= 5 {
				return step
			}
		}
	}
}

// matrix has a row for each label and a field for each series.
func (d *drawing) matrix(c *Chart) {
	most := 0.0
	titles := make([]string, len(c.Series))
	for n := range c.Series {
		titles[n] = c.Series[n].Title
		for i := range c.Labels {
			v, _ := c.Series[n].number(i)
			most = math.Max(most, v)
		}
	}
	labels := d.widest(c.Labels, textSize, d.width*0.36)
	left := labels + gap
	w := math.Min((d.width-left)/float64(len(c.Series)), math.Max(80, d.widest(titles, smallSize, d.width)+gap))
	lines := 1
	for n := range c.Series {
		words := d.measure.wrap(oneLine(titles[n]), smallSize, w-4)
		lines = max(lines, len(words))
		for i, part := range words {
			d.write(ink, left+(float64(n)+0.5)*w, d.height+float64(i+1)*textSize, smallSize, w-4, toMiddle, part)
		}
	}
	d.height += float64(lines)*textSize + 5
	for i, label := range c.Labels {
		y := d.height
		d.write(ink, labels, y+field/2+textSize*0.36, textSize, labels, toRight, label)
		for n := range c.Series {
			s := &c.Series[n]
			x, v := left+float64(n)*w, 0.0
			if v, _ = s.number(i); v > 0 {
				// Not stronger than that text can be read on it, light and dark.
				d.shapes = append(d.shapes, shape{colour: s.Colour, x: x + 1, y: y + 1, w: w - 2, h: field - 2, opacity: 0.08 + 0.42*v/most, hint: c.hint(n, i)})
			} else {
				d.rect(line, x+1, y+field-2, w-2, 1, c.hint(n, i))
			}
			d.write(ink, x+w/2, y+field/2+textSize*0.36, textSize, w-4, toMiddle, c.show(s, i))
		}
		d.height += field
	}
}

// wrap puts a text into lines of that width; a word that is wider stands alone.
func (m *measure) wrap(text string, size, width float64) []string {
	var lines []string
	for _, word := range strings.Split(text, " ") { // not at no-break spaces
		if n := len(lines); n > 0 && m.width(lines[n-1]+" "+word, size) <= width {
			lines[n-1] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}

// fit cuts a text to a width.
func (m *measure) fit(text string, size, width float64) string {
	if m.width(text, size) <= width {
		return text
	}
	letters := []rune(text)
	lo, hi := 0, len(letters)
	for lo < hi {
		if mid := (lo + hi + 1) / 2; m.width(string(letters[:mid])+"…", size) <= width {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	return strings.TrimRight(string(letters[:lo]), " ") + "…"
}
