package exchange

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/text/encoding/charmap"

	"intouch/store"
	"intouch/store/storetest"
)

// oneC is 1C: it goes through an exchange step by step, as its configurations
// do. Old ones ask for no version and never for an import.
type oneC struct {
	t         testing.TB
	url       string
	name      string
	token     string
	agent     string
	cookie    string
	sessid    string
	fileLimit int
	zip       bool
}

// house is a handler with its worker on a store, and an account for 1C.
type house struct {
	st    *store.Store
	onec  *OneC
	url   string
	token string
}

func openHouse(t testing.TB, st *store.Store, opt OneCOptions) *house {
	t.Helper()
	if opt.FileLimit == 0 {
		opt.FileLimit = 64 << 10
	}
	if opt.MaxUpload == 0 {
		opt.MaxUpload = 64 << 20
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	h := &house{st: st, onec: NewOneC(st, opt)}
	server := httptest.NewServer(h.onec)
	t.Cleanup(server.Close)
	h.url = server.URL + OneCPath
	_, token, err := st.AddIntegration(t.Context(), "1С", []store.Scope{store.ScopeExchange})
	if err != nil {
		t.Fatal(err)
	}
	h.token = token
	return h
}

// work runs the worker until the returned function is called.
func (h *house) work(t testing.TB) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := h.onec.Run(ctx); err != nil {
			t.Errorf("worker: %v", err)
		}
	})
	stop = sync.OnceFunc(func() { cancel(); done.Wait() })
	t.Cleanup(stop)
	return stop
}

func (h *house) oneC(t testing.TB) *oneC {
	return &oneC{t: t, url: h.url, name: "1С", token: h.token, agent: "1C+Enterprise/8.3"}
}

// ask makes one request and gives the lines of the answer.
func (c *oneC) ask(method string, query url.Values, body io.Reader) []string {
	c.t.Helper()
	if c.sessid != "" {
		query.Set("sessid", c.sessid)
	}
	req, err := http.NewRequest(method, c.url+"?"+query.Encode(), body)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("User-Agent", c.agent)
	req.SetBasicAuth(c.name, c.token)
	if c.cookie != "" {
		req.Header.Set("Cookie", c.cookie)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if strings.Contains(resp.Header.Get("Content-Type"), "1251") {
		if text, err = charmap.Windows1251.NewDecoder().Bytes(text); err != nil {
			c.t.Fatal(err)
		}
	}
	return strings.Split(string(text), "\n")
}

func (c *oneC) get(mode string, more ...string) []string {
	c.t.Helper()
	query := url.Values{"type": {"sale"}, "mode": {mode}}
	for i := 0; i < len(more); i += 2 {
		query.Set(more[i], more[i+1])
	}
	return c.ask("GET", query, nil)
}

// begin logs in and asks what may be sent; version "" is old 1C.
func (c *oneC) begin(version string) {
	c.t.Helper()
	c.cookie, c.sessid = "", ""
	lines := c.get("checkauth")
	if lines[0] != "success" || len(lines) < 3 {
		c.t.Fatalf("checkauth: %q", lines)
	}
	c.cookie = lines[1] + "=" + lines[2]
	if version != "" {
		c.sessid = strings.TrimPrefix(lines[3], "sessid=")
		lines = c.get("init", "version", version)
	} else {
		lines = c.get("init")
		if len(lines) != 2 { // old 1C takes anything else for an error
			c.t.Fatalf("init: %q", lines)
		}
	}
	c.zip = lines[0] == "zip=yes"
	limit, err := strconv.Atoi(strings.TrimPrefix(lines[1], "file_limit="))
	if err != nil {
		c.t.Fatalf("init: %q", lines)
	}
	c.fileLimit = limit
}

// send sends a file in parts and gives the answer to the last one.
func (c *oneC) send(name string, file []byte) (answer []string) {
	c.t.Helper()
	for part := range chunksOf(file, c.fileLimit) {
		answer = c.ask("POST", url.Values{"type": {"sale"}, "mode": {"file"}, "filename": {name}}, bytes.NewReader(part))
		if answer[0] != "success" {
			return answer
		}
	}
	return answer
}

func chunksOf(file []byte, n int) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(file) > 0 {
			k := min(n, len(file))
			if !yield(file[:k]) {
				return
			}
			file = file[k:]
		}
	}
}

// imported asks for the import until it has ended.
func (c *oneC) imported(name string) []string {
	c.t.Helper()
	for range 100 {
		answer := c.get("import", "filename", name)
		if answer[0] != "progress" {
			return answer
		}
	}
	c.t.Fatal("the import does not end")
	return nil
}

// packed is an archive of files, by name and text in turn.
func packed(t testing.TB, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		f, err := w.Create(files[i])
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(f, files[i+1])
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func sampleFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// record is the newest file's.
func (h *house) record(t testing.TB) store.ExchangeFile {
	t.Helper()
	all, err := h.st.ExchangeFiles(t.Context(), 1)
	if err != nil || len(all) == 0 {
		t.Fatalf("records %v, error %v", all, err)
	}
	return all[0]
}

func expect(t testing.TB, what string, got []string, want ...string) {
	t.Helper()
	text := strings.Join(got, "\n")
	for i, w := range want {
		if i == 0 && got[0] != w || !strings.Contains(text, w) {
			t.Errorf("%s: %q, want %q", what, got, want)
			return
		}
	}
}

// Old 1C: no version, no zip, no import; the answer to the last part tells.
func TestOneC_Old(t *testing.T) {
	each(t, func(t *testing.T, st *store.Store) {
		h := openHouse(t, st, OneCOptions{FileLimit: 1000})
		h.work(t)
		c := h.oneC(t)
		c.begin("")
		expect(t, "query", c.get("query"), `<?xml version="1.0" encoding="UTF-8"?>`, `ВерсияСхемы="2.05"`)
		expect(t, "success", c.get("success"), "success")
		for _, name := range []string{"commerceml-2.05-utf8.xml", "commerceml-2.10-1251.xml"} {
			expect(t, name, c.send("1cbitrix-"+name, sampleFile(t, name)), "success", "заказы: новых")
		}
		if f := h.record(t); f.State != store.ExchangeDone || f.Integration != "1С" || f.Report.Orders.New == 0 || f.Size == 0 {
			t.Errorf("record: %+v", f)
		}
		again := h.oneC(t)
		again.begin("")
		expect(t, "again", again.send("1cbitrix-x.xml", sampleFile(t, "commerceml-2.05-utf8.xml")), "success", "заказы: новых 0, изменено 0")
	})
}

// Newer 1C: a version, sessid, an archive in parts, import until it has ended.
func TestOneC_New(t *testing.T) {
	each(t, func(t *testing.T, st *store.Store) {
		h := openHouse(t, st, OneCOptions{FileLimit: 500})
		h.work(t)
		c := h.oneC(t)
		c.begin("3.1")
		expect(t, "init", c.get("init", "version", "2.08"), "zip=yes", "file_limit=500\nsessid="+c.sessid+"\nversion=2.08")
		expect(t, "init", c.get("init", "version", "3.1"), "zip=yes", "version=3.1")
		expect(t, "query", c.get("query"), `<?xml version="1.0" encoding="UTF-8"?>`, `xmlns="urn:1C.ru:commerceml_3" ВерсияСхемы="3.1"`)
		expect(t, "info", c.get("info"), `<?xml version="1.0" encoding="UTF-8"?>`, `<Справочник/>`)
		archive := packed(t, "import_files/photo.jpg", "x", "../../etc/documents-1.xml", string(sampleFile(t, "commerceml-3.1-utf8.xml")),
			"orders-2.XML", string(sampleFile(t, "commerceml-2.10-1251.xml")))
		expect(t, "file", c.send("v8_1A2B.zip", archive), "success")
		for _, name := range []string{"documents-1.xml", "orders-2.XML", "v8_1A2B.zip"} {
			expect(t, "import "+name, c.imported(name), "success", "заказы: новых", "оплаты и отгрузки: новых")
		}
		expect(t, "import of another", c.imported("other.xml"), "failure", "other.xml в этом обмене не передавался")
		expect(t, "complete", c.get("complete"), "success")
		expect(t, "deactivate", c.get("deactivate", "timestamp", "1"), "success")
		if f := h.record(t); strings.Join(f.Report.Entries, " ") != "documents-1.xml orders-2.XML" {
			t.Errorf("entries %q", f.Report.Entries)
		}
	})
}

// What is sent twice, breaks off or comes in the wrong order.
func TestOneC_Interrupted(t *testing.T) {
	each(t, func(t *testing.T, st *store.Store) {
		h := openHouse(t, st, OneCOptions{FileLimit: 5000})
		h.work(t)
		c := h.oneC(t)
		file := []byte(root + strings.Repeat("<!-- long -->\n", 2000) + order("a", "100.00") + "</КоммерческаяИнформация>\r\n")
		post := func(body io.Reader) []string {
			return c.ask("POST", url.Values{"type": {"sale"}, "mode": {"file"}, "filename": {"a.xml"}}, body)
		}

		c.begin("")
		expect(t, "a part", post(bytes.NewReader(file[:5000])), "success")
		expect(t, "import of a half", c.get("import", "filename", "a.xml"), "failure", "a.xml передан не полностью")
		c.begin("") // 1C was restarted: the half is another session's
		expect(t, "import of another session's", c.get("import", "filename", "a.xml"), "failure", "не передавался")

		expect(t, "first", post(bytes.NewReader(file[:5000])), "success")
		h.breakOff(t, c, "a.xml", file[5000:9000])
		expect(t, "second, after it broke off", post(bytes.NewReader(file[5000:10000])), "success")
		expect(t, "second, as its answer was lost", post(bytes.NewReader(file[5000:10000])), "success")
		expect(t, "the rest", post(bytes.NewReader(file[10000:])), "success", "заказы: новых 1")
		expect(t, "the rest, as its answer was lost", post(bytes.NewReader(file[10000:])), "success", "заказы: новых 1")
		expect(t, "import", c.imported("a.xml"), "success", "заказы: новых 1")

		c.begin("")
		expect(t, "first", post(bytes.NewReader(file[:5000])), "success")
		c.get("init") // begins anew in the same session
		expect(t, "all", c.send("a.xml", file), "success", "заказы: новых 0, изменено 0, без изменений 1")
		if f := h.record(t); f.Report.Orders.Unchanged != 1 {
			t.Errorf("record %+v", f)
		}
	})
}

// breakOff sends a part whose connection ends before its announced length.
func (h *house) breakOff(t testing.TB, c *oneC, name string, half []byte) {
	t.Helper()
	at, err := url.Parse(h.url)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", at.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST %s?type=sale&mode=file&filename=%s HTTP/1.1\r\nHost: x\r\nCookie: %s\r\nContent-Length: %d\r\n\r\n%s", OneCPath, name, c.cookie, len(half)+1000, half)
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.Contains(string(answer), "пришла не полностью") {
		t.Errorf("half a part: %q, error %v", answer, err)
	}
}

// order is one that can be imported.
func order(id, sum string) string {
	return `<Документ><Ид>` + id + `</Ид><Номер>` + id + `</Номер><Дата>2026-11-10</Дата><ХозОперация>Заказ товара</ХозОперация><Роль>Продавец</Роль><Валюта>RUB</Валюта><Сумма>` + sum + `</Сумма>` +
		`<Контрагенты><Контрагент><Ид>client</Ид><Наименование>Клиент</Наименование><Роль>Покупатель</Роль></Контрагент></Контрагенты></Документ>`
}

// What is refused, with the line that 1C shows.
func TestOneC_Refuses(t *testing.T) {
	h := openHouse(t, storetest.SQLite(t, testStore), OneCOptions{FileLimit: 1 << 20, MaxUpload: 20 << 20})
	h.work(t)
	c := h.oneC(t)

	wrong := h.oneC(t)
	wrong.token = strings.Replace(h.token, h.token[10:14], "0000", 1)
	expect(t, "wrong password", wrong.get("checkauth"), "failure", "неверное имя пользователя или пароль")
	wrong.token, wrong.name = h.token, "olga"
	expect(t, "wrong name", wrong.get("checkauth"), "failure", "неверное имя пользователя или пароль")
	expect(t, "without a session", c.get("init"), "failure", "обмен не начат")
	c.cookie = sessionName + "=AAAA"
	expect(t, "a guessed session", c.get("query"), "failure", "сеанс обмена закончился")
	_, other, err := h.st.AddIntegration(t.Context(), "shop", []store.Scope{store.ScopeRead})
	if err != nil {
		t.Fatal(err)
	}
	reader := h.oneC(t)
	reader.name, reader.token = "shop", other
	expect(t, "no right", reader.get("checkauth"), "failure", "нет права exchange")

	c.begin("2.08")
	sessid := c.sessid
	c.sessid = "0123"
	expect(t, "another's sessid", c.get("query"), "failure", "sessid")
	c.sessid = sessid
	expect(t, "unknown mode", c.get("explode"), "failure", "mode=explode")
	expect(t, "unknown type", c.ask("GET", url.Values{"type": {"crm"}, "mode": {"init"}}, nil), "failure", "type=crm")
	expect(t, "no name", c.get("import"), "failure", "filename")
	expect(t, "file by GET", c.get("file", "filename", "x.xml"), "failure", "POST")
	expect(t, "goods", c.ask("POST", url.Values{"type": {"catalog"}, "mode": {"file"}, "filename": {"import.xml"}}, strings.NewReader("goods")), "success")
	expect(t, "goods' import", c.ask("GET", url.Values{"type": {"catalog"}, "mode": {"import"}, "filename": {"import.xml"}}, nil), "success")

	bomb := strings.Repeat("<!--"+strings.Repeat(" ", 4089)+"-->", 5<<10)
	for name, one := range map[string]struct {
		file []byte
		want string
	}{
		"text":         {[]byte("<a/>"), ""}, // no end is seen
		"not.xml":      {[]byte("<a></КоммерческаяИнформация>"), "это не CommerceML"},
		"broken.xml":   {[]byte(root + "<Документ></Документы></КоммерческаяИнформация>"), "строка 1: XML повреждён (элемент <Документ> закрыт как </Документы>)"},
		"doctype.xml":  {[]byte(`<!DOCTYPE a [<!ENTITY x "y">]>` + root + "</КоммерческаяИнформация>"), "DOCTYPE"},
		"deep.xml":     {[]byte(root + strings.Repeat("<а>", 100) + "</КоммерческаяИнформация>"), "вложены глубже"},
		"sum.xml":      {[]byte(root + order("s\nуспех", "ten") + "</КоммерческаяИнформация>"), `не принято: 1, первое: строка 1 (s успех): Сумма: "ten" — не сумма`},
		"empty.zip":    {packed(t, "photo.jpg", "x"), "в архиве нет файлов .xml"},
		"bomb.zip":     {packed(t, "a.xml", root+bomb[:19<<20]+"</КоммерческаяИнформация>"), "распаковывается больше чем в 300 раз"},
		"big.zip":      {packed(t, "a.xml", root+bomb[:12<<20]+"</КоммерческаяИнформация>", "b.xml", root+bomb[:12<<20]+"</КоммерческаяИнформация>"), "файл после распаковки больше"},
		"in.zip":       {packed(t, "a.xml", root+order("z", "5.00")+"</КоммерческаяИнформация>", "b.xml", "<a/>"), "b.xml: это не CommerceML: первый элемент не КоммерческаяИнформация; загружено до ошибки: заказы: новых 1"},
		"damaged.zip":  {damaged(packed(t, "a.xml", root+order("d", "5.00")+"</КоммерческаяИнформация>")), "a.xml: архив повреждён"},
		"entries.zip":  {many(t, 1001), "в архиве больше 1000 файлов"},
		"catalog.zip":  {many(t, 20000), "оглавление архива слишком велико"},
		"password.zip": {locked(packed(t, "a.xml", "secret")), "архив защищён паролем"},
	} {
		c.begin("2.08")
		answer := c.send(name, one.file)
		if one.want == "" {
			expect(t, name, answer, "success")
			expect(t, name, c.imported(name), "failure", "не полностью")
			if f := h.record(t); f.State != store.ExchangeFailed || f.Name != name {
				t.Errorf("%s: record %+v", name, f)
			}
			continue
		}
		if answer[0] != "success" { // the machine is slow, and the import went on
			expect(t, name, answer, "failure", one.want)
		}
		expect(t, name, c.imported(name), "failure", one.want)
		if f := h.record(t); f.State != store.ExchangeFailed || !strings.Contains(f.Report.Message, one.want) {
			t.Errorf("%s: record %+v", name, f)
		}
	}
}

func damaged(archive []byte) []byte {
	for i := 60; i < 80; i++ {
		archive[i] ^= 0xff
	}
	return archive
}

func locked(archive []byte) []byte {
	at := bytes.LastIndex(archive, []byte("PK\x01\x02"))
	archive[at+8] |= 1
	return archive
}

func many(t testing.TB, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := range n {
		if _, err := w.Create(fmt.Sprintf("%d-%s.xml", i, strings.Repeat("x", 40))); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Long files are refused before they are read, and while they come.
func TestOneC_TooLong(t *testing.T) {
	h := openHouse(t, storetest.SQLite(t, testStore), OneCOptions{FileLimit: 1 << 20, MaxUpload: 4 << 20})
	c := h.oneC(t)
	c.begin("2.08")
	to := func(kind, name string) url.Values {
		return url.Values{"type": {kind}, "mode": {"file"}, "filename": {name}}
	}
	for _, kind := range []string{"sale", "catalog"} {
		at, err := url.Parse(h.url)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := net.Dial("tcp", at.Host)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "POST %s?%s HTTP/1.1\r\nHost: x\r\nCookie: %s\r\nContent-Length: %d\r\n\r\n", OneCPath, to(kind, "a.xml").Encode(), c.cookie, int64(2)<<30)
		answer, err := io.ReadAll(conn) // it is answered although nothing was sent
		if err != nil || !strings.Contains(string(answer), "файл больше 4 МБ") {
			t.Errorf("%s of 2 GB: %q, error %v", kind, answer, err)
		}
		conn.Close()
	}
	endless := func(n int64) io.Reader { return struct{ io.Reader }{io.LimitReader(zeros{}, n)} } // no length is known
	expect(t, "streamed", c.ask("POST", to("sale", "b.xml"), endless(5<<20)), "failure", "слишком велик")
	expect(t, "streamed goods", c.ask("POST", to("catalog", "b.xml"), endless(5<<20)), "failure", "файл больше 4 МБ")
	for _, name := range []string{"c.xml", "d.xml"} {
		c.begin("2.08")
		expect(t, name, c.ask("POST", to("sale", name), endless(4<<20)), "success")
	}
	c.begin("2.08")
	expect(t, "a third", c.ask("POST", to("sale", "e.xml"), strings.NewReader("x")), "failure", "слишком много файлов")
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// Several exchanges of one account, at the same time, each with its own files
// of the same name.
func TestOneC_Parallel(t *testing.T) {
	each(t, func(t *testing.T, st *store.Store) {
		h := openHouse(t, st, OneCOptions{FileLimit: 300})
		h.work(t)
		other := &house{st: st, onec: NewOneC(st, h.onec.opt)} // of another daemon
		other.work(t)
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				c := h.oneC(t)
				c.begin("3.1")
				file := []byte(root + order(strconv.Itoa(i), "10.00") + order("common", "20.00") + "</КоммерческаяИнформация>")
				expect(t, "file", c.send("orders.xml", file), "success")
				expect(t, "import", c.imported("orders.xml"), "success")
			})
		}
		all.Wait()
		files, err := st.ExchangeFiles(t.Context(), 100)
		if err != nil {
			t.Fatal(err)
		}
		fresh := 0
		for _, f := range files {
			fresh += f.Report.Orders.New
		}
		if len(files) != 8 || fresh != 9 {
			t.Errorf("%d files with %d new orders, want 8 with 9", len(files), fresh)
		}
	})
}

// A worker that is stopped in the middle, or dies with its claim, leaves the
// file to the next one.
func TestOneC_TakenOver(t *testing.T) {
	opt := testStore
	var ahead atomic.Int64
	opt.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) } // leases end
	storetest.Each(t, opt, func(t *testing.T, st *store.Store) {
		h := openHouse(t, st, OneCOptions{FileLimit: 1 << 20})
		stop := h.work(t)
		c := h.oneC(t)
		c.begin("3.1")
		file, err := io.ReadAll(manyOrders(4000, 10))
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan []string)
		go func() { done <- c.send("orders.xml", file) }()
		for {
			if sum, err := st.ExchangeFiles(t.Context(), 1); err != nil {
				t.Fatal(err)
			} else if len(sum) == 1 && sum[0].State == store.ExchangeImporting {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		stop()
		if f := h.record(t); f.State != store.ExchangeWaiting {
			t.Fatalf("stopped, the file is %s", f.State)
		}
		ahead.Store(int64(time.Hour)) // one whose clock is, claims for an hour
		if _, err := st.ClaimExchangeFile(t.Context(), time.Second); err != nil {
			t.Fatal(err)
		}
		ahead.Store(0)
		dead, err := st.ClaimExchangeFile(t.Context(), time.Second) // and is never heard of again
		if err != nil {
			t.Fatal(err)
		}
		h.work(t)
		<-done
		expect(t, "import", c.imported("orders.xml"), "success", "заказы: новых")
		if err := st.FinishExchangeFile(t.Context(), dead, nil); !errors.Is(err, store.ErrStale) {
			t.Errorf("the dead one finishes: %v", err)
		}
		// Papers of the interrupted import are there already, none twice.
		if f := h.record(t); f.Report.Orders.New+f.Report.Orders.Unchanged != 4000 || f.Tries() != 4 {
			t.Errorf("record %+v", f)
		}
	})
}

// What nobody needs any more goes; the record stays, with the refused papers.
func TestOneC_Cleans(t *testing.T) {
	each := func(t *testing.T, st *store.Store, later func(time.Duration)) {
		h := openHouse(t, st, OneCOptions{})
		h.work(t)
		c := h.oneC(t)
		c.begin("")
		expect(t, "file", c.send("a.xml", []byte(root+order("a", "1.00")+order("b", "x")+"</КоммерческаяИнформация>")), "success", "не принято: 1")
		expect(t, "half a file", c.send("b.xml", []byte(root+order("c", "1.00"))), "success")
		done := h.record(t)
		later(30 * time.Minute)
		expect(t, "half an hour later", c.get("query"), "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")
		later(2 * time.Hour)
		expect(t, "hours later", c.get("query"), "failure", "сеанс обмена закончился")
		if err := st.CleanExchange(t.Context()); err != nil {
			t.Fatal(err)
		}
		files, err := st.ExchangeFiles(t.Context(), 10)
		if err != nil || len(files) != 1 || files[0].Name != "a.xml" || done.ID == files[0].ID {
			t.Errorf("left: %+v, error %v", files, err)
		}
		if _, _, err := st.ExchangeChunk(t.Context(), files[0].ID, 0); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the bytes are there: %v", err)
		}
		papers, err := st.ExchangeRefused(t.Context(), files[0].ID)
		if err != nil || !strings.Contains(string(papers), "<Ид>b</Ид>") || strings.Contains(string(papers), "<Ид>a</Ид>") {
			t.Errorf("refused: %s, error %v", papers, err)
		}
		later(100 * 24 * time.Hour)
		if err := st.CleanExchange(t.Context()); err != nil {
			t.Fatal(err)
		}
		if files, err := st.ExchangeFiles(t.Context(), 10); err != nil || len(files) != 0 {
			t.Errorf("old records: %+v, error %v", files, err)
		}
	}
	for engine, open := range map[string]func(testing.TB, store.Options) *store.Store{"sqlite": storetest.SQLite, "postgres": storetest.Postgres} {
		t.Run(engine, func(t *testing.T) {
			var passed atomic.Int64
			opt := testStore
			opt.Now = func() time.Time { return testStore.Now().Add(time.Duration(passed.Load())) }
			each(t, open(t, opt), func(d time.Duration) { passed.Add(int64(d)) })
		})
	}
}

// A revoked integration ends its sessions at once.
func TestOneC_Revoked(t *testing.T) {
	h := openHouse(t, storetest.SQLite(t, testStore), OneCOptions{})
	c := h.oneC(t)
	c.begin("")
	if err := h.st.RevokeIntegration(t.Context(), "1С"); err != nil {
		t.Fatal(err)
	}
	expect(t, "after", c.get("query"), "failure", "сеанс обмена закончился")
	expect(t, "after", c.get("checkauth"), "failure", "неверное имя пользователя или пароль")
}

// A part that hangs writes no more when the same file goes on without it.
func TestOneC_HungPart(t *testing.T) {
	each(t, func(t *testing.T, st *store.Store) {
		h := openHouse(t, st, OneCOptions{})
		h.work(t)
		c := h.oneC(t)
		c.begin("")
		x, err := st.ExchangeSession(t.Context(), digest(strings.TrimPrefix(c.cookie, sessionName+"=")))
		if err != nil {
			t.Fatal(err)
		}
		hung, err := st.BeginExchangePart(t.Context(), x, "a.xml", -1, 1<<20)
		if err == nil {
			err = st.AddExchangeChunk(t.Context(), hung, []byte("<half of it"), 1<<20)
		}
		if err != nil {
			t.Fatal(err)
		}
		expect(t, "the same file", c.send("a.xml", []byte(root+order("a", "1.00")+"</КоммерческаяИнформация>")), "success", "заказы: новых 1")
		if err := st.AddExchangeChunk(t.Context(), hung, []byte("the rest"), 1<<20); !errors.Is(err, store.ErrStale) {
			t.Errorf("the hung part goes on: %v", err)
		}
		if _, err := st.EndExchangePart(t.Context(), hung, "hash", true, nil); !errors.Is(err, store.ErrStale) {
			t.Errorf("the hung part ends: %v", err)
		}
		if err := st.DropExchangePart(t.Context(), hung); !errors.Is(err, store.ErrStale) {
			t.Errorf("the hung part is dropped: %v", err)
		}
	})
}

// The end of a file is known in both encodings, wherever the parts are cut.
func TestWholeFile(t *testing.T) {
	h := openHouse(t, storetest.SQLite(t, testStore), OneCOptions{})
	c := h.oneC(t)
	c.begin("")
	x, err := h.st.ExchangeSession(t.Context(), digest(strings.TrimPrefix(c.cookie, sessionName+"=")))
	if err != nil {
		t.Fatal(err)
	}
	narrow := func(s string) string {
		s, err := charmap.Windows1251.NewEncoder().String(s)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for text, want := range map[string]bool{
		root: false,
		root + "</КоммерческаяИнформация>":           true,
		root + "</КоммерческаяИнформация >\r\n\r\n":  true,
		narrow(root + "</КоммерческаяИнформация>\n"): true,
		narrow(root): false,
		`<?xml version="1.0"?><КоммерческаяИнформация ВерсияСхемы="2.05"/>`: true,
		narrow(`<КоммерческаяИнформация ВерсияСхемы="2.05" />`):             true,
		`<к:КоммерческаяИнформация xmlns:к="x"></к:КоммерческаяИнформация>`: true,
		root + "</КоммерческаяИнформаци":                                    false,
		root + "<КоммерческаяИнформация><Документ/>":                        false,
		root + order("a", "1.00"): false,
		"":                        false,
	} {
		p, err := h.st.BeginExchangePart(t.Context(), x, "x"+digest(text), -1, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for part := range chunksOf([]byte(text), 7) {
			if err := h.st.AddExchangeChunk(t.Context(), p, part, 1<<20); err != nil {
				t.Fatal(err)
			}
		}
		whole, _, err := wholeFile(&chunks{ctx: t.Context(), st: h.st, id: p.FileID, size: p.Size})
		if err != nil || whole != want {
			t.Errorf("%q: whole %v, error %v", text, whole, err)
		}
		sum := sha256.Sum256([]byte(text))
		if _, err := h.st.EndExchangePart(t.Context(), p, hex.EncodeToString(sum[:]), false, nil); err != nil {
			t.Fatal(err)
		}
	}
}
