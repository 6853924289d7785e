package web

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"intouch/store"
)

// undoLife is how long a decision can be taken back by its notice.
const undoLife = time.Hour

// undoOffer is what the button of a notice sends, signed: it stands in the
// address of a page, and nothing is kept of it here.
type undoOffer struct {
	Manager int64
	Until   int64 // unix seconds
	Undo    store.Undo
}

// undoable is the word of a notice with what its button brings back.
func (s *server) undoable(v *visit, said string, u store.Undo) string {
	b, err := json.Marshal(undoOffer{v.who.ID, v.say.now.Add(undoLife).Unix(), u})
	if err != nil {
		return said // the decision stands, only its button is missing
	}
	text := base64.RawURLEncoding.EncodeToString(b)
	return said + "." + text + "." + base64.RawURLEncoding.EncodeToString(s.undoMAC(text))
}

func (s *server) undoMAC(text string) []byte {
	mac := hmac.New(sha256.New, s.undoKey)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// readUndo believes what this manager was offered not too long ago.
func (s *server) readUndo(v *visit, token string) (u store.Undo, ok bool) {
	text, sum, _ := strings.Cut(token, ".")
	mac, err := base64.RawURLEncoding.DecodeString(sum)
	if err != nil || !hmac.Equal(mac, s.undoMAC(text)) {
		return u, false
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return u, false
	}
	var offer undoOffer
	if err := json.Unmarshal(b, &offer); err != nil || offer.Manager != v.who.ID || v.say.now.Unix() > offer.Until {
		return u, false
	}
	return offer.Undo, true
}

// notice is what a page says above everything about the form before it.
type notice struct {
	Text string
	Undo string // what its button sends; "" it has none
	Back string
	Item string // what was planned, as it was understood
	Link string // to it
}

// notice reads the word of a redirect, "done" or "done.TOKEN". Only known
// words are shown.
func (s *server) notice(v *visit) (notice, error) {
	said, token, _ := strings.Cut(v.URL.Query().Get("said"), ".")
	if said == "" || texts["said."+said] == [2]string{} {
		return notice{}, nil
	}
	n := notice{Text: v.say.t("said." + said)}
	u, ok := s.readUndo(v, token)
	if !ok {
		return n, nil
	}
	n.Undo, n.Back = token, v.here()
	if said == "added" && !u.Item.Event {
		c, err := s.st.Contact(v.ctx, v.who, u.Item.ID)
		if errors.Is(err, store.ErrNotFound) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		n.Item, n.Link = understood(v.say, &c), here(c.ID)
	}
	return n, nil
}

// understood says a planned contact in one line: "Звонок: про договор · Ромашка
// · пт, 27 ноября, 10:00–10:30 · важность высокая".
func understood(say voice, c *store.Contact) string {
	parts := []string{store.Word(say.lang, "kind."+string(c.Kind)) + ": " + subject(say, c)}
	if name := cmp.Or(c.ClientName, c.ClientText); name != "" {
		parts = append(parts, clip(200, name))
	}
	parts = append(parts, dated(say, c.When))
	if c.Importance != store.Normal {
		parts = append(parts, say.t("item."+string(c.Importance)))
	}
	return strings.Join(parts, " · ")
}

// undo brings back what a decision replaced.
func (s *server) undo(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	u, ok := s.readUndo(v, v.PostFormValue("undo"))
	if !ok {
		return v.back("/", "undolate")
	}
	err := s.st.Undo(v.ctx, v.actor(), u)
	if errors.Is(err, store.ErrStale) {
		return v.back("/", "undostale")
	}
	return v.edited(err, "/", "undone")
}
