package mailsync

import (
	"context"
	"errors"
	"fmt"
	"html"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"

	"intouch/store"
)

// Bounds of what is fetched of a letter that somebody wants to see as it is.
const (
	originalTime    = 25 * time.Second // until it is there, login included
	originalsAtOnce = 4
	maxPictures     = 30
	maxPicture      = 1 << 20 // bytes of one, still transfer-encoded
	maxPicturesSize = 4 << 20 // of all
)

// Original fetches a letter from the first place where it is. Nothing of it is
// kept: it belongs to the mailbox. store.ErrNoOriginal; else the fault of the last
// place that could not be asked.
func (sy *Syncer) Original(ctx context.Context, places []store.LetterPlace) (store.Original, error) {
	ctx, cancel := context.WithTimeout(ctx, originalTime)
	defer cancel()
	select {
	case sy.originals <- struct{}{}:
		defer func() { <-sy.originals }()
	case <-ctx.Done():
		return store.Original{}, ctx.Err()
	}
	fault := store.ErrNoOriginal
	for _, p := range places {
		i := slices.IndexFunc(sy.boxes, func(m *mailbox) bool { return m.cfg.Name == p.Mailbox })
		// In a dropbox lies what a manager forwarded, not the letter itself.
		if i < 0 || sy.boxes[i].cfg.SubjectOnly || sy.boxes[i].cfg.Dropbox != "" {
			continue
		}
		found, err := sy.boxes[i].original(ctx, p)
		switch {
		case err == nil:
			return found, nil
		case !errors.Is(err, store.ErrNoOriginal):
			fault = fmt.Errorf("mailbox %s: %w", p.Mailbox, err)
		}
	}
	return store.Original{}, fault
}

// original fetches the letter from one place, over a connection of its own: the
// others follow their folders.
func (m *mailbox) original(ctx context.Context, p store.LetterPlace) (found store.Original, err error) {
	defer recovered(&err)
	s, err := m.open(ctx)
	if err != nil {
		return store.Original{}, err
	}
	defer s.Close()
	data, err := s.examine(p.Folder)
	var refused *imap.Error
	if errors.As(err, &refused) {
		return store.Original{}, store.ErrNoOriginal
	} else if err != nil {
		return store.Original{}, err
	}
	uid := p.UID
	if data.UIDValidity != p.UIDValidity || data.UIDValidity == 0 {
		if uid, err = s.find(p.MessageID); err != nil {
			return store.Original{}, err
		}
	}
	got, _, err := s.envelopes([]uint32{uid}, withStructure, maxHeader)
	if err != nil {
		return store.Original{}, err
	} else if len(got) == 0 || got[0].Root == nil {
		return store.Original{}, store.ErrNoOriginal
	}
	root := got[0].Root
	texts, pictures := originalParts(root)
	bodies, err := s.sections(uid, slices.Concat(texts, pictures))
	if err != nil {
		return store.Original{}, err
	}
	return layOut(texts, pictures, bodies), nil
}

// find gives the letter of the examined folder with that Message-ID.
func (s *session) find(messageID string) (uint32, error) {
	if messageID == "" {
		return 0, store.ErrNoOriginal
	}
	set, err := s.uidSearch(&imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: "Message-Id", Value: messageID}}})
	if err != nil {
		return 0, err
	} else if len(set) == 0 {
		return 0, store.ErrNoOriginal
	}
	return uint32(set[len(set)-1].Stop), nil
}

// sections fetches parts of one letter, whole as far as they may be long.
func (s *session) sections(uid uint32, parts []*Part) (bodies map[string][]byte, err error) {
	opt := &imap.FetchOptions{UID: true}
	for _, p := range parts {
		opt.BodySection = append(opt.BodySection, &imap.FetchItemBodySection{
			Part: p.Path, Partial: &imap.SectionPartial{Offset: 0, Size: MaxPartBytes}, Peek: true})
	}
	if len(parts) == 0 {
		return nil, nil
	}
	err = s.do("fetch a letter", func() error {
		return collectTexts(s.client.Fetch(uidSet([]uint32{uid}), opt), MaxPartBytes, func(_ uint32, got map[string][]byte) { bodies = got })
	})
	return bodies, err
}

// originalParts are the parts that make a letter as it looks: of each stretch
// the HTML where it has some, and the pictures that came with it.
func originalParts(root *Part) (texts, pictures []*Part) {
	size := int64(0)
	for _, r := range readings(root) {
		parts := r.html
		if len(parts) == 0 {
			parts = r.plain
		}
		for _, p := range parts {
			if size += p.Size; len(texts) < maxTextParts && size <= maxTextBytes {
				texts = append(texts, p)
			}
		}
	}
	size = 0
	walkParts(root, func(p *Part) bool {
		if p.ID != "" && p.Size <= maxPicture && len(pictures) < maxPictures && size+p.Size <= maxPicturesSize {
			size += p.Size
			pictures = append(pictures, p)
		}
		return true
	})
	return texts, pictures
}

// layOut puts the parts together, in their order.
func layOut(texts, pictures []*Part, bodies map[string][]byte) store.Original {
	o := store.Original{Pictures: map[string][]byte{}}
	var b strings.Builder
	for _, p := range texts {
		text := decodeBody(p, bodies[p.Section()])
		if p.Type != "text/html" && p.Type != "application/xhtml+xml" {
			text = "<pre>" + html.EscapeString(text) + "</pre>"
		}
		b.WriteString(text)
	}
	o.HTML = b.String()
	for _, p := range pictures {
		body := decodeTransfer(p.Encoding, bodies[p.Section()])
		if isPicture(body) {
			o.Pictures[p.ID] = body
		}
	}
	return o
}

// isPicture reports whether browsers show that as a picture.
func isPicture(b []byte) bool {
	switch http.DetectContentType(b) {
	case "image/png", "image/jpeg", "image/gif", "image/webp":
		return true
	}
	return false
}

// contentID of a picture (RFC 2045 section 7), "" of anything else: the parts of
// a whole batch are held at once.
func contentID(mediaType, id string) string {
	if !strings.HasPrefix(mediaType, "image/") || len(id) > 250 {
		return ""
	}
	return strings.Clone(strings.Trim(strings.TrimSpace(id), "<>"))
}
