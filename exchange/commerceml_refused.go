package exchange

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// RefusedPapers writes refused papers as CommerceML that can be mended and
// imported again: the root as it came, and each paper as it stood, after a
// comment that says where and why. Nothing is written until one is refused.
type RefusedPapers struct {
	w     io.Writer
	root  xml.StartElement // of the file that is read
	begun bool
}

// NewRefusedPapers writes to w; Close ends the document, the caller closes w.
func NewRefusedPapers(w io.Writer) *RefusedPapers { return &RefusedPapers{w: w} }

func (rp *RefusedPapers) add(p *paper, f RowFault) error {
	var b bytes.Buffer
	if !rp.begun {
		rp.begun = true
		b.WriteString(xml.Header + "<КоммерческаяИнформация")
		for _, a := range rp.root.Attr {
			name := a.Name.Local
			if a.Name.Space == "xmlns" {
				name = "xmlns:" + name
			} else if a.Name.Space != "" {
				continue
			}
			fmt.Fprintf(&b, ` %s="`, name)
			xml.EscapeText(&b, []byte(a.Value)) // a Buffer takes all
			b.WriteString(`"`)
		}
		b.WriteString(">\n")
	}
	fmt.Fprintf(&b, "<!-- %s -->\n", strings.ReplaceAll(clean(f.String()), "--", "- -"))
	if p.box != "" {
		fmt.Fprintf(&b, "<%s>%s</%s>\n", p.box, p.raw, p.box)
	} else {
		fmt.Fprintf(&b, "%s\n", p.raw)
	}
	_, err := rp.w.Write(b.Bytes())
	return err
}

// Close ends the document, if there is one.
func (rp *RefusedPapers) Close() error {
	if !rp.begun {
		return nil
	}
	rp.begun = false
	_, err := io.WriteString(rp.w, "</КоммерческаяИнформация>\n")
	return err
}
