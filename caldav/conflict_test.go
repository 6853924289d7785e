package caldav

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Two programs edit one event at the same moment, knowing the same ETag: one
// is done, the other is told so by 412, looks again, and does its own. What
// both said is in the event.
func TestConflict_OneIsTold(t *testing.T) {
	o := newOffice(t)
	const path = annaCurrent + "a.ics"
	o.put(path, "a", "Call", "20261124T100000Z", "X-FIRST:0", "X-SECOND:0")
	edit := func(body, name string, round int) string {
		return strings.Replace(body, fmt.Sprintf("%s:%d\r\n", name, round-1), fmt.Sprintf("%s:%d\r\n", name, round), 1)
	}
	names := []string{"X-FIRST", "X-SECOND"}
	lost := map[string]int{}
	for round := 1; round <= 25; round++ {
		before := o.must(200, "GET", path, "")
		got := o.together(len(names), func(i int) reply {
			return o.do("PUT", path, edit(before.body, names[i], round), ics, "If-Match: "+before.header.Get("ETag"))
		})
		if want := []int{204, 412}; !slices.Equal(slices.Sorted(slices.Values(statuses(got))), want) {
			t.Fatalf("round %d: %v, want %v in some order", round, statuses(got), want)
		}
		loser := slices.IndexFunc(got, func(r reply) bool { return r.status == 412 })
		lost[names[loser]]++
		now := o.must(200, "GET", path, "")
		o.must(204, "PUT", path, edit(now.body, names[loser], round), ics, "If-Match: "+now.header.Get("ETag"))
		now = o.must(200, "GET", path, "")
		for _, name := range names {
			if want := fmt.Sprintf("%s:%d\r\n", name, round); !strings.Contains(now.body, want) {
				t.Fatalf("round %d: %q is lost:\n%s", round, want, now.body)
			}
		}
	}
	t.Logf("who came second: %v", lost)
}

// One of two is done also where one deletes, moves or makes the event.
func TestConflict_Kinds(t *testing.T) {
	o := newOffice(t)
	for i := range 8 {
		path := fmt.Sprintf("%sk%d.ics", annaCurrent, i)
		uid := fmt.Sprintf("k%d", i)
		for _, c := range []struct {
			name     string
			requests []func(etag string) reply
			want     []int
		}{
			{"both make it", []func(string) reply{
				func(string) reply {
					return o.do("PUT", path, meeting(uid, "One", "20261124T100000Z"), ics, "If-None-Match: *")
				},
				func(string) reply {
					return o.do("PUT", path, meeting(uid, "Two", "20261124T100000Z"), ics, "If-None-Match: *")
				},
			}, []int{201, 412}},
			{"both make it under names of their own", []func(string) reply{
				func(string) reply {
					return o.do("PUT", annaCurrent+"x"+uid, meeting("x"+uid, "One", "20261124T100000Z"), ics)
				},
				func(string) reply {
					return o.do("PUT", annaCurrent+"y"+uid, meeting("x"+uid, "Two", "20261124T100000Z"), ics)
				},
			}, []int{201, 403}},
			{"one edits, one moves it", []func(string) reply{
				func(etag string) reply {
					return o.do("PUT", path, meeting(uid, "Edited", "20261125T100000Z"), ics, "If-Match: "+etag)
				},
				func(etag string) reply {
					return o.do("MOVE", path, "", "Destination: "+annaHome+"postponed/"+uid+".ics", "If-Match: "+etag)
				},
			}, nil},
		} {
			etag := ""
			if r := o.do("GET", path, ""); r.status == 200 {
				etag = r.header.Get("ETag")
			}
			got := statuses(o.together(len(c.requests), func(i int) reply { return c.requests[i](etag) }))
			slices.Sort(got)
			switch {
			case c.want != nil && !slices.Equal(got, c.want):
				t.Errorf("%s: %v, want %v", c.name, got, c.want)
			case c.want == nil && (got[0] >= 300 || got[1] != 412 && got[1] != 404):
				t.Errorf("%s: %v, want one done and one refused", c.name, got)
			}
		}
		// Whoever came first, the event is in one of the two calendars.
		in := 0
		for _, p := range []string{path, annaHome + "postponed/" + uid + ".ics"} {
			if o.do("GET", p, "").status == 200 {
				in++
			}
		}
		if in != 1 {
			t.Errorf("%s stands in %d calendars", uid, in)
		}
	}
}

// together sends n requests at the same moment.
func (o *office) together(n int, send func(i int) reply) []reply {
	got := make([]reply, n)
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			got[i] = send(i)
		})
	}
	close(start)
	all.Wait()
	return got
}

func statuses(replies []reply) (list []int) {
	for _, r := range replies {
		list = append(list, r.status)
	}
	return list
}
