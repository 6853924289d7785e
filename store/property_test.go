package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"intouch/store"
)

func TestDeadProps(t *testing.T) {
	each(t, func(h *house) {
		text := func(s string) *string { return &s }
		h.must(h.EditDeadProps(ctx, h.anna.ID, "c1", map[string]*string{"urn:x a": text("<a/>"), "urn:x b": text("<b/>")}))
		h.must(h.EditDeadProps(ctx, h.anna.ID, "c1", map[string]*string{"urn:x a": text("<a>2</a>"), "urn:x b": nil}))
		h.must(h.EditDeadProps(ctx, h.boris.ID, "c1", map[string]*string{"urn:x a": text("<his/>")}))
		got, err := h.DeadProps(ctx, h.anna.ID)
		h.must(err)
		if want := "map[c1:map[urn:x a:<a>2</a>]]"; fmt.Sprint(got) != want {
			h.t.Errorf("%v, want %s", got, want)
		}
		// Too much is refused whole, on one resource and on all.
		large := strings.Repeat("x", 60<<10)
		err = h.EditDeadProps(ctx, h.anna.ID, "c1", map[string]*string{"urn:x a": text("<lost/>"), "urn:x c": text(large), "urn:x d": text(large)})
		var invalid *store.Invalid
		if !errors.As(err, &invalid) {
			h.t.Errorf("120 KB on one resource: %v", err)
		}
		kept := 0
		for i := range 100 {
			if err = h.EditDeadProps(ctx, h.anna.ID, fmt.Sprint("c", 100+i), map[string]*string{"urn:x a": text(large)}); err != nil {
				break
			}
			kept++
		}
		if !errors.As(err, &invalid) || kept < 60 || kept > 70 {
			h.t.Errorf("%d of 60 KB were kept, then %v", kept, err)
		}
		got, err = h.DeadProps(ctx, h.anna.ID)
		h.must(err)
		if len(got) != kept+1 || got["c1"]["urn:x a"] != "<a>2</a>" {
			h.t.Errorf("%d resources, c1 %v", len(got), got["c1"])
		}
	})
}
