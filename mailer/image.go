package mailer

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
)

// Image is a picture within the mail: HTML shows it at the address Image.URL.
// What it says stands in the text too, since many programs show no pictures
// before they are asked to.
type Image struct {
	ID   string // ImageID makes one
	PNG  []byte
	Name string // of the file, for those who save it: "managers.png"
}

// URL is where HTML finds the picture (RFC 2392).
func (i *Image) URL() string { return "cid:" + i.ID }

// ImageID makes the Content-ID, without brackets, of the n-th picture of the
// mail with that Message-ID: as unique as the mail's own (RFC 2392 section 2).
func ImageID(messageID string, n int) string {
	left, right, _ := strings.Cut(strings.Trim(messageID, "<>"), "@")
	return fmt.Sprintf("%s.%d@%s", left, n, right)
}

// Bounds of pictures: a mail is to pass everywhere, and to load on a phone.
const (
	MaxImages    = 10
	MaxImage     = 512 << 10 // bytes of one
	MaxAllImages = 2 << 20   // bytes of all
)

// checkImages wants pictures that HTML shows, that are PNG and within bounds.
func checkImages(m *Message) error {
	if len(m.Images) > MaxImages {
		return fmt.Errorf("%d pictures are more than %d", len(m.Images), MaxImages)
	}
	all, seen := 0, map[string]bool{}
	for i, image := range m.Images {
		if err := checkMessageID("<" + image.ID + ">"); err != nil {
			return fmt.Errorf("picture %d: %q is not a Content-ID", i+1, OneLine(image.ID, 80))
		}
		if !safeName.MatchString(image.Name) {
			return fmt.Errorf("picture %d: %q is not the name of a file", i+1, OneLine(image.Name, 80))
		}
		switch all += len(image.PNG); {
		case seen[image.ID]:
			return fmt.Errorf("picture %d has the Content-ID of another one", i+1)
		case !bytes.HasPrefix(image.PNG, []byte("\x89PNG\r\n\x1a\n")):
			return fmt.Errorf("picture %d is no PNG", i+1)
		case len(image.PNG) > MaxImage || all > MaxAllImages:
			return fmt.Errorf("picture %d: %d bytes, %d with those before it, are more than %d and %d", i+1, len(image.PNG), all, MaxImage, MaxAllImages)
		case !strings.Contains(m.HTML, image.URL()):
			return fmt.Errorf("picture %d is not shown by the page", i+1)
		}
		seen[image.ID] = true
	}
	return nil
}

// safeName is a file's name that needs no encoding in a header.
var safeName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,79}$`)
