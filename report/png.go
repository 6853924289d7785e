package report

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
	"golang.org/x/text/unicode/bidi"
)

// PNGWidth is how wide a chart in a mail is shown, in pixels of a page: a phone
// shrinks it to two thirds, which can still be read.
const PNGWidth = 460

// dense is how many pixels of the picture are one of the page.
const dense = 2

// WritePNG writes the chart of the report as a file. *Invalid: it has none.
func (t *Table) WritePNG(w io.Writer) error {
	c := t.Chart()
	if c == nil {
		return t.noChart()
	}
	picture, err := c.PNG()
	if err != nil {
		return err
	}
	_, err = w.Write(picture)
	return err
}

// PNG is the chart as a picture for a mail, on white.
func (c *Chart) PNG() ([]byte, error) {
	d, err := c.draw(PNGWidth)
	if err != nil {
		return nil, err
	}
	to := image.NewRGBA(image.Rect(0, 0, int(d.width)*dense, int(d.height)*dense))
	for i := range d.shapes {
		if err := d.shapes[i].paint(to, d.measure); err != nil {
			return nil, err
		}
	}
	colours, err := shades()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&b, inColours(to, colours)); err != nil {
		return nil, fmt.Errorf("write the chart as PNG: %w", err)
	}
	return b.Bytes(), nil
}

// shades are the colours of pictures, each in steps to white: the edges of
// letters need them.
var shades = sync.OnceValues(func() (color.Palette, error) {
	const steps = 16
	all := color.Palette{color.White}
	for _, name := range slices.Sorted(maps.Keys(light)) {
		c, err := rgb(light[name])
		if err != nil {
			return nil, err
		}
		for i := range steps {
			mix := func(of uint8) uint8 { return uint8((int(of)*(steps-i) + 255*i) / steps) }
			all = append(all, color.NRGBA{R: mix(c.R), G: mix(c.G), B: mix(c.B), A: 255})
		}
	}
	return all[:min(len(all), 256)], nil
})

// inColours is the picture in a fourth of its bytes, one for each pixel.
func inColours(from *image.RGBA, colours color.Palette) *image.Paletted {
	to := image.NewPaletted(from.Bounds(), colours)
	nearest := map[[4]uint8]uint8{}
	for i := range to.Pix {
		of := [4]uint8(from.Pix[4*i : 4*i+4])
		at, ok := nearest[of]
		if !ok {
			at = uint8(to.Palette.Index(color.RGBA{R: of[0], G: of[1], B: of[2], A: of[3]}))
			nearest[of] = at
		}
		to.Pix[i] = at
	}
	return to
}

func (s *shape) paint(to *image.RGBA, m *measure) error {
	c, err := rgb(light[s.colour])
	if err != nil {
		return err
	}
	if s.text == "" {
		c.A = uint8(s.opacity*255 + 0.5)
		at := func(n float64) int { return int(math.Round(n * dense)) }
		area := image.Rect(at(s.x), at(s.y), at(s.x+s.w), at(s.y+s.h))
		draw.Draw(to, area, image.NewUniform(c), image.Point{}, draw.Over)
		return nil
	}
	face, err := m.face(s.size * dense)
	if err != nil {
		return err
	}
	text := visual(s.text)
	x := fixed.Int26_6(s.x * dense * 64)
	switch w := font.MeasureString(face, text); s.align {
	case toRight:
		x -= w
	case toMiddle:
		x -= w / 2
	}
	pen := font.Drawer{Dst: to, Src: image.NewUniform(c), Face: face, Dot: fixed.Point26_6{X: x, Y: fixed.Int26_6(s.y * dense * 64)}}
	pen.DrawString(text)
	return nil
}

// visual is a text in the order that its letters stand on paper: what is
// written from right to left is turned.
func visual(text string) string {
	var p bidi.Paragraph
	if _, err := p.SetString(text, bidi.DefaultDirection(bidi.LeftToRight)); err != nil {
		return text
	}
	order, err := p.Order()
	if err != nil {
		return text
	}
	out := ""
	for i := range order.NumRuns() {
		run := order.Run(i)
		if run.Direction() == bidi.RightToLeft {
			out += bidi.ReverseString(run.String())
		} else {
			out += run.String()
		}
	}
	return out
}

// rgb reads "#1565C0".
func rgb(s string) (color.NRGBA, error) {
	n, err := strconv.ParseUint(s[min(1, len(s)):], 16, 24)
	if err != nil {
		return color.NRGBA{}, fmt.Errorf("%q is no colour: %w", s, err)
	}
	return color.NRGBA{R: uint8(n >> 16), G: uint8(n >> 8), B: uint8(n), A: 255}, nil
}

//go:embed dejavusans.ttf.gz
var dejaVuSans []byte // of github.com/go-fonts/dejavu, which has it in double the size

// sans is the font of pictures: it has Cyrillic, the signs of currencies, and
// Hebrew and Arabic letters. Others are drawn as empty boxes.
var sans = sync.OnceValues(func() (*opentype.Font, error) {
	r, err := gzip.NewReader(bytes.NewReader(dejaVuSans))
	if err != nil {
		return nil, err
	}
	ttf, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return opentype.Parse(ttf)
})

// measure knows how wide letters are. Browsers have other fonts, mostly
// narrower ones.
type measure struct {
	font  *opentype.Font
	faces map[float64]font.Face // by size in pixels; no face serves two at once
}

func newMeasure() (*measure, error) {
	f, err := sans()
	if err != nil {
		return nil, fmt.Errorf("read the font of charts: %w", err)
	}
	m := &measure{font: f, faces: map[float64]font.Face{}}
	_, err = m.face(measured)
	return m, err
}

func (m *measure) face(size float64) (font.Face, error) {
	if f := m.faces[size]; f != nil {
		return f, nil
	}
	f, err := opentype.NewFace(m.font, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingNone})
	if err != nil {
		return nil, fmt.Errorf("make the letters of charts: %w", err)
	}
	m.faces[size] = f
	return f, nil
}

// measured is the size that letters are measured at.
const measured = 64

func (m *measure) width(text string, size float64) float64 {
	return float64(font.MeasureString(m.faces[measured], text)) / 64 * size / measured
}
