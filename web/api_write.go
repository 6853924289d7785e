package web

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"intouch/store"
)

// Writes of the API: one record, a batch, and the same request twice.

// writeRecord makes a record (a zero Ref), makes or changes one by its key, or
// changes one by its number.
func writeRecord[R, B any](a *api, c *apiCall, k records[R, B], ref store.Ref) error {
	var b B
	if err := decode(c.body, &b); err != nil {
		return err
	}
	if err := sameKey(k.given(&b), ref); err != nil {
		return err
	}
	return a.write(c, func(im *store.Import) (store.Reply, error) {
		var none store.Reply
		old, err := before(im, k, ref)
		if err != nil {
			return none, err
		}
		if old == nil && ref.ID != 0 {
			return none, store.ErrNotFound
		}
		version := int64(0)
		if old != nil {
			var has store.Ref
			if has, version = k.key(old); k.given(&b).null && has.ExternalID != "" {
				return none, fieldFault("/external_id", "cannot be emptied")
			}
		}
		if !matches(c.Header, version) {
			return none, store.ErrStale
		}
		key := ref.ExternalID
		if given := k.given(&b); key == "" && given.said {
			key = given.v
		}
		_, now, err := save(im, k, key, old, &b)
		if err != nil {
			return none, err
		}
		status := http.StatusOK
		if old == nil {
			status = http.StatusCreated
		}
		return recordReply(k, now, status)
	})
}

// before is the record that is there already; nil: none.
func before[R, B any](im *store.Import, k records[R, B], ref store.Ref) (*R, error) {
	if ref.IsZero() {
		return nil, nil
	}
	old, err := k.one(im, ref)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return &old, err
}

// save writes what a request says and reads the record again.
func save[R, B any](im *store.Import, k records[R, B], key string, old *R, b *B) (store.RowChange, *R, error) {
	change, id, err := k.save(im, key, old, b)
	if err != nil {
		return "", nil, err
	}
	ref := store.Ref{ID: id}
	if id == 0 && old != nil {
		ref, _ = k.key(old)
	} else if id == 0 {
		ref.ExternalID = key
	}
	now, err := k.one(im, ref)
	return change, &now, err
}

// batch is a request with several records, each with its external_id.
type batch struct {
	Items []jsontext.Value `json:"items"`
}

// outcome is what became of one of them: a problem, or else what was done.
type outcome struct {
	ExternalID *string         `json:"external_id"`
	ID         int64           `json:"id,omitzero"`
	Change     store.RowChange `json:"change,omitzero"`
	Version    int64           `json:"version,omitzero"`
	Problem    *problem        `json:"problem,omitzero"`
}

// writeBatch makes or changes records by their keys, in one transaction. One
// that is refused does not hold the others up.
func writeBatch[R, B any](a *api, c *apiCall, k records[R, B]) error {
	var list batch
	if err := decode(c.body, &list); err != nil {
		return err
	}
	if len(list.Items) == 0 || len(list.Items) > apiBatch {
		return fieldFault("/items", fmt.Sprintf("must hold 1 to %d records", apiBatch))
	}
	return a.write(c, func(im *store.Import) (store.Reply, error) {
		var out struct {
			Items []outcome `json:"items"`
		}
		for i, item := range list.Items {
			var done outcome
			err := im.Each(func() error { return writeItem(im, k, item, &done) })
			if err != nil {
				p := problemOf(err)
				if p == nil {
					return store.Reply{}, err
				}
				p.prefix("/items/" + strconv.Itoa(i))
				done = outcome{ExternalID: done.ExternalID, Problem: p.filled(c)}
			}
			out.Items = append(out.Items, done)
		}
		body, err := json.Marshal(out, jsontext.AllowInvalidUTF8(true))
		return store.Reply{Status: http.StatusOK, Body: body}, err
	})
}

func writeItem[R, B any](im *store.Import, k records[R, B], item jsontext.Value, done *outcome) error {
	var b B
	if err := decode(item, &b); err != nil {
		return err
	}
	key := k.given(&b)
	if key.v == "" {
		return fieldFault("/external_id", "is missing")
	}
	done.ExternalID = &key.v
	if err := sameKey(key, store.Ref{}); err != nil {
		return err
	}
	old, err := before(im, k, store.Ref{ExternalID: key.v})
	if err != nil {
		return err
	}
	change, now, err := save(im, k, key.v, old, &b)
	if err != nil {
		return err
	}
	ref, version := k.key(now)
	done.ID, done.Change, done.Version = ref.ID, change, version
	return nil
}

// write runs one write request: in its turn, in one transaction, and once only
// where it has an Idempotency-Key (draft-ietf-httpapi-idempotency-key-header).
// An answer that is a problem is not kept: nothing was done.
func (a *api) write(c *apiCall, fn func(*store.Import) (store.Reply, error)) error {
	key, err := idempotencyKey(c.Header.Values("Idempotency-Key"))
	if err != nil {
		return err
	}
	if key != "" {
		working := strconv.FormatInt(c.in.ID, 10) + " " + key
		if !a.begin(working) {
			return &problem{name: "in-progress", Detail: "A request with this Idempotency-Key is being worked on."}
		}
		defer a.end(working)
	}
	wait := time.NewTimer(apiPatience)
	defer wait.Stop()
	select {
	case a.turns <- struct{}{}:
		defer func() { <-a.turns }()
	case <-wait.C:
		return store.ErrBusy
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
	var reply store.Reply
	err = a.st.ImportTogether(c.ctx, c.in.Actor(), func(im *store.Import) error {
		if key != "" {
			kept, err := im.Once(key, c.print())
			if errors.Is(err, store.ErrConflict) {
				return &problem{name: "idempotency-key-reused", Detail: "This Idempotency-Key was used for another request."}
			} else if err != nil {
				return err
			}
			if kept != nil {
				reply = *kept
				return nil
			}
		}
		reply, err = fn(im)
		if err != nil || key == "" {
			return err
		}
		return im.Keep(key, reply)
	})
	if err != nil {
		return err
	}
	return a.answer(c, reply)
}

func (a *api) begin(working string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.working[working] {
		return false
	}
	a.working[working] = true
	return true
}

func (a *api) end(working string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.working, working)
}

// print is a hash of the request.
func (c *apiCall) print() string {
	sum := sha256.New()
	for _, part := range []string{c.Method, c.URL.RequestURI(), c.Header.Get("If-Match"), c.Header.Get("If-None-Match")} {
		fmt.Fprintf(sum, "%d:%s", len(part), part)
	}
	sum.Write(c.body)
	return hex.EncodeToString(sum.Sum(nil))
}

// idempotencyKey reads the header, a quoted string; a bare one is taken, too.
func idempotencyKey(values []string) (string, error) {
	if len(values) == 0 {
		return "", nil
	}
	key := strings.TrimSpace(values[0])
	if inner, ok := strings.CutPrefix(key, `"`); ok {
		if key, ok = strings.CutSuffix(inner, `"`); !ok {
			key = ""
		}
	}
	if len(values) > 1 || key == "" || len(key) > apiKey || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }) {
		return "", &problem{name: "malformed", Detail: fmt.Sprintf("Idempotency-Key must be one string of 1 to %d printable ASCII characters.", apiKey)}
	}
	return key, nil
}

func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// matches compares If-Match and If-None-Match (RFC 9110 section 13.1) with the
// version that is there; 0: none is.
func matches(h http.Header, version int64) bool {
	if list := h.Values("If-Match"); len(list) > 0 && !inTags(list, version) {
		return false
	}
	list := h.Values("If-None-Match")
	return len(list) == 0 || !inTags(list, version)
}

func inTags(list []string, version int64) bool {
	if version == 0 {
		return false
	}
	for tag := range strings.SplitSeq(strings.Join(list, ","), ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || tag == etag(version) {
			return true
		}
	}
	return false
}

// sameKey refuses a body that has another key than its address, or none that
// can be kept.
func sameKey(given *field[string], ref store.Ref) error {
	if !given.said || given.null && ref.ExternalID == "" {
		return nil
	}
	if ref.ExternalID != "" && given.v != ref.ExternalID {
		return fieldFault("/external_id", "is not the one of the address")
	}
	if err := keyFault(given.v); err != "" {
		return fieldFault("/external_id", err)
	}
	return nil
}
