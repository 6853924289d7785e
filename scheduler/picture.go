package scheduler

import (
	"fmt"
	"html/template"

	"intouch/mailer"
	"intouch/report"
	"intouch/store"
)

// picture is a chart as a mail shows it.
type picture struct {
	mailer.Image
	Alt   string // its title: the figures stand below
	Width int    // in pixels of a page
}

// Src is the address of the picture within the mail.
func (p picture) Src() template.URL { return template.URL(p.URL()) }

// draw makes pictures of the page's charts for the mail with that Message-ID.
func (p *page) draw(messageID string) ([]picture, error) {
	var all []picture
	for i, c := range p.Charts {
		png, err := c.PNG()
		if err != nil {
			return nil, fmt.Errorf("draw the chart %s: %w", c.Name, err)
		}
		all = append(all, picture{mailer.Image{ID: mailer.ImageID(messageID, i+1), PNG: png, Name: c.Name + ".png"}, c.Title, report.PNGWidth})
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
