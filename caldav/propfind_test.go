package caldav

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

const namespaces = `xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:CR="urn:ietf:params:xml:ns:carddav" xmlns:CS="http://calendarserver.org/ns/" xmlns:A="http://apple.com/ns/ical/"`

func propfindOf(props string) string {
	return `<?xml version="1.0" encoding="utf-8"?><D:propfind ` + namespaces + `><D:prop>` + props + `</D:prop></D:propfind>`
}

// Thunderbird's requests, letter by letter (clients.md sections 2 and 3).
const (
	tbDetect = `<?xml version="1.0" encoding="UTF-8"?>
<D:propfind xmlns:D='DAV:' xmlns:A='http://apple.com/ns/ical/' xmlns:C='urn:ietf:params:xml:ns:caldav'><D:prop><D:resourcetype/><D:owner/><D:displayname/><D:current-user-principal/><D:current-user-privilege-set/><A:calendar-color/><C:calendar-home-set/></D:prop></D:propfind>`
	tbHome  = `<D:propfind xmlns:D='DAV:' xmlns:A='http://apple.com/ns/ical/'><D:prop><D:resourcetype/><D:displayname/><D:current-user-privilege-set/><A:calendar-color/></D:prop></D:propfind>`
	tbCheck = `<D:propfind xmlns:D="DAV:" xmlns:CS="http://calendarserver.org/ns/" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><D:resourcetype/><D:owner/><D:current-user-principal/><D:current-user-privilege-set/><D:supported-report-set/><C:supported-calendar-component-set/><CS:getctag/></D:prop></D:propfind>`
)

// epochs differ from run to run.
var epochs = regexp.MustCompile(`(urn:intouch:sync:\d+:|getctag>)\d+`)

func settled(body string) string { return epochs.ReplaceAllString(body, "${1}EPOCH") }

func TestPropfind_Golden(t *testing.T) {
	o := newOffice(t)
	for _, tt := range []struct{ name, path, depth, body, as string }{
		{"thunderbird-detect-root.xml", "/", "0", tbDetect, "anna"},
		{"thunderbird-principal.xml", "/dav/principals/anna/", "0", propfindOf("<C:calendar-home-set/>"), "anna"},
		{"thunderbird-home.xml", annaHome, "1", tbHome, "anna"},
		{"thunderbird-home-head.xml", "/dav/calendars/boris/", "1", tbHome, "boris"},
		{"thunderbird-check.xml", annaCurrent, "0", tbCheck, "anna"},
		{"allprop-calendar.xml", annaCurrent, "0", "", "anna"},
		{"propname-calendar.xml", annaCurrent, "0", `<propfind xmlns="DAV:"><propname/></propfind>`, "anna"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := o.must(207, "PROPFIND", tt.path, tt.body, "Depth: "+tt.depth, "as: "+tt.as)
			o.parse(r)
			golden(t, tt.name, settled(r.body))
		})
	}
}

// Everything that Apple's programs ask for is answered, what is there and
// what is not.
func TestPropfind_Apple(t *testing.T) {
	raw, err := os.ReadFile("testdata/apple-requests.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded struct {
		Bodies map[string]struct {
			Root  string
			Props []string
		}
		Sequences map[string][]struct {
			Method, Target, Body, Depth string
			Auth                        *bool
		}
	}
	if err := json.Unmarshal(raw, &recorded); err != nil {
		t.Fatal(err)
	}
	o := newOffice(t)
	o.put(annaCurrent+"a.ics", "a", "Call", "20261124T100000Z")
	targets := map[string]string{
		"well-known": "/.well-known/caldav", "root": "/", "principal": "/dav/principals/anna/",
		"principal-collection": "/dav/principals/", "home": annaHome, "calendar": annaCurrent, "tasks": annaHome + "todo/",
	}
	clark := func(name string) string {
		space, local, _ := strings.Cut(strings.TrimPrefix(name, "{"), "}")
		return `<x:` + local + ` xmlns:x="` + space + `"/>`
	}
	extra := map[string]string{ // what the recorded bodies hold beside properties
		"sync-collection":   `<D:sync-token/>`,
		"calendar-multiget": `<D:href>` + annaCurrent + `a.ics</D:href>`,
		"calendar-query":    `<C:filter><C:comp-filter name="VCALENDAR"/></C:filter>`,
		"expand-property":   `<D:property name="calendar-proxy-write-for" namespace="http://calendarserver.org/ns/"><D:property name="displayname"/></D:property>`,
		"propertyupdate":    "",
	}
	patches := map[string]string{
		"calendar_color": `<A:calendar-color>#FF0000FF</A:calendar-color>`, "calendar_order": `<A:calendar-order>3</A:calendar-order>`,
		"calendar_displayname": `<D:displayname>Mine</D:displayname>`,
		"calendar_timezone":    "<C:calendar-timezone>BEGIN:VCALENDAR&#13;\nVERSION:2.0&#13;\nPRODID:-//Apple//EN&#13;\nBEGIN:VTIMEZONE&#13;\nTZID:Europe/Berlin&#13;\nBEGIN:STANDARD&#13;\nDTSTART:19701025T030000&#13;\nTZOFFSETFROM:+0200&#13;\nTZOFFSETTO:+0100&#13;\nEND:STANDARD&#13;\nEND:VTIMEZONE&#13;\nEND:VCALENDAR&#13;\n</C:calendar-timezone>",
		"alarm_date":           `<C:default-alarm-vevent-date>x</C:default-alarm-vevent-date>`, "alarm_datetime": `<C:default-alarm-vevent-datetime>x</C:default-alarm-vevent-datetime>`,
	}
	for who, sequence := range recorded.Sequences {
		for i, step := range sequence {
			path, ok := targets[step.Target]
			if !ok {
				continue // inbox, notifications: not offered
			}
			_, root, _ := strings.Cut(recorded.Bodies[step.Body].Root, "}")
			props := ""
			for _, p := range recorded.Bodies[step.Body].Props {
				props += clark(p)
			}
			body := ""
			switch root {
			case "":
			case "propertyupdate":
				for what, value := range patches {
					if strings.HasSuffix(step.Body, what+"_proppatch") {
						body = `<D:propertyupdate ` + namespaces + `><D:set><D:prop>` + value + `</D:prop></D:set></D:propertyupdate>`
					}
				}
			case "principal-search-property-set":
				body = `<D:principal-search-property-set xmlns:D="DAV:"/>`
			default:
				p := "D:"
				if strings.HasPrefix(root, "calendar-") {
					p = "C:"
				}
				body = `<` + p + root + ` ` + namespaces + `>` + `<D:prop>` + props + `</D:prop>` + extra[root] + `</` + p + root + `>`
			}
			headers := []string{}
			if step.Depth != "" {
				headers = append(headers, "Depth: "+step.Depth)
			}
			want := 207
			switch {
			case step.Target == "well-known":
				want = 301
			case step.Method == "OPTIONS":
				want = 200
			case step.Auth != nil && !*step.Auth:
				want = 401
			case root == "principal-search-property-set":
				want = 200
			case root == "sync-collection" && step.Target == "home":
				want = 403 // not offered there
			}
			if step.Auth != nil && !*step.Auth {
				headers = append(headers, "as: nobody")
			}
			r := o.do(step.Method, path, body, headers...)
			if r.status != want {
				t.Errorf("%s %d: %s %s %s: %d, want %d\n%s", who, i, step.Method, path, step.Body, r.status, want, r.body)
				continue
			}
			if r.status == 207 {
				o.parse(r)
				if step.Method == "PROPPATCH" && strings.Contains(r.body, "HTTP/1.1 4") {
					t.Errorf("%s %d: %s refused: Apple would tell the user\n%s", who, i, step.Body, r.body)
				}
				for _, p := range recorded.Bodies[step.Body].Props {
					if _, local, _ := strings.Cut(p, "}"); !strings.Contains(r.body, local) {
						t.Errorf("%s %d: %s: no word of %s", who, i, step.Body, p)
					}
				}
			}
		}
	}
	// What was set comes back.
	got := o.must(207, "PROPFIND", annaCurrent, propfindOf("<A:calendar-color/><A:calendar-order/><D:displayname/><C:calendar-timezone/>"), "Depth: 0").body
	for _, want := range []string{"#FF0000<", ">3<", ">Mine<", "TZID:Europe/Berlin"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is missing in\n%s", want, got)
		}
	}
}

func TestPropfind_Depth(t *testing.T) {
	o := newOffice(t)
	o.put(annaCurrent+"a.ics", "a", "Call", "20261124T100000Z")
	for _, depth := range []string{"Depth: infinity", "X-None: "} {
		if r := o.must(403, "PROPFIND", annaCurrent, tbCheck, depth); !strings.Contains(r.body, "><D:propfind-finite-depth/></D:error>") {
			t.Errorf("%s: %s", depth, r.body)
		}
	}
	o.must(400, "PROPFIND", annaCurrent, tbCheck, "Depth: 7")
	if got := o.parse(o.do("PROPFIND", annaCurrent, propfindOf("<D:getetag/>"), "Depth: 1")).hrefs(); len(got) != 2 || got[annaCurrent+"a.ics"] != o.etag(annaCurrent+"a.ics") {
		t.Errorf("Depth 1: %v", got)
	}
	if got := o.parse(o.do("PROPFIND", annaCurrent+"a.ics", propfindOf("<D:getetag/><C:calendar-data/>"), "Depth: 1")); len(got.Responses) != 1 || len(got.Responses[0].Propstats) != 2 {
		t.Errorf("an entry: %+v", got)
	}
	o.must(404, "PROPFIND", annaHome+"nowhere/", "", "Depth: 0")
	o.must(404, "PROPFIND", "/dav/calendars/boris/", "", "Depth: 0")
	o.must(404, "PROPFIND", "/dav/principals/boris/", "", "Depth: 0")
	o.must(207, "PROPFIND", "/dav/calendars/%61nna", "", "Depth: 0")
	o.must(400, "PROPFIND", annaCurrent, `<D:propertyupdate xmlns:D="DAV:"/>`, "Depth: 0")
}

func TestProppatch(t *testing.T) {
	o := newOffice(t)
	patch := func(inner string) string {
		return `<D:propertyupdate ` + namespaces + ` xmlns:x="urn:x">` + inner + `</D:propertyupdate>`
	}
	get := func(props string) string {
		return o.must(207, "PROPFIND", annaCurrent, `<D:propfind `+namespaces+` xmlns:x="urn:x"><D:prop>`+props+`</D:prop></D:propfind>`, "Depth: 0").body
	}
	before := get("<D:displayname/><x:note/><CS:getctag/>")
	r := o.must(207, "PROPPATCH", annaCurrent, patch(`<D:set><D:prop><D:displayname>New</D:displayname><x:note>n</x:note><D:resourcetype><D:collection/></D:resourcetype></D:prop></D:set>`))
	if strings.Count(r.body, "HTTP/1.1 403 Forbidden") != 1 || strings.Count(r.body, "HTTP/1.1 424 Failed Dependency") != 2 || !strings.Contains(r.body, "<D:cannot-modify-protected-property/>") {
		t.Errorf("protected property:\n%s", r.body)
	}
	if after := get("<D:displayname/><x:note/><CS:getctag/>"); after != before {
		t.Errorf("something changed:\n%s", after)
	}
	r = o.must(207, "PROPPATCH", annaCurrent, patch(`<D:set><D:prop><D:displayname>Работа</D:displayname><A:calendar-color symbolic-color="red">#ff2968FF</A:calendar-color><A:calendar-order>7</A:calendar-order><C:calendar-description>About</C:calendar-description><x:note kind="1" xml:lang="ru"><x:b>да</x:b></x:note></D:prop></D:set>`))
	if strings.Count(r.body, "HTTP/1.1 200 OK") != 5 || strings.Contains(r.body, "HTTP/1.1 4") {
		t.Errorf("set:\n%s", r.body)
	}
	got := get("<D:displayname/><A:calendar-color/><A:calendar-order/><C:calendar-description/><x:note/>")
	for _, want := range []string{">Работа<", ">#FF2968<", ">7<", ">About<", `kind="1" xml:lang="ru"><x:b>да</x:b></x:note>`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is missing in\n%s", want, got)
		}
	}
	o.must(207, "PROPPATCH", annaCurrent, patch(`<D:remove><D:prop><D:displayname/><x:note/></D:prop></D:remove>`))
	got = get("<D:displayname/><x:note/>")
	if !strings.Contains(got, ">Текущие<") || !strings.Contains(got, "404 Not Found") {
		t.Errorf("removed:\n%s", got)
	}
	for _, bad := range []string{`<A:calendar-color>red</A:calendar-color>`, `<A:calendar-order>many</A:calendar-order>`, `<C:calendar-timezone>BEGIN:VCALENDAR</C:calendar-timezone>`} {
		if r := o.must(207, "PROPPATCH", annaCurrent, patch(`<D:set><D:prop>`+bad+`</D:prop></D:set>`)); strings.Contains(r.body, "200 OK") {
			t.Errorf("%s was taken:\n%s", bad, r.body)
		}
	}
	if r := o.must(207, "PROPPATCH", "/dav/principals/anna/", patch(`<D:set><D:prop><D:displayname>x</D:displayname></D:prop></D:set>`)); !strings.Contains(r.body, "403 Forbidden") {
		t.Errorf("principal:\n%s", r.body)
	}
	o.must(400, "PROPPATCH", annaCurrent, "")
}

// A body that says nothing, or two things at once (RFC 4918 sections 9.1 and
// 9.2, appendix A.2).
func TestProperties_Senseless(t *testing.T) {
	o := newOffice(t)
	for _, body := range []string{
		`<D:propfind ` + namespaces + `/>`,
		`<D:propfind ` + namespaces + ` xmlns:E="urn:e"><E:expired-props/></D:propfind>`,
		`<D:propfind ` + namespaces + `><D:allprop/><D:propname/></D:propfind>`,
		`<D:propfind ` + namespaces + `><D:prop/><D:prop/></D:propfind>`,
	} {
		o.must(400, "PROPFIND", annaCurrent, body, "Depth: 0")
	}
	o.must(207, "PROPFIND", annaCurrent, `<D:propfind `+namespaces+` xmlns:E="urn:e"><E:leave-out>x</E:leave-out><D:propname/></D:propfind>`, "Depth: 0")
	o.must(400, "PROPPATCH", annaCurrent, `<D:propertyupdate `+namespaces+`/>`)
	o.must(400, "PROPPATCH", annaCurrent, `<D:propertyupdate `+namespaces+`><D:set><D:prop/></D:set></D:propertyupdate>`)
}
