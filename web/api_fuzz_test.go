package web

import (
	"errors"
	"testing"

	"github.com/go-json-experiment/json"
)

// FuzzAPI_decode: whatever strangers send as a body is taken or refused with a
// problem, and what is taken once is taken again as it was read.
func FuzzAPI_decode(f *testing.F) {
	for _, seed := range []string{
		`{"name":"x","attributes":{"a":null},"emails":["a@b.test"],"manager":null,"version":3}`,
		`{"date":"2026-11-20","client":{"id":1,"external_id":null},"amount":{"minor":5,"currency":"RUB"},"lines":[{"item":"x"}],"events":[{"due":"2026-01-01"}]}`,
		`{"start":"2026-11-24T12:00:00+03:00","first_day":null,"persons":[{"id":3}],"minutes":5}`,
		`{"items":[{},null,[]]}`, `{"name":"\u0000"}`, `{"name":"\ud800"}`, `[[[[`, `{"a":{"a":{"a":1}}}`, "\xef\xbb\xbf{}", `{"amount":{"minor":1e3}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, into := range []any{&clientBody{}, &personBody{}, &dealBody{}, &documentBody{}, &contactBody{}, &batch{}} {
			err := decode(body, into)
			var p *problem
			if err != nil && !errors.As(err, &p) {
				t.Fatalf("%T: %v is no problem", into, err)
			}
			if p != nil {
				if _, err := json.Marshal(p.filled(&apiCall{})); err != nil {
					t.Errorf("%T: the problem cannot be told: %v", into, err)
				}
			}
			if c, ok := into.(*contactBody); ok && err == nil {
				if span, said, err := c.span(nil); err == nil && said && span.End.Before(span.Start) {
					t.Errorf("ends before it starts: %+v", span)
				}
			}
		}
	})
}
