package mailer

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/png"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"strings"
	"testing"
)

// withPictures is the sample with so many pictures.
func withPictures(t *testing.T, n int) Message {
	m := sample()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 40, 30))); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		picture := Image{ID: ImageID(m.MessageID, i+1), PNG: b.Bytes(), Name: "chart.png"}
		m.Images = append(m.Images, picture)
		m.HTML += `<img src="` + picture.URL() + `" alt="Звонки: 5">`
	}
	return m
}

// A mail with pictures: alternative(text, related(page, picture, …)), each
// picture under the Content-ID that the page names (RFC 2387, RFC 2392).
func TestCompose_Pictures(t *testing.T) {
	want := withPictures(t, 2)
	got, err := Compose(want)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "pictures.eml", got)
	checkShape(t, got)
	m, err := mail.ReadMessage(bytes.NewReader(got))
	if err != nil {
		t.Fatal(err)
	}
	_, params, _ := mime.ParseMediaType(m.Header.Get("Content-Type"))
	outer := multipart.NewReader(m.Body, params["boundary"])
	text, err := outer.NextPart()
	if err != nil || text.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Fatalf("first part: %v %v", text, err)
	}
	second, err := outer.NextPart()
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(second.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/related" || params["type"] != "text/html" {
		t.Fatalf("second part is %q %v %v", kind, params, err)
	}
	related := multipart.NewReader(second, params["boundary"])
	page, err := related.NextPart()
	if err != nil {
		t.Fatal(err)
	}
	html, _ := io.ReadAll(page)
	if strings.TrimSpace(string(html)) != want.HTML {
		t.Errorf("the page reads %q", html)
	}
	for i, picture := range want.Images {
		p, err := related.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		id := strings.Trim(p.Header.Get("Content-Id"), "<>")
		data, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, p))
		if id != picture.ID || !bytes.Equal(data, picture.PNG) || err != nil || !strings.Contains(string(html), "cid:"+id) {
			t.Errorf("picture %d: id %q, %d bytes, %v", i+1, id, len(data), err)
		}
	}
	if _, err := related.NextPart(); err != io.EOF {
		t.Errorf("after the pictures: %v", err)
	}
	if _, err := outer.NextPart(); err != io.EOF {
		t.Errorf("after the related part: %v", err)
	}
}

func TestCompose_BadPictures(t *testing.T) {
	for name, spoil := range map[string]func(m *Message){
		"pictures are more":             func(m *Message) { *m = withPictures(t, MaxImages+1) },
		"is no PNG":                     func(m *Message) { m.Images[1].PNG = []byte("GIF89a") },
		"bytes, ":                       func(m *Message) { m.Images[1].PNG = append(m.Images[0].PNG, make([]byte, MaxImage)...) },
		"is not a Content-ID":           func(m *Message) { m.Images[1].ID = "a@b>\r\nX: y" },
		"is not the name of a file":     func(m *Message) { m.Images[1].Name = "../a\r\n.png" },
		"has the Content-ID of another": func(m *Message) { m.Images[1].ID = m.Images[0].ID },
		"is not shown by the page":      func(m *Message) { m.HTML = "<p>" },
	} {
		m := withPictures(t, 2)
		spoil(&m)
		if _, err := Compose(m); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("want %q, got %v", name, err)
		}
	}
}
