package mailsync

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
)

const maxLink = 200 // bytes of a link's address that are shown

// link adds a link's address where its text does not already say it.
func (r *htmlReader) link(e *element) {
	b := r.block()
	if e.fromAt != len(b.lines) || e.from >= len(b.cur) {
		return // nothing visible in it, or a block
	}
	text := strings.TrimSpace(string(b.cur[e.from:]))
	href := strings.TrimSpace(e.href)
	low := strings.ToLower(href)
	switch {
	case strings.HasPrefix(low, "mailto:"):
		href, _, _ = strings.Cut(href[len("mailto:"):], "?")
	case !strings.HasPrefix(low, "http://") && !strings.HasPrefix(low, "https://"):
		return
	}
	if len(href) > maxLink { // a tracker's
		href, _, _ = strings.Cut(href, "?")
	}
	bare := func(s string) string {
		s = strings.ToLower(s)
		s = strings.TrimPrefix(strings.TrimPrefix(s, "https://"), "http://")
		return strings.TrimSuffix(strings.TrimPrefix(s, "www."), "/")
	}
	if len(href) > maxLink || strings.ContainsAny(href, " <>\n\x00") || href == "" || strings.Contains(bare(text), bare(href)) {
		return
	}
	b.cur = append(append(append(b.cur, " <"...), href...), '>')
}

var (
	hiddenStyle = regexp.MustCompile(`display:none|visibility:hidden|mso-hide:all|max-height:0(?:px|pt|em)?(?:;|!|$)|opacity:0(?:\.0+)?(?:;|!|$)`)
	fontSize    = regexp.MustCompile(`(?:^|;)font-size:([0-9.]+)(px|pt|;|!|$)?`)
	noMargin    = regexp.MustCompile(`(?:^|;)margin(?:-top|-bottom)?:0`)
	metaElement = regexp.MustCompile(`(?i)<meta[^>]{1,200}charset\s*=\s*["']?([a-z0-9_:.-]{2,30})`)
)

// applyStyle takes from an inline style what hides text and what sets
// paragraphs apart. Mailings hide their preheader this way. font-size:0 alone
// does not hide: templates put it around cells that set a size again.
func applyStyle(e *element, style string) {
	s := strings.Map(func(c rune) rune {
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			return -1
		case c >= 'A' && c <= 'Z':
			return c + 'a' - 'A'
		}
		return c
	}, style)
	// Most styles need no expression.
	if (strings.Contains(s, "hid") || strings.Contains(s, "none") || strings.Contains(s, "max-h") || strings.Contains(s, "opac")) && hiddenStyle.MatchString(s) {
		e.hidden = true
	}
	if strings.Contains(s, "font-size:") {
		if m := fontSize.FindStringSubmatch(s); m != nil {
			n, err := strconv.ParseFloat(m[1], 64)
			e.tiny = err == nil && (n == 0 || n < 2 && m[2] != "") // 1em is a size
		}
	}
	e.indent = e.name == "blockquote" && strings.Contains(s, "border:none")
	if e.name == "p" && strings.Contains(s, "margin") && noMargin.MatchString(s) {
		e.tight = true
	}
}

// metaCharset is the charset that an HTML document claims for itself.
func metaCharset(b []byte) string {
	if m := metaElement.FindSubmatch(b[:min(len(b), 2048)]); m != nil {
		return string(bytes.ToLower(m[1]))
	}
	return ""
}
