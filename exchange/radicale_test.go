package exchange

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"intouch/store"
	"intouch/store/porttest"
)

// radicale starts Debian's CardDAV server with a user and gives its address.
// Where it is not installed the test is skipped, loudly; with
// INTOUCH_REQUIRE=all it fails.
func radicale(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("radicale")
	if err != nil {
		if os.Getenv("INTOUCH_REQUIRE") == "all" {
			t.Fatal("radicale is not installed (apt-get install radicale)")
		}
		t.Skip("SKIPPED, NOT PROVED: radicale is not installed (apt-get install radicale)")
	}
	addr := porttest.Addr(t)
	dir := t.TempDir()
	users := filepath.Join(dir, "users")
	if err := os.WriteFile(users, []byte("anna:correct horse\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	cmd := exec.Command(program, "--config", "", "--server-hosts", addr, "--auth-type", "htpasswd", "--auth-htpasswd-filename", users,
		"--auth-htpasswd-encryption", "plain", "--auth-delay", "0", "--storage-filesystem-folder", filepath.Join(dir, "store"), "--logging-level", "warning")
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("radicale said:\n%s", said.String())
		}
	})
	for range 300 {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return "http://" + addr + "/"
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("radicale does not listen")
	return ""
}

// edit makes a request as a program of the user would.
func edit(t *testing.T, method, url, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("anna", "correct horse")
	if method == http.MethodPut {
		req.Header.Set("Content-Type", "text/vcard; charset=utf-8")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode/100 != 2 {
		t.Fatalf("%s %s: %s", method, url, res.Status)
	}
}

func vcardOf(uid, name, address string, more ...string) string {
	return strings.Join(append([]string{"BEGIN:VCARD", "VERSION:3.0", "UID:" + uid, "FN:" + name, "N:;" + name + ";;;", "EMAIL:" + address}, append(more, "END:VCARD", "")...), "\r\n")
}

func annas(url string) *CardServer {
	return &CardServer{URL: url, Username: "anna", Password: func() (string, error) { return "correct horse", nil }}
}

func TestCardDAVFromRadicale(t *testing.T) {
	each(t, func(t *testing.T, st *store.Store) {
		server := radicale(t)
		importText(t, st, Clients, "id,name,domains\nr,Romashka,romashka.test\n")
		edit(t, "MKCOL", server+"anna/friends/", `<?xml version="1.0"?><mkcol xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"><set><prop><resourcetype><collection/><C:addressbook/></resourcetype><displayname>Друзья</displayname></prop></set></mkcol>`)
		edit(t, "MKCOL", server+"anna/plans/", `<?xml version="1.0"?><mkcol xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><set><prop><resourcetype><collection/><C:calendar/></resourcetype></prop></set></mkcol>`)
		photo := "PHOTO;ENCODING=b;TYPE=JPEG:" + strings.Repeat("/9j/4AAQ", 20_000)
		edit(t, "PUT", server+"anna/friends/petr.vcf", vcardOf("petr", "Пётр Иванов", "petr@romashka.test", "TITLE:Директор", photo))
		edit(t, "PUT", server+"anna/friends/gone.vcf", vcardOf("gone", "Olga Sidorova", "olga@romashka.test"))
		edit(t, "PUT", server+"anna/friends/far.vcf", vcardOf("far", "Far Away", "far@elsewhere.test"))

		for _, door := range []string{server, server + "anna/", server + "anna/friends/", server + "anna/friends"} {
			books, err := annas(door).Books(t.Context())
			if err != nil || len(books) != 1 || books[0].URL != server+"anna/friends/" || books[0].Name != "Друзья" {
				t.Fatalf("books from %s: %+v, %v", door, books, err)
			}
		}
		wrong := annas(server)
		wrong.Password = func() (string, error) { return "wrong", nil }
		if _, err := wrong.Books(t.Context()); err == nil || err.Error() != "the server does not accept this user name and password" {
			t.Errorf("a wrong password: %v", err)
		}

		var fetched []string
		counted := annas(server)
		counted.Transport = watch(func(req *http.Request, body string) {
			if strings.Contains(body, "addressbook-multiget") {
				fetched = append(fetched, fmt.Sprint(strings.Count(body, "<D:href>")))
			}
		})
		sync := func(whole bool) string {
			t.Helper()
			fetched = nil
			books, err := counted.Books(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			sum, err := ImportCardBook(t.Context(), st, BookOptions{Actor: store.Actor{Origin: store.FromImport}}, books[0], whole)
			if err != nil {
				t.Fatal(err)
			}
			return fmt.Sprintf("%d new %d changed %d unchanged %d refused %d offered, fetched %v", sum.New, sum.Changed, sum.Unchanged, sum.Refused, sum.Offered, fetched)
		}
		check := func(step, want, got string) {
			t.Helper()
			if want != got {
				t.Errorf("%s: %s, want %s", step, got, want)
			}
		}
		check("at first", "2 new 0 changed 0 unchanged 0 refused 1 offered, fetched [3]", sync(false))
		check("nothing changed", "0 new 0 changed 0 unchanged 0 refused 0 offered, fetched []", sync(false))
		edit(t, "PUT", server+"anna/friends/petr.vcf", vcardOf("petr", "Пётр Иванов", "petr@romashka.test", "TITLE:Генеральный директор"))
		check("one changed", "0 new 1 changed 0 unchanged 0 refused 0 offered, fetched [1]", sync(false))
		edit(t, "DELETE", server+"anna/friends/gone.vcf", "")
		check("one deleted there", "0 new 0 changed 0 unchanged 0 refused 0 offered, fetched []", sync(false))
		persons := export(t, st, ExportOptions{Kind: Persons, Format: CSV})
		if !strings.Contains(persons, "Генеральный директор") || !strings.Contains(persons, "Olga Sidorova") || strings.Contains(persons, "Far Away") {
			t.Errorf("persons:\n%s", persons)
		}
		check("all again", "0 new 0 changed 2 unchanged 0 refused 0 offered, fetched [2]", sync(true))
		if err := st.SaveCardBook(t.Context(), server+"anna/friends/", store.CardBookNews{Token: syncPrefix + "http://radicale.org/ns/sync/0000"}); err != nil {
			t.Fatal(err)
		}
		check("a token that the server does not know", "0 new 0 changed 0 unchanged 0 refused 0 offered, fetched []", sync(false))
		if _, etags, err := st.CardBook(t.Context(), server+"anna/friends/"); err != nil || len(etags) != 2 {
			t.Errorf("etags %v, %v", etags, err)
		}
	})
}

// watch is a transport that shows each request.
type watch func(req *http.Request, body string)

func (w watch) RoundTrip(req *http.Request) (*http.Response, error) {
	var body bytes.Buffer
	if req.Body != nil {
		if _, err := body.ReadFrom(req.Body); err != nil {
			return nil, err
		}
		req = req.Clone(context.WithoutCancel(req.Context()))
		req.Body = http.NoBody
		if body.Len() > 0 {
			req.Body = readCloser{bytes.NewReader(body.Bytes())}
		}
	}
	w(req, body.String())
	return http.DefaultTransport.RoundTrip(req)
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }
