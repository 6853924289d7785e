package caldav

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// The operations of shared/bench/caldavbench without the network, on 1,000
// events. allocs/op show what grows with the listing.
func BenchmarkServe(b *testing.B) {
	o := newOffice(b)
	hrefs := ""
	for i := range 1000 {
		name := fmt.Sprintf("e%04d.ics", i)
		o.must(201, "PUT", annaCurrent+name, meeting(fmt.Sprint("uid-", i), "Call", fmt.Sprintf("2027%02d%02dT100000Z", i%12+1, i%28+1)), ics)
		if i < 50 {
			hrefs += "<D:href>" + annaCurrent + name + "</D:href>"
		}
	}
	token := o.parse(o.do("REPORT", annaCurrent, syncReport("", 0))).Token
	for _, bb := range []struct{ name, method, path, body, depth string }{
		{"poll", "PROPFIND", annaCurrent, propfindOf("<CS:getctag/><D:sync-token/>"), "0"},
		{"etags", "PROPFIND", annaCurrent, propfindOf("<D:getetag/>"), "1"},
		{"month", "REPORT", annaCurrent, report("calendar-query", `<D:prop><D:getetag/><C:calendar-data/></D:prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:time-range start="20270301T000000Z" end="20270401T000000Z"/></C:comp-filter></C:comp-filter></C:filter>`), "1"},
		{"multiget", "REPORT", annaCurrent, report("calendar-multiget", `<D:prop><D:getetag/><C:calendar-data/></D:prop>`+hrefs), "1"},
		{"sync all", "REPORT", annaCurrent, syncReport("", 0), "1"},
		{"sync none", "REPORT", annaCurrent, syncReport(token, 0), "1"},
		{"get", "GET", annaCurrent + "e0001.ics", "", ""},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest(bb.method, bb.path, strings.NewReader(bb.body))
				r.SetBasicAuth("anna", password)
				r.Header.Set("Depth", bb.depth)
				w := &discard{h: http.Header{}}
				o.srv.Config.Handler.ServeHTTP(w, r)
				_, _ = io.Copy(io.Discard, r.Body)
				if w.status != 207 && w.status != 200 {
					b.Fatalf("status %d", w.status)
				}
			}
		})
	}
}
