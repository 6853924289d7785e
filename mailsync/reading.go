package mailsync

import (
	"slices"
	"strings"
)

// reading is one stretch of a letter's text: in one of two forms where the
// letter has both.
type reading struct{ plain, html []*Part }

// readings tells how to read the letter from top to bottom. Attachments and
// other people's letters (message/rfc822) are not part of it. A text part with
// a file name is a file, unless the letter has no other text.
func readings(root *Part) []reading {
	left := MaxParts
	r := collectReadings(root, 0, &left, false)
	if len(r) == 0 {
		left = MaxParts
		r = collectReadings(root, 0, &left, true)
	}
	return r
}

func collectReadings(p *Part, depth int, left *int, named bool) []reading {
	if p == nil || depth > MaxDepth || *left <= 0 {
		return nil
	}
	*left--
	if !p.multipart() {
		switch {
		case p.Disposition == "attachment", p.Name != "" && !named:
		case p.Type == "text/plain", p.Type == "text/enriched", p.Type == "text":
			return []reading{{plain: []*Part{p}}}
		case p.Type == "text/html", p.Type == "application/xhtml+xml":
			return []reading{{html: []*Part{p}}}
		}
		return nil
	}
	var out []reading
	switch strings.TrimPrefix(p.Type, "multipart/") {
	case "alternative":
		var both reading
		for _, c := range p.Children {
			r := collectReadings(c, depth+1, left, named)
			parts, html := flatten(r)
			switch {
			case len(parts) == 0:
			case html:
				both.html = parts
			case both.plain == nil:
				both.plain = parts
			}
		}
		if both.plain != nil || both.html != nil {
			out = append(out, both)
		}
	case "related", "signed", "report": // the first part is what people read
		for _, c := range p.Children {
			if out = collectReadings(c, depth+1, left, named); len(out) > 0 {
				break
			}
		}
	case "encrypted":
	default:
		for _, c := range p.Children {
			out = append(out, collectReadings(c, depth+1, left, named)...)
		}
	}
	return out
}

// flatten lists the parts of readings, preferring HTML, and tells whether
// there is any.
func flatten(rs []reading) (parts []*Part, html bool) {
	for _, r := range rs {
		if r.html != nil {
			parts, html = append(parts, r.html...), true
		} else {
			parts = append(parts, r.plain...)
		}
	}
	return parts, html
}

func sizeOf(parts []*Part) (n int64) {
	for _, p := range parts {
		n += p.Size
	}
	return n
}

// choices are the forms of a reading to fetch: the plain one, and the HTML too
// where the plain one is so small beside it that it may only say "your program
// cannot show HTML".
func (r reading) choices() []*Part {
	switch {
	case r.plain == nil:
		return r.html
	case r.html == nil || sizeOf(r.plain) > 400 || sizeOf(r.html) < 8*sizeOf(r.plain):
		return r.plain
	}
	return slices.Concat(r.plain, r.html)
}

// TextParts are the parts to fetch to read the letter, in order; never an
// attachment. Of each, no more than MaxPartBytes are wanted.
func TextParts(root *Part) []*Part {
	var out []*Part
	total := int64(0)
	for _, r := range readings(root) {
		for _, p := range r.choices() {
			if len(out) == maxTextParts || total > maxTextBytes {
				return out
			}
			total += min(p.Size, MaxPartBytes)
			out = append(out, p)
		}
	}
	return out
}
