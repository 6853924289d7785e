package web

import (
	"encoding/xml"
	"fmt"
	"net/url"
	"strings"

	"github.com/google/uuid"

	"intouch/store"
)

// profile is a configuration profile for Apple devices, with the calendars and
// the address book of the manager and no password: the device asks for it.
func (s *server) profile(v *visit) error { return s.sendProfile(v, "") }

// appleURL is our address where Apple's programs take an account at all, which
// needs https; else nil.
func (s *server) appleURL() *url.URL {
	u, err := url.Parse(s.opt.PublicURL)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" {
		return nil
	}
	return u
}

// sendProfile gives the profile, with an app password unless that is "".
func (s *server) sendProfile(v *visit, password string) error {
	u := s.appleURL()
	if u == nil {
		return store.ErrNotFound
	}
	principal := "/dav/"
	if s.opt.PrincipalPath != nil {
		principal = s.opt.PrincipalPath(v.who.Login)
	}
	body := profileText(v.say, u, v.who.Login, password, principal)
	h := v.w.Header()
	h.Set("Content-Type", "application/x-apple-aspen-config")
	h.Set("Content-Disposition", `attachment; filename="intouch.mobileconfig"`)
	_, err := v.w.Write([]byte(body))
	return err
}

// profileText is the profile (Apple, "Configuration Profile Reference"). The
// same manager at the same address gets the same identifiers, so that it
// replaces the one that was installed before.
func profileText(say voice, u *url.URL, login, password, principal string) string {
	port := u.Port()
	if port == "" {
		port = "443"
	}
	name := "intouch." + u.Hostname() + "." + login
	payload := func(kind, title string, more ...string) string {
		id := name
		if kind != "Configuration" {
			id += "." + kind
		}
		list := append([]string{
			"PayloadType", plistText(kind), "PayloadVersion", "<integer>1</integer>", "PayloadIdentifier", plistText(id),
			"PayloadUUID", plistText(strings.ToUpper(uuid.NewSHA1(uuid.NameSpaceURL, []byte(u.String()+" "+id)).String())),
			"PayloadDisplayName", plistText(title), "PayloadOrganization", plistText("Intouch"),
		}, more...)
		var b strings.Builder
		b.WriteString("<dict>\n")
		for i := 0; i < len(list); i += 2 {
			fmt.Fprintf(&b, "<key>%s</key>%s\n", list[i], list[i+1])
		}
		b.WriteString("</dict>")
		return b.String()
	}
	account := func(prefix, kind, title string) string {
		more := []string{prefix + "AccountDescription", plistText(title), prefix + "HostName", plistText(u.Hostname()), prefix + "Port", "<integer>" + port + "</integer>",
			prefix + "UseSSL", "<true/>", prefix + "PrincipalURL", plistText(u.Path + principal), prefix + "Username", plistText(login)}
		if password != "" {
			more = append(more, prefix+"Password", plistText(password))
		}
		return payload(kind, title, more...)
	}
	return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
` + payload("Configuration", "Intouch", "PayloadDescription", plistText(say.t("profile.text")), "PayloadContent", "<array>\n"+
		account("CalDAV", "com.apple.caldav.account", "Intouch: "+say.t("profile.calendars"))+"\n"+
		account("CardDAV", "com.apple.carddav.account", "Intouch: "+say.t("profile.book"))+"\n</array>") + "\n</plist>\n"
}

// plistText is a string of a property list.
func plistText(s string) string {
	var b strings.Builder
	b.WriteString("<string>")
	xml.EscapeText(&b, []byte(s)) // a Builder takes everything
	b.WriteString("</string>")
	return b.String()
}
