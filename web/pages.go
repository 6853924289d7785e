package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"path"
	"regexp"
	"strings"
	"sync"

	"intouch/store"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static
var staticFiles embed.FS

// pages are the templates, once per language, and the assets.
type pages struct {
	ru, en *template.Template
	assets map[string][]byte // by name
	urls   assetURLs
}

// assetURLs are where the frame's assets are.
type assetURLs struct {
	Style, Script, Icon string
}

// frame is what the templates get: what surrounds every page, and its Body.
type frame struct {
	Title   string
	Lang    store.Language
	Here    string // entry of the navigation
	In      bool   // somebody is logged in
	Who     string
	Notice  notice
	Open    string // how many questions wait
	Version string
	Assets  assetURLs
	Sought  string // what the search box holds
	Body    any
}

func parsePages() pages {
	p := pages{ru: parseTemplates(store.Russian), en: parseTemplates(store.English), assets: map[string][]byte{}}
	for _, name := range []string{"style.css", "app.js", "icon.svg"} {
		b, err := staticFiles.ReadFile("static/" + name)
		if err != nil {
			panic(err) // embedded: missing only in a broken build
		}
		p.assets[name] = b
	}
	p.urls = assetURLs{Style: p.url("style.css"), Script: p.url("app.js"), Icon: p.url("icon.svg")}
	return p
}

// fixedWords are those that a page always says.
var fixedWords = regexp.MustCompile(`\{\{t "([^"]+)"\}\}`)

// otherActs are what the buttons behind a row's ⋯ depend on.
type otherActs struct {
	Days, Contact bool
	Importance    store.Importance
}

// parseTemplates gives the templates in one language: t, word and money know it.
// What is always the same stands in them as it is shown: to look up and escape
// the words of each row's buttons took a quarter of a long list's time.
func parseTemplates(lang store.Language) *template.Template {
	say := voice{lang: lang}
	var all *template.Template
	var made sync.Map // otherActs → template.HTML
	all = template.New("").Funcs(template.FuncMap{
		"t":       say.t,
		"word":    func(kind string, v any) string { return store.Word(lang, fmt.Sprintf("%s%v", kind, v)) },
		"money":   func(m store.Money) string { return m.Format(lang) },
		"text":    linkify,
		"clip":    clip,
		"snoozes": func(days bool) []option { return snoozeOptions(lang, days) },
		"others": func(days, contact bool, importance store.Importance) (template.HTML, error) {
			acts := otherActs{days, contact, importance}
			if done, ok := made.Load(acts); ok {
				return done.(template.HTML), nil
			}
			var b strings.Builder
			if err := all.ExecuteTemplate(&b, "others", acts); err != nil {
				return "", err
			}
			made.Store(acts, template.HTML(b.String())) // escaped by the template
			return template.HTML(b.String()), nil
		},
		"boxes": func(name string, all []option) boxes { return boxes{name, all} },
	})
	files, err := templateFiles.ReadDir("templates")
	if err != nil {
		panic(err) // embedded: missing only in a broken build
	}
	for _, f := range files {
		text, err := templateFiles.ReadFile("templates/" + f.Name())
		if err != nil {
			panic(err)
		}
		text = fixedWords.ReplaceAllFunc(text, func(call []byte) []byte {
			return []byte(template.HTMLEscapeString(say.t(string(fixedWords.FindSubmatch(call)[1]))))
		})
		template.Must(all.New(f.Name()).Parse(string(text)))
	}
	return all
}

// boxes are the checkboxes of one name.
type boxes struct {
	Name    string
	Options []option
}

func (p *pages) render(w io.Writer, lang store.Language, name string, f frame) error {
	t := p.en
	if lang == store.Russian {
		t = p.ru
	}
	if err := t.ExecuteTemplate(w, name, f); err != nil {
		return fmt.Errorf("render %s: %w", name, err)
	}
	return nil
}

// url names an asset with a mark of its content, so that browsers may keep it
// for good.
func (p *pages) url(name string) string {
	sum := sha256.Sum256(p.assets[name])
	return "/static/" + name + "?" + hex.EncodeToString(sum[:5])
}

var assetTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

func (p *pages) static(w http.ResponseWriter, r *http.Request) {
	name := path.Base(r.URL.Path)
	b, ok := p.assets[name]
	if !ok || r.URL.Path != "/static/"+name {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", assetTypes[path.Ext(name)])
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	w.Write(b)
}
