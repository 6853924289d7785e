package caldav

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"intouch/store"
)

// A request that read its manager just before a change of it leaves no answer
// behind for those that come after the change.
func TestKept_ManagerOfBefore(t *testing.T) {
	o := newOffice(t)
	h := New(o.st, Options{}).(*Handler)
	ask := func(m store.Manager) string {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("PROPFIND", annaHome, strings.NewReader(propfindOf("<D:displayname/>")))
		r.Header.Set("Depth", "0")
		p, _ := parsePath(annaHome)
		c := &call{Handler: h, w: w, r: r, ctx: r.Context(), place: p, manager: m}
		if err := c.dispatch(); err != nil {
			t.Fatal(err)
		}
		return w.Body.String()
	}
	after, _, err := o.st.SaveManager(context.Background(), store.Actor{},
		store.ManagerRow{ID: "m1", Login: "anna", Name: "Anna Weiss", Role: "manager", TimeZone: "Europe/Moscow", Language: "ru"})
	if err != nil {
		t.Fatal(err)
	}
	ask(o.anna)
	if got := ask(after); !strings.Contains(got, "Anna Weiss") {
		t.Errorf("still as before: %s", got)
	}
	if first, again := ask(after), ask(after); first != again || len(h.kept.answers) != 2 {
		t.Errorf("%d answers are kept", len(h.kept.answers))
	}
}
