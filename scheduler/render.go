package scheduler

import (
	_ "embed"
	"fmt"
	"html/template"
	"strings"
	"unicode/utf8"
)

//go:embed page.html
var pageHTML string

// Outlook lays mails out with Word: it knows no max-width, so that a table of
// fixed width stands around the page for it alone. html/template drops
// comments, hence constants that it takes as they are.
const (
	outlookOpen  template.HTML = `<!--[if mso]><table role="presentation" width="640" align="center" cellpadding="0" cellspacing="0" border="0"><tr><td><![endif]-->`
	outlookClose template.HTML = `<!--[if mso]></td></tr></table><![endif]-->`
)

// The same for a page that is wide.
const outlookWide template.HTML = `<!--[if mso]><table role="presentation" width="1000" align="center" cellpadding="0" cellspacing="0" border="0"><tr><td><![endif]-->`

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"outlookOpen":  func() template.HTML { return outlookOpen },
	"outlookWide":  func() template.HTML { return outlookWide },
	"outlookClose": func() template.HTML { return outlookClose },
}).Parse(pageHTML))

// html is the page for mail programs: tables and inline styles, no script, no
// picture but those that the mail brings along, nothing loaded from anywhere.
func (p *page) html() (string, error) {
	var b strings.Builder
	if err := pageTemplate.Execute(&b, p); err != nil {
		return "", err
	}
	return b.String(), nil
}

// text is the page as plain text that reads well alone: links stand on lines
// of their own, figures in columns.
func (p *page) text() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("%s", p.Title)
	if len(p.Summary) > 0 {
		line("%s", strings.Join(p.Summary, ", "))
	}
	for _, s := range p.Sections {
		line("\n%s: %s", strings.ToUpper(s.Title), s.Count)
		for _, r := range s.Rows {
			high := ""
			if r.High != "" {
				high = " (" + r.High + ")"
			}
			mark := "*"
			if r.No > 0 {
				mark = fmt.Sprintf("%d.", r.No)
			}
			line("%s %s%s  %s", mark, r.When, high, r.Title.Text)
			var meta []string
			for _, m := range r.Meta {
				meta = append(meta, m.Text)
			}
			if len(meta) > 0 {
				line("  %s", strings.Join(meta, ", "))
			}
			for _, f := range r.Facts {
				line("  %s", f)
			}
			if r.Title.URL != "" {
				line("  %s", r.Title.URL)
			}
			if n := len(r.Acts); n > 0 { // the page of one has the others too
				line("  %s: %s", r.Acts[n-1].Text, r.Acts[n-1].URL)
			}
		}
		if s.More != "" {
			line("  %s", s.More)
		}
	}
	for _, a := range p.Advice {
		line("\n%s", a)
	}
	for _, t := range p.Reply {
		line("\n%s", t)
	}
	for _, f := range p.Figures {
		line("")
		b.WriteString(f.text())
	}
	for _, t := range p.Tables {
		line("\n%s", t.Text)
		if t.Title.URL != "" {
			line("%s", t.Title.URL)
		}
	}
	for _, n := range p.Notes {
		line("%s", n)
	}
	if p.Open.URL != "" {
		line("\n%s: %s", p.Open.Text, p.Open.URL)
	}
	line("\n-- ") // signature mark: the rest is the same in each mail
	for _, w := range p.Why {
		line("%s", w)
	}
	for _, l := range []link{p.Stop, p.Settings} {
		if l.URL != "" {
			line("%s: %s", l.Text, l.URL)
		}
	}
	return b.String()
}

// text sets the table in columns, names left, values right.
func (f figures) text() string {
	width := [4]int{}
	lines := []figure{{f.Title, f.Columns}}
	lines = append(lines, f.Rows...)
	for _, l := range lines {
		width[0] = max(width[0], utf8.RuneCountInString(l.Name))
		for i, v := range l.Values {
			width[i+1] = max(width[i+1], utf8.RuneCountInString(v))
		}
	}
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&b, "%-*s  %*s  %*s  %*s\n", width[0], l.Name, width[1], l.Values[0], width[2], l.Values[1], width[3], l.Values[2])
	}
	return b.String()
}
