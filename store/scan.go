package store

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Times are BIGINT UTC seconds in rows, 0 for none; money and dates go as
// they are. These few functions are the whole conversion.

func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func fromUnix(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}

// timeInto scans a BIGINT column into a time.Time.
type timeInto struct{ t *time.Time }

func (x timeInto) Scan(v any) error {
	n, err := asInt(v)
	*x.t = fromUnix(n)
	return err
}

// idInto scans a nullable reference: NULL is 0.
type idInto struct{ id *int64 }

func (x idInto) Scan(v any) error {
	n, err := asInt(v)
	*x.id = n
	return err
}

// textInto scans a nullable text: NULL is "".
type textInto struct{ s *string }

func (x textInto) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*x.s = ""
	case string:
		*x.s = v
	case []byte:
		*x.s = string(v)
	default:
		return fmt.Errorf("scan %T as text", v)
	}
	return nil
}

func asInt(v any) (int64, error) {
	switch v := v.(type) {
	case nil:
		return 0, nil
	case int64:
		return v, nil
	}
	return 0, fmt.Errorf("scan %T as a number", v)
}

// jsonInto scans a JSON text column.
type jsonInto struct{ v any }

func (x jsonInto) Scan(v any) error {
	var s string
	if err := (textInto{&s}).Scan(v); err != nil || s == "" {
		return err
	}
	return json.Unmarshal([]byte(s), x.v)
}

// ref is a nullable reference: 0 is NULL.
type ref int64

func (r ref) Value() (driver.Value, error) {
	if r == 0 {
		return nil, nil
	}
	return int64(r), nil
}

// key is a nullable external key: "" is NULL.
type key string

func (k key) Value() (driver.Value, error) {
	if k == "" {
		return nil, nil
	}
	return string(k), nil
}

// asJSON is v as JSON text, for a column or for dialect.ids and texts.
func asJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // only our own maps and slices come here
	}
	return string(b)
}

// clean makes a stranger's text storable: PostgreSQL takes no NUL, neither
// engine should hold invalid UTF-8.
func clean(s string) string {
	if !utf8.ValidString(s) { // the check alone is much faster
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "")
	}
	return s
}

// clip bounds a text to n bytes on a rune boundary.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n]
}

// fold is the form in which names are searched and sorted.
func fold(s string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(strings.ToLower(s), "ё", "е")), " ")
}
