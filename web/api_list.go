package web

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"intouch/store"
)

// Lists of the API: filters, pages and their cursors.

// apiPage is the answer to a list.
type apiPage struct {
	Items []any `json:"items"`
	// NextCursor gives the next page of the same query; null: there is none.
	NextCursor *string `json:"next_cursor"`
	// AsOf is what to pass as changed_since the next time. It is apiOverlap
	// before the first page was read, since a long import that is not committed
	// yet bears the time of its beginning.
	AsOf time.Time `json:"as_of"`
}

func listRecords[R, B any](a *api, c *apiCall, k records[R, B]) error {
	q, asOf, err := readQuery(c.query, a.st.Now())
	if err != nil {
		return err
	}
	found, next, err := k.list(a.st, c.ctx, q)
	if err != nil {
		return err
	}
	out := apiPage{Items: make([]any, len(found)), AsOf: asOf}
	for i := range found {
		out.Items[i] = k.show(&found[i])
	}
	if next.ID != 0 {
		text := cursorText(next, asOf, c.query)
		out.NextCursor = &text
	}
	body, err := json.Marshal(out, json.Deterministic(true))
	if err != nil {
		return err
	}
	return a.answer(c, store.Reply{Status: http.StatusOK, Body: body})
}

// cursors are opaque to others: where the page ended, the query that they
// belong to, and when its first page was read.
const cursorSize = 8 + 8 + 8 + 8

func cursorText(p store.Place, asOf time.Time, query url.Values) string {
	var b [cursorSize]byte
	binary.BigEndian.PutUint64(b[0:], uint64(p.ID))
	binary.BigEndian.PutUint64(b[8:], uint64(p.Changed.Unix()))
	binary.BigEndian.PutUint64(b[16:], uint64(asOf.Unix()))
	copy(b[24:], queryPrint(query))
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func readCursor(text string, query url.Values) (p store.Place, asOf time.Time, err error) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) != cursorSize || int64(binary.BigEndian.Uint64(b)) <= 0 {
		return p, asOf, parameterFault("cursor", "is none that was given here")
	}
	if string(b[24:]) != queryPrint(query) {
		return p, asOf, parameterFault("cursor", "belongs to a query with other filters")
	}
	moment := func(b []byte) time.Time { return time.Unix(int64(binary.BigEndian.Uint64(b)), 0).UTC() }
	return store.Place{ID: int64(binary.BigEndian.Uint64(b)), Changed: moment(b[8:])}, moment(b[16:]), nil
}

// queryPrint is a short hash of the filters.
func queryPrint(query url.Values) string {
	filters := url.Values{}
	for name, values := range query {
		if name != "cursor" && name != "limit" {
			filters[name] = values
		}
	}
	sum := sha256.Sum256([]byte(filters.Encode()))
	return string(sum[:8])
}

// filters are the parameters of lists: what each sets in a query.
var filters = map[string]func(q *store.RecordQuery, v string) error{
	"limit": func(q *store.RecordQuery, v string) (err error) {
		if q.Limit, err = strconv.Atoi(v); err != nil || q.Limit < 1 || q.Limit > store.MaxRecords {
			return fmt.Errorf("is not a number from 1 to %d", store.MaxRecords)
		}
		return nil
	},
	"changed_since": func(q *store.RecordQuery, v string) error { return aMoment(&q.ChangedSince, v) },
	"external_id":   anyText(func(q *store.RecordQuery) *string { return &q.ExternalID }),
	"manager":       anyText(func(q *store.RecordQuery) *string { return &q.Manager }),
	"importance":    anyText(func(q *store.RecordQuery) *string { return &q.Importance }, "high", "normal", "low"),
	"stage":         anyText(func(q *store.RecordQuery) *string { return &q.Stage }, "potential", "one-off", "regular", "lost"),
	"number":        anyText(func(q *store.RecordQuery) *string { return &q.Number }),
	"status":        anyText(func(q *store.RecordQuery) *string { return &q.Status }),
	"state":         anyText(func(q *store.RecordQuery) *string { return &q.State }, "planned", "postponed", "done", "cancelled"),
	"direction":     anyText(func(q *store.RecordQuery) *string { return &q.Direction }, "in", "out", "none"),
	"kind":          anyText(func(q *store.RecordQuery) *string { return &q.Kind }, "invoice", "shipment", "payment", "return", "letter", "call", "meeting", "visit", "other"),
	"client":        anyText(func(q *store.RecordQuery) *string { return &q.Client.ExternalID }),
	"deal":          anyText(func(q *store.RecordQuery) *string { return &q.Deal.ExternalID }),
	"client_id":     anyNumber(func(q *store.RecordQuery) *int64 { return &q.Client.ID }),
	"deal_id":       anyNumber(func(q *store.RecordQuery) *int64 { return &q.Deal.ID }),
	"email": func(q *store.RecordQuery, v string) (err error) {
		q.Email, err = store.Address(v)
		return err
	},
	"domain": func(q *store.RecordQuery, v string) (err error) {
		q.Domain, err = store.Domain(v)
		return err
	},
	"date_from":  func(q *store.RecordQuery, v string) error { return aDay(&q.From, v) },
	"date_to":    func(q *store.RecordQuery, v string) error { return aDay(&q.To, v) },
	"start_from": func(q *store.RecordQuery, v string) error { return aMoment(&q.Start, v) },
	"start_to":   func(q *store.RecordQuery, v string) error { return aMoment(&q.End, v) },
}

func anyText(of func(*store.RecordQuery) *string, words ...string) func(*store.RecordQuery, string) error {
	return func(q *store.RecordQuery, v string) error {
		if len(words) > 0 && !slices.Contains(words, v) {
			return fmt.Errorf("is none of %s", strings.Join(words, ", "))
		}
		*of(q) = v
		return nil
	}
}

func anyNumber(of func(*store.RecordQuery) *int64) func(*store.RecordQuery, string) error {
	return func(q *store.RecordQuery, v string) (err error) {
		if *of(q), err = strconv.ParseInt(v, 10, 64); err != nil || *of(q) <= 0 {
			return errors.New("is not a number of ours")
		}
		return nil
	}
}

func aMoment(to *time.Time, v string) (err error) {
	if *to, err = time.Parse(time.RFC3339, v); err != nil || to.Year() < 1970 || to.Year() > 2200 {
		return errors.New("is not a time like 2026-11-23T09:00:00Z (RFC 3339)")
	}
	return nil
}

func aDay(to *store.Date, v string) (err error) {
	*to, err = store.ParseDate(v)
	return err
}

// readQuery reads the parameters of a list, and gives the page's as_of.
func readQuery(query url.Values, now time.Time) (q store.RecordQuery, asOf time.Time, err error) {
	for name := range query {
		v := query.Get(name)
		if name == "cursor" {
			continue
		}
		if v == "" || len(v) > 500 {
			return q, asOf, parameterFault(name, "is empty or longer than 500 bytes")
		}
		if err := filters[name](&q, v); err != nil {
			return q, asOf, parameterFault(name, err.Error())
		}
	}
	asOf = now.Add(-apiOverlap)
	if text := query.Get("cursor"); query.Has("cursor") {
		q.After, asOf, err = readCursor(text, query)
	}
	return q, asOf, err
}
