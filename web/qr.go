package web

import (
	"fmt"
	"html/template"
	"net"
	"net/url"
	"strings"

	"github.com/boombuler/barcode/qr"
)

// qrQuiet is the white border that scanners need, in modules (ISO/IEC 18004).
const qrQuiet = 4

// qrCode is a text as a QR code in SVG, black on white whatever the theme, ""
// when the text is too long for one. alt says what it is for.
func qrCode(text, alt string) template.HTML {
	code, err := qr.Encode(text, qr.M, qr.Unicode)
	if err != nil {
		return ""
	}
	side := code.Bounds().Dx()
	var modules strings.Builder
	for y := range side {
		for x := 0; x < side; x++ {
			first := x
			for x < side && isBlack(code.At(x, y)) {
				x++
			}
			if x > first {
				fmt.Fprintf(&modules, "M%d %dh%dv1h-%dz", first+qrQuiet, y+qrQuiet, x-first, x-first)
			}
		}
	}
	return template.HTML(fmt.Sprintf(`<svg class="qr" role="img" aria-label="%s" viewBox="0 0 %d %[2]d" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%[2]dv%[2]dH0z"/><path fill="#000" d="%s"/></svg>`,
		template.HTMLEscapeString(alt), side+2*qrQuiet, modules.String()))
}

func isBlack(c interface{ RGBA() (r, g, b, a uint32) }) bool {
	r, _, _, _ := c.RGBA()
	return r == 0
}

// davLink is the address of the server as a link that opens DAVx⁵ with the
// login, and the password unless that is "", filled in (caldav: or caldavs:,
// davx5-ose pull request 1267).
func davLink(address, login, password string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	u.Scheme = strings.Replace(u.Scheme, "http", "caldav", 1)
	u.User = url.User(login)
	if password != "" {
		u.User = url.UserPassword(login, password)
	}
	return u.String()
}

// reachable reports whether a phone can reach that address at all.
func reachable(base string) bool {
	u, err := url.Parse(base)
	if err != nil || u.Hostname() == "localhost" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return ip == nil || !ip.IsLoopback()
}
