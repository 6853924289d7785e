package web

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"intouch/store"
)

// What stands in bodies and answers of the API.

// field is a member of a body: one that is not said keeps what is there, null
// empties it (RFC 7396), for PUT as well as for PATCH.
type field[T any] struct {
	said, null bool
	v          T
}

func (f *field[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	f.said = true
	if dec.PeekKind() == 'n' {
		f.null = true
		return dec.SkipValue()
	}
	return json.UnmarshalDecode(dec, &f.v)
}

// list is the value of a field that is a list, as imports take it: nil when it
// is not said.
func list[T any](f field[[]T]) []T {
	if f.said && f.v == nil {
		return []T{}
	}
	return f.v
}

// cleared names the fields that are null.
func cleared(fields map[string]bool) (names []string) {
	for name, null := range fields {
		if null {
			names = append(names, name)
		}
	}
	return names
}

// or is the value of a field, or what is there where it is not said.
func or[T any](f field[T], there T) T {
	if f.said {
		return f.v
	}
	return there
}

// pointer is the value of a field for an edit: nil when it is not said.
func pointer[T any](f field[T]) *T {
	if f.said {
		return &f.v
	}
	return nil
}

// readOnly is a member that only answers have. It may stand in a body, so that
// what was read can be sent back, and is not looked at.
type readOnly = jsontext.Value

// isoDay is a day like 2026-11-23.
type isoDay store.Date

func (d *isoDay) UnmarshalText(b []byte) error {
	v, err := store.ParseDate(string(b))
	*d = isoDay(v)
	return err
}

// instant is a time like 2026-11-23T09:00:00Z, taken with any offset and given
// in UTC, in whole seconds.
type instant time.Time

func (t *instant) UnmarshalText(b []byte) error {
	var v time.Time
	err := aMoment(&v, string(b))
	*t = instant(v.UTC().Truncate(time.Second))
	return err
}

func (t instant) MarshalText() ([]byte, error) {
	return time.Time(t).UTC().AppendFormat(nil, time.RFC3339), nil
}

// when is a time of an answer, null for none.
func when(t time.Time) *instant {
	if t.IsZero() {
		return nil
	}
	return (*instant)(&t)
}

// maybe is a text of an answer, null for none.
func maybe[T ~string](s T) *T {
	if s == "" {
		return nil
	}
	return &s
}

// sum is money in minor units (kopecks, cents).
type sum struct {
	Minor    minor  `json:"minor"`
	Currency string `json:"currency"`
}

func (s sum) money() store.Money { return store.Money{Minor: int64(s.Minor), Currency: s.Currency} }

func (s *sum) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	var body struct {
		Minor    field[minor]    `json:"minor"`
		Currency field[currency] `json:"currency"`
	}
	if err := json.UnmarshalDecode(dec, &body); err != nil {
		return err
	}
	if !body.Minor.said || body.Minor.null {
		return errors.New("minor is missing")
	}
	s.Minor, s.Currency = body.Minor.v, string(body.Currency.v)
	return nil
}

// mostMinor is what other programs can hold in a number without loss (RFC 8259
// section 6), and less than what sums may come to here.
const mostMinor = 1<<53 - 1

// minor is a sum in minor units; none of ours may be negative.
type minor int64

func (m *minor) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	var v int64
	if err := json.UnmarshalDecode(dec, &v); err != nil {
		return err
	}
	if v < 0 || v > mostMinor {
		return fmt.Errorf("is not between 0 and %d", int64(mostMinor))
	}
	*m = minor(v)
	return nil
}

// currency is an ISO 4217 code.
type currency string

func (c *currency) UnmarshalText(b []byte) error {
	if len(b) != 3 || strings.Trim(string(b), "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return errors.New("is not a code of three letters like RUB")
	}
	*c = currency(b)
	return nil
}

// recordRef names another record: by our number, by the key of another system,
// or by both, which then must agree.
type recordRef struct {
	ID         int64   `json:"id,omitzero"`
	ExternalID *string `json:"external_id"`
}

func (r recordRef) ref() store.Ref {
	out := store.Ref{ID: r.ID}
	if r.ExternalID != nil {
		out.ExternalID = *r.ExternalID
	}
	return out
}

// refTo is a reference of an answer, null for none.
func refTo(r store.Ref) *recordRef {
	if r.IsZero() {
		return nil
	}
	return &recordRef{r.ID, maybe(r.ExternalID)}
}

// fits refuses texts that imports would cut short.
func fits(name, v string, most int) error {
	if len(v) > most {
		return fieldFault("/"+name, fmt.Sprintf("is longer than %d bytes", most))
	}
	return nil
}
