package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// mayImport is the picture of docs/architecture.md: which of our packages each
// one may import. cmd/intouchd builds everything, and nobody imports it.
var mayImport = map[string][]string{
	".":          {},
	"store":      {},
	"mailer":     {"oauth"},
	"oauth":      {},
	"autoconfig": {},
	"report":     {"store"},
	"mailsync":   {"store", "oauth"},
	"caldav":     {"store"},
	"exchange":   {"store"},
	"scheduler":  {"store", "report", "mailer"},
	"web":        {"store", "report", "mailer"},

	// What tests of every room stand on: an empty store on both engines, and
	// real mailboxes and mail servers. Only tests import them.
	"store/storetest":   {"store", "store/porttest"},
	"store/porttest":    {},
	"mailsync/mailtest": {"store/porttest"},
	"mailer/smtptest":   {"store/porttest"},
	"oauth/oauthtest":   {},
}

// testRoom reports whether a package is for tests alone.
func testRoom(pkg string) bool { return strings.HasSuffix(pkg, "test") }

// owners are the packages that own a library: nobody else imports it. Tests
// may, to stand for the other side of a protocol.
var owners = map[string][]string{
	// The demo runs an IMAP and an SMTP server of its own: the servers'
	// packages are cmd's, the clients' are not.
	"github.com/emersion/go-imap/v2":                          {"mailsync", "cmd/intouchd"},
	"github.com/emersion/go-imap/v2/imapclient":               {"mailsync"},
	"github.com/emersion/go-imap/v2/imapserver":               {"cmd/intouchd"},
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver": {"cmd/intouchd"},
	"github.com/emersion/go-message":                          {"mailsync"},
	"github.com/emersion/go-vcard":                            {"report"},
	"github.com/emersion/go-ical":                             {"caldav"},
	"github.com/teambition/rrule-go":                          {"caldav"},
	"github.com/emersion/go-webdav":                           {"caldav"},
	"golang.org/x/time":                                       {"caldav"},
	"github.com/google/uuid":                                  {"web"},
	"github.com/go-json-experiment/json":                      {"web"},
	"github.com/emersion/go-smtp":                             {"mailer", "cmd/intouchd"},
	"github.com/emersion/go-sasl":                             {"mailer", "mailsync", "oauth"},
	"golang.org/x/oauth2":                                     {"oauth"},
	"github.com/robfig/cron":                                  {"scheduler"},
	"database/sql":                                            {"store", "exchange"}, // exchange reads Thunderbird's books, which are SQLite files
	"modernc.org/sqlite":                                      {"store"},
	"github.com/jackc/pgx":                                    {"store"},
	"github.com/pressly/goose":                                {"store"},
	"github.com/govalues/decimal":                             {"store"},
	"github.com/spf13/cobra":                                  {"cmd/intouchd"},
	"github.com/pelletier/go-toml":                            {"cmd/intouchd"},
	"html/template":                                           {"web", "scheduler", "report"},
	"github.com/xuri/excelize":                                {"report"},
	"github.com/go-fonts/dejavu":                              {"report"},
	"github.com/microcosm-cc/bluemonday":                      {"web"},
	"golang.org/x/image":                                      {"report"},
	"github.com/mattn/go-runewidth":                           {"report"},
}

// TestImports holds the picture of the house to the code.
func TestImports(t *testing.T) {
	const root = "../.."
	seen := map[string]bool{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && name != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		pkg := path.Dir(filepath.ToSlash(rel))
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		seen[pkg] = true
		for _, im := range file.Imports {
			target, err := strconv.Unquote(im.Path.Value)
			if err != nil {
				return err
			}
			if why := refuses(pkg, target, strings.HasSuffix(name, "_test.go")); why != "" {
				t.Errorf("%s imports %s: %s", rel, target, why)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range seen {
		if _, known := mayImport[pkg]; !known && pkg != "cmd/intouchd" {
			t.Errorf("package %s is not in the picture: give it a place in docs/architecture.md and here", pkg)
		}
	}
	if len(seen) < 5 {
		t.Errorf("only %d packages seen: the test looks in the wrong place", len(seen))
	}
}

// refuses says why a package may not import a path; "" when it may.
func refuses(pkg, target string, test bool) string {
	if ours, ok := strings.CutPrefix(target, "intouch/"); ok {
		switch {
		case strings.HasPrefix(ours, "cmd/"):
			return "nobody imports cmd"
		case testRoom(ours) && !test && !testRoom(pkg):
			return "it is for tests alone"
		case pkg == "cmd/intouchd" || slices.Contains(mayImport[pkg], ours),
			test && (ours == pkg || testRoom(ours)):
			return ""
		}
		return "the picture of the house has no such line"
	}
	if test {
		return ""
	}
	// The longest owner's path decides.
	library, best := "", []string(nil)
	for lib, who := range owners {
		if (target == lib || strings.HasPrefix(target, lib+"/")) && len(lib) > len(library) {
			library, best = lib, who
		}
	}
	if library != "" && !slices.Contains(best, pkg) && !slices.Contains(best, strings.TrimSuffix(pkg, "/storetest")) {
		return "it belongs to " + strings.Join(best, " and ")
	}
	return ""
}

func TestRefuses(t *testing.T) {
	for _, c := range []struct {
		pkg, target string
		test, want  bool
	}{
		{"web", "intouch/store", false, false},
		{"web", "intouch/caldav", false, true},
		{"web", "intouch/caldav", true, true},
		{"store", "intouch/mailer", false, true},
		{"mailsync", "intouch/cmd/intouchd", false, true},
		{"cmd/intouchd", "intouch/web", false, false},
		{"cmd/intouchd", "github.com/emersion/go-imap/v2/imapclient", false, true},
		{"cmd/intouchd", "github.com/emersion/go-imap/v2/imapserver/imapmemserver", false, false},
		{"web", "database/sql", false, true},
		{"web", "intouch/store/storetest", false, true},
		{"web", "intouch/store/storetest", true, false},
		{"cmd/intouchd", "intouch/store/storetest", false, true},
		{"cmd/intouchd", "intouch/mailsync/mailtest", true, false},
		{"web", "database/sql/driver", false, true},
		{"web", "database/sql", true, false},
		{"caldav", "github.com/emersion/go-ical", false, false},
	} {
		if got := refuses(c.pkg, c.target, c.test); (got != "") != c.want {
			t.Errorf("%s imports %s (test %v): %q", c.pkg, c.target, c.test, got)
		}
	}
}

// TestArchitecturePage holds docs/architecture.md to the code: every file, room
// and function that it names exists.
func TestArchitecturePage(t *testing.T) {
	const root = "../.."
	page, err := os.ReadFile(filepath.Join(root, "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	functions := map[string]bool{}
	for pkg := range mayImport {
		files, err := filepath.Glob(filepath.Join(root, pkg, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		if len(files) > 0 && !testRoom(pkg) && !strings.Contains(string(page), "`"+pkg+"`") {
			t.Errorf("the page does not name the room %s", pkg)
		}
		noteFunctions(t, files, functions)
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	noteFunctions(t, files, functions)

	for _, m := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(string(page), -1) {
		name := m[1]
		switch {
		case strings.HasSuffix(name, ".go"):
			if _, err := os.Stat(filepath.Join(root, name)); err != nil {
				t.Errorf("the page names %s, which is not there", name)
			}
		case regexp.MustCompile(`^[A-Za-z]+\.[A-Za-z]+$`).MatchString(name) && name != "session.key":
			if !functions[name] {
				t.Errorf("the page names the function %s, which is not there", name)
			}
		}
	}
}

// noteFunctions notes the functions of files as "package.Name", methods as
// "Type.Name".
func noteFunctions(t *testing.T, files []string, into map[string]bool) {
	t.Helper()
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			owner := file.Name.Name
			if f.Recv != nil {
				typ := f.Recv.List[0].Type
				if star, ok := typ.(*ast.StarExpr); ok {
					typ = star.X
				}
				if id, ok := typ.(*ast.Ident); ok {
					owner = id.Name
				}
			}
			into[owner+"."+f.Name.Name] = true
		}
	}
}
