package scheduler

import (
	"fmt"
	"html/template"

	"intouch/mailer"
	"intouch/report"
	"intouch/store"
)

// picture is a chart as a page shows it; what it says stands in words below.
// Without ID the mail has no room for it.
type picture struct {
	Chart *report.Chart
	mailer.Image
}

// pictureOf is the picture of a chart, of a report say; nil where there is none.
func pictureOf(c *report.Chart) *picture {
	if c == nil {
		return nil
	}
	return &picture{Chart: c}
}

// Src is the address of the picture within the mail.
func (p *picture) Src() template.URL { return template.URL(p.URL()) }

// Width is how wide it is shown, in pixels of a page.
func (p *picture) Width() int { return report.PNGWidth }

// draw draws the page's pictures for the mail with that Message-ID, as many as a
// mail may have.
func (p *page) draw(messageID string) ([]mailer.Image, error) {
	shown := []*picture{p.Chart}
	for _, t := range p.Tables {
		shown = append(shown, t.Chart)
	}
	var all []mailer.Image
	size := 0
	for _, one := range shown {
		if one == nil || len(all) == mailer.MaxImages {
			continue
		}
		png, err := one.Chart.PNG()
		if err != nil {
			return nil, fmt.Errorf("draw the chart %s: %w", one.Chart.Name, err)
		}
		if len(png) > mailer.MaxImage || size+len(png) > mailer.MaxAllImages {
			continue
		}
		size += len(png)
		one.Image = mailer.Image{ID: mailer.ImageID(messageID, len(all)+1), PNG: png, Name: one.Chart.Name + ".png"}
		all = append(all, one.Image)
	}
	return all, nil
}

// chart shows the contacts of a stretch of days beside those of the two that it
// is compared with, by kind. nil: there were none.
func (w *writer) chart(title string, p Period) *report.Chart {
	c := &report.Chart{Name: "contacts", Title: w.t("contacts") + ": " + w.t(title), Shape: report.Bars, Lang: w.lang}
	for i, d := range []days{p.Now, p.Before, p.YearAgo} {
		c.Series = append(c.Series, report.Series{Title: w.stretch(d), Type: report.Count, Colour: [3]report.Colour{"first", "second", "none"}[i]})
	}
	for _, kind := range []struct {
		key string
		of  func(*store.Figures) int64
	}{
		{"letters in", func(f *store.Figures) int64 { return f.LettersIn }},
		{"letters out", func(f *store.Figures) int64 { return f.LettersOut }},
		{"calls", func(f *store.Figures) int64 { return f.Calls }},
		{"meetings", func(f *store.Figures) int64 { return f.Meetings }},
		{"others", func(f *store.Figures) int64 { return f.Others }},
	} {
		all := int64(0)
		for i := range p.Figures {
			all |= kind.of(&p.Figures[i])
		}
		if all == 0 {
			continue
		}
		c.Labels = append(c.Labels, w.t(kind.key))
		for i := range p.Figures {
			c.Series[i].Values = append(c.Series[i].Values, report.Value{N: kind.of(&p.Figures[i])})
		}
	}
	if len(c.Labels) == 0 {
		return nil
	}
	return c
}
