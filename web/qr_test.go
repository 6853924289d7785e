package web

import (
	"encoding/xml"
	"fmt"
	"image"
	"image/draw"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
)

// scan draws our SVG and reads it as a phone would.
func scan(t *testing.T, svg string) string {
	t.Helper()
	var parsed struct {
		ViewBox string `xml:"viewBox,attr"`
		Paths   []struct {
			D string `xml:"d,attr"`
		} `xml:"path"`
	}
	if err := xml.Unmarshal([]byte(svg), &parsed); err != nil {
		t.Fatal(err)
	}
	var side int
	if _, err := fmt.Sscanf(parsed.ViewBox, "0 0 %d", &side); err != nil {
		t.Fatal(err)
	}
	const scale = 4
	img := image.NewGray(image.Rect(0, 0, side*scale, side*scale))
	draw.Draw(img, img.Bounds(), image.White, image.Point{}, draw.Src)
	for _, m := range regexp.MustCompile(`M\d+ \d+h\d+v1h-\d+z`).FindAllString(parsed.Paths[1].D, -1) {
		var x, y, wide, back int
		if _, err := fmt.Sscanf(m, "M%d %dh%dv1h-%dz", &x, &y, &wide, &back); err != nil || wide != back {
			t.Fatalf("%s: %v", m, err)
		}
		draw.Draw(img, image.Rect(x*scale, y*scale, (x+wide)*scale, (y+1)*scale), image.Black, image.Point{}, draw.Src)
	}
	bits, err := gozxing.NewBinaryBitmapFromImage(img)
	if err != nil {
		t.Fatal(err)
	}
	read, err := qrcode.NewQRCodeReader().Decode(bits, nil)
	if err != nil {
		t.Fatalf("it cannot be read: %v", err)
	}
	return read.GetText()
}

func TestQRCode(t *testing.T) {
	for _, text := range []string{"x", "caldavs://olga@crm.vector.test/dav/", davLink("https://crm.vector.test:8443/in/dav/", "o@vector.test", "abcd-efgh-ijkm-npqr-stuv-wxyz"), strings.Repeat("длинно ", 60)} {
		if got := scan(t, string(qrCode(text, `"<&`))); got != text {
			t.Errorf("%q reads as %q", text, got)
		}
	}
	if qrCode(strings.Repeat("x", 5000), "") != "" {
		t.Error("a text that no code holds")
	}
	if got := davLink("https://crm.vector.test:8443/in/dav/", "o@vector.test", "abcd-efgh"); got != "caldavs://o%40vector.test:abcd-efgh@crm.vector.test:8443/in/dav/" {
		t.Error(got)
	}
	for base, want := range map[string]bool{"http://127.0.0.1:8080": false, "http://localhost": false, "http://[::1]:80": false, "https://crm.vector.test": true, "http://192.168.1.5:8080": true} {
		if reachable(base) != want {
			t.Errorf("%s: %t", base, !want)
		}
	}
}

func TestSetup_QRCode(t *testing.T) {
	h := newHouse(t, Options{})
	b := h.login("anna")
	b.get("/setup").lacks(t, `class="qr"`) // a phone cannot reach 127.0.0.1
	h = newHouse(t, Options{PublicURL: "https://crm.vector.test"})
	b = h.browser()
	a := b.post("/login", url.Values{"login": {"boris"}, "password": {"secret of boris"}})
	cookie, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
	b.header.Set("Cookie", cookie) // the jar keeps it from http
	svg := regexp.MustCompile(`(?s)<svg class="qr".*?</svg>`)
	codes := svg.FindAllString(b.get("/setup").body, -1)
	if len(codes) != 2 {
		t.Fatalf("%d codes", len(codes))
	}
	if one, two := scan(t, codes[0]), scan(t, codes[1]); one != "caldavs://boris@crm.vector.test/dav/" || two != "https://crm.vector.test/setup" {
		t.Errorf("%q %q", one, two)
	}
	made := b.post("/setup/devices", url.Values{"name": {"Pixel 9"}})
	password := appPasswordShape.FindString(made.body)
	if made.code != http.StatusOK {
		t.Fatal(made.code)
	}
	if got := scan(t, svg.FindString(made.body)); got != "caldavs://boris:"+password+"@crm.vector.test/dav/" {
		t.Errorf("%q", got)
	}
}
