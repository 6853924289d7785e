package web

import (
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/microcosm-cc/bluemonday"

	"intouch/store"
)

// originalPolicy is of a letter in its frame: it shows pictures that stand in
// itself and its own styles, loads nothing, runs nothing, sends nothing, and is
// of no origin (sandbox), should the sanitiser have overlooked something. Only
// a page of ours may frame it.
const originalPolicy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'; " +
	"sandbox allow-popups allow-popups-to-escape-sandbox"

// original is the letter as it looked, fetched from the mailbox: what the frame
// on a contact's page shows.
func (s *server) original(v *visit) error {
	id, err := v.number("id")
	if err != nil {
		return err
	}
	if s.opt.Original == nil {
		return store.ErrNotFound
	}
	places, err := s.st.LetterPlaces(v.ctx, v.who, id)
	if err != nil {
		return err
	}
	code, body := http.StatusOK, ""
	letter, err := s.opt.Original(v.ctx, places)
	switch {
	case err == nil:
		body = showOriginal(v.say, letter)
	case errors.Is(err, store.ErrNoOriginal):
		code, body = http.StatusNotFound, note(v.say.t("original.gone"))
	case v.ctx.Err() != nil: // the browser went away
		return nil
	default:
		s.log.Warn("a letter cannot be shown as it looked", "request", v.id, "contact", id, "err", err)
		code, body = http.StatusBadGateway, note(v.say.t("original.away"))
	}
	h := v.w.Header()
	h.Set("Content-Security-Policy", originalPolicy)
	h.Set("X-Frame-Options", "SAMEORIGIN")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(code)
	_, err = fmt.Fprintf(v.w, "<!doctype html>\n<html lang=%q>\n<head><meta charset=\"utf-8\"><meta name=\"color-scheme\" content=\"light\"><title>%s</title><style>%s</style></head>\n<body>%s</body></html>\n",
		string(v.say.lang), html.EscapeString(v.say.t("contact.original")), originalStyle, body)
	if err != nil {
		s.log.Debug("page not delivered", "request", v.id, "err", err)
	}
	return nil
}

// originalStyle is what a letter looks like that says nothing of it. Letters are
// made for a light ground.
const originalStyle = "body{margin:8px;background:#fff;color:#111;font:15px/1.45 sans-serif;overflow-wrap:anywhere}img{max-width:100%;height:auto}pre{white-space:pre-wrap;font:inherit}.note{color:#555;font-size:13px}"

func note(text string) string { return `<p class="note">` + html.EscapeString(text) + "</p>" }

// showOriginal makes a stranger's letter harmless: what is not known to be is
// left out.
func showOriginal(say voice, letter store.Original) string {
	blocked := 0
	policy := letterPolicy()
	policy.RewriteSrc(func(u *url.URL) {
		switch u.Scheme {
		case "data": // the policy has let it pass
			return
		case "cid":
			id, err := url.PathUnescape(u.Opaque)
			if picture := letter.Pictures[id]; err == nil && picture != nil {
				*u = url.URL{Scheme: "data", Opaque: http.DetectContentType(picture) + ";base64," + base64.StdEncoding.EncodeToString(picture)}
				return
			}
		default:
			blocked++
		}
		*u = url.URL{} // then the picture's own words are shown
	})
	body := policy.Sanitize(letter.HTML)
	if strings.TrimSpace(body) == "" {
		body = note(say.t("original.empty"))
	}
	if blocked > 0 {
		body = note(say.t("original.blocked", blocked)) + body
	}
	return body
}

var (
	lengths = regexp.MustCompile(`^\d{1,4}%?$`)
	colours = regexp.MustCompile(`^(#[0-9a-fA-F]{3,8}|[a-zA-Z]{3,20})$`)
	fonts   = regexp.MustCompile(`^[\p{L}\d ,'-]{1,100}$`)
	sizes   = regexp.MustCompile(`^[+-]?[1-7]$`)
)

// letterPolicy lets pass what lays a letter out, links and pictures. What may
// stand in a style is checked property by property, and none can load anything
// or leave its place.
func letterPolicy() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements("p", "div", "br", "hr", "b", "strong", "i", "em", "u", "s", "strike", "del", "ins", "sub", "sup", "small", "big", "center", "tt",
		"h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "code", "samp", "kbd", "address", "abbr", "cite", "q", "wbr",
		"article", "section", "header", "footer", "figure", "figcaption")
	p.AllowNoAttrs().OnElements("span", "font", "a")
	p.AllowLists()
	p.AllowTables()
	p.AllowAttrs("border", "cellpadding", "cellspacing", "width").Matching(lengths).OnElements("table")
	p.AllowAttrs("width", "height").Matching(lengths).OnElements("tr", "tbody", "img")
	p.AllowAttrs("align").Matching(bluemonday.CellAlign).OnElements("table", "p", "div", "h1", "h2", "h3", "h4")
	p.AllowAttrs("bgcolor").Matching(colours).OnElements("table", "tbody", "tr", "td", "th")
	p.AllowAttrs("color").Matching(colours).OnElements("font")
	p.AllowAttrs("face").Matching(fonts).OnElements("font")
	p.AllowAttrs("size").Matching(sizes).OnElements("font")
	p.AllowAttrs("dir").Matching(bluemonday.Direction).Globally()
	p.AllowAttrs("href").OnElements("a")
	p.AllowAttrs("src").OnElements("img")
	p.AllowAttrs("alt").OnElements("img")
	p.AllowURLSchemes("http", "https", "mailto", "tel", "cid")
	p.AllowDataURIImages()
	p.RequireNoFollowOnLinks(true)
	p.RequireNoReferrerOnLinks(true)
	p.AddTargetBlankToFullyQualifiedLinks(true)
	p.AllowStyles("color", "background-color", "font-family", "font-size", "font-style", "font-weight", "line-height", "text-align", "text-decoration",
		"text-indent", "text-transform", "vertical-align", "white-space", "width", "max-width", "height",
		"margin", "margin-top", "margin-right", "margin-bottom", "margin-left", "padding", "padding-top", "padding-right", "padding-bottom", "padding-left",
		"border", "border-top", "border-right", "border-bottom", "border-left", "border-collapse", "border-color", "border-radius", "border-spacing",
		"border-style", "border-width", "list-style-type").Globally()
	return p
}
